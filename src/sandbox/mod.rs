//! The practice world.

mod fleet;
mod locks;
mod mishaps;
mod people;
mod plan;
mod rng;
mod stacks;
mod transcript;
mod world;

pub use world::{EPOCH, LogBody, OPENING, Refusal, World};

/// What kind of night it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scenario {
    /// Failures of many kinds in most stacks.
    #[default]
    Busy,
    /// A busy night on which one machine fails everything it touches.
    Outage,
    /// Nothing fails.
    Calm,
}

/// Why the practice world cannot start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "failed to read the embedded lock {lock:?}: {source}; this build of stackhand is damaged, install it again"
    )]
    Lock { lock: locks::LockName, source: std::io::Error },
}
