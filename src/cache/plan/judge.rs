//! What happens to each manifest and each blob of a root.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use super::{Cutoff, DoomedBlobReason, DoomedReason};
use crate::cache::keep::{KeepList, Kept, KeptBy};
use crate::cache::{Blob, BlobRef, Contents, Reading, SpecManifest};
use crate::spack::buildcache::Checksum;

/// The fate of everything that lies in a root.
///
/// Spack prunes in two phases: manifests of hashes that are not kept; then, until nothing changes, blobs that no manifest names and
/// manifests that name a missing blob. Here
///
/// * what a kept spec depends on is kept, and what a view names,
/// * a kept manifest stays although a blob of it is missing,
/// * only manifests of specs can go, never those of keys and indexes,
/// * as long as one manifest cannot be read no blob goes, since it may be the one that names it,
/// * a blob stays if any manifest that stays names it.
///
/// One round is enough: a blob goes only if no manifest that stays names it, so no manifest loses a blob by that.
#[derive(Debug)]
pub struct Judgement<'k> {
    pub kept: Kept<'k>,
    /// In the order of the contents.
    pub manifests: Vec<ManifestFate>,
    pub blobs: Vec<BlobFate>,
    /// Why no blob may go at all.
    pub withheld: Vec<Arc<str>>,
    /// The manifest that goes and was first to name a blob.
    pub lost_by: HashMap<Checksum, usize>,
}

/// What happens to the manifest of a spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManifestFate {
    Kept(KeptBy),
    /// It is kept, and of no use: this blob of it is missing.
    KeptBroken(KeptBy, Checksum),
    /// It was modified after the cutoff.
    Newer,
    /// Nobody knows when it was modified.
    Ageless,
    /// There is no keep list, and all of its blobs are there.
    Whole,
    Doomed(DoomedReason),
}

/// What happens to a blob.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BlobFate {
    /// Only manifests that stay name it.
    Named,
    /// Manifests that go name it, and so does one that stays.
    Shared,
    Newer,
    Ageless,
    /// It would go, but for a manifest that cannot be read.
    Withheld,
    Doomed(DoomedBlobReason),
}

impl<'k> Judgement<'k> {
    /// Judges a root. Without a list only what is of no use goes: broken manifests, and blobs that nothing names.
    pub fn of(contents: &Contents, list: Option<&'k KeepList>, cutoff: Cutoff) -> Self {
        let kept = Kept::of(list, contents);
        let there: HashSet<Checksum> = contents.blobs.iter().map(|blob| blob.sum).collect();
        let missing = |manifest: &SpecManifest| {
            // What it names besides may be needed, but a binary is there without it.
            named(manifest)?.iter().take(2).map(|blob| blob.sum).find(|sum| !there.contains(sum))
        };
        let fate = |manifest: &SpecManifest| {
            let missing = missing(manifest);
            match (manifest.hash.and_then(|hash| kept.by(&hash)), missing) {
                (Some(by), None) => ManifestFate::Kept(by),
                (Some(by), Some(sum)) => ManifestFate::KeptBroken(by, sum),
                (None, missing) => match (cutoff.admits(manifest.modified), list.is_some(), missing) {
                    (None, ..) => ManifestFate::Ageless,
                    (Some(false), ..) => ManifestFate::Newer,
                    (Some(true), true, _) => ManifestFate::Doomed(DoomedReason::NotKept),
                    (Some(true), false, Some(_)) => ManifestFate::Doomed(DoomedReason::MissingBlob),
                    (Some(true), false, None) => ManifestFate::Whole,
                },
            }
        };
        let manifests: Vec<ManifestFate> = contents.manifests.iter().map(fate).collect();
        let withheld = withheld(contents);
        let (blobs, lost_by) = judge_blobs(contents, &manifests, !withheld.is_empty(), cutoff);
        Self { kept, manifests, blobs, withheld, lost_by }
    }
}

/// What a manifest names, its files first; `None` where that is not known in full.
pub fn named(manifest: &SpecManifest) -> Option<Vec<BlobRef>> {
    match &manifest.reading {
        Reading::Read { tarball: Some(tarball), spec: Some(spec), others, .. } => {
            Some([*tarball, *spec].into_iter().chain(others.iter().copied()).collect())
        }
        _ => None,
    }
}

/// What manifests of indexes and of keys name, each with the manifest.
pub fn named_beside(contents: &Contents) -> impl Iterator<Item = (Checksum, &Arc<str>)> {
    let indexes = contents
        .indexes
        .iter()
        .flat_map(|index| index.blob.iter().chain(&index.others).map(|blob| (blob.sum, &index.path)));
    let keys = contents.keys.iter().flat_map(|key| key.blobs.iter().flatten().map(|blob| (blob.sum, &key.path)));
    indexes.chain(keys)
}

fn judge_blobs(
    contents: &Contents,
    fates: &[ManifestFate],
    is_withheld: bool,
    cutoff: Cutoff,
) -> (Vec<BlobFate>, HashMap<Checksum, usize>) {
    let mut lost_by: HashMap<Checksum, usize> = HashMap::new();
    let mut staying: HashSet<Checksum> = HashSet::new();
    for (at, (manifest, fate)) in contents.manifests.iter().zip(fates).enumerate() {
        for blob in named(manifest).into_iter().flatten() {
            match fate {
                ManifestFate::Doomed(_) => drop(lost_by.entry(blob.sum).or_insert(at)),
                _ => drop(staying.insert(blob.sum)),
            }
        }
    }
    staying.extend(named_beside(contents).map(|(sum, _)| sum));
    let fate = |blob: &Blob| match (
        staying.contains(&blob.sum),
        lost_by.contains_key(&blob.sum),
        cutoff.admits(blob.modified),
    ) {
        (true, true, _) => BlobFate::Shared,
        (true, false, _) => BlobFate::Named,
        (false, _, None) => BlobFate::Ageless,
        (false, _, Some(false)) => BlobFate::Newer,
        (false, ..) if is_withheld => BlobFate::Withheld,
        (false, true, _) => BlobFate::Doomed(DoomedBlobReason::OnlyDoomed),
        (false, false, _) => BlobFate::Doomed(DoomedBlobReason::Orphan),
    };
    (contents.blobs.iter().map(fate).collect(), lost_by)
}

/// Why no blob may go: manifests that may name any of them. Manifests that a second try may read stop the plan as a whole.
pub fn withheld(contents: &Contents) -> Vec<Arc<str>> {
    let specs = contents.manifests.iter().filter_map(|manifest| match &manifest.reading {
        Reading::Damaged(why) | Reading::Failed(why) => Some(format!("{}: {why}", manifest.path)),
        Reading::Unread => Some(format!("{}: it was not read", manifest.path)),
        Reading::Read { .. } if named(manifest).is_none() => {
            Some(format!("{}: it does not name both of its blobs", manifest.path))
        }
        Reading::Read { .. } => None,
    });
    let keys = contents.keys.iter().filter(|key| key.blobs.is_none());
    let keys = keys.map(|key| format!("{}: what it names could not be read", key.path));
    let indexes = contents.indexes.iter().filter(|index| index.blob.is_none());
    let indexes = indexes.map(|index| format!("{}: the index that it names could not be told", index.path));
    specs.chain(keys).chain(indexes).map(Arc::from).collect()
}
