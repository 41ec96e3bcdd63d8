//! How pipelines ended.

use std::ops::Range;

use crate::adapters::store::sql::{Builder, query};
use crate::adapters::store::{Store, StoreError};
use crate::ci::{PipelineId, Timestamp};
use crate::console::failures::PipelineEnd;

/// Id, branch, stack, whether it ended well, and when.
type Row = (i64, String, Option<String>, bool, i64);

impl Store {
    /// Remembers how pipelines ended. One that ended again, because jobs were retried, has its later end.
    pub async fn put_pipeline_ends(&self, ends: &[PipelineEnd]) -> Result<(), StoreError> {
        if ends.is_empty() {
            return Ok(());
        }
        let write = async {
            let mut transaction = self.db.begin().await?;
            for end in ends {
                query(
                    "INSERT INTO pipeline_ends (id, git_ref, stack, ok, finished_at) VALUES (?, ?, ?, ?, ?) \
                     ON CONFLICT (id) DO UPDATE SET git_ref = excluded.git_ref, stack = coalesce(excluded.stack, \
                     pipeline_ends.stack), \
                     ok = excluded.ok, finished_at = excluded.finished_at WHERE excluded.finished_at >= pipeline_ends.finished_at",
                )
                .bind(end.id.0.cast_signed())
                .bind(&*end.git_ref)
                .bind(end.stack.as_deref())
                .bind(end.ok)
                .bind(end.finished_at.millis())
                .execute(&mut transaction)
                .await?;
            }
            transaction.commit().await
        };
        write.await.map_err(|error| self.failed(error))
    }

    /// The newest ends of pipelines in a range of time, its end excluded, newest first; of one branch only when it is
    /// named.
    pub async fn pipeline_ends(
        &self,
        range: Range<Timestamp>,
        git_ref: Option<&str>,
        limit: u32,
    ) -> Result<Vec<PipelineEnd>, StoreError> {
        let mut query =
            Builder::new("SELECT id, git_ref, stack, ok, finished_at FROM pipeline_ends WHERE finished_at >= ");
        query.push_bind(range.start.millis()).push(" AND finished_at < ").push_bind(range.end.millis());
        if let Some(git_ref) = git_ref {
            query.push(" AND git_ref = ").push_bind(git_ref.to_owned());
        }
        query.push(" ORDER BY finished_at DESC, id DESC LIMIT ").push_bind(limit);
        let rows: Result<Vec<Row>, _> = query.build_query_as().fetch_all(&self.db).await;
        let end = |(id, git_ref, stack, ok, finished_at): Row| PipelineEnd {
            id: PipelineId(id.cast_unsigned()),
            git_ref: git_ref.into(),
            stack: stack.map(Into::into),
            ok,
            finished_at: Timestamp::from_millis(finished_at),
        };
        rows.map(|rows| rows.into_iter().map(end).collect()).map_err(|error| self.failed(error))
    }
}
