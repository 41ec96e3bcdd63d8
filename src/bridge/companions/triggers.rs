//! Trigger jobs that died because the generate job's pipeline was not there yet, and that GitLab does not start again when the generate job
//! is retried.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bridge::Looked;
use crate::ci::{JobId, PipelineId, Status, Timestamp};

/// A trigger job of a parent pipeline, with what its death is judged by.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TriggerJob {
    pub id: JobId,
    pub name: Arc<str>,
    pub parent: PipelineId,
    pub parent_updated_at: Option<Timestamp>,
    /// A newer job of the same name took its place.
    pub is_retried: bool,
    pub failure_reason: Option<Arc<str>>,
    /// The pipeline that it started, if it did.
    pub child: Option<(PipelineId, Status)>,
    /// How many jobs that has.
    pub child_jobs: Looked<usize>,
    /// Every job of the parent that generates for it, with the older tries.
    pub generates: Looked<Vec<(JobId, Status)>>,
}

/// Whether a trigger job is retried, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TriggerReason {
    /// It is: its generate job failed first and then succeeded.
    Retry {
        generate: JobId,
    },
    /// Its parent was not updated for too long.
    Old,
    AlreadyRetried,
    NoChild,
    ChildLives(Status),
    OtherFailure(Arc<str>),
    HasJobs(usize),
    /// No generate job failed before.
    NeverFailed,
    /// The newest generate job has not succeeded, so that a retry would die as well.
    NotGenerated(Status),
    Unknown(Arc<str>),
}

impl TriggerReason {
    /// Whether something is to be done.
    pub const fn acts(&self) -> bool {
        matches!(self, Self::Retry { .. })
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Retry { .. } => "retry",
            Self::Old => "old",
            Self::AlreadyRetried => "already_retried",
            Self::NoChild => "no_child",
            Self::ChildLives(_) => "child_lives",
            Self::OtherFailure(_) => "other_failure",
            Self::HasJobs(_) => "has_jobs",
            Self::NeverFailed => "never_failed",
            Self::NotGenerated(_) => "not_generated",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for TriggerReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Retry { generate } => write!(f, "its child is empty, and {generate} has generated since"),
            Self::Old => f.write_str("its pipeline has not changed for too long"),
            Self::AlreadyRetried => f.write_str("a newer job took its place"),
            Self::NoChild => f.write_str("it started no pipeline"),
            Self::ChildLives(status) => write!(f, "its child is {status}"),
            Self::OtherFailure(why) => write!(f, "it failed for another reason: {why}"),
            Self::HasJobs(count) => write!(f, "its child has {count} jobs"),
            Self::NeverFailed => f.write_str("its generate job never failed"),
            Self::NotGenerated(status) => write!(f, "its newest generate job is {status}"),
            Self::Unknown(why) => write!(f, "not enough is known: {why}"),
        }
    }
}

impl TriggerJob {
    /// How long after its last change a parent is looked at.
    pub const WINDOW: Duration = Duration::from_secs(2 * 3_600);

    /// The name of the job that generates for it: `e4s-build` → `e4s-generate`.
    pub fn generate_name(&self) -> String {
        self.name.replace("-build", "-generate")
    }

    /// Judges one trigger job. A retry makes a new one, so that none is retried twice.
    pub fn judge(&self, window: Duration, now: Timestamp) -> TriggerReason {
        let known = || -> Result<TriggerReason, Arc<str>> {
            let updated_at = self.parent_updated_at.ok_or("when its pipeline changed was not told")?;
            if now.since(updated_at) > window {
                return Ok(TriggerReason::Old);
            }
            if self.is_retried {
                return Ok(TriggerReason::AlreadyRetried);
            }
            match self.child {
                None => return Ok(TriggerReason::NoChild),
                Some((_, Status::Failed)) => {}
                Some((_, status)) => return Ok(TriggerReason::ChildLives(status)),
            }
            let failure = self.failure_reason.as_ref().ok_or("why it failed was not told")?;
            if &**failure != "unknown_failure" {
                return Ok(TriggerReason::OtherFailure(failure.clone()));
            }
            let jobs = *self.child_jobs.known()?;
            if jobs > 0 {
                return Ok(TriggerReason::HasJobs(jobs));
            }
            let generates = self.generates.known()?;
            if !generates.iter().any(|(_, status)| *status == Status::Failed) {
                return Ok(TriggerReason::NeverFailed);
            }
            Ok(match generates.iter().max_by_key(|(id, _)| *id) {
                Some((generate, Status::Success)) => TriggerReason::Retry { generate: *generate },
                Some((_, status)) => TriggerReason::NotGenerated(*status),
                None => TriggerReason::NeverFailed,
            })
        };
        known().unwrap_or_else(TriggerReason::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    fn dead() -> TriggerJob {
        TriggerJob {
            id: JobId(30),
            name: "e4s-build".into(),
            parent: PipelineId(1),
            parent_updated_at: Some(NOW.shifted(-60_000)),
            is_retried: false,
            failure_reason: Some("unknown_failure".into()),
            child: Some((PipelineId(2), Status::Failed)),
            child_jobs: Looked::Found(0),
            generates: Looked::Found(vec![(JobId(10), Status::Failed), (JobId(20), Status::Success)]),
        }
    }

    #[test]
    fn only_a_dead_one_whose_generate_job_has_recovered_is_retried() {
        let generates = |jobs: &[(u64, Status)]| Looked::Found(jobs.iter().map(|(id, s)| (JobId(*id), *s)).collect());
        let (failed, success) = (Status::Failed, Status::Success);
        assert_eq!(dead().generate_name(), "e4s-generate");
        for (job, word) in [
            (dead(), "retry"),
            (TriggerJob { parent_updated_at: Some(NOW.shifted(-7_200_001)), ..dead() }, "old"),
            (TriggerJob { parent_updated_at: Some(NOW.shifted(-7_200_000)), ..dead() }, "retry"),
            (TriggerJob { is_retried: true, ..dead() }, "already_retried"),
            (TriggerJob { child: None, ..dead() }, "no_child"),
            (TriggerJob { child: Some((PipelineId(2), Status::Running)), ..dead() }, "child_lives"),
            (TriggerJob { failure_reason: Some("script_failure".into()), ..dead() }, "other_failure"),
            (TriggerJob { child_jobs: Looked::Found(3), ..dead() }, "has_jobs"),
            (TriggerJob { generates: generates(&[(20, success)]), ..dead() }, "never_failed"),
            (TriggerJob { generates: generates(&[]), ..dead() }, "never_failed"),
            (TriggerJob { generates: generates(&[(10, failed)]), ..dead() }, "not_generated"),
            (TriggerJob { generates: generates(&[(20, failed), (10, success)]), ..dead() }, "not_generated"),
            (TriggerJob { generates: generates(&[(20, success), (10, failed)]), ..dead() }, "retry"),
            (TriggerJob { child_jobs: Looked::NotYet, ..dead() }, "unknown"),
            (TriggerJob { generates: Looked::NotYet, ..dead() }, "unknown"),
            (TriggerJob { failure_reason: None, ..dead() }, "unknown"),
            (TriggerJob { parent_updated_at: None, ..dead() }, "unknown"),
        ] {
            let reason = job.judge(TriggerJob::WINDOW, NOW);
            assert_eq!(reason.word(), word, "{reason}: {job:?}");
            assert_eq!(reason.acts(), word == "retry");
        }
    }
}
