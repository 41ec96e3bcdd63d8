//! Which statuses GitHub is told: only those that it does not have.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::names::MergeSubject;
use super::pipelines::newest_per_sha;
use super::{Looked, PipelineSeen, PrDecision, PushRecord, Rules, TestedAs, Trouble};
use crate::ci::{PipelineId, Status, Timestamp, pull_request_of};
use crate::forge::{CommitState, CommitStatus, PrNumber, Sha};

/// How a pipeline's status reads on GitHub; `None` where nothing is told.
///
/// Canceled is usually the work of a push that brought another commit, which gets its own. What GitLab did not tell, or tells in a word that
/// this version does not know, is not told on.
pub fn told_of(status: Option<Status>) -> Option<(CommitState, &'static str)> {
    let told = match status? {
        Status::Created => (CommitState::Pending, "Pipeline has been created"),
        Status::WaitingForResource => (CommitState::Pending, "Pipeline is waiting for resources"),
        Status::Preparing => (CommitState::Pending, "Pipeline is preparing"),
        Status::WaitingForCallback => (CommitState::Pending, "Pipeline is waiting for a callback"),
        Status::Pending => (CommitState::Pending, "Pipeline is pending"),
        Status::Running => (CommitState::Pending, "Pipeline is running"),
        Status::Manual => (CommitState::Pending, "Pipeline is running manually"),
        Status::Scheduled => (CommitState::Pending, "Pipeline is scheduled"),
        Status::Failed => (CommitState::Error, "Pipeline failed"),
        Status::Skipped => (CommitState::Failure, "Pipeline was skipped"),
        Status::Success => (CommitState::Success, "Pipeline succeeded"),
        Status::Canceling | Status::Canceled | Status::Unknown(_) => return None,
    };
    Some(told)
}

/// What GitHub is known to show on a commit, and what it refused to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Posted {
    pub sha: Sha,
    pub context: Arc<str>,
    /// The newest that was accepted, or that GitHub showed.
    pub status: Option<CommitStatus>,
    pub refused: Option<PostRefusal>,
}

/// Why GitHub would not take a status.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PostRefusal {
    /// The commit has 1,000 of this context. It never takes another one.
    Full,
    /// GitHub has no such commit: somebody pushed it to GitLab alone.
    NoCommit,
    Failed(Trouble),
}

/// A status that GitHub is to be told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusToPost {
    pub sha: Sha,
    pub status: CommitStatus,
    pub source: StatusSource,
}

/// What a status rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusSource {
    Pipeline(PipelineId),
    Decision(PrNumber),
}

/// A status that is not posted although GitHub does not have it, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusHeld {
    pub sha: Sha,
    pub source: StatusSource,
    pub why: StatusHold,
}

/// Why a status is held back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StatusHold {
    Full,
    NoCommit,
    BackOff {
        until: Timestamp,
        why: Arc<str>,
    },
    /// Which head the commit tests has to be looked up in its subject first.
    Look,
    /// Its subject could not be read.
    Unknown(Arc<str>),
}

impl StatusHold {
    /// Nothing will come of it, however often it is tried.
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Full | Self::NoCommit)
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Full => "full",
            Self::NoCommit => "no_commit",
            Self::BackOff { .. } => "back_off",
            Self::Look => "look",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for StatusHold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Full => f.write_str("GitHub takes no more than 1,000 statuses of one context on a commit"),
            Self::NoCommit => f.write_str("GitHub has no such commit"),
            Self::BackOff { until, why } => write!(f, "GitHub refused it, and is left alone until {until}: {why}"),
            Self::Look => f.write_str("which head the commit tests has to be looked up"),
            Self::Unknown(why) => write!(f, "which head the commit tests is not known: {why}"),
        }
    }
}

/// The statuses of a pass.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StatusPlan {
    /// What people wait for first: ends before beginnings, pipelines before explanations. A budget that is too small cuts off the end.
    pub post: Vec<StatusToPost>,
    /// How many GitHub has already.
    pub unchanged: usize,
    pub held: Vec<StatusHeld>,
}

/// What a status plan is made from.
pub(super) struct StatusInput<'a> {
    pub rules: &'a Rules,
    pub decisions: &'a [PrDecision],
    pub pipelines: &'a [PipelineSeen],
    pub protected: &'a [Arc<str>],
    pub pushes: &'a HashMap<&'a Sha, &'a PushRecord>,
    pub posted: &'a [Posted],
    pub now: Timestamp,
}

impl StatusPlan {
    pub(super) fn make(input: &StatusInput) -> Self {
        let mut plan = Self::default();
        if !input.rules.post_statuses {
            return plan;
        }
        let mut wanted = input.of_pipelines(&mut plan.held);
        wanted.extend(input.of_decisions());
        let context = |name: &str| name.to_ascii_lowercase();
        let posted: HashMap<(&Sha, String), &Posted> =
            input.posted.iter().map(|one| ((&one.sha, context(&one.context)), one)).collect();
        for wanted in wanted {
            let before = posted.get(&(&wanted.sha, context(&wanted.status.context)));
            if before.is_some_and(|before| before.status.as_ref() == Some(&wanted.status)) {
                plan.unchanged += 1;
                continue;
            }
            let why = match before.and_then(|before| before.refused.as_ref()) {
                Some(PostRefusal::Full) => StatusHold::Full,
                Some(PostRefusal::NoCommit) => StatusHold::NoCommit,
                Some(PostRefusal::Failed(trouble)) if trouble.holds(&wanted.sha, input.now) => {
                    StatusHold::BackOff { until: trouble.until(), why: trouble.why.clone() }
                }
                _ => {
                    plan.post.push(wanted);
                    continue;
                }
            };
            plan.held.push(StatusHeld { sha: wanted.sha, source: wanted.source, why });
        }
        plan.post.sort_by_key(|one| (!one.status.state.is_end(), matches!(one.source, StatusSource::Decision(_))));
        plan
    }
}

impl StatusInput<'_> {
    /// What decisions say. Several pull requests may have one head: then a pipeline speaks for it if there is one, and otherwise the first of
    /// them, so that they do not overwrite each other in every pass.
    fn of_decisions(&self) -> Vec<StatusToPost> {
        let tested = self.decisions.iter().filter(|decision| decision.tested != TestedAs::Nothing);
        let mut spoken_for: HashSet<&Sha> = tested.map(|decision| &decision.head).collect();
        let told = |decision: &PrDecision| {
            let status = decision.status.clone()?;
            Some(StatusToPost { sha: decision.head.clone(), status, source: StatusSource::Decision(decision.pr) })
        };
        let mut wanted = Vec::new();
        for decision in self.decisions {
            if let Some(one) = told(decision)
                && spoken_for.insert(&decision.head)
            {
                wanted.push(one);
            }
        }
        wanted
    }

    /// What pipelines say, one status for each commit of GitHub.
    fn of_pipelines(&self, held: &mut Vec<StatusHeld>) -> Vec<StatusToPost> {
        let decisions: HashMap<PrNumber, &PrDecision> = self.decisions.iter().map(|one| (one.pr, one)).collect();
        let mut newest: HashMap<Sha, &PipelineSeen> = HashMap::new();
        let mut order = Vec::new();
        for seen in newest_per_sha(self.pipelines) {
            let target = match pull_request_of(&seen.git_ref) {
                _ if self.protected.contains(&seen.git_ref) => Ok(seen.sha.clone()),
                None => continue,
                Some((number, _)) => {
                    let decision = decisions.get(&PrNumber(number)).copied();
                    let is_superseded = |one: &PrDecision| !speaks_for(&one.tested, &seen.sha);
                    match self.head_of(seen) {
                        Ok(head) if decision.filter(|one| one.head == head).is_some_and(is_superseded) => {
                            continue;
                        }
                        // Whose commit nobody remembers and nobody has is of no head that somebody waits for.
                        Err(_) if matches!(&seen.subject, Looked::Failed(fault) if !fault.passes) => continue,
                        // An open head that is tested as something else does not need it.
                        Err(_) if decision.is_some_and(is_superseded) => continue,
                        target => target,
                    }
                }
            };
            match target {
                Err(why) => {
                    held.push(StatusHeld { sha: seen.sha.clone(), source: StatusSource::Pipeline(seen.id), why });
                }
                Ok(sha) => match newest.get_mut(&sha) {
                    // Merges of one head into several commits: the newest pipeline counts, whichever ends last.
                    Some(kept) if seen.id > kept.id => *kept = seen,
                    Some(_) => {}
                    None => {
                        order.push(sha.clone());
                        newest.insert(sha, seen);
                    }
                },
            }
        }
        let told = |sha: Sha| {
            let seen = newest.get(&sha)?;
            let (state, text) = told_of(seen.status)?;
            let status = CommitStatus::new(&self.rules.status_context, state, text, seen.web_url.as_deref());
            Some(StatusToPost { sha, status, source: StatusSource::Pipeline(seen.id) })
        };
        order.into_iter().filter_map(told).collect()
    }

    /// The head that a pipeline of a pull request tests: as it is remembered, or as the subject says, or the commit itself.
    fn head_of(&self, seen: &PipelineSeen) -> Result<Sha, StatusHold> {
        if let Some(record) = self.pushes.get(&seen.sha) {
            return Ok(record.head.clone());
        }
        let subject = match &seen.subject {
            Looked::NotYet => return Err(StatusHold::Look),
            Looked::Failed(fault) => return Err(StatusHold::Unknown(fault.why.clone())),
            Looked::Found(subject) => subject,
        };
        let head = subject.as_deref().and_then(MergeSubject::parse).and_then(|subject| Sha::parse(subject.head).ok());
        Ok(head.unwrap_or_else(|| seen.sha.clone()))
    }
}

/// Whether a pipeline of this commit says something about the head.
fn speaks_for(tested: &TestedAs, commit: &Sha) -> bool {
    match tested {
        TestedAs::Unknown => true,
        TestedAs::Nothing => false,
        TestedAs::Commit(one) => one == commit,
    }
}
