//! Our own alerts: what nobody else watches. [`judge()`] says what holds now and what it cannot say, [`Findings`] remember since when.

mod facts;
mod findings;
mod judge;
#[cfg(test)]
mod tests;

pub use facts::{Facts, InfraFigures, LaunchFailures, SourceAge};
pub use findings::{Change, Finding, FindingState, Findings};
pub use judge::{Held, Verdict, judge};
