//! (being laid)

mod files;
pub mod keys;
