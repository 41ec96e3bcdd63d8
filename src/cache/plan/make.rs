//! From a judgement to a plan.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use super::content::{Untouched, Whole};
use super::{
    BlobFate, Cutoff, DoomedBlob, DoomedManifest, IndexMark, Judgement, KeepMark, Limits, ManifestFate, PrunePlan,
    PruneRefusal, Spared, gates, totals,
};
use crate::cache::keep::{KeepList, Kept};
use crate::cache::{Contents, Root};
use crate::ci::Timestamp;
use crate::spack::Hash;

impl PrunePlan {
    /// Plans what could go from a root. Without a keep list only what is of no use: broken manifests, and blobs that nothing names.
    ///
    /// Every doubt is told. The share is judged as well where that is possible, so that nobody repairs one thing only to hear of the next.
    pub fn make(
        root: &Root,
        contents: &Contents,
        list: Option<&KeepList>,
        limits: &Limits,
        now: Timestamp,
    ) -> Result<Self, Vec<PruneRefusal>> {
        let mut refusals = gates::doubts(root, contents, list, limits, now);
        let cutoff = match Cutoff::of(contents) {
            Ok(cutoff) => cutoff,
            Err(refusal) => {
                refusals.push(refusal);
                return Err(refusals);
            }
        };
        if list.is_some_and(KeepList::is_empty) {
            return Err(refusals);
        }
        let judgement = Judgement::of(contents, list, cutoff);
        let plan = Self {
            made_at: now,
            root: root.prefix.clone(),
            cutoff,
            limits: *limits,
            keep: list.map(|list| KeepMark::of(list, &judgement.kept, contents)),
            index: index(contents),
            whole: whole(contents),
            untouched: Untouched::of(contents.v2, contents.foreign.amount),
            withheld: gates::some(&judgement.withheld),
            spared: Spared::of(contents, &judgement),
            leave_out: leave_out(contents, &judgement),
            manifests: manifests(contents, &judgement),
            blobs: blobs(contents, &judgement),
        };
        refusals.extend(gates::share(&plan));
        if refusals.is_empty() { Ok(plan) } else { Err(refusals) }
    }
}

impl KeepMark {
    fn of(list: &KeepList, kept: &Kept, contents: &Contents) -> Self {
        let here: HashSet<Hash> = contents.manifests.iter().filter_map(|manifest| manifest.hash).collect();
        let (by_views, by_closure) = kept.added();
        Self {
            digest: list.digest(),
            hashes: list.len(),
            absent: list.hashes().iter().filter(|hash| !here.contains(*hash)).count(),
            unclosed: kept.unlisted().iter().filter(|hash| here.contains(*hash)).count(),
            by_views,
            by_closure,
        }
    }
}

fn index(contents: &Contents) -> Option<IndexMark> {
    let (index, catalogue) = (contents.index()?, contents.catalogue()?);
    let present = catalogue.entries().iter().filter(|entry| entry.listed.in_buildcache).count();
    Some(IndexMark { sum: index.blob?.sum, written: index.modified?, present })
}

fn whole(contents: &Contents) -> Whole {
    let manifests = contents.manifests.iter().map(|manifest| manifest.bytes);
    let blobs = contents.blobs.iter().map(|blob| blob.bytes);
    let others = contents.indexes.iter().map(|index| index.bytes).chain(contents.keys.iter().map(|key| key.bytes));
    Whole {
        manifests: contents.manifests.len() as u64,
        blobs: contents.blobs.len() as u64,
        bytes: manifests.chain(blobs).chain(others).fold(0, u64::saturating_add),
    }
}

/// What the index lists and loses: hashes of which no manifest stays.
fn leave_out(contents: &Contents, judgement: &Judgement) -> Vec<Hash> {
    let Some(catalogue) = contents.catalogue() else { return Vec::new() };
    let (mut gone, mut stay) = (BTreeSet::new(), HashSet::new());
    for (manifest, fate) in contents.manifests.iter().zip(&judgement.manifests) {
        let Some(hash) = manifest.hash else { continue };
        match fate {
            ManifestFate::Doomed(_) => drop(gone.insert(hash)),
            _ => drop(stay.insert(hash)),
        }
    }
    let is_listed = |hash: &Hash| catalogue.get(hash).is_some_and(|entry| entry.listed.in_buildcache);
    gone.into_iter().filter(|hash| !stay.contains(hash) && is_listed(hash)).collect()
}

fn manifests(contents: &Contents, judgement: &Judgement) -> Vec<DoomedManifest> {
    let doomed = contents.manifests.iter().zip(&judgement.manifests).filter_map(|(manifest, fate)| match fate {
        ManifestFate::Doomed(reason) => Some(DoomedManifest {
            path: manifest.path.clone(),
            hash: manifest.hash?,
            etag: manifest.tag.clone(),
            bytes: manifest.bytes,
            modified: manifest.modified?,
            reason: *reason,
        }),
        _ => None,
    });
    let mut doomed: Vec<DoomedManifest> = doomed.collect();
    doomed.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    doomed
}

fn blobs(contents: &Contents, judgement: &Judgement) -> Vec<DoomedBlob> {
    let package = |sum| {
        let manifest = judgement.lost_by.get(sum).and_then(|at| contents.manifests.get(*at))?;
        Some(Arc::from(totals::package(&manifest.path)))
    };
    let doomed = contents.blobs.iter().zip(&judgement.blobs).filter_map(|(blob, fate)| match fate {
        BlobFate::Doomed(reason) => Some(DoomedBlob {
            sum: blob.sum,
            bytes: blob.bytes,
            modified: blob.modified?,
            reason: *reason,
            package: package(&blob.sum),
        }),
        _ => None,
    });
    let mut doomed: Vec<DoomedBlob> = doomed.collect();
    doomed.sort_unstable_by_key(|blob| blob.sum);
    doomed
}
