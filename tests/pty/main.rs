//! The real program on a real pseudo-terminal: what a person sees, and how the terminal is left.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]
#![allow(clippy::print_stderr, reason = "figures that were measured, and tests that were skipped, are told")]

mod attach;
mod bytes;
mod leaving;
mod looks;
mod sizes;
mod story;
mod terminal;
