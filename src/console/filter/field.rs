//! What can be asked for, and what things answer.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::ci::Timestamp;
use crate::console::state::JobState;

/// A fact that a filter can compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Field {
    State,
    Stage,
    Stack,
    Pkg,
    Hash,
    Spec,
    Compiler,
    Ref,
    Pr,
    Author,
    Runner,
    Node,
    Tag,
    Class,
    Cause,
    Sig,
    /// Time since it came into being.
    Age,
    /// Run time.
    Dur,
    /// Time spent waiting for a runner.
    Wait,
    Tries,
    Size,
    /// How many jobs wait for this one.
    Blocks,
    /// When it happened, or was first seen.
    Since,
}

/// What a field's values are, and so how they compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Number,
    Length,
    Bytes,
    Moment,
}

impl Field {
    /// Every field, in the order in which completion offers them.
    pub const ALL: [Self; 23] = [
        Self::State,
        Self::Stage,
        Self::Stack,
        Self::Pkg,
        Self::Hash,
        Self::Spec,
        Self::Compiler,
        Self::Ref,
        Self::Pr,
        Self::Author,
        Self::Runner,
        Self::Node,
        Self::Tag,
        Self::Class,
        Self::Cause,
        Self::Sig,
        Self::Age,
        Self::Dur,
        Self::Wait,
        Self::Tries,
        Self::Size,
        Self::Blocks,
        Self::Since,
    ];

    /// The word that stands before the operator.
    pub const fn name(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Stage => "stage",
            Self::Stack => "stack",
            Self::Pkg => "pkg",
            Self::Hash => "hash",
            Self::Spec => "spec",
            Self::Compiler => "compiler",
            Self::Ref => "ref",
            Self::Pr => "pr",
            Self::Author => "author",
            Self::Runner => "runner",
            Self::Node => "node",
            Self::Tag => "tag",
            Self::Class => "class",
            Self::Cause => "cause",
            Self::Sig => "sig",
            Self::Age => "age",
            Self::Dur => "dur",
            Self::Wait => "wait",
            Self::Tries => "tries",
            Self::Size => "size",
            Self::Blocks => "blocks",
            Self::Since => "since",
        }
    }

    /// Finds the field of this name, in any case.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|field| field.name().eq_ignore_ascii_case(name))
    }

    pub(super) const fn kind(self) -> Kind {
        match self {
            Self::Pr | Self::Tries | Self::Blocks => Kind::Number,
            Self::Age | Self::Dur | Self::Wait => Kind::Length,
            Self::Size => Kind::Bytes,
            Self::Since => Kind::Moment,
            _ => Kind::Text,
        }
    }

    /// The field that was probably meant.
    pub(super) fn nearest(name: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .map(|field| (distance(name, field.name()), field))
            .min_by_key(|(distance, _)| *distance)
            .filter(|(distance, field)| *distance <= 2 && *distance < field.name().len())
            .map(|(_, field)| field)
    }
}

impl fmt::Display for Field {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// How many letters must change to make one word of the other.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut left = i + 1;
        let mut next = vec![left];
        for ((y, above), diagonal) in b.bytes().zip(row.iter().skip(1)).zip(&row) {
            left = (diagonal + usize::from(!x.eq_ignore_ascii_case(&y))).min(left + 1).min(above + 1);
            next.push(left);
        }
        row = next;
    }
    row.last().copied().unwrap_or(usize::MAX)
}

/// What a thing answers when asked for a field.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Value<'a> {
    /// Nobody has read it yet: matches no comparison and no negated one, only `field:?`.
    Unknown,
    /// It is known that there is none: matches no comparison, and every negated one.
    Absent,
    State(JobState),
    Text(&'a str),
    /// Several texts; a comparison holds if it holds for one of them.
    Many(&'a [Arc<str>]),
    Number(f64),
    Length(Duration),
    /// A moment. Where a length is asked for (`age`, `wait`) it counts as the time since then, so that things need not know the time.
    Time(Timestamp),
    Bytes(u64),
}

impl Value<'_> {
    /// Says whether the fact itself is unknown.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Unknown | Self::State(JobState::Unknown))
    }
}

/// Something that filters can be asked about. Both methods run for every row at every key: they must not allocate.
pub trait Subject {
    /// Shows every text that the row shows.
    fn words(&self, visit: &mut dyn FnMut(&str));
    /// Answers one fact.
    fn field(&self, field: Field) -> Value<'_>;
}
