//! The lead among daemons that share a database of PostgreSQL: a lock of one session, and a term that is counted up whenever the lead is taken.
//!
//! The lock keeps others out while its session lives; the server ends a session with its process, and that of a machine that vanished after
//! some ten seconds. Whoever leads looks every second whether it still does. The term is what makes that safe: what only the leader may write is
//! refused to whoever led in an earlier one, however late it notices.

use std::time::Duration;

use sqlx::postgres::PgConnection;
use sqlx::{Connection as _, Executor as _};
use tokio::sync::{oneshot, watch};

use super::postgres::{Fence, Server, key_of, within};
use super::sql::Db;
use super::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;

/// How often whoever leads looks whether it still does.
const LOOKED: Duration = Duration::from_secs(1);
/// An answer that takes longer is none. Together they are less than what the server gives a machine that vanished.
const DEAF: Duration = Duration::from_secs(3);

/// What lends out the lead.
#[derive(Debug, Clone)]
pub struct Lender {
    server: Server,
    fence: Fence,
    place: String,
}

/// What came of asking for the lead.
#[derive(Debug)]
pub enum Bidding {
    Leads(Lease),
    /// Somebody else does, who signed so.
    Follows(String),
}

/// The lead, as long as its session lives. Dropping it gives the lead away.
#[derive(Debug)]
pub struct Lease {
    term: i64,
    fence: Fence,
    lost: watch::Receiver<bool>,
    /// With it goes the session.
    _session: oneshot::Sender<()>,
}

impl Store {
    /// What lends out the lead, where the store does; a file of SQLite does not.
    pub fn lender(&self) -> Option<Lender> {
        match &self.db {
            Db::Sqlite(_) => None,
            Db::Postgres(server) => {
                Some(Lender { server: server.clone(), fence: self.fence.clone(), place: self.place().to_owned() })
            }
        }
    }
}

impl Lender {
    /// The database, for messages.
    pub fn place(&self) -> &str {
        &self.place
    }

    /// Asks for the lead once. Whoever asked and does not lead may no longer write what only the leader may.
    pub async fn bid(&self, signature: &str, now: Timestamp) -> Result<Bidding, StoreError> {
        self.fence.watch();
        self.try_bid(signature, now).await.map_err(|fault| StoreError { place: self.place.clone(), fault })
    }

    /// How whoever leads signed, without asking for the lead; `None`: nobody does.
    pub async fn holder(&self) -> Result<Option<String>, StoreError> {
        // The server tells both halves of a lock's number apart.
        let holder = sqlx::query_scalar(
            "SELECT holder FROM lead WHERE EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1 \
             AND (classid::bigint << 32 | objid::bigint) = $1 \
             AND database = (SELECT oid FROM pg_database WHERE datname = current_database()))",
        );
        let asked = within(DEAF, holder.bind(self.key()).fetch_optional(&self.server.pool)).await;
        asked.map_err(|fault| StoreError { place: self.place.clone(), fault })
    }

    fn key(&self) -> i64 {
        key_of(&format!("{} lead", self.server.schema))
    }

    async fn try_bid(&self, signature: &str, now: Timestamp) -> Result<Bidding, StoreFault> {
        // A session of its own, which ends where this is cut off: a lock that went back into the pool would keep everybody out.
        let options = self.server.pool.connect_options();
        let mut session = within(DEAF, PgConnection::connect_with(&options)).await?;
        let lock = sqlx::query_scalar("SELECT pg_try_advisory_lock($1)");
        if !within(DEAF, lock.bind(self.key()).fetch_one(&mut session)).await? {
            let signed = within(DEAF, sqlx::query_scalar("SELECT holder FROM lead").fetch_one(&mut session)).await?;
            // It ends anyway.
            let _ = session.close().await;
            return Ok(Bidding::Follows(signed));
        }
        let term = self.take(&mut session, signature, now).await?;
        self.fence.lead(term);
        let (tell, lost) = watch::channel(false);
        let (keep, given_away) = oneshot::channel();
        let fence = self.fence.clone();
        tokio::spawn(async move {
            hold(&mut session, term, given_away).await;
            fence.end(term);
            tell.send_replace(true);
            // Whether the server hears of it or not: without the session there is no lock.
            let _ = tokio::time::timeout(DEAF, session.close()).await;
        });
        Ok(Bidding::Leads(Lease { term, fence: self.fence.clone(), lost, _session: keep }))
    }

    /// Begins the next term, in turn with all writers: what was written in an earlier one was written before.
    async fn take(&self, session: &mut PgConnection, signature: &str, now: Timestamp) -> Result<i64, StoreFault> {
        within(self.server.patience(), session.execute(sqlx::AssertSqlSafe(self.server.in_turn()))).await?;
        let next = sqlx::query_scalar("UPDATE lead SET term = term + 1, holder = $1, since = $2 RETURNING term");
        let next = next.bind(signature).bind(now.millis()).fetch_one(&mut *session);
        let term = within(self.server.patience(), next).await?;
        within(self.server.patience(), session.execute("COMMIT")).await?;
        Ok(term)
    }
}

/// Returns when the lead is given away or lost.
async fn hold(session: &mut PgConnection, term: i64, mut given_away: oneshot::Receiver<()>) {
    loop {
        tokio::select! {
            _ = &mut given_away => return,
            () = tokio::time::sleep(LOOKED) => {}
        }
        let look = sqlx::query_scalar::<_, i64>("SELECT term FROM lead").fetch_one(&mut *session);
        match within(DEAF, look).await {
            Ok(now) if now == term => {}
            Ok(now) => {
                tracing::error!(term, now, "somebody else took the lead");
                return;
            }
            Err(fault) => {
                tracing::error!(%fault, "the session that holds the lead is gone");
                return;
            }
        }
    }
}

impl Lease {
    /// The number of this stretch of leading.
    pub const fn term(&self) -> i64 {
        self.term
    }

    pub fn holds(&self) -> bool {
        !*self.lost.borrow()
    }

    /// Gives the lead away. What only the leader may write is no longer refused to this process, as if it had never asked.
    pub fn give_back(self) {
        self.fence.forget(self.term);
    }

    /// Returns when the lead is lost.
    pub async fn lost(&self) {
        // Whoever would tell is gone: so is the session.
        let _ = self.lost.clone().wait_for(|is_lost| *is_lost).await;
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        self.fence.end(self.term);
    }
}
