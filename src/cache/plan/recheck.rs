//! A second look, before anything of a plan goes.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use super::judge::{named, named_beside, withheld};
use super::{DoomedBlob, DoomedManifest, PrunePlan, PruneRefusal, gates};
use crate::cache::keep::{KeepList, Kept, KeptBy};
use crate::cache::{Blob, Contents, IndexState, Root, SpecManifest};
use crate::ci::Timestamp;
use crate::spack::Hash;
use crate::spack::buildcache::Checksum;

/// Something of a plan that has to stay after all, or is gone already.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skipped {
    pub target: Target,
    pub why: SkipReason,
}

/// An object of a plan.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    Manifest(Arc<str>),
    Blob(Checksum),
}

/// Why it is not deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SkipReason {
    /// It lies there no more: an earlier run may have deleted it.
    Gone,
    /// It was written again since.
    Changed,
    /// Something keeps its hash by now.
    Kept(KeptBy),
    /// An index lists its hash: the default one where no view is named.
    Listed(Option<Arc<str>>),
    /// This manifest names the blob and stays.
    Named(Arc<str>),
    /// A manifest that cannot be read may name it; which, and why.
    Unreadable(Arc<str>),
}

impl PrunePlan {
    /// Compares the plan with what lies there now and with what is kept now. What is told here must not be deleted; all else may, in the
    /// order of the steps. Without a list for a plan that has one, or with any other doubt, nothing may be deleted at all.
    ///
    /// Both may be asked again after every step and every crash: what is gone is told as such.
    pub fn recheck(
        &self,
        root: &Root,
        contents: &Contents,
        list: Option<&KeepList>,
        now: Timestamp,
    ) -> Result<Vec<Skipped>, Vec<PruneRefusal>> {
        let mut refusals = gates::doubts(root, contents, list, &self.limits, now);
        if root.prefix != self.root {
            refusals.push(PruneRefusal::OtherRoot { list: self.root.clone(), root: root.prefix.clone() });
        }
        if self.keep.is_some() && list.is_none() {
            refusals.push(PruneRefusal::KeepEmpty);
        }
        if !refusals.is_empty() {
            return Err(refusals);
        }
        let kept = Kept::of(list, contents);
        let listed = listed(contents);
        let there: HashMap<&str, &SpecManifest> = contents.manifests.iter().map(|one| (&*one.path, one)).collect();
        let mut skipped = Vec::new();
        let mut going: HashSet<&str> = HashSet::new();
        for doomed in &self.manifests {
            let why = match there.get(&*doomed.path) {
                None => Some(SkipReason::Gone),
                Some(now) if !is_same(doomed, now) => Some(SkipReason::Changed),
                Some(_) => kept
                    .by(&doomed.hash)
                    .map(SkipReason::Kept)
                    .or_else(|| listed.get(&doomed.hash).map(|view| SkipReason::Listed(view.clone()))),
            };
            match why {
                Some(why) => skipped.push(Skipped { target: Target::Manifest(doomed.path.clone()), why }),
                None => drop(going.insert(&doomed.path)),
            }
        }
        skipped.extend(self.recheck_blobs(contents, &going));
        Ok(skipped)
    }

    fn recheck_blobs(&self, contents: &Contents, going: &HashSet<&str>) -> Vec<Skipped> {
        let unreadable = withheld(contents).into_iter().next();
        let named = namers(contents, going);
        let there: HashMap<Checksum, &Blob> = contents.blobs.iter().map(|blob| (blob.sum, blob)).collect();
        let why = |doomed: &DoomedBlob| match there.get(&doomed.sum) {
            None => Some(SkipReason::Gone),
            Some(now) if (now.bytes, now.modified) != (doomed.bytes, Some(doomed.modified)) => {
                Some(SkipReason::Changed)
            }
            Some(_) => match named.get(&doomed.sum) {
                Some(path) => Some(SkipReason::Named(path.clone())),
                None => unreadable.clone().map(SkipReason::Unreadable),
            },
        };
        let skip = |doomed: &DoomedBlob| why(doomed).map(|why| Skipped { target: Target::Blob(doomed.sum), why });
        self.blobs.iter().filter_map(skip).collect()
    }
}

/// What indexes and views list as present, the default index first.
fn listed(contents: &Contents) -> BTreeMap<Hash, Option<Arc<str>>> {
    let mut listed = BTreeMap::new();
    for index in &contents.indexes {
        let IndexState::Read(catalogue) = &index.state else { continue };
        for entry in catalogue.entries().iter().filter(|entry| entry.listed.in_buildcache) {
            listed.entry(entry.hash).or_insert_with(|| index.view.clone());
        }
    }
    listed
}

/// Blobs that are named by what stays, and by which manifest.
fn namers(contents: &Contents, going: &HashSet<&str>) -> HashMap<Checksum, Arc<str>> {
    let staying = contents.manifests.iter().filter(|manifest| !going.contains(&*manifest.path));
    let specs = staying
        .flat_map(|manifest| named(manifest).into_iter().flatten().map(|blob| (blob.sum, manifest.path.clone())));
    specs.chain(named_beside(contents).map(|(sum, path)| (sum, path.clone()))).collect()
}

/// Whether it is still the object that was planned. Where a mirror gives no tags, time and size must do.
fn is_same(doomed: &DoomedManifest, now: &SpecManifest) -> bool {
    (&doomed.etag, doomed.bytes, Some(doomed.modified)) == (&now.tag, now.bytes, now.modified)
}

impl fmt::Display for SkipReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gone => f.write_str("it is gone already"),
            Self::Changed => f.write_str("it was written again"),
            Self::Kept(KeptBy::List) => f.write_str("it is on the keep list by now"),
            Self::Kept(KeptBy::View(view)) => write!(f, "the view {view} names it by now"),
            Self::Kept(KeptBy::DependencyOf(hash)) => write!(f, "/{hash} depends on it and is kept"),
            Self::Listed(None) => f.write_str("the index lists it"),
            Self::Listed(Some(view)) => write!(f, "the view {view} lists it"),
            Self::Named(path) => write!(f, "{path} names it and stays"),
            Self::Unreadable(which) => write!(f, "a manifest that cannot be read may name it ({which})"),
        }
    }
}
