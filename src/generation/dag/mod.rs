//! The graph algebra of a pipeline: what is left to build, in which order, and what waits for what.
//!
//! Nodes are places in a list of the caller (`0..n`), edges lead from dependent (parent) to dependency (child). Nothing here knows specs,
//! names or reasons; nothing recurses, and equal inputs give equal results, down to the order of every list.
//!
//! * [`Dag`] holds all specs and refuses circles. [`Dag::pruned`] removes nodes and reconnects their parents to their children;
//!   [`Dag::reduced`] does so with the fewest needs that keep every wait.
//! * [`Kept`] is what then becomes jobs: order, levels (stages) and needs.
//! * [`affected()`] is the set of specs that a change reaches.
//! * [`joins()`] splits the needs of a job that has too many of them.
//!
//! # Cost
//!
//! With `n` nodes, `e` edges and `k` kept nodes, [`Dag::new`], [`affected()`] and [`Dag::within`] are linear but for a sort of the edges.
//! Pruning takes 512 kept parents at once and follows each edge between pruned nodes once for them all; edges that lead to nothing that was
//! kept are dropped first. That is at worst `e × k / 64` word operations, and linear where a cache holds what its specs depend on.
//! Reduction carries the same walk on below the first kept nodes, over the reduced needs of those that are done; its worst case is the same.
//! Working memory is a copy of the edges and 64 bytes per node (128 when reducing).
//!
//! The answer itself may be quadratic: one pruned node between `p` parents and `c` children leaves `p × c` needs. It is refused beyond
//! [`MOST_NEEDS`] (64 MiB) before it is stored, so no lock can take the machine down.

mod affected;
mod error;
mod graph;
mod joins;
mod kept;
mod lists;
mod row;
mod sweep;
#[cfg(test)]
mod tests;

pub use affected::affected;
pub use error::DagError;
pub use graph::Dag;
pub use joins::{JoinTree, Need, joins};
pub use kept::Kept;
pub use sweep::MOST_NEEDS;
