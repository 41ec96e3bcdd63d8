//! Generation: from a lock, the mirrors' indexes and what changed, to the child pipeline of one stack.
//!
//! Pure: the same inputs give the same bytes. Whoever calls reads the files, the mirrors and git first, and writes what comes out.

mod changes;
mod evidence;

pub use changes::{
    ChangeKind, ChangeSet, ChangedPath, PackageRepo, PackageRepoError, StackChange, StackFiles, StackPart, StackRule,
    Touched,
};
pub use evidence::{Listed, Listing, MirrorState, MirrorView};
