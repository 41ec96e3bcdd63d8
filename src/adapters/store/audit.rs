//! The append-only record of every action.

use std::fmt;

use sqlx::Row;
use sqlx::sqlite::SqliteRow;

use super::{Store, StoreError};
use crate::ci::Timestamp;

/// A row of the audit; later rows have greater ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(pub i64);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a plan had come when the row was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum AuditState {
    /// Confirmed, and can still be undone.
    Held,
    /// Taken back before anything was sent.
    Undone,
    Sent,
    Done,
    /// Not sent, because the targets were no longer as shown.
    Skipped,
    /// Sent, and answered with an error.
    Failed,
    /// Stopped by a guardrail, or in read-only mode.
    Refused,
}

impl AuditState {
    const WORDS: [(Self, &'static str); 7] = [
        (Self::Held, "held"),
        (Self::Undone, "undone"),
        (Self::Sent, "sent"),
        (Self::Done, "done"),
        (Self::Skipped, "skipped"),
        (Self::Failed, "failed"),
        (Self::Refused, "refused"),
    ];

    /// The word that stands in the database.
    pub fn as_str(self) -> &'static str {
        Self::WORDS.into_iter().find(|(state, _)| *state == self).map_or("", |(_, word)| word)
    }

    fn parse(text: &str) -> Option<Self> {
        Self::WORDS.into_iter().find(|(_, word)| *word == text).map(|(state, _)| state)
    }
}

impl fmt::Display for AuditState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// One thing that happened to one plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    pub at: Timestamp,
    /// The person, policy or loop behind it.
    pub who: String,
    /// `jobs.retry`, `pipelines.cancel`, …
    pub action: String,
    pub plan_id: String,
    /// How many things the plan concerns.
    pub targets: u32,
    pub state: AuditState,
    /// One line for people.
    pub summary: String,
    /// JSON: ids, the states that were shown, the answers.
    pub detail: String,
}

impl Store {
    /// Adds a row. When this returns, the row survives a crash of the machine.
    pub async fn append(&self, row: &AuditRow) -> Result<AuditId, StoreError> {
        sqlx::query(
            "INSERT INTO audit (at, who, action, plan_id, targets, state, summary, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        )
        .bind(row.at.millis())
        .bind(&row.who)
        .bind(&row.action)
        .bind(&row.plan_id)
        .bind(row.targets)
        .bind(row.state.as_str())
        .bind(&row.summary)
        .bind(&row.detail)
        .execute(&self.pool)
        .await
        .map(|done| AuditId(done.last_insert_rowid()))
        .map_err(|error| self.failed(error))
    }

    /// The newest rows, newest first; with `before`, those that are older than that row.
    pub async fn list(&self, limit: u32, before: Option<AuditId>) -> Result<Vec<(AuditId, AuditRow)>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, at, who, action, plan_id, targets, state, summary, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        )
        .bind(before.map_or(i64::MAX, |id| id.0))
        .bind(limit)
        .fetch_all(&self.pool)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|error| self.failed(error))
    }
}

fn read(row: &SqliteRow) -> Result<(AuditId, AuditRow), sqlx::Error> {
    let word: &str = row.try_get("state")?;
    let state = AuditState::parse(word).ok_or_else(|| sqlx::Error::Decode(format!("unknown state `{word}`").into()))?;
    let entry = AuditRow {
        at: Timestamp::from_millis(row.try_get("at")?),
        who: row.try_get("who")?,
        action: row.try_get("action")?,
        plan_id: row.try_get("plan_id")?,
        targets: row.try_get("targets")?,
        state,
        summary: row.try_get("summary")?,
        detail: row.try_get("detail")?,
    };
    Ok((AuditId(row.try_get("id")?), entry))
}
