//! The form of a job's log: what gitlab-runner and terminals put around the text of a line. Nothing here judges what a log says.
//!
//! * [`Stamp`] and [`Joiner`]: the time and stream before each line, and lines that go on in the next one.
//! * [`Marker`]: where sections begin and end.
//! * [`Tokens`] and [`plain_into`]: escapes, returns and what a terminal would show in the end.

mod ansi;
mod marker;
mod stamp;

pub use ansi::{AnsiColor, AnsiStyle, Token, Tokens, plain_into};
pub use marker::Marker;
pub use stamp::{Joiner, STAMP, Stamp, Stream};
