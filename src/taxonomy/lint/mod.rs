//! What a rule may say and probably does not mean: judged over one pattern and over a set, for the loader and for the importer.
//!
//! A lint is a warning; what makes a rule unusable is the loader's [`RuleFault`](super::RuleFault). Where a lint claims something about all
//! lines (`never-matches`, `shadowed`), it is proven on the syntax tree and not tried out: no claim rather than a false one.

mod known;
mod report;
mod set;
mod shadow;
mod shape;
mod syntax;
#[cfg(test)]
mod tests;

pub use report::{Lint, LintKind};
pub use set::lint;

pub(super) use report::shown;
pub(super) use shape::{NEVER_SHOWN, Shape};
