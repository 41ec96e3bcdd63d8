//! Sends one request that changes something, here a job or a pipeline: re-read, compare with what was shown, send, and on silence find out what happened.

use std::sync::Arc;

use super::{Hands, Outside};
use crate::ci::{Job, JobId, PipelineId};
use crate::console::actions::{Object, Outcome, PlanId, Target, Verb};
use crate::console::event::Event;
use crate::console::fault::Fault;
use crate::controller::fleet::Actor;

impl Hands {
    pub(super) async fn act(&self, plan: PlanId, who: Arc<str>, verb: Verb, target: Target) {
        let outcome = match &target.object {
            Object::Job(id) => self.act_on_job(verb, *id, &target).await,
            Object::Pipeline(id) => self.retry_pipeline(*id, &target).await,
            Object::PullRequest(number) => self.resync(*number, &target, &who).await,
            _ => {
                let Outside { fleet, gitlab, .. } = &self.outside;
                Actor { fleet, gitlab, clock: &self.clock, who: &who }.act(verb, &target).await
            }
        };
        tracing::info!(%plan, verb = verb.word(), object = ?target.object, outcome = outcome.word(), "acted");
        self.say(Event::TargetFinished { plan, object: target.object, outcome }).await;
    }

    async fn act_on_job(&self, verb: Verb, id: JobId, target: &Target) -> Outcome {
        let gitlab = &self.outside.gitlab;
        match gitlab.job(id).await {
            Err(fault) => return Outcome::Failed { reason: format!("not sent, could not re-read it: {fault}") },
            Ok(now) if now.status.as_str() != &*target.status => {
                return Outcome::Skipped { reason: format!("changed under you: {} → {}", target.status, now.status) };
            }
            Ok(now) => tracing::debug!(job = %id, status = %now.status, "as shown"),
        }
        let sent = match verb {
            Verb::Retry => gitlab.retry(id).await,
            Verb::Cancel => gitlab.cancel(id, false).await,
            Verb::Play => gitlab.play(id).await,
            _ => return Outcome::Failed { reason: format!("a job is nothing to {}", verb.word()) },
        };
        match sent {
            Ok(job) => Outcome::Done { new_job: (job.id != id).then_some(job.id) },
            Err(fault) if fault.is_uncertain() => self.find_out(verb, id, target, fault).await,
            Err(fault) => Outcome::refused(&fault),
        }
    }

    /// The request may or may not have arrived. It is not sent again: what is there now tells.
    async fn find_out(&self, verb: Verb, id: JobId, target: &Target, fault: Fault) -> Outcome {
        let unknown = |why: String| Outcome::Uncertain { reason: format!("{fault}; {why}") };
        match verb {
            Verb::Retry => match self.newer_try(id, target).await {
                Ok(Some(job)) => Outcome::Done { new_job: Some(job.id) },
                Ok(None) => unknown("no newer try is there; look before you retry it again".to_owned()),
                Err(again) => unknown(format!("and it could not be re-read: {again}")),
            },
            _ => match self.outside.gitlab.job(id).await {
                Ok(job) if job.status.as_str() != &*target.status => Outcome::Done { new_job: None },
                Ok(_) => unknown("the job has not changed; look before you send it again".to_owned()),
                Err(again) => unknown(format!("and it could not be re-read: {again}")),
            },
        }
    }

    async fn newer_try(&self, id: JobId, target: &Target) -> Result<Option<Job>, Fault> {
        let Some(pipeline) = target.pipeline else { return Ok(None) };
        let mut page = Some(1);
        while let Some(number) = page {
            let answer = self.outside.gitlab.jobs_page(pipeline, number, &[], false).await?;
            if let Some(job) = answer.items.into_iter().find(|j| j.name == target.name && j.id > id) {
                return Ok(Some(job));
            }
            page = answer.next;
        }
        Ok(None)
    }

    async fn retry_pipeline(&self, id: PipelineId, target: &Target) -> Outcome {
        let gitlab = &self.outside.gitlab;
        match gitlab.pipeline(id).await {
            Err(fault) => Outcome::Failed { reason: format!("not sent, could not re-read it: {fault}") },
            Ok(now) if now.status.as_str() != &*target.status => {
                Outcome::Skipped { reason: format!("changed under you: {} → {}", target.status, now.status) }
            }
            Ok(_) => match gitlab.retry_pipeline(id).await {
                Ok(_) => Outcome::Done { new_job: None },
                Err(fault) if fault.is_uncertain() => Outcome::Uncertain { reason: fault.to_string() },
                Err(fault) => Outcome::refused(&fault),
            },
        }
    }
}
