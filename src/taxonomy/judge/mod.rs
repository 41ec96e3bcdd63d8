//! Judgements over many failures: what they have in common, whether trying again helps, what is new, where it goes, what it costs.
//!
//! Pure: `now` and what was covered are arguments. What was not looked at is unknown and never zero, so figures come as [`Share`] (a part of a
//! whole that may be empty) or [`Count`] (which may be a lower bound). Nothing depends on the order of the failures.

mod days;
mod figures;
mod flake;
mod impact;
mod novelty;
mod spread;
#[cfg(test)]
mod testing;
mod trend;

pub use days::{Covered, Zone};
pub use figures::{Count, Share};
pub use flake::{Flake, Retries, Success, retries};
pub use impact::{Impact, blocked, impact};
pub use novelty::{Novelty, NoveltyQuestion, Reach, novelties};
pub use spread::{Dimension, Spread, spread, spread_against};
pub use trend::{ClassTrend, RuleChange, SuccessDay, Trend, success_trend, trend};
