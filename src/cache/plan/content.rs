//! What a plan says.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{Cutoff, Spared};
use crate::cache::Amount;
use crate::ci::Timestamp;
use crate::spack::Hash;
use crate::spack::buildcache::Checksum;

/// Exactly what could go from one root. Everything but the moment at which it was made is under its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrunePlan {
    /// When it was made, by our clock.
    #[serde(skip, default = "no_time")]
    pub made_at: Timestamp,
    /// The prefix of the root; every path is below it.
    pub root: Arc<str>,
    pub cutoff: Cutoff,
    pub limits: Limits,
    /// `None` where only what is of no use goes.
    pub keep: Option<KeepMark>,
    /// The index that it was made from, and that a new one replaces first of all.
    pub index: Option<IndexMark>,
    /// Manifests and blobs that lay there: what shares are taken of.
    pub whole: Whole,
    /// What lies there and is never planned: layout 2, and what belongs to no layout.
    pub untouched: Untouched,
    /// Why no blob goes although some could.
    pub withheld: Vec<Arc<str>>,
    pub spared: Vec<Spared>,
    /// Hashes that the new index lists no more, sorted. Their records stay where something else depends on them.
    #[serde(serialize_with = "texts")]
    pub leave_out: Vec<Hash>,
    /// Sorted by path.
    pub manifests: Vec<DoomedManifest>,
    /// Sorted by checksum.
    pub blobs: Vec<DoomedBlob>,
}

/// What may be done at most, and on what knowledge.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limits {
    /// Of the manifests, and of the bytes, of a root.
    pub most_percent: u8,
    /// How old the index may be.
    pub index_age_secs: u64,
    /// How far the server's clock may be from ours.
    pub skew_secs: u64,
}

impl Default for Limits {
    /// 30 %, a week, five minutes.
    fn default() -> Self {
        Self { most_percent: 30, index_age_secs: 7 * 86_400, skew_secs: 300 }
    }
}

/// The keep list that a plan obeys.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct KeepMark {
    #[serde(serialize_with = "text", deserialize_with = "sum")]
    pub digest: Checksum,
    /// Hashes on the list.
    pub hashes: usize,
    /// Of these, how many have no manifest here.
    pub absent: usize,
    /// Of these, how many have a manifest here that no index lists, so that nobody knows what they depend on.
    pub unclosed: usize,
    /// Hashes that only views of this root keep.
    pub by_views: usize,
    /// Hashes that are kept because something kept depends on them.
    pub by_closure: usize,
}

/// One version of the default index.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IndexMark {
    #[serde(serialize_with = "text", deserialize_with = "sum")]
    pub sum: Checksum,
    pub written: Timestamp,
    /// Binaries that it lists.
    pub present: usize,
}

/// What lay in a root.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whole {
    pub manifests: u64,
    pub blobs: u64,
    pub bytes: u64,
}

/// What no plan ever touches.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Untouched {
    pub v2_objects: u64,
    pub v2_bytes: u64,
    pub foreign_objects: u64,
    pub foreign_bytes: u64,
}

impl Untouched {
    pub(super) const fn of(v2: Amount, foreign: Amount) -> Self {
        let (v2_objects, v2_bytes) = (v2.objects, v2.bytes);
        Self { v2_objects, v2_bytes, foreign_objects: foreign.objects, foreign_bytes: foreign.bytes }
    }
}

/// A manifest that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoomedManifest {
    pub path: Arc<str>,
    #[serde(serialize_with = "text")]
    pub hash: Hash,
    pub etag: Option<Arc<str>>,
    pub bytes: u64,
    pub modified: Timestamp,
    pub reason: DoomedReason,
}

/// Why a manifest would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoomedReason {
    /// Nothing keeps its hash.
    NotKept,
    /// It names a blob that is not there; nothing keeps its hash either.
    MissingBlob,
}

/// A blob that would go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DoomedBlob {
    #[serde(serialize_with = "text", deserialize_with = "sum")]
    pub sum: Checksum,
    pub bytes: u64,
    pub modified: Timestamp,
    pub reason: DoomedBlobReason,
    /// The package of a manifest that names it and goes as well.
    pub package: Option<Arc<str>>,
}

/// Why a blob would go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DoomedBlobReason {
    /// Only manifests that go name it.
    OnlyDoomed,
    /// No manifest names it.
    Orphan,
}

impl DoomedReason {
    /// The word of JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::NotKept => "not_kept",
            Self::MissingBlob => "missing_blob",
        }
    }
}

impl DoomedBlobReason {
    /// The word of JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::OnlyDoomed => "only_doomed",
            Self::Orphan => "orphan",
        }
    }
}

/// The identity of a plan: a SHA-256 over the compact JSON of what it says, so `jq -cj .plan FILE | sha256sum` gives it as well.
///
/// Equal caches and equal keep lists give equal ids, whenever the plan is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(#[serde(serialize_with = "text", deserialize_with = "sum")] Checksum);

impl PlanId {
    /// Reads all 64 digits.
    pub fn parse(text: &str) -> Option<Self> {
        Checksum::parse(text).map(Self)
    }
}

impl fmt::Display for PlanId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl PrunePlan {
    /// Its identity, which changes with everything that it says.
    pub fn id(&self) -> PlanId {
        let mut bytes = Vec::new();
        // Texts and whole numbers can always be written, and memory takes in everything.
        let _ = serde_json::to_writer(&mut bytes, self);
        PlanId(Checksum::of(&bytes))
    }

    /// Whether nothing would go.
    pub const fn is_empty(&self) -> bool {
        self.manifests.is_empty() && self.blobs.is_empty()
    }
}

const fn no_time() -> Timestamp {
    Timestamp::from_millis(0)
}

fn text<T: fmt::Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(value)
}

fn texts<T: fmt::Display, S: Serializer>(values: &[T], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(values.iter().map(ToString::to_string))
}

fn sum<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Checksum, D::Error> {
    let text = String::deserialize(deserializer)?;
    Checksum::parse(&text).ok_or_else(|| serde::de::Error::custom("a checksum is no 64 hexadecimal digits"))
}
