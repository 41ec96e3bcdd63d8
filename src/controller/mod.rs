//! Runs the core: one dispatcher owns the `World`, one executor does what it asks of the outside. Faces join by two channels: stamped events
//! out, intents in; the attach socket of a later day carries the same two.

mod core;
mod executor;
mod spill;

pub use core::{Core, CoreSetup, Link};
pub use executor::Outside;
pub use spill::Spill;
