//! What is remembered between runs: the audit, failures and what belongs to them, needs of pipelines, durations of
//! builds, what bridges did and decided, webhooks that came in, and small texts by name.
//!
//! One SQLite file in WAL mode: several processes may read and write it at once. The controller opens it and hands
//! plain rows up and down. A row that was acknowledged is on the disk. A file that cannot be used is never repaired,
//! emptied or deleted here: the error names it and says what to do. Caches stay within bounds by themselves; the audit
//! is kept for ever.

mod audit;
mod bridge;
mod caches;
mod companions;
mod durations;
mod error;
mod failures;
mod inbox;
mod meta;
mod needs;
mod open;
#[cfg(test)]
mod tests;

pub use audit::AuditId;
pub use bridge::{BridgeMemory, KnownStatus};
pub use caches::KnownManifests;
pub use companions::{Kept, Swap};
pub use error::{StoreError, StoreFault};
pub use inbox::{Delivery, DeliveryNo, InboxTally, Taken, Waiting};
pub use open::Store;
