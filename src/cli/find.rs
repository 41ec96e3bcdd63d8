//! Reads what was named by its id, wherever it lies: a core follows the newest pipelines and would never meet an old one by itself.
//!
//! Answers are events, so that what is found reaches a world on the same road as everything else.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use futures_util::{StreamExt, TryStreamExt, stream};

use crate::adapters::clock::Clock;
use crate::adapters::gitlab::{GitLab, PipelineQuery};
use crate::ci::{Job, JobId, PipelineId, stack_of};
use crate::console::event::Event;
use crate::console::fault::Fault;

/// How many ids are looked up at once; the adapter's budget is the brake.
const AT_ONCE: usize = 4;

/// Looks things up.
pub struct Finder<'a> {
    pub gitlab: &'a GitLab,
    pub clock: &'a dyn Clock,
}

impl Finder<'_> {
    /// A pipeline, and for a child its parent with all siblings.
    pub async fn pipeline(&self, id: PipelineId) -> Result<Vec<Event>, Fault> {
        let at = self.clock.now();
        let found = self.gitlab.pipeline(id).await?;
        let mut events = Vec::new();
        if &*found.source == "parent_pipeline" {
            // A child does not name its parent, but both run the same commit.
            let query = PipelineQuery { sha: Some(found.sha.to_string()), ..PipelineQuery::default() };
            for parent in self.gitlab.pipelines(&query, 1).await?.items.into_iter().filter(|p| p.id < id) {
                let triggers = self.gitlab.trigger_jobs(parent.id).await?;
                if !triggers.iter().any(|t| t.child.as_ref().is_some_and(|child| child.id == id)) {
                    continue;
                }
                let (mut jobs, mut children) = (Vec::new(), Vec::new());
                for trigger in triggers {
                    children.extend(trigger.child.map(|mut child| {
                        child.stack = stack_of(&trigger.job.name).map(Arc::from);
                        child
                    }));
                    jobs.push(trigger.job);
                }
                let parent_id = parent.id;
                events.push(Event::PipelinesFetched { rows: vec![parent], at, whole: false });
                events.push(Event::TriggerJobsFetched { parent: parent_id, jobs, children, at });
                break;
            }
        }
        events.push(Event::PipelinesFetched { rows: vec![found], at, whole: false });
        Ok(events)
    }

    /// Jobs, each with its pipeline.
    pub async fn jobs(&self, ids: &[JobId]) -> Result<Vec<Event>, Fault> {
        let at = self.clock.now();
        let ids: BTreeSet<JobId> = ids.iter().copied().collect();
        let jobs: Vec<Job> = stream::iter(ids).map(|id| self.gitlab.job(id)).buffered(AT_ONCE).try_collect().await?;
        let mut by_pipeline: BTreeMap<PipelineId, Vec<Job>> = BTreeMap::new();
        for job in jobs {
            by_pipeline.entry(job.pipeline).or_default().push(job);
        }
        let mut events = Vec::new();
        let mut known = BTreeSet::new();
        for (pipeline, jobs) in by_pipeline {
            if !known.contains(&pipeline) {
                let found = self.pipeline(pipeline).await?;
                known.extend(found.iter().flat_map(pipelines_of));
                events.extend(found);
            }
            events.push(Event::JobsFetched { pipeline, jobs, at });
        }
        Ok(events)
    }

    /// All tries of the jobs of some pipelines: lists leave the older ones out, and a guardrail counts them.
    pub async fn tries(&self, pipelines: BTreeSet<PipelineId>) -> Result<Vec<Event>, Fault> {
        let at = self.clock.now();
        let mut events = Vec::new();
        for pipeline in pipelines {
            let mut page = Some(1);
            while let Some(number) = page {
                let answer = self.gitlab.jobs_page(pipeline, number, &[], true).await?;
                page = answer.next;
                events.push(Event::JobsFetched { pipeline, jobs: answer.items, at });
            }
        }
        Ok(events)
    }
}

fn pipelines_of(event: &Event) -> Vec<PipelineId> {
    match event {
        Event::PipelinesFetched { rows, .. } => rows.iter().map(|row| row.id).collect(),
        Event::TriggerJobsFetched { children, .. } => children.iter().map(|child| child.id).collect(),
        _ => Vec::new(),
    }
}
