//! Reading by REST: the project, pipelines, jobs, trigger jobs, and the edges from a generated child pipeline.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use gitlab::api::projects::Project as ProjectRoute;
use gitlab::api::projects::jobs as job_routes;
use gitlab::api::projects::jobs::artifacts::DownloadJobArtifactFile;
use gitlab::api::projects::pipelines as pipeline_routes;
use http::HeaderMap;
use reqwest::Url;
use serde::Deserialize;

use super::answer;
use super::client::GitLab;
use super::needs::{self, JobNeeds};
use super::request::{Ask, same_origin};
use super::route::Route;
use super::wire::{TriggerJob, WireJob, WirePipeline};
use crate::ci::{Job, JobId, JobKind, Pipeline, PipelineId, Status, Timestamp};
use crate::console::fault::{Fault, FaultKind};
use crate::generation::report::Report;
use crate::spack::Lock;

/// Rows asked for per page: the most that GitLab gives.
pub(super) const PAGE: u32 = 100;
/// Rows behind which GitLab refuses to page by number.
const LAST_ROW: u32 = 50_000;

/// One page of a list that is paged by number.
#[derive(Debug, Clone, PartialEq)]
pub struct Page<T> {
    pub items: Vec<T>,
    /// The number of the next page; `None` on the last.
    pub next: Option<u32>,
    /// How many rows there are in all; unknown above 10,000.
    pub total: Option<u64>,
}

/// One page, and what a list that has to be whole must know.
pub(super) struct Rows<T> {
    pub page: Page<T>,
    /// Rows in which nothing was.
    pub empty: usize,
    /// The server's clock.
    pub at: Option<Timestamp>,
}

/// One page of a list that is paged by key.
#[derive(Debug, Clone, PartialEq)]
pub struct CursorPage<T> {
    pub items: Vec<T>,
    pub next: Option<Cursor>,
}

/// Where a list that is paged by key goes on; only the server knows how to read it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cursor(Url);

/// One page of failed jobs.
#[derive(Debug, Clone, PartialEq)]
pub struct FailedPage {
    pub jobs: Vec<(Job, Pipeline)>,
    /// Where the list goes on; only the server knows how to read it.
    pub next: Option<Arc<str>>,
}

/// The project, as far as the console needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Project {
    pub id: u64,
    pub path: Arc<str>,
    pub default_branch: Option<Arc<str>>,
    pub visibility: Option<Arc<str>>,
    pub web_url: Option<Arc<str>>,
    /// What the token may do: 30 developer, 40 maintainer, 50 owner; `None` without a token, or when GitLab does not say.
    pub access_level: Option<u8>,
}

/// Which pipelines to list. Child pipelines are listed only by `source: "parent_pipeline"`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct PipelineQuery {
    /// Only those whose own status changed since; overlap by two minutes, clocks differ.
    pub updated_after: Option<Timestamp>,
    pub created_after: Option<Timestamp>,
    pub created_before: Option<Timestamp>,
    /// One branch or tag.
    pub git_ref: Option<String>,
    pub sha: Option<String>,
    pub source: Option<String>,
    pub status: Option<Status>,
    /// Rows per page, 100 at most; `None` for as many as there may be.
    pub limit: Option<u32>,
}

#[derive(Deserialize)]
struct WireProject {
    id: u64,
    path_with_namespace: Option<String>,
    default_branch: Option<String>,
    visibility: Option<String>,
    web_url: Option<String>,
    permissions: Option<WirePermissions>,
}

#[derive(Deserialize)]
struct WirePermissions {
    project_access: Option<WireAccess>,
    group_access: Option<WireAccess>,
}

#[derive(Deserialize)]
struct WireAccess {
    access_level: u8,
}

impl GitLab {
    /// Reads the project itself: a cheap proof that address, path and token are good.
    pub async fn project(&self) -> Result<Project, Fault> {
        let what = format!("read project {}", self.project_path());
        let endpoint = ProjectRoute::builder().project(self.project_path()).build();
        let wire: WireProject = self.json(&self.built(what, endpoint)?).await?.value;
        Ok(Project {
            id: wire.id,
            path: wire.path_with_namespace.as_deref().unwrap_or(self.project_path()).into(),
            default_branch: wire.default_branch.map(Into::into),
            visibility: wire.visibility.map(Into::into),
            web_url: wire.web_url.map(Into::into),
            access_level: wire
                .permissions
                .and_then(|p| [p.project_access, p.group_access].into_iter().flatten().map(|a| a.access_level).max()),
        })
    }

    /// Lists pipelines, the last changed first when `updated_after` is given, else the newest first.
    pub async fn pipelines(&self, query: &PipelineQuery, page: u32) -> Result<Page<Pipeline>, Fault> {
        let route = self.pipelines_route(query);
        let rows = query.limit.unwrap_or(PAGE).clamp(1, PAGE);
        let found: Page<WirePipeline> = self.page("list pipelines".to_owned(), &route, page, rows).await?;
        let words = &mut *self.words();
        Ok(found.map(|wire| wire.into_pipeline(words)))
    }

    pub(super) fn pipelines_route(&self, query: &PipelineQuery) -> Route {
        let time = |t: Option<Timestamp>| t.map(|t| t.to_string());
        Route::pipelines(self.project_path())
            .with("updated_after", time(query.updated_after))
            .with("created_after", time(query.created_after))
            .with("created_before", time(query.created_before))
            .with("ref", query.git_ref.clone())
            .with("sha", query.sha.clone())
            .with("source", query.source.clone())
            .with("status", query.status.map(|s| s.to_string()))
            .with("order_by", query.updated_after.map(|_| "updated_at".to_owned()))
    }

    /// Reads one pipeline, parent or child.
    pub async fn pipeline(&self, id: PipelineId) -> Result<Pipeline, Fault> {
        let endpoint = pipeline_routes::Pipeline::builder().project(self.project_path()).pipeline(id.0).build();
        let wire: WirePipeline = self.json(&self.built(format!("read pipeline {id}"), endpoint)?).await?.value;
        Ok(wire.into_pipeline(&mut self.words()))
    }

    /// Lists the trigger jobs of a parent pipeline with the children they started.
    ///
    /// Servers before 19.2 know only the older route; which one answers is found out once per client.
    pub async fn trigger_jobs(&self, parent: PipelineId) -> Result<Vec<TriggerJob>, Fault> {
        let what = format!("list trigger jobs of pipeline {parent}");
        let old = self.no_trigger_jobs();
        if !old.load(Ordering::Relaxed) {
            let route = Route::trigger_jobs(self.project_path(), parent);
            match self.all_pages(&what, &route).await {
                Err(fault) if fault.kind == FaultKind::NotFound => {}
                result => return result.map(|jobs| self.trigger(jobs)),
            }
        }
        let endpoint = pipeline_routes::PipelineBridges::builder()
            .project(self.project_path())
            .pipeline(parent.0)
            .build()
            .map_err(|e| Fault::new(FaultKind::Local, &what, e.to_string()))?;
        let jobs = self.all_pages(&what, &endpoint).await?;
        // Only now: a pipeline that is gone answers 404 on both.
        old.store(true, Ordering::Relaxed);
        Ok(self.trigger(jobs))
    }

    /// Lists the builds of one pipeline, the newest first; all statuses when `scopes` is empty.
    pub async fn jobs_page(
        &self,
        pipeline: PipelineId,
        page: u32,
        scopes: &[Status],
        include_retried: bool,
    ) -> Result<Page<Job>, Fault> {
        let route = Route::pipeline_jobs(self.project_path(), pipeline, scopes, include_retried);
        let what = format!("list jobs of pipeline {pipeline}");
        let found: Page<WireJob> = self.page(what, &route, page, PAGE).await?;
        let words = &mut *self.words();
        Ok(found.map(|wire| wire.into_job(JobKind::Build, words)))
    }

    /// Lists the builds of the whole project in some statuses, the newest first. Needs a token.
    pub async fn active_jobs_page(&self, scopes: &[Status], after: Option<&Cursor>) -> Result<CursorPage<Job>, Fault> {
        let what = "list jobs of the project";
        self.require_token(what)?;
        let mut ask =
            self.ask(what, &Route::project_jobs(self.project_path(), scopes), &[("per_page", PAGE.to_string())])?;
        if let Some(Cursor(url)) = after {
            ask.url = url.clone();
        }
        let reply = self.json::<Vec<Option<WireJob>>>(&ask).await?;
        let next = next_link(&reply.headers).map(|link| self.cursor(&ask, link)).transpose()?;
        Ok(CursorPage { items: self.jobs(reply.value.into_iter().flatten(), JobKind::Build), next })
    }

    /// Lists the failed jobs of the whole project with their pipelines, the newest first. `page` is where an earlier page said that it goes on.
    /// Needs a token.
    pub async fn failed_jobs_page(&self, page: Option<&str>) -> Result<FailedPage, Fault> {
        let what = "list failed jobs of the project";
        self.require_token(what)?;
        let route = Route::project_jobs(self.project_path(), &[Status::Failed]);
        let mut ask = self.ask(what, &route, &[("per_page", PAGE.to_string())])?;
        if let Some(page) = page {
            ask.url = self.cursor(&ask, page)?.0;
        }
        let reply = self.json::<Vec<Option<WireJob>>>(&ask).await?;
        let next = next_link(&reply.headers).map(|link| self.cursor(&ask, link)).transpose()?;
        let words = &mut *self.words();
        let jobs = reply.value.into_iter().flatten().map(|wire| wire.into_job_of(words)).collect();
        Ok(FailedPage { jobs, next: next.map(|Cursor(url)| url.as_str().into()) })
    }

    /// What the time is there. Where it has not said so yet, it is asked something.
    pub async fn server_now(&self) -> Result<Timestamp, Fault> {
        if self.stats().skew_ms.is_none() {
            self.project().await?;
        }
        let skew = self.stats().skew_ms.ok_or_else(|| {
            let why = "GitLab does not say what the time is, and nothing is judged by another clock";
            Fault::new(FaultKind::Garbled, "read GitLab's clock", why)
        })?;
        Ok(self.now().shifted(skew))
    }

    /// Reads one job. Needs a token.
    pub async fn job(&self, id: JobId) -> Result<Job, Fault> {
        let what = format!("read job {id}");
        self.require_token(&what)?;
        let endpoint = job_routes::Job::builder().project(self.project_path()).job(id.0).build();
        let wire: WireJob = self.json(&self.built(what, endpoint)?).await?.value;
        Ok(wire.into_job(JobKind::Build, &mut self.words()))
    }

    /// Reads the edges of a stack's child pipeline from the file that its generate job left as an artifact.
    ///
    /// One request; the file never changes. `NotFound` when the artifact expired or generation failed: then ask GraphQL.
    pub async fn generated_needs(&self, generate_job: JobId, stack: &str) -> Result<Vec<JobNeeds>, Fault> {
        let what = format!("read the generated pipeline of job {generate_job}");
        self.artifact(generate_job, stack, "cloud-ci-pipeline.yml", what, needs::read).await
    }

    /// Reads why a stack's child pipeline is what it is, from the report that its generate job left as an artifact.
    ///
    /// One request; the file never changes. `NotFound` when the artifact expired, or when Spack itself generated.
    pub async fn generation_report(&self, generate_job: JobId, stack: &str) -> Result<Report, Fault> {
        let what = format!("read the report of job {generate_job}");
        let read = |file: &[u8]| Report::read(file).map_err(|error| error.to_string());
        self.artifact(generate_job, stack, "generation-report.json", what, read).await
    }

    /// Reads the lock that a stack's child pipeline was generated from.
    ///
    /// One request; the file never changes. `NotFound` when the artifact expired.
    pub async fn generated_lock(&self, generate_job: JobId, stack: &str) -> Result<Lock, Fault> {
        let what = format!("read the lock of job {generate_job}");
        let read = |file: &[u8]| {
            let lock = Lock::parse(file).map_err(|error| error.to_string())?;
            if let Some(forged) = Lock::seals(file).map_err(|error| error.to_string())?.forged.first() {
                return Err(format!("it has a forged spec, /{forged}, which does not give its hash"));
            }
            Ok(lock)
        };
        self.artifact(generate_job, stack, "concrete_environment/spack.lock", what, read).await
    }

    /// Reads one file of what the generate job of a stack left.
    async fn artifact<T: Send + 'static>(
        &self,
        job: JobId,
        stack: &str,
        name: &str,
        what: String,
        read: impl FnOnce(&[u8]) -> Result<T, String> + Send + 'static,
    ) -> Result<T, Fault> {
        let local = |detail: String| Fault::new(FaultKind::Local, &what, detail);
        if stack.is_empty() || stack.starts_with('.') || stack.contains(['/', '\\', '%']) {
            return Err(local("the stack's name would lead out of the artifact; nothing was sent".to_owned()));
        }
        let endpoint = DownloadJobArtifactFile::builder()
            .project(self.project_path())
            .job(job.0)
            .path(format!("jobs_scratch_dir/{stack}/{name}"))
            .build();
        let file = self.bytes(&self.built(what.clone(), endpoint)?).await?;
        // Some 50 MB of YAML take seconds: not on a thread that draws or polls.
        let read = tokio::task::spawn_blocking(move || read(&file)).await;
        read.map_err(|e| local(e.to_string()))?
            .map_err(|detail| self.note(Fault::new(FaultKind::Garbled, &what, answer::cut(&detail))))
    }

    /// A request from one of the crate's builders.
    pub(super) fn built<E: gitlab::api::Endpoint>(
        &self,
        what: String,
        endpoint: Result<E, impl std::fmt::Display>,
    ) -> Result<Ask, Fault> {
        match endpoint {
            Ok(endpoint) => self.ask(what, &endpoint, &[]),
            Err(error) => Err(Fault::new(FaultKind::Local, what, error.to_string())),
        }
    }

    fn trigger(&self, wire: Vec<WireJob>) -> Vec<TriggerJob> {
        let words = &mut *self.words();
        wire.into_iter().map(|job| job.into_trigger_job(words)).collect()
    }

    fn jobs(&self, wire: impl IntoIterator<Item = WireJob>, kind: JobKind) -> Vec<Job> {
        let words = &mut *self.words();
        wire.into_iter().map(|job| job.into_job(kind, words)).collect()
    }

    pub(super) async fn page<T: serde::de::DeserializeOwned>(
        &self,
        what: String,
        endpoint: &impl gitlab::api::Endpoint,
        page: u32,
        rows: u32,
    ) -> Result<Page<T>, Fault> {
        self.rows(what, endpoint, page, rows).await.map(|rows| rows.page)
    }

    /// One page, with what else is told about it.
    pub(super) async fn rows<T: serde::de::DeserializeOwned>(
        &self,
        what: String,
        endpoint: &impl gitlab::api::Endpoint,
        page: u32,
        rows: u32,
    ) -> Result<Rows<T>, Fault> {
        let page = page.max(1);
        if page.saturating_mul(rows) > LAST_ROW {
            let detail =
                format!("GitLab pages no further than {LAST_ROW} rows; narrow the list by time, branch or status");
            return Err(Fault::new(FaultKind::Local, what, detail));
        }
        let ask = self.ask(what, endpoint, &[("per_page", rows.to_string()), ("page", page.to_string())])?;
        let reply = self.json::<Vec<Option<T>>>(&ask).await?;
        let count = reply.value.len();
        let items: Vec<T> = reply.value.into_iter().flatten().collect();
        let empty = count - items.len();
        let next = next_page(&reply.headers, page, count >= rows as usize);
        let total = answer::text(&reply.headers, "x-total").and_then(|n| n.trim().parse().ok());
        let at = answer::text(&reply.headers, "date").and_then(Timestamp::parse_http_date);
        Ok(Rows { page: Page { items, next, total }, empty, at })
    }

    /// Every page of a short list.
    async fn all_pages(&self, what: &str, endpoint: &impl gitlab::api::Endpoint) -> Result<Vec<WireJob>, Fault> {
        let mut all = Vec::new();
        let mut next = Some(1);
        while let Some(page) = next {
            let mut found = self.page(what.to_owned(), endpoint, page, PAGE).await?;
            all.append(&mut found.items);
            next = found.next;
        }
        Ok(all)
    }

    /// Takes a next link as it is, but only to where the list came from.
    fn cursor(&self, ask: &Ask, link: &str) -> Result<Cursor, Fault> {
        match ask.url.join(link) {
            Ok(url) if same_origin(&url, self.base()) => Ok(Cursor(url)),
            _ => {
                let detail = "the link to the next page leads to another host and was not followed";
                Err(self.note(Fault::new(FaultKind::Garbled, &ask.what, detail)))
            }
        }
    }
}

impl<T> Page<T> {
    fn map<U>(self, change: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(change).collect(), next: self.next, total: self.total }
    }
}

/// The next page: by `x-next-page`, by `Link`, or, where a proxy ate both, by whether this one was full.
fn next_page(headers: &HeaderMap, page: u32, full: bool) -> Option<u32> {
    if let Some(number) = answer::text(headers, "x-next-page") {
        return number.trim().parse().ok().filter(|next| *next > page);
    }
    if headers.contains_key("link") {
        return next_link(headers).map(|_| page + 1);
    }
    full.then_some(page + 1)
}

/// The target of `<…>; rel="next"`.
fn next_link(headers: &HeaderMap) -> Option<&str> {
    answer::text(headers, "link")?.split(',').find_map(|part| {
        let (target, params) = part.trim().strip_prefix('<')?.split_once('>')?;
        params.split(';').any(|p| matches!(p.trim(), r#"rel="next""# | "rel=next")).then_some(target)
    })
}

#[cfg(test)]
#[path = "read_tests.rs"]
mod tests;
