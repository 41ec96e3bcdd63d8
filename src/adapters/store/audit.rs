//! The append-only record of every action.

use std::fmt;

use super::sql::{Row, query, query_scalar};
use super::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;
use crate::console::actions::PlanId;
use crate::console::audit::{AuditDetail, AuditRow, AuditState};

/// A row of the audit; later rows have greater ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AuditId(pub i64);

impl fmt::Display for AuditId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Store {
    /// Adds a row. When this returns, the row survives a crash of the machine.
    pub async fn append(&self, row: &AuditRow) -> Result<AuditId, StoreError> {
        let detail = serde_json::to_string(&*row.detail).map_err(|e| self.failed(StoreFault::unwritable(e)))?;
        query_scalar::<i64>(
            "INSERT INTO audit (at, who, action, plan_id, targets, state, summary, detail) VALUES (?, ?, ?, ?, ?, ?, ?, ?) \
             RETURNING id",
        )
        .bind(row.at.millis())
        .bind(&*row.who)
        .bind(&*row.action)
        .bind(&*row.plan.0)
        .bind(i64::try_from(row.targets).unwrap_or(i64::MAX))
        .bind(row.state.word())
        .bind(&*row.summary)
        .bind(detail)
        .fetch_one(&self.db)
        .await
        .map(AuditId)
        .map_err(|error| self.failed(error))
    }

    /// The newest rows, newest first; with `before`, those that are older than that row.
    pub async fn list(&self, limit: u32, before: Option<AuditId>) -> Result<Vec<(AuditId, AuditRow)>, StoreError> {
        let rows = query(
            "SELECT id, at, who, action, plan_id, targets, state, summary, detail FROM audit WHERE id < ? ORDER BY id DESC LIMIT ?",
        )
        .bind(before.map_or(i64::MAX, |id| id.0))
        .bind(limit)
        .fetch_all(&self.db)
        .await;
        rows.and_then(|rows| rows.iter().map(read).collect()).map_err(|error| self.failed(error))
    }
}

fn read(row: &Row) -> Result<(AuditId, AuditRow), StoreFault> {
    let word: &str = row.try_get("state")?;
    let state = AuditState::parse(word).ok_or_else(|| StoreFault::garbled(format!("unknown state `{word}`")))?;
    let text = |column: &str| row.try_get::<&str>(column).map(Into::into);
    let detail: AuditDetail = serde_json::from_str(row.try_get("detail")?).map_err(StoreFault::garbled)?;
    let targets: i64 = row.try_get("targets")?;
    let entry = AuditRow {
        at: Timestamp::from_millis(row.try_get("at")?),
        who: text("who")?,
        action: text("action")?,
        plan: PlanId(text("plan_id")?),
        targets: usize::try_from(targets).unwrap_or(0),
        state,
        summary: text("summary")?,
        detail: detail.into(),
    };
    Ok((AuditId(row.try_get("id")?), entry))
}
