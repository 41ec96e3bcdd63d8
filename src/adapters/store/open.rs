//! Opening the database: whose it is, which schema it has, what has grown too old in it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::Connection as _;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePool, SqlitePoolOptions, SqliteSynchronous};

use super::error::{StoreError, StoreFault};
use super::postgres::{Fence, May, PgTx, Place, Server};
use super::sql::{Db, Query, Row, Tx, query, query_as, query_scalar};
use crate::ci::Timestamp;

/// A step of the schema.
struct Step {
    /// Ends by writing its number into `user_version`.
    sqlite: &'static str,
    postgres: &'static str,
}

macro_rules! steps {
    ($($name:literal)*) => {
        [$(Step {
            sqlite: include_str!(concat!("migrations/", $name, ".sql")),
            postgres: include_str!(concat!("migrations/postgres/", $name, ".sql")),
        }),*]
    };
}

/// Every step of the schema, in order. Steps that were released never change.
const MIGRATIONS: [Step; 5] = steps!["0001_first" "0002_failures" "0003_caches" "0004_bridge" "0005_inbox"];

/// What a schema on PostgreSQL begins with.
const OURS: &str = include_str!("migrations/postgres/0000_ours.sql");

/// "StHk", as the first migration writes it.
const APPLICATION_ID: i64 = 0x5374_486b;

/// How long a statement waits for another process before it gives up.
const PATIENCE: Duration = Duration::from_secs(5);

const NEEDS_AGE: Duration = Duration::from_hours(14 * 24);
const DURATIONS_AGE: Duration = Duration::from_hours(120 * 24);

/// The open database. Clones share it.
#[derive(Debug, Clone)]
pub struct Store {
    pub(super) db: Db,
    place: String,
    pub(super) fence: Fence,
}

impl Store {
    /// Opens a database of SQLite, creating the file where there is none, and brings its schema up to date.
    pub async fn open(path: &Path, now: Timestamp) -> Result<Self, StoreError> {
        Self::open_with(path, now, PATIENCE).await
    }

    /// A database that is gone when the last clone is dropped.
    pub async fn in_memory(now: Timestamp) -> Result<Self, StoreError> {
        let path = PathBuf::from(":memory:");
        // Every connection would see a database of its own, so there is exactly one and it never retires. It is not tried out before use either:
        // whoever is dropped while that happens takes the connection along, and the database with it.
        let pool = SqlitePoolOptions::new().max_connections(1).idle_timeout(None).max_lifetime(None);
        let pool = pool.test_before_acquire(false);
        Self::connect(&path, pool, SqliteConnectOptions::new().filename(&path), now).await
    }

    pub(super) async fn open_with(path: &Path, now: Timestamp, patience: Duration) -> Result<Self, StoreError> {
        let place = path.display().to_string();
        create(path).await.map_err(|error| StoreError { place, fault: error.into() })?;
        let options = SqliteConnectOptions::new()
            .filename(path)
            .busy_timeout(patience)
            // Pages. A thousand failures change two thousand, and should not wait until they are written a second time.
            .pragma("wal_autocheckpoint", "4000")
            // A commit returns when it is on the disk: nobody may believe in an audit row that a power cut can take back.
            .synchronous(SqliteSynchronous::Full);
        // A full disk ends a transaction behind the back of sqlx, whose connection then begins no other one: it is replaced.
        let pool = SqlitePoolOptions::new()
            .max_connections(4)
            .before_acquire(|connection, _| Box::pin(async move { Ok(!connection.is_in_transaction()) }));
        Self::connect(path, pool, options, now).await
    }

    async fn connect(
        path: &Path,
        pool: SqlitePoolOptions,
        options: SqliteConnectOptions,
        now: Timestamp,
    ) -> Result<Self, StoreError> {
        let place = path.display().to_string();
        let pool = match pool.connect_with(options).await {
            Ok(pool) => pool,
            Err(error) => return Err(StoreError { place, fault: error.into() }),
        };
        let prepared = prepare(&pool).await;
        Self { db: Db::Sqlite(pool), place, fence: Fence::default() }.prepared(prepared, now).await
    }

    /// Opens a database of PostgreSQL, making the project's schema where there is none, and brings that up to date.
    pub async fn open_postgres(place: &Place, now: Timestamp) -> Result<Self, StoreError> {
        let name = place.name();
        let server = match Server::connect(place).await {
            Ok(server) => server,
            Err(fault) => return Err(StoreError { place: name, fault }),
        };
        let prepared = prepare_postgres(&server).await;
        Self { db: Db::Postgres(server), place: name, fence: Fence::default() }.prepared(prepared, now).await
    }

    async fn prepared(self, prepared: Result<(), StoreFault>, now: Timestamp) -> Result<Self, StoreError> {
        if let Err(fault) = prepared {
            self.db.close().await;
            return Err(self.failed(fault));
        }
        // Old cache entries can wait for the next start; the audit cannot wait for them.
        if let Err(error) = self.prune(now).await {
            tracing::warn!(place = self.place, %error, "old entries were not removed");
        }
        Ok(self)
    }

    /// Writes what is left and lets go of the database.
    pub async fn close(&self) {
        self.db.close().await;
    }

    /// The file or the address, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn failed(&self, fault: StoreFault) -> StoreError {
        StoreError { place: self.place.clone(), fault }
    }

    /// Begins to write what only the leader may, if this process ever asked for the lead: whoever took it since is not overruled.
    pub(super) async fn begin_as_leader(&self) -> Result<Tx, StoreFault> {
        let may = self.fence.may();
        if may == May::Watch {
            return Err(StoreFault::Deposed);
        }
        let mut transaction = self.db.begin().await?;
        if let May::Lead(term) = may {
            // The next term begins with the same lock as this transaction: it cannot come in between.
            let ours = query_scalar::<i64>("SELECT term FROM lead WHERE term = ?").bind(term);
            if ours.fetch_optional(&mut transaction).await?.is_none() {
                self.fence.end(term);
                return Err(StoreFault::Deposed);
            }
        }
        Ok(transaction)
    }

    /// Writes one thing that only the leader may.
    pub(super) async fn write_as_leader(&self, what: Query<'_, Row>) -> Result<(), StoreError> {
        let write = async {
            if self.fence.may() == May::Act {
                return what.execute(&self.db).await.map(drop);
            }
            let mut transaction = self.begin_as_leader().await?;
            what.execute(&mut transaction).await?;
            transaction.commit().await
        };
        write.await.map_err(|fault| self.failed(fault))
    }

    /// Fails where somebody else leads by now: asked before something is done outside that only the leader does.
    pub async fn check_lead(&self) -> Result<(), StoreError> {
        let check = async {
            match self.fence.may() {
                May::Act => Ok(()),
                _ => self.begin_as_leader().await?.commit().await,
            }
        };
        check.await.map_err(|fault| self.failed(fault))
    }

    async fn prune(&self, now: Timestamp) -> Result<(), StoreFault> {
        self.prune_inbox_to(now, super::inbox::BOUNDS).await?;
        for (statement, age) in
            [("DELETE FROM needs WHERE at < ?", NEEDS_AGE), ("DELETE FROM durations WHERE at < ?", DURATIONS_AGE)]
        {
            let oldest = now.millis().saturating_sub(i64::try_from(age.as_millis()).unwrap_or(i64::MAX));
            query(statement).bind(oldest).execute(&self.db).await?;
        }
        Ok(())
    }
}

/// Refuses a schema that was written by a newer program; tells whether steps are left.
fn has_steps_left(version: i64) -> Result<bool, StoreFault> {
    let known = i64::try_from(MIGRATIONS.len()).unwrap_or(i64::MAX);
    if version > known {
        return Err(StoreFault::Newer { found: version, known });
    }
    Ok(version < known)
}

/// The steps after a version.
fn steps_after(version: i64) -> impl Iterator<Item = (i64, Step)> {
    (1..).zip(MIGRATIONS).skip(usize::try_from(version).unwrap_or_default())
}

/// Nothing is written before the file is known to be ours.
async fn prepare(pool: &SqlitePool) -> Result<(), StoreFault> {
    let is_old = has_steps_left(sqlite_version(pool).await?)?;
    sqlx::query("PRAGMA journal_mode = WAL").execute(pool).await?;
    if is_old {
        // Two processes may get here at once; the second finds the work done.
        let mut transaction = pool.begin_with("BEGIN IMMEDIATE").await?;
        let version: i64 = sqlx::query_scalar("PRAGMA user_version").fetch_one(&mut *transaction).await?;
        for (_, step) in steps_after(version) {
            sqlx::raw_sql(step.sqlite).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
    }
    Ok(())
}

/// The schema that the file has; 0 when it is new.
async fn sqlite_version(pool: &SqlitePool) -> Result<i64, StoreFault> {
    let (application, version, objects): (i64, i64, i64) = sqlx::query_as(
        "SELECT (SELECT application_id FROM pragma_application_id), (SELECT user_version FROM pragma_user_version), \
         (SELECT count(*) FROM sqlite_schema)",
    )
    .fetch_one(pool)
    .await?;
    match application {
        APPLICATION_ID => Ok(version),
        0 if version == 0 && objects == 0 => Ok(0),
        _ => Err(StoreFault::Foreign),
    }
}

/// The same for the project's schema. Only one process at a time gets past the beginning.
async fn prepare_postgres(server: &Server) -> Result<(), StoreFault> {
    let version = postgres_version(Db::Postgres(server.clone()), &server.schema).await?;
    if version.map_or(Ok(true), has_steps_left)? {
        let mut transaction = server.begin().await?;
        migrate_postgres(&mut transaction, server).await?;
        transaction.commit().await?;
    }
    Ok(())
}

async fn migrate_postgres(transaction: &mut PgTx, server: &Server) -> Result<(), StoreFault> {
    // Read anew: somebody may have been faster.
    let version = postgres_version(Db::Postgres(server.clone()), &server.schema).await?;
    if version.is_none() {
        let schema = &server.schema;
        transaction.run(format!("CREATE SCHEMA IF NOT EXISTS {schema}; SET LOCAL search_path = {schema}")).await?;
        transaction.run(OURS.to_owned()).await?;
    }
    for (number, step) in steps_after(version.unwrap_or_default()) {
        transaction.run(step.postgres.to_owned()).await?;
        transaction.run(format!("UPDATE schema_version SET version = {number}")).await?;
    }
    Ok(())
}

/// The version that the project's schema has; none where there is nothing in it.
async fn postgres_version(db: Db, schema: &str) -> Result<Option<i64>, StoreFault> {
    let (ours, tables): (bool, i64) = query_as(
        "SELECT count(*) FILTER (WHERE tablename = 'schema_version') > 0, count(*) FROM pg_tables WHERE schemaname = ?",
    )
    .bind(schema)
    .fetch_one(&db)
    .await?;
    match (ours, tables) {
        (true, _) => Ok(Some(query_scalar("SELECT version FROM schema_version").fetch_one(&db).await?)),
        (false, 0) => Ok(None),
        (false, _) => Err(StoreFault::Foreign),
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
