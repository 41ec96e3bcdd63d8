//! What a difference holds. *Was* is the first report, *is* the second.

use serde::Serialize;

use crate::generation::report::{Decision, Filter, IndexSeen};

/// What differs between two reports. All lists are sorted.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Difference {
    /// What was asked for: stack, type, commits, filters.
    pub settings: Vec<Setting>,
    pub summary: Vec<SummaryChange>,
    /// Specs that only the first report has, and no other hash of them is new.
    pub gone: Vec<Named>,
    /// Specs that only the second report has, and no other hash of them is gone.
    pub new: Vec<Named>,
    /// Specs whose hash changed.
    pub rehashed: Vec<Rehashed>,
    /// Decisions and reasons that differ, those with the same causes together; decisions that turned come first.
    pub turned: Vec<Turned>,
    pub renamed: Vec<Renamed>,
    /// Keys of jobs to which the configuration gives other values.
    pub keys: Vec<KeyChange>,
    /// Keys of jobs that have the same values from other elements of the configuration.
    pub keys_elsewhere: Vec<KeysElsewhere>,
    /// Changes of keys that are not told, and classes of jobs that were not compared, since there are too many.
    pub keys_left_out: usize,
    pub mirrors: Vec<MirrorChange>,
    pub warnings_gone: Vec<String>,
    pub warnings_new: Vec<String>,
}

impl Difference {
    /// Whether the reports say the same.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// Something that was asked for differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Setting {
    pub what: &'static str,
    pub was: String,
    pub is: String,
}

/// A count, or the predicted hours.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct SummaryChange {
    pub what: &'static str,
    pub was: f64,
    pub is: f64,
}

/// A spec with the decision about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Named {
    /// `name@version`.
    pub spec: String,
    pub hash: String,
    pub decision: String,
    pub has_job: bool,
}

impl Named {
    pub(super) fn of(hash: &str, decision: &Decision) -> Self {
        Self {
            spec: decision.spec.clone(),
            hash: hash.to_owned(),
            decision: decision.decision.clone(),
            has_job: decision.job.is_some(),
        }
    }
}

/// A spec of which there are other hashes now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Rehashed {
    pub spec: String,
    pub was: Vec<Named>,
    pub is: Vec<Named>,
}

/// Specs about which the same changed for the same reasons.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Turned {
    pub was: String,
    pub is: String,
    pub turns: Vec<Turn>,
    pub specs: Vec<Named>,
}

/// What one filter says now.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Turn {
    pub filter: Filter,
    /// `None` when the filter was not applied.
    pub was: Option<String>,
    pub is: Option<String>,
    pub why: Vec<Why>,
}

/// Why a filter says something else.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Why {
    /// The filter was applied only once; how it stood each time.
    FilterApplied {
        was: String,
        is: String,
    },
    Depth {
        was: Option<i64>,
        is: Option<i64>,
    },
    /// Other packages changed.
    ChangedPackages,
    MirrorAdded {
        mirror: String,
    },
    MirrorRemoved {
        mirror: String,
    },
    /// A mirror was `read`, `absent` or `failed`.
    MirrorState {
        mirror: String,
        was: String,
        is: String,
    },
    /// An index has other contents; `None` where there was no index of that layout.
    Index {
        mirror: String,
        layout: u8,
        was: Option<String>,
        is: Option<String>,
    },
    /// Only one time a mirror was asked for the spec itself.
    Asked {
        mirror: String,
        layout: u8,
    },
    /// The reports agree on everything that could have caused it.
    Unknown,
}

/// A job with another name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Renamed {
    pub was: String,
    pub is: String,
}

/// A key with another value.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeyChange {
    /// A variable is `variables.NAME`.
    pub key: String,
    /// `None` when the configuration said nothing.
    pub was: Option<KeySide>,
    pub is: Option<KeySide>,
    /// How many jobs have this change.
    pub jobs: usize,
    /// Up to three of them.
    pub examples: Vec<Named>,
}

/// What a key was set to.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct KeySide {
    pub value: serde_json::Value,
    /// The element that was applied last at the end.
    pub set_by: Vec<String>,
}

/// Keys with the same values as before, from other elements of the configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct KeysElsewhere {
    pub keys: Vec<String>,
    pub was: Vec<String>,
    pub is: Vec<String>,
    pub jobs: usize,
}

/// What changed about one mirror.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct MirrorChange {
    pub name: String,
    pub turns: Vec<MirrorTurn>,
}

#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum MirrorTurn {
    Added { url: String, state: String },
    Removed { url: String },
    Address { was: String, is: String },
    State { was: String, is: String, reason: Option<String> },
    Index { layout: u8, was: Option<IndexSeen>, is: Option<IndexSeen>, was_age: Option<String>, is_age: Option<String> },
}
