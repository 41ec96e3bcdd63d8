//! The decision about one pull request.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::{MergeSubject, pr_branch};
use super::{Expects, Fault, Looked, Main, OnGitLab, PrInput, PushRecord, Reason, RefUpdate, Rules, Verdict, Want};
use crate::ci::Timestamp;
use crate::forge::{BranchName, CommitStatus, Conclusion, Mergeable, PrNumber, PrState, PullRequest, Sha};

/// What is decided about one pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrDecision {
    pub pr: PrNumber,
    pub head: Sha,
    pub base_ref: Arc<str>,
    /// Its branch on GitLab; none when git would not take the name.
    pub branch: Option<BranchName>,
    pub reason: Reason,
    /// What is pushed.
    pub update: Option<RefUpdate>,
    /// What the head is told, while no pipeline speaks for it.
    pub status: Option<CommitStatus>,
    pub tested: TestedAs,
}

/// Which commit on GitLab stands for the head of a pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TestedAs {
    /// What GitLab has is not known.
    Unknown,
    /// None does; pipelines of older merges say nothing about it.
    Nothing,
    Commit(Sha),
}

impl PrDecision {
    pub const fn verdict(&self) -> Verdict {
        self.reason.verdict()
    }

    /// Whether it may still be pushed, by how the pull request is right now; if not, why. Asked just before the push.
    pub fn still(&self, pr: &PullRequest, rules: &Rules) -> Result<(), Reason> {
        ended(pr).map_or(Ok(()), Err)?;
        if pr.head != self.head {
            return Err(Reason::OutOfSync { fetched: self.head.clone(), told: pr.head.clone() });
        }
        if pr.is_draft && !rules.sync_drafts {
            return Err(Reason::Draft);
        }
        if pr.base_ref != self.base_ref {
            return Err(Reason::Retargeted { from: self.base_ref.clone(), to: pr.base_ref.clone() });
        }
        Ok(())
    }
}

/// What holds for all pull requests of a pass.
pub(super) struct Judge<'a> {
    pub rules: &'a Rules,
    pub main: &'a Main,
    /// Names and patterns that GitLab or GitHub protects.
    pub protected: &'a [Arc<str>],
    /// What was pushed, by the commit on GitLab.
    pub pushes: &'a HashMap<&'a Sha, &'a PushRecord>,
    pub now: Timestamp,
}

/// What GitLab's branch is to the pull request.
enum Standing<'a> {
    Unknown(Arc<str>),
    Absent,
    /// A merge of this head into this base.
    This(&'a OnGitLab),
    /// A merge of this head into another base.
    OtherBase(&'a OnGitLab, &'a Arc<str>),
    /// Anything else.
    Other(&'a OnGitLab),
}

impl Standing<'_> {
    fn at(&self) -> Option<&Sha> {
        match self {
            Self::This(at) | Self::OtherBase(at, _) | Self::Other(at) => Some(&at.commit),
            Self::Unknown(_) | Self::Absent => None,
        }
    }
}

/// The first thing that speaks against a push, as an error.
type Step<T> = Result<T, Reason>;

impl Judge<'_> {
    /// Decides, as far as the facts reach.
    pub fn pr(&self, input: &PrInput) -> PrDecision {
        let pr = &input.pr;
        let standing = self.standing(input);
        let name = pr_branch(pr.number, &pr.head_ref);
        let decided = name.as_ref().map_err(|why| Reason::BadName(*why)).and_then(|name| {
            let commit = self.commit(input, name, &standing)?;
            Ok(self.push(pr, name, commit, &standing))
        });
        let (reason, update) = decided.unwrap_or_else(|reason| (reason, None));
        let tested = match (&update, &standing) {
            (Some(update), _) => TestedAs::Commit(update.commit.clone()),
            (None, Standing::This(at)) => TestedAs::Commit(at.commit.clone()),
            // The very commit that would be pushed again.
            (None, _) if reason == Reason::AlreadyPushed => {
                standing.at().map_or(TestedAs::Nothing, |at| TestedAs::Commit(at.clone()))
            }
            (None, Standing::Unknown(_)) => TestedAs::Unknown,
            (None, _) => TestedAs::Nothing,
        };
        // A head that GitLab tests is spoken for by its pipeline.
        let status = reason.status(self.rules).filter(|_| self.rules.post_statuses && tested == TestedAs::Nothing);
        let (head, base_ref) = (pr.head.clone(), pr.base_ref.clone());
        PrDecision { pr: pr.number, head, base_ref, branch: name.ok(), reason, update, status, tested }
    }

    fn standing<'i>(&self, input: &'i PrInput) -> Standing<'i>
    where
        Self: 'i,
    {
        let at = match input.branch.known() {
            Err(why) => return Standing::Unknown(why),
            Ok(None) => return Standing::Absent,
            Ok(Some(at)) => at,
        };
        let record = self.pushes.get(&at.commit).copied();
        let is_head = match record {
            Some(record) => record.head == input.pr.head,
            None => subject(at).is_some_and(|subject| subject.names(&input.pr.head)),
        };
        match record {
            _ if !is_head => Standing::Other(at),
            Some(record) if record.base_ref != input.pr.base_ref => Standing::OtherBase(at, &record.base_ref),
            _ => Standing::This(at),
        }
    }

    /// What to push, or the first reason not to.
    fn commit(&self, input: &PrInput, name: &BranchName, standing: &Standing) -> Step<Sha> {
        let pr = &input.pr;
        if let Some(pattern) = self.protected.iter().find(|pattern| matches_pattern(pattern, name.as_str())) {
            return Err(Reason::ProtectedName(pattern.clone()));
        }
        ended(pr).map_or(Ok(()), Err)?;
        if pr.is_draft && !self.rules.sync_drafts {
            return Err(Reason::Draft);
        }
        if let Standing::Unknown(why) = standing {
            return Err(Reason::GitLabUnknown(why.clone()));
        }
        let touched = pr.touched_at();
        if !input.asked && self.now.since(touched) > self.rules.stale_after {
            self.has_seen_checks(pr)?;
            return Err(Reason::Stale { since: touched });
        }
        if let Standing::This(at) = standing
            && !input.asked
            && !self.is_outdated(at)
        {
            return Err(Reason::AlreadyPushed);
        }
        self.has_checks(pr)?;
        self.has_label(pr)?;
        let trouble = input.trouble.as_ref().filter(|trouble| trouble.holds(&pr.head, self.now));
        if let Some(trouble) = trouble.filter(|_| !input.asked) {
            let (until, tries, why) = (trouble.until(), trouble.tries, trouble.why.clone());
            return Err(Reason::BackOff { until, tries, why });
        }
        let commit = match &self.rules.main {
            Some(main) if *pr.base_ref == *main.as_str() && !self.is_urgent(pr)? => self.on_main(input, main)?,
            _ => test_merge(input)?,
        };
        // Merges are deterministic: what was pushed and forgotten is found again.
        if standing.at() == Some(&commit) { Err(Reason::AlreadyPushed) } else { Ok(commit) }
    }

    fn push(
        &self,
        pr: &PullRequest,
        name: &BranchName,
        commit: Sha,
        standing: &Standing,
    ) -> (Reason, Option<RefUpdate>) {
        let reason = match standing {
            Standing::Unknown(_) | Standing::Absent => Reason::FirstPush,
            Standing::Other(_) => Reason::NewHead,
            Standing::OtherBase(_, from) => Reason::Retargeted { from: Arc::clone(from), to: pr.base_ref.clone() },
            Standing::This(_) => Reason::Refresh { onto: self.tested().cloned().unwrap_or_else(|| commit.clone()) },
        };
        let expects = standing.at().cloned().map_or(Expects::Absent, Expects::At);
        (reason, Some(RefUpdate::branch(name, commit, expects)))
    }

    fn tested(&self) -> Option<&Sha> {
        match self.main {
            Main::Known { tested, .. } => tested.as_ref(),
            Main::Unknown(_) => None,
        }
    }

    /// Whether a pushed head is to be merged again.
    fn is_outdated(&self, at: &OnGitLab) -> bool {
        let Some(tested) = self.tested().filter(|_| self.rules.refresh) else { return false };
        match self.pushes.get(&at.commit) {
            Some(record) => {
                let is_main = self.rules.main.as_ref().is_some_and(|main| *main.as_str() == *record.base_ref);
                is_main && record.onto != *tested
            }
            None => subject(at).is_some_and(|subject| subject.into != tested.as_str()),
        }
    }

    /// Nothing can be stale while checks that count may have ended unseen.
    fn has_seen_checks(&self, pr: &PullRequest) -> Step<()> {
        let is_unseen = |name: &&Arc<str>| pr.checks.has(|run| run.name == **name).is_none();
        let unseen = self.rules.prerequisites.iter().find(is_unseen);
        unseen.map_or(Ok(()), |name| Err(Reason::ChecksUnknown(name.clone())))
    }

    fn has_checks(&self, pr: &PullRequest) -> Step<()> {
        self.has_seen_checks(pr)?;
        for name in &self.rules.prerequisites {
            let run = pr.checks.listed.iter().find(|run| run.name == *name);
            if run.and_then(|run| run.conclusion) != Some(Conclusion::Success) {
                return Err(Reason::Check(name.clone()));
            }
        }
        Ok(())
    }

    fn has_label(&self, pr: &PullRequest) -> Step<()> {
        let Some(label) = &self.rules.required_label else { return Ok(()) };
        match pr.has_label(label) {
            Some(true) => Ok(()),
            Some(false) => Err(Reason::MissingLabel(label.clone())),
            None => Err(Reason::LabelsUnknown),
        }
    }

    fn is_urgent(&self, pr: &PullRequest) -> Step<bool> {
        pr.has_label(&self.rules.urgent_label).ok_or(Reason::LabelsUnknown)
    }

    /// The head merged into the newest commit of main that was tested, if it branched off before that.
    fn on_main(&self, input: &PrInput, main: &BranchName) -> Step<Sha> {
        let name: Arc<str> = main.as_str().into();
        let onto = match self.main {
            Main::Unknown(why) => return Err(Reason::MainUnknown(why.clone())),
            Main::Known { tested: None, .. } => return Err(Reason::NothingTested { main: name }),
            Main::Known { tested: Some(tested), .. } => tested,
        };
        let head = &input.pr.head;
        let look = Want::Ancestry { head: head.clone(), onto: onto.clone() };
        let ancestry = looked(&input.ancestry, look, |found| found.asked == *head && found.onto == *onto)?;
        if ancestry.fetched != *head {
            return Err(Reason::OutOfSync { fetched: ancestry.fetched.clone(), told: head.clone() });
        }
        if ancestry.merge_base.is_none() {
            return Err(Reason::Unrelated { with: name });
        }
        if !ancestry.base_is_tested {
            return Err(Reason::BaseTooNew { main: name, tested: onto.clone() });
        }
        let look = Want::Merge { head: head.clone(), onto: onto.clone() };
        let merge = looked(&input.merge, look, |found| found.head == *head && found.onto == *onto)?;
        merge.commit.clone().ok_or(Reason::Conflict { with: name })
    }
}

/// GitHub's own merge.
fn test_merge(input: &PrInput) -> Step<Sha> {
    let pr = &input.pr;
    let told = match (pr.mergeable, &pr.test_merge) {
        (Mergeable::Conflicting, _) => return Err(Reason::GitHubConflict),
        (Mergeable::Yes, Some(told)) => told,
        (Mergeable::Yes, None) | (Mergeable::Unknown, _) => return Err(Reason::MergeabilityUnknown),
    };
    let found = looked(&input.test_merge, Want::TestMerge { commit: told.clone() }, |found| found.asked == *told)?;
    if found.head != pr.head {
        return Err(Reason::OutOfSync { fetched: found.head.clone(), told: pr.head.clone() });
    }
    if found.fetched != *told {
        return Err(Reason::OldTestMerge { fetched: found.fetched.clone(), told: told.clone() });
    }
    Ok(told.clone())
}

/// A fact, if somebody looked for it and it is still about the same.
fn looked<T>(fact: &Looked<T>, look: Want, is_same: impl FnOnce(&T) -> bool) -> Step<&T> {
    match fact {
        Looked::Found(found) if is_same(found) => Ok(found),
        Looked::Found(_) | Looked::NotYet => Err(Reason::Look(look)),
        Looked::Failed(Fault { why, passes: true }) => Err(Reason::GitFailed(why.clone())),
        Looked::Failed(Fault { why, passes: false }) => Err(Reason::CheckoutFailed(why.clone())),
    }
}

fn ended(pr: &PullRequest) -> Option<Reason> {
    match pr.state {
        PrState::Open => None,
        PrState::Closed => Some(Reason::Closed),
        PrState::Merged => Some(Reason::Merged),
    }
}

fn subject(at: &OnGitLab) -> Option<MergeSubject<'_>> {
    at.subject.as_deref().and_then(MergeSubject::parse)
}

/// GitLab's patterns of protected branches: `*` stands for any text.
fn matches_pattern(pattern: &str, name: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| name.strip_prefix(first)) else { return false };
    let mut parts: Vec<&str> = parts.collect();
    let Some(last) = parts.pop() else { return rest.is_empty() };
    for part in parts {
        let Some(at) = rest.find(part) else { return false };
        rest = rest.get(at + part.len()..).unwrap_or_default();
    }
    rest.ends_with(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn patterns_of_protected_branches_are_gitlabs() {
        for (pattern, name, matches) in [
            ("develop", "develop", true),
            ("develop", "develop2", false),
            ("releases/*", "releases/v1.0", true),
            ("pr*", "pr12_x", true),
            ("*-stable", "pr12_x-stable", true),
            ("*-stable", "-stabl", false),
            ("a*b*c", "aXbYc", true),
            ("a*b*c", "ac", false),
            ("a*a", "a", false),
            ("*", "pr1_x", true),
            ("", "pr1_x", false),
        ] {
            assert_eq!(matches_pattern(pattern, name), matches, "{pattern} {name}");
        }
    }
}
