//! A parsed filter, and how it is written back.

use std::fmt;
use std::ops::Range;

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::FilterError;
use super::field::{Field, Kind, Subject};
use super::needle::{Needle, Pattern};
use super::parse::{Saved, parse};
use super::quantity::{Moment, Quantity};
use crate::ci::Timestamp;
use crate::console::fuzzy::Fuzzy;
use crate::console::state::JobState;

/// What a list is narrowed to. The default one keeps everything.
///
/// Writing it and parsing that again gives the same filter, with the same saved ones.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Filter {
    pub(super) root: Node,
}

impl Filter {
    /// Parses a filter that uses no saved ones.
    pub fn parse(text: &str) -> Result<Self, FilterError> {
        Self::parse_with(text, &|_| None)
    }

    /// Parses a filter; `saved` gives the text behind `@name`.
    pub fn parse_with(text: &str, saved: &Saved<'_>) -> Result<Self, FilterError> {
        parse(text, saved).map(|root| Self { root })
    }

    /// Says whether it keeps everything because nothing was asked.
    pub fn is_empty(&self) -> bool {
        self.root == Node::default()
    }

    /// Says whether `subject` is kept, at `now`.
    pub fn matches(&self, subject: &(impl Subject + ?Sized), now: Timestamp) -> bool {
        self.root.holds(subject, now)
    }

    /// Says whether `subject` is kept, or would be if what is unknown turned out so: what a guardrail asks, which must fail closed.
    pub fn may_match(&self, subject: &(impl Subject + ?Sized), now: Timestamp) -> bool {
        self.root.may_hold(subject, now)
    }

    /// The bytes of `text` that its bare words, quoted texts and patterns matched; ascending and apart.
    pub fn highlights(&self, text: &str) -> Vec<Range<usize>> {
        let mut found = Vec::new();
        self.root.collect_highlights(text, &mut found);
        found.sort_by_key(|range| (range.start, range.end));
        found.dedup_by(|next, last| {
            let joined = next.start <= last.end;
            if joined {
                last.end = last.end.max(next.end);
            }
            joined
        });
        found
    }

    /// Keeps what both keep.
    pub fn and(self, other: Self) -> Self {
        Self { root: Node::all(vec![self.root, other.root]) }
    }
}

#[derive(Debug, Clone, PartialEq)]
pub(super) enum Node {
    /// All of them; with none, everything.
    All(Vec<Self>),
    Any(Vec<Self>),
    Not(Box<Self>),
    /// A saved filter, by its name.
    Saved {
        name: Box<str>,
        node: Box<Self>,
    },
    /// A bare word, with the text it was made from.
    Word(Box<str>, Fuzzy),
    Quoted(Needle),
    Pattern(Pattern),
    Compare(Compare),
}

impl Default for Node {
    fn default() -> Self {
        Self::All(Vec::new())
    }
}

impl Node {
    /// Joins by *and*, without needless nesting: equal filters look equal.
    pub(super) fn all(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::All(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        if flat.len() == 1 { flat.pop().unwrap_or_default() } else { Self::All(flat) }
    }

    /// Joins one or more by *or*, without needless nesting.
    pub(super) fn any(parts: Vec<Self>) -> Self {
        let mut flat = Vec::with_capacity(parts.len());
        for part in parts {
            match part {
                Self::Any(inner) => flat.extend(inner),
                part => flat.push(part),
            }
        }
        if flat.len() == 1 { flat.pop().unwrap_or_default() } else { Self::Any(flat) }
    }

    /// Negates; twice is not at all.
    pub(super) fn not(self) -> Self {
        match self {
            Self::Not(inner) => *inner,
            node => Self::Not(Box::new(node)),
        }
    }
}

/// `field op value`; a list of values holds if one of them does.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Compare {
    pub(super) field: Field,
    pub(super) op: Op,
    pub(super) operands: Vec<Operand>,
}

/// A value, with the text it was read from where that differs.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Operand {
    /// `?`
    Unknown,
    Text(Needle),
    State(Needle, States),
    Pattern(Pattern),
    /// A pattern over states, tried on each state's words beforehand.
    StatePattern(Pattern, States),
    Quantity(Box<str>, Quantity),
    Moment(Box<str>, Moment),
}

/// A set of states.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct States(u16);

impl States {
    /// The states of which one word passes the test.
    pub(super) fn named(test: impl Fn(&str) -> bool) -> Self {
        let bits = JobState::ALL.into_iter().filter(|state| state.aliases().iter().any(|alias| test(alias)));
        Self(bits.fold(0, |set, state| set | 1 << state as u16))
    }

    pub(super) fn contains(self, state: JobState) -> bool {
        self.0 & (1 << state as u16) != 0
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Op {
    Contains,
    Equals,
    Differs,
    Less,
    AtMost,
    More,
    AtLeast,
    Matches,
}

impl Op {
    /// Every operator, longer ones before those that they begin with.
    const ALL: [Self; 8] = [
        Self::Contains,
        Self::Equals,
        Self::Differs,
        Self::AtMost,
        Self::Less,
        Self::AtLeast,
        Self::More,
        Self::Matches,
    ];

    pub(super) const fn sign(self) -> &'static str {
        match self {
            Self::Contains => ":",
            Self::Equals => "=",
            Self::Differs => "!=",
            Self::Less => "<",
            Self::AtMost => "<=",
            Self::More => ">",
            Self::AtLeast => ">=",
            Self::Matches => "~",
        }
    }

    /// The operator that `text` starts with.
    pub(super) fn at_start(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|op| text.starts_with(op.sign()))
    }

    /// The operators that make sense for a kind of value.
    pub(super) const fn of(kind: Kind) -> &'static [Self] {
        match kind {
            Kind::Text => &[Self::Contains, Self::Equals, Self::Differs, Self::Matches],
            _ => &[Self::More, Self::AtLeast, Self::Less, Self::AtMost, Self::Contains, Self::Equals, Self::Differs],
        }
    }

    /// Asks whether one of several values is the one; an order has only one bound.
    pub(super) const fn takes_list(self) -> bool {
        matches!(self, Self::Contains | Self::Equals | Self::Differs)
    }
}

/// Ends a bare word or value.
pub(super) fn ends_bare(c: char) -> bool {
    c.is_whitespace() || matches!(c, '|' | '(' | ')' | '"')
}

/// Writes a value so that it is read as this text.
pub(super) fn quoted_if_needed(value: &str) -> String {
    let safe = !value.is_empty()
        && value != "?"
        && Op::at_start(value).is_none()
        && !value.chars().any(|c| ends_bare(c) || c == ',');
    if safe { value.to_owned() } else { quoted(value) }
}

fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        if matches!(c, '"' | '\\') {
            out.push('\\');
        }
        out.push(c);
    }
    out.push('"');
    out
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.root.fmt(f)
    }
}

impl Serialize for Filter {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Filter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&String::deserialize(deserializer)?).map_err(D::Error::custom)
    }
}

impl fmt::Display for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" ")?;
                    }
                    match part {
                        Self::Any(_) => write!(f, "({part})")?,
                        part => part.fmt(f)?,
                    }
                }
                Ok(())
            }
            Self::Any(parts) => {
                for (i, part) in parts.iter().enumerate() {
                    if i > 0 {
                        f.write_str(" | ")?;
                    }
                    part.fmt(f)?;
                }
                Ok(())
            }
            Self::Not(node) => match **node {
                Self::All(_) | Self::Any(_) => write!(f, "!({node})"),
                _ => write!(f, "!{node}"),
            },
            Self::Saved { name, .. } => write!(f, "@{name}"),
            Self::Word(text, _) => f.write_str(text),
            Self::Quoted(needle) => f.write_str(&quoted(needle.text())),
            Self::Pattern(pattern) => f.write_str(&pattern.slashed()),
            Self::Compare(compare) => compare.fmt(f),
        }
    }
}

impl fmt::Display for Compare {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}{}", self.field, self.op.sign())?;
        for (i, operand) in self.operands.iter().enumerate() {
            if i > 0 {
                f.write_str(",")?;
            }
            match operand {
                Operand::Unknown => f.write_str("?")?,
                Operand::Text(needle) | Operand::State(needle, _) => f.write_str(&quoted_if_needed(needle.text()))?,
                Operand::Quantity(text, _) | Operand::Moment(text, _) => f.write_str(&quoted_if_needed(text))?,
                Operand::Pattern(pattern) | Operand::StatePattern(pattern, _) => match pattern.bare() {
                    Some(text) => f.write_str(text)?,
                    None => f.write_str(&pattern.slashed())?,
                },
            }
        }
        Ok(())
    }
}
