//! Build caches: how big they are, how healthy, and what could go. Pure: what was listed and read comes in, judgements go out.
//!
//! * [`Root`] tells which kind of cache lies at a prefix; [`Contents`] is what one root holds, as far as it could be read.
//! * [`Inventory`] sums up keys as they arrive; [`growth`](fn@growth) and [`history`] tell what stored [`Sample`]s say about the past.
//! * [`Health`] compares what indexes promise, what manifests name and what lies there.
//! * [`keep`] says what has to stay, and [`plan`] what could go; nothing is deleted here.
//! * What could not be read is never taken for absent: it stays a [`Gap`], and whoever judges has to look at those first.
//!
//! Formats are those of [`crate::spack::buildcache`]. The facts about production are those of spack-infrastructure.

mod contents;
mod finding;
mod growth;
mod health;
#[cfg(test)]
mod health_tests;
mod inventory;
pub mod keep;
pub mod plan;
pub mod prs;
mod root;
mod signature;
#[cfg(test)]
pub(crate) mod testing;
pub mod why;
#[cfg(test)]
mod why_tests;

pub use contents::{
    Amount, Blob, BlobRef, Contents, Foreign, Gap, IndexManifest, IndexState, KeyManifest, Reading, SpecManifest,
};
pub use finding::{Finding, FindingKind, Severity};
pub use growth::{Sample, growth, history};
pub use health::{Health, HealthRules};
pub use inventory::{Duplication, Inventory, Sizes};
pub use root::{Root, RootKind};
pub use signature::{Signature, SignatureState};
