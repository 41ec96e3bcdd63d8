//! PostgreSQL as the store: connecting, transactions that take turns, and deadlines, so that a server that hangs holds nobody up.
//!
//! Each project has a schema of its own in the database, so that ids of one are never taken for those of another. Passwords come as libpq takes
//! them or from a file, never from an address, and are in no message.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::Duration;

use secrecy::{ExposeSecret as _, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions, PgRow};
use sqlx::{ConnectOptions as _, Connection as _, Executor as _, Postgres};

use super::error::StoreFault;
use super::sql::Statement;

/// Connections of one process. Whoever writes waits for the others anyway.
pub(super) const CONNECTIONS: u32 = 6;
/// How long a statement waits for a lock of another process, as with SQLite.
const PATIENCE: Duration = Duration::from_secs(5);
/// Whoever forgets a transaction, or hangs in one, holds up all others for this long at most.
const FORGOTTEN: Duration = Duration::from_secs(10);
/// Letters of the project in the name of its schema; PostgreSQL cuts names at 63.
const READABLE: usize = 40;

/// A database of PostgreSQL, and as whom it is used.
#[derive(Clone)]
pub struct Place {
    /// `postgres://USER@HOST:PORT/DATABASE?…`, without a password.
    pub url: String,
    /// Without one, libpq's variables and files are asked.
    pub password: Option<SecretString>,
    /// The project, which has a schema of its own.
    pub project: String,
    /// Time to connect.
    pub connect: Duration,
    /// Time for one statement.
    pub statement: Duration,
}

impl Place {
    /// What the place is called in messages. There is no password in it.
    pub fn name(&self) -> String {
        self.url.clone()
    }

    /// The schema of the project: readable, and different for different projects.
    pub(super) fn schema(&self) -> String {
        let readable: String = self
            .project
            .chars()
            .take(READABLE)
            .map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '_' })
            .collect();
        format!("stackhand_{readable}_{:08x}", (key_of(&self.project) >> 32) & 0xffff_ffff)
    }

    fn options(&self) -> Result<PgConnectOptions, StoreFault> {
        // The parser's own words could quote what is wrong.
        let options: Result<PgConnectOptions, _> = self.url.parse();
        let mut options = options.map_err(|_| StoreFault::NoAddress)?;
        if let Some(password) = &self.password {
            options = options.password(password.expose_secret());
        }
        let milliseconds = |length: Duration| length.as_millis().to_string();
        // What is slow is told by deadlines, and what is wrong by errors.
        Ok(options.application_name("stackhand").disable_statement_logging().options([
            ("search_path", self.schema()),
            ("client_min_messages", "warning".to_owned()),
            ("statement_timeout", milliseconds(self.statement)),
            // Before the other deadline: whoever waits for a lock should hear so.
            ("lock_timeout", milliseconds(PATIENCE.min(self.statement * 3 / 4))),
            ("idle_in_transaction_session_timeout", milliseconds(FORGOTTEN)),
            // A machine that vanished is given 11 s: by probes while its session is silent, and by the last of these while an answer is not
            // acknowledged, since nothing is probed then.
            ("tcp_keepalives_idle", "5".to_owned()),
            ("tcp_keepalives_interval", "2".to_owned()),
            ("tcp_keepalives_count", "3".to_owned()),
            ("tcp_user_timeout", "11000".to_owned()),
        ]))
    }
}

/// A number for a name, the same in every process and version.
pub(super) fn key_of(name: &str) -> i64 {
    let mark = |hash: u64, byte: u8| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
    name.bytes().fold(0xcbf2_9ce4_8422_2325, mark).cast_signed()
}

/// A server that answered once. Clones share its connections.
#[derive(Debug, Clone)]
pub(super) struct Server {
    pub pool: PgPool,
    pub schema: Arc<str>,
    /// The lock that writers take in turn.
    writers: i64,
    /// How long an answer is waited for: longer than the server's own deadline, so that usually it is the one who tells.
    patience: Duration,
}

impl Server {
    /// Connects once, so that what is wrong is told as it is, and makes a pool.
    pub async fn connect(place: &Place) -> Result<Self, StoreFault> {
        let options = place.options()?;
        let first = within(place.connect, PgConnection::connect_with(&options)).await?;
        // It has answered; how it takes the farewell is nobody's concern.
        let _ = first.close().await;
        let pool = PgPoolOptions::new()
            .max_connections(CONNECTIONS)
            .acquire_timeout(place.connect)
            .idle_timeout(Duration::from_mins(5))
            .connect_lazy_with(options);
        let schema = place.schema();
        let writers = key_of(&format!("{schema} writers"));
        Ok(Self { pool, schema: schema.into(), writers, patience: place.statement + Duration::from_secs(1) })
    }

    pub async fn close(&self) {
        // Connections to a server that hangs are not waited for.
        let _ = tokio::time::timeout(self.patience.min(PATIENCE), self.pool.close()).await;
    }

    /// A connection of the pool, which looks first whether it still lives.
    pub async fn acquire(&self) -> Result<PoolConnection<Postgres>, StoreFault> {
        match within(self.patience, self.pool.acquire()).await {
            // Connections are counted from when they begin to be made: none was left for this one.
            Err(StoreFault::NoServer(_)) if self.pool.size() >= CONNECTIONS && self.pool.num_idle() == 0 => {
                Err(StoreFault::Busy)
            }
            acquired => acquired,
        }
    }

    pub async fn execute(&self, statement: Statement, is_kept: bool) -> Result<u64, StoreFault> {
        let mut tx = PgTx { connection: self.acquire().await?, patience: self.patience, is_over: false };
        let done = tx.execute(statement, is_kept).await;
        tx.is_over = tx.is_over || is_answered(&done);
        done
    }

    pub async fn fetch(&self, statement: Statement, is_kept: bool) -> Result<Vec<PgRow>, StoreFault> {
        let mut tx = PgTx { connection: self.acquire().await?, patience: self.patience, is_over: false };
        let rows = tx.fetch(statement, is_kept).await;
        tx.is_over = tx.is_over || is_answered(&rows);
        rows
    }

    /// Begins to write, when nobody else does.
    pub async fn begin(&self) -> Result<PgTx, StoreFault> {
        self.begin_with(self.in_turn()).await
    }

    /// How a transaction begins that takes its turn among all writers.
    pub fn in_turn(&self) -> String {
        format!("BEGIN; SELECT pg_advisory_xact_lock({})", self.writers)
    }

    pub const fn patience(&self) -> Duration {
        self.patience
    }

    /// Begins to read everything as of one moment.
    pub async fn begin_reading(&self) -> Result<PgTx, StoreFault> {
        self.begin_with("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY".to_owned()).await
    }

    async fn begin_with(&self, how: String) -> Result<PgTx, StoreFault> {
        let mut tx = PgTx { connection: self.acquire().await?, patience: self.patience, is_over: false };
        tx.run(how).await?;
        Ok(tx)
    }
}

/// Whether a connection is as it was before: what failed at the server has ended there.
fn is_answered<T>(answer: &Result<T, StoreFault>) -> bool {
    !matches!(answer, Err(StoreFault::NoServer(_)))
}

/// A transaction. One that is dropped takes its connection along, and the server undoes it.
pub(super) struct PgTx {
    connection: PoolConnection<Postgres>,
    patience: Duration,
    is_over: bool,
}

impl PgTx {
    /// Runs statements without values.
    pub async fn run(&mut self, text: String) -> Result<(), StoreFault> {
        let running = sqlx::raw_sql(sqlx::AssertSqlSafe(text)).execute(&mut *self.connection);
        within(self.patience, running).await.map(drop)
    }

    pub async fn execute(&mut self, (text, values): Statement, is_kept: bool) -> Result<u64, StoreFault> {
        let query = sqlx::query_with::<Postgres, _>(text, values).persistent(is_kept);
        Ok(within(self.patience, self.connection.execute(query)).await?.rows_affected())
    }

    pub async fn fetch(&mut self, (text, values): Statement, is_kept: bool) -> Result<Vec<PgRow>, StoreFault> {
        let query = sqlx::query_with::<Postgres, _>(text, values).persistent(is_kept);
        within(self.patience, self.connection.fetch_all(query)).await
    }

    pub async fn commit(mut self) -> Result<(), StoreFault> {
        self.run("COMMIT".to_owned()).await?;
        self.is_over = true;
        Ok(())
    }
}

impl Drop for PgTx {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

/// Waits for an answer of the server, but not for ever.
pub(super) async fn within<T>(
    patience: Duration,
    answer: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, StoreFault> {
    match tokio::time::timeout(patience, answer).await {
        Ok(answer) => answer.map_err(StoreFault::of_postgres),
        Err(_) => {
            let late = format!("no answer within {} s", patience.as_secs());
            Err(StoreFault::NoServer(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, late)).into()))
        }
    }
}

/// Whether this process may do what only the leader does.
#[derive(Debug, Clone, Default)]
pub(super) struct Fence(Arc<AtomicI64>);

/// What a process may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum May {
    /// It never asked for the lead: a command, or a store that lends none.
    Act,
    /// It leads in this term.
    Lead(i64),
    /// It asked, and does not lead.
    Watch,
}

impl Fence {
    const ACT: i64 = 0;
    const WATCH: i64 = -1;

    pub fn may(&self) -> May {
        match self.0.load(Ordering::SeqCst) {
            Self::ACT => May::Act,
            Self::WATCH => May::Watch,
            term => May::Lead(term),
        }
    }

    pub fn lead(&self, term: i64) {
        self.0.store(term, Ordering::SeqCst);
    }

    pub fn watch(&self) {
        self.0.store(Self::WATCH, Ordering::SeqCst);
    }

    /// This term is over; a later one is left alone.
    pub fn end(&self, term: i64) {
        self.leave(term, Self::WATCH);
    }

    /// This term is over, and nothing is left that acted in it.
    pub fn forget(&self, term: i64) {
        self.leave(term, Self::ACT);
    }

    fn leave(&self, term: i64, to: i64) {
        // It fails where another term has begun, or this one was lost, which is as it should be.
        let _ = self.0.compare_exchange(term, to, Ordering::SeqCst, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(project: &str) -> Place {
        Place {
            url: "postgres://ci@db.example/stackhand?sslmode=require".to_owned(),
            password: Some("canary".into()),
            project: project.to_owned(),
            connect: PATIENCE,
            statement: PATIENCE,
        }
    }

    #[test]
    fn two_projects_never_share_a_schema() {
        let projects = ["a.example/g/p", "a.example/g_p", "A.example/g/p", &"x".repeat(99), &"x".repeat(98)];
        let schemas = projects.map(|project| place(project).schema());
        for (at, schema) in schemas.iter().enumerate() {
            assert!(!schemas[at + 1..].contains(schema) && schema.len() <= 63, "{schema}");
            assert!(schema.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_'), "{schema}");
        }
    }

    #[test]
    fn a_term_that_is_over_ends_no_other() {
        let fence = Fence::default();
        assert_eq!(fence.may(), May::Act);
        fence.lead(7);
        fence.end(6);
        assert_eq!(fence.may(), May::Lead(7));
        fence.end(7);
        assert_eq!(fence.may(), May::Watch);
        fence.forget(7);
        assert_eq!(fence.may(), May::Watch, "what was lost cannot be given back");
        fence.lead(8);
        fence.forget(8);
        assert_eq!(fence.may(), May::Act);
    }
}
