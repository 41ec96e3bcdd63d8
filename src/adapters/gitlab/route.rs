//! Routes that the `gitlab` crate does not build, or builds with too few parameters.

use std::borrow::Cow;

use gitlab::api::common::path_escaped;
use gitlab::api::endpoint_prelude::{BodyError, Endpoint, Method, QueryParams, UrlBase};
use serde_json::{Value, json};

use crate::ci::{JobId, PipelineId, RunnerId, Status};
use crate::forge::{BranchName, Sha};

/// One route: method, path below its base, query and body.
pub(super) struct Route {
    method: Method,
    base: UrlBase,
    path: String,
    query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Route {
    fn read(project: &str, rest: impl std::fmt::Display) -> Self {
        let path = format!("projects/{}/{rest}", path_escaped(project));
        Self { method: Method::GET, base: UrlBase::ApiV4, path, query: Vec::new(), body: None }
    }

    /// Pipelines, with every filter of the server.
    pub fn pipelines(project: &str) -> Self {
        Self::read(project, "pipelines")
    }

    /// Trigger jobs of a pipeline, by the route of GitLab 19.2.
    pub fn trigger_jobs(project: &str, pipeline: PipelineId) -> Self {
        Self::read(project, format_args!("pipelines/{pipeline}/trigger_jobs"))
    }

    /// Jobs of one pipeline; unlike the crate's, it knows every status.
    pub fn pipeline_jobs(project: &str, pipeline: PipelineId, scopes: &[Status], retried: bool) -> Self {
        let mut route = Self::read(project, format_args!("pipelines/{pipeline}/jobs")).scoped(scopes);
        if retried {
            route.query.push(("include_retried", "true".to_owned()));
        }
        route
    }

    /// Jobs of the whole project, newest first, paged by key.
    pub fn project_jobs(project: &str, scopes: &[Status]) -> Self {
        let mut route = Self::read(project, "jobs").scoped(scopes);
        for (key, value) in [("pagination", "keyset"), ("order_by", "id"), ("sort", "desc")] {
            route.query.push((key, value.to_owned()));
        }
        route
    }

    /// Runners that may take jobs of a project, those of its groups and of the instance too.
    pub fn runners(project: &str) -> Self {
        Self::read(project, "runners")
    }

    /// One runner.
    pub fn runner(id: RunnerId) -> Self {
        Self { path: format!("runners/{}", id.0), ..Self::read("", "") }
    }

    /// Pauses or resumes a runner.
    pub fn set_paused(id: RunnerId, is_paused: bool) -> Self {
        Self { method: Method::PUT, body: Some(json!({ "paused": is_paused })), ..Self::runner(id) }
    }

    /// Cancels a job that is stuck in `canceling`.
    pub fn force_cancel(project: &str, job: JobId) -> Self {
        let route = Self::read(project, format_args!("jobs/{job}/cancel"));
        Self { method: Method::POST, ..route }.with("force", Some("true".to_owned()))
    }

    /// Branches of the repository.
    pub fn branches(project: &str) -> Self {
        Self::read(project, "repository/branches")
    }

    /// One branch.
    pub fn branch(project: &str, name: &BranchName) -> Self {
        Self::read(project, format_args!("repository/branches/{}", name.in_url()))
    }

    /// Deletes a branch.
    pub fn delete_branch(project: &str, name: &BranchName) -> Self {
        Self { method: Method::DELETE, ..Self::branch(project, name) }
    }

    /// Names and patterns that are protected.
    pub fn protected_branches(project: &str) -> Self {
        Self::read(project, "protected_branches")
    }

    /// One commit.
    pub fn commit(project: &str, sha: &Sha) -> Self {
        Self::read(project, format_args!("repository/commits/{sha}"))
    }

    /// What was pushed since a day that does not count itself.
    pub fn pushes(project: &str, after: String) -> Self {
        Self::read(project, "events").with("action", Some("pushed".to_owned())).with("after", Some(after))
    }

    /// Creates a pipeline, with its variables as JSON.
    pub fn create_pipeline(project: &str, body: Value) -> Self {
        Self { method: Method::POST, body: Some(body), ..Self::read(project, "pipeline") }
    }

    /// The log of a job on the web, which needs no token where jobs are public.
    pub fn web_raw(project: &str, job: JobId) -> Self {
        // The web wants the path as it is, slashes and all.
        let path = format!(
            "{}/-/jobs/{job}/raw",
            project.split('/').map(|p| path_escaped(p).to_string()).collect::<Vec<_>>().join("/")
        );
        Self { method: Method::GET, base: UrlBase::Instance, path, query: Vec::new(), body: None }
    }

    /// Asks GraphQL.
    pub fn graphql(body: Value) -> Self {
        let path = "api/graphql".to_owned();
        Self { method: Method::POST, base: UrlBase::Instance, path, query: Vec::new(), body: Some(body) }
    }

    /// Adds a parameter that may be absent.
    pub fn with(mut self, key: &'static str, value: Option<String>) -> Self {
        self.query.extend(value.map(|value| (key, value)));
        self
    }

    fn scoped(mut self, scopes: &[Status]) -> Self {
        self.query.extend(scopes.iter().map(|scope| ("scope[]", scope.to_string())));
        self
    }
}

impl Endpoint for Route {
    fn method(&self) -> Method {
        self.method.clone()
    }

    fn endpoint(&self) -> Cow<'static, str> {
        self.path.clone().into()
    }

    fn url_base(&self) -> UrlBase {
        self.base
    }

    fn parameters(&self) -> QueryParams<'_> {
        let mut params = QueryParams::default();
        params.extend(self.query.iter().map(|(key, value)| (*key, value)));
        params
    }

    fn body(&self) -> Result<Option<(&'static str, Vec<u8>)>, BodyError> {
        Ok(self.body.as_ref().map(|body| ("application/json", body.to_string().into_bytes())))
    }
}
