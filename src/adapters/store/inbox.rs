//! Webhooks that were taken: each once, until they are too old. A delivery that waits for somebody is never pushed out by newer ones; when too
//! many wait, no more are taken.

use std::time::Duration;

use super::sql::{Tx, query, query_as, query_scalar};
use super::{Store, StoreError, StoreFault};
use crate::bridge::wake::{About, Forge};
use crate::ci::Timestamp;

/// GitHub can be asked to deliver again for three days, under the same id.
const AGE: Duration = Duration::from_hours(4 * 24);
/// Larger bodies are not kept; what they tell is. No comment of GitHub's is as long.
const LARGEST_KEPT: usize = 1 << 20;

/// Bounds of the inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Rows in all.
    pub rows: u32,
    /// Bytes of bodies that were acted on.
    pub bodies: u64,
    /// Rows, and bytes of their bodies, that wait for somebody.
    pub waiting: (u32, u64),
}

pub(super) const BOUNDS: Bounds = Bounds { rows: 200_000, bodies: 64 << 20, waiting: (20_000, 256 << 20) };

/// A delivery that is to be remembered.
#[derive(Debug, Clone)]
pub struct Delivery {
    pub forge: Forge,
    /// The forge's name for it, the same when it is delivered again.
    pub id: String,
    pub event: String,
    pub received_at: Timestamp,
    pub about: About,
    pub body: Vec<u8>,
}

/// A delivery's number in the inbox.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DeliveryNo(pub i64);

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    New(DeliveryNo),
    /// It was there already.
    Known,
    /// Too many wait for somebody: this one is not remembered.
    Full,
}

/// A delivery that waits to be acted on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub no: DeliveryNo,
    pub received_at: Timestamp,
    pub about: About,
}

/// How full the inbox is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct InboxTally {
    pub waiting: u64,
    /// Since when the oldest of them waits.
    pub since: Option<Timestamp>,
}

impl Store {
    /// Remembers deliveries, all or none: when this returns they are on the disk. The answers are in their order.
    pub async fn put_deliveries(&self, deliveries: &[Delivery]) -> Result<Vec<Taken>, StoreError> {
        self.put_deliveries_within(deliveries, BOUNDS).await
    }

    pub(super) async fn put_deliveries_within(
        &self,
        deliveries: &[Delivery],
        bounds: Bounds,
    ) -> Result<Vec<Taken>, StoreError> {
        let write = async {
            let mut transaction = self.db.begin().await?;
            let (mut rows, mut bytes): (u32, u64) = {
                let (rows, bytes): (i64, i64) = query_as(
                    "SELECT count(*), CAST(coalesce(sum(kept), 0) AS BIGINT) FROM inbox WHERE handled_at IS NULL",
                )
                .fetch_one(&mut transaction)
                .await?;
                (u32::try_from(rows).unwrap_or(u32::MAX), u64::try_from(bytes).unwrap_or(u64::MAX))
            };
            let mut taken = Vec::with_capacity(deliveries.len());
            for delivery in deliveries {
                let waits = delivery.about.wakes_bridge(delivery.forge);
                let is_full = waits && (rows >= bounds.waiting.0 || bytes >= bounds.waiting.1);
                let one = put(&mut transaction, delivery, waits, is_full).await?;
                if waits && matches!(one, Taken::New(_)) {
                    rows += 1;
                    bytes += kept(&delivery.body).len() as u64;
                }
                taken.push(one);
            }
            transaction.commit().await?;
            Ok(taken)
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// What waits to be acted on, the oldest first.
    pub async fn waiting_deliveries(&self) -> Result<Vec<Waiting>, StoreError> {
        let rows: Vec<(i64, i64, String)> =
            query_as("SELECT no, received_at, about FROM inbox WHERE handled_at IS NULL ORDER BY no LIMIT ?")
                .bind(BOUNDS.waiting.0)
                .fetch_all(&self.db)
                .await
                .map_err(|error| self.failed(error))?;
        let one = |(no, received_at, about): (i64, i64, String)| Waiting {
            no: DeliveryNo(no),
            received_at: Timestamp::from_millis(received_at),
            // Written by another version, it still means that something happened.
            about: serde_json::from_str(&about).unwrap_or(About::Unclear),
        };
        Ok(rows.into_iter().map(one).collect())
    }

    /// The newest delivery that waits.
    pub async fn newest_waiting(&self) -> Result<Option<DeliveryNo>, StoreError> {
        let newest: Option<i64> = query_scalar("SELECT max(no) FROM inbox WHERE handled_at IS NULL")
            .fetch_one(&self.db)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(newest.map(DeliveryNo))
    }

    /// How many wait, and since when.
    pub async fn inbox_tally(&self) -> Result<InboxTally, StoreError> {
        let (waiting, since): (i64, Option<i64>) = query_as(
            "SELECT count(*), (SELECT received_at FROM inbox WHERE handled_at IS NULL ORDER BY no LIMIT 1) \
             FROM inbox WHERE handled_at IS NULL",
        )
        .fetch_one(&self.db)
        .await
        .map_err(|error| self.failed(error))?;
        Ok(InboxTally { waiting: waiting.cast_unsigned(), since: since.map(Timestamp::from_millis) })
    }

    /// These were acted on. To say so again changes nothing.
    pub async fn mark_handled(&self, deliveries: &[DeliveryNo], now: Timestamp) -> Result<(), StoreError> {
        if deliveries.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut transaction = self.db.begin().await?;
            for no in deliveries {
                query("UPDATE inbox SET handled_at = ? WHERE no = ? AND handled_at IS NULL")
                    .bind(now.millis())
                    .bind(no.0)
                    .execute(&mut transaction)
                    .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// The body of a delivery, where it is still kept.
    pub async fn delivery_body(&self, forge: Forge, id: &str) -> Result<Option<Vec<u8>>, StoreError> {
        query_scalar("SELECT body FROM inbox_bodies WHERE no = (SELECT no FROM inbox WHERE forge = ? AND delivery = ?)")
            .bind(forge.word())
            .bind(id)
            .fetch_optional(&self.db)
            .await
            .map_err(|error| self.failed(error))
    }

    /// Forgets what is too old, and of the rest what is too much: bodies first.
    pub async fn prune_inbox(&self, now: Timestamp) -> Result<(), StoreError> {
        self.prune_inbox_to(now, BOUNDS).await.map_err(|error| self.failed(error))
    }

    pub(super) async fn prune_inbox_to(&self, now: Timestamp, bounds: Bounds) -> Result<(), StoreFault> {
        let oldest = now.shifted(-i64::try_from(AGE.as_millis()).unwrap_or(i64::MAX));
        let mut transaction = self.db.begin().await?;
        // Whatever it told, passes have long found out.
        query("DELETE FROM inbox WHERE received_at < ?").bind(oldest.millis()).execute(&mut transaction).await?;
        query(
            "DELETE FROM inbox WHERE handled_at IS NOT NULL AND no <= (SELECT no FROM inbox ORDER BY no DESC LIMIT 1 OFFSET ?)",
        )
        .bind(bounds.rows)
        .execute(&mut transaction)
        .await?;
        let last: Option<i64> = query_scalar(
            "SELECT max(no) FROM (SELECT no, sum(kept) OVER (ORDER BY no DESC) AS total FROM inbox WHERE kept > 0) AS kept_bodies \
             WHERE total > ?",
        )
        .bind(i64::try_from(bounds.bodies).unwrap_or(i64::MAX))
        .fetch_one(&mut transaction)
        .await?;
        if let Some(last) = last {
            for statement in [
                "DELETE FROM inbox_bodies WHERE no IN (SELECT no FROM inbox WHERE kept > 0 AND no <= ? AND handled_at IS NOT NULL)",
                "UPDATE inbox SET kept = 0 WHERE kept > 0 AND no <= ? AND handled_at IS NOT NULL",
            ] {
                query(statement).bind(last).execute(&mut transaction).await?;
            }
        }
        transaction.commit().await
    }
}

async fn put(transaction: &mut Tx, delivery: &Delivery, waits: bool, is_full: bool) -> Result<Taken, StoreFault> {
    if is_full {
        let known: Option<i64> = query_scalar("SELECT no FROM inbox WHERE forge = ? AND delivery = ?")
            .bind(delivery.forge.word())
            .bind(&delivery.id)
            .fetch_optional(transaction)
            .await?;
        return Ok(if known.is_some() { Taken::Known } else { Taken::Full });
    }
    let body = kept(&delivery.body);
    let no: Option<i64> = query_scalar(
        "INSERT INTO inbox (forge, delivery, event, received_at, handled_at, bytes, kept, about) \
         VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (forge, delivery) DO NOTHING RETURNING no",
    )
    .bind(delivery.forge.word())
    .bind(&delivery.id)
    .bind(&delivery.event)
    .bind(delivery.received_at.millis())
    .bind((!waits).then_some(delivery.received_at.millis()))
    .bind(i64::try_from(delivery.body.len()).unwrap_or(i64::MAX))
    .bind(i64::try_from(body.len()).unwrap_or(i64::MAX))
    // What this type holds can always be written.
    .bind(serde_json::to_string(&delivery.about).unwrap_or_default())
    .fetch_optional(&mut *transaction)
    .await?;
    let Some(no) = no else { return Ok(Taken::Known) };
    if !body.is_empty() {
        query("INSERT INTO inbox_bodies (no, body) VALUES (?, ?)").bind(no).bind(body).execute(transaction).await?;
    }
    Ok(Taken::New(DeliveryNo(no)))
}

fn kept(body: &[u8]) -> &[u8] {
    if body.len() <= LARGEST_KEPT { body } else { &[] }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::tests::{DAY, Ground, NOW, on_both};
    use crate::forge::PrNumber;

    fn delivery(id: u64, about: About, at: Timestamp) -> Delivery {
        let (id, event) = (format!("d-{id}"), "pull_request".to_owned());
        Delivery { forge: Forge::GitHub, id, event, received_at: at, about, body: vec![b'x'; 1_000] }
    }

    fn waits(id: u64, at: Timestamp) -> Delivery {
        delivery(id, About::PullRequest { pr: PrNumber(id) }, at)
    }

    async fn kept(store: &Store, ids: std::ops::Range<u64>) -> usize {
        let mut kept = 0;
        for id in ids {
            kept += usize::from(store.delivery_body(Forge::GitHub, &format!("d-{id}")).await.unwrap().is_some());
        }
        kept
    }

    async fn no_more_are_taken_than_may_wait_and_none_is_pushed_out(ground: &Ground) {
        let store = ground.store().await;
        let few = Bounds { waiting: (2, 1 << 20), ..BOUNDS };
        let all: Vec<Delivery> = (0..3).map(|id| waits(id, NOW)).collect();
        let taken = store.put_deliveries_within(&all, few).await.unwrap();
        assert!(matches!(taken[..], [Taken::New(_), Taken::New(_), Taken::Full]), "{taken:?}");
        let again = [waits(0, NOW), waits(2, NOW), delivery(9, About::Other, NOW)];
        let taken = store.put_deliveries_within(&again, few).await.unwrap();
        assert!(
            matches!(taken[..], [Taken::Known, Taken::Full, Taken::New(_)]),
            "what nobody waits for has room: {taken:?}"
        );
        let bytes = Bounds { waiting: (100, 2_500), ..BOUNDS };
        let taken = store.put_deliveries_within(&[waits(3, NOW), waits(4, NOW)], bytes).await.unwrap();
        assert!(matches!(taken[..], [Taken::New(_), Taken::Full]), "{taken:?}");
        let waiting = store.waiting_deliveries().await.unwrap();
        store.mark_handled(&waiting.iter().map(|one| one.no).collect::<Vec<_>>(), NOW).await.unwrap();
        let taken = store.put_deliveries_within(&[waits(2, NOW)], few).await.unwrap();
        assert!(matches!(taken[..], [Taken::New(_)]), "delivered again, it is taken");
    }

    async fn bodies_go_first_then_rows_and_never_what_waits(ground: &Ground) {
        let store = ground.store().await;
        let done: Vec<Delivery> = (0..10).map(|id| delivery(id, About::Other, NOW)).collect();
        store.put_deliveries(&[waits(100, NOW)]).await.unwrap();
        store.put_deliveries(&done).await.unwrap();
        store.prune_inbox_to(NOW, Bounds { bodies: 3_500, ..BOUNDS }).await.unwrap();
        assert_eq!((kept(&store, 0..7).await, kept(&store, 7..10).await, kept(&store, 100..101).await), (0, 3, 1));
        let known = store.put_deliveries(&done).await.unwrap();
        assert!(known.iter().all(|one| *one == Taken::Known), "a delivery without its body is known");
        store.prune_inbox_to(NOW, Bounds { rows: 4, ..BOUNDS }).await.unwrap();
        let taken = store.put_deliveries(&done).await.unwrap();
        assert_eq!(taken.iter().filter(|one| **one == Taken::Known).count(), 4);
        assert_eq!(store.waiting_deliveries().await.unwrap().len(), 1);
    }

    async fn ids_are_known_for_as_long_as_github_delivers_again(ground: &Ground) {
        let store = ground.store().await;
        store.put_deliveries(&[waits(1, NOW)]).await.unwrap();
        store.prune_inbox(NOW.shifted(3 * DAY + 3_600_000)).await.unwrap();
        assert_eq!(store.put_deliveries(&[waits(1, NOW)]).await.unwrap(), [Taken::Known]);
        store.prune_inbox(NOW.shifted(4 * DAY + 1)).await.unwrap();
        assert_eq!(store.inbox_tally().await.unwrap(), InboxTally::default());
        assert_eq!(kept(&store, 1..2).await, 0);
    }

    async fn a_row_of_another_version_still_wakes(ground: &Ground) {
        let store = ground.store().await;
        store.put_deliveries(&[waits(1, NOW)]).await.unwrap();
        query("UPDATE inbox SET about = '{\"of\":\"another day\"}'").execute(&store.db).await.unwrap();
        assert_eq!(store.waiting_deliveries().await.unwrap()[0].about, About::Unclear);
    }

    on_both! {
        no_more_are_taken_than_may_wait_and_none_is_pushed_out
        bodies_go_first_then_rows_and_never_what_waits
        ids_are_known_for_as_long_as_github_delivers_again
        a_row_of_another_version_still_wakes
    }
}
