//! What GitLab writes on the wire, and how it becomes a noun of `ci`.
//!
//! Lenient: only ids must be there. Anything else may be missing, null, of a newer vocabulary or out of range, and then is unknown.

use std::time::Duration;

use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::words::Words;
use crate::ci::{FailureReason, Iid, Job, JobId, JobKind, Pipeline, PipelineId, RunnerId, Status, Timestamp};

/// A job of the REST API, trigger jobs included.
#[derive(Debug, Deserialize)]
pub(super) struct WireJob {
    id: u64,
    name: Option<String>,
    status: Option<String>,
    stage: Option<String>,
    allow_failure: Option<bool>,
    failure_reason: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    queued_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    finished_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "length")]
    duration: Option<Duration>,
    #[serde(default, deserialize_with = "length")]
    queued_duration: Option<Duration>,
    runner: Option<WireRunner>,
    tag_list: Option<Vec<String>>,
    pipeline: WirePipeline,
    downstream_pipeline: Option<WirePipeline>,
    web_url: Option<String>,
}

/// A trigger job, and the pipeline it started, if it has.
#[derive(Debug, Clone, PartialEq)]
pub struct TriggerJob {
    pub job: Job,
    pub child: Option<Pipeline>,
}

#[derive(Debug, Deserialize)]
struct WireRunner {
    id: u64,
    description: Option<String>,
    name: Option<String>,
}

impl WireJob {
    /// The job, given which list it came from.
    pub fn into_job(self, kind: JobKind, words: &mut Words) -> Job {
        let status = status(self.status.as_deref());
        let runner = self.runner.map(|runner| {
            let description = runner.description.or(runner.name).unwrap_or_default();
            words.runner(RunnerId(runner.id), &description)
        });
        Job {
            stage: words.word(self.stage.as_deref().unwrap_or_default()),
            kind,
            allow_failure: self.allow_failure.unwrap_or(false),
            failure_reason: self.failure_reason.as_deref().filter(|r| !r.is_empty()).map(FailureReason::new),
            created_at: self.created_at,
            // REST does not tell when a job was queued, only how long it waited.
            queued_at: self.queued_at.or_else(|| {
                let waited = i64::try_from(self.queued_duration?.as_millis()).ok()?;
                Some(self.started_at?.shifted(-waited))
            }),
            started_at: self.started_at,
            finished_at: self.finished_at,
            duration: self.duration,
            queued_duration: self.queued_duration,
            runner,
            tags: words.tags(self.tag_list.iter().flatten().map(String::as_str)),
            downstream: self.downstream_pipeline.as_ref().map(|p| PipelineId(p.id)),
            web_url: self.web_url.map(Into::into),
            ..Job::new(JobId(self.id), PipelineId(self.pipeline.id), self.name.as_deref().unwrap_or_default(), status)
        }
    }
}

impl WireJob {
    /// The job, with what its list says of its pipeline.
    pub fn into_job_of(self, words: &mut Words) -> (Job, Pipeline) {
        let home = self.pipeline.clone().into_pipeline(words);
        (self.into_job(JobKind::Build, words), home)
    }

    /// A trigger job with the child that it started.
    pub fn into_trigger_job(mut self, words: &mut Words) -> TriggerJob {
        let child = self.downstream_pipeline.take().map(|p| p.into_pipeline(words));
        let mut job = self.into_job(JobKind::Bridge, words);
        job.downstream = child.as_ref().map(|c| c.id);
        TriggerJob { job, child }
    }
}

/// A pipeline of the REST API, in its short or its long form.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct WirePipeline {
    id: u64,
    iid: Option<u64>,
    sha: Option<String>,
    #[serde(rename = "ref")]
    git_ref: Option<String>,
    status: Option<String>,
    source: Option<String>,
    name: Option<String>,
    user: Option<WireUser>,
    #[serde(default, deserialize_with = "moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    updated_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    finished_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "length")]
    duration: Option<Duration>,
    web_url: Option<String>,
}

#[derive(Debug, Clone, Deserialize)]
struct WireUser {
    username: Option<String>,
}

impl WirePipeline {
    /// The pipeline; its parent and stack are known only to whoever saw the trigger job.
    pub fn into_pipeline(self, words: &mut Words) -> Pipeline {
        let mut word = |text: Option<String>| words.word(text.as_deref().unwrap_or_default());
        Pipeline {
            iid: self.iid.map(Iid),
            sha: word(self.sha),
            source: word(self.source),
            name: self.name.map(Into::into),
            user: self.user.and_then(|u| u.username).map(Into::into),
            created_at: self.created_at,
            updated_at: self.updated_at,
            started_at: self.started_at,
            finished_at: self.finished_at,
            duration: self.duration,
            web_url: self.web_url.map(Into::into),
            git_ref: word(self.git_ref),
            ..Pipeline::new(PipelineId(self.id), "", status(self.status.as_deref()))
        }
    }
}

/// A status that is absent is unknown, not created and not ended.
pub(super) fn status(word: Option<&str>) -> Status {
    Status::parse(word.unwrap_or("unknown"))
}

/// The number at the end of a global id: `gid://gitlab/Ci::Build/770002` → 770002.
pub(super) fn gid(text: &str) -> Option<u64> {
    text.rsplit('/').next()?.parse().ok()
}

/// A time; `None` when it is null, missing or unreadable.
pub(super) fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    Ok(value.as_ref().and_then(Value::as_str).and_then(Timestamp::parse))
}

/// Seconds, whole or not; `None` when they are null, negative or no number.
pub(super) fn length<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Duration>, D::Error> {
    let value = Option::<Value>::deserialize(deserializer)?;
    let seconds = value.as_ref().and_then(Value::as_f64);
    Ok(seconds.and_then(|s| Duration::try_from_secs_f64(s).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jobs(text: &str, kind: JobKind) -> Vec<Job> {
        let mut words = Words::default();
        let wire: Vec<WireJob> = serde_json::from_str(text).unwrap();
        wire.into_iter().map(|job| job.into_job(kind, &mut words)).collect()
    }

    #[test]
    fn published_jobs_become_jobs() {
        let jobs = jobs(include_str!("testdata/pipeline_jobs_list.json"), JobKind::Build);
        let (waiting, failed) = (&jobs[0], &jobs[1]);
        assert_eq!((waiting.id, waiting.pipeline, waiting.status), (JobId(770_002), PipelineId(9010), Status::Created));
        assert_eq!((waiting.duration, waiting.queued_at, waiting.runner.is_some()), (None, None, false));
        assert_eq!(&*failed.name, "hdf5@1.14.5 /abcdefg %gcc@13 e4s");
        assert_eq!(failed.failure_reason, Some(FailureReason::new("runner_interrupted")));
        assert_eq!(failed.duration, Some(Duration::from_millis(219_500)));
        assert_eq!(failed.queued_duration, Some(Duration::from_millis(31_250)));
        assert_eq!(failed.queued_at, Timestamp::parse("2026-05-01T10:19:59.250Z"));
        assert_eq!(&*failed.runner.as_ref().unwrap().description, "runner-x86-v4-prot");
        assert_eq!(failed.tags.len(), 3);
        assert!(std::sync::Arc::ptr_eq(&waiting.tags, &failed.tags));
        assert!(std::sync::Arc::ptr_eq(&waiting.stage, &failed.stage));
    }

    #[test]
    fn trigger_jobs_know_their_child_once_it_exists() {
        let wire: Vec<WireJob> =
            serde_json::from_str(include_str!("testdata/pipeline_trigger_jobs_list.json")).unwrap();
        let found: Vec<_> = wire.into_iter().map(|j| j.into_trigger_job(&mut Words::default())).collect();
        let child = found[0].child.as_ref().unwrap();
        assert_eq!((found[0].job.downstream, child.id, child.iid), (Some(child.id), PipelineId(9010), Some(Iid(420))));
        assert_eq!(
            (&*found[1].job.name, found[1].child.is_none(), found[1].job.kind),
            ("ml-build", true, JobKind::Bridge)
        );
    }

    #[test]
    fn published_pipelines_become_pipelines() {
        let mut words = Words::default();
        let wire: WirePipeline = serde_json::from_str(include_str!("testdata/pipeline_get.json")).unwrap();
        let p = wire.into_pipeline(&mut words);
        assert_eq!((p.id, p.iid, p.status), (PipelineId(9001), Some(Iid(412)), Status::Running));
        assert_eq!((&*p.git_ref, &*p.source, p.pull_request()), ("pr5123_update-zlib", "push", Some(5123)));
        assert_eq!(p.user.as_deref(), Some("spackbot-example"));
        assert_eq!(p.started_at, Timestamp::parse("2026-05-01T10:00:09.400Z"));
    }

    #[test]
    fn what_is_missing_strange_or_new_is_unknown() {
        let jobs = jobs(
            r#"[{"id": 18446744073709551615, "pipeline": {"id": 3}, "status": "quantum", "duration": -4, "started_at": "today",
                 "tag_list": null, "runner": {"id": 7}, "name": null, "allow_failure": null, "failure_reason": ""},
                {"id": 2, "pipeline": {"id": 3}}]"#,
            JobKind::Build,
        );
        assert_eq!(jobs[0].id, JobId(u64::MAX));
        assert_eq!(jobs[0].status.as_str(), "quantum");
        assert_eq!((jobs[0].duration, jobs[0].started_at, jobs[0].failure_reason.clone()), (None, None, None));
        assert_eq!(jobs[1].status.as_str(), "unknown");
        assert!(!jobs[1].status.is_terminal());
        assert_eq!(gid("gid://gitlab/Ci::Bridge/77"), Some(77));
        assert_eq!((gid("gid://gitlab/Ci::Build/x"), gid("12")), (None, Some(12)));
    }
}
