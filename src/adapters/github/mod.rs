//! The GitHub adapter: octocrab does transport, authentication, base addresses and redirects; what is here are GitHub's limits, its ways of saying
//! no, and the few calls that the bridge makes, in nouns of [`crate::forge`].
//!
//! Every method makes one call of the API, or one bounded series. Reading is tried again, writing never: after a fault whose
//! [`is_uncertain`](crate::console::fault::Fault::is_uncertain) holds, whoever wrote reads before it writes again. A limit that is shorter than
//! the patience of the [`Settings`] is waited for; a longer one is a fault that says until when, so that other work goes on.

mod answer;
mod client;
mod limits;
mod prs;
mod rest;
mod settings;
mod statuses;
#[cfg(test)]
mod tests;

pub use client::GitHub;
pub use limits::Quota;
pub use prs::{OpenPrs, SeenPr};
pub use settings::{Access, Settings};
pub use statuses::PostAnswer;
