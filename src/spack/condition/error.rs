//! Why a condition has no answer.

use thiserror::Error;

/// How much of an expression a message repeats.
const SHOWN: usize = 160;

/// A condition that cannot be evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("the condition `{expression}` has no answer: at column {column}, {what}; rewrite the condition")]
pub struct ConditionError {
    /// The expression, cut if it is long.
    pub expression: String,
    /// In characters, from 1.
    pub column: usize,
    pub what: String,
}

/// A fault at a column, before the expression is put beside it.
#[derive(Debug)]
pub(super) struct Fault {
    pub column: usize,
    pub what: String,
}

impl Fault {
    pub fn new<T>(column: usize, what: impl Into<String>) -> Result<T, Self> {
        Err(Self { column, what: what.into() })
    }

    pub fn of(self, expression: &str) -> ConditionError {
        let clean = |c: char| if c.is_control() { ' ' } else { c };
        let mut shown: String = expression.chars().take(SHOWN).map(clean).collect();
        if expression.chars().nth(SHOWN).is_some() {
            shown.push('…');
        }
        ConditionError { expression: shown, column: self.column, what: self.what }
    }
}
