//! Holds child pipelines that exist against the locks that they were generated from, and against the caches that their jobs install from.
//!
//! Whoever generated one, a job that lacks something fails hours later: `ci rebuild` installs dependencies from caches only. Spack checks none
//! of this; [`generate`](super::generate) does before it writes, and the controller's loop `generation` does for whatever was written. [`Child`]
//! finds, the [`Ledger`] remembers.

mod child;
mod ledger;

pub use child::{Child, Finding, Planned};
pub use ledger::{Checked, Ledger, Outcome};
