//! What tests put into the world to see how others bear it: hostile names, refs and logs, odd statuses.
//!
//! Nothing here is reachable over HTTP.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ci::{JobId, PipelineId, Status};

use super::World;

/// A log in place of the job's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LogBody {
    Bytes(Arc<[u8]>),
    /// That many bytes of numbered lines, made while they are sent and never stored.
    Endless(u64),
}

#[derive(Debug, Default)]
pub(super) struct Injected {
    pub logs: BTreeMap<JobId, LogBody>,
    pub names: BTreeMap<JobId, Arc<str>>,
    pub pushes: u64,
}

impl World {
    /// Replaces the log of a job.
    pub fn inject_log(&mut self, job: JobId, body: LogBody) {
        self.injected.logs.insert(job, body);
    }

    /// Replaces the name of one job. Needs in the artifact keep the old one.
    pub fn inject_name(&mut self, job: JobId, name: &str) {
        self.injected.names.insert(job, name.into());
    }

    /// Replaces branch and title of a pipeline.
    pub fn inject_ref(&mut self, pipeline: PipelineId, git_ref: &str, title: &str) {
        if let Some(pipeline) = self.pipelines.get_mut(pipeline) {
            pipeline.git_ref = git_ref.into();
            pipeline.name = Some(title.into());
        }
    }

    /// Lets a pull request be pushed at this moment, besides those that are planned.
    pub fn inject_push(&mut self) {
        self.injected.pushes += 1;
        let number = 1_000_000 + self.injected.pushes;
        self.push_once(number);
        self.settle();
    }

    /// Forces a job that does not hold a slot into a status, for instance `manual`.
    pub fn inject_status(&mut self, job: JobId, status: Status) {
        if self.jobs.get(job).is_some_and(|j| j.status != Status::Running && j.reserved.is_none()) {
            self.leave_queue(job);
            self.set(job, status);
            self.settle();
        }
    }
}
