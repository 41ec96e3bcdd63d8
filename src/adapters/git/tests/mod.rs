//! The adapter against the real git, in folders of their own.

mod base;
mod clone;
mod paths;
