//! What a commit changed, in the words that the unaffected filter needs: packages by name, and whether the stack itself changed.
//!
//! Paths come in, names go out: which folder is which package follows Spack's rules for package repositories ([`PackageRepo`]), and which
//! files make up the stack is told by the caller ([`StackFiles`]). Where Spack does not see a change that matters, both facts are kept, so
//! that a caller can do what is intended or what Spack does ([`StackRule`]).

mod names;
mod repo;
mod set;

pub use repo::{PackageRepo, PackageRepoError};
pub use set::{ChangeKind, ChangeSet, ChangedPath, StackChange, StackFiles, StackPart, StackRule, Touched};
