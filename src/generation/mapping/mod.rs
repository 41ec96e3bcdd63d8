//! What the configuration says about each job: the `pipeline-gen` list of the `ci` section, applied the way Spack applies it.
//!
//! Sections are applied from the last to the first, so that earlier ones win; the built-in sections stand around them. Jobs that match the same
//! entries get the same attributes, so these are worked out once per [`Class`] and not once per job.

mod apply;
mod dynamic;
mod section;
#[cfg(test)]
mod tests;

pub(in crate::generation) use apply::without_reserved;
pub use apply::{Class, Mapping, fill};
pub use dynamic::{Answers, Query};
pub use section::{JobKind, Origin};
