//! Why there is no plan.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::totals::{PackageTotal, few};
use crate::cache::keep::KeepFault;
use crate::ci::{Timestamp, short};
use crate::spack::Hash;

/// A doubt that stops a plan. All that were found are told, each with what to do.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum PruneRefusal {
    /// A read or list error never widens a deletion.
    #[error("{count} {} of the cache could not be listed or read, for example {place} ({why}); list it again",
        if *count == 1 { "part" } else { "parts" })]
    Gap { count: usize, place: Arc<str>, why: Arc<str> },
    #[error("{count} {} could not be read, for example {path} ({why}); list the cache again",
        if *count == 1 { "manifest" } else { "manifests" })]
    Manifests { count: usize, path: Arc<str>, why: Arc<str> },
    /// Whose binary that is cannot be told, so whether it is kept cannot be told either.
    #[error("{count} {} no valid hash in the name, for example {path}; rename or remove by hand",
        if *count == 1 { "manifest has" } else { "manifests have" })]
    Names { count: usize, path: Arc<str> },
    /// A plan holds nothing but manifests of specs and blobs of its own root.
    #[error("{path} is no manifest of this cache; list it again, and report this if it stays so")]
    Stranger { path: Arc<str> },
    #[error("the index {path} {what}; run `spack buildcache update-index`, then list the cache again")]
    Index { path: Arc<str>, what: String },
    #[error("{path} has {count} forged {}, for example /{hash}: it does not give its hash; find out who wrote it, then write the index anew",
        if *count == 1 { "record" } else { "records" })]
    Forged { path: Arc<str>, count: usize, hash: Hash },
    /// It keeps what it names, and nobody knows what that is.
    #[error("the view {view} {what}; write it anew or remove it, then list the cache again")]
    View { view: Arc<str>, what: String },
    #[error("the index lists no binary, but {manifests} {} there; run `spack buildcache update-index`",
        if *manifests == 1 { "manifest is" } else { "manifests are" })]
    IndexEmpty { manifests: usize },
    #[error("the index is {} old, and no more than {} are allowed; run `spack buildcache update-index`, or allow more",
        short(*age), short(*most))]
    IndexOld { age: Duration, most: Duration },
    #[error("the index says that it was written at {written}, {} from now; see whose clock is wrong", short(*ahead))]
    IndexAhead { written: Timestamp, ahead: Duration },
    #[error("nothing tells which objects are old enough: {what}; write an index, or use a mirror that tells both")]
    NoCutoff { what: &'static str },
    #[error("our clock and the server's are {} apart, and no more than {} are allowed; set the clock",
        short(*skew), short(*most))]
    Skew { skew: Duration, most: Duration },
    /// Every manifest would look as if its blobs were gone.
    #[error("{manifests} {} there, but not a single blob was listed; list the cache again, and look at it by hand if it stays so",
        if *manifests == 1 { "manifest is" } else { "manifests are" })]
    NoBlobs { manifests: usize },
    #[error("the keep list is empty, so every binary would go; give one that names what is still needed")]
    KeepEmpty,
    #[error("the keep list is incomplete: {0}")]
    Keep(KeepFault),
    #[error(
        "whether the keep list covers every active stack is not known, and {root} is where all of them are published; gather it from \
         their locks"
    )]
    CoverageUnknown { root: Arc<str> },
    #[error("the keep list was gathered for {list}, not for {root}; gather one for {root}")]
    OtherRoot { list: Arc<str>, root: Arc<str> },
    #[error(transparent)]
    TooMuch(Box<Share>),
}

impl PruneRefusal {
    /// Whether it means that something which keeps binaries, or is there, may not have been seen.
    pub(in crate::cache) const fn is_blind(&self) -> bool {
        !matches!(
            self,
            Self::IndexOld { .. }
                | Self::Skew { .. }
                | Self::IndexAhead { .. }
                | Self::TooMuch(_)
                | Self::IndexEmpty { .. }
        )
    }
}

/// How much would go, where that is too much.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error(
    "{manifests} of {all_manifests} manifests and {bytes} of {all_bytes} bytes would go, and no more than {most_percent} % of either are \
     allowed; most of it: {}; look at the keep list, or allow more",
    few(top)
)]
pub struct Share {
    pub manifests: u64,
    pub all_manifests: u64,
    pub bytes: u64,
    pub all_bytes: u64,
    pub most_percent: u8,
    /// The packages that would lose most bytes.
    pub top: Vec<PackageTotal>,
}
