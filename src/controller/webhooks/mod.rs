//! The door for webhooks of both forges, and who it wakes.
//!
//! [`open`] makes an [`Inbox`] and the [`Wakes`] and [`Changes`] that come of it; [`Door`] is the HTTP side, a router to be mounted anywhere. A
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

pub use changes::Changes;
pub use door::{Door, DoorError, Settings};
pub use inbox::Inbox;
pub use tally::{Outcome, Tally};
pub use wakes::{Wake, Wakes};

use crate::adapters::clock::Clock;
use crate::adapters::store::Store;

/// Begins to take deliveries into a store. It goes on until the last clone of the inbox is dropped.
pub fn open(store: Store, clock: Arc<dyn Clock>) -> (Inbox, Wakes, Changes) {
    let bell = Arc::new(tokio::sync::Notify::new());
    let (noted, changes) = changes::channel();
    let inbox = Inbox::open(store.clone(), Arc::clone(&clock), Arc::clone(&bell), noted);
    (inbox, Wakes::new(store, clock, bell), changes)
}
