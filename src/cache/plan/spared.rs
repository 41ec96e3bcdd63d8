//! What stays, and why.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BlobFate, Judgement, ManifestFate};
use crate::cache::Contents;
use crate::cache::keep::KeptBy;

/// How many paths are told of those that stay for one reason.
const FIRST: usize = 5;

/// Why something stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpareReason {
    /// Its hash is on the keep list.
    Kept,
    /// A view of this root names it.
    View,
    /// Something kept depends on it.
    Dependency,
    /// It is kept, and of no use, since a blob of it is missing: build it again.
    KeptBroken,
    /// It was modified after the cutoff.
    Newer,
    /// When it was modified is not known.
    Ageless,
    /// There is no keep list, and nothing is wrong with it.
    Whole,
    /// A manifest that stays names it, besides one that goes.
    Shared,
    /// A manifest that could not be read may name it.
    Withheld,
}

/// What stays for one reason. Blobs that only manifests which stay name are not counted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spared {
    pub reason: SpareReason,
    pub manifests: u64,
    pub blobs: u64,
    /// Of the objects counted here.
    pub bytes: u64,
    /// The first few.
    pub first: Vec<Arc<str>>,
}

impl Spared {
    /// Everything that stays, by reason.
    pub(super) fn of(contents: &Contents, judgement: &Judgement) -> Vec<Self> {
        let mut sums: BTreeMap<SpareReason, Self> = BTreeMap::new();
        let mut add = |reason, is_manifest: bool, bytes, path: &dyn Fn() -> Arc<str>| {
            let empty = || Self { reason, manifests: 0, blobs: 0, bytes: 0, first: Vec::new() };
            let sum = sums.entry(reason).or_insert_with(empty);
            *(if is_manifest { &mut sum.manifests } else { &mut sum.blobs }) += 1;
            sum.bytes = u64::saturating_add(sum.bytes, bytes);
            if sum.first.len() < FIRST {
                sum.first.push(path());
            }
        };
        for (manifest, fate) in contents.manifests.iter().zip(&judgement.manifests) {
            let reason = match fate {
                ManifestFate::Kept(KeptBy::List) => SpareReason::Kept,
                ManifestFate::Kept(KeptBy::View(_)) => SpareReason::View,
                ManifestFate::Kept(KeptBy::DependencyOf(_)) => SpareReason::Dependency,
                ManifestFate::KeptBroken(..) => SpareReason::KeptBroken,
                ManifestFate::Newer => SpareReason::Newer,
                ManifestFate::Ageless => SpareReason::Ageless,
                ManifestFate::Whole => SpareReason::Whole,
                ManifestFate::Doomed(_) => continue,
            };
            add(reason, true, manifest.bytes, &|| manifest.path.clone());
        }
        for (blob, fate) in contents.blobs.iter().zip(&judgement.blobs) {
            let reason = match fate {
                BlobFate::Named | BlobFate::Doomed(_) => continue,
                BlobFate::Shared => SpareReason::Shared,
                BlobFate::Newer => SpareReason::Newer,
                BlobFate::Ageless => SpareReason::Ageless,
                BlobFate::Withheld => SpareReason::Withheld,
            };
            add(reason, false, blob.bytes, &|| blob.sum.path().into());
        }
        sums.into_values().collect()
    }
}
