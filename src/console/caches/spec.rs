//! All that the console knows about one spec of a root: its blobs, who signed it, where else it lies, and what keeps it alive.

use std::sync::Arc;

use super::{Caches, Inside, RootId, SpecId, SpecRow};
use crate::cache::{BlobRef, Finding, IndexState, Reading, SpecManifest};
use crate::spack::buildcache::{Checksum, Entry};

/// Which part of a binary something is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobPart {
    Manifest,
    Tarball,
    Metadata,
}

impl BlobPart {
    /// The word of screens.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Manifest => "manifest",
            Self::Tarball => "tarball",
            Self::Metadata => "metadata",
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

/// One spec of one root.
#[derive(Debug)]
pub struct SpecFacts<'a> {
    pub inside: &'a Inside,
    pub row: &'a SpecRow,
    pub manifest: Option<&'a SpecManifest>,
    /// What the default index says.
    pub entry: Option<&'a Entry>,
    /// Views that list its binary.
    pub views: Vec<&'a str>,
    pub blobs: Vec<BlobFacts>,
    /// Specs of the default index that need it; `None` where no index could be read.
    pub dependants: Option<Vec<&'a Entry>>,
    pub elsewhere: Vec<Elsewhere>,
    /// Other roots that somebody looked into: only these can be told of.
    pub others: usize,
    pub findings: Vec<&'a Finding>,
}

impl<'a> SpecFacts<'a> {
    /// Gathers what is known; `None` when the root or the spec is not. Looks at everything once, so it is for one spec at a time.
    pub fn of(caches: &'a Caches, root: RootId, id: &SpecId) -> Option<Self> {
        let inside = caches.root(root)?.inside.value.as_deref()?;
        let row = inside.specs.row(inside.specs.find(id)?)?;
        let contents = &inside.contents;
        let manifest = inside.specs.manifest(row, contents);
        let hash = manifest.and_then(|manifest| manifest.hash).or(match id {
            SpecId::Hash(hash) => Some(*hash),
            SpecId::Path(_) => None,
        });
        let entry = hash.and_then(|hash| contents.catalogue()?.get(&hash));
        let views = contents.indexes.iter().filter_map(|index| match (&index.view, &index.state) {
            (Some(view), IndexState::Read(catalogue)) => {
                catalogue.get(&hash?).filter(|entry| entry.listed.in_buildcache).map(|_| &**view)
            }
            _ => None,
        });
        let others: Vec<(RootId, &Inside)> = caches
            .roots
            .value
            .iter()
            .filter(|(other, _)| **other != root)
            .filter_map(|(other, facts)| Some((*other, facts.inside.value.as_deref()?)))
            .collect();
        let elsewhere = others.iter().filter_map(|(root, other)| {
            let hash = hash?;
            let found = other.specs.find(&SpecId::Hash(hash)).and_then(|place| other.specs.row(place))?;
            let listed = other.contents.catalogue().and_then(|catalogue| catalogue.get(&hash));
            let has_manifest = other.specs.manifest(found, &other.contents).is_some();
            let is_listed = listed.is_some_and(|entry| entry.listed.in_buildcache);
            (has_manifest || is_listed).then_some(Elsewhere { root: *root, has_manifest, is_listed })
        });
        let path = manifest.map(|manifest| &*manifest.path);
        let is_about = |finding: &&Finding| {
            hash.is_some_and(|hash| *finding.place == *hash.as_str()) || path == Some(&*finding.place)
        };
        let needs = |hash| move |entry: &&Entry| entry.deps.binary_search(&hash).is_ok();
        Some(Self {
            inside,
            row,
            manifest,
            entry,
            views: views.collect(),
            blobs: manifest.map_or_else(Vec::new, |manifest| blobs(inside, manifest, id, &others)),
            dependants: hash.and_then(|hash| {
                Some(contents.catalogue()?.entries().iter().filter(needs(hash)).collect())
            }),
            elsewhere: elsewhere.collect(),
            others: others.len(),
            findings: inside.health.findings.iter().filter(is_about).collect(),
        })
    }

    /// What it is called; from outside, not made harmless.
    pub fn name(&self) -> &'a str {
        self.inside.specs.text(self.row)
    }
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
    let Reading::Read { tarball, spec, .. } = &manifest.reading else { return vec![own] };
    let named = [(BlobPart::Tarball, tarball), (BlobPart::Metadata, spec)];
    let named = named.into_iter().filter_map(|(part, blob)| Some((part, (*blob)?)));
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
        Reading::Read { tarball, spec, .. } => tarball.iter().chain(spec).any(|blob| blob.sum == sum),
        _ => false,
    };
    let rows = inside.specs.rows().iter().filter(|row| row.id != *id);
    let sharers = rows.filter(|row| inside.specs.manifest(row, &inside.contents).is_some_and(names));
    sharers.map(|row| row.id.clone()).collect()
}
