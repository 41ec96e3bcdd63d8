use std::path::{Path, PathBuf};

use proptest::prelude::*;

use super::*;
use crate::spack::Lock;
use crate::spack::buildcache::Metadata;

const V5: &str = include_str!("../testdata/mini-v5.lock");
const V6: &str = include_str!("../testdata/mini-v6.lock");

fn hash(text: &str) -> Hash {
    Hash::parse(text).unwrap()
}

/// A node of a lock, and the hash under which it stands.
fn nodes(lock: &str) -> Vec<(Hash, String)> {
    #[derive(Deserialize)]
    struct Wire<'a> {
        #[serde(borrow)]
        concrete_specs: Entries<Hash, &'a RawValue>,
    }
    let wire: Wire<'_> = serde_json::from_str(lock).unwrap();
    wire.concrete_specs.0.into_iter().map(|(hash, node)| (hash, node.get().to_owned())).collect()
}

/// Gives a node the hash that it has.
fn sealed(members: &str) -> (String, Hash) {
    let hash = dag_hash(&format!("{{{members}}}")).unwrap();
    (format!(r#"{{{members},"hash":"{hash}"}}"#), hash)
}

/// What Python's own `json`, `hashlib` and `base64` make of this node.
const ODD: &str = r#"{"name":"odd","version":"1.0","external":{"path":"/opt/a b","extra":["é\u007f😀","\"\\\b\f\n\r\t\u0001/"]},"parameters":{"n":1.50,"e":[],"o":{}},"hash":"0"}"#;
const ODD_HASH: &str = "bcco6yvggof5coxkk472hmbkayuzkj3u";

#[test]
fn texts_are_hashed_as_python_writes_them() {
    assert_eq!(dag_hash(ODD), None, "its own hash is none");
    let node = ODD.replace("\"0\"", &format!("\"{ODD_HASH}\""));
    assert_eq!(dag_hash(&node), Some(hash(ODD_HASH)));
    assert_eq!(Seal::of(&node, &hash(ODD_HASH)), Seal::Intact);
    let escaped = node.replace('é', "\\u00E9").replace('😀', "\\uD83D\\uDE00").replace("/opt", "\\/opt");
    assert_eq!(Seal::of(&escaped, &hash(ODD_HASH)), Seal::Intact);
    assert_eq!(Seal::of(&node.replace("1.50", "1.5"), &hash(ODD_HASH)), Seal::Forged);
}

#[test]
fn every_node_of_both_locks_gives_its_hash() {
    for lock in [V5, V6] {
        let seals = Lock::seals(lock.as_bytes()).unwrap();
        assert!(seals.nodes >= 23 && seals.forged.is_empty() && seals.unprovable.is_empty(), "{seals:?}");
        for (hash, node) in nodes(lock) {
            assert_eq!(dag_hash(&node), Some(hash));
            // Where the hash stands does not matter, the order of the rest does.
            let own = format!(r#","hash":"{hash}""#);
            assert!(node.ends_with(&format!("{own}}}")));
            let first = node.replace(&own, "").replacen('{', &format!(r#"{{"hash":"{hash}","#), 1);
            assert_eq!(Seal::of(&first, &hash), Seal::Intact);
            let spaced = node.replace(':', " :\t").replace(',', "\n,");
            assert_eq!(Seal::of(&spaced, &hash), Seal::Intact);
            assert_eq!(Seal::of(&node.replace(&own, ""), &hash), Seal::Intact, "without its own hash");
        }
    }
}

#[test]
fn a_change_of_one_byte_is_noticed() {
    for lock in [V5, V6] {
        for (hash, node) in nodes(lock) {
            for at in (0..node.len()).step_by(5) {
                let mut bytes = node.clone().into_bytes();
                bytes[at] = match bytes[at] {
                    b'a' => b'b',
                    b'0'..=b'8' => bytes[at] + 1,
                    b'9' => b'0',
                    b'b'..=b'z' => bytes[at] - 1,
                    _ => continue,
                };
                assert_eq!(Seal::of(std::str::from_utf8(&bytes).unwrap(), &hash), Seal::Forged, "{at} of {node}");
            }
        }
    }
}

#[test]
fn a_node_under_the_hash_of_another_is_forged() {
    let all = nodes(V6);
    let [(one, node), (other, _), ..] = all.as_slice() else { panic!("forty nodes") };
    assert_eq!((Seal::of(node, one), Seal::of(node, other)), (Seal::Intact, Seal::Forged));
    let lock = V6.replacen(&format!("\"{one}\":{{"), "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\":{", 1);
    assert_eq!(Lock::seals(lock.as_bytes()).unwrap().forged, [hash("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]);
}

#[test]
fn a_splice_ends_like_what_was_built() {
    const BUILT: &str = "izhzo6lcaxnr66gaqeqglr24bg5agpmv";
    let (plain, whole) = sealed(r#""name":"a","version":"1""#);
    let splice = r#""name":"a","version":"1","build_spec":{"name":"a","hash":"izhzo6lcaxnr66gaqeqglr24bg5agpmv"}"#;
    let (node, spliced) = sealed(splice);
    assert!(spliced.as_str().ends_with(&BUILT[25..]) && !whole.as_str().ends_with(&BUILT[25..]), "{spliced}");
    assert_eq!((Seal::of(&plain, &whole), Seal::of(&node, &spliced)), (Seal::Intact, Seal::Intact));
    let other = node.replace(BUILT, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    assert_eq!(Seal::of(&other, &spliced), Seal::Forged, "what was built is hashed as well");
}

#[test]
fn nodes_that_were_written_anew_are_unprovable() {
    let claimed = hash("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
    let node = |members: &str| format!(r#"{{"name":"a",{members},"hash":"{claimed}"}}"#);
    for (members, seal) in [
        (r#""annotations":{"original_specfile_version":4,"compiler":"gcc@11"}"#, Seal::Unprovable),
        (r#""annotations":{"original_specfile_version":5}"#, Seal::Forged),
        (r#""provided_virtuals":[],"annotations":{"original_specfile_version":5}"#, Seal::Unprovable),
        (r#""full_hash":"x""#, Seal::Unprovable),
        (r#""annotations":{}"#, Seal::Forged),
        (r#""annotations":7"#, Seal::Forged),
        (r#""name":"b""#, Seal::Forged),
    ] {
        assert_eq!(Seal::of(&node(members), &claimed), seal, "{members}");
    }
    // An old node that still gives its hash is as good as any.
    let (intact, own) = sealed(r#""name":"a","annotations":{"original_specfile_version":4}"#);
    assert_eq!(Seal::of(&intact, &own), Seal::Intact);
    assert_eq!(Seal::of(&node(r#""full_hash":"x""#), &own), Seal::Forged, "under another hash than its own");
}

#[test]
fn what_is_no_node_is_forged() {
    let any = hash(ODD_HASH);
    for text in ["", "{", "null", "[]", "{}", "\u{0}", r#"{"a":"\ud800"}"#, r#"{"hash":7}"#, r#"{"a":1,"a":1}"#] {
        assert_eq!(Seal::of(text, &any), Seal::Forged, "{text}");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(Seal::of(&deep, &any), Seal::Forged);
}

proptest! {
    /// However a node is spaced and escaped, it is the same node.
    #[test]
    fn the_form_does_not_matter(name in "[ -~é😀\u{1}\n]{0,12}", value in "[ -~ü]{0,12}", number in any::<i32>()) {
        let text = |text: &str| serde_json::to_string(text).unwrap();
        let (node, own) = sealed(&format!("{}:[{},{number}]", text(&format!("x{name}")), text(&value)));
        prop_assert_eq!(Seal::of(&node, &own), Seal::Intact);
        let value: serde_json::Value = serde_json::from_str(&node).unwrap();
        let spaced = serde_json::to_string_pretty(&value).unwrap();
        // `Value` sorts its keys: "hash" comes before "x…", which does not matter.
        prop_assert_eq!(Seal::of(&spaced, &own), Seal::Intact);
    }
}

fn fixtures() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    if root.is_dir() {
        return Some(root);
    }
    println!("skipped: no fixtures at {}", root.display());
    None
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_fixture_lock_and_all_metadata_give_their_hashes() {
    let Some(root) = fixtures() else { return };
    let mut counts = [0; 2];
    for path in files(&root.join("locks")) {
        if !path.to_string_lossy().contains("spack.lock") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        let bytes = crate::spack::buildcache::unpack(&bytes, 100 << 20).unwrap();
        let seals = Lock::seals(&bytes).unwrap();
        assert_eq!((seals.forged.len(), seals.unprovable.len()), (0, 0), "{}", path.display());
        counts[0] += seals.nodes;
    }
    for cache in ["buildcache-v3-signed/blobs", "buildcache-v3-unsigned/blobs", "buildcache-v2-signed/build_cache"] {
        for path in files(&root.join(cache)) {
            // A tarball is no metadata.
            let Ok(read) = Metadata::read(&std::fs::read(&path).unwrap()) else { continue };
            assert_eq!((read.seal, read.seals.forged.len()), (Seal::Intact, 0), "{}", path.display());
            assert!(read.seals.unprovable.is_empty() && read.is_signed == cache.contains("v2"));
            counts[1] += 1;
        }
    }
    assert_eq!(counts, [1_958, 98]);
}
