//! The bridge's own repository: bare, kept from pass to pass, between GitHub and GitLab.
//!
//! [`Mirror::open`] takes the lock on its folder and makes or mends what lies there. Then [`Mirror::list`] reads the refs of one side,
//! [`Mirror::fetch`] brings what is wanted from GitHub, [`Mirror::ancestry`], [`Mirror::merge`] and [`Mirror::test_merge`] answer what
//! decisions want, and [`Mirror::push`] sends one batch to GitLab. Everything goes through the `git` program, without a shell, a work tree, hooks,
//! submodules or anybody's configuration, and within the deadlines of the [`Settings`].
//!
//! * One bad ref spoils no other: a batch that fails is taken apart until the culprit stands alone.
//! * A conflict, a rejection and a missing ref are answers. Only what may pass (a network, a server, a killed process) is tried again.
//! * Names are data: full refs on both sides of each refspec, and never a `+` towards GitLab; only a lease overwrites.
//! * Secrets reach `git` and `ssh` by their environment or by a file of mode 0600 that is gone when the command is; they are in no argument, no URL,
//!   no configuration and no message.

mod access;
mod address;
mod error;
mod fetch;
mod list;
mod merge;
mod objects;
mod open;
mod program;
mod push;
mod settings;
mod subjects;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use error::MirrorError;
pub use fetch::{Fetched, Wanted};
pub use list::{Listing, branch_inputs, tag_inputs};
pub use open::Mirror;
pub use push::{Landed, Refusal};
pub use settings::{Credentials, Deadlines, Remote, Settings, Side, SshKey};
