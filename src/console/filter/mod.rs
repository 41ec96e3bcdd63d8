//! The filter grammar: what a person types after `/`, after `--filter`, and as a palette argument.
//!
//! ```text
//! filter := and { "|" and }        and := unary { unary }        unary := ["!"] atom
//! atom   := "(" filter ")" | field op value | "@" name | "/" regex "/" | quoted | word
//! op     := ":" | "=" | "!=" | "<" | "<=" | ">" | ">=" | "~"
//! value  := word | quoted | number unit | time | list | "?"
//! ```
//!
//! Bare words are fuzzy over visible text, `"quoted"` text must occur as it is, `:` is contains, `=` exact, `~` a regular expression; case
//! counts once a capital was typed. Lists name what is shown by implementing [`Subject`]; nothing here knows a job from a runner.
//!
//! **Unknown is neither.** A comparison with a [`Value::Unknown`] is neither true nor false, and its negation is not true either: neither
//! `cause:spot` nor `!cause:spot` finds a job whose cause nobody has read yet. `field:?` finds it, and `!field:?` finds all others.
//!
//! Texts come from people and from files: length, depth, number of terms and size of patterns are bounded, and no text makes this panic.

mod complete;
mod error;
mod eval;
mod field;
mod needle;
mod parse;
mod quantity;
mod term;
#[cfg(test)]
mod tests;
mod typing;

pub use complete::{Completion, complete};
pub use error::FilterError;
pub use field::{Field, Subject, Value};
pub use parse::Saved;
pub use term::Filter;
pub use typing::Typing;
