//! What is asked of the failures that are remembered, and what is kept beside them: later tries, acknowledgements, ends
//! of pipelines, and what automatic retries have cost. Plain rows: the store fills them, judgements and screens read
//! them.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ci::{JobId, PipelineId, Timestamp};

/// The name under which the store keeps which failed jobs were read.
pub const LIST: &str = "failures";

/// How long failures are remembered.
pub const RETENTION: Duration = Duration::from_hours(90 * 24);

/// What failures have in common in one group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum By {
    Class,
    /// The fingerprint, inside a class: rules that changed may have put equal failures into two classes.
    Signature,
    Rule,
    Owner,
    Stack,
    Runner,
    Host,
    Package,
    Compiler,
    GitRef,
}

/// Failures that have something in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// `None`: those that have none.
    pub key: Option<Arc<str>>,
    /// Of a group by class or signature.
    pub class: Option<Arc<str>>,
    /// What the evidence looks like. Of a group by signature.
    pub template: Option<Arc<str>>,
    pub count: u64,
    /// How many of them are new: not older than the moment that was asked for.
    pub new: u64,
    pub newest: Timestamp,
    pub oldest: Timestamp,
    /// The first failure ever seen of this class or signature, also before the range that was asked for.
    pub first_seen: Option<Timestamp>,
    /// Where most of them are, the greatest share first: at most [`SHARES`], without those whose place is unknown.
    pub stacks: Vec<Share>,
    pub runners: Vec<Share>,
    pub retries: Retries,
}

/// How many shares a group tells.
pub const SHARES: usize = 3;

/// How many failures of a group are in one place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    pub key: Arc<str>,
    pub count: u64,
}

/// What became of failed jobs that were tried again. Those that were not, or of which it is unknown, are not counted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retries {
    pub succeeded: u64,
    pub failed: u64,
}

impl Retries {
    /// How many tries are known to have ended.
    pub fn tried(self) -> u64 {
        self.succeeded + self.failed
    }

    /// The part that succeeded, in percent; `None` when nothing was tried.
    pub fn ok_percent(self) -> Option<u8> {
        let tried = self.tried();
        (self.succeeded * 100 + tried / 2).checked_div(tried).and_then(|percent| u8::try_from(percent).ok())
    }
}

/// Whose history is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind<'a> {
    Class(&'a str),
    Signature(&'a str),
}

/// What is known of a signature since it was first seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub first: Timestamp,
    pub last: Timestamp,
    pub template: Option<Arc<str>>,
}

/// How many jobs failed on one day.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DayCount {
    /// Its beginning, UTC.
    pub day: Timestamp,
    pub class: Arc<str>,
    pub count: u64,
}

/// Which failures are wanted; what is `None` does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FailureFilter {
    pub class: Option<Arc<str>>,
    pub fingerprint: Option<Arc<str>>,
    pub rule: Option<Arc<str>>,
    pub package: Option<Arc<str>>,
    pub stack: Option<Arc<str>>,
    pub runner: Option<Arc<str>>,
    pub host: Option<Arc<str>>,
    pub git_ref: Option<Arc<str>>,
    pub pipeline: Option<PipelineId>,
}

/// A piece of a list that is read newest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// At most so many.
    pub limit: u32,
    /// Only what comes after this failure: the last one of the piece before.
    pub after: Option<(Timestamp, JobId)>,
}

impl Piece {
    /// The newest ones.
    pub fn newest(limit: u32) -> Self {
        Self { limit, after: None }
    }
}

/// How the try after a failed job ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum TryEnd {
    Succeeded,
    Failed,
    /// It was canceled, or nobody saw its end.
    Unknown,
}

impl TryEnd {
    /// Its word on disk.
    pub fn word(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// Reads the word back.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Succeeded, Self::Failed, Self::Unknown].into_iter().find(|end| end.word() == word)
    }
}

/// A failed job was tried again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LaterTry {
    /// The job that had failed.
    pub job: JobId,
    pub ended: TryEnd,
    /// When the later try ended, or was last seen.
    pub at: Timestamp,
}

/// How a pipeline ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PipelineEnd {
    pub id: PipelineId,
    pub git_ref: Arc<str>,
    /// `None` for a parent.
    pub stack: Option<Arc<str>>,
    pub ok: bool,
    pub finished_at: Timestamp,
}

/// The number of an acknowledgement; it is never used for another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct AckId(pub i64);

impl fmt::Display for AckId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Somebody looks after a class of failures, or after one signature of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ack {
    pub class: Arc<str>,
    pub fingerprint: Option<Arc<str>>,
    pub who: Arc<str>,
    pub note: Arc<str>,
    /// It no longer holds at this moment. `None`: until it is removed.
    pub until: Option<Timestamp>,
    pub created: Timestamp,
}

/// How many jobs may be retried without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Allowance {
    /// Those retried earlier no longer count.
    pub since: Timestamp,
    pub of_class: u64,
    pub in_all: u64,
}

/// The answer to one wish to retry a job without being asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Spending {
    /// It is counted; retry it.
    Granted,
    /// This job had its turn.
    Again,
    /// So many were retried already.
    UsedUp { of_class: u64, in_all: u64 },
}
