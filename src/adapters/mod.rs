//! (being laid)

pub mod terminal;
