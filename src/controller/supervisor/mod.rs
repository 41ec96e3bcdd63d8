//! Runs named loops: each in a task of its own, again and again, whatever happens to it.
//!
//! A loop offers one round, a `tick`. The supervisor gives it a deadline, begins it again by its period, when it is due earlier or when somebody wakes it, waits longer
//! after each fault, makes it anew after a panic, and tells how it fares with every change ([`Event::LoopTold`]). It judges nothing and acts on
//! nothing: that is what loops do. They are stopped together: a round under way may end, then it is cut off.

mod desk;
mod drive;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

pub use self::desk::{Desk, Makers};
pub(in crate::controller) use self::drive::words;
use self::drive::{Driver, Round};
use crate::adapters::clock::Clock;
use crate::ci::Timestamp;
use crate::console::event::Event;
use crate::console::fault::Fault;
use crate::console::loops::LoopState;

/// A named task of the controller, one round at a time.
pub trait Loop: Send {
    fn name(&self) -> &'static str;

    /// The longest time between two rounds.
    fn period(&self) -> Duration;

    /// One round. It may be dropped at any `await` when its deadline is over, and should come to an end soon once a stop is asked for.
    fn tick<'a>(&'a mut self, cx: &'a TickContext) -> BoxFuture<'a, Result<Ticked, Fault>>;

    /// Waits between two rounds until something happens for which the next is due before its time. It may be dropped at any `await`.
    fn due(&mut self) -> BoxFuture<'_, ()> {
        Box::pin(std::future::pending())
    }
}

/// Makes a loop: at the start, and again after it broke.
pub type Maker = Box<dyn FnMut() -> Box<dyn Loop> + Send>;

/// What a round may know of its surroundings.
#[derive(Debug, Clone)]
pub struct TickContext {
    /// Decide and say what would be done; change nothing outside.
    pub dry_run: bool,
    pub stop: StopSign,
    /// When the round began.
    pub now: Timestamp,
}

/// What a round came to.
#[derive(Debug, Default)]
pub struct Ticked {
    /// One line.
    pub summary: String,
    pub counts: Vec<(&'static str, u64)>,
    /// What everybody who looks should know of it.
    pub news: Option<Box<Event>>,
}

/// Says whether the loops shall stop.
#[derive(Debug, Clone)]
pub struct StopSign(watch::Receiver<bool>);

impl StopSign {
    pub fn is_asked(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until a stop is asked for.
    pub async fn asked(&self) {
        // Whoever could ask is gone: that is a stop as well.
        let _ = self.0.clone().wait_for(|asked| *asked).await;
    }
}

/// Begins the next round of a loop now. Calls that come before it begins are one.
#[derive(Debug, Clone)]
pub struct Waker(Arc<Notify>);

impl Waker {
    pub fn wake(&self) {
        self.0.notify_one();
    }
}

/// What bounds loops. The configuration has the values.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// For one round.
    pub deadline: Duration,
    /// The wait after the first of several faults; it doubles with each.
    pub backoff_first: Duration,
    pub backoff_most: Duration,
    /// How long a round under way may go on after a stop was asked for.
    pub grace: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            deadline: Duration::from_mins(20),
            backoff_first: Duration::from_secs(2),
            backoff_most: Duration::from_mins(5),
            grace: Duration::from_secs(8),
        }
    }
}

impl Limits {
    /// How long to wait after so many faults in a row.
    fn backoff(&self, in_a_row: u32) -> Duration {
        let doublings = in_a_row.saturating_sub(1).min(16);
        self.backoff_first.saturating_mul(1 << doublings).min(self.backoff_most)
    }
}

/// Loops that run.
pub struct Supervisor {
    tasks: JoinSet<()>,
    wakers: BTreeMap<&'static str, Waker>,
    stop: watch::Sender<bool>,
    limits: Limits,
}

/// What every loop of a supervisor has in common.
#[derive(Clone)]
pub struct Surroundings {
    pub limits: Limits,
    pub is_dry_run: bool,
    pub clock: Arc<dyn Clock>,
    /// Hears of every change.
    pub told: mpsc::Sender<Event>,
}

impl Supervisor {
    /// Starts these loops; the first round of each begins at once.
    pub fn start(makers: Vec<Maker>, around: &Surroundings) -> Self {
        let (stop, asked) = watch::channel(false);
        let mut supervisor = Self { tasks: JoinSet::new(), wakers: BTreeMap::new(), stop, limits: around.limits };
        for maker in makers {
            let notify = Arc::new(Notify::new());
            let driver = Driver::new(maker, around.clone(), StopSign(asked.clone()), Arc::clone(&notify));
            supervisor.wakers.insert(driver.name(), Waker(notify));
            supervisor.tasks.spawn(driver.run());
        }
        supervisor
    }

    /// What wakes a loop; `None`: there is none of this name.
    pub fn waker(&self, name: &str) -> Option<Waker> {
        self.wakers.get(name).cloned()
    }

    /// Asks all loops to stop and waits for them. A round that does not end within the grace is cut off.
    pub async fn stop(mut self) {
        // Loops that ended already hear nothing.
        let _ = self.stop.send(true);
        // Drivers cut rounds off themselves; what blocks its thread cannot be cut.
        let all = async { while self.tasks.join_next().await.is_some() {} };
        if timeout(self.limits.grace + Duration::from_millis(500), all).await.is_err() {
            tracing::error!("a loop blocks its thread and is left behind");
        }
    }
}

/// Runs one round of each loop, all at once, and says how each fared. A stop cuts rounds off after the grace.
pub async fn once(makers: Vec<Maker>, around: &Surroundings, stop: StopSign) -> Vec<LoopState> {
    let mut rounds = JoinSet::new();
    for (place, maker) in makers.into_iter().enumerate() {
        let mut driver = Driver::new(maker, around.clone(), stop.clone(), Arc::default());
        rounds.spawn(async move {
            // Whether it was stopped meanwhile is told by its state.
            let _: Round = driver.round().await;
            (place, driver.into_state())
        });
    }
    let mut states = BTreeMap::new();
    while let Some(ended) = rounds.join_next().await {
        match ended {
            Ok((place, state)) => drop(states.insert(place, state)),
            Err(error) => tracing::error!(%error, "a driver of a loop broke; report this as a bug"),
        }
    }
    states.into_values().collect()
}

/// A switch for whoever ends the loops, and the sign that they see.
pub fn stop_sign() -> (watch::Sender<bool>, StopSign) {
    let (switch, asked) = watch::channel(false);
    (switch, StopSign(asked))
}
