//! A GitLab of the practice world: REST, GraphQL and the two web routes that a console needs.
//!
//! [`answer`] is the whole server as a function: world and request in, answer out. Same paging, headers, error bodies, statuses and effects as
//! GitLab 19.2 has for the routes that stackhand uses.
//!
//! What it does not play: the permission matrix (three callers, see [`access`]), rate limits (tests inject them as faults), automatic
//! `retry:` of a failed job, `resource_group`, environments, merge requests, artifact expiry, the chunks in which a real trace grows, masking,
//! `trace.json`, database timing, and any route that is not in the table below: those answer 404 as GitLab answers an unknown one.

mod access;
mod artifacts;
mod cursor;
mod graphql;
mod hooks;
mod http;
mod jobs;
mod paging;
mod pipelines;
mod repository;
mod runners;
mod wire;

pub use access::Tokens;
pub use hooks::news;
pub use http::{Answer, Request};
pub use wire::{PROJECT_ID, PROJECT_PATH};

use super::world::World;
use access::Caller;
use wire::{VERSION, View};

/// One request on its way through the routes.
struct Visit<'a> {
    world: &'a mut World,
    request: &'a Request,
    caller: Caller,
    base: &'a str,
}

type Reply = Result<Answer, Answer>;

/// Answers one request. `base` is the address that the client knows this server by.
pub fn answer(world: &mut World, tokens: &Tokens, base: &str, request: &Request) -> Answer {
    let caller = match tokens.caller(request) {
        Ok(caller) => caller,
        Err(refusal) => return refusal,
    };
    let mut visit = Visit { world, request, caller, base };
    visit.route().unwrap_or_else(|refusal| refusal)
}

impl Visit<'_> {
    fn route(&mut self) -> Reply {
        let segments: Vec<&str> = self.request.segments.iter().map(String::as_str).collect();
        match segments.as_slice() {
            ["api", "graphql"] if self.request.method == ::http::Method::POST => Ok(self.graphql()),
            ["api", "v4", rest @ ..] => self.rest(rest),
            ["spack", "spack-packages", "-", "jobs", job, "raw"] => self.raw_log(job),
            _ => Ok(Answer::html(404, "<!DOCTYPE html><title>Not Found (404)</title><h1>404: Page Not Found</h1>")),
        }
    }

    fn rest(&mut self, path: &[&str]) -> Reply {
        let get = self.request.method == ::http::Method::GET;
        let post = self.request.method == ::http::Method::POST;
        if let ["projects", project, ..] = path
            && *project != PROJECT_PATH
            && project.parse() != Ok(PROJECT_ID)
        {
            return Err(Answer::error(404, "404 Project Not Found"));
        }
        match path {
            ["version"] if get => self.version(),
            ["user"] if get => self.user(),
            ["runners", "all"] | ["projects", _, "runners"] if get => self.runners(),
            ["runners", runner] if get => self.runner(runner),
            ["runners", runner] if self.request.method == ::http::Method::PUT => self.change_runner(runner),
            ["runners", runner, "jobs"] if get => self.runner_jobs(runner),
            ["runners", runner, "managers"] if get => self.runner_managers(runner),
            ["projects", _] if get => {
                Ok(Answer::json(200, &self.view().project(self.caller > Caller::Anonymous)).unless_known(self.request))
            }
            ["projects", _, "pipelines"] if get => self.pipelines(),
            ["projects", _, "pipelines", "latest"] if get => self.latest_pipeline(),
            ["projects", _, "pipelines", pipeline] if get => self.pipeline(pipeline),
            ["projects", _, "pipelines", pipeline, "jobs"] if get => self.pipeline_jobs(pipeline),
            ["projects", _, "pipelines", pipeline, "trigger_jobs" | "bridges"] if get => self.trigger_jobs(pipeline),
            ["projects", _, "pipelines", pipeline, "retry"] if post => self.retry_pipeline(pipeline),
            ["projects", _, "pipelines", pipeline, "cancel"] if post => self.cancel_pipeline(pipeline),
            ["projects", _, "pipeline"] if post => self.create_pipeline(),
            ["projects", _, "jobs"] if get => self.project_jobs(),
            ["projects", _, "jobs", job] if get => self.job(job),
            ["projects", _, "jobs", job, "trace"] if get => self.trace(job),
            ["projects", _, "jobs", job, "artifacts"] if get => self.archive(job),
            ["projects", _, "jobs", job, "artifacts", file @ ..] if get => self.artifact(job, &file.join("/")),
            ["projects", _, "jobs", job, verb @ ("retry" | "cancel" | "play" | "erase")] if post => {
                self.act_on_job(job, verb)
            }
            ["projects", _, "events"] if get => self.events(),
            ["projects", _, "repository", "branches"] if get => Ok(self.branches()),
            ["projects", _, "repository", "branches", name @ ..] if get => self.branch(&name.join("/")),
            ["projects", _, "repository", "branches", name @ ..] if self.request.method == ::http::Method::DELETE => {
                self.delete_branch(&name.join("/"))
            }
            ["projects", _, "protected_branches"] if get => self.protected_branches(),
            ["projects", _, "repository", "tags"] if get => Ok(self.tags()),
            ["projects", _, "repository", "commits", name] if get => self.commit(name),
            _ => Err(Answer::refusal(404, "404 Not Found")),
        }
    }

    fn view(&self) -> View<'_> {
        View { world: self.world, base: self.base }
    }

    fn version(&self) -> Reply {
        self.caller.signed_in()?;
        Ok(Answer::json(200, &serde_json::json!({ "version": VERSION, "revision": "9f1c2d3e4b5", "enterprise": true })))
    }

    fn user(&self) -> Reply {
        self.caller.signed_in()?;
        Ok(Answer::json(200, &self.view().user(&super::people::OPERATOR)))
    }
}

fn not_found() -> Answer {
    Answer::error(404, "404 Not found")
}
