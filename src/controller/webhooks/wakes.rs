//! Wakes the bridge. The store is the queue: nothing is lost between a delivery and the pass that follows from it, not even by a crash.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::adapters::clock::Clock;
use crate::adapters::store::{DeliveryNo, Store, StoreError};
use crate::bridge::wake::About;
use crate::ci::Timestamp;

/// What comes within this time of the first belongs to the same wake-up.
const SETTLE: Duration = Duration::from_millis(300);
/// From one wake-up to the next. With the time that looking takes, nothing waits for more than a second.
const SPACING: Duration = Duration::from_millis(900);
/// Another process may have taken a delivery into the same store, and a store that failed may work again.
const LOOK: Duration = Duration::from_secs(5);

/// A reason for a pass: everything that came in and was not acted on. Until [`Wakes::handled`] has seen it, all of it is in the next one again.
#[derive(Debug)]
pub struct Wake {
    /// Each thing once, in the order in which it came.
    pub about: Vec<About>,
    /// How many deliveries these are.
    pub deliveries: usize,
    /// When the first of them came in.
    pub since: Timestamp,
    numbers: Vec<DeliveryNo>,
}

/// What a loop waits for beside its period.
pub struct Wakes {
    store: Store,
    clock: Arc<dyn Clock>,
    bell: Arc<Notify>,
    /// The newest delivery that a wake-up held.
    seen: Option<DeliveryNo>,
    last: Option<Instant>,
}

impl Wakes {
    pub(super) const fn new(store: Store, clock: Arc<dyn Clock>, bell: Arc<Notify>) -> Self {
        Self { store, clock, bell, seen: None, last: None }
    }

    /// Waits for a delivery that no wake-up held before; at first, also those of an earlier process. It may be dropped at any time, and called
    /// again.
    pub async fn next(&mut self) -> Wake {
        loop {
            if self.is_due().await {
                let spaced = self.last.map_or(Duration::ZERO, |last| SPACING.saturating_sub(last.elapsed()));
                tokio::time::sleep(SETTLE.max(spaced)).await;
                if let Some(wake) = self.waiting().await {
                    return wake;
                }
            }
            // A ring that came before is kept.
            let _ = tokio::time::timeout(LOOK, self.bell.notified()).await;
        }
    }

    /// What waits now, if anything does: for a pass that is made anyway.
    pub async fn waiting(&mut self) -> Option<Wake> {
        let waiting = match self.store.waiting_deliveries().await {
            Ok(waiting) => waiting,
            Err(error) => {
                tracing::warn!(%error, "webhooks that came in cannot be read");
                return None;
            }
        };
        let since = waiting.iter().map(|one| one.received_at).min()?;
        self.seen = waiting.last().map(|one| one.no).max(self.seen);
        self.last = Some(Instant::now());
        let numbers: Vec<DeliveryNo> = waiting.iter().map(|one| one.no).collect();
        let mut known = HashSet::new();
        let about = waiting.into_iter().map(|one| one.about).filter(|about| known.insert(about.clone())).collect();
        Some(Wake { about, deliveries: numbers.len(), since, numbers })
    }

    /// A pass that began after the wake-up has ended well: what it held was acted on.
    pub async fn handled(&self, wake: Wake) -> Result<(), StoreError> {
        self.store.mark_handled(&wake.numbers, self.clock.now()).await
    }

    async fn is_due(&self) -> bool {
        match self.store.newest_waiting().await {
            Ok(newest) => newest > self.seen,
            Err(error) => {
                tracing::warn!(%error, "webhooks that came in cannot be read");
                false
            }
        }
    }
}
