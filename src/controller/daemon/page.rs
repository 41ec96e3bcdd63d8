//! What the daemon tells of itself, worked out before anybody asks: whether it is ready and why not, and its numbers.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::Instant;

use super::metrics::{Tally, metrics};
use crate::ci::Timestamp;
use crate::console::fresh::Completeness;
use crate::console::loops::{Controller, LoopState, Role};
use crate::console::text::clean;
use crate::console::world::World;

/// From when what was worked out is too old to be told: whoever works it out hangs.
const OLD: Duration = Duration::from_secs(30);

/// What is told at one moment.
pub(super) struct Page {
    controller: Controller,
    loops: Vec<LoopState>,
    /// Sources that never answered.
    awaited: Vec<String>,
    metrics: String,
    now: Timestamp,
}

impl Page {
    /// `world`: what is known, while this daemon leads.
    pub fn of(
        controller: Controller,
        loops: Vec<LoopState>,
        world: Option<&World>,
        tally: &Tally,
        now: Timestamp,
    ) -> Self {
        Self {
            awaited: world.map(awaited).unwrap_or_default(),
            metrics: metrics(world, &loops, tally, &controller, now),
            controller,
            loops,
            now,
        }
    }

    /// With something else that does not answer.
    pub fn awaiting(mut self, what: Option<String>) -> Self {
        self.awaited.extend(what);
        self
    }

    /// One line for people.
    pub fn status(&self) -> String {
        let loops: Vec<String> =
            self.loops.iter().map(|state| format!("{} {}", state.name, state.phase.word())).collect();
        let role = match &self.controller.role {
            Role::Leader => "leads".to_owned(),
            Role::StandingBy { behind } => format!("stands by: {behind} leads"),
        };
        format!("{role}; {}", loops.join(", "))
    }

    fn told(&self, mut reasons: Vec<String>, deadline: Duration) -> (bool, Value) {
        reasons.extend(self.awaited.iter().cloned());
        reasons.extend(self.loops.iter().filter_map(|state| state.trouble(deadline, self.now)));
        let reasons: Vec<String> = reasons.iter().map(|reason| clean(reason).into_owned()).collect();
        let (role, behind) = match &self.controller.role {
            Role::Leader => ("leader", None),
            Role::StandingBy { behind } => ("standing_by", Some(clean(behind).into_owned())),
        };
        let Controller { host, pid, since, .. } = &self.controller;
        let loops: Vec<Value> = self.loops.iter().map(told_loop).collect();
        let is_ready = reasons.is_empty();
        let told = json!({
            "ready": is_ready, "reasons": reasons, "role": role, "behind": behind, "host": host, "pid": pid, "since": since,
            "at": self.now, "loops": loops,
        });
        (is_ready, told)
    }
}

fn told_loop(state: &LoopState) -> Value {
    let last = state.last();
    json!({
        "name": state.name,
        "phase": state.phase,
        "dry_run": state.is_dry_run,
        "ticks": state.ticks,
        "failures": state.failures,
        "last_ok": state.last_ok,
        "last_seconds": last.map(|round| round.took.as_secs_f64()),
        "last_summary": last.and_then(|round| round.result.as_ref().ok()),
        "last_fault": state.fault().map(|fault| clean(&fault.to_string()).into_owned()),
        "next": state.next,
        "queue": state.queue,
        "why_stopped": state.why_stopped,
    })
}

/// Sources that are configured and never answered.
fn awaited(world: &World) -> Vec<String> {
    let gitlab = (world.polling.rules.slots > 0 && world.pipelines.completeness == Completeness::Unknown).then(|| {
        let why = world.pipelines.error.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
        format!("gitlab has not answered yet{why}")
    });
    let silent = world.fleet.sources.iter().filter(|(_, facts)| !facts.is_absent() && facts.state.heard.is_none());
    let fleet = silent.map(|(source, facts)| {
        let why = facts.state.fault.as_ref().map(|fault| format!(": {fault}")).unwrap_or_default();
        format!("{} have not been told yet{why}", source.word())
    });
    gitlab.into_iter().chain(fleet).collect()
}

/// The newest page, for whoever answers requests.
#[derive(Clone)]
pub(super) struct Pages {
    newest: watch::Receiver<Option<Arc<(Page, Instant)>>>,
    deadline: Duration,
    /// Why the store could not be opened.
    storeless: Option<Arc<str>>,
}

impl Pages {
    /// Whether the daemon is ready, and everything that it says about that.
    pub fn readiness(&self) -> (bool, Value) {
        let store = self.storeless.as_ref().map(|why| format!("the store is not open: {why}"));
        let page = self.newest.borrow().clone();
        match page {
            None => (false, json!({ "ready": false, "reasons": ["it is starting"], "loops": [] })),
            Some(page) => {
                let (page, at) = &*page;
                let hangs = (at.elapsed() > OLD)
                    .then(|| format!("it has not looked at itself for {} s", at.elapsed().as_secs()));
                page.told(store.into_iter().chain(hangs).collect(), self.deadline)
            }
        }
    }

    /// Its numbers as text.
    pub fn metrics(&self) -> String {
        self.newest.borrow().as_ref().map(|page| page.0.metrics.clone()).unwrap_or_default()
    }
}

/// Where pages come from.
pub(super) struct Publisher {
    newest: watch::Sender<Option<Arc<(Page, Instant)>>>,
    deadline: Duration,
    storeless: Option<Arc<str>>,
}

impl Publisher {
    pub fn new(deadline: Duration, storeless: Option<String>) -> Self {
        Self { newest: watch::Sender::new(None), deadline, storeless: storeless.map(Into::into) }
    }

    pub fn pages(&self) -> Pages {
        Pages { newest: self.newest.subscribe(), deadline: self.deadline, storeless: self.storeless.clone() }
    }

    pub fn publish(&self, page: Page) {
        self.newest.send_replace(Some(Arc::new((page, Instant::now()))));
    }
}
