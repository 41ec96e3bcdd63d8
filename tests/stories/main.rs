//! Whole stories without a terminal: the practice world on a socket, the core with its real adapters, and the face that follows it, driven by keys
//! and judged by what it draws.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test fails by a panic"
)]
#![allow(clippy::print_stderr, reason = "figures that were measured are told")]

mod acting;
mod attached;
mod bridge;
mod budgets;
mod chaos;
mod companions;
mod generation;
mod hostile;
mod night;
mod trouble;
mod watch;
