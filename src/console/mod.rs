//! The console's mind: all known facts, what an event changes in them, and the one road of actions. Pure.

pub mod fault;
pub mod filter;
pub mod fresh;
pub mod fuzzy;
pub mod state;
