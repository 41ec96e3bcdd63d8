//! Why the store did not do what it was asked.

use std::io;

use sqlx::postgres::PgDatabaseError;
use thiserror::Error;

/// A failure of the store, with the place that it concerns: a file, or the address of a database without its password.
#[derive(Debug, Error)]
#[error("{place}: {fault}")]
pub struct StoreError {
    pub place: String,
    #[source]
    pub fault: StoreFault,
}

/// What went wrong, and what to do about it.
#[derive(Debug, Error)]
pub enum StoreFault {
    #[error("the database cannot be opened ({0}); check the folder and its permissions, or set `store.path`")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("PostgreSQL does not answer ({0}); see that it runs and can be reached, and check `store.url`")]
    NoServer(#[source] Box<sqlx::Error>),
    #[error("every connection to PostgreSQL is busy, and none came free in time; see what else the server does")]
    Busy,
    #[error(
        "PostgreSQL does not let us in ({0}); check user and database of `store.url`, and give the password in `store.password_file`, PGPASSWORD or PGPASSFILE"
    )]
    Denied(#[source] Box<sqlx::Error>),
    #[error("PostgreSQL allows too little ({0}); give the user the right to create a schema in the database")]
    Forbidden(#[source] Box<sqlx::Error>),
    #[error("`store.url` is no address of a database; write postgres://USER@HOST/DATABASE")]
    NoAddress,
    #[error("the statement took too long ({0}); see what else the server does, or set `budget.timeout`")]
    Slow(#[source] Box<sqlx::Error>),
    #[error("another daemon leads: nothing is written in its place")]
    Deposed,
    #[error("the database is damaged ({0}); move the file away to start anew, or put a copy in its place")]
    Damaged(#[source] sqlx::Error),
    #[error("another program keeps the database locked; wait for it or end it, then try again")]
    Locked(#[source] sqlx::Error),
    #[error("the database is read-only; make it writable, or name another one in `store.path` or `store.url`")]
    ReadOnly(#[source] sqlx::Error),
    #[error("the disk is full; make room, then try again")]
    Full(#[source] sqlx::Error),
    #[error(
        "the database was written by a newer stackhand (schema {found}, known up to {known}); use that one, or name another place in `store.path` or `store.url`"
    )]
    Newer { found: i64, known: i64 },
    #[error(
        "this is another program's database and stays untouched; name a place of stackhand's own in `store.path` or `store.url`"
    )]
    Foreign,
    #[error("the database refused the request ({0}); this is a bug of stackhand, please report it")]
    Refused(#[source] sqlx::Error),
}

impl StoreFault {
    /// What was stored cannot be read.
    pub(super) fn garbled(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Damaged(sqlx::Error::Decode(error.into()))
    }

    /// What is to be stored cannot be written.
    pub(super) fn unwritable(error: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Self {
        Self::Refused(sqlx::Error::Encode(error.into()))
    }

    /// Sorts by what a connection to PostgreSQL says.
    pub(super) fn of_postgres(error: sqlx::Error) -> Self {
        match &error {
            sqlx::Error::Database(_) => error.into(),
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => Self::Damaged(error),
            sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::Configuration(_) => Self::NoServer(error.into()),
            _ => Self::Refused(error),
        }
    }

    /// Sorts by SQLSTATE; see appendix A of PostgreSQL's manual.
    fn of_state(state: &str, error: sqlx::Error) -> Self {
        match (state, state.get(..2)) {
            ("25006", _) => Self::ReadOnly(error),
            ("55P03", _) => Self::Locked(error),
            ("57014", _) => Self::Slow(error.into()),
            ("42501", _) => Self::Forbidden(error.into()),
            ("53100", _) => Self::Full(error),
            ("XX001" | "XX002", _) => Self::Damaged(error),
            ("3D000", _) | (_, Some("28")) => Self::Denied(error.into()),
            (_, Some("08" | "53" | "57" | "58")) | ("25P03", _) => Self::NoServer(error.into()),
            _ => Self::Refused(error),
        }
    }
}

impl From<io::Error> for StoreFault {
    fn from(error: io::Error) -> Self {
        Self::Unreachable(error.into())
    }
}

impl From<sqlx::Error> for StoreFault {
    /// Sorts by SQLite's result code; see sqlite.org/rescode.html.
    fn from(error: sqlx::Error) -> Self {
        let code = match &error {
            sqlx::Error::Database(inner) => {
                if let Some(state) = inner.try_downcast_ref::<PgDatabaseError>().map(|inner| inner.code().to_owned()) {
                    return Self::of_state(&state, error);
                }
                inner.code().and_then(|code| code.parse::<u32>().ok())
            }
            sqlx::Error::ColumnDecode { .. } | sqlx::Error::Decode(_) => return Self::Damaged(error),
            sqlx::Error::Io(_) => return Self::Unreachable(error.into()),
            sqlx::Error::PoolTimedOut => return Self::Locked(error),
            _ => None,
        };
        // The low byte is the kind; the rest tells it more precisely.
        match code.map(|code| code & 0xff) {
            Some(5 | 6) => Self::Locked(error),
            Some(8) => Self::ReadOnly(error),
            Some(11 | 26) => Self::Damaged(error),
            Some(13) => Self::Full(error),
            Some(3 | 10 | 14 | 23) => Self::Unreachable(error.into()),
            _ => Self::Refused(error),
        }
    }
}
