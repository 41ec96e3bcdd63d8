//! What differs between two generations, told from their reports alone, with the reason where the reports hold it.
//!
//! [`diff`] gives a [`Difference`]: plain data for `--json`, and [`Difference::lines`] for people. When the reports were written is no
//! difference. The texts are those of the reports and may come from strangers: whoever draws them makes them harmless.

mod compare;
mod data;
mod keys;
mod settings;
mod text;
mod why;

pub use compare::diff;
pub use data::{
    Difference, KeyChange, KeySide, KeysElsewhere, MirrorChange, MirrorTurn, Named, Rehashed, Renamed, Setting,
    SummaryChange, Turn, Turned, Why,
};
