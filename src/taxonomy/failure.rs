//! What is remembered of a failed job.

use std::sync::Arc;

use super::words::{Owner, Transient};
use crate::ci::{FailureReason, JobId, PipelineId, Timestamp};

/// One failed job with its verdict, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub job: JobId,
    pub pipeline: PipelineId,
    /// When the job ended.
    pub at: Timestamp,
    pub name: Arc<str>,
    /// From a build job's name: package, DAG hash. `None` for service jobs.
    pub package: Option<Arc<str>>,
    pub hash: Option<Arc<str>>,
    pub compiler: Option<Arc<str>>,
    pub stack: Option<Arc<str>>,
    pub git_ref: Arc<str>,
    pub sha: Option<Arc<str>>,
    pub runner: Option<Arc<str>>,
    pub host: Option<Arc<str>>,
    pub failure_reason: Option<FailureReason>,
    pub exit_code: Option<i32>,
    /// `unknown` when no rule fits.
    pub class: Arc<str>,
    pub rule: Option<Arc<str>>,
    pub owner: Owner,
    pub transient: Transient,
    pub confidence: u8,
    pub fingerprint: Option<Arc<str>>,
    pub template: Option<Arc<str>>,
    /// The evidence, cut to 500 bytes, with its line from 1.
    pub evidence: Option<Arc<str>>,
    pub line: Option<u64>,
    /// The rule set that judged.
    pub rules: Arc<str>,
}
