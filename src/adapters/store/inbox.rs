//! Webhooks that were taken: each once, until they are too old. A delivery that waits for somebody is never pushed out by newer ones, but its
//! body may be: nobody needs it to act. When too many wait, no more are taken.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::sql::{Builder, Tx, query, query_as, query_scalar};
use super::{Store, StoreError, StoreFault};
use crate::bridge::wake::{About, Forge};
use crate::ci::Timestamp;

/// GitHub can be asked to deliver again for three days, under the same id.
const AGE: Duration = Duration::from_hours(4 * 24);
/// Larger bodies are not kept; what they tell is. No comment of GitHub's is as long.
const LARGEST_KEPT: usize = 1 << 20;
/// Deliveries per statement.
const AT_ONCE: usize = 500;
/// Bodies per statement, which is in memory as a whole.
const BODIES_AT_ONCE: usize = 16;

/// Bounds of the inbox.
#[derive(Debug, Clone, Copy)]
pub(super) struct Bounds {
    /// Rows in all.
    pub rows: u32,
    /// Bytes of bodies that were acted on.
    pub bodies: u64,
    /// Rows that wait for somebody, and bytes of their bodies. Too many rows are refused; of too many bodies the oldest go.
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
    /// Whether somebody is to act on it.
    pub waits: bool,
    pub body: Vec<u8>,
}

impl Delivery {
    fn key(&self) -> (&str, &str) {
        (self.forge.word(), &self.id)
    }
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
            let (rows, bytes): (i64, i64) =
                query_as("SELECT count(*), CAST(coalesce(sum(kept), 0) AS BIGINT) FROM inbox WHERE handled_at IS NULL")
                    .fetch_one(&mut transaction)
                    .await?;
            let mut places = u64::from(bounds.waiting.0).saturating_sub(rows.cast_unsigned());
            let mut bytes = bytes.cast_unsigned();
            let stored = stored(&mut transaction, deliveries).await?;
            let mut known: HashSet<(&str, &str)> = stored.iter().map(|(forge, id)| (&**forge, &**id)).collect();
            // None is one that is to be written.
            let mut taken = Vec::with_capacity(deliveries.len());
            let mut new = Vec::with_capacity(deliveries.len());
            for delivery in deliveries {
                taken.push(if known.contains(&delivery.key()) {
                    Some(Taken::Known)
                } else if delivery.waits && places == 0 {
                    Some(Taken::Full)
                } else {
                    if delivery.waits {
                        places -= 1;
                        bytes += kept(&delivery.body).len() as u64;
                    }
                    known.insert(delivery.key());
                    new.push(delivery);
                    None
                });
            }
            let mut numbers = put(&mut transaction, &new).await?.into_iter();
            if bytes > bounds.waiting.1 {
                forget_bodies(&mut transaction, "handled_at IS NULL", bounds.waiting.1).await?;
            }
            transaction.commit().await?;
            let mut written = || numbers.next().flatten().map_or(Taken::Known, Taken::New);
            Ok(taken.into_iter().map(|one| one.unwrap_or_else(&mut written)).collect())
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
        let write = async {
            // A transaction for each piece: other writers have their turn in between.
            for some in deliveries.chunks(AT_ONCE) {
                let mut mark = Builder::new("UPDATE inbox SET handled_at = ");
                mark.push_bind(now.millis()).push(" WHERE handled_at IS NULL AND no IN (");
                let mut list = mark.listed();
                for no in some {
                    list.push_bind(no.0);
                }
                mark.push(")");
                let mut transaction = self.db.begin().await?;
                mark.build().persistent(some.len() == AT_ONCE).execute(&mut transaction).await?;
                transaction.commit().await?;
            }
            Ok(())
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
        forget_bodies(&mut transaction, "handled_at IS NOT NULL", bounds.bodies).await?;
        transaction.commit().await
    }
}

/// Which of these are there already, by forge and id.
async fn stored(transaction: &mut Tx, deliveries: &[Delivery]) -> Result<Vec<(String, String)>, StoreFault> {
    let mut stored = Vec::new();
    for some in deliveries.chunks(AT_ONCE) {
        let mut look =
            Builder::new("SELECT forge, delivery FROM inbox WHERE forge IN ('github', 'gitlab') AND delivery IN (");
        let mut list = look.listed();
        for delivery in some {
            list.push_bind(&delivery.id);
        }
        look.push(")");
        let look = look.build_query_as::<(String, String)>().persistent(some.len() == AT_ONCE);
        stored.extend(look.fetch_all(&mut *transaction).await?);
    }
    Ok(stored)
}

/// Writes deliveries, and tells their numbers in their order; None for one that was there all the same.
async fn put(transaction: &mut Tx, new: &[&Delivery]) -> Result<Vec<Option<DeliveryNo>>, StoreFault> {
    let mut rows: Vec<(i64, String, String)> = Vec::with_capacity(new.len());
    for some in new.chunks(AT_ONCE) {
        let mut insert =
            Builder::new("INSERT INTO inbox (forge, delivery, event, received_at, handled_at, bytes, kept, about) ");
        insert.push_values(some, |mut row, delivery| {
            row.push_bind(delivery.forge.word())
                .push_bind(&delivery.id)
                .push_bind(&delivery.event)
                .push_bind(delivery.received_at.millis())
                .push_bind((!delivery.waits).then_some(delivery.received_at.millis()))
                .push_bind(i64::try_from(delivery.body.len()).unwrap_or(i64::MAX))
                .push_bind(i64::try_from(kept(&delivery.body).len()).unwrap_or(i64::MAX))
                // What this type holds can always be written.
                .push_bind(serde_json::to_string(&delivery.about).unwrap_or_default());
        });
        insert.push(" ON CONFLICT (forge, delivery) DO NOTHING RETURNING no, forge, delivery");
        let insert = insert.build_query_as::<(i64, String, String)>().persistent(some.len() == AT_ONCE);
        rows.extend(insert.fetch_all(&mut *transaction).await?);
    }
    // Neither database promises in which order rows come back.
    let by_key: HashMap<(&str, &str), i64> = rows.iter().map(|(no, forge, id)| ((&**forge, &**id), *no)).collect();
    let numbers: Vec<Option<i64>> = new.iter().map(|delivery| by_key.get(&delivery.key()).copied()).collect();
    let bodies: Vec<(i64, &[u8])> = new
        .iter()
        .zip(&numbers)
        .filter_map(|(delivery, no)| Some(((*no)?, kept(&delivery.body))))
        .filter(|(_, body)| !body.is_empty())
        .collect();
    for some in bodies.chunks(BODIES_AT_ONCE) {
        let mut insert = Builder::new("INSERT INTO inbox_bodies (no, body) ");
        insert.push_values(some, |mut row, (no, body)| {
            row.push_bind(*no).push_bind(*body);
        });
        insert.build().persistent(some.len() == BODIES_AT_ONCE).execute(&mut *transaction).await?;
    }
    Ok(numbers.into_iter().map(|no| no.map(DeliveryNo)).collect())
}

/// Of the rows of which this is true, forgets the oldest bodies until no more than so many bytes are left.
async fn forget_bodies(transaction: &mut Tx, rows: &str, most: u64) -> Result<(), StoreFault> {
    let last: Option<i64> = query_scalar(format!(
        "SELECT max(no) FROM (SELECT no, sum(kept) OVER (ORDER BY no DESC) AS total FROM inbox WHERE kept > 0 AND {rows}) \
         AS kept_bodies WHERE total > ?"
    ))
    .bind(i64::try_from(most).unwrap_or(i64::MAX))
    .fetch_one(&mut *transaction)
    .await?;
    let Some(last) = last else { return Ok(()) };
    for statement in [
        format!("DELETE FROM inbox_bodies WHERE no IN (SELECT no FROM inbox WHERE kept > 0 AND no <= ? AND {rows})"),
        format!("UPDATE inbox SET kept = 0 WHERE kept > 0 AND no <= ? AND {rows}"),
    ] {
        query(statement).bind(last).execute(&mut *transaction).await?;
    }
    Ok(())
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
        let waits = about.wakes_bridge(Forge::GitHub);
        Delivery { forge: Forge::GitHub, id, event, received_at: at, about, waits, body: vec![b'x'; 1_000] }
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
        let waiting = store.waiting_deliveries().await.unwrap();
        store.mark_handled(&waiting.iter().map(|one| one.no).collect::<Vec<_>>(), NOW).await.unwrap();
        let taken = store.put_deliveries_within(&[waits(2, NOW)], few).await.unwrap();
        assert!(matches!(taken[..], [Taken::New(_)]), "delivered again, it is taken");
    }

    async fn for_too_many_bodies_that_wait_the_oldest_go_and_none_is_refused(ground: &Ground) {
        let store = ground.store().await;
        store.put_deliveries(&[delivery(9, About::Other, NOW)]).await.unwrap();
        let few = Bounds { waiting: (100, 2_500), ..BOUNDS };
        for id in 0..5 {
            let taken = store.put_deliveries_within(&[waits(id, NOW)], few).await.unwrap();
            assert!(matches!(taken[..], [Taken::New(_)]), "{taken:?}");
        }
        assert_eq!((kept(&store, 0..3).await, kept(&store, 3..5).await, kept(&store, 9..10).await), (0, 2, 1));
        assert_eq!(store.waiting_deliveries().await.unwrap().len(), 5, "to wake somebody needs no body");
        let again = store.put_deliveries_within(&[waits(0, NOW)], few).await.unwrap();
        assert_eq!(again, [Taken::Known]);
    }

    async fn what_waits_for_nobody_is_handled_and_always_has_room(ground: &Ground) {
        let store = ground.store().await;
        let none = Bounds { waiting: (0, 0), ..BOUNDS };
        let taken = store.put_deliveries_within(&[Delivery { waits: false, ..waits(1, NOW) }], none).await.unwrap();
        assert!(matches!(taken[..], [Taken::New(_)]), "{taken:?}");
        assert_eq!(store.inbox_tally().await.unwrap(), InboxTally::default());
        assert_eq!(store.put_deliveries_within(&[waits(1, NOW)], none).await.unwrap(), [Taken::Known]);
    }

    async fn a_thousand_at_once_are_each_taken_and_marked_once(ground: &Ground) {
        let store = ground.store().await;
        let mut all: Vec<Delivery> = (0..1_100).map(|id| waits(id, NOW)).collect();
        all.push(waits(7, NOW));
        all.push(Delivery { forge: Forge::GitLab, ..waits(7, NOW) });
        let taken = store.put_deliveries(&all).await.unwrap();
        let numbers: Vec<DeliveryNo> =
            taken.iter().filter_map(|one| if let Taken::New(no) = one { Some(*no) } else { None }).collect();
        assert!(numbers.is_sorted() && taken[1_100] == Taken::Known && matches!(taken[1_101], Taken::New(_)));
        let waiting: Vec<Waiting> = store.waiting_deliveries().await.unwrap();
        assert_eq!(waiting.iter().map(|one| one.no).collect::<Vec<_>>(), numbers);
        assert_eq!(waiting[1_099].about, all[1_099].about);
        assert_eq!(kept(&store, 1_090..1_100).await, 10);
        store.mark_handled(&numbers[1..], NOW).await.unwrap();
        store.mark_handled(&numbers[1..], NOW.shifted(DAY)).await.unwrap();
        assert_eq!(store.waiting_deliveries().await.unwrap(), waiting[..1]);
        let marked: i64 = query_scalar("SELECT count(*) FROM inbox WHERE handled_at = ?")
            .bind(NOW.millis())
            .fetch_one(&store.db)
            .await
            .unwrap();
        assert_eq!(marked, 1_100, "to mark them again changes nothing");
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
        for_too_many_bodies_that_wait_the_oldest_go_and_none_is_refused
        what_waits_for_nobody_is_handled_and_always_has_room
        a_thousand_at_once_are_each_taken_and_marked_once
        bodies_go_first_then_rows_and_never_what_waits
        ids_are_known_for_as_long_as_github_delivers_again
        a_row_of_another_version_still_wakes
    }
}
