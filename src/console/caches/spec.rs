//! All that the console knows about one spec of a root: its blobs, who signed it, where else it lies, and what keeps it alive.

use std::sync::Arc;

use super::{Caches, Inside, RootId, SpecId, SpecRow};
use crate::cache::{BlobRef, Finding, IndexState, Reading, SpecManifest};
use crate::spack::Hash;
use crate::spack::buildcache::{Checksum, Entry};

/// Which part of a binary something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobPart {
    Manifest,
    Tarball,
    Metadata,
    /// Something that its manifest names besides.
    Other,
}

impl BlobPart {
    /// The word of screens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Tarball => "tarball",
            Self::Metadata => "metadata",
            Self::Other => "other",
        }
    }
}

/// Whether something lies where it should.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum There {
    Yes,
    /// With another length than its manifest says.
    WithBytes(u64),
    No,
    /// It could not be listed.
    Unknown,
}

/// One part of a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BlobFacts {
    pub part: BlobPart,
    /// Below the root.
    pub path: Arc<str>,
    /// As its manifest says, or as stored.
    pub bytes: Option<u64>,
    pub there: There,
    /// Other specs of this root whose manifests name the same blob.
    pub shared: Vec<SpecId>,
    /// Other roots in which the same blob lies, of those that somebody looked into.
    pub elsewhere: Vec<RootId>,
}

/// Another root that holds the same spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Elsewhere {
    pub root: RootId,
    pub has_manifest: bool,
    pub is_listed: bool,
}

/// One spec of one root. Its own, so that a face may keep it until something changes.
#[derive(Debug)]
pub struct SpecFacts {
    pub root: RootId,
    pub row: SpecRow,
    /// What it is called; from outside, not made harmless.
    pub name: String,
    pub hash: Option<Hash>,
    pub manifest: Option<SpecManifest>,
    /// What the default index says; `None` where it says nothing.
    pub entry: Option<Entry>,
    /// A default index could be read.
    pub has_index: bool,
    /// Views that list its binary.
    pub views: Vec<Arc<str>>,
    pub blobs: Vec<BlobFacts>,
    /// Specs of the default index that need it.
    pub dependants: Vec<SpecId>,
    pub elsewhere: Vec<Elsewhere>,
    /// Other roots that somebody looked into: only of these can anything be told.
    pub others: usize,
    pub findings: Vec<Finding>,
}

impl SpecFacts {
    /// Gathers what is known; `None` when the root or the spec is not. Looks at everything once, so it is for one spec at a time.
    pub fn of(caches: &Caches, root: RootId, id: &SpecId) -> Option<Self> {
        let inside = caches.root(root)?.inside.value.as_deref()?;
        let row = inside.specs.row(inside.specs.find(id)?)?;
        let contents = &inside.contents;
        let manifest = inside.specs.manifest(row, contents);
        let hash = match id {
            SpecId::Hash(hash) => Some(*hash),
            SpecId::Path(_) => manifest.and_then(|manifest| manifest.hash),
        };
        let catalogue = contents.catalogue();
        let entry = hash.and_then(|hash| catalogue?.get(&hash));
        let views = contents.indexes.iter().filter_map(|index| match (&index.view, &index.state) {
            (Some(view), IndexState::Read(listed)) => {
                listed.get(&hash?)?.listed.in_buildcache.then(|| Arc::clone(view))
            }
            _ => None,
        });
        let looked = caches.roots.value.iter().filter(|(other, _)| **other != root);
        let others = looked.filter_map(|(other, facts)| Some((*other, facts.inside.value.as_deref()?)));
        let others: Vec<(RootId, &Inside)> = others.collect();
        let path = manifest.map(|manifest| &*manifest.path);
        let is_about = |finding: &&Finding| {
            hash.is_some_and(|hash| *finding.place == *hash.as_str()) || path == Some(&*finding.place)
        };
        let dependants = hash.zip(catalogue).map(|(hash, catalogue)| {
            let entries = catalogue.entries();
            let place =
                entries.binary_search_by_key(&hash, |entry| entry.hash).ok().and_then(|at| u32::try_from(at).ok());
            let needs = |entry: &&Entry| place.is_some_and(|place| entry.deps.places().binary_search(&place).is_ok());
            entries.iter().filter(needs).map(|entry| SpecId::Hash(entry.hash)).collect()
        });
        Some(Self {
            root,
            row: row.clone(),
            name: inside.specs.text(row).to_owned(),
            hash,
            manifest: manifest.cloned(),
            entry: entry.cloned(),
            has_index: catalogue.is_some(),
            views: views.collect(),
            blobs: manifest.map_or_else(Vec::new, |manifest| blobs(inside, manifest, id, &others)),
            dependants: dependants.unwrap_or_default(),
            elsewhere: others.iter().filter_map(|(root, other)| elsewhere(*root, other, hash?)).collect(),
            others: others.len(),
            findings: inside.health.findings.iter().filter(is_about).cloned().collect(),
        })
    }
}

/// Whether another root holds a spec.
fn elsewhere(root: RootId, inside: &Inside, hash: Hash) -> Option<Elsewhere> {
    let row = inside.specs.row(inside.specs.find(&SpecId::Hash(hash))?)?;
    let has_manifest = inside.specs.manifest(row, &inside.contents).is_some();
    let listed = inside.contents.catalogue().and_then(|catalogue| catalogue.get(&hash));
    let is_listed = listed.is_some_and(|entry| entry.listed.in_buildcache);
    (has_manifest || is_listed).then_some(Elsewhere { root, has_manifest, is_listed })
}

/// The manifest and what it names.
fn blobs(inside: &Inside, manifest: &SpecManifest, id: &SpecId, others: &[(RootId, &Inside)]) -> Vec<BlobFacts> {
    let own = BlobFacts {
        part: BlobPart::Manifest,
        path: Arc::clone(&manifest.path),
        bytes: Some(manifest.bytes),
        there: There::Yes,
        shared: Vec::new(),
        elsewhere: Vec::new(),
    };
    let Reading::Read { tarball, spec, others: besides, .. } = &manifest.reading else { return vec![own] };
    let named = [(BlobPart::Tarball, tarball), (BlobPart::Metadata, spec)];
    let named = named.into_iter().filter_map(|(part, blob)| Some((part, (*blob)?)));
    let named = named.chain(besides.iter().map(|blob| (BlobPart::Other, *blob)));
    let blob = |(part, blob): (BlobPart, BlobRef)| BlobFacts {
        part,
        path: blob.sum.path().into(),
        bytes: Some(blob.bytes),
        there: there(inside, blob),
        shared: sharers(inside, blob.sum, id),
        elsewhere: others.iter().filter(|(_, o)| o.contents.blob(blob.sum).is_some()).map(|(root, _)| *root).collect(),
    };
    std::iter::once(own).chain(named.map(blob)).collect()
}

fn there(inside: &Inside, blob: BlobRef) -> There {
    match inside.contents.blob(blob.sum) {
        Some(found) if found.bytes == blob.bytes => There::Yes,
        Some(found) => There::WithBytes(found.bytes),
        // `None`: the blobs could not be listed whole.
        None if inside.health.blobs.is_some() => There::No,
        None => There::Unknown,
    }
}

/// Other specs whose manifests name a blob.
fn sharers(inside: &Inside, sum: Checksum, id: &SpecId) -> Vec<SpecId> {
    let names = |manifest: &SpecManifest| match &manifest.reading {
        Reading::Read { tarball, spec, others, .. } => tarball.iter().chain(spec).chain(others).any(|b| b.sum == sum),
        _ => false,
    };
    let rows = inside.specs.rows().iter().filter(|row| row.id != *id);
    let sharers = rows.filter(|row| inside.specs.manifest(row, &inside.contents).is_some_and(names));
    sharers.map(|row| row.id.clone()).collect()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::cache::testing::{Files, at, hash};
    use crate::cache::{Health, HealthRules, Sample};

    fn read(caches: &mut Caches, url: &str, files: &Files) -> RootId {
        let contents = files.contents();
        let rules = HealthRules { now: at(100), max_index_age: None, max_skew: Duration::from_secs(300) };
        let health = Health::of(&contents, &rules);
        caches.sampled(vec![Sample::of(url, &contents, &health, at(100))]);
        let root = RootId::of(url);
        caches.roots.value.get_mut(&root).unwrap().inside.value = Some(Arc::new(Inside::new(contents, health)));
        root
    }

    #[test]
    fn a_spec_is_told_with_its_blobs_and_with_all_that_keeps_it_alive() {
        let mut caches = Caches { mirrors: vec!["s3://b".into()], ..Caches::default() };
        let mut files = Files::default();
        files.push(1, 1, 3);
        files.push(2, 1, 3);
        files.index(None, &[], |_| true);
        files.index(Some("2025-11"), &[], |number| number == 1);
        let here = read(&mut caches, "s3://b/develop/e4s", &files);
        let mut other = Files::default();
        other.push(1, 1, 3);
        let there = read(&mut caches, "s3://b/develop", &other);
        read(&mut caches, "s3://b/develop/radiuss", &Files::default());
        let facts = SpecFacts::of(&caches, here, &SpecId::Hash(hash(1))).unwrap();
        let known = Elsewhere { root: there, has_manifest: true, is_listed: false };
        assert_eq!((facts.others, facts.elsewhere), (2, vec![known]));
        assert_eq!(facts.views, ["2025-11".into()]);
        assert!(facts.entry.is_some_and(|entry| entry.listed.in_buildcache));
        let parts: Vec<BlobPart> = facts.blobs.iter().map(|blob| blob.part).collect();
        assert_eq!(parts, [BlobPart::Manifest, BlobPart::Tarball, BlobPart::Metadata]);
        let [_, tarball, metadata] = &facts.blobs[..] else { panic!() };
        assert_eq!((&tarball.shared[..], tarball.there), (&[SpecId::Hash(hash(2))][..], There::Yes));
        assert_eq!((&metadata.shared[..], &metadata.elsewhere[..]), (&[][..], &[there][..]));
        assert!(SpecFacts::of(&caches, here, &SpecId::Hash(hash(9))).is_none());
    }
}
