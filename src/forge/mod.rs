//! What GitHub holds: pull requests, their branches, checks and labels, and the statuses on their commits.
//!
//! Nouns only: no I/O, no clock. The GitHub adapter fills these types; the rooms above read them. Facts come from GitHub's API description
//! and documentation. What GitHub cuts off (labels, checks of one page) says so in [`Items`]: absent there is not absent.

mod branch;
mod check;
mod items;
mod pull_request;
mod sha;
mod status;

pub use branch::{BadName, BranchName};
pub use check::{CheckRun, Conclusion};
pub use items::Items;
pub use pull_request::{Mergeable, PrNumber, PrState, PullRequest};
pub use sha::{NoSha, Sha};
pub use status::{CommitState, CommitStatus};
