//! Why a request is refused.

use thiserror::Error;

/// How much of a long request a message quotes.
const SHOWN: usize = 72;

/// A request that cannot be used: a fragment that quotes it, says where and what, and what to do next.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the spec `{text}`, column {column}: {what}")]
pub struct RequestError {
    text: String,
    column: usize,
    what: String,
}

impl RequestError {
    /// A fault at a byte of the text.
    pub(super) fn at(text: &str, byte: usize, what: impl Into<String>) -> Self {
        let before = text.get(..byte).unwrap_or(text).chars().count();
        Self { text: excerpt(text, before), column: before + 1, what: what.into() }
    }

    /// Where in the text the fault lies; the first character is column 1.
    pub const fn column(&self) -> usize {
        self.column
    }
}

/// The text around a character, on one line.
fn excerpt(text: &str, around: usize) -> String {
    let len = text.chars().count();
    let first = if len > SHOWN { around.saturating_sub(SHOWN / 2) } else { 0 };
    let mut shown = String::from(if first > 0 { "…" } else { "" });
    for c in text.chars().skip(first).take(SHOWN) {
        if c.is_control() {
            shown.extend(c.escape_default());
        } else {
            shown.push(c);
        }
    }
    if first + SHOWN < len {
        shown.push('…');
    }
    shown
}
