//! Pipelines, as the bridge looks at them.

use super::super::client::GitLab;
use super::super::read::{PAGE, PipelineQuery};
use super::super::wire::WirePipeline;
use super::Read;
use crate::bridge::PipelineSeen;
use crate::ci::{Pipeline, Status, Timestamp};
use crate::console::fault::Fault;
use crate::forge::{BranchName, Sha};

/// How far back a tested commit of main is looked for: five hundred pipelines.
const MAIN_PAGES: u32 = 5;

impl GitLab {
    /// Every pipeline of the project whose status changed since, those of child pipelines left out; the last changed first.
    pub async fn pipelines_since(&self, since: Timestamp) -> Result<Read<PipelineSeen>, Fault> {
        self.all_pipelines("list changed pipelines", &changed(since), |pipeline| seen(&pipeline), |one| one.id).await
    }

    /// The same, as whole pipelines.
    pub async fn changed_pipelines(&self, since: Timestamp) -> Result<Read<Pipeline>, Fault> {
        self.all_pipelines("list changed pipelines", &changed(since), Some, |one| one.id).await
    }

    /// Every pipeline that runs, those of child pipelines left out.
    pub async fn running_pipelines(&self) -> Result<Read<Pipeline>, Fault> {
        self.pipelines_that_are(Status::Running).await
    }

    /// Every pipeline in a status, those of child pipelines left out.
    pub async fn pipelines_that_are(&self, status: Status) -> Result<Read<Pipeline>, Fault> {
        let query = PipelineQuery { status: Some(status), ..PipelineQuery::default() };
        self.all_pipelines(&format!("list {status} pipelines"), &query, Some, |one| one.id).await
    }

    /// The newest pipeline of a branch or tag.
    pub async fn newest_pipeline(&self, git_ref: &str) -> Result<Option<Pipeline>, Fault> {
        let query = PipelineQuery { git_ref: Some(git_ref.to_owned()), ..PipelineQuery::default() };
        let what = format!("list pipelines of {git_ref}");
        let page = self.page::<WirePipeline>(what, &self.pipelines_route(&query), 1, PAGE).await?;
        let words = &mut *self.words();
        Ok(page.items.into_iter().map(|wire| wire.into_pipeline(words)).max_by_key(|one| one.id))
    }

    /// The newest pipelines of the main branch, back to one that has ended: what was tested last, and what runs.
    pub async fn main_pipelines(&self, main: &BranchName) -> Result<Vec<PipelineSeen>, Fault> {
        let query = PipelineQuery { git_ref: Some(main.to_string()), ..PipelineQuery::default() };
        let route = self.pipelines_route(&query);
        let what = format!("list pipelines of {main}");
        let mut all: Vec<PipelineSeen> = Vec::new();
        let mut next = Some(1);
        while let Some(page) = next.filter(|page| *page <= MAIN_PAGES) {
            let found = self.page::<WirePipeline>(what.clone(), &route, page, PAGE).await?;
            let words = &mut *self.words();
            let read = found.items.into_iter().filter_map(|wire| seen(&wire.into_pipeline(words)));
            // A list that moves tells the end of one page again.
            all.extend(read);
            let has_ended = |one: &PipelineSeen| matches!(one.status, Some(Status::Success | Status::Failed));
            next = found.next.filter(|_| !all.iter().any(has_ended));
        }
        all.sort_by_key(|one| std::cmp::Reverse(one.id));
        all.dedup_by_key(|one| one.id);
        Ok(all)
    }

    /// The pipelines of one commit, the newest first; of one branch, if it is given.
    pub async fn pipelines_of(&self, sha: &Sha, branch: Option<&BranchName>) -> Result<Read<PipelineSeen>, Fault> {
        let git_ref = branch.map(ToString::to_string);
        let query = PipelineQuery { sha: Some(sha.to_string()), git_ref, ..PipelineQuery::default() };
        let what = format!("list pipelines of {}", sha.short());
        self.all_pipelines(&what, &query, |pipeline| seen(&pipeline), |one| one.id).await
    }

    async fn all_pipelines<T, K: Eq + std::hash::Hash>(
        &self,
        what: &str,
        query: &PipelineQuery,
        read: impl Fn(Pipeline) -> Option<T>,
        key: impl Fn(&T) -> K,
    ) -> Result<Read<T>, Fault> {
        let route = self.pipelines_route(query);
        self.every(what, &route, |wire: WirePipeline| read(wire.into_pipeline(&mut self.words())), key).await
    }
}

fn changed(since: Timestamp) -> PipelineQuery {
    PipelineQuery { updated_after: Some(since), ..PipelineQuery::default() }
}

/// A pipeline whose status was not told has none.
fn seen(pipeline: &Pipeline) -> Option<PipelineSeen> {
    let mut seen = PipelineSeen::of(pipeline)?;
    seen.status = seen.status.filter(|status| status.as_str() != "unknown");
    Some(seen)
}
