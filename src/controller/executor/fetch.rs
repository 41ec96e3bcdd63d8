//! Reads: turns an order into requests, pages into events, and says how each fetch of the order ended.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::Hands;
use crate::adapters::gitlab::{ChildCursor, PipelineQuery};
use crate::ci::{Iid, JobId, Need, PipelineId, Status, Timestamp, stack_of};
use crate::console::effect::{Fetch, Order};
use crate::console::event::{Event, NeedsOrigin};
use crate::console::fault::{Fault, FaultKind};
use crate::console::log::PageNo;
use crate::console::world::Edges;
use crate::controller::spill::{Chunk, Reread};
use crate::controller::verify::Binary;

type Ended = Vec<(Fetch, Result<(), Fault>)>;

/// Pages of failed and running jobs read for reasons and runners; older failures are on no screen.
const REASON_PAGES: usize = 5;
/// Passes over a log that keeps changing before it is left for the next poll.
const PASSES: usize = 3;

impl Hands {
    /// Fulfils an order that began at `at`.
    pub(super) async fn read(&self, order: &Order, at: Timestamp) -> Ended {
        match order {
            Order::Pipelines { limit } => vec![(Fetch::Pipelines, self.read_pipelines(*limit, at).await)],
            Order::TriggerJobs { parent } => {
                vec![(Fetch::TriggerJobs(*parent), self.read_trigger_jobs(*parent, at).await)]
            }
            Order::Jobs { batch } => self.read_jobs(batch, at).await,
            Order::Needs { pipeline, iid, generate, stack } => {
                let result = self.read_needs(*pipeline, *iid, *generate, stack.as_deref()).await;
                vec![(Fetch::Needs(*pipeline), result)]
            }
            Order::Report { pipeline, generate, stack } => {
                let result = self.read_report(*pipeline, *generate, stack.as_deref(), at).await;
                vec![(Fetch::Report(*pipeline), result)]
            }
            Order::FailureReasons => vec![(Fetch::FailureReasons, self.read_failure_reasons(at).await)],
            Order::Log { job, web_url, replay } => {
                if *replay {
                    self.replay_log(*job).await;
                }
                vec![(Fetch::Log(*job), self.read_log(*job, web_url.as_deref()).await)]
            }
            Order::Caches { mirrors } => vec![(Fetch::Caches, self.list_caches(mirrors, at).await)],
            Order::Cache { root, url } => vec![(Fetch::Cache(*root), self.look_into(*root, url, at).await)],
            Order::Signature { root, url, hash, path, layout } => {
                let binary = Binary { path: Arc::clone(path), hash: *hash, layout: *layout };
                vec![(Fetch::Signature(*root, *hash), self.verify_binary(*root, url, binary, at).await)]
            }
            Order::Board { known } => vec![(Fetch::Board, self.read_board(*known).await)],
            Order::Story(pr) => vec![(Fetch::Story(*pr), self.read_story(*pr).await)],
            Order::History { until } => vec![(Fetch::History, self.read_history(*until).await)],
            Order::Verdict { web_url, facts, failure } => {
                vec![(Fetch::Verdict(failure.job), self.judge(failure, facts, web_url.as_deref()).await)]
            }
        }
    }

    async fn read_pipelines(&self, limit: usize, at: Timestamp) -> Result<(), Fault> {
        let query = PipelineQuery::default();
        let (mut page, mut seen) = (Some(1), 0);
        while let Some(number) = page {
            let answer = self.outside.gitlab.pipelines(&query, number).await?;
            seen += answer.items.len();
            page = answer.next.filter(|_| seen < limit);
            let whole = page.is_none();
            self.say(Event::PipelinesFetched { rows: answer.items, at, whole }).await;
        }
        Ok(())
    }

    async fn read_trigger_jobs(&self, parent: PipelineId, at: Timestamp) -> Result<(), Fault> {
        let found = self.outside.gitlab.trigger_jobs(parent).await?;
        let (mut jobs, mut children) = (Vec::new(), Vec::new());
        for trigger in found {
            children.extend(trigger.child.map(|mut child| {
                child.stack = stack_of(&trigger.job.name).map(Arc::from);
                child
            }));
            jobs.push(trigger.job);
        }
        self.say(Event::TriggerJobsFetched { parent, jobs, children, at }).await;
        Ok(())
    }

    async fn read_jobs(&self, batch: &[(PipelineId, Option<Iid>)], at: Timestamp) -> Ended {
        let gitlab = &self.outside.gitlab;
        let (by_graph, by_page): (Vec<_>, Vec<_>) =
            batch.iter().copied().partition(|(_, iid)| gitlab.has_token() && iid.is_some());
        let mut ended = Vec::new();
        for (pipeline, _) in by_page {
            ended.push((Fetch::Jobs(pipeline), self.read_job_pages(pipeline, at).await));
        }
        let cursors: Vec<_> = by_graph
            .iter()
            .filter_map(|(pipeline, iid)| Some(ChildCursor { pipeline: *pipeline, iid: (*iid)?, after: None }))
            .collect();
        ended.extend(self.read_job_graph(cursors, at).await);
        ended
    }

    async fn read_job_pages(&self, pipeline: PipelineId, at: Timestamp) -> Result<(), Fault> {
        let mut ids = BTreeSet::new();
        let mut page = Some(1);
        while let Some(number) = page {
            let answer = self.outside.gitlab.jobs_page(pipeline, number, &[], false).await?;
            ids.extend(answer.items.iter().map(|j| j.id));
            page = answer.next;
            self.say(Event::JobsFetched { pipeline, jobs: answer.items, at }).await;
        }
        self.say(Event::JobsListed { pipeline, ids: Arc::new(ids), at }).await;
        Ok(())
    }

    async fn read_job_graph(&self, mut cursors: Vec<ChildCursor>, at: Timestamp) -> Ended {
        let mut ids: BTreeMap<PipelineId, BTreeSet<JobId>> = BTreeMap::new();
        let mut ended = Vec::new();
        while !cursors.is_empty() {
            let answer = match self.outside.gitlab.jobs_graphql(&cursors, false, &[]).await {
                Ok(answer) => answer,
                Err(fault) => {
                    ended.extend(cursors.iter().map(|c| (Fetch::Jobs(c.pipeline), Err(fault.clone()))));
                    break;
                }
            };
            let mut left = Vec::new();
            for page in answer.pages {
                let pipeline = page.pipeline;
                let seen = ids.entry(pipeline).or_default();
                seen.extend(page.jobs.iter().map(|j| j.id));
                self.say(Event::JobsFetched { pipeline, jobs: page.jobs, at }).await;
                if let Some(after) = page.next {
                    let iid = cursors.iter().find(|c| c.pipeline == pipeline).map(|c| c.iid);
                    left.extend(iid.map(|iid| ChildCursor { pipeline, iid, after: Some(after) }));
                } else {
                    let ids = Arc::new(ids.remove(&pipeline).unwrap_or_default());
                    self.say(Event::JobsListed { pipeline, ids, at }).await;
                    ended.push((Fetch::Jobs(pipeline), Ok(())));
                }
            }
            ended.extend(answer.failed.into_iter().map(|(pipeline, fault)| (Fetch::Jobs(pipeline), Err(fault))));
            cursors = left;
        }
        ended
    }

    /// Needs never change: the store first, then the file that the generate job left, then GraphQL.
    async fn read_needs(
        &self,
        pipeline: PipelineId,
        iid: Option<Iid>,
        generate: Option<JobId>,
        stack: Option<&str>,
    ) -> Result<(), Fault> {
        let stored = match &self.outside.store {
            Ok(store) => match store.get_needs(pipeline).await {
                Ok(json) => json.and_then(|json| unpack(&json)),
                Err(error) => {
                    tracing::warn!(%error, "needs not read from the store");
                    None
                }
            },
            Err(_) => None,
        };
        if let Some(edges) = stored {
            self.say(Event::NeedsFetched { pipeline, edges, origin: NeedsOrigin::Store }).await;
            return Ok(());
        }
        let (edges, origin) = self.ask_for_needs(pipeline, iid, generate, stack).await?;
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.put_needs(pipeline, &pack(&edges), self.clock.now()).await
        {
            tracing::warn!(%error, "needs not stored");
        }
        self.say(Event::NeedsFetched { pipeline, edges, origin }).await;
        Ok(())
    }

    async fn read_report(
        &self,
        pipeline: PipelineId,
        generate: Option<JobId>,
        stack: Option<&str>,
        at: Timestamp,
    ) -> Result<(), Fault> {
        let (Some(job), Some(stack)) = (generate, stack) else {
            let what = format!("read the report of pipeline {pipeline}");
            return Err(Fault::new(FaultKind::NotFound, what, "its generate job is not known"));
        };
        let report = Arc::new(self.outside.gitlab.generation_report(job, stack).await?);
        self.say(Event::ReportFetched { pipeline, report, at }).await;
        Ok(())
    }

    async fn ask_for_needs(
        &self,
        pipeline: PipelineId,
        iid: Option<Iid>,
        generate: Option<JobId>,
        stack: Option<&str>,
    ) -> Result<(Edges, NeedsOrigin), Fault> {
        let gitlab = &self.outside.gitlab;
        let what = || format!("read needs of pipeline {pipeline}");
        let mut fault = Fault::new(FaultKind::NotFound, what(), "its generate job is not known");
        if let (Some(job), Some(stack)) = (generate, stack) {
            match gitlab.generated_needs(job, stack).await {
                Ok(needs) => {
                    return Ok((needs.into_iter().map(|j| (j.name, j.needs)).collect(), NeedsOrigin::Artifact));
                }
                Err(absent) => fault = absent,
            }
        }
        let Some(iid) = iid else { return Err(fault) };
        let mut edges = Edges::new();
        let mut cursors = vec![ChildCursor { pipeline, iid, after: None }];
        while !cursors.is_empty() {
            let answer = gitlab.jobs_graphql(&cursors, true, &[]).await?;
            if let Some((_, fault)) = answer.failed.into_iter().next() {
                return Err(fault);
            }
            cursors.clear();
            for page in answer.pages {
                edges.extend(page.needs.into_iter().map(|j| (j.name, j.needs)));
                cursors.extend(page.next.map(|after| ChildCursor { pipeline, iid, after: Some(after) }));
            }
        }
        Ok((edges, NeedsOrigin::GraphQl))
    }

    /// GraphQL lists say that a job failed, not why, and not on which runner a job runs: the project's own list does.
    async fn read_failure_reasons(&self, at: Timestamp) -> Result<(), Fault> {
        let mut cursor = None;
        for _ in 0..REASON_PAGES {
            let answer =
                self.outside.gitlab.active_jobs_page(&[Status::Failed, Status::Running], cursor.as_ref()).await?;
            self.say(Event::DetailsFetched { jobs: answer.items, at }).await;
            cursor = answer.next;
            if cursor.is_none() {
                break;
            }
        }
        Ok(())
    }

    /// Passes on what an earlier pass left on disk, from the start.
    async fn replay_log(&self, job: JobId) {
        self.say(Event::LogReset { job }).await;
        let (mut page, spill) = (PageNo(0), &self.outside.spill);
        // A file that is not there is a log that was never read.
        while let Ok(bytes) = spill.read(job, page.bytes()) {
            let is_last = (bytes.len() as u64) < page.bytes().end - page.bytes().start;
            if !bytes.is_empty() {
                self.say(Event::LogFed { job, offset: page.bytes().start, bytes: bytes.into() }).await;
            }
            if is_last {
                break;
            }
            page = PageNo(page.0 + 1);
        }
    }

    async fn read_log(&self, job: JobId, web_url: Option<&str>) -> Result<(), Fault> {
        for _ in 0..PASSES {
            if self.read_log_once(job, web_url).await? {
                return Ok(());
            }
            self.say(Event::LogReset { job }).await;
        }
        let what = format!("read the log of job {job}");
        Err(Fault::new(FaultKind::Garbled, what, "its text changed while it was read"))
    }

    /// One pass; false when the text is not what it was and must be read from the start.
    async fn read_log_once(&self, job: JobId, web_url: Option<&str>) -> Result<bool, Fault> {
        let disk = |e: std::io::Error| {
            Fault::new(FaultKind::Local, format!("keep the log of job {job} on disk"), e.to_string())
        };
        let Some(mut trace) = self.outside.gitlab.trace(job, web_url).await? else { return Ok(true) };
        // The file is the page cache's business: each piece is some kilobytes.
        let mut reread = Reread::begin(&self.outside.spill, job).map_err(disk)?;
        while let Some(piece) = trace.next().await? {
            match reread.take(&piece).map_err(disk)? {
                Chunk::Known => {}
                Chunk::Changed => return Ok(false),
                Chunk::New { offset, skip } => {
                    let bytes: Arc<[u8]> = piece.get(skip..).unwrap_or_default().into();
                    self.say(Event::LogFed { job, offset, bytes }).await;
                }
            }
        }
        Ok(!reread.finish().map_err(disk)?)
    }
}

/// Needs as the store keeps them: `[[name, [[need, optional], …]], …]`.
fn pack(edges: &Edges) -> String {
    let rows: Vec<_> = edges
        .iter()
        .map(|(name, needs)| (name, needs.iter().map(|n| (&n.name, n.optional)).collect::<Vec<_>>()))
        .collect();
    serde_json::to_string(&rows).unwrap_or_default()
}

/// What does not read is asked for again.
fn unpack(json: &str) -> Option<Edges> {
    type Rows = Vec<(Arc<str>, Vec<(Arc<str>, bool)>)>;
    let rows: Rows = serde_json::from_str(json).ok()?;
    let needs =
        |list: Vec<(Arc<str>, bool)>| list.into_iter().map(|(name, optional)| Need { name, optional }).collect();
    Some(rows.into_iter().map(|(name, list)| (name, needs(list))).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stored_needs_read_back_as_they_were() {
        let need = |name: &str, optional| Need { name: name.into(), optional };
        let edges: Edges = vec![("b \"x\" /ü".into(), vec![need("a", false), need("c", true)]), ("a".into(), vec![])];
        assert_eq!(unpack(&pack(&edges)), Some(edges));
        assert_eq!(unpack("[[1]]"), None);
    }
}
