//! What is remembered between runs: the audit, failures and what belongs to them, needs of pipelines, durations of
//! builds, what bridges did and decided, webhooks that came in, and small texts by name.
//!
//! One SQLite file in WAL mode, or a schema of PostgreSQL, by the same statements: several processes may read and write
//! it at once. The controller opens it and hands plain rows up and down. A row that was acknowledged is on the disk. A
//! database that cannot be used is never repaired, emptied or deleted here: the error names it and says what to do.
//! Caches stay within bounds by themselves; the audit is kept for ever. PostgreSQL also lends out the lead among
//! daemons, and what only the leader may write is refused to any other.

mod audit;
mod bridge;
mod caches;
mod companions;
mod durations;
mod error;
mod failures;
mod inbox;
mod lease;
mod meta;
mod needs;
mod open;
mod postgres;
mod sql;
#[cfg(test)]
mod tests;

pub use audit::AuditId;
pub use bridge::{BridgeMemory, KnownStatus};
pub use caches::KnownManifests;
pub use companions::{Kept, Swap};
pub use error::{StoreError, StoreFault};
pub use inbox::{Delivery, DeliveryNo, InboxTally, Taken, Waiting};
pub use lease::{Bidding, Lease, Lender};
pub use open::Store;
pub use postgres::Place;
