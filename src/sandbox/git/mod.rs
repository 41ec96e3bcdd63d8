//! Real git for the practice world: objects that are made here to the byte, bare repositories in a temporary folder, and `git http-backend`
//! behind the loopback servers.
//!
//! What people commit is computed ([`Store`], [`merge`]), so the same seed gives the same ids; what clients fetch and push goes through git
//! itself. What this hosting does not have: LFS, ssh, submodules, maintenance, and limits of size and time.

mod folder;
mod object;
mod repository;
mod serve;
mod tree;
mod trunk;

pub use folder::Folder;
pub use object::{Object, Oid, Store};
pub use repository::Repository;
pub use serve::{Access, Change, Exchange, Pushed, base64, is_git};
pub use tree::{Files, merge};
pub use trunk::{Made, TESTED, Trunk, edited, path_of};
