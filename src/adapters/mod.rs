//! (being laid)

pub mod gitlab;
