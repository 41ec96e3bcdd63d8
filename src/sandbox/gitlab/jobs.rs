//! Jobs over REST: lists, single ones, logs, and what POST does to them.

use crate::ci::{JobId, Status};

use super::super::transcript;
use super::super::world::{Job, LogBody, Refusal};
use super::cursor;
use super::http::Answer;
use super::paging::Page;
use super::pipelines::refused;
use super::wire::is_bridge;
use super::{Reply, Visit, not_found};

impl Visit<'_> {
    pub(super) fn pipeline_jobs(&self, pipeline: &str) -> Reply {
        self.list_of(pipeline, false)
    }

    pub(super) fn trigger_jobs(&self, pipeline: &str) -> Reply {
        self.list_of(pipeline, true)
    }

    fn list_of(&self, pipeline: &str, bridges: bool) -> Reply {
        let id = self.find_pipeline(pipeline)?.id;
        let scope = self.scope()?;
        let retried = self.request.parameter("include_retried") == Some("true");
        let wanted =
            |job: &&Job| is_bridge(self.world, job) == bridges && (scope.is_empty() || scope.contains(&job.status));
        let all: Vec<&Job> = self.world.jobs_of(id, retried).filter(wanted).collect();
        let (page, view) = (Page::of(self.request), self.view());
        Ok(if bridges {
            page.answer(self.request, self.base, &all, |job| view.bridge(job))
        } else {
            page.answer(self.request, self.base, &all, |job| view.job(job))
        })
    }

    fn scope(&self) -> Result<Vec<Status>, Answer> {
        let scope: Vec<Status> = self.request.list("scope").into_iter().map(Status::parse).collect();
        if scope.iter().any(|s| matches!(s, Status::Unknown(_))) {
            return Err(Answer::refusal(400, "scope does not have a valid value"));
        }
        Ok(scope)
    }

    pub(super) fn project_jobs(&self) -> Reply {
        self.caller.signed_in()?;
        let scope = self.scope()?;
        let wanted = |job: &&Job| !is_bridge(self.world, job) && (scope.is_empty() || scope.contains(&job.status));
        let (page, view) = (Page::of(self.request), self.view());
        if self.request.parameter("pagination") != Some("keyset") {
            page.within_offset_limit("Ci::Build")?;
            let all: Vec<&Job> = self.world.jobs().rev().filter(wanted).collect();
            return Ok(page.answer(self.request, self.base, &all, |job| view.job(job)));
        }
        let before = match self.request.parameter("cursor") {
            None => u64::MAX,
            Some(cursor) => cursor::read(cursor).ok_or_else(|| Answer::refusal(400, "cursor is invalid"))?,
        };
        let rest = self.world.jobs().rev().filter(|job| job.id.0 < before).filter(wanted);
        let mut rows: Vec<&Job> = rest.take(page.size() + 1).collect();
        let more = rows.len() > page.size();
        rows.truncate(page.size());
        let next = rows.last().filter(|_| more).map(|job| job.id.0);
        let rows: Vec<_> = rows.into_iter().map(|job| view.job(job)).collect();
        Ok(page.keyset(self.request, self.base, &rows, next))
    }

    fn find_job(&self, id: &str) -> Result<&Job, Answer> {
        let id = id.parse().map_err(|_| Answer::refusal(400, "job_id is invalid"))?;
        self.world.job(JobId(id)).ok_or_else(not_found)
    }

    pub(super) fn find_build(&self, id: &str) -> Result<&Job, Answer> {
        self.find_job(id).and_then(|job| if is_bridge(self.world, job) { Err(not_found()) } else { Ok(job) })
    }

    pub(super) fn job(&self, id: &str) -> Reply {
        self.caller.signed_in()?;
        let job = self.find_build(id)?;
        Ok(Answer::json(200, &self.view().job(job)).unless_known(self.request))
    }

    pub(super) fn trace(&self, id: &str) -> Reply {
        self.caller.signed_in()?;
        let job = self.find_build(id)?;
        let empty = || LogBody::Bytes(Vec::new().into());
        Ok(Answer::text(200, transcript::trace(self.world, job).unwrap_or_else(empty)))
    }

    /// The web route, open to everybody.
    pub(super) fn raw_log(&self, id: &str) -> Reply {
        let gone = || Answer::html(404, "<!DOCTYPE html><title>Not Found (404)</title><h1>404: Page Not Found</h1>");
        let job = self.find_build(id).map_err(|_| gone())?;
        let body = transcript::trace(self.world, job).ok_or_else(gone)?;
        Ok(Answer { headers: vec![("content-type", "text/plain; charset=utf-8".into())], ..Answer::text(200, body) })
    }

    pub(super) fn act_on_job(&mut self, id: &str, verb: &str) -> Reply {
        self.caller.may_write()?;
        let mut id = self.find_job(id)?.id;
        let force = self.request.field("force").is_some_and(|f| f == "true");
        let done = match verb {
            "retry" => self.world.retry_job(id).map(|new| id = new),
            // GitLab shows the job as it is when there was nothing to cancel.
            "cancel" => {
                self.world.cancel_job(id, force).or_else(|r| if r == Refusal::NotCancelable { Ok(()) } else { Err(r) })
            }
            "play" => self.world.play_job(id),
            _ => self.world.erase_job(id),
        };
        done.map_err(|refusal| refused(refusal, verb))?;
        let job = self.world.job(id).ok_or_else(not_found)?;
        let status = if verb == "play" { 200 } else { 201 };
        let view = self.view();
        Ok(if is_bridge(self.world, job) {
            Answer::json(status, &view.bridge(job))
        } else {
            Answer::json(status, &view.job(job))
        })
    }
}
