//! (being laid)

mod files;
pub mod glyphs;
pub mod keys;
pub mod surface;
pub mod theme;
