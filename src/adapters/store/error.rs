//! Why the store did not do what it was asked.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

/// A failure of the store, with the file that it concerns.
#[derive(Debug, Error)]
#[error("{}: {fault}", path.display())]
pub struct StoreError {
    pub path: PathBuf,
    #[source]
    pub fault: StoreFault,
}

/// What went wrong, and what to do about it.
#[derive(Debug, Error)]
pub enum StoreFault {
    #[error("the database cannot be opened ({0}); check the folder and its permissions, or set `store.path`")]
    Unreachable(#[source] Box<dyn std::error::Error + Send + Sync>),
    #[error("the database is damaged ({0}); move the file away to start anew, or put a copy in its place")]
    Damaged(#[source] sqlx::Error),
    #[error("another program keeps the database locked; wait for it or end it, then try again")]
    Locked(#[source] sqlx::Error),
    #[error("the database is read-only; make the file and its folder writable, or set `store.path`")]
    ReadOnly(#[source] sqlx::Error),
    #[error("the disk is full; make room, then try again")]
    Full(#[source] sqlx::Error),
    #[error(
        "the database was written by a newer stackhand (schema {found}, known up to {known}); use that one, or set `store.path`"
    )]
    Newer { found: i64, known: i64 },
    #[error("this is another program's database and stays untouched; set `store.path` to a file of stackhand's own")]
    Foreign,
    #[error("the database refused the request ({0}); this is a bug of stackhand, please report it")]
    Refused(#[source] sqlx::Error),
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
            sqlx::Error::Database(inner) => inner.code().and_then(|code| code.parse::<u32>().ok()),
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
