//! Jobs: builds that run on runners, and trigger jobs that start a child pipeline.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FailureReason, JobId, PipelineId, RunnerId, Status, Timestamp};

/// What kind of job GitLab runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum JobKind {
    /// Runs a script on a runner.
    Build,
    /// A trigger job: starts another pipeline and may mirror its status. GitLab's API says *bridge* for it.
    Bridge,
}

/// The runner that took a job.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RunnerRef {
    pub id: RunnerId,
    /// The runner's description; every manager pod of one class registers with its own suffix.
    pub description: Arc<str>,
}

impl RunnerRef {
    /// The runner's class: the description without the pod suffix that the Helm chart appends.
    pub fn class(&self) -> &str {
        self.description.split_once("-gitlab-runner-").map_or(&*self.description, |(class, _)| class)
    }
}

/// One job as GitLab last described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Job {
    pub id: JobId,
    pub pipeline: PipelineId,
    pub name: Arc<str>,
    pub stage: Arc<str>,
    pub kind: JobKind,
    pub status: Status,
    /// Its failure does not fail the pipeline.
    pub allow_failure: bool,
    /// Present only on failed jobs, and only when the source told it (GraphQL lists do not).
    pub failure_reason: Option<FailureReason>,
    pub created_at: Option<Timestamp>,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// Run time so far or in all, as GitLab counts it.
    pub duration: Option<Duration>,
    /// Time between queued and started.
    pub queued_duration: Option<Duration>,
    pub runner: Option<Arc<RunnerRef>>,
    pub tags: Arc<[Arc<str>]>,
    /// A newer job of the same name took its place.
    pub retried: bool,
    /// The pipeline that a trigger job started.
    pub downstream: Option<PipelineId>,
    pub web_url: Option<Arc<str>>,
}

impl Job {
    /// A job about which only identity is known.
    pub fn new(id: JobId, pipeline: PipelineId, name: &str, status: Status) -> Self {
        Self {
            id,
            pipeline,
            name: name.into(),
            stage: "".into(),
            kind: JobKind::Build,
            status,
            allow_failure: false,
            failure_reason: None,
            created_at: None,
            queued_at: None,
            started_at: None,
            finished_at: None,
            duration: None,
            queued_duration: None,
            runner: None,
            tags: Arc::new([]),
            retried: false,
            downstream: None,
            web_url: None,
        }
    }

    /// Failed, and the pipeline fails with it.
    pub fn is_failure(&self) -> bool {
        self.status == Status::Failed && !self.allow_failure
    }

    /// Failed, but the pipeline goes on: GitLab shows a warning.
    pub fn is_warning(&self) -> bool {
        self.status == Status::Failed && self.allow_failure
    }

    /// How long it has run, by the server's clock.
    pub fn run_time(&self, now: Timestamp) -> Option<Duration> {
        match (self.started_at, self.finished_at) {
            (Some(start), Some(end)) => Some(end.since(start)),
            (Some(start), None) if self.status.is_active() => Some(now.since(start)),
            _ => self.duration,
        }
    }

    /// How long it waited, or waits, for a runner. `None` when that is not known.
    pub fn wait_time(&self, now: Timestamp) -> Option<Duration> {
        if self.status == Status::Pending {
            return self.queued_at.or(self.created_at).map(|since| now.since(since));
        }
        self.queued_duration
    }
}

/// The parts of a Spack build job's name: `zlib@1.3.1 /<hash32> E4S`. Source: Spack `ci generate` (docs/generation.md §6.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SpecName<'a> {
    pub package: &'a str,
    pub version: &'a str,
    /// The DAG hash: 32 characters, or 7 in pipelines of Spack 0.23.
    pub hash: &'a str,
    /// The build group, empty when there is none.
    pub group: &'a str,
}

impl<'a> SpecName<'a> {
    /// Takes a job name apart; `None` for service jobs, trigger jobs and everything that is not a spec.
    pub fn parse(name: &'a str) -> Option<Self> {
        let (spec, rest) = name.split_once(" /")?;
        let (hash, group) = rest.split_once(' ').unwrap_or((rest, ""));
        let base32 = hash.len() >= 7 && hash.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
        let (package, version) = spec.split_once('@')?;
        (base32 && !package.is_empty()).then_some(Self { package, version, hash, group })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spec_names_come_apart() {
        let n = SpecName::parse("zlib@1.3.1 /5c4lpytnize5rfe3yiou5vyxysenfls6 Spack CI").unwrap();
        assert_eq!(
            (n.package, n.version, n.hash, n.group),
            ("zlib", "1.3.1", "5c4lpytnize5rfe3yiou5vyxysenfls6", "Spack CI")
        );
        assert_eq!(SpecName::parse("hdf5@1.14.5 /abcdefg %gcc@13 e4s").unwrap().hash, "abcdefg");
        for service in ["rebuild-index", "e4s-generate", "a/b = %x", "", "x@1 /UPPER00"] {
            assert_eq!(SpecName::parse(service), None, "{service}");
        }
    }

    #[test]
    fn waits_and_runs_use_the_servers_clock() {
        let t = Timestamp::from_millis(1_000_000);
        let mut job = Job::new(JobId(1), PipelineId(1), "a", Status::Pending);
        assert_eq!(job.wait_time(t), None);
        job.queued_at = Some(t);
        assert_eq!(job.wait_time(t.shifted(5_000)), Some(Duration::from_secs(5)));
        job.status = Status::Running;
        job.started_at = Some(t);
        assert_eq!(job.run_time(t.shifted(7_000)), Some(Duration::from_secs(7)));
    }

    #[test]
    fn runner_class_drops_the_pod_suffix() {
        let r = RunnerRef { id: RunnerId(1), description: "runner-x86-v3-pub-gitlab-runner-6c9-x2x".into() };
        assert_eq!(r.class(), "runner-x86-v3-pub");
    }
}
