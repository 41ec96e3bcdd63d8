//! Forgetting what is too old, a little at a time: others want to write as well.

use std::time::Duration;

use crate::adapters::store::sql::query;
use crate::adapters::store::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;

/// Rows that one transaction removes: some milliseconds.
const AT_ONCE: u32 = 500;

/// The pause between two transactions, in which the lock is free: more than one takes.
const PAUSE: Duration = Duration::from_millis(20);

/// How long a class or signature is known after its last failure was forgotten. Without an end, each signature that
/// never comes back would stay for ever; one that comes back after more than a year may look new.
const KNOWN: Duration = Duration::from_hours(365 * 24);

/// What is removed by age, in batches, and how long it outlives failures. Failures go first: what belongs to one is
/// never older than it.
const STEPS: [(&str, Duration); 6] = [
    (FAILURES, Duration::ZERO),
    (
        "DELETE FROM later_tries WHERE job IN (SELECT job FROM later_tries WHERE at < ? ORDER BY at LIMIT ?)",
        Duration::ZERO,
    ),
    (
        "DELETE FROM pipeline_ends WHERE id IN \
         (SELECT id FROM pipeline_ends WHERE finished_at < ? ORDER BY finished_at LIMIT ?)",
        Duration::ZERO,
    ),
    (
        "DELETE FROM auto_retries WHERE job IN (SELECT job FROM auto_retries WHERE at < ? ORDER BY at LIMIT ?)",
        Duration::ZERO,
    ),
    (
        "DELETE FROM first_seen WHERE (kind, key) IN \
         (SELECT kind, key FROM first_seen WHERE kind = 'class' AND last < ? ORDER BY last LIMIT ?)",
        KNOWN,
    ),
    (
        "DELETE FROM first_seen WHERE (kind, key) IN \
         (SELECT kind, key FROM first_seen WHERE kind = 'signature' AND last < ? ORDER BY last LIMIT ?)",
        KNOWN,
    ),
];

const FAILURES: &str = "DELETE FROM failures WHERE job IN (SELECT job FROM failures WHERE at < ? ORDER BY at LIMIT ?)";

impl Store {
    /// Forgets failures, and what belongs to them, from before a moment; returns how many failures. Acknowledgements
    /// stay, and since when signatures are known stays for a year more. Can be cut off at any time and called again.
    pub async fn forget_before(&self, before: Timestamp) -> Result<u64, StoreError> {
        // First what is no longer known, then the rows: what is claimed to be known is there.
        self.uncover(before).await.map_err(|error| self.failed(error))?;
        let mut forgotten = 0;
        for (statement, longer) in STEPS {
            let oldest = before.shifted(-i64::try_from(longer.as_millis()).unwrap_or(i64::MAX));
            loop {
                let done = query(statement).bind(oldest.millis()).bind(AT_ONCE).execute(&self.db).await;
                let removed = done.map_err(|error| self.failed(error))?;
                if statement == FAILURES {
                    forgotten += removed;
                }
                if removed < u64::from(AT_ONCE) {
                    break;
                }
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(forgotten)
    }

    /// Spans of the past that were read end where remembering begins. Where to go on below them is no longer known:
    /// what lies there was read, and would have to be read again.
    async fn uncover(&self, before: Timestamp) -> Result<(), StoreFault> {
        let mut transaction = self.db.begin().await?;
        for statement in [
            "DELETE FROM covered WHERE up_to <= ?1",
            "UPDATE covered SET oldest = ?1, next_page = NULL WHERE oldest < ?1",
        ] {
            query(statement).bind(before.millis()).execute(&mut transaction).await?;
        }
        transaction.commit().await
    }
}
