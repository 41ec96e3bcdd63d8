//! Retries trigger jobs that died because the generate job's pipeline was not there yet.
//!
//! Whether a retry is allowed is decided as everywhere, by a [`Plan`] under the guardrails; one plan for everything that a pass would retry, so
//! that limits count. It is sent from here and not by the executor: that one reads a job again before it sends, by a route that knows no
//! trigger jobs, and looks at its status, where here the child and the generate jobs have to be looked at. What a plan asks a person to type is
//! not retried.
//!
//! A pass asks for the project and for the pipelines that changed lately (a request for every hundred), for the trigger jobs of each parent
//! that is not over and well, at most [`MOST_PARENTS`], and more only about those that died. Each retry costs five more.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::deed::Deed;
use super::notes::Notes;
use super::report::{Begun, Item};
use super::{Duty, Outside, Report, Stop};
use crate::bridge::Trouble;
use crate::bridge::companions::NotAgain;
use crate::bridge::companions::triggers::{TriggerJob, TriggerReason};
use crate::ci::{JobId, Pipeline, Status, Timestamp};
use crate::console::actions::{Object, Outcome, Plan, Verb};
use crate::console::event::Event;
use crate::console::fault::Fault;
use crate::console::polling::PollRules;
use crate::console::world::World;
use crate::forge::Sha;

/// So many parents are asked for their trigger jobs in a pass, the newest first.
const MOST_PARENTS: usize = 200;
const WHO: &str = "bridge.triggers";

/// The duty, at work.
pub struct Triggers {
    outside: Arc<Outside>,
}

/// A trigger job that wants a retry.
struct Dead {
    parent: Pipeline,
    job: TriggerJob,
    /// The commit of its parent.
    sha: Sha,
    subject: String,
    reason: TriggerReason,
}

impl Triggers {
    pub const fn new(outside: Arc<Outside>) -> Self {
        Self { outside }
    }

    /// One pass. A dry one retries nothing.
    pub async fn pass(&self, dry_run: bool, is_asked_to_stop: &Stop<'_>) -> Result<Report, Fault> {
        let outside = &*self.outside;
        let mut pass = outside.begin(Duty::Triggers.word(), dry_run).await?;
        let now = pass.at();
        let project = outside.gitlab.project().await?;
        let mut notes = Notes::<Trouble>::read(outside, Duty::Triggers, dry_run).await?;
        let since = now.shifted(-(outside.rules.triggers_within.as_millis() as i64));
        let mut changed = outside.gitlab.changed_pipelines(since).await?;
        if let Some(fault) = changed.trouble.take() {
            pass.trouble(fault);
        }
        changed.items.sort_by_key(|one| std::cmp::Reverse(one.id));
        let mut world = World::new(&outside.name, outside.guards.clone(), PollRules::default());
        let ours = outside.clock.now();
        let stats = outside.gitlab.stats();
        let seen = Event::ServerSeen { skew_ms: stats.skew_ms, requests: stats.requests, limited_until: None };
        let listed = Event::PipelinesFetched { rows: changed.items.clone(), at: ours, whole: false };
        let access = project.access_level.map(Event::AccessKnown);
        for event in [seen, listed].into_iter().chain(access) {
            world.update(event, ours);
        }
        let dead = self.search(&mut pass, &notes, &mut world, changed.items).await;
        let plan = Plan::for_jobs(&world, Verb::Retry, dead.iter().map(|one| one.job.id), ours);
        let asks = plan.typed.as_ref().map(|words| format!("a person has to type `{words}`"));
        let held = plan.refused.clone().or(asks);
        let skips: BTreeMap<&Object, &str> =
            plan.skips.iter().map(|skip| (&skip.object, skip.reason.as_str())).collect();
        let mut acts = 0;
        for one in dead {
            let item = Item::new(&one.subject, one.reason.word(), &one.reason);
            let object = Object::Job(one.job.id);
            if let Some(no) = held.as_deref().or_else(|| skips.get(&object).copied()) {
                pass.tell(Item::new(&one.subject, "held", no));
                continue;
            }
            if dry_run || acts >= outside.rules.most_acts || outside.is_silenced() || is_asked_to_stop() {
                pass.tell(item);
                continue;
            }
            acts += 1;
            let outcome = self.retry(&mut notes, &plan, one).await?;
            pass.tell(item.with(outcome));
        }
        let known: BTreeSet<String> = world.parents().map(|facts| facts.pipeline.id.to_string()).collect();
        self.forget(&mut notes, &known, now).await?;
        Ok(pass.end())
    }

    /// The trigger jobs that want a retry, and what the guardrails need to know of them.
    async fn search(
        &self,
        pass: &mut Begun<'_>,
        notes: &Notes<'_, Trouble>,
        world: &mut World,
        parents: Vec<Pipeline>,
    ) -> Vec<Dead> {
        let (outside, now) = (&*self.outside, pass.at());
        // One that is well has no dead trigger job, and one that waits has none that began.
        let may_have = |parent: &Pipeline| {
            !matches!(parent.status, Status::Success | Status::Skipped | Status::Created | Status::Pending)
        };
        let parents: Vec<Pipeline> = parents.into_iter().filter(may_have).collect();
        if parents.len() > MOST_PARENTS {
            pass.trouble(format!("{} older pipelines were not looked at", parents.len() - MOST_PARENTS));
        }
        let mut dead = Vec::new();
        for parent in parents.into_iter().take(MOST_PARENTS) {
            let Some(jobs) = pass.told(outside.gitlab.dead_triggers(&parent).await) else { continue };
            let mut wanted = Vec::new();
            for job in jobs {
                let reason = job.judge(outside.rules.triggers_within, now);
                let subject = format!("{} {}", parent.id, job.name);
                match (&reason, Sha::parse(&parent.sha)) {
                    (TriggerReason::Retry { .. }, Ok(sha)) => {
                        let asked = notes.get(&subject);
                        match NotAgain::of(asked, &sha, outside.rules.most_tries, now) {
                            Some(not) => pass.tell(Item::new(&subject, not.word(), &not)),
                            None => wanted.push(Dead { parent: parent.clone(), job, sha, subject, reason }),
                        }
                    }
                    (TriggerReason::Retry { .. }, Err(_)) => {
                        pass.tell(Item::new(&subject, "unknown", "which commit its pipeline runs was not told"));
                    }
                    (TriggerReason::Unknown(_), _) => pass.tell(Item::new(&subject, reason.word(), &reason)),
                    _ => pass.count(reason.word()),
                }
            }
            if wanted.is_empty() {
                continue;
            }
            let Some(triggers) = pass.told(outside.gitlab.trigger_jobs(parent.id).await) else { continue };
            let (jobs, children) = triggers.into_iter().map(|one| (one.job, one.child)).unzip::<_, _, Vec<_>, Vec<_>>();
            let children = children.into_iter().flatten().collect();
            let at = outside.clock.now();
            world.update(Event::TriggerJobsFetched { parent: parent.id, jobs, children, at }, at);
            dead.extend(wanted);
        }
        dead
    }

    /// Looks once more, notes that it is asked for, and asks.
    async fn retry(&self, notes: &mut Notes<'_, Trouble>, plan: &Plan, one: Dead) -> Result<Outcome, Fault> {
        let outside = &*self.outside;
        let skipped = |reason: String| Ok(Outcome::Skipped { reason });
        let unread = |fault: Fault| Ok(Outcome::Failed { reason: format!("not sent, could not re-read it: {fault}") });
        let parent = match outside.gitlab.pipeline(one.parent.id).await {
            Ok(parent) => parent,
            Err(fault) => return unread(fault),
        };
        let again = match outside.gitlab.dead_triggers(&parent).await {
            Ok(jobs) => jobs.into_iter().find(|job| job.id == one.job.id),
            Err(fault) => return unread(fault),
        };
        let now = outside.gitlab.server_now().await?;
        match again.map(|job| job.judge(outside.rules.triggers_within, now)) {
            Some(reason) if reason.acts() => {}
            Some(reason) => return skipped(format!("changed under you: {reason}")),
            None => return skipped("a newer job took its place".to_owned()),
        }
        let trouble = Trouble::again(notes.get(&one.subject), &one.sha, "it was retried and died again", now);
        let tries = trouble.tries;
        if !notes.put(&one.subject, Some(trouble), now).await? {
            return skipped("another process looks after it".to_owned());
        }
        let deed = Deed {
            who: WHO,
            action: Verb::Retry.action(),
            object: Object::Job(one.job.id),
            pipeline: Some(one.parent.id),
            name: one.job.name.clone(),
            status: Status::Failed.as_str().into(),
            tries,
            summary: format!("retry {} of pipeline {}: {}", one.job.name, one.parent.id, one.reason),
            plan: Some(plan.id.clone()),
        };
        outside.perform(deed, self.send(&one)).await
    }

    async fn send(&self, one: &Dead) -> Outcome {
        let gitlab = &self.outside.gitlab;
        let fault = match gitlab.retry(one.job.id).await {
            Ok(job) => return Outcome::Done { new_job: Some(job.id) },
            Err(fault) if fault.is_uncertain() => fault,
            Err(fault) => return Outcome::refused(&fault),
        };
        // It is not sent again: a newer job of the same name tells that it arrived.
        let newer = gitlab.trigger_jobs(one.parent.id).await.map(|triggers| {
            let is_newer = |job: JobId, name: &str| job > one.job.id && *name == *one.job.name;
            triggers.into_iter().find(|trigger| is_newer(trigger.job.id, &trigger.job.name))
        });
        match newer {
            Ok(Some(trigger)) => Outcome::Done { new_job: Some(trigger.job.id) },
            Ok(None) => Outcome::Uncertain { reason: format!("{fault}; no newer try is there yet") },
            Err(again) => Outcome::Uncertain { reason: format!("{fault}; and it could not be re-read: {again}") },
        }
    }

    /// Forgets tries whose parents have not changed for so long that nobody looks at them.
    async fn forget(
        &self,
        notes: &mut Notes<'_, Trouble>,
        parents: &BTreeSet<String>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let window = self.outside.rules.triggers_within;
        let is_kept = |(subject, tried): &(String, Trouble)| {
            let parent = subject.split(' ').next().unwrap_or_default();
            parents.contains(parent) || now.since(tried.last) <= window
        };
        let kept = notes.all().into_iter().filter(is_kept).map(|(subject, _)| subject).collect();
        notes.settle(BTreeMap::new(), Some(&kept), now).await
    }
}
