//! Pipelines that never end: they are canceled with their children, and their branch gets a new one.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::bridge::Looked;
use crate::ci::{PipelineId, Status, Timestamp, short};
use crate::forge::Sha;

/// A pipeline that GitLab lists as running.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LongPipeline {
    pub id: PipelineId,
    pub git_ref: Arc<str>,
    pub sha: Sha,
    pub status: Status,
    pub created_at: Option<Timestamp>,
    /// Those that its trigger jobs started.
    pub children: Looked<Vec<(PipelineId, Status)>>,
    /// Where its branch is now; `Found(None)`: it is gone.
    pub branch: Looked<Option<Sha>>,
    /// A newer pipeline of the same branch.
    pub newer: Looked<Option<PipelineId>>,
}

/// One request, in the order in which they are sent. Each is sent when the one before has been seen to have worked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckStep {
    Cancel(PipelineId),
    /// Last of all: before that, GitLab would take the new one for a reason to cancel the old one, or the other way round.
    Start {
        git_ref: Arc<str>,
        sha: Sha,
    },
}

/// Whether a pipeline is canceled, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StuckReason {
    /// It is, and its branch gets a new one.
    Restart {
        after: Duration,
    },
    /// It is, but nothing new is started: the branch is gone or has moved on.
    Cancel {
        after: Duration,
    },
    NotRunning(Status),
    Young {
        until: Timestamp,
    },
    Unknown(Arc<str>),
}

impl StuckReason {
    /// Whether something is to be done.
    pub const fn acts(&self) -> bool {
        matches!(self, Self::Restart { .. } | Self::Cancel { .. })
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Restart { .. } => "restart",
            Self::Cancel { .. } => "cancel",
            Self::NotRunning(_) => "not_running",
            Self::Young { .. } => "young",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for StuckReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Restart { after } => write!(f, "it has been running for {}", short(*after)),
            Self::Cancel { after } => {
                write!(f, "it has been running for {}, and its branch is gone or has moved on", short(*after))
            }
            Self::NotRunning(status) => write!(f, "it is {status}"),
            Self::Young { until } => write!(f, "it may run until {until}"),
            Self::Unknown(why) => write!(f, "not enough is known: {why}"),
        }
    }
}

impl LongPipeline {
    /// How long a pipeline may run.
    pub const MOST: Duration = Duration::from_secs(86_400);

    /// Judges one pipeline, and tells what has to be done.
    pub fn judge(&self, most: Duration, now: Timestamp) -> (StuckReason, Vec<StuckStep>) {
        self.known(most, now).unwrap_or_else(|why| (StuckReason::Unknown(why), Vec::new()))
    }

    fn known(&self, most: Duration, now: Timestamp) -> Result<(StuckReason, Vec<StuckStep>), Arc<str>> {
        if self.status != Status::Running {
            return Ok((StuckReason::NotRunning(self.status), Vec::new()));
        }
        let created_at = self.created_at.ok_or("when it was created was not told")?;
        let after = now.since(created_at);
        if after <= most {
            return Ok((StuckReason::Young { until: created_at.plus(most) }, Vec::new()));
        }
        let (children, branch, newer) = (self.children.known()?, self.branch.known()?, self.newer.known()?);
        let alive = children.iter().filter(|(_, status)| status.is_cancelable());
        let mut steps: Vec<StuckStep> = alive.map(|(id, _)| StuckStep::Cancel(*id)).collect();
        steps.push(StuckStep::Cancel(self.id));
        if newer.is_some() || branch.as_ref() != Some(&self.sha) {
            return Ok((StuckReason::Cancel { after }, steps));
        }
        steps.push(StuckStep::Start { git_ref: self.git_ref.clone(), sha: self.sha.clone() });
        Ok((StuckReason::Restart { after }, steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const HOUR: i64 = 3_600_000;

    fn sha(digit: &str) -> Sha {
        Sha::parse(&digit.repeat(40)).unwrap()
    }

    fn long() -> LongPipeline {
        LongPipeline {
            id: PipelineId(10),
            git_ref: "develop".into(),
            sha: sha("a"),
            status: Status::Running,
            created_at: Some(NOW.shifted(-25 * HOUR)),
            children: Looked::Found(vec![(PipelineId(11), Status::Running), (PipelineId(12), Status::Success)]),
            branch: Looked::Found(Some(sha("a"))),
            newer: Looked::Found(None),
        }
    }

    fn judge(pipeline: LongPipeline) -> (&'static str, Vec<StuckStep>) {
        let (reason, steps) = pipeline.judge(LongPipeline::MOST, NOW);
        assert_eq!(reason.acts(), !steps.is_empty());
        (reason.word(), steps)
    }

    #[test]
    fn the_old_one_is_canceled_before_a_new_one_starts() {
        let cancel = |id| StuckStep::Cancel(PipelineId(id));
        let start = StuckStep::Start { git_ref: "develop".into(), sha: sha("a") };
        assert_eq!(judge(long()), ("restart", vec![cancel(11), cancel(10), start]));
        for moved in [
            LongPipeline { branch: Looked::Found(None), ..long() },
            LongPipeline { branch: Looked::Found(Some(sha("b"))), ..long() },
            LongPipeline { newer: Looked::Found(Some(PipelineId(20))), ..long() },
        ] {
            assert_eq!(judge(moved), ("cancel", vec![cancel(11), cancel(10)]));
        }
    }

    #[test]
    fn a_day_is_24_hours_and_not_a_rounded_number() {
        let aged = |millis: i64| judge(LongPipeline { created_at: Some(NOW.shifted(-millis)), ..long() }).0;
        assert_eq!([aged(24 * HOUR), aged(24 * HOUR + 1), aged(47 * HOUR)], ["young", "restart", "restart"]);
    }

    #[test]
    fn what_is_not_known_cancels_nothing() {
        for unknown in [
            LongPipeline { created_at: None, ..long() },
            LongPipeline { children: Looked::NotYet, ..long() },
            LongPipeline { branch: Looked::NotYet, ..long() },
            LongPipeline { newer: Looked::NotYet, ..long() },
        ] {
            assert_eq!(judge(unknown), ("unknown", Vec::new()));
        }
        assert_eq!(judge(LongPipeline { status: Status::Success, ..long() }).0, "not_running");
    }
}
