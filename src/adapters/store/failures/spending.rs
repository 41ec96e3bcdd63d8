//! What retries without being asked have cost. Two processes never both retry a job, nor together more than is allowed.

use crate::adapters::store::sql::{query, query_as, query_scalar};
use crate::adapters::store::{Store, StoreError};
use crate::ci::{JobId, Timestamp};
use crate::console::failures::{Allowance, Spending};

impl Store {
    /// Asks whether a job may be retried now: every allowance must have room. What is granted is counted at once, whatever becomes of the retry.
    pub async fn spend_retry(
        &self,
        job: JobId,
        class: &str,
        at: Timestamp,
        allowances: &[Allowance],
    ) -> Result<Spending, StoreError> {
        let write = async {
            let mut transaction = self.begin_as_leader().await?;
            let again: bool = query_scalar("SELECT EXISTS (SELECT 1 FROM auto_retries WHERE job = ?)")
                .bind(job.0.cast_signed())
                .fetch_one(&mut transaction)
                .await?;
            if again {
                return Ok(Spending::Again);
            }
            for allowance in allowances {
                let (of_class, in_all): (i64, i64) = query_as(
                    "SELECT (SELECT count(*) FROM auto_retries WHERE class = ? AND at >= ?), \
                     (SELECT count(*) FROM auto_retries WHERE at >= ?)",
                )
                .bind(class)
                .bind(allowance.since.millis())
                .bind(allowance.since.millis())
                .fetch_one(&mut transaction)
                .await?;
                let (of_class, in_all) = (of_class.cast_unsigned(), in_all.cast_unsigned());
                if of_class >= allowance.of_class || in_all >= allowance.in_all {
                    return Ok(Spending::UsedUp { of_class, in_all });
                }
            }
            query("INSERT INTO auto_retries (job, class, at) VALUES (?, ?, ?)")
                .bind(job.0.cast_signed())
                .bind(class)
                .bind(at.millis())
                .execute(&mut transaction)
                .await?;
            transaction.commit().await?;
            Ok(Spending::Granted)
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// How many jobs of a class were retried without being asked, from a moment on.
    pub async fn retries_spent(&self, class: &str, since: Timestamp) -> Result<u64, StoreError> {
        let count: Result<i64, _> = query_scalar("SELECT count(*) FROM auto_retries WHERE class = ? AND at >= ?")
            .bind(class)
            .bind(since.millis())
            .fetch_one(&self.db)
            .await;
        count.map(i64::cast_unsigned).map_err(|error| self.failed(error))
    }
}
