//! The outside: only here are sockets, files, processes and time. One folder per thing that is talked to; errors are typed here, once.

pub mod alertmanager;
mod backoff;
pub mod clock;
pub mod dynamic_mapping;
pub mod environment;
pub mod git;
pub mod github;
pub mod gitlab;
pub mod gpg;
pub mod kube;
pub mod mirror;
pub mod peer;
mod process;
pub mod prometheus;
pub mod service;
pub mod spack_cli;
pub mod store;
pub mod terminal;
#[cfg(test)]
pub(crate) mod testing;
mod web;
