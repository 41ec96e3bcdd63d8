//! Caches for tests: files by path, as a push, a crash or an index update leaves them, and the contents that a faithful reader makes of them.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use super::{
    Amount, Blob, BlobRef, Contents, IndexManifest, IndexState, Inventory, KeyManifest, Reading, SpecManifest,
};
use crate::ci::Timestamp;
use crate::spack::Hash;
use crate::spack::buildcache::{Catalogue, Checksum, Part, v3};
use crate::spack::dag_hash;

/// Specs that numbers stand for.
const SPECS: usize = 64;

/// A root in memory. Time is in seconds.
#[derive(Debug, Clone, Default)]
pub struct Files {
    pub now: i64,
    files: BTreeMap<String, (Vec<u8>, i64)>,
}

/// The node of the spec that a number stands for.
fn node(number: usize) -> String {
    format!(r#"{{"name":"pkg","version":"1.0","parameters":{{"n":"{number}"}}"#)
}

/// Its hash: what the node gives.
pub fn hash(number: usize) -> Hash {
    static KNOWN: OnceLock<Vec<Hash>> = OnceLock::new();
    let known =
        KNOWN.get_or_init(|| (0..SPECS).map(|number| dag_hash(&format!("{}}}", node(number))).unwrap()).collect());
    known[number]
}

/// A moment.
pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

/// What the manifest of a spec is called.
pub fn path_of(number: usize) -> String {
    v3::spec_manifest("pkg", "1.0", &hash(number))
}

impl Files {
    pub fn put(&mut self, path: &str, bytes: &[u8]) {
        self.files.insert(path.to_owned(), (bytes.to_vec(), self.now));
    }

    pub fn remove(&mut self, path: &str) {
        self.files.remove(path);
    }

    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.files.keys().map(String::as_str)
    }

    pub fn blob(&mut self, bytes: &[u8]) -> Checksum {
        let sum = Checksum::of(bytes);
        self.put(&sum.path(), bytes);
        sum
    }

    /// Does the first steps of a push: tarball, metadata, manifest. `files` may be those of another spec.
    pub fn push(&mut self, number: usize, files: usize, steps: usize) {
        let (tarball, spec) = (format!("files {files}").into_bytes(), format!("spec {number}").into_bytes());
        if steps > 0 {
            self.blob(&tarball);
        }
        if steps > 1 {
            self.blob(&spec);
        }
        if steps > 2 {
            self.put(&path_of(number), manifest(&[(TARBALL, &tarball), (SPEC, &spec)]).as_bytes());
        }
    }

    /// Writes the index anew; `needs` are dependencies without a binary here.
    pub fn index(&mut self, view: Option<&str>, needs: &[usize], of: impl Fn(usize) -> bool) {
        let present = (0..SPECS).filter(|number| of(*number) && self.files.contains_key(&path_of(*number)));
        let record = |number: usize, is_there: bool| {
            let (hash, node) = (hash(number), node(number));
            format!(r#""{hash}":{{"spec":{node},"hash":"{hash}"}},"in_buildcache":{is_there}}}"#)
        };
        let there = present.map(|number| record(number, true));
        let records: Vec<String> = there.chain(needs.iter().map(|number| record(*number, false))).collect();
        let index = format!(r#"{{"database":{{"version":"8","installs":{{{}}}}}}}"#, records.join(",")).into_bytes();
        self.blob(&index);
        self.put(&v3::index_manifest(view), manifest(&[(INDEX, &index)]).as_bytes());
    }

    /// What a reader makes of it.
    pub fn contents(&self) -> Contents {
        let mut contents = Contents { listed_at: Some(at(self.now)), ..Contents::default() };
        for (path, (bytes, written)) in &self.files {
            let (length, modified) = (bytes.len() as u64, Some(at(*written)));
            let parsed = crate::spack::buildcache::Manifest::parse(bytes);
            let named = |record: Option<(&crate::spack::buildcache::Record, u32)>| {
                record.map(|(r, _)| BlobRef { sum: Checksum::parse(&r.checksum).unwrap(), bytes: r.length })
            };
            match Part::of(path) {
                Part::Blob(sum) => contents.blobs.push(Blob { sum, bytes: length, modified }),
                Part::Spec { hash, .. } => {
                    let reading = match parsed {
                        Ok(read) => Reading::Read {
                            tarball: named(read.tarball()),
                            spec: named(read.spec()),
                            others: Vec::new(),
                            is_signed: read.is_signed,
                        },
                        Err(error) => Reading::Damaged(error.to_string().into()),
                    };
                    let (path, tag) = (path.as_str().into(), Some(Checksum::of(bytes).to_string().into()));
                    contents.manifests.push(SpecManifest {
                        path,
                        hash,
                        bytes: length,
                        modified,
                        tag,
                        reading,
                        signature: None,
                    });
                }
                Part::Index { view } => {
                    let blob = named(parsed.unwrap().index());
                    let found = blob.and_then(|blob| self.files.get(&blob.sum.path()));
                    let state = match found.map(|(bytes, _)| Catalogue::read(bytes)) {
                        None => IndexState::Dangling,
                        Some(Err(error)) => IndexState::Damaged(error.to_string().into()),
                        Some(Ok(catalogue)) => IndexState::Read(Arc::new(catalogue)),
                    };
                    let (path, view) = (path.as_str().into(), view.map(Arc::from));
                    contents.indexes.push(IndexManifest {
                        path,
                        view,
                        modified,
                        tag: None,
                        bytes: length,
                        blob,
                        others: Vec::new(),
                        state,
                    });
                }
                Part::Key => contents.keys.push(KeyManifest {
                    path: path.as_str().into(),
                    bytes: length,
                    modified,
                    blobs: parsed.ok().map(|_| Vec::new()),
                }),
                Part::Layout => contents.layout.add(length),
                Part::V2 { .. } => contents.v2.add(length),
                Part::Foreign => {
                    contents.foreign.amount.add(length);
                    contents.foreign.paths.push(path.as_str().into());
                }
            }
        }
        contents.blobs.sort_unstable_by_key(|blob| blob.sum);
        contents.indexes.sort_by(|a, b| a.view.cmp(&b.view));
        contents
    }

    /// What an inventory makes of it.
    pub fn inventory(&self, root: &str) -> Inventory {
        let mut inventory = Inventory::default();
        for (path, (bytes, written)) in &self.files {
            inventory.add(&format!("{root}/{path}"), bytes.len() as u64, Some(at(*written)), None);
        }
        inventory
    }

    /// Every file, counted one by one.
    pub fn recount(&self) -> Amount {
        self.files.values().map(|(bytes, _)| Amount { objects: 1, bytes: bytes.len() as u64 }).sum()
    }
}

const TARBALL: &str = "application/vnd.spack.install.v2.tar+gzip";
const SPEC: &str = "application/vnd.spack.spec.v5+json";
const INDEX: &str = "application/vnd.spack.db.v8+json";

/// A manifest of these blobs.
pub fn manifest(blobs: &[(&str, &[u8])]) -> String {
    let record = |(kind, bytes): &(&str, &[u8])| {
        let (length, sum) = (bytes.len(), Checksum::of(bytes));
        format!(
            r#"{{"contentLength":{length},"mediaType":"{kind}","compression":"none","checksumAlgorithm":"sha256","checksum":"{sum}"}}"#
        )
    };
    let records: Vec<String> = blobs.iter().map(record).collect();
    format!(r#"{{"version":3,"data":[{}]}}"#, records.join(","))
}
