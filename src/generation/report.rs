//! The report of one generation: what was decided about every spec, and everything that the decision rests on.
//!
//! It is written beside the pipeline and read back by `explain`, by `diff` and by the console, so that nobody has to generate again to know why.
//! Verdicts and reasons are in the words of Spack's pruning summary.

mod find;
mod lines;
mod read;
mod words;
mod write;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

pub(super) use lines::{Lines, cut, few, number, origin_in_short, without_final_checks};
pub use read::{MAX_BYTES, ReportError};
pub use words::{Filter, Skip};
pub(super) use words::{Instead, age, commit, label, package};

use crate::ci::Timestamp;

/// The name and version of this shape; readers refuse others.
pub const VERSION: &str = "stackhand.generation/1";

/// What was decided, and why.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub version: String,
    pub at: Timestamp,
    pub stack: Option<String>,
    pub pipeline_type: Option<String>,
    pub parity: bool,
    /// The filters that were asked for.
    pub filters: Filters,
    pub summary: Summary,
    /// What changed, when the unaffected filter could ask for it.
    pub change: Option<Change>,
    pub mirrors: Vec<MirrorSeen>,
    /// By hash.
    pub decisions: BTreeMap<String, Decision>,
    /// How many jobs there would be otherwise.
    pub otherwise: Vec<Otherwise>,
    /// Elements of the configuration that set keys of build jobs.
    pub origins: Vec<String>,
    /// Jobs of one class got the same keys from the configuration.
    pub classes: Vec<BTreeMap<String, KeySet>>,
    pub warnings: Vec<String>,
}

/// Which filters were asked for. One that was may still have been skipped: [`Change`] says why.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Filters {
    pub unaffected: bool,
    pub up_to_date: bool,
    pub external: bool,
}

/// Counts.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    pub specs: usize,
    pub rebuild: usize,
    pub prune: usize,
    pub external: usize,
    /// Build jobs in the document; a copy-only pipeline has none.
    pub jobs: usize,
    /// Predicted hours of building, all jobs added up.
    pub hours: f64,
}

/// What is decided about one spec.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Decision {
    /// `rebuild` or `prune`.
    pub decision: String,
    pub reasons: Vec<String>,
    /// `name@version`.
    pub spec: String,
    /// The name of its job, when it has one.
    pub job: Option<String>,
    pub external: bool,
    /// Where it is present.
    pub found: Vec<FoundAt>,
    /// Indexes that list it without its binary, which counts as not found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub without_binary: Vec<FoundAt>,
    /// The smallest depth of dependents at which the change reaches it.
    pub affected_from_depth: Option<i64>,
    /// Index into `classes`.
    pub class: Option<usize>,
}

/// One place where a spec was found.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct FoundAt {
    pub mirror: String,
    pub layout: u8,
    /// `false` for an external, which needs no binary.
    pub in_buildcache: bool,
    /// No index lists it: the mirror was asked for this spec.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct: bool,
}

/// A mirror as it was seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MirrorSeen {
    pub name: String,
    pub url: String,
    /// `read`, `absent` or `failed`.
    pub state: String,
    pub reason: Option<String>,
    pub indexes: Vec<IndexSeen>,
}

/// An index as it was read.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct IndexSeen {
    pub layout: u8,
    pub source: String,
    pub sha256: String,
    pub modified: Option<Timestamp>,
}

/// What changed between two commits.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    pub base: String,
    pub head: String,
    pub depth: Option<i64>,
    /// Changed packages that this stack has, with the paths and the commits that touched them.
    pub packages: BTreeMap<String, Vec<TouchedPath>>,
    /// Changed packages that this stack does not have.
    pub elsewhere: usize,
    /// A path that changes the whole stack: then the filter is off.
    pub stack: Option<String>,
}

/// A changed path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TouchedPath {
    pub path: String,
    pub commit: Option<String>,
}

/// A generation that was not asked for, and how many jobs it would have.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Otherwise {
    /// `depth 2`, `without a depth limit`, `without the unaffected filter` or `without the up-to-date filter`.
    pub what: String,
    pub jobs: usize,
}

/// A key of a job: what the configuration made of it, and which elements did.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct KeySet {
    pub value: serde_json::Value,
    /// Indices into `origins`, the one that was applied last at the end.
    pub set_by: Vec<usize>,
}
