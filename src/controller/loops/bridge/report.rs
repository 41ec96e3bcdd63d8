//! What a pass came to, for people and for scripts.

use std::time::Duration;

use serde::Serialize;

use crate::bridge::{Decided, PassInput, PassOutput, RefUpdate, Verdict};
use crate::ci::pull_request_of;
use crate::console::text::{clean, plural};
use crate::forge::PrNumber;

/// A pass in numbers and decisions: what `stackhand bridge --once --json` prints last.
#[derive(Debug, Clone, Serialize)]
pub struct PassReport {
    pub version: &'static str,
    /// Open pull requests that were decided about; none when they could not be listed.
    pub prs: Option<usize>,
    /// Branches by name, tags as `refs/tags/NAME`.
    pub pushed: Vec<String>,
    /// In a dry run, what would be pushed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_push: Option<Vec<String>>,
    /// Pull requests by number.
    pub decisions: Vec<Shown>,
    /// Branches and tags that are not on GitLab as they are on GitHub.
    pub refs: Vec<Decided>,
    pub statuses: Told,
    pub requests: Requests,
    pub seconds: f64,
    pub dry_run: bool,
    /// What failed, each in a line; everything else was done all the same.
    pub troubles: Vec<String>,
}

/// One decision about a pull request.
#[derive(Debug, Clone, Serialize)]
pub struct Shown {
    pub pr: PrNumber,
    #[serde(flatten)]
    pub decided: Decided,
}

/// What became of statuses.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Told {
    pub posted: usize,
    /// GitHub has them already.
    pub unchanged: usize,
    /// Not sent: GitHub refused them before, or which commit they are about is not known.
    pub held: usize,
    pub failed: usize,
    /// Left to the next pass.
    pub left: usize,
    /// In a dry run, what would be posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub would_post: Option<usize>,
}

/// How often each side was asked: requests to GitHub and to GitLab's API, and processes of git.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Requests {
    pub github: u64,
    pub gitlab: u64,
    pub git: u64,
}

impl Requests {
    pub const fn since(self, before: Self) -> Self {
        Self { github: self.github - before.github, gitlab: self.gitlab - before.gitlab, git: self.git - before.git }
    }
}

/// What a pass did, beside what it decided.
pub(super) struct Done {
    pub are_prs_known: bool,
    pub pushed: Vec<String>,
    pub told: Told,
    pub troubles: Vec<String>,
    pub requests: Requests,
    pub took: Duration,
    pub dry_run: bool,
}

/// How a ref is named in a report.
pub(super) fn name_of(update: &RefUpdate) -> String {
    let full = update.full_name();
    full.strip_prefix("refs/heads/").map_or_else(|| full.clone(), str::to_owned)
}

impl PassReport {
    pub(super) fn of(input: &PassInput, output: &PassOutput, done: Done) -> Self {
        let Done { are_prs_known, pushed, mut told, troubles, requests, took, dry_run } = done;
        told.held = output.statuses.held.len();
        told.would_post = dry_run.then_some(output.statuses.post.len());
        let planned = || output.pushes.iter().flat_map(|batch| &batch.refs).map(name_of).collect();
        let shown = |one: &crate::bridge::PrDecision| Shown { pr: one.pr, decided: Decided::of_pr(one, input.now) };
        let refs = output.branches.iter().chain(&output.tags).filter(|one| one.verdict() != Verdict::Pushed);
        Self {
            version: "stackhand.bridge/1",
            prs: are_prs_known.then_some(output.prs.len()),
            pushed,
            would_push: dry_run.then(planned),
            decisions: output.prs.iter().map(shown).collect(),
            refs: refs.map(|one| Decided::of_ref(one, input.now)).collect(),
            statuses: told,
            requests,
            seconds: (took.as_secs_f64() * 1_000.0).round() / 1_000.0,
            dry_run,
            // Others said them, and they go to logs as well.
            troubles: troubles.iter().map(|trouble| clean(trouble).into_owned()).collect(),
        }
    }

    /// Whether a pass that follows at once would get further: statuses are left, and some went through.
    pub const fn has_more(&self) -> bool {
        self.statuses.left > 0 && self.statuses.posted > 0
    }

    /// `25 pull requests: 3 pushed, 20 as they are, 2 wait; 4 statuses posted`
    pub fn summary(&self) -> String {
        let count =
            |verdict: Verdict| self.decisions.iter().filter(|one| &*one.decided.verdict == verdict.word()).count();
        let names = self.would_push.as_ref().unwrap_or(&self.pushed);
        let of_prs = names.iter().filter(|name| pull_request_of(name).is_some()).count();
        let (would, statuses) = match self.statuses.would_post.filter(|_| self.would_push.is_some()) {
            Some(would_post) => ("would be ", format!("{would_post} statuses would be posted")),
            None => ("", format!("{} statuses posted", self.statuses.posted)),
        };
        let pushed = format!("{of_prs} {would}pushed");
        let others = match names.len() - of_prs {
            0 => String::new(),
            count => format!("; {} {would}pushed", plural(count as u64, "other ref")),
        };
        let kept = format!(
            "{} as they are, {} wait, {} refused",
            count(Verdict::Pushed),
            count(Verdict::Wait) + count(Verdict::Look),
            count(Verdict::Refuse)
        );
        let trouble =
            if self.troubles.is_empty() { String::new() } else { format!("; {} failed", self.troubles.len()) };
        let prs = self.prs.map_or_else(|| "? pull requests".to_owned(), |count| plural(count as u64, "pull request"));
        format!("{prs}: {pushed}, {kept}{others}; {statuses}{trouble}")
    }
}
