//! The program as scripts see it: the real binary, real sockets, exit codes, text without an escape byte, versioned JSON.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, clippy::panic, reason = "a test that panics has failed")]

mod acting;
mod basics;
mod bridge;
mod cache;
mod daemon;
mod demo;
mod deploy;
mod fleet;
mod generate;
mod postgres;
mod reading;
mod stage;
mod taxonomy;
mod why;
