//! The twins of the picture: the same scene as plain text, as versioned JSON, as Mermaid.
//!
//! `stackhand dag` prints them; scripts and bug reports keep them.

mod json;
mod mermaid;
mod text;

pub use json::json;
pub use mermaid::mermaid;
pub use text::{say, text};
