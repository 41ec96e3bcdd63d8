//! What is wrong with a filter, where, and what to write instead.

use std::ops::Range;

/// A mistake in a filter's text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("bad filter at column {}: {reason}; {hint}", self.span.start + 1)]
pub struct FilterError {
    /// The bytes to underline: never empty, always whole characters of the text.
    pub span: Range<usize>,
    /// What is wrong, as a fragment.
    pub reason: String,
    /// What to do next, as a fragment.
    pub hint: String,
}
