//! How healthy a root is: what its index promises, what its manifests name, and what really lies there.
//!
//! Nothing that could not be read counts as absent: below a gap, holes and orphans are unknown.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use super::finding::{Finding, FindingKind, Severity};
use super::{BlobRef, Contents, IndexManifest, IndexState, Reading, Signature, Sizes};
use crate::ci::{Timestamp, short};
use crate::spack::Hash;
use crate::spack::buildcache::Checksum;

/// What is judged by.
#[derive(Debug, Clone, Copy)]
pub struct HealthRules {
    /// Our clock, for mirrors that tell none.
    pub now: Timestamp,
    /// An index older than this is worth a word.
    pub max_index_age: Option<Duration>,
    /// Clocks that differ by more are worth a word.
    pub max_skew: Duration,
}

/// What was found in one root. `None`: not known, since not everything could be listed or read.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Health {
    /// Binaries: manifests that lie there; without a list, what the index says it has.
    pub specs: Option<u64>,
    pub blobs: Option<u64>,
    /// Of everything in the root.
    pub bytes: Option<u64>,
    /// Specs without their binary, of those that the default index or a view lists; as far as known.
    pub holes: Vec<Hash>,
    /// Blobs that no manifest names.
    pub orphans: Option<Vec<Checksum>>,
    pub orphan_bytes: Option<u64>,
    /// Binaries that the default index does not list.
    pub unindexed: Option<Vec<Hash>>,
    /// Sorted by kind, then by place.
    pub findings: Vec<Finding>,
    /// Everything could be listed and read.
    pub is_whole: bool,
}

impl Health {
    /// Looks at one root.
    pub fn of(contents: &Contents, rules: &HealthRules) -> Self {
        let mut look = Look::new(contents, rules);
        look.gaps();
        look.indexes();
        look.manifests();
        look.keys();
        look.rest();
        look.finish()
    }

    /// The worst that was found.
    pub fn state(&self) -> Severity {
        self.findings.iter().map(|finding| finding.kind.severity()).min().unwrap_or(Severity::Ok)
    }

    /// How many findings of each kind there are, in the order of reports.
    pub fn tally(&self) -> Vec<(FindingKind, usize)> {
        self.findings
            .chunk_by(|a, b| a.kind == b.kind)
            .filter_map(|same| Some((same.first()?.kind, same.len())))
            .collect()
    }
}

/// What became of the binary of a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Binary {
    Whole,
    Broken,
    Unknown,
}

struct Look<'a> {
    contents: &'a Contents,
    rules: &'a HealthRules,
    binaries: HashMap<Hash, Binary>,
    holes: BTreeSet<Hash>,
    found: Vec<Finding>,
    /// Every blob that something names.
    named: HashSet<Checksum>,
    /// Something that may name blobs could not be read.
    names_unknown: bool,
}

impl<'a> Look<'a> {
    fn new(contents: &'a Contents, rules: &'a HealthRules) -> Self {
        let mut look = Self {
            contents,
            rules,
            binaries: HashMap::with_capacity(contents.manifests.len()),
            holes: BTreeSet::new(),
            found: Vec::new(),
            named: HashSet::with_capacity(contents.blobs.len()),
            names_unknown: false,
        };
        look.read_binaries();
        look
    }

    fn find(&mut self, kind: FindingKind, place: impl Into<Arc<str>>, what: impl Into<Arc<str>>) {
        self.found.push(Finding { kind, place: place.into(), what: what.into() });
    }

    /// Whether nothing is known about a path, since it or a prefix of it could not be listed or read.
    fn is_unknown(&self, path: &str) -> bool {
        self.contents.gaps.iter().any(|gap| {
            &*gap.place == path || ((gap.place.is_empty() || gap.place.ends_with('/')) && path.starts_with(&*gap.place))
        })
    }

    fn knows_manifests(&self) -> bool {
        !self.contents.gaps.iter().any(|gap| covers(&gap.place, "v3/manifests/spec/"))
    }

    fn knows_blobs(&self) -> bool {
        !self.contents.gaps.iter().any(|gap| covers(&gap.place, "blobs/"))
    }

    /// What each manifest names, and whether that lies there.
    fn read_binaries(&mut self) {
        let contents = self.contents;
        let knows_blobs = self.knows_blobs();
        for manifest in &contents.manifests {
            let state = match &manifest.reading {
                Reading::Unread | Reading::Failed(_) => {
                    self.names_unknown = true;
                    Binary::Unknown
                }
                // Nobody can say which blobs it was about.
                Reading::Damaged(why) => {
                    self.names_unknown = true;
                    self.find(FindingKind::DamagedManifest, Arc::clone(&manifest.path), Arc::clone(why));
                    Binary::Broken
                }
                Reading::Read { tarball, spec, others, .. } => {
                    let mut state = Binary::Whole;
                    self.named.extend(others.iter().map(|blob| blob.sum));
                    for (what, blob) in [("files", tarball), ("metadata", spec)] {
                        let Some(blob) = blob else {
                            let what = format!("it names no {what}");
                            self.find(FindingKind::DamagedManifest, Arc::clone(&manifest.path), what);
                            state = Binary::Broken;
                            continue;
                        };
                        self.named.insert(blob.sum);
                        match self.fault(what, *blob, knows_blobs) {
                            Ok(()) => {}
                            Err(Some((kind, what))) => {
                                state = Binary::Broken;
                                self.find(kind, place(manifest.hash, &manifest.path), what);
                            }
                            Err(None) if state == Binary::Whole => state = Binary::Unknown,
                            Err(None) => {}
                        }
                    }
                    state
                }
            };
            if let Some(Signature::Bad(why)) = &manifest.signature {
                self.find(FindingKind::BadSignature, place(manifest.hash, &manifest.path), Arc::clone(why));
            }
            match manifest.hash {
                None => self.find(
                    FindingKind::OddName,
                    Arc::clone(&manifest.path),
                    "its name holds no DAG hash of 32 characters",
                ),
                // Of two manifests of one spec, one that works is enough.
                Some(hash) => {
                    let known = self.binaries.entry(hash).or_insert(state);
                    if state == Binary::Whole {
                        *known = state;
                    }
                }
            }
        }
    }

    /// What is wrong with a blob; `Err(None)`: not known.
    fn fault(&self, what: &str, blob: BlobRef, knows_blobs: bool) -> Result<(), Option<(FindingKind, String)>> {
        match self.contents.blob(blob.sum) {
            Some(there) if there.bytes == blob.bytes => Ok(()),
            Some(there) => {
                let told = format!("its {what} have {} bytes, but the manifest says {}", there.bytes, blob.bytes);
                Err(Some((FindingKind::WrongLength, told)))
            }
            None if knows_blobs || !self.is_unknown(&blob.sum.path()) => {
                Err(Some((FindingKind::MissingBlob, format!("its {what} are missing ({})", blob.sum.path()))))
            }
            None => Err(None),
        }
    }

    fn gaps(&mut self) {
        for gap in &self.contents.gaps {
            self.find(FindingKind::Unread, Arc::clone(&gap.place), Arc::clone(&gap.why));
        }
    }

    fn indexes(&mut self) {
        let contents = self.contents;
        if contents.index().is_none() && !self.is_unknown(&crate::spack::buildcache::v3::index_manifest(None)) {
            let has_binaries = !contents.manifests.is_empty();
            if has_binaries {
                let what = format!("{} binaries lie here, and no index lists them", contents.manifests.len());
                self.find(FindingKind::NoIndex, "", what);
            }
        }
        for index in &contents.indexes {
            self.named.extend(index.blob.iter().chain(&index.others).map(|blob| blob.sum));
            let place = Arc::clone(&index.path);
            match &index.state {
                IndexState::Unread | IndexState::Failed(_) => self.names_unknown |= index.blob.is_none(),
                IndexState::Dangling => {
                    let blob = index.blob.map_or(String::new(), |blob| format!(" ({})", blob.sum.path()));
                    self.find(FindingKind::DanglingIndex, place, format!("the index that it names is missing{blob}"));
                }
                IndexState::TooNew(version) => {
                    let what = format!("the database has version {version}");
                    self.find(FindingKind::NewerIndex, place, what);
                }
                IndexState::Damaged(why) => {
                    self.names_unknown |= index.blob.is_none();
                    self.find(FindingKind::DamagedIndex, place, Arc::clone(why));
                }
                IndexState::Read(catalogue) => {
                    for hash in catalogue.forged() {
                        let what = "its record does not give this hash";
                        self.find(FindingKind::Forged, hash.to_string(), what);
                    }
                    for hash in catalogue.unrecorded() {
                        let what = format!("it names the dependency {hash} without a record");
                        self.find(FindingKind::DamagedIndex, Arc::clone(&place), what);
                    }
                    self.listed(index, catalogue);
                    self.age(index);
                }
            }
        }
    }

    /// Whether what an index lists lies there.
    fn listed(&mut self, index: &IndexManifest, catalogue: &crate::spack::buildcache::Catalogue) {
        let knows_manifests = self.knows_manifests();
        let by = index.view.as_ref().map_or(String::new(), |view| format!(" by the view {view}"));
        for entry in catalogue.entries().iter().filter(|entry| !entry.listed.external) {
            let named = format!("{}@{}", entry.name, entry.version);
            let binary = self.binaries.get(&entry.hash).copied();
            match (entry.listed.in_buildcache, binary) {
                (true, Some(Binary::Whole | Binary::Unknown)) => {}
                (_, Some(Binary::Broken)) => {
                    self.holes.insert(entry.hash);
                }
                (true, None) if knows_manifests => {
                    self.holes.insert(entry.hash);
                    let what = format!("{named} is listed{by}, but has no manifest");
                    self.find(FindingKind::MissingManifest, entry.hash.to_string(), what);
                }
                (true, None) => {}
                // It came after the index was written: not indexed, but there.
                (false, Some(_)) => {}
                (false, None) => {
                    self.holes.insert(entry.hash);
                    let what = format!("{named} is needed{by}, but was never pushed here");
                    self.find(FindingKind::NeverPushed, entry.hash.to_string(), what);
                }
            }
        }
    }

    fn age(&mut self, index: &IndexManifest) {
        let now = self.contents.listed_at.unwrap_or(self.rules.now);
        let Some((limit, modified)) = self.rules.max_index_age.zip(index.modified) else { return };
        let age = now.since(modified);
        if index.view.is_none() && age > limit {
            let what = format!("it was written {} ago; {} is the most that is expected", short(age), short(limit));
            self.find(FindingKind::OldIndex, Arc::clone(&index.path), what);
        }
    }

    /// Manifests that the index does not know.
    fn manifests(&mut self) {
        let contents = self.contents;
        let Some(catalogue) = contents.catalogue() else { return };
        let written = contents.index().and_then(|index| index.modified);
        for manifest in &contents.manifests {
            let Some(hash) = manifest.hash else { continue };
            if catalogue.get(&hash).is_some_and(|entry| entry.listed.in_buildcache) {
                continue;
            }
            let what = match manifest.modified.zip(written) {
                Some((pushed, written)) if pushed > written => {
                    format!("it was pushed {} after the index was written", short(pushed.since(written)))
                }
                Some(_) => "it is older than the index, which does not list it".to_owned(),
                None => "the index does not list it".to_owned(),
            };
            self.find(FindingKind::Unindexed, hash.to_string(), what);
        }
    }

    fn keys(&mut self) {
        let knows_blobs = self.knows_blobs();
        for key in &self.contents.keys {
            let Some(blobs) = &key.blobs else {
                self.names_unknown = true;
                self.find(FindingKind::DamagedKey, Arc::clone(&key.path), "its manifest could not be used");
                continue;
            };
            for blob in blobs {
                self.named.insert(blob.sum);
                if let Err(Some((_, what))) = self.fault("contents", *blob, knows_blobs) {
                    self.find(FindingKind::DamagedKey, Arc::clone(&key.path), what);
                }
            }
        }
    }

    fn rest(&mut self) {
        let (foreign, v2) = (&self.contents.foreign, self.contents.v2);
        if foreign.amount.objects > 0 {
            let first = foreign.paths.first().cloned().unwrap_or_default();
            let what = format!("{} objects, {} bytes", foreign.amount.objects, foreign.amount.bytes);
            self.find(FindingKind::Foreign, first, what);
        }
        if v2.objects > 0 {
            self.find(FindingKind::OldLayout, "build_cache/", format!("{} objects, {} bytes", v2.objects, v2.bytes));
        }
        if let Some(skew) = self.contents.skew_ms.map(|skew| Duration::from_millis(skew.unsigned_abs()))
            && skew > self.rules.max_skew
        {
            self.find(FindingKind::ClockSkew, "", format!("the clocks differ by {}", short(skew)));
        }
    }

    fn finish(mut self) -> Health {
        let contents = self.contents;
        let (knows_manifests, knows_blobs) = (self.knows_manifests(), self.knows_blobs());
        let knows_names = !self.names_unknown && !contents.gaps.iter().any(|gap| covers(&gap.place, "v3/"));
        let orphans: Option<Vec<&super::Blob>> = (knows_names && knows_blobs)
            .then(|| contents.blobs.iter().filter(|blob| !self.named.contains(&blob.sum)).collect());
        let orphan_bytes = orphans.as_ref().map(|blobs| blobs.iter().map(|blob| blob.bytes).sum());
        if let Some(orphans) = &orphans
            && !orphans.is_empty()
        {
            let bytes = orphan_bytes.unwrap_or_default();
            let what = format!("no manifest names {} blobs of {bytes} bytes", orphans.len());
            self.found.push(Finding { kind: FindingKind::Orphans, place: "blobs/".into(), what: what.into() });
        }
        let unindexed = (knows_manifests && contents.catalogue().is_some()).then(|| {
            let new = self.found.iter().filter(|finding| finding.kind == FindingKind::Unindexed);
            let hashes: BTreeSet<Hash> = new.filter_map(|finding| Hash::parse(&finding.place).ok()).collect();
            hashes.into_iter().collect()
        });
        self.found.sort_unstable();
        self.found.dedup();
        let listed = |catalogue: &Arc<crate::spack::buildcache::Catalogue>| {
            catalogue.entries().iter().filter(|entry| entry.listed.in_buildcache).count() as u64
        };
        Health {
            specs: if knows_manifests { Some(self.binaries.len() as u64) } else { contents.catalogue().map(listed) },
            blobs: knows_blobs.then_some(contents.blobs.len() as u64),
            bytes: (knows_blobs && knows_manifests).then(|| Sizes::of(contents).total().bytes),
            holes: self.holes.into_iter().collect(),
            orphans: orphans.map(|blobs| blobs.iter().map(|blob| blob.sum).collect()),
            orphan_bytes,
            unindexed,
            findings: self.found,
            is_whole: contents.gaps.is_empty(),
        }
    }
}

/// Whether a gap hides something of a prefix.
fn covers(gap: &str, prefix: &str) -> bool {
    let is_prefix = gap.is_empty() || gap.ends_with('/');
    is_prefix && (prefix.starts_with(gap) || gap.starts_with(prefix))
}

fn place(hash: Option<Hash>, path: &Arc<str>) -> Arc<str> {
    hash.map_or_else(|| Arc::clone(path), |hash| hash.to_string().into())
}
