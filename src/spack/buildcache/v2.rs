//! Where things lie in layout 2, which is read and never written. All paths are relative to the mirror's address.

use super::polite;
use crate::spack::{Hash, Spec};

pub const INDEX: &str = "build_cache/index.json";
/// The SHA-256 of the index in hexadecimal. It is written after the index, and may be missing.
pub const INDEX_HASH: &str = "build_cache/index.json.hash";

/// The signed metadata of one binary; `None` for a spec without a compiler, which has no name in this layout.
pub fn signed_spec(spec: &Spec) -> Option<String> {
    let compiler = spec.compiler.as_ref()?;
    let Spec { arch, name, version, hash, .. } = spec;
    let stem = format!("{arch}-{}-{}-{name}-{version}-{hash}", compiler.name, compiler.version);
    Some(format!("build_cache/{}.spec.json.sig", polite(&stem)))
}

/// The hash in the name of a metadata file or of a tarball: there must be exactly one that could be it.
pub fn hash(file_name: &str) -> Option<Hash> {
    let is_hash = |part: &&str| {
        let (token, rest) = part.split_at_checked(32).unwrap_or_default();
        rest.starts_with('.') && token.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    let mut found = file_name.split('-').skip(1).filter(is_hash);
    let token = found.next()?.get(..32)?;
    if found.next().is_some() { None } else { Hash::parse(token).ok() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spack::Lock;

    const HASH: &str = "jokthqm74ofyoig7jdj6i7kdmseo4wdh";

    #[test]
    fn the_hash_must_be_the_only_one() {
        let stem = "linux-debian12-x86_64_v3-gcc-12.2.0-lz4-1.9.4";
        for ending in ["spec.json.sig", "spec.json", "spack"] {
            assert_eq!(hash(&format!("{stem}-{HASH}.{ending}")).unwrap().as_str(), HASH, "{ending}");
        }
        for name in [
            format!("{stem}-{HASH}.{stem}-{HASH}.spack"),
            format!("{stem}-{}.spack", HASH.to_uppercase()),
            format!("{stem}-{}.spack", &HASH[1..]),
            format!("{HASH}.spack"),
            format!("{stem}-{HASH}"),
            "é".repeat(40),
        ] {
            assert_eq!(hash(&name), None, "{name}");
        }
    }

    #[test]
    fn names_begin_with_architecture_and_compiler() {
        let lock = Lock::parse(include_bytes!("../testdata/mini-v6.lock")).unwrap();
        for spec in lock.specs().filter(|spec| spec.compiler.is_some()) {
            let path = signed_spec(spec).unwrap();
            let name = path.strip_prefix("build_cache/").unwrap();
            assert!(name.starts_with(&spec.arch.to_string()) && !name.contains('/'), "{name}");
            assert_eq!(hash(name), Some(spec.hash));
        }
    }
}
