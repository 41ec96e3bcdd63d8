//! Old branches of pull requests on GitLab: a plan, which people review, and a second look before anything is deleted.

mod file;
mod plan;

pub use file::{MAX_PLAN, StaleFileError};
pub use plan::{GitLabBranch, OldBranch, Refusal, SpareReason, Spared, StalePlan, StaleRules};
