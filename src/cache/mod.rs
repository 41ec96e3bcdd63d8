//! Build caches: how big they are, how healthy, and what could go. Pure: what was listed and read comes in, judgements go out.
//!
//! * [`Root`] tells which kind of cache lies at a prefix; [`Contents`] is what one root holds, as far as it could be read.
//! * What could not be read is never taken for absent: it stays a [`Gap`], and whoever judges has to look at those first.
//!
//! Formats are those of [`crate::spack::buildcache`]. The facts about production are those of spack-infrastructure.

mod contents;
pub mod keep;
pub mod plan;
pub mod prs;
mod root;
mod signature;
pub mod why;
#[cfg(test)]
mod why_tests;

pub use contents::{
    Amount, Blob, BlobRef, Contents, Foreign, Gap, IndexManifest, IndexState, KeyManifest, Reading, SpecManifest,
};
pub use root::{Root, RootKind};
pub use signature::{Signature, SignatureState};
