//! One pod of a job.

use std::sync::Arc;

use serde_json::Value;

use super::pools::Rule;
use crate::ci::{JobId, Timestamp};

/// How it fares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// The scheduler has not looked at it yet.
    Fresh,
    /// No node takes it, says the scheduler.
    Waiting(String),
    /// It has a node, and its containers are being made.
    Creating,
    /// It has a node, and its image does not come.
    ImageMissing,
    Running,
    Over(Outcome),
}

/// How it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    Succeeded,
    /// The script ended with this code.
    Failed(i32),
    OutOfMemory,
    /// The kubelet put it off the node.
    Evicted(&'static str),
    /// Its machine went.
    Shutdown,
}

/// The pod of a job, from the moment at which its runner took the job.
#[derive(Debug)]
pub struct JobPod {
    pub job: JobId,
    pub runner: usize,
    /// Which of the runner's jobs it is.
    pub slot: u32,
    pub rule: Rule,
    pub name: Arc<str>,
    pub uid: String,
    /// Labels and annotations.
    pub labels: Value,
    pub annotations: Value,
    pub image: &'static str,
    pub build_cpu: &'static str,
    pub build_memory: &'static str,
    /// Millis of processors and bytes, of all containers.
    pub cpu: u64,
    pub memory: u64,
    pub created: Timestamp,
    pub planned_end: Timestamp,
    /// How its job will fail.
    pub fate: Option<&'static str>,
    pub state: State,
    /// Its node.
    pub machine: Option<u32>,
    /// The machine that it waits for.
    pub promised: Option<u32>,
    /// Since when the state is what it is.
    pub since: Timestamp,
    pub bound: Option<Timestamp>,
    pub started: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    /// Tells one wait for a machine from the next.
    pub tries: u32,
    /// Its script does nothing after a quarter of its time.
    pub hangs: bool,
}

/// What a pod has used by a moment.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Used {
    /// Seconds of processors.
    pub cpu: f64,
    /// Bytes of memory.
    pub memory: u64,
    /// Bytes of its network.
    pub received: u64,
    pub sent: u64,
}

impl JobPod {
    pub fn has_fate(&self, fates: &[&str]) -> bool {
        self.fate.is_some_and(|fate| fates.contains(&fate))
    }

    /// What it has used by a moment at which its script runs; `None` at any other.
    pub fn used_at(&self, at: Timestamp) -> Option<Used> {
        let started = self.started.filter(|started| *started <= at && self.state == State::Running)?;
        let quiet_from = started.shifted(self.planned_end.since(started).as_millis() as i64 / 4);
        let busy = if self.hangs { at.min(quiet_from) } else { at }.since(started).as_secs();
        Some(Used {
            cpu: busy as f64 * self.cpu as f64 / 1_100.0,
            // It is never the same for long while anything happens.
            memory: 300_000_000 + busy * 7_919_003 % (self.memory / 2).max(1),
            received: 40_000_000 + busy * 21_000,
            sent: 900_000 + busy * 3_100,
        })
    }
}
