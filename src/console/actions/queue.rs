//! The one road of actions, after a plan was confirmed: hold → waves → outcomes → audit.
//!
//! Nothing here sends anything: it hands out [`Effect`]s and takes the executor's answers back. Nothing is sent before its audit row is on disk.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group::TrialState;
use super::plan::{Object, Plan, PlanId, Target, Verb};
use super::rules::Rules;
use crate::ci::{JobId, PipelineId, Timestamp, short};
use crate::console::audit::{AuditRow, AuditState};
use crate::console::effect::Effect;
use crate::console::fault::{Fault, FaultKind};

/// What became of one target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "outcome")]
pub enum Outcome {
    /// GitLab did it; a retry made a new job.
    Done { new_job: Option<JobId> },
    /// Not sent: it was no longer as shown, or the plan was stopped.
    Skipped { reason: String },
    /// Sent and refused, or not sendable.
    Failed { reason: String },
    /// Sent, and it could not be found out what happened.
    Uncertain { reason: String },
}

impl Outcome {
    /// What a request came to that was sent, or tried out, and was not done.
    pub fn refused(fault: &Fault) -> Self {
        match fault.kind {
            FaultKind::Refused { .. } | FaultKind::NotFound => {
                Self::Skipped { reason: format!("changed under you: {}", fault.detail) }
            }
            _ => Self::Failed { reason: fault.to_string() },
        }
    }

    /// The state glyph's word: `done`, `skipped`, `failed`, `uncertain`.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Done { .. } => "done",
            Self::Skipped { .. } => "skipped",
            Self::Failed { .. } => "failed",
            Self::Uncertain { .. } => "uncertain",
        }
    }
}

impl Outcome {
    /// Its word, and the reason if there is one: `done`, `skipped: it is gone`.
    pub fn told(&self) -> String {
        match self {
            Self::Done { .. } => self.word().to_owned(),
            Self::Skipped { reason } | Self::Failed { reason } | Self::Uncertain { reason } => {
                format!("{}: {reason}", self.word())
            }
        }
    }

    /// The job that a retry made.
    fn new_job(&self) -> Option<JobId> {
        match self {
            Self::Done { new_job } => *new_job,
            _ => None,
        }
    }
}

/// A confirmed plan that can still be undone.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Held {
    pub plan: Arc<Plan>,
    pub who: Arc<str>,
    /// When it was confirmed.
    pub since: Timestamp,
    pub due: Timestamp,
    /// Its audit row is on disk; without it nothing is released.
    pub recorded: bool,
}

/// A plan that is being sent.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    pub plan: Arc<Plan>,
    pub who: Arc<str>,
    pub started_at: Timestamp,
    /// Targets handed to the executor so far.
    pub sent: usize,
    #[serde(with = "pairs")]
    pub outcomes: BTreeMap<Object, Outcome>,
    wave_began: Timestamp,
    /// Its trial, if it has one, went well.
    passed: bool,
}

impl Run {
    /// Targets that were handed out and not answered yet.
    pub fn in_flight(&self) -> usize {
        self.sent.saturating_sub(self.outcomes.len())
    }

    /// How many ended in each way: done, skipped, failed, uncertain.
    pub fn tally(&self) -> [usize; 4] {
        let mut sums = [0; 4];
        let [done, skipped, failed, uncertain] = &mut sums;
        for outcome in self.outcomes.values() {
            *match outcome {
                Outcome::Done { .. } => &mut *done,
                Outcome::Skipped { .. } => &mut *skipped,
                Outcome::Failed { .. } => &mut *failed,
                Outcome::Uncertain { .. } => &mut *uncertain,
            } += 1;
        }
        sums
    }

    /// `22 ✓ · 9 ▸ · 2 ⊘ · 0 ✗`, in words for plain terminals.
    pub fn report(&self) -> String {
        let [done, skipped, failed, uncertain] = self.tally();
        let mut parts = vec![format!("{done} done")];
        for (n, word) in [
            (self.in_flight(), "in flight"),
            (self.plan.targets.len().saturating_sub(self.sent), "waiting"),
            (skipped, "skipped"),
            (failed, "failed"),
            (uncertain, "uncertain"),
        ] {
            if n > 0 {
                parts.push(format!("{n} {word}"));
            }
        }
        parts.join(", ")
    }

    /// Whether it waits for the ends of its first targets.
    fn is_on_trial(&self) -> bool {
        self.plan.trial.is_some() && !self.passed
    }

    fn is_over(&self) -> bool {
        self.outcomes.len() == self.plan.targets.len()
    }

    /// What the audit says of it in the end.
    fn last_row(&self, server_now: Timestamp) -> AuditRow {
        let [done, skipped, failed, uncertain] = self.tally();
        let state = match (done, failed + uncertain) {
            (_, 0) if done > 0 => AuditState::Done,
            (0, 0) if skipped > 0 => AuditState::Skipped,
            _ => AuditState::Failed,
        };
        AuditRow::of(&self.plan, &self.who, state, self.report(), server_now).with_outcomes(self)
    }
}

/// Outcomes as a list: JSON has no keys but texts.
mod pairs {
    use super::{BTreeMap, Deserialize, Object, Outcome};

    pub fn serialize<S: serde::Serializer>(outcomes: &BTreeMap<Object, Outcome>, to: S) -> Result<S::Ok, S::Error> {
        to.collect_seq(outcomes)
    }

    pub fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<Object, Outcome>, D::Error> {
        Ok(Vec::<(Object, Outcome)>::deserialize(from)?.into_iter().collect())
    }
}

/// All plans on the road.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Actions {
    held: BTreeMap<PlanId, Held>,
    running: BTreeMap<PlanId, Run>,
    done: VecDeque<Run>,
    sent_at: VecDeque<(Timestamp, Object)>,
    /// Targets that were sent, and that were skipped on re-reading, since the start.
    pub sent_total: u64,
    pub skipped_total: u64,
}

const DONE_KEPT: usize = 100;
const DONE_FOLLOWED: usize = 10;
const SENT_KEPT: usize = 10_000;

impl Actions {
    /// Takes a confirmed plan. The error is a sentence for the person.
    pub fn hold(
        &mut self,
        plan: Arc<Plan>,
        who: Arc<str>,
        rules: &Rules,
        refused: Option<String>,
        now: Timestamp,
        server_now: Timestamp,
    ) -> Result<Vec<Effect>, String> {
        if let Some(reason) = refused.or_else(|| self.refusal(&plan, rules, now)) {
            return Err(reason);
        }
        let row = AuditRow::of(&plan, &who, AuditState::Held, plan.summary(), server_now);
        let due = now.plus(rules.hold);
        self.held.insert(plan.id.clone(), Held { plan, who, since: now, due, recorded: false });
        Ok(vec![Effect::StoreAudit(row)])
    }

    /// Why a plan cannot be taken, in a sentence for the person.
    pub fn refusal(&self, plan: &Plan, rules: &Rules, now: Timestamp) -> Option<String> {
        if plan.refused.is_some() {
            return plan.refused.clone();
        }
        if rules.dry_run {
            return Some("dry run: nothing was sent".to_owned());
        }
        if plan.targets.is_empty() {
            return Some("nothing to do: every target was skipped".to_owned());
        }
        if now.since(plan.made_at) > rules.plan_lifetime {
            return Some("the plan is too old: open the preview again".to_owned());
        }
        let taken = plan.targets.iter().find_map(|target| self.taken(plan.verb, &target.object, now));
        let is_known = self.held.contains_key(&plan.id) || self.running.contains_key(&plan.id);
        taken.or_else(|| is_known.then(|| "this plan was confirmed already".to_owned()))
    }

    /// Who was faster: the object waits in another plan, or has had its new try, which it can have once.
    fn taken(&self, verb: Verb, object: &Object, now: Timestamp) -> Option<String> {
        let names = |plan: &Plan| plan.targets.iter().any(|target| target.object == *object);
        let ago = |at: Timestamp| short(now.since(at));
        if let Some(held) = self.held.values().find(|held| names(&held.plan)) {
            let Held { plan, who, since, .. } = held;
            return Some(format!("{object} is part of {} already: {who} confirmed it {} ago", plan.id, ago(*since)));
        }
        let open = |run: &&Run| names(&run.plan) && !run.outcomes.contains_key(object);
        if let Some(run) = self.running.values().find(open) {
            let Run { plan, who, started_at, .. } = run;
            return Some(format!("{object} is part of {} already: {who} sent it {} ago", plan.id, ago(*started_at)));
        }
        if verb != Verb::Retry {
            return None;
        }
        self.running.values().chain(&self.done).filter(|run| run.plan.verb == Verb::Retry).find_map(|run| {
            let new = run.outcomes.get(object)?.new_job()?;
            let Run { plan, who, started_at, .. } = run;
            Some(format!("{who} retried {object} {} ago ({}): its new try is job {new}", ago(*started_at), plan.id))
        })
    }

    /// Notes that the audit row of a held plan is on disk.
    pub fn recorded(&mut self, plan: &PlanId) {
        if let Some(held) = self.held.get_mut(plan) {
            held.recorded = true;
        }
    }

    /// Drops a held plan whose audit row could not be written; true if there was one.
    pub fn unrecordable(&mut self, plan: &PlanId) -> bool {
        self.held.remove(plan).is_some()
    }

    /// Takes a held plan back before anything was sent. False when it is too late.
    pub fn undo(&mut self, plan: &PlanId, who: &Arc<str>, server_now: Timestamp) -> Option<Vec<Effect>> {
        let held = self.held.remove(plan)?;
        let summary = format!("{}, undone before sending", held.plan.summary());
        Some(vec![Effect::StoreAudit(AuditRow::of(&held.plan, who, AuditState::Undone, summary, server_now))])
    }

    /// Moves plans on: releases holds that are due, opens the next wave.
    pub fn advance(
        &mut self,
        rules: &Rules,
        pending_p95: Option<std::time::Duration>,
        trial: &dyn Fn(&[JobId]) -> TrialState,
        now: Timestamp,
        server_now: Timestamp,
    ) -> Vec<Effect> {
        // After a clock was set back a hold begins again; it would last for as long as the clock was wrong.
        for held in self.held.values_mut().filter(|held| held.since > now) {
            (held.since, held.due) = (now, now.plus(rules.hold));
        }
        let due: Vec<PlanId> =
            self.held.values().filter(|h| h.recorded && h.due <= now).map(|h| h.plan.id.clone()).collect();
        let mut effects = Vec::new();
        for id in due {
            if let Some(held) = self.held.remove(&id) {
                let row = AuditRow::of(&held.plan, &held.who, AuditState::Sent, held.plan.summary(), server_now);
                effects.push(Effect::StoreAudit(row));
                let run = Run {
                    plan: held.plan,
                    who: held.who,
                    started_at: now,
                    sent: 0,
                    outcomes: BTreeMap::new(),
                    wave_began: now,
                    passed: false,
                };
                self.running.insert(id, run);
            }
        }
        effects.extend(self.end_trials(trial, server_now));
        for run in self.running.values_mut() {
            if run.in_flight() > 0 || run.sent == run.plan.targets.len() {
                continue;
            }
            let calm = pending_p95.is_some_and(|p95| p95 < rules.wave_pending_p95);
            let first = run.sent == 0;
            if run.is_on_trial() && !first {
                continue;
            }
            if !(first || calm || now.since(run.wave_began) >= rules.wave_patience) {
                continue;
            }
            run.wave_began = now;
            let size = run.plan.trial.filter(|_| first).map_or(rules.wave.max(1), |trial| trial.first);
            let wave: Vec<Target> = run.plan.targets.iter().skip(run.sent).take(size).cloned().collect();
            run.sent += wave.len();
            for target in wave {
                self.sent_at.push_back((now, target.object.clone()));
                self.sent_total += 1;
                let (plan, who) = (run.plan.id.clone(), Arc::clone(&run.who));
                effects.push(Effect::Act { plan, who, verb: run.plan.verb, target });
            }
        }
        while self.sent_at.len() > SENT_KEPT {
            self.sent_at.pop_front();
        }
        effects
    }

    /// Lets plans go on whose trial was passed, and stops those whose trial failed.
    fn end_trials(&mut self, trial: &dyn Fn(&[JobId]) -> TrialState, server_now: Timestamp) -> Vec<Effect> {
        let mut stopped = Vec::new();
        for run in self.running.values_mut().filter(|run| run.is_on_trial() && run.in_flight() == 0 && run.sent > 0) {
            let made: Vec<JobId> = run.outcomes.values().filter_map(Outcome::new_job).collect();
            match trial(&made) {
                TrialState::Open => {}
                TrialState::Passed => run.passed = true,
                TrialState::Failed { failed, ended } => {
                    let reason = format!("stopped: {failed} of {ended} new tries failed again");
                    let rest = run.plan.targets.iter().skip(run.sent);
                    stopped.extend(rest.map(|target| (run.plan.id.clone(), target.object.clone(), reason.clone())));
                    run.sent = run.plan.targets.len();
                }
            }
        }
        let skip = |(plan, object, reason): (PlanId, Object, String)| {
            self.sent_total += 1;
            self.finish(&plan, object, Outcome::Skipped { reason }, server_now)
        };
        stopped.into_iter().flat_map(skip).collect()
    }

    /// Takes the executor's answer for one target.
    pub fn finish(&mut self, plan: &PlanId, object: Object, outcome: Outcome, server_now: Timestamp) -> Vec<Effect> {
        let Some(run) = self.running.get_mut(plan) else { return Vec::new() };
        let Some(target) = run.plan.targets.iter().find(|t| t.object == object) else { return Vec::new() };
        if run.outcomes.contains_key(&object) {
            return Vec::new();
        }
        if matches!(outcome, Outcome::Skipped { .. }) {
            self.skipped_total += 1;
            self.sent_total = self.sent_total.saturating_sub(1);
        }
        let mut effects: Vec<Effect> = target.pipeline.map(Effect::Refresh).into_iter().collect();
        run.outcomes.insert(object, outcome);
        if run.is_over()
            && let Some(run) = self.running.remove(plan)
        {
            effects.push(Effect::StoreAudit(run.last_row(server_now)));
            self.done.push_front(run);
            self.done.truncate(DONE_KEPT);
        }
        effects
    }

    /// Whether something was sent and not answered yet.
    pub fn is_sending(&self) -> bool {
        self.running.values().any(|run| run.in_flight() > 0)
    }

    /// Ends everything on the road, with what the audit should know of it: holds are given back unsent, and of what was sent and not answered
    /// nobody knows what became.
    pub fn end(&mut self, server_now: Timestamp) -> Vec<Effect> {
        let mut rows = Vec::new();
        for Held { plan, who, .. } in std::mem::take(&mut self.held).into_values() {
            let summary = format!("{}, not sent: stackhand ended", plan.summary());
            rows.push(AuditRow::of(&plan, &who, AuditState::Undone, summary, server_now));
        }
        for mut run in std::mem::take(&mut self.running).into_values() {
            for (nth, target) in run.plan.targets.iter().enumerate() {
                run.outcomes.entry(target.object.clone()).or_insert_with(|| {
                    if nth < run.sent {
                        Outcome::Uncertain { reason: "stackhand ended before it was answered".to_owned() }
                    } else {
                        Outcome::Skipped { reason: "stackhand ended before its turn".to_owned() }
                    }
                });
            }
            rows.push(run.last_row(server_now));
        }
        rows.into_iter().map(Effect::StoreAudit).collect()
    }

    /// The plan that an object is waiting in, if any.
    pub fn pending_for(&self, object: &Object) -> Option<&PlanId> {
        let held = self.held.values().map(|h| &h.plan);
        let running = self.running.values().filter(|r| !r.outcomes.contains_key(object)).map(|r| &r.plan);
        held.chain(running).find(|p| p.targets.iter().any(|t| t.object == *object)).map(|p| &p.id)
    }

    /// The pipelines of all plans on the road, and of those that were done last: people want to see what became of them.
    pub fn pipelines_named(&self) -> impl Iterator<Item = PipelineId> {
        let runs = self.running.values().chain(self.done.iter().take(DONE_FOLLOWED));
        let plans = self.held.values().map(|held| &held.plan).chain(runs.map(|run| &run.plan));
        plans.flat_map(|plan| plan.targets.iter().filter_map(|target| target.pipeline))
    }

    /// The pipelines that running plans touch: they are worth reading often.
    pub fn pipelines_touched(&self) -> impl Iterator<Item = PipelineId> {
        self.running.values().flat_map(|r| r.plan.targets.iter().filter_map(|t| t.pipeline))
    }

    /// Plans that can still be undone, the next one first.
    pub fn held(&self) -> Vec<&Held> {
        let mut held: Vec<_> = self.held.values().collect();
        held.sort_by_key(|h| h.due);
        held
    }

    /// Plans that are being sent.
    pub fn running(&self) -> impl Iterator<Item = &Run> {
        self.running.values()
    }

    /// Plans that are over, newest first.
    pub fn done(&self) -> impl Iterator<Item = &Run> {
        self.done.iter()
    }

    /// What was handed to the executor, and when: rate rules count it.
    pub fn sent(&self) -> impl Iterator<Item = &(Timestamp, Object)> {
        self.sent_at.iter()
    }

    /// What undoing a finished plan would cancel: the jobs that its retries made.
    pub fn made_by(&self, plan: &PlanId) -> Vec<JobId> {
        self.done
            .iter()
            .filter(|r| r.plan.id == *plan && matches!(r.plan.verb, Verb::Retry | Verb::Play))
            .flat_map(|r| r.outcomes.iter())
            .filter_map(|(object, o)| match (o, object) {
                (Outcome::Done { new_job: Some(id) }, _) => Some(*id),
                _ => None,
            })
            .collect()
    }
}
