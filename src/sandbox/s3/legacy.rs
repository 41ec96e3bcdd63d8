//! A cache in layout 2, as Spack wrote it in the months before layout 3: specs of version 5, one signed document per binary.

use super::super::SandboxError;
use super::super::nodes::{Age, Variant};
use super::super::rng::Rng;
use super::super::stacks::STACKS;
use super::contents::{Bytes, Contents, SpecRef, tarball};
use super::fill::{DAY, is_built};
use super::index::Index;
use super::manifest::hex;
use super::pgp::{Keys, sha256};
use crate::ci::Timestamp;
use crate::spack::Hash;

/// When it was last written: 2025-04-30.
const LAST: Timestamp = Timestamp::from_millis(1_746_000_000_000);

/// The objects below `build_cache/`.
pub fn contents(seed: u64, keys: &Keys, stack: usize) -> Result<Contents, SandboxError> {
    let mut contents = Contents::default();
    let Some(about) = STACKS.get(stack) else { return Ok(contents) };
    let variant = about.specs(Age::Release)?;
    let mut rng = Rng::named(seed, "layout 2", about.name);
    let mut indexed = Vec::new();
    for at in (0..variant.len()).filter(|at| is_built(variant, *at)).step_by(9) {
        let spec = SpecRef { variant, at };
        let modified = LAST.shifted(-(rng.below(40 * DAY as u64) as i64));
        let (sum, size) = tarball(spec, rng.next());
        let (folder, stem) = names(variant, at);
        contents.put_sized(&format!("{folder}/{stem}.spack"), modified, Bytes::Zeros, size);
        let text = document(variant, at, &sum);
        let signed = keys.reputational.sign(&text, modified);
        contents.put_other(&format!("{stem}.spec.json.sig"), modified, Bytes::text(signed));
        indexed.push(spec);
    }
    let index = Index::new(indexed.into_iter()).bytes();
    contents.put_other("index.json.hash", LAST, Bytes::text(hex(&sha256(&index))));
    contents.put_other("index.json", LAST, Bytes::text(index));
    let key = &keys.reputational;
    contents.put_other(&format!("_pgp/{}.pub", key.fingerprint()), LAST, Bytes::text(key.armored()));
    let list = format!("{{\"keys\":{{\"{}\":{{}}}}}}", key.fingerprint());
    contents.put_other("_pgp/index.json", LAST, Bytes::text(list));
    contents.put_other("layout.json", LAST, Bytes::text("{\"signing\": \"gpg\"}"));
    Ok(contents)
}

/// The folder of the tarball, and what all names of a binary begin with.
fn names(variant: &Variant, at: u16) -> (String, String) {
    let Some(spec) = variant.spec(at) else { return (String::new(), String::new()) };
    let arch = variant.arch(spec);
    let arch = format!("{}-{}-{}", arch.platform, arch.os, arch.target);
    let compiler = spec.compiler.as_ref().map_or("none-none".to_owned(), |c| format!("{}-{}", c.name, c.version));
    let folder = format!("{arch}/{compiler}/{}-{}", spec.name, spec.version);
    let hash = variant.hash(at).map_or("", Hash::as_str);
    (folder, format!("{arch}-{compiler}-{}-{}-{hash}", spec.name, spec.version))
}

/// What is signed: one node per line, for gpg cuts long ones.
fn document(variant: &Variant, at: u16, tarball: &[u8; 32]) -> String {
    let mut text = "{\n\"spec\":{\n\"_meta\":{\n\"version\":5\n},\n\"nodes\":[".to_owned();
    for (n, at) in variant.closure(at).into_iter().enumerate() {
        let mut node = Vec::new();
        variant.node(at, &mut node);
        text.push_str(if n == 0 { "\n" } else { ",\n" });
        text.push_str(&String::from_utf8_lossy(&node));
    }
    let sum = hex(tarball);
    let rest =
        "\n]\n},\n\"buildcache_layout_version\":2,\n\"binary_cache_checksum\":{\n\"hash_algorithm\":\"sha256\",\n";
    [text.as_str(), rest, "\"hash\":\"", &sum, "\"\n}\n}"].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn documents_name_their_tarball_and_lines_are_short_enough_for_gpg() {
        let stack = STACKS.iter().position(|s| s.name == "tutorial").unwrap();
        let variant = STACKS[stack].specs(Age::Release).unwrap();
        for at in (0..variant.len()).step_by(40) {
            let text = document(variant, at, &[7; 32]);
            let read: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(read["spec"]["nodes"][0]["hash"], variant.hash(at).unwrap().as_str());
            assert!(text.lines().all(|line| line.len() < 19_000 && !line.starts_with('-')));
        }
    }
}
