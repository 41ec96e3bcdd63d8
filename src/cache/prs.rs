//! Which caches of pull requests could go.
//!
//! A cache goes as a whole, by its exact prefix with `/` at the end, so that `pr12_foo/` never takes `pr12_foobar/` along. Prefixes have to
//! be listed before open pull requests are asked for: the other way round, one that is opened in between would lose its cache.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::{Root, RootKind};
use crate::ci::{Timestamp, short};

/// An open pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenPr {
    pub number: u64,
    pub is_draft: bool,
    pub updated: Timestamp,
}

/// Every open pull request of one project, or why they are not known.
#[derive(Debug, Clone)]
pub struct OpenPrs {
    /// As prefixes name it: `spack-packages`.
    pub project: Arc<str>,
    /// When the first page was asked for.
    pub asked_at: Timestamp,
    pub open: Result<Vec<OpenPr>, String>,
}

/// Which open pull requests lose their caches nevertheless.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PrPolicy {
    pub drafts_go: bool,
    /// Those without an update for so long; `None` for none of them.
    pub idle: Option<Duration>,
}

impl Default for PrPolicy {
    /// What Spack's CI does: drafts go, and what is idle for a fortnight.
    fn default() -> Self {
        Self { drafts_go: true, idle: Some(Duration::from_secs(14 * 86_400)) }
    }
}

/// The cache of one branch of a pull request, with all its stacks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PrCache {
    /// With `/` at its end: all that begins like this, and nothing else.
    pub prefix: Arc<str>,
    pub project: Option<Arc<str>>,
    pub number: u64,
    /// The prefixes of its roots, sorted.
    pub roots: Vec<Arc<str>>,
    pub verdict: PrVerdict,
}

/// Whether a cache stays, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PrVerdict {
    Active {
        updated: Timestamp,
    },
    /// Nobody asked about the pull requests of its project.
    OtherProject,
    /// Another root, which does not go, lies below it.
    Holds(Arc<str>),
    /// It goes: the pull request is not open.
    Closed,
    /// It goes.
    Draft,
    /// It goes: nothing happened for so long.
    Idle(Duration),
    /// It goes: nothing writes there any more.
    Legacy,
}

/// Why no verdict is given about any cache.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PrRefusal {
    #[error("which pull requests of {project} are open is not known ({why}); ask again")]
    Unknown { project: Arc<str>, why: Arc<str> },
    #[error(
        "open pull requests of {project} were asked for before the caches were listed, so one opened in between would lose its cache; \
         ask again"
    )]
    AskedTooEarly { project: Arc<str> },
}

impl PrVerdict {
    pub const fn goes(&self) -> bool {
        matches!(self, Self::Closed | Self::Draft | Self::Idle(_) | Self::Legacy)
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Active { .. } => "active",
            Self::OtherProject => "other_project",
            Self::Holds(_) => "holds_another",
            Self::Closed => "closed",
            Self::Draft => "draft",
            Self::Idle(_) => "idle",
            Self::Legacy => "legacy",
        }
    }
}

/// Judges every cache of a pull request among these roots, sorted by prefix. Roots of other kinds are left alone.
pub fn pr_caches(
    roots: &[Root],
    listed_at: Timestamp,
    projects: &[OpenPrs],
    policy: PrPolicy,
    now: Timestamp,
) -> Result<Vec<PrCache>, Vec<PrRefusal>> {
    let mut refusals = Vec::new();
    let mut open: BTreeMap<&Arc<str>, BTreeMap<u64, &OpenPr>> = BTreeMap::new();
    for asked in projects {
        let project = asked.project.clone();
        match &asked.open {
            Err(why) => refusals.push(PrRefusal::Unknown { project, why: why.as_str().into() }),
            Ok(_) if asked.asked_at < listed_at => refusals.push(PrRefusal::AskedTooEarly { project }),
            Ok(prs) => open.entry(&asked.project).or_default().extend(prs.iter().map(|pr| (pr.number, pr))),
        }
    }
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let mut caches = grouped(roots);
    for cache in &mut caches {
        cache.verdict = match cache.project.as_ref().map(|project| open.get(project)) {
            None => PrVerdict::Legacy,
            Some(None) => PrVerdict::OtherProject,
            Some(Some(prs)) => prs.get(&cache.number).map_or(PrVerdict::Closed, |pr| about(pr, policy, now)),
        };
    }
    let ours: BTreeSet<Arc<str>> = caches.iter().filter(|c| c.verdict.goes()).flat_map(|c| c.roots.clone()).collect();
    for cache in caches.iter_mut().filter(|cache| cache.verdict.goes()) {
        let is_below = |root: &&Root| root.prefix.starts_with(&*cache.prefix) && !ours.contains(&root.prefix);
        if let Some(root) = roots.iter().find(is_below) {
            cache.verdict = PrVerdict::Holds(root.prefix.clone());
        }
    }
    Ok(caches)
}

/// The exact prefix that goes when this pull request is closed; `None` if no root lies there.
pub fn closed_pr(roots: &[Root], project: &str, number: u64, branch: &str) -> Option<PrCache> {
    let prefix = format!("{project}/pr{number}_{branch}/");
    // Below the prefix, or at it.
    let is_there = |root: &&Root| format!("{}/", root.prefix).starts_with(&prefix);
    let mut below: Vec<Arc<str>> = roots.iter().filter(is_there).map(|root| root.prefix.clone()).collect();
    below.sort_unstable();
    below.dedup();
    if below.is_empty() || branch.is_empty() {
        return None;
    }
    let verdict = PrVerdict::Closed;
    Some(PrCache { prefix: prefix.into(), project: Some(project.into()), number, roots: below, verdict })
}

/// One cache for each folder `pr<number>_<branch>`; several may have one number.
fn grouped(roots: &[Root]) -> Vec<PrCache> {
    let mut caches: BTreeMap<String, PrCache> = BTreeMap::new();
    for root in roots {
        let RootKind::PullRequest { project, number, .. } = &root.kind else { continue };
        let depth = if project.is_some() { 2 } else { 1 };
        let prefix: String = root.prefix.split('/').take(depth).flat_map(|part| [part, "/"]).collect();
        let cache = caches.entry(prefix).or_insert_with_key(|prefix| PrCache {
            prefix: prefix.as_str().into(),
            project: project.clone(),
            number: *number,
            roots: Vec::new(),
            verdict: PrVerdict::OtherProject,
        });
        cache.roots.push(root.prefix.clone());
    }
    let mut caches: Vec<PrCache> = caches.into_values().collect();
    for cache in &mut caches {
        cache.roots.sort_unstable();
        cache.roots.dedup();
    }
    caches
}

fn about(pr: &OpenPr, policy: PrPolicy, now: Timestamp) -> PrVerdict {
    let idle = now.since(pr.updated);
    match policy.idle {
        _ if pr.is_draft && policy.drafts_go => PrVerdict::Draft,
        Some(most) if idle > most => PrVerdict::Idle(idle),
        _ => PrVerdict::Active { updated: pr.updated },
    }
}

impl fmt::Display for PrVerdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Active { updated } => write!(f, "open, updated {updated}"),
            Self::OtherProject => f.write_str("nobody asked which pull requests of its project are open"),
            Self::Holds(root) => write!(f, "{root} lies below it and stays"),
            Self::Closed => f.write_str("closed or merged"),
            Self::Draft => f.write_str("a draft"),
            Self::Idle(length) => write!(f, "nothing happened for {}", short(*length)),
            Self::Legacy => f.write_str("of the old form, which nothing writes any more"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400_000;
    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn roots(prefixes: &[&str]) -> Vec<Root> {
        prefixes.iter().map(|prefix| Root::of(prefix)).collect()
    }

    fn open(number: u64, is_draft: bool, days: i64) -> OpenPr {
        OpenPr { number, is_draft, updated: NOW.shifted(-days * DAY) }
    }

    fn asked(prs: Vec<OpenPr>) -> OpenPrs {
        OpenPrs { project: "spack-packages".into(), asked_at: NOW, open: Ok(prs) }
    }

    fn judged(prefixes: &[&str], prs: Vec<OpenPr>, policy: PrPolicy) -> Vec<(String, &'static str)> {
        let caches = pr_caches(&roots(prefixes), NOW.shifted(-60_000), &[asked(prs)], policy, NOW).unwrap();
        caches.iter().map(|cache| (cache.prefix.to_string(), cache.verdict.word())).collect()
    }

    #[test]
    fn case_45_open_stays_and_drafts_idle_and_closed_go_by_policy() {
        let prefixes =
            ["spack-packages/pr1_a/e4s", "spack-packages/pr2_b/e4s", "spack-packages/pr3_c", "spack-packages/pr4_d/x"];
        let words = |policy| {
            let prs = vec![open(1, false, 3), open(2, true, 0), open(3, false, 20)];
            judged(&prefixes, prs, policy).into_iter().map(|(_, word)| word).collect::<Vec<_>>()
        };
        assert_eq!(words(PrPolicy::default()), ["active", "draft", "idle", "closed"]);
        assert_eq!(words(PrPolicy { drafts_go: false, idle: None }), ["active", "active", "active", "closed"]);
        let edge = judged(&prefixes[..1], vec![open(1, false, 14)], PrPolicy::default());
        assert_eq!(edge[0].1, "active", "a fortnight to the millisecond is not yet more");
    }

    #[test]
    fn case_46_only_the_exact_prefix_goes() {
        let prefixes = ["spack-packages/pr12_foo/e4s", "spack-packages/pr12_foobar/e4s", "spack-packages/pr12_foo"];
        let both = judged(&prefixes, Vec::new(), PrPolicy::default());
        let expected = ["spack-packages/pr12_foo/", "spack-packages/pr12_foobar/"].map(|p| (p.to_owned(), "closed"));
        assert_eq!(both, expected, "several caches of one number are all looked at");
        let closed = closed_pr(&roots(&prefixes), "spack-packages", 12, "foo").unwrap();
        assert_eq!(&*closed.prefix, "spack-packages/pr12_foo/");
        assert_eq!(closed.roots, ["spack-packages/pr12_foo".into(), "spack-packages/pr12_foo/e4s".into()]);
        for (project, number, branch) in
            [("spack", 12, "foo"), ("spack-packages", 1, "foo"), ("spack-packages", 12, "fo")]
        {
            assert_eq!(closed_pr(&roots(&prefixes), project, number, branch), None, "{project} {number} {branch}");
        }
        let slashed = roots(&["spack-packages/pr12_foo/bar/e4s", "spack-packages/pr12_foo/barn/e4s"]);
        let closed = closed_pr(&slashed, "spack-packages", 12, "foo/bar").unwrap();
        assert_eq!((&*closed.prefix, closed.roots.len()), ("spack-packages/pr12_foo/bar/", 1));
    }

    #[test]
    fn case_47_prefixes_are_listed_before_pull_requests_are_asked_for() {
        let roots = roots(&["spack-packages/pr9_new/e4s"]);
        let judge = |listed: Timestamp, prs| pr_caches(&roots, listed, &[asked(prs)], PrPolicy::default(), NOW);
        assert!(matches!(judge(NOW.shifted(1), Vec::new()).unwrap_err()[..], [PrRefusal::AskedTooEarly { .. }]));
        assert!(!judge(NOW.shifted(-1), vec![open(9, false, 0)]).unwrap()[0].verdict.goes());
    }

    #[test]
    fn case_48_what_names_no_number_is_untouched() {
        let prefixes = ["spack/prX_foo", "spack/pr_foo", "develop/e4s", "shared_pr_mirror/e4s", "spack-packages"];
        assert_eq!(judged(&prefixes, Vec::new(), PrPolicy::default()), []);
    }

    #[test]
    fn what_is_not_known_is_never_closed() {
        let roots = roots(&["spack-packages/pr1_a/e4s", "spack/pr1_a/e4s", "pr1_a/e4s"]);
        let unknown = OpenPrs { open: Err("502 Bad Gateway".to_owned()), ..asked(Vec::new()) };
        let refusals = pr_caches(&roots, NOW, &[unknown], PrPolicy::default(), NOW).unwrap_err();
        assert!(refusals[0].to_string().contains("spack-packages") && refusals[0].to_string().contains("502"));
        let caches = pr_caches(&roots, NOW, &[asked(Vec::new())], PrPolicy::default(), NOW).unwrap();
        let words: Vec<_> = caches.iter().map(|cache| (&*cache.prefix, cache.verdict.word())).collect();
        let expected = [("pr1_a/", "legacy"), ("spack-packages/pr1_a/", "closed"), ("spack/pr1_a/", "other_project")];
        assert_eq!(words, expected);
    }

    #[test]
    fn a_root_that_stays_is_not_taken_along() {
        let mut roots = roots(&["spack-packages/pr1_a/e4s"]);
        roots.push(Root { prefix: "spack-packages/pr1_a/kept".into(), kind: RootKind::Other });
        let caches = pr_caches(&roots, NOW, &[asked(Vec::new())], PrPolicy::default(), NOW).unwrap();
        assert_eq!(caches[0].verdict, PrVerdict::Holds("spack-packages/pr1_a/kept".into()));
    }
}
