//! What bridges did, told and decided: what a pass needs of those before it. Each bridge has a name, so that several share one file.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::de::DeserializeOwned;

use super::sql::{Row, query, query_as};
use super::{Store, StoreError, StoreFault};
use crate::bridge::{Decided, Note, Posted, PushRecord, Resync};
use crate::ci::Timestamp;
use crate::forge::Sha;

const DAY: i64 = 24 * 3_600_000;
/// Pushes and statuses are of use while their branches may exist; stale branches go after 100 days.
const KEPT: i64 = 130 * DAY;
const DECISIONS_KEPT: i64 = 90 * DAY;

/// A status that GitHub shows, by our own records.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownStatus {
    pub posted: Posted,
    /// It was sent, and nobody knows whether it arrived.
    pub is_uncertain: bool,
}

/// Everything that one bridge remembers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BridgeMemory {
    pub pushes: Vec<PushRecord>,
    pub statuses: Vec<KnownStatus>,
    /// By subject.
    pub notes: BTreeMap<String, Note>,
}

/// Beside the notes of the bridge, under a name of their own.
fn resync_keeper(bridge: &str) -> String {
    format!("resync {bridge}")
}

impl Store {
    /// What a bridge remembers. A row that cannot be read is left out, and is found out again.
    pub async fn bridge_memory(&self, bridge: &str) -> Result<BridgeMemory, StoreError> {
        let read = async {
            let pushes = query("SELECT body FROM bridge_pushes WHERE bridge = ? ORDER BY at, \"commit\"")
                .bind(bridge)
                .fetch_all(&self.db)
                .await?;
            let statuses = query("SELECT body, is_uncertain FROM bridge_statuses WHERE bridge = ?")
                .bind(bridge)
                .fetch_all(&self.db)
                .await?;
            let notes = query("SELECT body, subject FROM bridge_notes WHERE bridge = ?")
                .bind(bridge)
                .fetch_all(&self.db)
                .await?;
            Ok(BridgeMemory {
                pushes: pushes.iter().filter_map(body).collect(),
                statuses: statuses
                    .iter()
                    .filter_map(|row| {
                        Some(KnownStatus { posted: body(row)?, is_uncertain: row.try_get("is_uncertain").ok()? })
                    })
                    .collect(),
                notes: notes.iter().filter_map(|row| Some((row.try_get("subject").ok()?, body(row)?))).collect(),
            })
        };
        read.await.map_err(|error| self.failed(error))
    }

    /// Writes down that somebody wants a pull request pushed again; the bridge reads it, wherever it runs.
    pub async fn put_resync(&self, bridge: &str, resync: &Resync) -> Result<(), StoreError> {
        query(
            "INSERT INTO bridge_notes (bridge, subject, at, body) VALUES (?, ?, ?, ?) \
             ON CONFLICT (bridge, subject) DO UPDATE SET at = excluded.at, body = excluded.body",
        )
        .bind(resync_keeper(bridge))
        .bind(resync.pr.to_string())
        .bind(resync.at.millis())
        .bind(text(resync))
        .execute(&self.db)
        .await
        .map(drop)
        .map_err(|error| self.failed(error))
    }

    /// What somebody wants pushed again, the oldest first.
    pub async fn resyncs(&self, bridge: &str) -> Result<Vec<Resync>, StoreError> {
        let rows = query("SELECT body FROM bridge_notes WHERE bridge = ? ORDER BY at, subject")
            .bind(resync_keeper(bridge))
            .fetch_all(&self.db)
            .await
            .map_err(|error| self.failed(error))?;
        Ok(rows.iter().filter_map(body).collect())
    }

    /// Forgets what was done, unless somebody has wanted it again since.
    pub async fn forget_resyncs(&self, bridge: &str, done: &[Resync]) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.begin_as_leader().await?;
            for resync in done {
                query("DELETE FROM bridge_notes WHERE bridge = ? AND subject = ? AND at <= ?")
                    .bind(resync_keeper(bridge))
                    .bind(resync.pr.to_string())
                    .bind(resync.at.millis())
                    .execute(&mut transaction)
                    .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// Remembers a push that GitLab accepted.
    pub async fn put_push(&self, bridge: &str, push: &PushRecord) -> Result<(), StoreError> {
        let put = query(
            "INSERT INTO bridge_pushes (bridge, \"commit\", pr, at, body) VALUES (?, ?, ?, ?, ?) \
             ON CONFLICT (bridge, \"commit\") DO UPDATE SET pr = excluded.pr, at = excluded.at, body = excluded.body",
        )
        .bind(bridge)
        .bind(push.commit.as_str())
        .bind(push.pr.0.cast_signed())
        .bind(push.at.millis())
        .bind(text(push));
        self.write_as_leader(put).await
    }

    /// Remembers what GitHub shows of a context on a commit. It is uncertain from before it is sent until it was answered.
    pub async fn put_status(
        &self,
        bridge: &str,
        posted: &Posted,
        is_uncertain: bool,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let put = query(
            "INSERT INTO bridge_statuses (bridge, sha, context, at, is_uncertain, body) VALUES (?, ?, ?, ?, ?, ?) \
             ON CONFLICT (bridge, sha, context) DO UPDATE SET at = excluded.at, is_uncertain = excluded.is_uncertain, \
             body = excluded.body",
        )
        .bind(bridge)
        .bind(posted.sha.as_str())
        .bind(posted.context.to_ascii_lowercase())
        .bind(now.millis())
        .bind(is_uncertain)
        .bind(text(posted));
        self.write_as_leader(put).await
    }

    /// Remembers what was found out; an empty note forgets.
    pub async fn put_notes(
        &self,
        bridge: &str,
        notes: impl IntoIterator<Item = (&String, &Note)>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.begin_as_leader().await?;
            for (subject, note) in notes {
                if note.is_empty() {
                    query("DELETE FROM bridge_notes WHERE bridge = ? AND subject = ?")
                        .bind(bridge)
                        .bind(subject)
                        .execute(&mut transaction)
                        .await?;
                    continue;
                }
                query(
                    "INSERT INTO bridge_notes (bridge, subject, at, body) VALUES (?, ?, ?, ?) \
                     ON CONFLICT (bridge, subject) DO UPDATE SET at = excluded.at, body = excluded.body",
                )
                .bind(bridge)
                .bind(subject)
                .bind(now.millis())
                .bind(text(note))
                .execute(&mut transaction)
                .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// Writes down the decisions that are not those that were written last, and forgets what is long past.
    pub async fn put_decisions(&self, bridge: &str, decided: &[Decided], now: Timestamp) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.begin_as_leader().await?;
            let last: Vec<(String, String, String, String)> = query_as(
                "SELECT subject, head, reason, told FROM bridge_decisions WHERE id IN \
                 (SELECT max(id) FROM bridge_decisions WHERE bridge = ? GROUP BY subject)",
            )
            .bind(bridge)
            .fetch_all(&mut transaction)
            .await?;
            let last: BTreeMap<String, (String, String, String)> =
                last.into_iter().map(|(subject, head, reason, told)| (subject, (head, reason, told))).collect();
            let is_new = |one: &&Decided| {
                let before = last.get(&one.subject);
                before.is_none_or(|(head, reason, told)| {
                    (head.as_str(), reason.as_str(), told.as_str()) != (one.head.as_str(), &*one.reason, &*one.told)
                })
            };
            for one in decided.iter().filter(is_new) {
                query(
                    "INSERT INTO bridge_decisions (bridge, subject, at, head, verdict, reason, told) \
                     VALUES (?, ?, ?, ?, ?, ?, ?)",
                )
                .bind(bridge)
                .bind(&one.subject)
                .bind(one.at.millis())
                .bind(one.head.as_str())
                .bind(&*one.verdict)
                .bind(&*one.reason)
                .bind(&*one.told)
                .execute(&mut transaction)
                .await?;
            }
            for (table, kept) in [
                ("bridge_decisions", DECISIONS_KEPT),
                ("bridge_pushes", KEPT),
                ("bridge_statuses", KEPT),
                ("bridge_notes", KEPT),
            ] {
                query(format!("DELETE FROM {table} WHERE bridge = ? AND at < ?"))
                    .bind(bridge)
                    .bind(now.millis() - kept)
                    .execute(&mut transaction)
                    .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// What was decided about a subject, the newest first, with the bridge that decided.
    pub async fn decisions(&self, subject: &str, most: u32) -> Result<Vec<(String, Decided)>, StoreError> {
        let rows = query(
            "SELECT bridge, subject, at, head, verdict, reason, told FROM bridge_decisions WHERE subject = ? \
             ORDER BY id DESC LIMIT ?",
        )
        .bind(subject)
        .bind(most)
        .fetch_all(&self.db)
        .await
        .map_err(|error| self.failed(error))?;
        let one = |row: &Row| {
            let word = |column: &str| row.try_get::<&str>(column).ok().map(Arc::<str>::from);
            let decided = Decided {
                at: Timestamp::from_millis(row.try_get("at").ok()?),
                subject: row.try_get("subject").ok()?,
                head: Sha::parse(row.try_get("head").ok()?).ok()?,
                verdict: word("verdict")?,
                reason: word("reason")?,
                told: word("told")?,
            };
            Some((row.try_get("bridge").ok()?, decided))
        };
        Ok(rows.iter().filter_map(one).collect())
    }
}

fn body<T: DeserializeOwned>(row: &Row) -> Option<T> {
    let read = row.try_get("body").and_then(|text| serde_json::from_str(text).map_err(StoreFault::garbled));
    read.inspect_err(|error| tracing::warn!(%error, "a row of a bridge cannot be read and is left out")).ok()
}

/// What these types hold can always be written.
fn text(value: &impl serde::Serialize) -> String {
    serde_json::to_string(value).unwrap_or_default()
}
