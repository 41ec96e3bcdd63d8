//! What follows from the fleet and the jobs together: queues and who takes them, classes and how full they are, our own alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::World;
use crate::ci::{Job, PipelineId, RunnerId, Status, Timestamp};
use crate::console::fleet::System;
use crate::console::fresh::Completeness;
use crate::fleet::{
    Busy, Facts, InfraFigures, JobEvidence, Place, Queue, RunnerClass, SourceAge, Start, Waiting, classes, judge,
    queues,
};
use crate::taxonomy::Owner;

/// How often our own alerts are judged.
const JUDGED: Duration = Duration::from_secs(15);
/// How often jobs are charged.
const SAMPLED: Duration = Duration::from_secs(30);
const HOUR: i64 = 3_600_000;

impl World {
    /// Jobs that wait for a runner by what they ask for; `None` while no jobs are known.
    pub fn queues(&self, now: Timestamp) -> Option<Vec<Queue>> {
        if self.jobs_known() == Completeness::Unknown {
            return None;
        }
        let server_now = self.server_time(now);
        let hour_ago = server_now.shifted(-HOUR);
        let waiting: Vec<Waiting> = self
            .jobs()
            .filter(|job| job.status == Status::Pending)
            .filter_map(|job| Waiting::of(job, self.is_protected(job.pipeline)))
            .collect();
        let starts: Vec<Start> = self
            .jobs()
            .filter(|job| job.started_at.is_some_and(|at| at >= hour_ago))
            .filter_map(|job| self.start_of(job))
            .collect();
        Some(queues(&self.fleet.objects, &waiting, &starts, server_now))
    }

    /// A job that started, with the class that took it, where that was seen.
    pub fn start_of(&self, job: &Job) -> Option<Start> {
        let start = Start::of(job)?;
        let seat = || self.fleet.outcomes.seat_of(job.id).map(|seat| crate::fleet::class_of(&seat.runner));
        let class = start.class.clone().or_else(seat);
        Some(Start { class, ..start })
    }

    /// All classes of runners, with how full they are.
    pub fn runner_classes(&self) -> Vec<RunnerClass> {
        let running = (self.jobs_known() == Completeness::Whole).then(|| self.running_by_runner());
        classes(&self.fleet.objects, &Busy { running, ..self.fleet.busy() }, &self.fleet.rules.hosts)
    }

    /// Jobs that run by their runner, of the pipelines that are followed.
    pub fn running_by_runner(&self) -> BTreeMap<RunnerId, u64> {
        let mut running = BTreeMap::new();
        for runner in self.jobs().filter(|job| job.status == Status::Running).filter_map(|job| job.runner.as_ref()) {
            *running.entry(runner.id).or_default() += 1;
        }
        running
    }

    /// The last signs of life that runners gave by their jobs.
    pub fn job_evidence(&self) -> BTreeMap<RunnerId, JobEvidence> {
        let mut evidence: BTreeMap<RunnerId, JobEvidence> = BTreeMap::new();
        for job in self.jobs() {
            let Some(runner) = &job.runner else { continue };
            let known = evidence.entry(runner.id).or_default();
            known.is_running |= job.status == Status::Running;
            known.ended = known.ended.max(job.finished_at);
        }
        for outcome in self.fleet.outcomes.newest() {
            if let Some(runner) = self.fleet.objects.runner_named(&outcome.seat.runner) {
                let known = evidence.entry(runner.id).or_default();
                known.ended = known.ended.max(Some(outcome.at));
            }
        }
        evidence
    }

    /// Where a job stands.
    pub fn place_of<'a>(&'a self, job: &Job) -> Place<'a> {
        Place::of_job(&self.fleet.objects, job, &self.fleet.rules.hosts)
    }

    /// Whether a pipeline's ref is protected; only of pull requests it is known that theirs is not.
    fn is_protected(&self, pipeline: PipelineId) -> Option<bool> {
        self.pipeline(pipeline)?.pipeline.pull_request().map(|_| false)
    }

    /// What is looked at in intervals. Nothing is, where nothing is configured.
    pub(super) fn look_at_fleet(&mut self, now: Timestamp) {
        if self.fleet.sources.is_empty() {
            return;
        }
        for facts in self.fleet.sources.values_mut() {
            facts.asked_since.get_or_insert(now);
        }
        let server_now = self.server_time(now);
        if self.fleet.is_configured(System::Kubernetes) && self.fleet.is_sample_due(now, SAMPLED) {
            self.fleet.sample(server_now);
        }
        if self.fleet.is_trend_due(now) {
            let classes = self.runner_classes();
            self.fleet.trend(&classes);
        }
        if self.fleet.is_judgement_due(now, JUDGED) {
            self.judge_fleet(now, server_now);
            self.revision += 1;
        }
    }

    fn judge_fleet(&mut self, now: Timestamp, server_now: Timestamp) {
        let (classes, queues, jobs) = (self.runner_classes(), self.queues(now), self.job_evidence());
        let fleet = &self.fleet;
        let sources: Vec<SourceAge> = fleet
            .sources
            .iter()
            .filter(|(_, facts)| !facts.is_absent())
            .filter_map(|(source, facts)| {
                // A watch that lives says little.
                let last_good = facts.state.heard.map(|at| self.server_time(at));
                Some(SourceAge {
                    name: source.word().into(),
                    asked_since: self.server_time(facts.asked_since?),
                    last_good,
                    interval: source.period(),
                })
            })
            .collect();
        let knows_jobs = self.jobs_known() == Completeness::Whole;
        let stuck = fleet.stillness(server_now);
        let facts = Facts {
            classes: Some(&classes),
            queues: queues.as_deref(),
            jobs: Some(&jobs).filter(|_| knows_jobs),
            launch_failures: fleet.metrics.launch_failures.as_deref(),
            spot_interruptions: fleet.metrics.reclaims,
            synced: fleet.metrics.synced,
            stuck: stuck.as_deref(),
            infra: self.infra_figures(server_now).filter(|_| knows_jobs),
            sources: &sources,
            ..Facts::of(&fleet.objects, &fleet.rules.hosts)
        };
        let verdicts = judge(&facts, &fleet.rules.thresholds, server_now);
        self.fleet.judged(verdicts, server_now);
    }

    /// How the jobs of the last hour ended; `None` while a failure of that time was not judged yet.
    fn infra_figures(&self, server_now: Timestamp) -> Option<InfraFigures> {
        let since = server_now.shifted(-HOUR);
        let mut figures = InfraFigures { failures: 0, ended: 0 };
        let ended = |job: &&Job| {
            matches!(job.status, Status::Success | Status::Failed) && job.finished_at.is_some_and(|at| at >= since)
        };
        for job in self.jobs().filter(ended) {
            figures.ended += 1;
            if job.status == Status::Failed {
                let failure = self.failures.get(job.id)?;
                figures.failures += u64::from(failure.owner == Owner::Infrastructure);
            }
        }
        Some(figures)
    }
}
