//! The files of a commit, how git writes them down, and how two changes of them are merged.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::object::{Object, Oid, Store};

/// Files by path.
pub type Files = BTreeMap<Arc<str>, Oid>;

/// Keeps the trees of these files; the outermost is named.
pub fn write(files: &Files, store: &mut Store) -> Oid {
    let all: Vec<(&str, Oid)> = files.iter().map(|(path, id)| (&**path, *id)).collect();
    folder(&all, store)
}

/// The paths are sorted, so what lies in one folder stands together.
fn folder(files: &[(&str, Oid)], store: &mut Store) -> Oid {
    // Git sorts folders as if their names ended in a slash.
    let mut entries: Vec<(String, Vec<u8>)> = Vec::new();
    let mut rest = files;
    while let [(path, id), ..] = rest {
        let Some((name, _)) = path.split_once('/') else {
            entries.push(((*path).to_owned(), entry("100644", path, *id)));
            rest = rest.get(1..).unwrap_or_default();
            continue;
        };
        let prefix = format!("{name}/");
        let count = rest.iter().take_while(|(path, _)| path.starts_with(&prefix)).count();
        let (inside, after) = rest.split_at(count);
        let inside: Vec<(&str, Oid)> =
            inside.iter().filter_map(|(path, id)| Some((path.strip_prefix(&prefix)?, *id))).collect();
        let id = folder(&inside, store);
        let written = entry("40000", name, id);
        entries.push((prefix, written));
        rest = after;
    }
    entries.sort();
    store.put(Object::tree(entries.into_iter().flat_map(|(_, bytes)| bytes).collect()))
}

fn entry(mode: &str, name: &str, id: Oid) -> Vec<u8> {
    [format!("{mode} {name}\0").as_bytes(), id.bytes()].concat()
}

/// Merges two changes of the same files; `None` when both changed one of them differently. Files of this world are changed at one place, so
/// git, which looks into them, finds the same.
pub fn merge(base: &Files, ours: &Files, theirs: &Files) -> Option<Files> {
    let paths: BTreeSet<&Arc<str>> = base.keys().chain(ours.keys()).chain(theirs.keys()).collect();
    let mut merged = Files::new();
    for path in paths {
        let (was, our, their) = (base.get(path), ours.get(path), theirs.get(path));
        let kept = match () {
            () if our == their || was == their => our,
            () if was == our => their,
            () => return None,
        };
        if let Some(id) = kept {
            merged.insert(path.clone(), *id);
        }
    }
    Some(merged)
}
