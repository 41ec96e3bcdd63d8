//! Binary caches as the console knows them: what was sampled over time, and what lies in those roots that somebody looked into.

mod rows;
mod spec;
mod specs;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

pub use rows::{MirrorRow, RootRow, RootSubject, rows};
pub use spec::{BlobFacts, BlobPart, Elsewhere, SpecFacts, There};
pub use specs::{Signed, SpecId, SpecRow, SpecState, SpecSubject, Specs};

use super::fresh::Fresh;
use crate::cache::{Contents, Duplication, FindingKind, Health, IndexState, Root, Sample, Severity, Signature};
use crate::spack::Hash;
use crate::spack::buildcache::{Checksum, Part};

/// A cache root, by its address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct RootId(u64);

impl RootId {
    /// Of an address.
    pub fn of(url: &str) -> Self {
        Self(Checksum::of(url.as_bytes()).prefix())
    }
}

impl fmt::Display for RootId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

/// What lies in a root, and how healthy it is.
#[derive(Debug)]
pub struct Inside {
    pub contents: Contents,
    pub health: Health,
    /// The same by spec.
    pub specs: Specs,
}

impl Inside {
    /// Works out what faces list: costly for a large root, so it is done once, where it was read.
    pub fn new(contents: Contents, health: Health) -> Self {
        let specs = Specs::of(&contents, &health);
        Self { contents, health, specs }
    }

    /// The state of the default index; `None` where nothing tells.
    pub fn index_state(&self) -> Option<Severity> {
        let about = |kind: FindingKind| {
            matches!(
                kind,
                FindingKind::NoIndex
                    | FindingKind::DanglingIndex
                    | FindingKind::DamagedIndex
                    | FindingKind::NewerIndex
                    | FindingKind::OldIndex
            )
        };
        let found = self.health.findings.iter().map(|finding| finding.kind).filter(|kind| about(*kind));
        match (found.map(FindingKind::severity).min(), self.contents.index().map(|index| &index.state)) {
            (Some(worst), _) => Some(worst),
            (None, Some(IndexState::Read(_))) => Some(Severity::Ok),
            (None, _) => None,
        }
    }
}

/// One root.
#[derive(Debug)]
pub struct RootFacts {
    /// Its address.
    pub url: Arc<str>,
    pub root: Root,
    /// Oldest first.
    pub samples: Vec<Sample>,
    /// Read when somebody opens it.
    pub inside: Fresh<Option<Arc<Inside>>>,
    /// Of those binaries that somebody looked at.
    pub signatures: BTreeMap<Hash, Fresh<Option<Signature>>>,
}

/// How far a listing is.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listing {
    pub objects: u64,
    pub bytes: u64,
    /// Ranges of keys that are listed, of those known so far.
    pub done: u64,
    pub known: u64,
}

/// Everything about binary caches.
#[derive(Debug, Default)]
pub struct Caches {
    /// The addresses below which roots are looked for.
    pub mirrors: Vec<Arc<str>>,
    /// Objects have sizes there, but are not stored: the practice world's.
    pub is_sparse: bool,
    /// The freshness is that of the last listing.
    pub roots: Fresh<BTreeMap<RootId, RootFacts>>,
    /// While mirrors are being listed.
    pub listing: Option<Listing>,
    /// Blobs that lie in several roots, by mirror.
    pub duplication: BTreeMap<Arc<str>, Duplication>,
}

/// So many samples of one root are held; the store keeps all.
const SAMPLES: usize = 400;

impl Listing {
    /// The part that is done, in percent; `None` while nobody knows how much there is.
    pub fn percent(&self) -> Option<u64> {
        (self.known > 0).then(|| self.done.min(self.known).saturating_mul(100) / self.known)
    }
}

impl Caches {
    /// One root.
    pub fn root(&self, id: RootId) -> Option<&RootFacts> {
        self.roots.value.get(&id)
    }

    /// Takes samples, of any roots and in any order; those of roots that are below no mirror are left aside.
    pub(super) fn sampled(&mut self, samples: Vec<Sample>) {
        for sample in samples {
            let Some(prefix) = self.prefix(&sample.url) else { continue };
            let root = Root::of(prefix);
            let facts = self.roots.value.entry(RootId::of(&sample.url)).or_insert_with(|| RootFacts {
                url: Arc::clone(&sample.url),
                root,
                samples: Vec::new(),
                inside: Fresh::default(),
                signatures: BTreeMap::new(),
            });
            match facts.samples.binary_search_by_key(&sample.at, |known| known.at) {
                Ok(place) => {
                    if let Some(known) = facts.samples.get_mut(place) {
                        *known = sample;
                    }
                }
                Err(place) => facts.samples.insert(place, sample),
            }
            let extra = facts.samples.len().saturating_sub(SAMPLES);
            facts.samples.drain(..extra);
        }
    }

    /// Takes the roots that a whole listing of a mirror found; others below it are gone.
    pub(super) fn listed(&mut self, mirror: &str, samples: Vec<Sample>, duplication: Duplication) {
        let found: Vec<RootId> = samples.iter().map(|sample| RootId::of(&sample.url)).collect();
        self.roots.value.retain(|id, facts| found.contains(id) || below(mirror, &facts.url).is_none());
        self.sampled(samples);
        self.duplication.insert(mirror.into(), duplication);
    }

    /// The path of a root below its mirror.
    fn prefix<'a>(&self, url: &'a str) -> Option<&'a str> {
        self.mirrors.iter().find_map(|mirror| below(mirror, url))
    }
}

/// What stands behind an address in another.
fn below<'a>(mirror: &str, url: &'a str) -> Option<&'a str> {
    let rest = url.strip_prefix(mirror.trim_end_matches('/'))?;
    if rest.is_empty() { Some(rest) } else { rest.strip_prefix('/') }
}

impl RootFacts {
    /// Where the manifest of a binary lies, and its layout; `None` where none is known.
    pub fn binary(&self, hash: &Hash) -> Option<(Arc<str>, u8)> {
        let inside = self.inside.value.as_deref()?;
        let row = inside.specs.row(inside.specs.find(&SpecId::Hash(*hash))?)?;
        let manifest = inside.specs.manifest(row, &inside.contents)?;
        let is_old = matches!(Part::of(&manifest.path), Part::V2 { .. });
        Some((Arc::clone(&manifest.path), if is_old { 2 } else { 3 }))
    }

    /// The newest sample of somebody who looked inside.
    pub fn looked(&self) -> Option<&Sample> {
        self.samples.iter().rev().find(|sample| sample.state.is_some())
    }

    /// The newest sample.
    pub fn newest(&self) -> Option<&Sample> {
        self.samples.last()
    }
}
