//! Which parts of the past have been read, per list of GitLab's.

use crate::adapters::store::sql::{On, query, query_as};
use crate::adapters::store::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;
use crate::console::backfill::{Covered, merge};

impl Store {
    /// What has been read of a list, the newest first.
    pub async fn covered(&self, list: &str) -> Result<Vec<Covered>, StoreError> {
        covered(&self.db, list).await.map_err(|error| self.failed(error))
    }

    /// Adds what was read of a list to what is known, and returns all of it. Only for what has been stored: it is never
    /// asked for again.
    pub async fn add_covered(&self, list: &str, read: Covered) -> Result<Vec<Covered>, StoreError> {
        let write = async {
            let mut transaction = self.db.begin().await?;
            let merged = merge(covered(&mut transaction, list).await?, read);
            query("DELETE FROM covered WHERE list = ?").bind(list).execute(&mut transaction).await?;
            for span in &merged {
                query("INSERT INTO covered (list, oldest, up_to, next_page) VALUES (?, ?, ?, ?)")
                    .bind(list)
                    .bind(span.from.millis())
                    .bind(span.to.millis())
                    .bind(span.next.as_deref())
                    .execute(&mut transaction)
                    .await?;
            }
            transaction.commit().await?;
            Ok(merged)
        };
        write.await.map_err(|error| self.failed(error))
    }
}

async fn covered<'c>(on: impl Into<On<'c>>, list: &str) -> Result<Vec<Covered>, StoreFault> {
    let rows: Vec<(i64, i64, Option<String>)> =
        query_as("SELECT oldest, up_to, next_page FROM covered WHERE list = ? ORDER BY oldest DESC")
            .bind(list)
            .fetch_all(on)
            .await?;
    let span = |(from, to, next): (i64, i64, Option<String>)| Covered {
        from: Timestamp::from_millis(from),
        to: Timestamp::from_millis(to),
        next: next.map(Into::into),
    };
    Ok(rows.into_iter().map(span).collect())
}
