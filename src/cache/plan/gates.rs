//! What must hold before anything may be planned.

use std::sync::Arc;
use std::time::Duration;

use super::{Limits, PrunePlan, PruneRefusal, Share};
use crate::cache::keep::KeepList;
use crate::cache::{Contents, IndexManifest, IndexState, Reading, Root, RootKind};
use crate::ci::Timestamp;
use crate::spack::buildcache::Part;

/// Everything that speaks against a plan for this root, whatever it would take.
pub fn doubts(
    root: &Root,
    held: &Contents,
    list: Option<&KeepList>,
    limits: &Limits,
    now: Timestamp,
) -> Vec<PruneRefusal> {
    let mut refusals = contents(held, limits, now);
    refusals.extend(list.map(|list| keep(root, list)).into_iter().flatten());
    refusals
}

/// Everything that speaks against planning by these contents.
fn contents(contents: &Contents, limits: &Limits, now: Timestamp) -> Vec<PruneRefusal> {
    let mut refusals = unreadable(contents);
    refusals.extend(names(contents));
    let manifests = contents.manifests.len();
    if contents.blobs.is_empty() && manifests > 0 {
        refusals.push(PruneRefusal::NoBlobs { manifests });
    }
    refusals.extend(contents.indexes.iter().filter_map(index));
    refusals.extend(contents.indexes.iter().filter_map(forged));
    if let Some(catalogue) = contents.catalogue()
        && manifests > 0
        && !catalogue.entries().iter().any(|entry| entry.listed.in_buildcache)
    {
        refusals.push(PruneRefusal::IndexEmpty { manifests });
    }
    refusals.extend(clocks(contents, limits, now));
    refusals
}

/// Everything that speaks against pruning this root by this list.
fn keep(root: &Root, list: &KeepList) -> Vec<PruneRefusal> {
    let mut refusals: Vec<PruneRefusal> = list.faults().iter().cloned().map(PruneRefusal::Keep).collect();
    if list.is_empty() {
        refusals.push(PruneRefusal::KeepEmpty);
    }
    match list.coverage() {
        Some(coverage) if coverage.root != root.prefix => {
            refusals.push(PruneRefusal::OtherRoot { list: coverage.root.clone(), root: root.prefix.clone() });
        }
        None if matches!(root.kind, RootKind::Top { .. }) => {
            refusals.push(PruneRefusal::CoverageUnknown { root: root.prefix.clone() });
        }
        _ => {}
    }
    refusals
}

/// Whether a plan takes more than it may.
pub(super) fn share(plan: &PrunePlan) -> Option<PruneRefusal> {
    let totals = plan.totals();
    let is_over =
        |part: u64, whole: u64| u128::from(part) * 100 > u128::from(whole) * u128::from(plan.limits.most_percent);
    if !is_over(totals.manifests, plan.whole.manifests) && !is_over(totals.bytes(), plan.whole.bytes) {
        return None;
    }
    Some(PruneRefusal::TooMuch(Box::new(Share {
        manifests: totals.manifests,
        all_manifests: plan.whole.manifests,
        bytes: totals.bytes(),
        all_bytes: plan.whole.bytes,
        most_percent: plan.limits.most_percent,
        top: totals.top,
    })))
}

fn unreadable(contents: &Contents) -> Vec<PruneRefusal> {
    let gap = contents.gaps.first().map(|gap| PruneRefusal::Gap {
        count: contents.gaps.len(),
        place: gap.place.clone(),
        why: gap.why.clone(),
    });
    let failed = contents.manifests.iter().filter_map(|manifest| match &manifest.reading {
        Reading::Failed(why) => Some((manifest.path.clone(), why.clone())),
        Reading::Unread => Some((manifest.path.clone(), "nobody read it".into())),
        Reading::Damaged(_) | Reading::Read { .. } => None,
    });
    let failed = first(failed).map(|(count, (path, why))| PruneRefusal::Manifests { count, path, why });
    gap.into_iter().chain(failed).collect()
}

/// Manifests that cannot be told by their names, and such as no reader should have put there.
fn names(contents: &Contents) -> Vec<PruneRefusal> {
    let (mut nameless, mut strangers) = (Vec::new(), Vec::new());
    for manifest in &contents.manifests {
        match Part::of(&manifest.path) {
            Part::Spec { package, hash: Some(hash) } if is_plain(package) && manifest.hash == Some(hash) => {}
            Part::Spec { hash: None, .. } => nameless.push(manifest.path.clone()),
            _ => strangers.push(manifest.path.clone()),
        }
    }
    let nameless = first(nameless.into_iter()).map(|(count, path)| PruneRefusal::Names { count, path });
    nameless.into_iter().chain(strangers.into_iter().map(|path| PruneRefusal::Stranger { path })).collect()
}

/// A folder that leads nowhere else.
pub(super) fn is_plain(package: &str) -> bool {
    !package.is_empty() && !package.bytes().all(|byte| byte == b'.') && !package.contains(char::is_control)
}

fn index(index: &IndexManifest) -> Option<PruneRefusal> {
    let what = match &index.state {
        IndexState::Read(catalogue) if !catalogue.unrecorded().is_empty() => {
            format!("names {} dependencies without a record", catalogue.unrecorded().len())
        }
        IndexState::Read(_) if index.blob.is_some() => return None,
        IndexState::Read(_) => "names no blob".to_owned(),
        IndexState::Unread => "was not read".to_owned(),
        IndexState::Dangling => "names a blob that is not there".to_owned(),
        IndexState::TooNew(version) => format!("has version {version}, which is newer than what can be read"),
        IndexState::Damaged(why) => format!("is damaged ({why})"),
        IndexState::Failed(why) => format!("could not be read ({why})"),
    };
    Some(match &index.view {
        Some(view) => PruneRefusal::View { view: view.clone(), what },
        None => PruneRefusal::Index { path: index.path.clone(), what },
    })
}

/// A record that somebody changed may name what it does not need, or leave out what it does.
fn forged(index: &IndexManifest) -> Option<PruneRefusal> {
    let IndexState::Read(catalogue) = &index.state else { return None };
    let hash = *catalogue.forged().first()?;
    Some(PruneRefusal::Forged { path: index.path.clone(), count: catalogue.forged().len(), hash })
}

fn clocks(contents: &Contents, limits: &Limits, now: Timestamp) -> Vec<PruneRefusal> {
    let mut refusals = Vec::new();
    let most = Duration::from_secs(limits.skew_secs);
    let skew = Duration::from_millis(contents.skew_ms.unwrap_or(0).unsigned_abs());
    if skew > most {
        refusals.push(PruneRefusal::Skew { skew, most });
    }
    let now = contents.listed_at.unwrap_or(now);
    if let Some(written) = contents.index().and_then(|index| index.modified) {
        let (age, oldest) = (now.since(written), Duration::from_secs(limits.index_age_secs));
        if age > oldest {
            refusals.push(PruneRefusal::IndexOld { age, most: oldest });
        }
        let ahead = written.since(now);
        if ahead > most {
            refusals.push(PruneRefusal::IndexAhead { written, ahead });
        }
    }
    refusals
}

/// The first of them, and how many there are.
fn first<T>(mut all: impl Iterator<Item = T>) -> Option<(usize, T)> {
    let one = all.next()?;
    Some((1 + all.count(), one))
}

/// The first few reasons, for a sentence.
pub(super) fn some(all: &[Arc<str>]) -> Vec<Arc<str>> {
    const SHOWN: usize = 5;
    let mut some: Vec<Arc<str>> = all.iter().take(SHOWN).cloned().collect();
    if all.len() > SHOWN {
        some.push(format!("and {} more", all.len() - SHOWN).into());
    }
    some
}
