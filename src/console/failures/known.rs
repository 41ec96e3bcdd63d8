//! What is known about failed jobs, and which of them nobody has judged yet.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::ci::{Job, JobId, JobKind, Status, Timestamp};
use crate::taxonomy::Failure;

/// Failures kept in memory; the store keeps more, for longer.
const KEPT: usize = 20_000;

/// Failures by job.
#[derive(Debug, Clone, Default)]
pub struct Failures {
    known: BTreeMap<JobId, Arc<Failure>>,
    due: BTreeSet<JobId>,
    /// What the store remembers has been told.
    pub(in crate::console) recalled: bool,
}

impl Failures {
    /// The failure of a job, when its log was judged.
    pub fn get(&self, job: JobId) -> Option<&Arc<Failure>> {
        self.known.get(&job)
    }

    /// Every failure that is known, the oldest job first.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Arc<Failure>> {
        self.known.values()
    }

    /// From when on every failure that was judged is here; `None`: none was dropped.
    pub fn reaches_back_to(&self) -> Option<Timestamp> {
        self.known.values().next().filter(|_| self.known.len() >= KEPT).map(|oldest| oldest.at)
    }

    /// Whether what the store remembers is known.
    pub fn is_recalled(&self) -> bool {
        self.recalled
    }

    /// Jobs to judge, the newest first.
    pub fn due(&self) -> impl Iterator<Item = JobId> {
        self.due.iter().rev().copied()
    }

    /// How many jobs are still to be judged.
    pub fn due_count(&self) -> usize {
        self.due.len()
    }

    /// Takes note of a judged failure.
    pub(in crate::console) fn note(&mut self, failure: Arc<Failure>) {
        self.due.remove(&failure.job);
        self.known.insert(failure.job, failure);
        while self.known.len() > KEPT {
            self.known.pop_first();
        }
    }

    /// Takes note of a job as it is now: one that failed is to be judged once.
    pub(in crate::console) fn see(&mut self, job: &Job) {
        let wanted = job.status == Status::Failed
            && job.kind == JobKind::Build
            && !job.retried
            && !self.known.contains_key(&job.id);
        if wanted {
            self.due.insert(job.id);
        } else {
            self.due.remove(&job.id);
        }
    }

    /// Other rules judge from now on: what no rule knew is judged again, of the jobs for which `is_live` holds.
    pub(in crate::console) fn reconsider(&mut self, rules: &str, is_live: impl Fn(JobId) -> bool) {
        let unknown = self.known.values().filter(|failure| !failure.is_known() && &*failure.rules != rules);
        let again: Vec<JobId> = unknown.map(|failure| failure.job).filter(|job| is_live(*job)).collect();
        self.due.extend(again);
    }

    /// A job is no longer known.
    pub(in crate::console) fn forget(&mut self, job: JobId) {
        self.due.remove(&job);
    }
}
