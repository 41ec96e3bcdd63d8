//! Generation: from a lock, the mirrors' indexes and what changed, to the child pipeline of one stack.
//!
//! Pure: the same inputs give the same bytes. Whoever calls reads the files, the mirrors and git first, and writes what comes out.

mod closure;
mod dag;
mod evidence;

pub use closure::{Gap, gaps};
pub use dag::{Dag, DagError, JoinTree, Kept, MOST_NEEDS, Need, affected, joins};
pub use evidence::{Listed, Listing, MirrorState, MirrorView};
