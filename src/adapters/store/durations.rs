//! How long builds took, for critical paths and estimates.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::sql::{query, query_as};
use super::{Store, StoreError};
use crate::console::durations::Took;

/// How many builds of one package in one stack are remembered: enough for a median, few enough to follow a change.
const KEPT: u32 = 32;

impl Store {
    /// Remembers builds; one that is already known is not counted again.
    pub async fn record_durations(&self, batch: &[Took]) -> Result<(), StoreError> {
        if batch.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut transaction = self.db.begin().await?;
            for build in batch {
                query(
                    "INSERT INTO durations (job, package, stack, seconds, at) VALUES (?, ?, ?, ?, ?) \
                     ON CONFLICT (job) DO NOTHING",
                )
                .bind(build.job.0.cast_signed())
                .bind(&*build.package)
                .bind(&*build.stack)
                .bind(build.length.as_secs_f64())
                .bind(build.finished_at.millis())
                .execute(&mut transaction)
                .await?;
            }
            let pairs: BTreeSet<_> = batch.iter().map(|build| (&*build.package, &*build.stack)).collect();
            for (package, stack) in pairs {
                query(
                    "DELETE FROM durations WHERE job IN (SELECT job FROM durations WHERE package = ? AND stack = ? \
                     ORDER BY at DESC, job DESC LIMIT 1000000000 OFFSET ?)",
                )
                .bind(package)
                .bind(stack)
                .bind(KEPT)
                .execute(&mut transaction)
                .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// The median of what is remembered, by package and stack.
    pub async fn median_durations(&self) -> Result<HashMap<(Arc<str>, Arc<str>), Duration>, StoreError> {
        let rows: Vec<(String, String, f64)> =
            query_as("SELECT package, stack, seconds FROM durations ORDER BY package, stack, seconds")
                .fetch_all(&self.db)
                .await
                .map_err(|error| self.failed(error))?;
        let medians = rows.chunk_by(|a, b| (&a.0, &a.1) == (&b.0, &b.1)).filter_map(|same| {
            let (package, stack, seconds) = same.get((same.len() - 1) / 2)?;
            let median = Duration::try_from_secs_f64(*seconds).ok()?;
            Some(((package.as_str().into(), stack.as_str().into()), median))
        });
        Ok(medians.collect())
    }
}
