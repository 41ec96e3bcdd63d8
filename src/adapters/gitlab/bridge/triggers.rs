//! Trigger jobs and their children, with what their death is judged by.

use std::collections::HashSet;
use std::sync::Arc;

use super::super::client::GitLab;
use super::reason;
use crate::bridge::Looked;
use crate::bridge::companions::triggers::TriggerJob;
use crate::ci::{Job, JobId, Pipeline, PipelineId, Status};
use crate::console::fault::Fault;

/// How GitLab calls a death that it has no word for: the only one that is judged.
const UNKNOWN: &str = "unknown_failure";

impl GitLab {
    /// The pipelines that the trigger jobs of a parent have started.
    pub async fn children(&self, parent: PipelineId) -> Result<Vec<(PipelineId, Status)>, Fault> {
        let triggers = self.trigger_jobs(parent).await?;
        Ok(triggers.into_iter().filter_map(|trigger| trigger.child.map(|child| (child.id, child.status))).collect())
    }

    /// The trigger jobs of a parent. More is asked only about those that have died with an empty child: how many jobs it has, and what became
    /// of the jobs that generate for it.
    pub async fn dead_triggers(&self, parent: &Pipeline) -> Result<Vec<TriggerJob>, Fault> {
        let mut jobs = Vec::new();
        for trigger in self.trigger_jobs(parent.id).await? {
            let failure = trigger.job.failure_reason.as_ref();
            jobs.push(TriggerJob {
                id: trigger.job.id,
                name: trigger.job.name.clone(),
                parent: parent.id,
                parent_updated_at: parent.updated_at,
                // GitLab lists only the last one of each name.
                is_retried: false,
                failure_reason: failure.map(|reason| Arc::from(reason.as_str())),
                child: trigger.child.map(|child| (child.id, child.status)),
                child_jobs: Looked::NotYet,
                generates: Looked::NotYet,
            });
        }
        let mut generates: Option<Result<Vec<Job>, Fault>> = None;
        for job in &mut jobs {
            let Some((child, Status::Failed)) = job.child else { continue };
            if job.failure_reason.as_deref() != Some(UNKNOWN) {
                continue;
            }
            job.child_jobs = match self.jobs_page(child, 1, &[], true).await {
                Ok(page) => Looked::Found(page.items.len()),
                Err(fault) => Looked::Failed(reason(&fault)),
            };
            if job.child_jobs != Looked::Found(0) {
                continue;
            }
            if generates.is_none() {
                generates = Some(self.all_jobs(parent.id).await);
            }
            job.generates = match generates.as_ref() {
                Some(Ok(all)) => Looked::Found(named(all, &job.generate_name())),
                Some(Err(fault)) => Looked::Failed(reason(fault)),
                None => Looked::NotYet,
            };
        }
        Ok(jobs)
    }

    /// Every build of a pipeline, those that were retried too.
    async fn all_jobs(&self, pipeline: PipelineId) -> Result<Vec<Job>, Fault> {
        let (mut all, mut seen) = (Vec::new(), HashSet::new());
        let mut next = Some(1);
        while let Some(number) = next {
            let page = self.jobs_page(pipeline, number, &[], true).await?;
            all.extend(page.items.into_iter().filter(|job| seen.insert(job.id)));
            next = page.next;
        }
        Ok(all)
    }
}

fn named(jobs: &[Job], name: &str) -> Vec<(JobId, Status)> {
    jobs.iter().filter(|job| &*job.name == name).map(|job| (job.id, job.status)).collect()
}
