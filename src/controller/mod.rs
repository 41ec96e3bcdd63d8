//! Runs the core: one dispatcher owns the `World`, one executor does what it asks of the outside. Faces join by two channels: stamped events
//! out, intents in; the socket of [`attach`] carries the same two. [`daemon`] runs a core without a face and, beside it, the loops of the
//! [`supervisor`], while it has the lead ([`leadership`]).

pub mod attach;
mod backfill;
pub mod caches;
mod core;
pub mod daemon;
mod executor;
mod fleet;
mod judge;
pub mod keep;
pub mod leadership;
pub mod loops;
mod rulebook;
mod signers;
mod spill;
pub mod supervisor;
pub mod verify;
pub mod webhooks;

pub use backfill::{FillError, Filled, fill};
pub use core::{Core, CoreSetup, Link};
pub use executor::{HealthLimits, Outside, recall_board};
pub use fleet::{ClusterOutside, FleetOutside, Pace};
pub use judge::judge;
pub use rulebook::{ReadRules, Rulebook};
pub use signers::{Keyring, Signers};
pub use spill::Spill;
