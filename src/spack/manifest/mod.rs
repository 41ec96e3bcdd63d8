//! `spack.yaml`: the manifest of a stack.
//!
//! * [`Manifest::parse`] reads it; [`Manifest::sections`] are what its configuration scope says.
//! * [`Manifest::includes`] lists what it includes, and [`Include::list`] does so for any `include` section; nothing is followed here.
//! * [`Manifest::specs`] expands `specs` with `definitions` and matrices into abstract specs; [`missing_roots`] compares them with a lock.
//! * [`Manifest::rewritten`] is the same text with other include paths, and [`path`] says what a moved path is.

mod combine;
mod document;
mod error;
mod include;
pub mod path;
mod rewrite;
mod specs;
#[cfg(test)]
mod tests;

pub use document::{Manifest, missing_roots};
pub use error::ManifestError;
pub use include::{Include, IncludeTarget};
