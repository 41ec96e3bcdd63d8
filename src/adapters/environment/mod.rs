//! A stack's environment folder: its manifest, everything that it includes, and its lock.
//!
//! [`read()`] is called before a pipeline is generated, and by nothing that loops. It follows includes as Spack does: what a file says itself
//! counts more than what it includes, and earlier entries count more than later ones. It judges nothing: merging is the business of
//! [`Layers`](crate::spack::yaml::Layers), and a lock that is older than its manifest is reported, not refused.
//!
//! Everything read here may be written by strangers: files have a limit, includes have a depth, circles are found, and what comes from
//! elsewhere must have the checksum that the including file names. Variables come from [`Facts`](crate::spack::condition::Facts) and never
//! from the process.

mod error;
mod file;
mod host;
mod http;
mod lock;
mod read;
mod remote;
#[cfg(test)]
mod tests;
mod variables;
mod walk;

pub use error::{EnvironmentError, EnvironmentFault};
pub use host::facts;
pub use http::Http;
pub use lock::{LockAge, StoredLock};
pub use read::{Environment, Wanted, read};
pub use walk::Skipped;
