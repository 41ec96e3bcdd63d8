//! The needs of pipelines, so that a graph that was once learned is never asked for again.

use super::sql::{query, query_scalar};
use super::{Store, StoreError};
use crate::ci::{PipelineId, Timestamp};

/// How many pipelines are remembered; a busy day brings some hundred.
const KEPT: u32 = 600;

impl Store {
    /// Remembers the needs of a pipeline, as JSON of the caller's choice, and forgets the oldest beyond what is kept.
    pub async fn put_needs(&self, pipeline: PipelineId, json: &str, now: Timestamp) -> Result<(), StoreError> {
        let write = async {
            let mut transaction = self.db.begin().await?;
            query(
                "INSERT INTO needs (pipeline, at, body) VALUES (?, ?, ?) \
                 ON CONFLICT (pipeline) DO UPDATE SET at = excluded.at, body = excluded.body",
            )
            .bind(pipeline.0.cast_signed())
            .bind(now.millis())
            .bind(json)
            .execute(&mut transaction)
            .await?;
            query(
                "DELETE FROM needs WHERE pipeline IN (SELECT pipeline FROM needs ORDER BY at DESC, pipeline DESC LIMIT 1000000000 OFFSET ?)",
            )
            .bind(KEPT)
            .execute(&mut transaction)
            .await?;
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// The needs of a pipeline, if they are remembered.
    pub async fn get_needs(&self, pipeline: PipelineId) -> Result<Option<String>, StoreError> {
        query_scalar("SELECT body FROM needs WHERE pipeline = ?")
            .bind(pipeline.0.cast_signed())
            .fetch_optional(&self.db)
            .await
            .map_err(|error| self.failed(error))
    }
}
