//! The streaming matcher: a log goes once through the rules and comes out as a [`Verdict`].

mod compiled;
mod simple;

pub use compiled::{CompileError, Compiled};
pub use simple::{Classifier, classify};
