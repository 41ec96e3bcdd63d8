//! One loop from its first round to its stop.

use std::any::Any;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use futures_util::FutureExt as _;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use super::{Loop, Maker, StopSign, Surroundings, TickContext, Ticked};
use crate::ci::Timestamp;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::console::loops::{self, LoopState};
use crate::console::text::clean;

/// Whether there will be another round.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Round {
    Ended,
    Stopped,
}

/// Drives one loop.
pub(super) struct Driver {
    name: &'static str,
    make: Maker,
    /// `None`: it broke, and is made anew for the next round.
    body: Option<Box<dyn Loop>>,
    around: Surroundings,
    stop: StopSign,
    wake: Arc<Notify>,
    state: LoopState,
}

/// How a round came to its end.
enum End {
    Ticked(Result<Ticked, Fault>),
    /// It did not stop when it was asked to.
    CutOff,
}

impl Driver {
    pub(super) fn new(mut make: Maker, around: Surroundings, stop: StopSign, wake: Arc<Notify>) -> Self {
        let body = make();
        let name = body.name();
        let state = LoopState::new(name, Some(body.period()), around.is_dry_run, around.clock.now());
        Self { name, make, body: Some(body), around, stop, wake, state }
    }

    pub(super) const fn name(&self) -> &'static str {
        self.name
    }

    pub(super) fn into_state(self) -> LoopState {
        self.state
    }

    /// Runs until it is stopped. Should the driver itself break, that is told.
    pub(super) async fn run(mut self) {
        if let Err(panic) = AssertUnwindSafe(self.rounds()).catch_unwind().await {
            let why = format!("its driver broke: {}; report this as a bug", words(&*panic));
            tracing::error!(r#loop = self.name, %why, "a loop died");
            self.state.died(&why, self.now());
            self.tell().await;
        }
    }

    async fn rounds(&mut self) {
        self.tell().await;
        while !self.stop.is_asked() && self.round().await == Round::Ended {
            self.rest().await;
        }
        if self.state.phase != loops::Phase::Stopped {
            self.state.stopped("asked to stop", self.now());
            self.tell().await;
        }
    }

    /// One round.
    pub(super) async fn round(&mut self) -> Round {
        let begun = self.now();
        self.state.began(begun);
        self.tell().await;
        // A wall clock may be set while the round lasts, and would be waited for.
        let watch = Instant::now();
        let end = self.tick(begun).await;
        let now = self.now();
        let result = match end {
            End::Ticked(result) => result,
            End::CutOff => {
                let why =
                    format!("cut off: it did not end within {} s of the stop", self.around.limits.grace.as_secs());
                tracing::warn!(r#loop = self.name, "a round was cut off");
                self.state.stopped(&why, now);
                self.tell().await;
                return Round::Stopped;
            }
        };
        let took = watch.elapsed();
        let (result, counts, next) = match result {
            Ok(Ticked { summary, counts, news }) => {
                if let Some(news) = news {
                    // Whoever listened is gone.
                    let _ = self.around.told.send(*news).await;
                }
                let summary = clean(&summary).into_owned();
                tracing::info!(
                    r#loop = self.name,
                    took_ms = took.as_millis() as u64,
                    dry_run = self.around.is_dry_run,
                    counts = ?counts,
                    summary,
                    "ticked"
                );
                (Ok(summary.into()), counts, self.state.period.map(|period| now.plus(period.saturating_sub(took))))
            }
            Err(fault) => {
                let wait = self.around.limits.backoff(self.state.in_a_row.saturating_add(1));
                let next = match fault.kind {
                    FaultKind::RateLimited { until: Some(until) } => until.max(now.plus(wait)),
                    _ => now.plus(wait),
                };
                let told = fault.to_string();
                tracing::warn!(
                    r#loop = self.name,
                    took_ms = took.as_millis() as u64,
                    kind = fault.word(),
                    fault = %clean(&told),
                    again = %next,
                    "failed"
                );
                (Err(fault), Vec::new(), Some(next))
            }
        };
        let counts = counts.into_iter().map(|(name, count)| (name.into(), count)).collect();
        self.state.ended(loops::Round { at: begun, took, result, counts }, next);
        self.tell().await;
        Round::Ended
    }

    async fn tick(&mut self, now: Timestamp) -> End {
        let limits = self.around.limits;
        let broke = |what: &str, panic: &(dyn Any + Send)| {
            let detail = format!("it broke: {}; report this as a bug", words(panic));
            End::Ticked(Err(Fault::new(FaultKind::Local, format!("{what} the loop {}", self.name), detail)))
        };
        let mut body = match self.body.take() {
            Some(body) => body,
            None => match std::panic::catch_unwind(AssertUnwindSafe(|| (self.make)())) {
                Ok(body) => body,
                Err(panic) => return broke("make", &*panic),
            },
        };
        let cx = TickContext { dry_run: self.around.is_dry_run, stop: self.stop.clone(), now };
        let work = AssertUnwindSafe(async { body.tick(&cx).await }).catch_unwind();
        let patience = async {
            self.stop.asked().await;
            sleep(limits.grace).await;
        };
        let end = tokio::select! {
            biased;
            end = timeout(limits.deadline, work) => end,
            () = patience => return End::CutOff,
        };
        match end {
            Ok(Ok(result)) => {
                self.state.period = Some(body.period());
                self.body = Some(body);
                End::Ticked(result)
            }
            // What it was about when it broke, it may have left half done: it begins anew.
            Ok(Err(panic)) => broke("run", &*panic),
            Err(_) => {
                let detail = format!("it did not end within {} s and was cut off", limits.deadline.as_secs());
                let what = format!("run the loop {}", self.name);
                self.body = Some(body);
                End::Ticked(Err(Fault::new(FaultKind::Timeout, what, detail)))
            }
        }
    }

    /// Waits for the next round. Whoever wakes it does not shorten the wait after a fault.
    async fn rest(&mut self) {
        let wait = self.state.next.map_or(self.around.limits.backoff_most, |next| next.since(self.now()));
        let due = tokio::time::sleep_until(Instant::now() + wait);
        let is_backing_off = self.state.phase == loops::Phase::BackingOff;
        let early = async {
            match &mut self.body {
                Some(body) if !is_backing_off => body.due().await,
                _ => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.asked() => {}
            () = self.wake.notified(), if !is_backing_off => {}
            () = early => {}
            () = due => {}
        }
    }

    async fn tell(&mut self) {
        // Whoever listened is gone: the loop goes on until it is stopped.
        let _ = self.around.told.send(Event::LoopTold(Arc::new(self.state.clone()))).await;
    }

    fn now(&self) -> Timestamp {
        self.around.clock.now()
    }
}

/// What a panic says.
pub(in crate::controller) fn words(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().copied().or_else(|| panic.downcast_ref::<String>().map(String::as_str));
    clean(text.unwrap_or("it does not say why")).into_owned()
}
