//! Runs a configured Spack where only Spack can help: concretizing an environment whose lock is missing or older than its manifest.
//!
//! Its output is handed on line by line as it comes; its end is told in words of our own, with what to do next. It runs in a process group of its
//! own, which ends with it: a concretizer that was given up must not go on eating eight cores.

mod classify;
mod run;
#[cfg(test)]
#[cfg(unix)]
mod tests;

pub use classify::ConcretizeFault;
pub use run::{Concretize, concretize};
