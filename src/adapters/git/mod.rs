//! What changed between two commits, asked of the real `git`: it knows the person's configuration, worktrees, partial clones and odd paths.
//!
//! [`change_set`] finds the right base, lists the paths that differ, and gives each the newest commit that touched it. It only reads. What cannot be
//! found out is an error, never "nothing changed": that would leave packages out of a pipeline.

mod ask;
mod error;
#[cfg(test)]
mod tests;

pub use ask::{Wanted, change_set};
pub use error::GitError;
