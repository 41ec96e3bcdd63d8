//! The streaming matcher: a log goes once through the rules, in pieces of any size and bounded memory.
//!
//! bytes → [`lines`] as they came → [`clean`]: what they show, with their [`sections`] → [`block`]: a stretch of them → [`prefilter`]: the few
//! that may match a pattern, by the strings that it needs ([`literals`]) → the patterns themselves ([`compiled`]) → [`hits`], few of them kept.
//! What they mean is decided elsewhere.

mod block;
mod classifier;
mod clean;
mod compiled;
mod grams;
mod hits;
mod lines;
mod literals;
mod looks;
mod prefilter;
mod sections;

pub use classifier::{Classifier, classify};
pub use compiled::{CompileError, Compiled};

pub(super) use classifier::Findings;
pub(super) use hits::Hit;
pub(super) use looks::weight;
pub(super) use sections::Phase;

#[cfg(test)]
pub(super) mod sample;
#[cfg(test)]
mod tests;
