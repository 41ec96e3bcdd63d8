//! What API calls do to the world, with the effects they have on GitLab.

use crate::ci::{JobId, PipelineId, Status};

use super::super::people::OPERATOR;
use super::super::plan::Role;
use super::super::rng::Rng;
use super::births::Opening;
use super::clockwork::Event;
use super::{Job, World};

/// Why an action is not possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    NotFound,
    NotRetryable,
    NotPlayable,
    NotCancelable,
    NotErasable,
    NoSuchRef,
}

impl World {
    /// Keeps new jobs away from a runner, or lets it take jobs again; those that run go on.
    pub fn set_paused(&mut self, runner: usize, is_paused: bool) {
        if let Some(runner) = self.runners.get_mut(runner) {
            runner.paused = is_paused;
            self.settle();
        }
    }

    /// Runs a job again as a new one. What was skipped because of it goes back to `created`.
    pub fn retry_job(&mut self, id: JobId) -> Result<JobId, Refusal> {
        let new = self.renew(id)?;
        let (pipeline, entry) = (self.jobs.at(new).pipeline, self.jobs.at(new).entry);
        self.consider(pipeline, entry);
        self.settle();
        Ok(new)
    }

    /// Makes the new job without starting it.
    fn renew(&mut self, id: JobId) -> Result<JobId, Refusal> {
        let old = self.jobs.get(id).ok_or(Refusal::NotFound)?;
        if old.retried || !old.status.is_retryable() {
            return Err(Refusal::NotRetryable);
        }
        let (pipeline, entry, attempt) = (old.pipeline, old.entry, old.attempt + 1);
        // A canceled trigger job may still have a living child; GitLab leaves it alone, and so does this.
        let new = self.new_job(pipeline, entry, attempt, &OPERATOR);
        let skipped: Vec<JobId> = {
            let pipeline = self.pipelines.at(pipeline);
            let stage = pipeline.plan.entry(entry).stage;
            let later = pipeline.plan.numbers().filter(|n| {
                let other = pipeline.plan.entry(*n);
                other.needs.is_none() && other.stage > stage
            });
            let mut waiting = pipeline.plan.blocked_by(entry);
            waiting.extend(later);
            waiting.iter().filter_map(|n| pipeline.latest.get(*n as usize).copied()).collect()
        };
        for job in skipped {
            if self.jobs.at(job).status == Status::Skipped {
                self.set(job, Status::Created);
            }
        }
        Ok(new)
    }

    /// Stops a job: at once when it has not started, after its clean-up when it runs.
    pub fn cancel_job(&mut self, id: JobId, force: bool) -> Result<(), Refusal> {
        let job = self.jobs.get(id).ok_or(Refusal::NotFound)?;
        let stuck = force && job.status == Status::Canceling;
        if !job.status.is_cancelable() && !stuck {
            return Err(Refusal::NotCancelable);
        }
        self.stop(id, force);
        self.settle();
        Ok(())
    }

    fn stop(&mut self, id: JobId, force: bool) {
        if let Some(child) = self.jobs.at(id).downstream {
            self.stop_all(child);
        } else if self.jobs.at(id).status == Status::Running && !force {
            self.set(id, Status::Canceling);
            let delay = 5_000 + self.dice("cancel", id).below(12_000) as i64;
            self.plan_event(self.now.shifted(delay), Event::Stops(id));
        } else {
            self.finish(id, Status::Canceled);
        }
    }

    fn stop_all(&mut self, pipeline: PipelineId) {
        for job in self.pipelines.at(pipeline).latest.clone() {
            if self.jobs.at(job).status.is_cancelable() {
                self.stop(job, false);
            }
        }
    }

    /// Starts a manual job.
    pub fn play_job(&mut self, id: JobId) -> Result<(), Refusal> {
        let job = self.jobs.get(id).ok_or(Refusal::NotFound)?;
        if !matches!(job.status, Status::Manual | Status::Scheduled) {
            return Err(Refusal::NotPlayable);
        }
        self.enqueue(id);
        self.settle();
        Ok(())
    }

    /// Throws away log and artifacts of a job that has ended.
    pub fn erase_job(&mut self, id: JobId) -> Result<(), Refusal> {
        let now = self.now;
        let is_bridge = self.jobs.get(id).is_some_and(|j| self.entry_of(j).role == Role::Trigger);
        let job = self.jobs.get_mut(id).ok_or(Refusal::NotFound)?;
        if is_bridge
            || job.erased_at.is_some()
            || !matches!(job.status, Status::Success | Status::Failed | Status::Canceled)
        {
            return Err(Refusal::NotErasable);
        }
        job.erased_at = Some(now);
        Ok(())
    }

    /// Runs everything again that failed or was canceled. Does nothing when there is nothing.
    pub fn retry_pipeline(&mut self, id: PipelineId) -> Result<(), Refusal> {
        let pipeline = self.pipelines.get(id).ok_or(Refusal::NotFound)?;
        let ended = |job: &&JobId| matches!(self.jobs.at(**job).status, Status::Failed | Status::Canceled);
        let again: Vec<JobId> = pipeline.latest.iter().filter(ended).copied().collect();
        let mut entries = Vec::with_capacity(again.len());
        for job in again {
            let new = self.renew(job)?;
            entries.push(self.jobs.at(new).entry);
        }
        for entry in entries {
            self.consider(id, entry);
        }
        self.settle();
        Ok(())
    }

    /// Cancels every job that can be canceled, in children too. Does nothing when there is none.
    pub fn cancel_pipeline(&mut self, id: PipelineId) -> Result<(), Refusal> {
        self.pipelines.get(id).ok_or(Refusal::NotFound)?;
        self.stop_all(id);
        self.settle();
        Ok(())
    }

    /// Starts a new pipeline for the newest commit of a branch, with the plan of its last one. Branches of older pipelines, which nobody has
    /// deleted here, get the same again.
    pub fn create_pipeline(&mut self, git_ref: &str) -> Result<PipelineId, Refusal> {
        if self.refs.is_deleted(git_ref) {
            return Err(Refusal::NoSuchRef);
        }
        let model = self.pipelines.iter().rev().find(|p| p.parent.is_none() && &*p.git_ref == git_ref);
        let Some(model) = model else {
            let id = self.run_ref(git_ref).ok_or(Refusal::NoSuchRef)?;
            self.settle();
            return Ok(id);
        };
        let opening = Opening {
            parent: None,
            git_ref: model.git_ref.clone(),
            is_tag: model.is_tag,
            commit: self.refs.tip(git_ref).unwrap_or_else(|| model.commit.clone()),
            source: "api",
            name: model.name.clone(),
            user: &OPERATOR,
            access: model.access,
            key: Rng::of(model.key, "again", self.pipelines.len() as u64).next(),
            plan: model.plan.clone(),
            script: model.script.clone(),
            at: self.now,
        };
        let id = self.open(opening);
        self.settle();
        Ok(id)
    }

    /// The newest run of every job that a pipeline's `retried=false` list shows, newest id first; or every run.
    pub fn jobs_of(&self, id: PipelineId, retried: bool) -> impl Iterator<Item = &Job> {
        let jobs = self.pipelines.get(id).map_or(&[][..], |p| &p.jobs);
        jobs.iter().rev().map(|id| self.jobs.at(*id)).filter(move |job| retried || !job.retried)
    }
}
