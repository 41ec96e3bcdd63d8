//! Why a hash is still there: what keeps it, in every root that has it.

use std::sync::Arc;

use super::keep::{KeepList, KeepReason};
use super::plan::{BlobFate, Cutoff, DoomedReason, Judgement, Limits, ManifestFate, PruneRefusal, doubts, named};
use super::{BlobRef, Contents, IndexState, Root, SpecManifest};
use crate::ci::Timestamp;
use crate::spack::Hash;
use crate::spack::buildcache::{Checksum, Listed};

/// One root to look into.
#[derive(Debug, Clone, Copy)]
pub struct Place<'a> {
    pub root: &'a Root,
    pub contents: &'a Contents,
    /// The list of this root; `None` where nobody gave one.
    pub list: Option<&'a KeepList>,
}

/// Everything about one hash in one root.
#[derive(Debug, Clone)]
pub struct Why {
    pub root: Arc<str>,
    /// Its manifests. More than one is odd.
    pub manifests: Vec<WhyManifest>,
    /// What indexes say about it: the default one where no view is named.
    pub listed: Vec<(Option<Arc<str>>, Listed)>,
    /// Everything that keeps it here, whether or not there is a binary.
    pub holds: Vec<Hold>,
    pub fate: Fate,
    /// What would stop a prune plan of this root, apart from its size.
    pub doubts: Vec<PruneRefusal>,
}

/// One manifest of the hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyManifest {
    pub path: Arc<str>,
    pub modified: Option<Timestamp>,
    /// Empty where the manifest could not be read.
    pub blobs: Vec<WhyBlob>,
}

/// A blob that a manifest of the hash names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WhyBlob {
    pub blob: BlobRef,
    pub is_there: bool,
    /// Other hashes whose manifests name it as well, sorted.
    pub shared_with: Vec<Hash>,
    /// A prune plan would take it.
    pub goes: bool,
}

/// One thing that keeps a hash.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hold {
    /// The keep list, for this reason.
    List(KeepReason),
    /// A view of this root.
    View(Arc<str>),
    /// This spec depends on it, and is kept.
    Dependant { hash: Hash, name: Arc<str> },
    /// A manifest of it was modified after the cutoff.
    Newer { modified: Timestamp, cutoff: Cutoff },
    /// When a manifest of it was modified is not known.
    Ageless,
}

/// What would become of the binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fate {
    /// No manifest of it lies here.
    Absent,
    /// Something keeps it.
    Stays,
    /// Something keeps it, but this blob of it is missing: it has to be built again.
    StaysBroken(Checksum),
    /// Nothing keeps it: the next prune plan of this root takes it, with so many bytes, unless the plan is refused.
    Goes { reason: DoomedReason, bytes: u64 },
    /// Nothing of the root keeps it, and no keep list was given.
    Untold,
    /// What was found keeps nothing, but not everything could be found: see the doubts.
    Unknown,
}

/// Tells what keeps a hash, root by root in the given order.
pub fn why(hash: &Hash, places: &[Place<'_>], limits: &Limits, now: Timestamp) -> Vec<Why> {
    places.iter().map(|place| why_here(hash, place, limits, now)).collect()
}

fn why_here(hash: &Hash, place: &Place<'_>, limits: &Limits, now: Timestamp) -> Why {
    let Place { root, contents, list } = *place;
    let mut doubts = doubts(root, contents, list, limits, now);
    let cutoff = match Cutoff::of(contents) {
        Ok(cutoff) => Some(cutoff),
        Err(refusal) => {
            doubts.push(refusal);
            None
        }
    };
    // Without a cutoff everything is too new.
    let judged_by = cutoff.unwrap_or(Cutoff::NEVER);
    let judgement = Judgement::of(contents, list, judged_by);
    let mine: Vec<(&SpecManifest, &ManifestFate)> =
        contents.manifests.iter().zip(&judgement.manifests).filter(|(one, _)| one.hash == Some(*hash)).collect();
    let manifests = mine.iter().map(|(manifest, _)| about(manifest, contents, &judgement)).collect::<Vec<_>>();
    let mut holds = holds(hash, place, &judgement);
    for (manifest, _) in &mine {
        match (manifest.modified, cutoff) {
            (None, _) => holds.push(Hold::Ageless),
            (Some(modified), Some(cutoff)) if modified > cutoff.at => holds.push(Hold::Newer { modified, cutoff }),
            _ => {}
        }
    }
    let is_blind = doubts.iter().any(PruneRefusal::is_blind);
    let fate = match mine.first() {
        None if is_blind => Fate::Unknown,
        None => Fate::Absent,
        Some((_, ManifestFate::KeptBroken(_, sum))) => Fate::StaysBroken(*sum),
        Some(_) if !holds.is_empty() => Fate::Stays,
        Some(_) if is_blind => Fate::Unknown,
        Some((_, ManifestFate::Doomed(reason))) => Fate::Goes { reason: *reason, bytes: freed(&mine, &manifests) },
        Some(_) => Fate::Untold,
    };
    Why { root: root.prefix.clone(), manifests, listed: listed(hash, contents), holds, fate, doubts }
}

/// What indexes say.
fn listed(hash: &Hash, contents: &Contents) -> Vec<(Option<Arc<str>>, Listed)> {
    let say = |index: &super::IndexManifest| match &index.state {
        IndexState::Read(catalogue) => catalogue.get(hash).map(|entry| (index.view.clone(), entry.listed)),
        _ => None,
    };
    contents.indexes.iter().filter_map(say).collect()
}

/// Everything that keeps the hash itself.
fn holds(hash: &Hash, place: &Place<'_>, judgement: &Judgement) -> Vec<Hold> {
    let reasons = place.list.into_iter().flat_map(|list| list.reasons(hash));
    let mut holds: Vec<Hold> = reasons.map(|reason| Hold::List(reason.clone())).collect();
    let mut dependants: Vec<Hold> = Vec::new();
    for index in &place.contents.indexes {
        let IndexState::Read(catalogue) = &index.state else { continue };
        if let Some(view) = &index.view
            && catalogue.get(hash).is_some_and(|entry| entry.listed.in_buildcache)
        {
            holds.push(Hold::View(view.clone()));
        }
        for entry in catalogue.entries() {
            if entry.deps.contains(hash) && judgement.kept.by(&entry.hash).is_some() {
                let dependant = Hold::Dependant { hash: entry.hash, name: entry.name.clone() };
                if !dependants.contains(&dependant) {
                    dependants.push(dependant);
                }
            }
        }
    }
    holds.extend(dependants);
    holds
}

fn about(manifest: &SpecManifest, contents: &Contents, judgement: &Judgement) -> WhyManifest {
    let blobs = named(manifest).into_iter().flatten().map(|blob| {
        let sharing = contents.manifests.iter().filter(|other| {
            other.hash != manifest.hash && named(other).into_iter().flatten().any(|one| one.sum == blob.sum)
        });
        let mut shared_with: Vec<Hash> = sharing.filter_map(|other| other.hash).collect();
        shared_with.sort_unstable();
        shared_with.dedup();
        let fate = contents.blobs.iter().zip(&judgement.blobs).find(|(one, _)| one.sum == blob.sum);
        let goes = matches!(fate, Some((_, BlobFate::Doomed(_))));
        WhyBlob { blob, is_there: fate.is_some(), shared_with, goes }
    });
    WhyManifest { path: manifest.path.clone(), modified: manifest.modified, blobs: blobs.collect() }
}

/// The bytes of these manifests, and of the blobs that would go with them.
fn freed(mine: &[(&SpecManifest, &ManifestFate)], about: &[WhyManifest]) -> u64 {
    let mut blobs: Vec<BlobRef> =
        about.iter().flat_map(|one| &one.blobs).filter(|blob| blob.goes).map(|blob| blob.blob).collect();
    blobs.sort_unstable();
    blobs.dedup();
    let manifests = mine.iter().map(|(manifest, _)| manifest.bytes);
    manifests.chain(blobs.iter().map(|blob| blob.bytes)).fold(0, u64::saturating_add)
}
