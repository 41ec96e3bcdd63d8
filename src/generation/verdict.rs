//! Which specs are rebuilt, and every reason for or against it.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::dag::{Dag, affected};
use super::{ChangeSet, Listed, MirrorView, Options, Touched};
use crate::spack::{Hash, Spec};

/// What one filter says about one spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The unaffected filter. `true` when the change reaches the spec.
    Affected(bool),
    /// The up-to-date filter: the mirrors that have the spec, each as `url@v3`. None: it was found nowhere.
    Found(Vec<Arc<str>>),
    /// The external filter.
    External(bool),
}

impl Reason {
    /// Whether this alone keeps the spec from being rebuilt.
    pub const fn prunes(&self) -> bool {
        match self {
            Self::Affected(is_affected) => !*is_affected,
            Self::Found(places) => !places.is_empty(),
            Self::External(is_external) => *is_external,
        }
    }

    /// The reason without its evidence, for counting.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Affected(true) => "affected by change",
            Self::Affected(false) => "unaffected by change",
            Self::Found(places) if places.is_empty() => "not found anywhere",
            Self::Found(_) => "up-to-date",
            Self::External(true) => "external spec",
            Self::External(false) => "not external",
        }
    }
}

impl fmt::Display for Reason {
    /// The words of Spack's pruning summary.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Found(places) if !places.is_empty() => write!(f, "{} [{}]", self.word(), places.join(",")),
            other => f.write_str(other.word()),
        }
    }
}

/// What is decided about one spec.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// What every filter that is on says, in the order of the filters.
    pub reasons: Vec<Reason>,
}

impl Verdict {
    pub fn is_rebuilt(&self) -> bool {
        !self.reasons.iter().any(Reason::prunes)
    }
}

/// The unaffected filter, ready to be asked; `None` when it is off, or when the change set says nothing about packages.
pub fn unaffected_filter(
    options: &Options,
    changes: Option<&ChangeSet>,
    specs: &[&Spec],
    dag: &Dag,
) -> Option<Vec<bool>> {
    let changes = changes.filter(|_| options.prune_untouched)?;
    let Touched::Packages(packages) = changes.touched(options.stack_rule()) else { return None };
    let changed: Vec<u32> =
        (0..).zip(specs).filter(|(_, s)| packages.contains_key(&s.name)).map(|(at, _)| at).collect();
    Some(affected(dag, &changed, options.depth))
}

/// Judges every spec. `dag` has the same places as `specs`.
pub fn judge(options: &Options, specs: &[&Spec], mirrors: &[MirrorView], affected: Option<&[bool]>) -> Vec<Verdict> {
    let judge_one = |(at, spec): (usize, &&Spec)| {
        let mut reasons = Vec::with_capacity(3);
        if let Some(affected) = affected {
            reasons.push(Reason::Affected(affected.get(at).copied().unwrap_or(false)));
        }
        if options.prune_up_to_date {
            reasons.push(Reason::Found(places(mirrors, spec.hash).map(|(place, _)| place).collect()));
        }
        if options.prune_external {
            reasons.push(Reason::External(spec.is_external()));
        }
        Verdict { reasons }
    };
    specs.iter().enumerate().map(judge_one).collect()
}

/// Where a spec is present, and what is said about it there: mirrors in the order of the configuration, the newest layout of each first.
pub fn places(mirrors: &[MirrorView], hash: Hash) -> impl Iterator<Item = (Arc<str>, Listed)> {
    mirrors.iter().flat_map(move |mirror| {
        let indexed = mirror.state.listings().iter().filter_map(move |listing| {
            let listed = listing.listed.get(&hash).copied().filter(|listed| listed.is_present())?;
            Some((Arc::from(format!("{}@v{}", mirror.url, listing.layout)), listed))
        });
        let direct = mirror.direct.get(&hash).map(|layout| {
            let place = format!("{}@v{layout}", mirror.url);
            (Arc::from(place), Listed { in_buildcache: true, external: false })
        });
        indexed.chain(direct)
    })
}

/// Whether an index lists a spec as present. What was only found by asking for it directly does not count here, as in Spack.
pub fn is_indexed(mirrors: &[MirrorView], hash: Hash) -> bool {
    let mut listings = mirrors.iter().flat_map(|mirror| mirror.state.listings());
    listings.any(|listing| listing.listed.get(&hash).is_some_and(|listed| listed.is_present()))
}

/// Specs whose binary jobs can fetch.
pub fn available(mirrors: &[MirrorView], specs: &[&Spec]) -> Vec<bool> {
    specs.iter().map(|spec| places(mirrors, spec.hash).any(|(_, listed)| listed.in_buildcache)).collect()
}

/// The packages that changed and that this stack has.
pub fn changed_here<'a>(changes: &'a ChangeSet, specs: &[&Spec]) -> BTreeSet<&'a str> {
    let here: BTreeSet<&str> = specs.iter().map(|spec| &*spec.name).collect();
    changes.packages.keys().map(|name| &**name).filter(|name| here.contains(name)).collect()
}
