//! The console's mind: all known facts, what an event changes in them, and the one road of actions. Pure.

pub mod actions;
pub mod attach;
pub mod audit;
pub mod backfill;
pub mod caches;
pub mod dag;
pub mod durations;
pub mod effect;
pub mod event;
pub mod failures;
pub mod fault;
pub mod filter;
pub mod fleet;
pub mod fresh;
pub mod fuzzy;
pub mod input;
pub mod log;
pub mod loops;
pub mod messages;
pub mod polling;
pub mod registry;
pub mod state;
pub mod text;
pub mod why;
pub mod world;
