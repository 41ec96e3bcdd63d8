//! Runners over REST. `runners/all` is open to the operator, who is an administrator here. They can be paused and resumed, and not changed otherwise.

use crate::ci::Status;

use super::super::fleet::Runner;
use super::super::world::Job;
use super::http::Answer;
use super::paging::Page;
use super::wire::{self, runner};
use super::{Reply, Visit, not_found};

impl Visit<'_> {
    pub(super) fn runners(&self) -> Reply {
        self.caller.signed_in()?;
        if self.request.segments.last().is_some_and(|s| s == "all") && self.caller.may_write().is_err() {
            return Err(Answer::error(403, "403 Forbidden"));
        }
        let tags: Vec<&str> = self.request.parameter("tag_list").map(|t| t.split(',').collect()).unwrap_or_default();
        let paused = self.request.parameter("paused").map(|p| p == "true");
        let status = self.choice("status", &["online", "offline", "stale", "never_contacted", "active", "paused"])?;
        let wanted = |r: &&Runner| {
            r.takes(&tags)
                && paused.is_none_or(|p| r.paused == p)
                && status.is_none_or(|s| match s {
                    "active" | "paused" => (s == "paused") == r.paused,
                    heard => heard == wire::status(r),
                })
        };
        let all: Vec<&Runner> = self.world.runners().iter().filter(wanted).collect();
        Ok(Page::of(self.request).answer(self.request, self.base, &all, |r| runner(r)))
    }

    /// Details need more than `read_api`: GitLab wants `manage_runner` or `api`.
    fn find_runner(&self, id: &str) -> Result<(usize, &Runner), Answer> {
        self.caller.may_write()?;
        let id: u64 = id.parse().map_err(|_| Answer::refusal(400, "id is invalid"))?;
        (0..).zip(self.world.runners()).find(|(_, r)| r.id.0 == id).ok_or_else(not_found)
    }

    pub(super) fn runner(&self, id: &str) -> Reply {
        let (_, runner) = self.find_runner(id)?;
        Ok(Answer::json(200, &self.view().runner_details(runner)).unless_known(self.request))
    }

    /// Of what GitLab lets one change, whether it is paused.
    pub(super) fn change_runner(&mut self, id: &str) -> Reply {
        let (index, _) = self.find_runner(id)?;
        match self.request.field("paused").as_deref() {
            Some(word @ ("true" | "false")) => self.world.set_paused(index, word == "true"),
            Some(_) => return Err(Answer::refusal(400, "paused is invalid")),
            None => {
                return Err(Answer::refusal(400, "id, paused are missing, at least one parameter must be provided"));
            }
        }
        let (_, runner) = self.find_runner(id)?;
        Ok(Answer::json(200, &self.view().runner_details(runner)))
    }

    pub(super) fn runner_managers(&self, id: &str) -> Reply {
        let (_, runner) = self.find_runner(id)?;
        Ok(Answer::json(200, &[self.view().manager(runner)]).unless_known(self.request))
    }

    pub(super) fn runner_jobs(&self, id: &str) -> Reply {
        let (index, _) = self.find_runner(id)?;
        let status = self.request.parameter("status").map(Status::parse);
        let wanted = |job: &&Job| job.runner == Some(index) && status.is_none_or(|s| job.status == s);
        let all: Vec<&Job> = self.world.jobs().rev().filter(wanted).collect();
        let view = self.view();
        Ok(Page::of(self.request).answer(self.request, self.base, &all, |job| view.job(job)))
    }
}
