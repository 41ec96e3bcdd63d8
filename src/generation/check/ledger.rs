//! What was found about the newest generations, as it is written down.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::Finding;
use crate::ci::{JobId, PipelineId, Timestamp};

/// So many generations are remembered, the newest ones.
const KEPT: usize = 1_000;
/// Findings of one generation that are remembered; the rest is counted.
const NAMED: usize = 20;
/// So often a generation is looked at of which something could not be read.
const TRIES: u32 = 5;
/// How long it is left alone after the first look; twice as long after each more.
const ALONE: Duration = Duration::from_mins(2);

/// Generations by their generate job.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ledger {
    rows: BTreeMap<JobId, Checked>,
}

/// One generate job that has ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checked {
    pub job: JobId,
    /// The parent pipeline.
    pub pipeline: PipelineId,
    pub git_ref: Arc<str>,
    pub stack: Arc<str>,
    /// When it was looked at, by GitLab's clock.
    pub at: Timestamp,
    /// How often that was.
    pub tries: u32,
    #[serde(flatten)]
    pub outcome: Outcome,
}

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "outcome", rename_all = "snake_case")]
pub enum Outcome {
    /// The pipeline was held against its lock and the caches.
    Judged {
        /// Specs that it builds.
        built: usize,
        findings: Vec<Finding>,
        /// Findings that are not told.
        more: usize,
    },
    /// The generate job failed, so there is no pipeline.
    Failed { reason: Arc<str> },
    /// Something could not be read.
    Unknown {
        why: Arc<str>,
        /// It may be read later.
        passes: bool,
    },
}

impl Outcome {
    pub fn judged(built: usize, mut findings: Vec<Finding>) -> Self {
        let more = findings.len().saturating_sub(NAMED);
        findings.truncate(NAMED);
        Self::Judged { built, findings, more }
    }

    /// One word for tables.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Judged { findings, .. } if findings.is_empty() => "ok",
            Self::Judged { .. } => "broken",
            Self::Failed { .. } => "failed",
            Self::Unknown { .. } => "unknown",
        }
    }

    pub const fn is_broken(&self) -> bool {
        matches!(self, Self::Judged { findings, .. } if !findings.is_empty())
    }
}

impl std::fmt::Display for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Judged { built, findings, more } => match &**findings {
                [] => write!(f, "{built} jobs find what they install"),
                [first] => first.fmt(f),
                [first, rest @ ..] => write!(f, "{first}; {} more", rest.len() + more),
            },
            Self::Failed { reason } => write!(f, "not generated: {reason}"),
            Self::Unknown { why, .. } => write!(f, "not known: {why}"),
        }
    }
}

impl Ledger {
    /// Whether nothing more is to be found out about a generate job.
    pub fn is_settled(&self, job: JobId) -> bool {
        match self.rows.get(&job).map(|row| (&row.outcome, row.tries)) {
            Some((Outcome::Unknown { passes, .. }, tries)) => !passes || tries >= TRIES,
            Some((Outcome::Judged { .. } | Outcome::Failed { .. }, _)) => true,
            // Whatever is older than all that is remembered was forgotten, and is not looked at again.
            None => self.rows.len() >= KEPT && self.rows.keys().next().is_some_and(|oldest| job < *oldest),
        }
    }

    /// Whether a generate job is to be looked at now.
    pub fn is_due(&self, job: JobId, now: Timestamp) -> bool {
        let Some(row) = self.rows.get(&job) else { return !self.is_settled(job) };
        !self.is_settled(job) && now >= row.at.plus(ALONE * (1 << row.tries.saturating_sub(1).min(TRIES)))
    }

    /// Writes down what was found; the oldest row is forgotten.
    pub fn put(&mut self, row: Checked) {
        let tries = self.rows.get(&row.job).map_or(0, |known| known.tries) + 1;
        self.rows.insert(row.job, Checked { tries, ..row });
        if self.rows.len() > KEPT {
            self.rows.pop_first();
        }
    }

    /// The newest first.
    pub fn rows(&self) -> impl DoubleEndedIterator<Item = &Checked> {
        self.rows.values().rev()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(job: u64, outcome: Outcome) -> Checked {
        let at = Timestamp::from_millis(0);
        let (git_ref, stack) = ("develop".into(), "e4s".into());
        Checked { job: JobId(job), pipeline: PipelineId(1), git_ref, stack, at, tries: 0, outcome }
    }

    #[test]
    fn what_may_be_read_later_is_tried_a_few_times() {
        let mut ledger = Ledger::default();
        let unknown = |passes| Outcome::Unknown { why: "502".into(), passes };
        for tries in 1..=TRIES {
            ledger.put(row(1, unknown(true)));
            assert_eq!(ledger.is_settled(JobId(1)), tries == TRIES);
            let waits = 120_000 * (1 << (tries - 1));
            let is_due = |at| ledger.is_due(JobId(1), Timestamp::from_millis(at));
            assert_eq!((is_due(waits - 1), is_due(waits)), (false, tries < TRIES));
        }
        ledger.put(row(2, unknown(false)));
        assert!(ledger.is_settled(JobId(2)) && !ledger.is_settled(JobId(3)));
    }

    #[test]
    fn the_newest_are_kept_and_read_back() {
        let mut ledger = Ledger::default();
        for job in 0..KEPT as u64 + 5 {
            ledger.put(row(job, Outcome::judged(7, vec![Finding::Foreign { job: "x".into() }; NAMED + 3])));
        }
        let jobs: Vec<u64> = ledger.rows().map(|row| row.job.0).collect();
        assert_eq!((jobs.len(), jobs[0], jobs[KEPT - 1]), (KEPT, KEPT as u64 + 4, 5));
        let now = Timestamp::from_millis(0);
        assert!(ledger.is_settled(JobId(4)) && !ledger.is_due(JobId(4), now) && ledger.is_due(JobId(9_999), now));
        let text = serde_json::to_string(&ledger).unwrap();
        assert_eq!(serde_json::from_str::<Ledger>(&text).unwrap(), ledger);
        let outcome = &ledger.rows().next().unwrap().outcome;
        assert_eq!(outcome.to_string(), "x builds what the lock does not have; 22 more");
    }
}
