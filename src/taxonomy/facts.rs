//! What GitLab says about a job, beside its log.

use std::sync::Arc;

use crate::ci::{FailureReason, Status};

/// Evidence that does not stand in the log. Everything may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFacts {
    pub status: Option<Status>,
    pub failure_reason: Option<FailureReason>,
    pub exit_code: Option<i32>,
    /// What the job is for, in the words of Spack CI: `build`, `generate`, `copy`, `rebuild-index`, `sign-pkgs`, `dotenv`, ….
    pub job_kind: Option<Arc<str>>,
}
