//! Everything that changes something in GitLab.
//!
//! Only the executor calls these, after it has read the state again. Nothing here is ever sent twice: after a fault that
//! [`is_uncertain`](Fault::is_uncertain) the caller reads what became of it.

use gitlab::api::projects::jobs::{CancelJob, PlayJob, RetryJob};
use gitlab::api::projects::pipelines::{CancelPipeline, RetryPipeline};
use serde_json::json;

use super::client::GitLab;
use super::request::Ask;
use super::route::Route;
use super::wire::{WireJob, WirePipeline};
use crate::ci::{Job, JobId, JobKind, Pipeline, PipelineId};
use crate::console::fault::Fault;

impl GitLab {
    /// Retries a job and returns the new one, which has a new id. `Refused` when the job cannot be retried in its state.
    pub async fn retry(&self, job: JobId) -> Result<Job, Fault> {
        let endpoint = RetryJob::builder().project(self.project_path()).job(job.0).build();
        self.change_job(self.built(format!("retry job {job}"), endpoint)).await
    }

    /// Cancels a job. `force` ends one that is stuck in `canceling` and takes a Maintainer.
    pub async fn cancel(&self, job: JobId, force: bool) -> Result<Job, Fault> {
        let what = format!("cancel job {job}");
        let ask = if force {
            self.ask(what, &Route::force_cancel(self.project_path(), job), &[])
        } else {
            self.built(what, CancelJob::builder().project(self.project_path()).job(job.0).build())
        };
        self.change_job(ask).await
    }

    /// Starts a manual job.
    pub async fn play(&self, job: JobId) -> Result<Job, Fault> {
        let endpoint = PlayJob::builder().project(self.project_path()).job(job.0).build();
        self.change_job(self.built(format!("play job {job}"), endpoint)).await
    }

    /// Retries every failed and canceled job of a pipeline.
    pub async fn retry_pipeline(&self, pipeline: PipelineId) -> Result<Pipeline, Fault> {
        let endpoint = RetryPipeline::builder().project(self.project_path()).pipeline(pipeline.0).build();
        self.change_pipeline(self.built(format!("retry pipeline {pipeline}"), endpoint)).await
    }

    /// Cancels a pipeline. GitLab says yes even when there was nothing to cancel: read it again.
    pub async fn cancel_pipeline(&self, pipeline: PipelineId) -> Result<Pipeline, Fault> {
        let endpoint = CancelPipeline::builder().project(self.project_path()).pipeline(pipeline.0).build();
        self.change_pipeline(self.built(format!("cancel pipeline {pipeline}"), endpoint)).await
    }

    /// Creates a pipeline for a branch or tag, with variables that never appear in faults or logs.
    pub async fn create_pipeline(&self, git_ref: &str, variables: &[(String, String)]) -> Result<Pipeline, Fault> {
        let variables: Vec<_> = variables
            .iter()
            .map(|(key, value)| json!({ "key": key, "value": value, "variable_type": "env_var" }))
            .collect();
        let route = Route::create_pipeline(self.project_path(), json!({ "ref": git_ref, "variables": variables }));
        self.change_pipeline(self.ask(format!("create a pipeline for {git_ref}"), &route, &[])).await
    }

    async fn change_job(&self, ask: Result<Ask, Fault>) -> Result<Job, Fault> {
        let ask = ask?;
        self.require_token(&ask.what)?;
        let wire: WireJob = self.json(&ask).await?.value;
        Ok(wire.into_job(JobKind::Build, &mut self.words()))
    }

    async fn change_pipeline(&self, ask: Result<Ask, Fault>) -> Result<Pipeline, Fault> {
        let ask = ask?;
        self.require_token(&ask.what)?;
        let wire: WirePipeline = self.json(&ask).await?.value;
        Ok(wire.into_pipeline(&mut self.words()))
    }
}

#[cfg(test)]
mod tests {
    use super::super::testing::{Reply, client, http, server, settings};
    use super::*;
    use std::time::Duration;

    use crate::ci::Status;
    use crate::console::fault::FaultKind;

    #[tokio::test]
    async fn each_change_asks_its_route_once() {
        let job = r#"{"id": 99, "status": "pending", "name": "zlib", "pipeline": {"id": 5}}"#;
        let pipeline = r#"{"id": 5, "status": "running", "ref": "develop"}"#;
        let server = server(move |_, request| {
            let body = if request.contains("/jobs/") { job } else { pipeline };
            Reply::Now(http(201, "", body))
        })
        .await;
        let gitlab = client(&server.url, Some("glpat-x"));
        let new = gitlab.retry(JobId(7)).await.unwrap();
        assert_eq!((new.id, new.status), (JobId(99), Status::Pending));
        gitlab.cancel(JobId(7), false).await.unwrap();
        gitlab.cancel(JobId(7), true).await.unwrap();
        gitlab.play(JobId(7)).await.unwrap();
        gitlab.retry_pipeline(PipelineId(5)).await.unwrap();
        assert_eq!(gitlab.cancel_pipeline(PipelineId(5)).await.unwrap().status, Status::Running);
        gitlab.create_pipeline("pr1_zlib", &[("SPACK_X".to_owned(), "a&b".to_owned())]).await.unwrap();
        let seen = server.seen();
        let lines: Vec<_> = seen.iter().map(|r| r.lines().next().unwrap().replace(" HTTP/1.1", "")).collect();
        let root = "POST /api/v4/projects/spack%2Fspack-packages";
        let want = [
            "jobs/7/retry",
            "jobs/7/cancel",
            "jobs/7/cancel?force=true",
            "jobs/7/play",
            "pipelines/5/retry",
            "pipelines/5/cancel",
            "pipeline",
        ];
        assert_eq!(lines, want.map(|path| format!("{root}/{path}")));
        let body = seen[6].rsplit("\r\n\r\n").next().unwrap();
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        assert_eq!(
            body,
            json!({"ref": "pr1_zlib", "variables": [{"key": "SPACK_X", "value": "a&b", "variable_type": "env_var"}]})
        );
    }

    #[tokio::test]
    async fn a_change_is_never_sent_twice() {
        for (reply, want) in [
            (Reply::Now(http(500, "", "oops")), FaultKind::Server { status: 500 }),
            (Reply::Now(http(502, "content-type: text/html\r\n", "<html>")), FaultKind::Server { status: 502 }),
            (Reply::Now(http(201, "", r#"{"id": 1"#)), FaultKind::Garbled),
            (Reply::Hang(Vec::new()), FaultKind::Timeout),
            (
                Reply::Now(http(403, "", r#"{"message":"403 Forbidden - Job is not retryable"}"#)),
                FaultKind::Refused { status: 403 },
            ),
            (Reply::Now(http(429, "", "Retry later")), FaultKind::RateLimited { until: None }),
            (Reply::Now(http(307, "location: /elsewhere\r\n", "")), FaultKind::Refused { status: 301 }),
        ] {
            let uncertain = !matches!(want, FaultKind::Refused { .. } | FaultKind::RateLimited { .. });
            let server = server(move |_, _| reply.clone()).await;
            let mut settings = settings(&server.url, Some("glpat-test"));
            if want == FaultKind::Timeout {
                settings.request = Duration::from_millis(100);
            }
            let fault = GitLab::new(settings).unwrap().retry(JobId(7)).await.unwrap_err();
            assert_eq!((&fault.kind, fault.is_uncertain()), (&want, uncertain));
            assert_eq!(server.seen().len(), 1, "{want:?}");
        }
    }

    #[tokio::test]
    async fn without_a_token_nothing_is_sent() {
        let server = server(|_, _| Reply::Now(http(201, "", "{}"))).await;
        let fault = client(&server.url, None).retry(JobId(7)).await.unwrap_err();
        assert_eq!((fault.kind, server.seen().len()), (FaultKind::Unauthorized, 0));
    }
}
