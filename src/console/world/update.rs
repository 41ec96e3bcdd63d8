//! What each event changes, and what it asks of the outside.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use super::jobs::{counted, keep_what_the_source_left_out};
use super::{Needs, PipelineFacts, World};
use crate::ci::{Job, JobId, Pipeline, PipelineId, SpecName, Status, Timestamp};
use crate::console::actions::Rules;
use crate::console::audit::AuditRow;
use crate::console::durations::Took;
use crate::console::effect::{Effect, Fetch};
use crate::console::event::Event;
use crate::console::failures::{LaterTry, PipelineEnd, TryEnd};
use crate::console::fault::Fault;
use crate::console::fleet::News;
use crate::console::fresh::Completeness;
use crate::console::log::Fed;
use crate::console::messages::Level;
use crate::console::polling::Polling;
use crate::console::state::Counts;

/// Audit rows kept in memory; the store keeps all.
const AUDIT_KEPT: usize = 500;

/// Stories of pull requests that are kept.
const STORIES: usize = 64;

impl World {
    /// Takes one event. The same events in the same order make the same world, wherever it lives.
    pub fn update(&mut self, event: Event, now: Timestamp) -> Vec<Effect> {
        if !matches!(event, Event::Ticked) {
            self.revision += 1;
        }
        let mut effects = match event {
            Event::Ticked => self.tick(now),
            Event::ServerSeen { skew_ms, requests, limited_until } => {
                // Under two seconds is the header's own resolution: no skew, so that a good clock shows no jitter.
                self.server.skew_ms = skew_ms.filter(|ms| ms.abs() >= 2_000).unwrap_or(0);
                self.server.requests = requests;
                self.server.limited_until = limited_until;
                Vec::new()
            }
            Event::AccessKnown(level) => {
                self.rules = Arc::new(Rules { access_level: Some(level), ..(*self.rules).clone() });
                Vec::new()
            }
            Event::PipelinesFetched { rows, at, whole } => {
                let ends = self.ends(&rows);
                self.pipelines_fetched(rows, at, whole);
                ends
            }
            Event::TriggerJobsFetched { parent, jobs, children, at } => {
                let mut effects = self.ends(&children);
                self.children_fetched(parent, children, at);
                effects.extend(self.jobs_fetched(parent, jobs, at, now));
                effects
            }
            Event::JobsFetched { pipeline, jobs, at } => self.jobs_fetched(pipeline, jobs, at, now),
            Event::DetailsFetched { jobs, at } => {
                let mut by_pipeline: BTreeMap<PipelineId, Vec<Job>> = BTreeMap::new();
                self.early.clear();
                for job in jobs {
                    if let Some(home) = self.homes.get(&job.id) {
                        by_pipeline.entry(*home).or_default().push(job);
                    } else {
                        self.early.insert(job.id, job);
                    }
                }
                let merged = by_pipeline.into_iter().map(|(home, jobs)| self.jobs_fetched(home, jobs, at, now));
                merged.flatten().collect()
            }
            Event::JobsListed { pipeline, ids, at } => {
                self.jobs_listed(pipeline, &ids, at);
                Vec::new()
            }
            Event::NeedsFetched { pipeline, edges, origin } => {
                let server_now = self.server_time(now);
                if let Some(facts) = self.pipelines.value.get_mut(&pipeline) {
                    facts.connect(edges, origin, &self.durations, server_now);
                }
                Vec::new()
            }
            Event::ReportFetched { pipeline, report, at } => {
                if let Some(facts) = self.pipelines.value.get_mut(&pipeline) {
                    facts.report.value = Some(report);
                    facts.report.read(at, Completeness::Whole);
                }
                Vec::new()
            }
            Event::Judged(failure) => {
                let job = failure.job;
                self.failures.note(failure);
                self.mark_cause(job);
                Vec::new()
            }
            Event::FailuresKnown(failures) => {
                for failure in failures {
                    self.failures.note(failure);
                }
                self.failures.recalled = true;
                Vec::new()
            }
            Event::TaxonomyChanged(rules) => {
                let mut failures = std::mem::take(&mut self.failures);
                let is_live = |job| self.job(job).is_some_and(|job| job.status == Status::Failed && !job.retried);
                failures.reconsider(&rules.hash, is_live);
                self.failures = failures;
                self.taxonomy = rules;
                Vec::new()
            }
            Event::RetriesGranted(jobs) => self.granted(&jobs, now),
            Event::HistoryKnown(history) => {
                self.history.value = Some(history);
                self.history.read(now, Completeness::Whole);
                Vec::new()
            }
            Event::BoardKnown(board) => {
                self.board.value = board;
                self.board.read(now, Completeness::Whole);
                Vec::new()
            }
            Event::StoryKnown { pr, decisions } => {
                // Consoles that share a core may read as many.
                if self.stories.len() >= STORIES {
                    self.stories.clear();
                }
                self.stories.insert(pr, decisions);
                Vec::new()
            }
            Event::CachesRecalled(samples) => {
                self.caches.sampled(samples);
                Vec::new()
            }
            Event::CachesListing(listing) => {
                self.caches.listing = Some(listing);
                Vec::new()
            }
            Event::CachesListed { mirror, samples, duplication, at } => {
                self.caches.listed(&mirror, samples, duplication);
                self.caches.roots.read(at, Completeness::Partial);
                Vec::new()
            }
            Event::CacheRead { root, inside, sample, at } => {
                self.caches.sampled(vec![sample]);
                if let Some(facts) = self.caches.roots.value.get_mut(&root) {
                    facts.inside.value = Some(inside);
                    facts.inside.read(at, Completeness::Whole);
                }
                Vec::new()
            }
            Event::BinaryVerified { root, hash, signature, at } => {
                if let Some(facts) = self.caches.roots.value.get_mut(&root) {
                    let known = facts.signatures.entry(hash).or_default();
                    known.value = Some(signature);
                    known.read(at, Completeness::Whole);
                }
                Vec::new()
            }
            Event::FleetTold(news) => {
                let server_now = self.server_time(now);
                for one in news.iter() {
                    if let News::Seen { source, state } = one {
                        self.note_source(*source, state, now);
                    }
                    self.fleet.take(one, now, server_now);
                }
                Vec::new()
            }
            Event::LoopTold(state) => {
                self.loops.told.insert(Arc::clone(&state.name), state);
                Vec::new()
            }
            Event::ControllerTold(controller) => {
                self.loops.controller = Some(controller);
                Vec::new()
            }
            Event::Fetched { fetch, at, result } => {
                self.fetched(fetch, at, result, now);
                Vec::new()
            }
            Event::LogFed { job, offset, bytes } => {
                // What does not fit what is held begins anew: the screen asks for it from the start.
                if let Some(log) = self.log_mut(job)
                    && !matches!(log.doc.feed(offset, &bytes), Fed::Appended(_))
                {
                    log.doc.reset();
                }
                self.mark_cause(job);
                Vec::new()
            }
            Event::LogReset { job } => {
                if let Some(log) = self.log_mut(job) {
                    log.doc.reset();
                }
                Vec::new()
            }
            Event::LogPageRead { job, page, bytes } => {
                if let Some(log) = self.log_mut(job) {
                    log.doc.load(page, bytes.to_vec());
                }
                Vec::new()
            }
            Event::DurationsKnown(medians) => {
                self.durations.know(medians);
                Vec::new()
            }
            Event::AuditListed(rows) => {
                self.audit.value = rows.into();
                self.audit.read(now, Completeness::Whole);
                Vec::new()
            }
            Event::AuditStored { row, result } => self.audit_stored(row, result, now),
            Event::TargetFinished { plan, object, outcome } => {
                let server_now = self.server_time(now);
                self.actions.finish(&plan, object, outcome, server_now)
            }
            Event::RulesChanged(rules) => {
                self.rules = rules;
                Vec::new()
            }
            Event::NotTaken { text, .. } => {
                self.messages.say(Level::Error, &*text, now);
                Vec::new()
            }
            Event::Said { error, text } => {
                self.messages.say(if error { Level::Error } else { Level::Info }, &*text, now);
                Vec::new()
            }
            Event::Intended(intent) => self.intended(intent, now),
            Event::Retold(retelling) => {
                self.become_retold(&retelling);
                Vec::new()
            }
            Event::Attached(attachment) => {
                self.attached(attachment, now);
                Vec::new()
            }
        };
        effects.retain(|e| match e {
            Effect::Refresh(pipeline) => {
                for fetch in self.reads_of(*pipeline) {
                    self.polling.want(fetch);
                }
                false
            }
            _ => true,
        });
        effects
    }

    /// What is read to know how a pipeline is: of one that is not known here, only the list.
    pub(super) fn reads_of(&self, pipeline: PipelineId) -> Vec<Fetch> {
        let known =
            self.pipeline(pipeline).map(|_| [Fetch::Jobs(pipeline), Fetch::TriggerJobs(self.root_of(pipeline))]);
        known.into_iter().flatten().chain([Fetch::Pipelines]).collect()
    }

    fn tick(&mut self, now: Timestamp) -> Vec<Effect> {
        let server_now = self.server_time(now);
        let rules = Arc::clone(&self.rules);
        let waiting = self.actions.running().next().is_some();
        let p95 = if waiting { self.pending_p95(now) } else { None };
        let held_or_sent = self.actions.held().len();
        // Out of the world for a moment, because trials ask it what became of their jobs.
        let mut actions = std::mem::take(&mut self.actions);
        let mut effects = actions.advance(&rules, p95, &|made| self.trial(made), now, server_now);
        self.actions = actions;
        if !effects.is_empty() || held_or_sent != self.actions.held().len() {
            self.revision += 1;
        }
        self.look_at_fleet(now);
        effects.extend(self.wish(now));
        effects.extend(Polling::orders(self, now));
        effects
    }

    fn pipelines_fetched(&mut self, rows: Vec<Pipeline>, at: Timestamp, whole: bool) {
        let listed: Vec<PipelineId> = rows.iter().map(|row| row.id).collect();
        for row in rows {
            self.put_pipeline(row, at);
        }
        self.pipelines.read(at, if whole { Completeness::Whole } else { Completeness::Partial });
        // A world that is told again comes in pieces; only a list that came from the server says what is no longer on it.
        if whole && !listed.is_empty() {
            self.forget_old(&listed);
        }
    }

    /// Shows in an opened log where the verdict's evidence stands.
    fn mark_cause(&mut self, job: JobId) {
        if let Some(line) = self.failures.get(job).and_then(|failure| failure.line?.checked_sub(1))
            && let Some(log) = self.log_mut(job)
        {
            log.doc.tell_cause(line);
        }
    }

    /// Pipelines that have ended since they were last seen.
    fn ends(&self, rows: &[Pipeline]) -> Vec<Effect> {
        let is_news = |row: &&Pipeline| {
            matches!(row.status, Status::Success | Status::Failed)
                && self.pipeline(row.id).is_none_or(|facts| facts.pipeline.status != row.status)
        };
        let end = |row: &Pipeline| {
            Some(PipelineEnd {
                id: row.id,
                git_ref: Arc::clone(&row.git_ref),
                stack: row.stack.clone(),
                ok: row.status == Status::Success,
                finished_at: row.finished_at.or(row.updated_at)?,
            })
        };
        let ends: Vec<PipelineEnd> = rows.iter().filter(is_news).filter_map(end).collect();
        if ends.is_empty() { Vec::new() } else { vec![Effect::StorePipelineEnds(ends)] }
    }

    fn put_pipeline(&mut self, row: Pipeline, at: Timestamp) {
        match self.pipelines.value.get_mut(&row.id) {
            Some(facts) => facts.describe(row, at),
            None => {
                self.pipelines.value.insert(row.id, PipelineFacts::new(row, at));
            }
        }
    }

    fn children_fetched(&mut self, parent: PipelineId, children: Vec<Pipeline>, at: Timestamp) {
        for mut child in children {
            child.parent = Some(parent);
            self.put_pipeline(child, at);
        }
        let mut of_parent: Vec<(Option<Arc<str>>, PipelineId)> = self
            .pipelines
            .value
            .values()
            .filter(|f| f.pipeline.parent == Some(parent))
            .map(|f| (f.pipeline.stack.clone(), f.pipeline.id))
            .collect();
        of_parent.sort();
        if let Some(facts) = self.pipelines.value.get_mut(&parent) {
            facts.children = of_parent.into_iter().map(|(_, id)| id).collect();
        }
    }

    fn jobs_fetched(&mut self, pipeline: PipelineId, mut jobs: Vec<Job>, at: Timestamp, now: Timestamp) -> Vec<Effect> {
        let server_now = self.server_time(now);
        let Some(facts) = self.pipelines.value.get_mut(&pipeline) else { return Vec::new() };
        for job in &mut jobs {
            if let Some(told) = self.early.remove(&job.id) {
                keep_what_the_source_left_out(job, &told);
            }
        }
        let before: HashMap<JobId, Status> =
            jobs.iter().filter_map(|j| facts.jobs.value.get(j.id).map(|k| (j.id, k.status))).collect();
        self.counts.unmerge(facts.jobs.value.counts());
        let changed = facts.jobs.value.merge(jobs, at);
        self.counts.merge(facts.jobs.value.counts());
        facts.jobs.read(at, Completeness::Partial);
        let stack: Arc<str> = facts.title().into();
        let mut took = Vec::new();
        let mut later = Vec::new();
        for id in &changed {
            self.homes.insert(*id, pipeline);
            let Some(job) = facts.jobs.value.get(*id) else { continue };
            self.failures.see(job);
            self.fleet.outcomes.note_job(job, server_now);
            let ended = match job.status {
                Status::Success => Some(TryEnd::Succeeded),
                Status::Failed => Some(TryEnd::Failed),
                Status::Canceled => Some(TryEnd::Unknown),
                _ => None,
            };
            // The try before this one, where its log was judged.
            let before_it = facts.jobs.value.tries(&job.name).iter().rev().find(|other| **other < *id);
            if let (Some(ended), Some(failed)) = (ended, before_it)
                && before.get(id).is_none_or(|status| !status.is_terminal())
                && self.failures.get(*failed).is_some()
            {
                later.push(LaterTry { job: *failed, ended, at: job.finished_at.unwrap_or(server_now) });
            }
            let (name, status, ran) = (Arc::clone(&job.name), job.status, job.run_time(server_now));
            let finished_at = job.finished_at.unwrap_or(server_now);
            if status == Status::Success
                && before.get(id) != Some(&Status::Success)
                && let (Some(spec), Some(ran)) = (SpecName::parse(&name), ran)
            {
                self.durations.observe(spec.package, ran);
                took.push(Took {
                    job: *id,
                    package: spec.package.into(),
                    stack: Arc::clone(&stack),
                    length: ran,
                    finished_at,
                });
            }
        }
        if !facts.colour(&changed, &self.durations, server_now)
            && let Needs::Known { origin, edges, .. } = std::mem::take(&mut facts.needs)
        {
            facts.connect(edges, origin, &self.durations, server_now);
        }
        let took = (!took.is_empty()).then_some(Effect::StoreDurations(took));
        let later = (!later.is_empty()).then_some(Effect::StoreLaterTries(later));
        took.into_iter().chain(later).collect()
    }

    fn jobs_listed(&mut self, pipeline: PipelineId, ids: &BTreeSet<JobId>, at: Timestamp) {
        let Some(facts) = self.pipelines.value.get_mut(&pipeline) else { return };
        self.counts.unmerge(facts.jobs.value.counts());
        for gone in facts.jobs.value.retain_listed(ids, at) {
            self.homes.remove(&gone);
            self.failures.forget(gone);
        }
        self.counts.merge(facts.jobs.value.counts());
        facts.jobs.read(at, Completeness::Whole);
    }

    fn audit_stored(&mut self, row: AuditRow, result: Result<(), Fault>, now: Timestamp) -> Vec<Effect> {
        match result {
            Ok(()) => {
                self.actions.recorded(&row.plan);
                self.audit.value.push_front(row);
                self.audit.value.truncate(AUDIT_KEPT);
                self.audit.read(now, Completeness::Whole);
            }
            Err(fault) => {
                let dropped = self.actions.unrecordable(&row.plan);
                let consequence = if dropped { "; nothing was sent" } else { "" };
                self.messages.say(Level::Error, format!("audit not written: {fault}{consequence}"), now);
                self.audit.failed(fault);
            }
        }
        Vec::new()
    }

    /// Recounts everything; the incremental counts must agree.
    pub fn recount(&self) -> Counts {
        let mut counts = Counts::default();
        self.jobs().filter_map(counted).for_each(|state| counts.add(state));
        counts
    }
}
