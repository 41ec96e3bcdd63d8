//! What GitLab runs: pipelines with their children, jobs, statuses, reasons of failure, and the needs graph between jobs.
//!
//! Nouns only: no I/O, no clock. The GitLab adapter fills these types; every room above reads them. Facts come from GitLab's source and
//! documentation, 17.x–19.5.

mod graph;
mod ids;
mod job;
pub mod log;
mod pipeline;
mod status;
mod time;

pub use graph::{Need, NeedsGraph, NodeIx, NodeState, Problem};
pub use ids::{Iid, JobId, PipelineId, RunnerId};
pub use job::{Job, JobKind, RunnerRef, SpecName};
pub use pipeline::{Pipeline, pull_request_of, stack_of};
pub use status::{FailureReason, ReasonFamily, Status, Word};
pub use time::{Timestamp, precise, short};
