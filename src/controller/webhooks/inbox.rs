//! Writes deliveries to the store: one task, many deliveries in one commit. A commit waits for the disk, and a storm must not wait for thousands.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{Notify, OwnedSemaphorePermit, mpsc, oneshot};

use super::changes::Noted;
use crate::adapters::clock::Clock;
use crate::adapters::store::{Delivery, Store, StoreError, Taken};
use crate::bridge::wake::{About, Forge};
use crate::ci::Timestamp;

/// Deliveries that wait to be written; whoever brings more waits at the door.
const QUEUE: usize = 1_024;
const BATCH: usize = 256;
/// What is too old or too much is removed so often, or after so many deliveries.
const PRUNED: (Duration, usize) = (Duration::from_mins(10), 5_000);

/// What is to be written, with its share of the memory for bodies.
struct Queued {
    delivery: Delivery,
    answer: oneshot::Sender<Result<Taken, ()>>,
    share: OwnedSemaphorePermit,
}

/// Where deliveries go.
#[derive(Clone)]
pub struct Inbox {
    queue: mpsc::Sender<Queued>,
    clock: Arc<dyn Clock>,
    has_bridge: bool,
}

impl Inbox {
    pub(super) fn open(store: Store, clock: Arc<dyn Clock>, bell: Arc<Notify>, noted: Noted, has_bridge: bool) -> Self {
        let (queue, queued) = mpsc::channel(QUEUE);
        let writer = Writer { store, clock: Arc::clone(&clock), bell, noted, pruned_at: clock.now(), since_pruned: 0 };
        tokio::spawn(writer.run(queued));
        Self { queue, clock, has_bridge }
    }

    pub(super) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Whether a delivery waits for the bridge.
    pub(super) const fn keeps_waiting(&self, forge: Forge, about: &About) -> bool {
        self.has_bridge && about.wakes_bridge(forge)
    }

    /// Stores a delivery. An error says that it may not be stored; the reason is in the log.
    pub(super) async fn put(&self, delivery: Delivery, share: OwnedSemaphorePermit) -> Result<Taken, ()> {
        let (answer, answered) = oneshot::channel();
        self.queue.send(Queued { delivery, answer, share }).await.map_err(drop)?;
        answered.await.map_err(drop)?
    }
}

struct Writer {
    store: Store,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
    noted: Noted,
    pruned_at: Timestamp,
    since_pruned: usize,
}

impl Writer {
    async fn run(mut self, mut queued: mpsc::Receiver<Queued>) {
        let mut batch = Vec::with_capacity(BATCH);
        while queued.recv_many(&mut batch, BATCH).await > 0 {
            let mut answers = Vec::with_capacity(batch.len());
            let mut shares = Vec::with_capacity(batch.len());
            let mut deliveries = Vec::with_capacity(batch.len());
            for Queued { delivery, answer, share } in batch.drain(..) {
                deliveries.push(delivery);
                answers.push(answer);
                shares.push(share);
            }
            let taken = self.store.put_deliveries(&deliveries).await;
            self.tell(&deliveries, &taken);
            for (at, answer) in answers.into_iter().enumerate() {
                let one = taken.as_ref().ok().and_then(|taken| taken.get(at)).copied().ok_or(());
                // Whoever brought it may have gone; it is stored all the same.
                let _ = answer.send(one);
            }
            drop(shares);
            self.prune(deliveries.len()).await;
        }
    }

    /// Wakes whom it concerns.
    fn tell(&self, deliveries: &[Delivery], taken: &Result<Vec<Taken>, StoreError>) {
        let taken = match taken {
            Ok(taken) => taken,
            Err(error) => {
                tracing::warn!(%error, deliveries = deliveries.len(), "webhooks were turned away: they could not be stored");
                return;
            }
        };
        let new = || deliveries.iter().zip(taken).filter(|(_, one)| matches!(one, Taken::New(_))).map(|(one, _)| one);
        if new().any(|one| one.waits) {
            self.bell.notify_one();
        }
        self.noted.add(new().filter_map(|one| one.about.pipeline()));
    }

    async fn prune(&mut self, written: usize) {
        self.since_pruned += written;
        let now = self.clock.now();
        if now.since(self.pruned_at) < PRUNED.0 && self.since_pruned < PRUNED.1 {
            return;
        }
        (self.pruned_at, self.since_pruned) = (now, 0);
        if let Err(error) = self.store.prune_inbox(now).await {
            tracing::warn!(%error, "old webhooks were not removed");
        }
    }
}
