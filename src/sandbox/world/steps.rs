//! What runners did with jobs, in order: all that the practice cluster has to know to have the right pods.

use crate::ci::{JobId, Status, Timestamp};

use super::super::mishaps::MishapId;
use super::{Refusal, World};

/// One thing that a runner did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Step {
    pub at: Timestamp,
    pub job: JobId,
    pub what: What,
}

/// What it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum What {
    /// The runner of this index took the job.
    Picked(usize),
    /// The job began.
    Started,
    /// The job is over, or was called off.
    Ended,
}

impl World {
    /// Everything that runners did since the beginning, the oldest first.
    pub fn steps(&self) -> &[Step] {
        &self.steps
    }

    pub(super) fn note_step(&mut self, job: JobId, what: What) {
        self.steps.push(Step { at: self.now, job, what });
    }

    /// A job loses its pod: its runner finds none any more and gives up.
    pub fn lose_pod(&mut self, id: JobId) -> Result<(), Refusal> {
        let now = self.now;
        let job = self.jobs.get_mut(id).ok_or(Refusal::NotFound)?;
        match job.status {
            Status::Running => {}
            Status::Pending if job.reserved.is_some() => {
                job.started_at = Some(now);
                job.runner = job.reserved;
            }
            // It is ending already, or over.
            _ => return Err(Refusal::NotCancelable),
        }
        job.mishap = MishapId::of_cause("pod_not_found");
        self.finish(id, Status::Failed);
        self.settle();
        Ok(())
    }
}
