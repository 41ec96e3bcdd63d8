//! Why one spec is rebuilt or not, told from a report alone.
//!
//! [`Report::explain`](super::report::Report::explain) gives an [`Explanation`]: plain data for `--json`, and
//! [`Explanation::lines`] for people. Every word comes from the report; what it does not hold is called unknown. The texts are those of the
//! report and may come from strangers: whoever draws them makes them harmless.

mod data;
mod gather;
mod otherwise;
mod text;

pub use data::{Answer, Evidence, Explanation, IndexFacts, KeyGroup, KeyValue, OtherJobs, Presence};
