//! Opening the file: whose it is, which schema it has, what has grown too old in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::error::{StoreError, StoreFault};
use crate::ci::Timestamp;

/// Every step of the schema, in order. Each ends by writing its number into `user_version`; steps that were released never change.
const MIGRATIONS: [&str; 5] = [
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_failures.sql"),
    include_str!("migrations/0003_caches.sql"),
    include_str!("migrations/0004_bridge.sql"),
    include_str!("migrations/0005_inbox.sql"),
];

/// "StHk", as the first migration writes it.
const APPLICATION_ID: i64 = 0x5374_486b;

/// How long a statement waits for another process before it gives up.
const PATIENCE: Duration = Duration::from_secs(5);

const NEEDS_AGE: Duration = Duration::from_hours(14 * 24);
const DURATIONS_AGE: Duration = Duration::from_hours(120 * 24);

/// The open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) pool: SqlitePool,
    path: PathBuf,
}

impl Store {
    /// Opens the database, creating it where there is none, and brings its schema up to date.
    pub async fn open(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        Self::open_with(path, now, PATIENCE).await
    }

    /// A database that is gone when the last clone is dropped.
    pub async fn in_memory(now: Timestamp) -> Result<Self, StoreError> {
        let path = PathBuf::from(":memory:");
        // Every connection would see a database of its own, so there is exactly one and it never retires.
        let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        Self::connect(path.clone(), pool, SqliteConnectOptions::new().filename(path), now).await
    }

    pub(super) async fn open_with(path: &Path, now: Timestamp, patience: Duration) -> Result<Self, StoreError> {
        create(path).await.map_err(|error| StoreError { path: path.to_owned(), fault: error.into() })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(patience)
            // Pages. A thousand failures change two thousand, and should not wait until they are written a second time.
            .pragma("wal_autocheckpoint", "4000")
            // A commit returns when it is on the disk: nobody may believe in an audit row that a power cut can take back.
            .synchronous(SqliteSynchronous::Full);
        Self::connect(path.to_owned(), SqlitePoolOptions::new().max_connections(4), options, now).await
    }

    async fn connect(
        path: PathBuf,
        pool: SqlitePoolOptions,
        options: SqliteConnectOptions,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let pool = match pool.connect_with(options).await {
            Ok(pool) => pool,
            Err(error) => return Err(StoreError { path, fault: error.into() }),
        };
        let store = Self { pool, path };
        if let Err(fault) = store.prepare().await {
            store.pool.close().await;
            return Err(StoreError { path: store.path, fault });
        }
        // Old cache entries can wait for the next start; the audit cannot wait for them.
        if let Err(error) = store.prune(now).await {
            tracing::warn!(path = %store.path.display(), %error, "old entries were not removed");
        }
        Ok(store)
    }

    /// Writes what is left and lets go of the file.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The file, for messages.
    pub fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn failed(&self, error: sqlx::Error) -> StoreError {
        StoreError { path: self.path.clone(), fault: error.into() }
    }

    /// Nothing is written before the file is known to be ours.
    async fn prepare(&self) -> Result<(), StoreFault> {
        let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
        let version = self.version().await?;
        if version > known {
            return Err(StoreFault::Newer { found: version, known });
        }
        sqlx::query("PRAGMA journal_mode = WAL").execute(&self.pool).await?;
        if version < known {
            self.migrate().await?;
        }
        Ok(())
    }

    /// The schema that the file has; 0 when it is new.
    async fn version(&self) -> Result<i64, StoreFault> {
        let (application, version, objects): (i64, i64, i64) = sqlx::query_as(
            "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
             (SELECT count(*) FROM sqlite_schema)",
        )
        .fetch_one(&self.pool)
        .await?;
        match application {
            APPLICATION_ID => Ok(version),
            0 if version == 0 && objects == 0 => Ok(0),
            _ => Err(StoreFault::Foreign),
        }
    }

    /// Two processes may get here at once; the second finds the work done.
    async fn migrate(&self) -> Result<(), StoreFault> {
        let mut transaction = self.pool.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        for step in MIGRATIONS.into_iter().skip(usize::try_from(version).unwrap_or_default()) {
            sqlx::raw_sql(step).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    async fn prune(&self, now: Timestamp) -> Result<(), sqlx::Error> {
        self.prune_inbox_to(now, super::inbox::BOUNDS).await?;
        for (statement, age) in
            [("DELETE FROM needs WHERE at < ?", NEEDS_AGE), ("DELETE FROM durations WHERE at < ?", DURATIONS_AGE)]
        {
            let oldest = now.millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
            sqlx::query(statement).bind(oldest).execute(&self.pool).await?;
        }
        Ok(())
    }
}

/// Makes the folder and an empty file that only its owner may read. An existing file is left alone.
async fn create(path: &Path) -> std::io::Result<()> {
    if let Some(folder) = path.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        tokio::fs::create_dir_all(folder).await?;
    }
    let mut options = tokio::fs::OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    options.mode(0o600);
    match options.open(path).await {
        Err(error) if error.kind() != std::io::ErrorKind::AlreadyExists => Err(error),
        _ => Ok(()),
    }
}
