//! What an explanation holds.

use serde::Serialize;

use crate::ci::Timestamp;
use crate::generation::report::{Filter, Skip, TouchedPath};

/// Why a spec is rebuilt or not.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Explanation {
    pub hash: String,
    /// `name@version`.
    pub spec: String,
    /// Whether this pipeline has a job for it.
    pub is_rebuilt: bool,
    /// No filter leaves it out.
    pub is_wanted: bool,
    /// The pipeline only copies binaries and builds nothing.
    pub only_copies: bool,
    pub job: Option<String>,
    /// What each filter says, in the order of the filters.
    pub answers: Vec<Answer>,
    /// What else could have been asked for; what matters to this spec comes first.
    pub otherwise: Vec<OtherJobs>,
    /// The keys of its job that the configuration set.
    pub keys: Vec<KeyGroup>,
    /// The tag that the type of the pipeline adds to the job.
    pub type_tag: Option<String>,
}

/// What one filter says, with what that rests on.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Answer {
    /// `None` for a word that no filter of this version says.
    pub filter: Option<Filter>,
    /// In the words of Spack's pruning summary.
    pub word: Option<String>,
    /// Whether this leaves the spec out.
    pub prunes: Option<bool>,
    /// Why it says nothing.
    pub skipped: Option<Skip>,
    pub evidence: Vec<Evidence>,
}

/// One fact behind an answer.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Evidence {
    /// The depth of dependents that was used (none: no limit), and the smallest at which the change reaches the spec (none: no depth does).
    Depth { used: Option<i64>, reached_from: Option<i64>, own_package: bool },
    /// The commits between which was looked.
    Between { base: String, head: String },
    /// A package of this stack that changed.
    Changed { package: String, paths: Vec<TouchedPath> },
    /// Changed packages that this stack does not have.
    Elsewhere { count: usize },
    /// What an index says about the spec.
    Index { mirror: String, url: Option<String>, presence: Presence, layout: u8, index: Option<IndexFacts> },
    /// The mirror was asked for this spec and has it, although no index lists it.
    Asked { mirror: String, url: Option<String>, layout: u8 },
    /// The mirror has no index.
    NoIndex { mirror: String, url: String },
    /// The mirror could not be read.
    Unread { mirror: String, url: String, state: String, reason: Option<String> },
    /// No mirror was looked at.
    NoMirror,
}

/// What an index says about a spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Presence {
    Binary,
    /// Listed as an external, which needs no binary.
    External,
    /// Listed, but its binary is not there.
    WithoutBinary,
    NotListed,
}

/// An index as it was read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct IndexFacts {
    pub source: String,
    pub sha256: String,
    pub modified: Option<Timestamp>,
    /// How old it was when the report was written; unknown is nothing.
    pub age: String,
}

/// A pipeline that was not asked for.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct OtherJobs {
    /// `depth 2`, `without the unaffected filter`, …
    pub what: String,
    /// Whether it would rebuild this spec, when that differs.
    pub rebuilds: Option<bool>,
    /// How many more jobs it would have; unknown is nothing.
    pub more_jobs: Option<i64>,
}

/// Keys of a job that the same elements of the configuration set.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyGroup {
    pub keys: Vec<KeyValue>,
    /// The element that was applied last at the end.
    pub set_by: Vec<String>,
}

/// One key of a job; a variable is `variables.NAME`.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyValue {
    pub key: String,
    pub value: serde_json::Value,
}
