//! Small texts by name: bookmarks, watermarks, the last filter.

use super::sql::{Query, Row, query, query_scalar};
use super::{Store, StoreError};

impl Store {
    /// Remembers a text under a name, in place of what was there.
    pub async fn put_meta(&self, key: &str, value: &str) -> Result<(), StoreError> {
        put(key, value).execute(&self.db).await.map(drop).map_err(|error| self.failed(error))
    }

    /// The same for what only the leader may write: how far it came.
    pub async fn put_meta_as_leader(&self, key: &str, value: &str) -> Result<(), StoreError> {
        self.write_as_leader(put(key, value)).await
    }

    /// The text under a name.
    pub async fn get_meta(&self, key: &str) -> Result<Option<String>, StoreError> {
        query_scalar("SELECT value FROM meta WHERE key = ?")
            .bind(key)
            .fetch_optional(&self.db)
            .await
            .map_err(|error| self.failed(error))
    }
}

fn put<'q>(key: &'q str, value: &'q str) -> Query<'q, Row> {
    query("INSERT INTO meta (key, value) VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value")
        .bind(key)
        .bind(value)
}
