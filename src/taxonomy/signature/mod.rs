//! What equal failures have in common, read from one line of evidence.
//!
//! A line is masked ([`mask`]), reduced to the words that name the cause ([`cause`]) and hashed ([`fingerprint`]). A signature depends on its own
//! log only: never on other logs, their order or the clock, so the same failure has the same name on every machine. [`Clusters`] then puts
//! templates together that differ in a word.

mod cause;
mod clusters;
mod fingerprint;
mod mask;
mod shape;
#[cfg(test)]
mod tests;

pub use clusters::{Cluster, Clusters};
pub use fingerprint::{SignatureContext, signature};
