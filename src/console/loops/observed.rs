//! The loops that the core is made of. Nobody ticks them: the schedule of reads does, and how they fare follows from what was read when.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::state::{LoopState, Phase, Round};
use crate::ci::Timestamp;
use crate::console::effect::Fetch;
use crate::console::fault::Fault;
use crate::console::fleet::{self, Source, SourceState};
use crate::console::fresh::{Completeness, Freshness};
use crate::console::text::plural;
use crate::console::world::World;

/// Reads the logs of failed jobs and says why they failed.
pub const TAXONOMY: &str = "taxonomy";
/// Lists the mirrors of binary caches.
pub const CACHES: &str = "caches";
/// Follows runners, the cluster, metrics and alerts.
pub const FLEET: &str = "fleet";

/// All of them: nobody starts or stops those.
pub const OF_THE_CORE: [&str; 3] = [TAXONOMY, CACHES, FLEET];

impl World {
    /// All loops, those of the core first, then those of the supervisor by name, then those that do not run here.
    pub fn loops(&self, now: Timestamp) -> Vec<LoopState> {
        let told = self.loops.told.values().map(|state| (**state).clone());
        let mut all = vec![self.taxonomy_loop(now), self.caches_loop(now), self.fleet_loop(now)];
        all.extend(told);
        for (name, why) in &self.loops.left_out {
            if all.iter().all(|state| state.name != *name) {
                let mut state = LoopState::new(name, None, false, now);
                state.stopped(why, now);
                all.push(state);
            }
        }
        all
    }

    /// Notes the end of a read where it is a round of a loop.
    pub(in crate::console) fn note_round(
        &mut self,
        fetch: Fetch,
        at: Timestamp,
        result: Result<(), &Fault>,
        now: Timestamp,
    ) {
        let (name, summary): (_, Arc<str>) = match fetch {
            Fetch::Verdict(job) => {
                let class = self.failures.get(job).map_or("judged", |failure| &*failure.class);
                (TAXONOMY, format!("job {job}: {class}").into())
            }
            Fetch::Caches => (CACHES, plural(self.caches.roots.value.len() as u64, "root").into()),
            _ => return,
        };
        let round = Round {
            at,
            took: now.since(at),
            result: result.map(|()| summary).map_err(Clone::clone),
            counts: Vec::new(),
        };
        self.observed_loop(name, at).ended(round, None);
    }

    /// A source of the fleet broke: a round that failed. That it goes well is what its freshness says.
    pub(in crate::console) fn note_source(&mut self, source: Source, state: &SourceState, now: Timestamp) {
        let Some(fault) = &state.fault else { return };
        let known = self.fleet.sources.get(&source).and_then(|facts| facts.state.fault.as_ref());
        if known != Some(fault) {
            let round = Round { at: now, took: Duration::ZERO, result: Err(fault.clone()), counts: Vec::new() };
            self.observed_loop(FLEET, now).ended(round, None);
        }
    }

    fn observed_loop(&mut self, name: &'static str, now: Timestamp) -> &mut LoopState {
        self.loops.observed.entry(name.into()).or_insert_with(|| LoopState::new(name, None, false, now))
    }

    /// What was noted of a loop; stopped where somebody left it out, or `why` says that there is nothing to do.
    fn begun(&self, name: &'static str, why: Option<&str>, now: Timestamp) -> (LoopState, bool) {
        let known = self.loops.observed.get(name).cloned();
        let mut state = known.unwrap_or_else(|| LoopState::new(name, None, false, now));
        let why = self.loops.left_out.get(name).map(|why| &**why).or(why);
        if let Some(why) = why {
            state.stopped(why, now);
        }
        (state, why.is_none())
    }

    fn taxonomy_loop(&self, now: Timestamp) -> LoopState {
        let is_off = self.polling.rules.verdicts == 0;
        let (mut state, runs) =
            self.begun(TAXONOMY, is_off.then_some("taxonomy.logs is 0: logs are judged when opened"), now);
        state.queue = self.failures.is_recalled().then(|| self.failures.due_count() as u64);
        if runs {
            if let (Some(fault), Completeness::Unknown) = (&self.pipelines.error, self.pipelines.completeness) {
                let round = Round { at: now, took: Duration::ZERO, result: Err(fault.clone()), counts: Vec::new() };
                state.ended(round, None);
            } else if self.polling.is_judging() {
                state.enter(Phase::Running, now);
            } else if state.ticks == 0 {
                // Nothing had to be judged, which is known once the jobs are.
                let is_idle = self.jobs_known() == Completeness::Whole && state.queue == Some(0);
                state.enter(if is_idle { Phase::Waiting } else { Phase::Starting }, now);
                state.last_ok = self.pipelines.fetched_at.filter(|_| is_idle);
            }
        }
        state
    }

    fn caches_loop(&self, now: Timestamp) -> LoopState {
        let why = if self.caches.mirrors.is_empty() {
            Some("cache.mirrors is empty")
        } else {
            self.polling.rules.caches.is_none().then_some("no period: mirrors are listed when somebody asks")
        };
        let (mut state, runs) = self.begun(CACHES, why, now);
        state.period = self.polling.rules.caches;
        state.next = state.last_ok.zip(state.period).map(|(at, period)| at.plus(period)).filter(|_| runs);
        if self.polling.is_in_flight(Fetch::Caches) {
            state.enter(Phase::Running, now);
            state.next = None;
        }
        state
    }

    fn fleet_loop(&self, now: Timestamp) -> LoopState {
        let sources: BTreeMap<Source, Freshness> = self
            .fleet
            .sources
            .iter()
            .filter(|(_, facts)| !facts.is_absent())
            .map(|(source, facts)| (*source, facts.freshness(*source, now)))
            .collect();
        let why = sources.is_empty().then_some("nothing is configured that tells of the fleet");
        let (mut state, runs) = self.begun(FLEET, why, now);
        if !runs {
            return state;
        }
        state.period = sources.keys().map(|source| source.period()).max();
        let heard = self.fleet.sources.values().filter(|facts| !facts.is_absent()).map(|facts| facts.state.heard);
        state.last_ok = heard.collect::<Option<Vec<_>>>().and_then(|heard| heard.into_iter().min());
        let is_denied = |source: &Source| {
            let facts = self.fleet.sources.get(source);
            facts.is_some_and(|facts| matches!(facts.state.phase, fleet::Phase::Denied { .. }))
        };
        let is_bad = |(source, freshness): (&Source, &Freshness)| {
            is_denied(source) || matches!(freshness, Freshness::Stale(_) | Freshness::Failed)
        };
        let phase = if sources.iter().any(is_bad) {
            Phase::BackingOff
        } else if state.last_ok.is_none() {
            Phase::Starting
        } else {
            Phase::Running
        };
        state.enter(phase, now);
        state
    }

    /// Whether a loop of the core has done all that there was to do since the start, or cannot.
    pub fn has_gone_round(&self, name: &str, now: Timestamp) -> bool {
        let state = match name {
            TAXONOMY => self.taxonomy_loop(now),
            CACHES => self.caches_loop(now),
            _ => self.fleet_loop(now),
        };
        if state.phase == Phase::Stopped {
            return true;
        }
        match name {
            TAXONOMY => {
                let is_read = self.jobs_known() == Completeness::Whole && state.queue == Some(0);
                state.phase == Phase::BackingOff || is_read && state.phase != Phase::Running
            }
            CACHES => state.ticks > 0,
            _ => {
                let mut sources = self.fleet.sources.values().filter(|facts| !facts.is_absent());
                sources.all(|facts| facts.state.heard.is_some() || facts.state.fault.is_some())
            }
        }
    }

    /// Sources of the fleet that do not tell what is now, in words.
    pub fn silent_sources(&self, now: Timestamp) -> Vec<String> {
        let told = |(source, facts): (&Source, &fleet::SourceFacts)| match facts.freshness(*source, now) {
            Freshness::Live(_) | Freshness::Partial => None,
            Freshness::Loading => Some(format!("{} not told yet", source.word())),
            Freshness::Stale(_) | Freshness::Failed => Some(match &facts.state.fault {
                Some(fault) => format!("{}: {fault}", source.word()),
                None => format!("{} silent", source.word()),
            }),
        };
        self.fleet.sources.iter().filter_map(told).collect()
    }
}
