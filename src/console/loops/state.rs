//! One loop: what it does now, how its last rounds went, and when the next one is due.

use std::borrow::Cow;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ci::Timestamp;
use crate::console::fault::{Count, Fault};

/// Rounds that are remembered of a loop.
pub const ROUNDS: usize = 50;
/// So many failures in a row, and a loop counts as dead though it goes on trying.
pub const DEAD_AFTER: u32 = 5;

/// What a loop does right now.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Its first round has not ended.
    Starting,
    /// A round is under way.
    Running,
    /// The last round went well; the next one is not due.
    Waiting,
    /// The last round failed; it is tried again later.
    BackingOff,
    /// Another daemon leads.
    StandingBy,
    /// It does not run.
    Stopped,
}

impl Phase {
    /// One word for tables.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Starting => "start",
            Self::Running => "run",
            Self::Waiting => "wait",
            Self::BackingOff => "retry",
            Self::StandingBy => "standby",
            Self::Stopped => "off",
        }
    }
}

/// One round that has ended.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Round {
    /// When it began.
    pub at: Timestamp,
    pub took: Duration,
    /// What it came to, in one line.
    pub result: Result<Arc<str>, Fault>,
    pub counts: Vec<(Cow<'static, str>, u64)>,
}

/// Everything that is known of one loop.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LoopState {
    pub name: Arc<str>,
    /// The longest time between two rounds; `None`: it has no beat of its own.
    pub period: Option<Duration>,
    pub phase: Phase,
    /// Since when it is in this phase.
    pub since: Timestamp,
    /// When the next round begins at the latest.
    pub next: Option<Timestamp>,
    /// It decides and changes nothing.
    pub is_dry_run: bool,
    /// Rounds that have ended, and those of them that failed.
    pub ticks: u64,
    pub failures: u64,
    /// Failures since the last good round.
    pub in_a_row: u32,
    pub last_ok: Option<Timestamp>,
    /// What all rounds counted, summed up.
    #[serde(default)]
    pub totals: BTreeMap<Cow<'static, str>, u64>,
    /// The newest first.
    pub rounds: VecDeque<Arc<Round>>,
    /// Why it does not run.
    pub why_stopped: Option<Arc<str>>,
    /// It ended though nobody asked it to.
    pub has_died: bool,
    /// What waits for it; `None`: nobody knows.
    pub queue: Option<u64>,
}

impl LoopState {
    /// A loop that has not run yet.
    pub fn new(name: &str, period: Option<Duration>, is_dry_run: bool, now: Timestamp) -> Self {
        Self {
            name: name.into(),
            period,
            phase: Phase::Starting,
            since: now,
            next: None,
            is_dry_run,
            ticks: 0,
            failures: 0,
            in_a_row: 0,
            last_ok: None,
            totals: BTreeMap::new(),
            rounds: VecDeque::new(),
            why_stopped: None,
            has_died: false,
            queue: None,
        }
    }

    /// A round began.
    pub fn began(&mut self, now: Timestamp) {
        self.enter(Phase::Running, now);
        self.next = None;
    }

    /// A round ended; the next one is due at `next`, which after a fault is when the wait is over.
    pub fn ended(&mut self, round: Round, next: Option<Timestamp>) {
        let now = round.at.plus(round.took);
        self.ticks += 1;
        if round.result.is_ok() {
            self.in_a_row = 0;
            self.last_ok = Some(now);
            self.enter(Phase::Waiting, now);
        } else {
            self.failures += 1;
            self.in_a_row = self.in_a_row.saturating_add(1);
            self.enter(Phase::BackingOff, now);
        }
        self.next = next;
        for (what, count) in &round.counts {
            *self.totals.entry(what.clone()).or_default() += count;
        }
        self.rounds.push_front(Arc::new(round));
        self.rounds.truncate(ROUNDS);
    }

    /// It was stopped, or never began.
    pub fn stopped(&mut self, why: &str, now: Timestamp) {
        self.enter(Phase::Stopped, now);
        self.next = None;
        self.why_stopped = Some(why.into());
    }

    /// It ended by itself, which it must not.
    pub fn died(&mut self, why: &str, now: Timestamp) {
        self.stopped(why, now);
        self.has_died = true;
    }

    /// Another daemon does its work.
    pub fn stands_by(&mut self, now: Timestamp) {
        self.enter(Phase::StandingBy, now);
        self.next = None;
    }

    pub(super) fn enter(&mut self, phase: Phase, now: Timestamp) {
        if self.phase != phase {
            self.phase = phase;
            self.since = now;
        }
    }

    /// The newest round that ended.
    pub fn last(&self) -> Option<&Round> {
        self.rounds.front().map(|round| &**round)
    }

    /// The last fault, if the last round failed.
    pub fn fault(&self) -> Option<&Fault> {
        self.last()?.result.as_ref().err()
    }

    /// Rounds that failed since a moment; a lower bound where older rounds are forgotten.
    pub fn errors_since(&self, since: Timestamp) -> Count {
        let failed = self.rounds.iter().filter(|round| round.at >= since && round.result.is_err()).count();
        let is_whole = self.rounds.len() < ROUNDS || self.rounds.back().is_some_and(|round| round.at < since);
        if is_whole { Count::Exact(failed) } else { Count::AtLeast(failed) }
    }

    /// How long 95 of 100 of the remembered rounds took at most.
    pub fn p95(&self) -> Option<Duration> {
        let mut took: Vec<Duration> = self.rounds.iter().map(|round| round.took).collect();
        took.sort_unstable();
        took.get((took.len() * 95).div_ceil(100).checked_sub(1)?).copied()
    }

    /// How much later than it should the loop last went well; `None`: it never did, or has no beat.
    pub fn lag(&self, now: Timestamp) -> Option<Duration> {
        Some(now.since(self.last_ok?).saturating_sub(self.period?))
    }

    /// Why nobody should rely on this loop, if so. `deadline`: how long a round may take.
    pub fn trouble(&self, deadline: Duration, now: Timestamp) -> Option<String> {
        let name = &self.name;
        if self.has_died {
            let why = self.why_stopped.as_deref().unwrap_or("nobody knows why");
            return Some(format!("{name} died: {why}"));
        }
        // The deadline cuts a round off; one that goes on does not let itself be cut.
        if self.phase == Phase::Running && now.since(self.since) > deadline * 2 {
            return Some(format!("{name} hangs since {}", self.since));
        }
        let fault = self.fault().filter(|_| self.in_a_row >= DEAD_AFTER && self.phase != Phase::Stopped)?;
        Some(format!("{name} failed {} times in a row: {fault}", self.in_a_row))
    }
}
