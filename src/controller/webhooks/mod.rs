//! The door for webhooks of both forges, and who it wakes.
//!
//! [`Hooks`] are a door, which is a router to be mounted anywhere, and what comes of it: [`Wakes`] for a loop, and what is to be read again. A
//! delivery is answered with success when it is on the disk, and never before. Nothing is decided from what it says: it is a hint that a pass is
//! due, and a pass finds out for itself what was missed. Whatever was not taken is answered so that the forge shows it.

mod body;
mod changes;
mod door;
mod inbox;
mod proof;
mod tally;
#[cfg(test)]
mod tests;
mod wakes;

use std::sync::Arc;

use axum::Router;
use tokio::sync::Notify;

use changes::Changes;
use door::Door;
pub use door::{DoorError, Settings};
use inbox::Inbox;
pub use tally::{Outcome, Tally};
pub use wakes::{Wake, Wakes};

use crate::adapters::clock::Clock;
use crate::adapters::store::Store;
use crate::console::event::Intent;

/// Deliveries on their way into a store, and from there to whom they concern.
pub struct Hooks {
    store: Store,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
    door: Door,
    changes: Changes,
}

impl Hooks {
    /// Begins to take deliveries of whoever the settings let in.
    pub fn open(store: Store, clock: Arc<dyn Clock>, settings: Settings) -> Result<Self, DoorError> {
        Self::open_with(store, clock, settings, true)
    }

    /// The same where no bridge acts: a delivery waits for nobody, and only says what is to be read again.
    pub fn open_without_bridge(store: Store, clock: Arc<dyn Clock>, settings: Settings) -> Result<Self, DoorError> {
        Self::open_with(store, clock, settings, false)
    }

    fn open_with(store: Store, clock: Arc<dyn Clock>, settings: Settings, has_bridge: bool) -> Result<Self, DoorError> {
        let bell = Arc::new(Notify::new());
        let (noted, changes) = changes::channel();
        let inbox = Inbox::open(store.clone(), Arc::clone(&clock), Arc::clone(&bell), noted, has_bridge);
        Ok(Self { store, clock, bell, door: Door::new(inbox, settings)?, changes })
    }

    /// `POST /hooks/github` and `POST /hooks/gitlab`, to be merged into a server. A forge without a secret has no route.
    pub fn router(&self) -> Router {
        self.door.router()
    }

    /// What became of deliveries so far; for metrics.
    pub fn tally(&self) -> &Tally {
        self.door.tally()
    }

    /// What wakes a loop. One loop at a time hears of a delivery at once, others within seconds.
    pub fn wakes(&self) -> Wakes {
        Wakes::new(self.store.clone(), Arc::clone(&self.clock), Arc::clone(&self.bell))
    }

    /// Waits until something changed that the core is to read again. Whoever calls this decides how often: what changes meanwhile is added up.
    pub async fn changes(&self) -> Vec<Intent> {
        self.changes.next().await
    }
}
