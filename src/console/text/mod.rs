//! The one place that makes foreign text harmless, and the small arithmetic of columns that every screen shares.
//!
//! Job logs, branch names, titles, comments and runner descriptions are written by strangers. [`clean()`] turns everything in them that a
//! terminal would *obey* instead of *show* into a visible stand-in, [`clean_bytes`] does the same for bytes that may not be UTF-8, and
//! [`is_harmless_symbol`] is the last gate over the cells of a finished screen. Every room above calls these before a screen, a log line, a
//! reply or a file name. This module must never let a control character, an invisible character or a bidirectional override through, and
//! never drop something without a trace that could tell two names apart.

mod clean;
mod columns;
mod words;

pub use clean::{ascii, clean, clean_bytes, is_harmless_symbol};
pub use columns::{cut_end, cut_middle, head, pad, width};
pub use words::{count, count_short, plural, size};
