use super::index_tests::{V2, V3, fixture, hash, sample};
use super::unpack::tests::{gzip, zstd};
use super::*;
use crate::spack::{Hash, dag_hash};

fn read(text: &str) -> Result<Catalogue, IndexError> {
    Catalogue::read(text.as_bytes())
}

/// Every node has a version, as real ones do.
fn whole() -> String {
    sample("8")
        .replace(r#""name":"b","#, r#""name":"b","version":"1","#)
        .replace(r#""name":"c","external""#, r#""name":"c","version":"1","external""#)
}

/// An index of nodes that give their hashes: each is a name, and where the hashes that it needs lie in the list.
fn sealed(nodes: &[(&str, &[usize])]) -> (String, Vec<Hash>) {
    let (mut records, mut hashes) = (Vec::new(), Vec::<Hash>::new());
    for (name, deps) in nodes {
        let deps: Vec<_> = deps.iter().map(|dep| format!(r#"{{"name":"x","hash":"{}"}}"#, hashes[*dep])).collect();
        let members = format!(r#""name":"{name}","version":"1.0","dependencies":[{}]"#, deps.join(","));
        let hash = dag_hash(&format!("{{{members}}}")).unwrap();
        records.push(format!(r#""{hash}":{{"spec":{{{members},"hash":"{hash}"}},"in_buildcache":true}}"#));
        hashes.push(hash);
    }
    // What is needed comes after what needs it.
    records.reverse();
    (format!(r#"{{"database":{{"version":"8","installs":{{{}}}}}}}"#, records.join(",")), hashes)
}

#[test]
fn every_record_is_kept_with_what_it_needs() {
    let catalogue = read(&whole()).unwrap();
    assert_eq!(catalogue.version, 8);
    let found: Vec<_> = catalogue.entries().iter().map(|entry| (entry.hash, &*entry.name, &*entry.version)).collect();
    let mut expected = vec![(hash(1), "a", "1"), (hash(2), "b", "1"), (hash(3), "c", "1")];
    expected.sort_unstable();
    assert_eq!(found, expected);
    let a = catalogue.get(&hash(1)).unwrap();
    let mut needed = vec![hash(2), hash(3)];
    needed.sort_unstable();
    assert_eq!(a.deps.iter().copied().collect::<Vec<_>>(), needed);
    assert_eq!((a.deps.len(), a.deps.contains(&hash(2)), a.deps.contains(&hash(1))), (2, true, false));
    for (place, dep) in a.deps.places().iter().zip(a.deps.iter()) {
        assert_eq!(catalogue.entries()[*place as usize].hash, *dep);
    }
    assert!(a.listed.in_buildcache && !a.listed.external && catalogue.get(&hash(3)).unwrap().listed.external);
    assert!(!catalogue.get(&hash(2)).unwrap().listed.is_present() && catalogue.get(&hash(2)).unwrap().deps.is_empty());
    assert_eq!(catalogue.get(&hash(4)), None);
    for packed in [gzip(whole().as_bytes()), zstd(whole().as_bytes())] {
        assert_eq!(Catalogue::read(&packed).unwrap(), catalogue);
    }
    assert_eq!(read(&format!("{} {{\"x\": garbage", whole())).unwrap(), catalogue, "case 16");
    assert_eq!(read(r#"{"database":{"version":"8","installs":{}}}"#).unwrap().entries(), [], "case 15");
}

#[test]
fn equal_names_and_versions_are_one_text() {
    let (text, hashes) = sealed(&[("a", &[]), ("a", &[0]), ("a", &[1])]);
    let catalogue = read(&text).unwrap();
    let [one, .., last] = catalogue.entries() else { panic!("three entries") };
    assert!(std::sync::Arc::ptr_eq(&one.name, &last.name) && std::sync::Arc::ptr_eq(&one.version, &last.version));
    assert_eq!((hashes.len(), catalogue.forged()), (3, &[][..]));
}

#[test]
fn forged_nodes_are_listed_wherever_they_stand() {
    let (text, hashes) = sealed(&[("zlib", &[]), ("hdf5", &[0]), ("tool", &[0, 1, 1])]);
    assert_eq!(read(&text).unwrap().forged(), []);
    let changed = text.replacen(r#""name":"hdf5""#, r#""name":"hdf6""#, 1);
    assert_eq!(read(&changed).unwrap().forged(), [hashes[1]]);
    // Spread out, and with the hash first, it is the same index.
    let spread = text.replace(',', " ,\n ").replace('{', "{ ").replace('}', " }");
    assert_eq!(read(&spread).unwrap(), read(&text).unwrap());
    assert_eq!(read(&spread.replacen("tool", "fool", 1)).unwrap().forged(), [hashes[2]]);
    let hash_first = text.replacen(r#"{"name":"hdf5""#, &format!(r#"{{"hash":"{}","name":"hdf5""#, hashes[1]), 1);
    let hash_first = hash_first.replacen(&format!(r#"],"hash":"{}"}}"#, hashes[1]), "]}", 1);
    assert_eq!((read(&hash_first).unwrap().forged(), hash_first == text), (&[][..], false));
    let escaped = text.replacen(r#"{"name":"hdf5""#, r#"{"n\u0061me":"hdf5""#, 1);
    assert_eq!(read(&escaped).unwrap().forged(), [hashes[1]], "Spack writes no such key");
    // Everything in the small index was made up.
    let mut all = vec![hash(1), hash(2), hash(3)];
    all.sort_unstable();
    assert_eq!(read(&whole()).unwrap().forged(), all);
}

#[test]
fn old_forms_cannot_be_proven() {
    let text = format!(
        r#"{{"database":{{"version":"5","installs":{{
        "{0}":{{"spec":{{"a":{{"version":"1","dependencies":{{"b":{{"hash":"{1}","type":["build"]}}}}}}}},"in_buildcache":true}},
        "{1}":{{"spec":{{"b":{{"version":"2","external":{{"path":"/usr"}}}}}}}}}}}}}}"#,
        hash(1),
        hash(2)
    );
    let catalogue = read(&text).unwrap();
    assert_eq!((catalogue.forged(), catalogue.unprovable().len()), (&[][..], 2));
    let a = catalogue.get(&hash(1)).unwrap();
    assert_eq!((&*a.name, &*a.version, a.deps.iter().next()), ("a", "1", Some(&hash(2))));
}

#[test]
fn a_dependency_without_its_record_is_named_and_followed_no_further() {
    let text = whole().replacen(&format!("\"{}\":{{", hash(3)), &format!("\"{}\":{{", hash(4)), 1);
    let catalogue = read(&text).unwrap();
    assert_eq!(catalogue.unrecorded(), [hash(3)]);
    assert!(catalogue.entries().iter().all(|entry| entry.deps.iter().all(|dep| catalogue.get(dep).is_some())));
}

#[test]
fn damage_is_corrupt_and_named() {
    let text = whole();
    for (from, to, said) in [
        (r#""name":"a","#, "", "has no name"),
        (r#""version":"1","dependencies""#, r#""dependencies""#, "has no version"),
        (r#""name":"a""#, r#""name":"a","name":"z""#, "`name` twice"),
        (r#""dependencies":"#, r#""dependencies":[],"dependencies":"#, "`dependencies` twice"),
        (r#""in_buildcache":true"#, r#""in_buildcache":true,"in_buildcache":false"#, "in_buildcache"),
        (&format!("\"{}\":{{", hash(2)), &format!("\"{}\":{{", hash(1)), "two records"),
        (r#"{"database""#, r#"{"database":{"version":8,"installs":{}},"database""#, "two versions"),
    ] {
        let damaged = text.replacen(from, to, 1);
        assert_ne!(damaged, text, "{from}");
        match read(&damaged) {
            Err(IndexError::Corrupt(what)) => assert!(what.contains(said), "{what}"),
            other => panic!("{from}: {other:?}"),
        }
    }
    assert_eq!(read(&sample("9")), Err(IndexError::TooNew { found: 9 }));
    assert_eq!(read(&sample("4")), Err(IndexError::TooOld { found: 4 }));
    for end in 0..text.len() {
        assert!(read(&text[..end]).is_err(), "{end}");
    }
}

#[test]
fn indexes_written_by_spack_give_their_hashes() {
    for (path, version, specs, deps) in [(V2, 7, 23, 90), (V3, 8, 40, 230)] {
        let Some(bytes) = fixture(path) else { return };
        let catalogue = Catalogue::read(&bytes).unwrap();
        assert_eq!((catalogue.version, catalogue.entries().len()), (version, specs), "{path}");
        assert_eq!((catalogue.forged(), catalogue.unprovable()), (&[][..], &[][..]), "{path}");
        assert_eq!(catalogue.entries().iter().map(|entry| entry.deps.len()).sum::<usize>(), deps, "{path}");
        let index = read_index(&bytes, &|_| true).unwrap();
        for entry in catalogue.entries() {
            assert_eq!(index.listed[&entry.hash], entry.listed);
        }
        // One character of a version anywhere.
        let text = String::from_utf8(bytes).unwrap().replacen(r#""version":"1."#, r#""version":"2."#, 1);
        assert_eq!(read(&text).unwrap().forged().len(), 1, "{path}");
    }
}
