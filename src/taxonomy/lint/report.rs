//! One warning.

use std::fmt;

use crate::taxonomy::Origin;

/// A warning about a rule: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lint {
    pub at: Origin,
    pub kind: LintKind,
    pub what: String,
    pub remedy: String,
}

impl fmt::Display for Lint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}; {} [{}]", self.at.file, self.at.line, self.what, self.remedy, self.kind.as_str())
    }
}

/// What a warning is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LintKind {
    /// `[00|02]`: one character, where alternatives were meant.
    ClassAlternation,
    /// `error (AccessDenied)`: a group, where parentheses were meant.
    TextParentheses,
    /// `/tmp/*`: any number of slashes, where any file was meant.
    GlobStar,
    /// No line can match.
    NeverMatches,
    /// It reaches over the ends of lines, but lines are matched one by one.
    SpansLines,
    /// Words that harmless lines hold too.
    BareWords,
    /// `socket.timeout`: any character, where a dot was meant.
    UnescapedDot,
    /// Another rule that ranks higher matches every such line.
    Shadowed,
    /// Capitals differ from what tools write, or from another pattern.
    Capitals,
    /// The text is not written any more.
    Outdated,
    /// No prefilter can find its lines.
    Slow,
    /// A rule of a later file wins an example of an earlier one.
    Overtakes,
    /// Importer: the pattern means something else line by line than it did over a whole log.
    Widened,
    /// Importer: the class is in no order, so that it never won.
    Unordered,
    /// Importer: the pattern or class was left out.
    LeftOut,
    /// Importer: the class is not in the table of known ones, so that nobody owns it.
    UnknownClass,
}

impl LintKind {
    /// Its word in messages.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ClassAlternation => "class-alternation",
            Self::TextParentheses => "text-parentheses",
            Self::GlobStar => "glob-star",
            Self::NeverMatches => "never-matches",
            Self::SpansLines => "spans-lines",
            Self::BareWords => "bare-words",
            Self::UnescapedDot => "unescaped-dot",
            Self::Shadowed => "shadowed",
            Self::Capitals => "capitals",
            Self::Outdated => "outdated",
            Self::Slow => "slow",
            Self::Overtakes => "overtakes",
            Self::Widened => "widened",
            Self::Unordered => "unordered",
            Self::LeftOut => "left-out",
            Self::UnknownClass => "unknown-class",
        }
    }
}

/// What is found in one pattern; its place is added by who knows it.
pub(super) struct Finding {
    pub kind: LintKind,
    pub what: String,
    pub remedy: String,
}

impl Finding {
    pub fn new(kind: LintKind, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { kind, what: what.into(), remedy: remedy.into() }
    }
}

/// A pattern as messages show it: in one line, and not too long.
pub fn shown(pattern: &str) -> String {
    const MOST: usize = 80;
    let mut out: String = pattern
        .chars()
        .take(MOST)
        .flat_map(|c| if c.is_control() { c.escape_default().collect::<Vec<_>>() } else { vec![c] })
        .collect();
    if pattern.chars().nth(MOST).is_some() {
        out.push('…');
    }
    out
}
