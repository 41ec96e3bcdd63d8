//! `when:` conditions of includes and definitions.
//!
//! Spack hands them to Python with a few names: `platform`, `os`, `target`, `hostname`, `arch`, `architecture`, `arch_str`, `env` and `re`.
//! Here the part of Python that such conditions are written in is read and evaluated; everything beyond it is an error that names the
//! expression and the column, never a silent yes or no. Nothing is looked up: what is known about the machine comes in as [`Facts`].

mod error;
mod eval;
mod facts;
mod lex;
mod parse;
#[cfg(test)]
mod tests;

pub use error::ConditionError;
pub use eval::holds;
pub use facts::Facts;
