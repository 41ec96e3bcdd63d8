//! Caches for tests, as facts: specs with their blobs, times and dependencies, and what the indexes say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, LazyLock};

use crate::cache::keep::{KeepList, KeepReason};
use crate::cache::plan::{Limits, PrunePlan, PruneRefusal};
use crate::cache::{Blob, BlobRef, Contents, Gap, IndexManifest, IndexState, KeyManifest, Reading, Root, SpecManifest};
use crate::ci::Timestamp;
use crate::spack::Hash;
use crate::spack::buildcache::{Catalogue, Checksum, v3};

/// When the index of a made cache is written; older is before it.
pub const INDEXED: i64 = 1_000;
/// When it is listed.
pub const LISTED: i64 = 2_000;

pub const MANIFEST_BYTES: u64 = 10;

/// One cache. Specs and blobs are numbers, times are seconds.
#[derive(Debug, Clone)]
pub struct Cache {
    pub specs: BTreeMap<usize, Spec>,
    /// When each was written.
    pub blobs: BTreeMap<usize, i64>,
    /// `None` is without an index.
    pub index: Option<(i64, BTreeSet<usize>)>,
    pub views: BTreeMap<String, BTreeSet<usize>>,
    /// What each spec depends on.
    pub deps: BTreeMap<usize, Vec<usize>>,
    pub gaps: Vec<&'static str>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Spec {
    pub blobs: [usize; 2],
    pub written: i64,
    pub is_damaged: bool,
    pub tag: u32,
}

pub fn hash(number: usize) -> Hash {
    let digit = |place: u32| char::from(b"abcdefghijklmnopqrstuvwxyz234567"[number / 32usize.pow(place) % 32]);
    Hash::parse(&format!("{:a<28}{}{}{}{}", "", digit(3), digit(2), digit(1), digit(0))).unwrap()
}

pub fn at(seconds: i64) -> Timestamp {
    Timestamp::from_millis(seconds * 1_000)
}

pub fn sum(blob: usize) -> Checksum {
    Checksum::of(blob.to_string().as_bytes())
}

pub fn size(blob: usize) -> u64 {
    100 * (1 + blob as u64 % 7)
}

pub fn path(spec: usize) -> String {
    v3::spec_manifest("pkg", "1.0", &hash(spec))
}

pub fn root() -> Root {
    Root::of("develop/e4s")
}

/// Blobs of indexes have numbers that no spec uses.
fn index_blob(view: Option<&str>) -> BlobRef {
    BlobRef { sum: Checksum::of(format!("index {view:?}").as_bytes()), bytes: 7 }
}

pub fn catalogue(lists: &BTreeSet<usize>, deps: &BTreeMap<usize, Vec<usize>>) -> Catalogue {
    let mut records: BTreeSet<usize> = lists.clone();
    let mut open: Vec<usize> = lists.iter().copied().collect();
    while let Some(one) = open.pop() {
        open.extend(deps.get(&one).into_iter().flatten().filter(|dep| records.insert(**dep)));
    }
    let record = |number: &usize| {
        let dep = |dep: &usize| format!(r#"{{"name":"pkg","hash":"{}"}}"#, hash(*dep));
        let needs: Vec<String> = deps.get(number).into_iter().flatten().map(dep).collect();
        let (hash, is_there) = (hash(*number), lists.contains(number));
        let needs = needs.join(",");
        // Of a form in which hashes cannot be proven, since here they are only numbers.
        let old = r#""annotations":{"original_specfile_version":4}"#;
        format!(
            r#""{hash}":{{"spec":{{"name":"pkg","version":"1.0",{old},"dependencies":[{needs}],"hash":"{hash}"}},"in_buildcache":{is_there}}}"#
        )
    };
    let records: Vec<String> = records.iter().map(record).collect();
    let text = format!(r#"{{"database":{{"version":"8","installs":{{{}}}}}}}"#, records.join(","));
    Catalogue::read(text.as_bytes()).unwrap()
}

impl Cache {
    /// Whole and old specs, each with two blobs of its own, all of them indexed.
    pub fn of(specs: usize) -> Self {
        let mut cache = Self {
            specs: BTreeMap::new(),
            blobs: BTreeMap::new(),
            index: Some((INDEXED, (0..specs).collect())),
            views: BTreeMap::new(),
            deps: BTreeMap::new(),
            gaps: Vec::new(),
        };
        for spec in 0..specs {
            cache.push(spec, [10 * spec, 10 * spec + 1], 100);
        }
        cache
    }

    /// A push: both blobs, then the manifest.
    pub fn push(&mut self, spec: usize, blobs: [usize; 2], written: i64) {
        self.blobs.extend(blobs.map(|blob| (blob, written)));
        let tag = self.specs.get(&spec).map_or(0, |old| old.tag + 1);
        self.specs.insert(spec, Spec { blobs, written, is_damaged: false, tag });
    }

    pub fn view(&mut self, name: &str, lists: &[usize]) {
        self.views.insert(name.to_owned(), lists.iter().copied().collect());
    }

    pub fn contents(&self) -> Contents {
        let named = |blob: usize| Some(BlobRef { sum: sum(blob), bytes: size(blob) });
        let manifest = |(number, spec): (&usize, &Spec)| SpecManifest {
            path: path(*number).into(),
            hash: Some(hash(*number)),
            bytes: MANIFEST_BYTES,
            modified: Some(at(spec.written)),
            tag: Some(format!("{number}.{}", spec.tag).into()),
            reading: if spec.is_damaged {
                Reading::Damaged("it is empty".into())
            } else {
                Reading::Read {
                    tarball: named(spec.blobs[0]),
                    spec: named(spec.blobs[1]),
                    others: Vec::new(),
                    is_signed: true,
                }
            },
            signature: None,
        };
        let mut manifests: Vec<SpecManifest> = self.specs.iter().map(manifest).collect();
        manifests.sort_by(|a, b| a.path.cmp(&b.path));
        let blob = |(number, written): (&usize, &i64)| Blob {
            sum: sum(*number),
            bytes: size(*number),
            modified: Some(at(*written)),
        };
        let mut blobs: Vec<Blob> = self.blobs.iter().map(blob).collect();
        let index = |view: Option<&str>, written: i64, lists: &BTreeSet<usize>| IndexManifest {
            tag: None,
            others: Vec::new(),
            path: v3::index_manifest(view).into(),
            view: view.map(Arc::from),
            modified: Some(at(written)),
            bytes: 3,
            blob: Some(index_blob(view)),
            state: IndexState::Read(Arc::new(catalogue(lists, &self.deps))),
        };
        let mut indexes: Vec<IndexManifest> =
            self.index.iter().map(|(written, lists)| index(None, *written, lists)).collect();
        indexes.extend(self.views.iter().map(|(view, lists)| index(Some(view), 50, lists)));
        blobs.extend(indexes.iter().filter_map(|index| index.blob).map(|blob| Blob {
            sum: blob.sum,
            bytes: blob.bytes,
            modified: Some(at(50)),
        }));
        let key = BlobRef { sum: Checksum::of(b"key"), bytes: 5 };
        blobs.push(Blob { sum: key.sum, bytes: key.bytes, modified: Some(at(1)) });
        blobs.sort_by_key(|blob| blob.sum);
        let keys = vec![KeyManifest {
            path: "v3/manifests/key/ABC.key.manifest.json".into(),
            bytes: 4,
            modified: Some(at(1)),
            blobs: Some(vec![key]),
        }];
        let gap = |place: &&'static str| Gap { place: (*place).into(), why: "503 Slow Down".into() };
        Contents {
            manifests,
            indexes,
            keys,
            blobs,
            gaps: self.gaps.iter().map(gap).collect(),
            listed_at: Some(at(LISTED)),
            skew_ms: Some(1_200),
            ..Contents::default()
        }
    }

    /// A plan that may take everything.
    pub fn plan(&self, keep: &[usize]) -> Result<PrunePlan, Vec<PruneRefusal>> {
        plan(&self.contents(), Some(&pins(keep)))
    }
}

/// Limits that are never reached.
pub fn no_limits() -> Limits {
    Limits { most_percent: 100, ..Limits::default() }
}

pub fn plan(contents: &Contents, list: Option<&KeepList>) -> Result<PrunePlan, Vec<PruneRefusal>> {
    PrunePlan::make(&root(), contents, list, &no_limits(), at(LISTED))
}

pub fn pins(specs: &[usize]) -> KeepList {
    let mut list = KeepList::default();
    list.add(KeepReason::Pin("for a test".into()), specs.iter().map(|spec| hash(*spec)));
    list
}

/// The numbers of the specs that would go.
pub fn specs(plan: &PrunePlan) -> Vec<usize> {
    static NUMBERS: LazyLock<BTreeMap<Hash, usize>> =
        LazyLock::new(|| (0..2_000).map(|number| (hash(number), number)).collect());
    let mut gone: Vec<usize> = plan.manifests.iter().map(|doomed| NUMBERS[&doomed.hash]).collect();
    gone.sort_unstable();
    gone
}

/// The numbers of the blobs that would go.
pub fn blobs(plan: &PrunePlan) -> Vec<usize> {
    static NUMBERS: LazyLock<BTreeMap<Checksum, usize>> =
        LazyLock::new(|| (0..2_000).map(|number| (sum(number), number)).collect());
    let mut gone: Vec<usize> = plan.blobs.iter().map(|doomed| NUMBERS[&doomed.sum]).collect();
    gone.sort_unstable();
    gone
}
