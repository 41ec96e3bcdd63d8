//! One stretch of leading: what the core tells is followed, counted and logged.

use std::collections::BTreeSet;
use std::future::Future;
use std::path::Path;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

use super::metrics::Tally;
use super::page::Page;
use crate::ci::Timestamp;
use crate::console::event::{Event, Intent, Stamped};
use crate::console::loops::{Controller, LoopState};
use crate::console::text::clean;
use crate::console::world::World;
use crate::controller::Link;
use crate::controller::attach::Hub;
use crate::controller::webhooks::Hooks;

/// From one reading for the sake of webhooks to the next.
const SPACING: Duration = Duration::from_secs(1);

/// What is known, as the core told it.
pub(super) struct Term {
    world: World,
    events: mpsc::Receiver<Stamped>,
    /// What the core is asked for.
    intents: mpsc::Sender<Intent>,
    /// When webhooks were last heard.
    heard: Option<Instant>,
    tally: Tally,
    consoles: Hub,
    /// The moment of the last event.
    now: Timestamp,
}

impl Term {
    pub fn new(mut world: World, link: Link) -> Self {
        world.log_budget = None;
        let now = Timestamp::from_millis(0);
        Self {
            world,
            events: link.events,
            intents: link.intents,
            heard: None,
            tally: Tally::default(),
            consoles: Hub::closed(),
            now,
        }
    }

    /// Lets consoles attach. Where they cannot, the daemon does its work all the same.
    pub fn serve(&mut self, socket: Option<&Path>, pid: u32) {
        let Some(socket) = socket else { return };
        match Hub::open(socket, pid, self.intents.clone()) {
            Ok(hub) => {
                tracing::info!(socket = %socket.display(), "consoles may attach");
                self.consoles = hub;
            }
            Err(error) => tracing::warn!(socket = %socket.display(), %error, "consoles cannot attach"),
        }
    }

    /// Follows for a while, and has read again what webhooks say.
    pub async fn follow(&mut self, length: Duration, hooks: Option<&Hooks>) {
        let until = Instant::now() + length;
        loop {
            let heard = self.heard;
            let changes = async {
                let Some(hooks) = hooks else { return std::future::pending().await };
                if let Some(heard) = heard {
                    sleep_until(heard + SPACING).await;
                }
                hooks.changes().await
            };
            tokio::select! {
                event = self.events.recv() => match event {
                    Some(event) => self.take(event),
                    // The core is gone, which only happens when it is stopped: nothing more will come.
                    None => return sleep_until(until).await,
                },
                changes = changes => {
                    self.heard = Some(Instant::now());
                    for intent in changes {
                        // A core with too much to do reads it in its turn.
                        let _ = self.intents.try_send(intent);
                    }
                }
                // Before the first event there is no moment at which the world could be told.
                knock = self.consoles.knock(), if self.now.millis() > 0 => {
                    self.consoles.answer(knock, &self.world, self.now);
                }
                () = sleep_until(until) => return,
            }
        }
    }

    fn take(&mut self, stamped: Stamped) {
        self.consoles.pass(&stamped);
        let Stamped { event, now } = stamped;
        self.now = now;
        log(&event);
        self.tally.count(&event);
        // The core does what follows.
        self.world.update(event, now);
    }

    /// The loops that were chosen, and those of the supervisor.
    pub fn loops(&self, chosen: &BTreeSet<&'static str>, now: Timestamp) -> Vec<LoopState> {
        let told = &self.world.loops.told;
        let is_wanted = |state: &LoopState| chosen.contains(&*state.name) || told.contains_key(&*state.name);
        self.world.loops(now).into_iter().filter(is_wanted).collect()
    }

    pub fn has_gone_round(&self, chosen: &BTreeSet<&'static str>, now: Timestamp) -> bool {
        chosen.iter().all(|name| self.world.has_gone_round(name, now))
    }

    pub fn page(&self, controller: &Controller, chosen: &BTreeSet<&'static str>, now: Timestamp) -> Page {
        Page::of(controller.clone(), self.loops(chosen, now), Some(&self.world), &self.tally, now)
    }
}

/// Waits for something, and follows the core meanwhile: what it cannot tell would hold it up.
pub(super) async fn drain<T>(what: impl Future<Output = T>, term: &mut Term) -> T {
    let mut what = std::pin::pin!(what);
    loop {
        tokio::select! {
            biased;
            done = &mut what => return done,
            Some(event) = term.events.recv() => term.take(event),
        }
    }
}

/// What of the core's events is worth a line. Loops of the supervisor have theirs already.
fn log(event: &Event) {
    match event {
        Event::Fetched { fetch, result: Err(fault), .. } => {
            let told = fault.to_string();
            tracing::warn!(fetch = ?fetch, kind = fault.word(), fault = %clean(&told), "not read");
        }
        Event::Said { error: true, text } => tracing::warn!(text = %clean(text), "said"),
        Event::Said { error: false, text } => tracing::info!(text = %clean(text), "said"),
        Event::AuditStored { row, result } => {
            let summary = clean(&row.summary);
            match result {
                Ok(()) => {
                    tracing::info!(plan = %row.plan, action = %row.action, state = row.state.word(), %summary, "audit");
                }
                Err(fault) => tracing::error!(plan = %row.plan, %fault, "audit not written"),
            }
        }
        _ => {}
    }
}
