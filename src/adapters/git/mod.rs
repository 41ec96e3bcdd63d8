//! The git adapter: what a commit changed, read from a clone with the `git` program.
//!
//! [`change_set`] finds the commit to compare with, reads which files differ, and sorts them into packages and changes of the stack. It runs
//! `git` without a shell, with a deadline and a limit on what is read, asks only questions that leave the clone as it is, and keeps paths as
//! the bytes that they are. Where the clone does not hold what an answer needs it fails and says what to fetch: an unknown change must never
//! look like no change. What is answered but uncertain comes with a warning.
//!
//! [`mirror`] is another matter: a repository of our own, between GitHub and GitLab.

mod base;
mod error;
mod history;
pub mod mirror;
mod read;
mod repos;
mod run;
#[cfg(test)]
mod tests;

pub use error::GitError;
pub use read::{Wanted, change_set, touched};
