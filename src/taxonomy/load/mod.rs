//! Rules as files: TOML texts become one checked [`RuleSet`](super::RuleSet), or a list of everything that is wrong with them.
//!
//! * [`load`] is all or nothing, so that a bad file never judges: the caller keeps the set that it has. [`load_with_lints`] also tells what
//!   is allowed and probably a mistake.
//! * Every example in a file is judged by the engine; a rule that does not win its own examples is refused.
//! * [`shipped()`] are the rules that come with the program; the user's files follow them and may switch some off.
//! * [`draft()`] makes a rule from picked lines, and [`append`] adds it to a file.
//!
//! Texts come in and go out; nothing here opens a file.

mod align;
mod draft;
mod example;
mod fault;
mod file;
mod hash;
mod nearest;
mod pattern;
mod rule;
mod set;
mod shipped;
mod source;
mod table;
#[cfg(test)]
mod tests;
mod write;

pub use draft::{Draft, append, draft};
pub use fault::RuleFault;
pub use set::{Loaded, load, load_shipped, load_with_lints};
pub use shipped::shipped;
pub use source::Source;

pub(super) use pattern::{Cost, Refused, check};
pub(super) use rule::{MOST_PATTERNS, is_class};
pub(super) use set::{MOST_RULES, MOST_STATES};
pub(super) use write::{AnyText, ExampleText, RuleText};
