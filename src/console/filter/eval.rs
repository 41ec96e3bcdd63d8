//! Asking a filter about one thing.

use std::ops::{Not, Range};

use super::field::{Field, Kind, Subject, Value};
use super::term::{Compare, Node, Op, Operand};
use crate::ci::Timestamp;

/// The three truths: what is unknown stays unknown when it is negated.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Truth {
    False,
    Unknown,
    True,
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Self {
        if holds { Self::True } else { Self::False }
    }
}

impl Not for Truth {
    type Output = Self;

    fn not(self) -> Self {
        match self {
            Self::False => Self::True,
            Self::Unknown => Self::Unknown,
            Self::True => Self::False,
        }
    }
}

impl Node {
    pub(super) fn holds(&self, subject: &(impl Subject + ?Sized), now: Timestamp) -> bool {
        self.truth(subject, now) == Truth::True
    }

    pub(super) fn may_hold(&self, subject: &(impl Subject + ?Sized), now: Timestamp) -> bool {
        self.truth(subject, now) != Truth::False
    }

    fn truth(&self, subject: &(impl Subject + ?Sized), now: Timestamp) -> Truth {
        match self {
            Self::All(parts) => {
                let mut all = Truth::True;
                for part in parts {
                    all = all.min(part.truth(subject, now));
                    if all == Truth::False {
                        break;
                    }
                }
                all
            }
            Self::Any(parts) => {
                let mut any = Truth::False;
                for part in parts {
                    any = any.max(part.truth(subject, now));
                    if any == Truth::True {
                        break;
                    }
                }
                any
            }
            Self::Not(node) => !node.truth(subject, now),
            Self::Saved { node, .. } => node.truth(subject, now),
            Self::Word(_, fuzzy) => any_word(subject, |text| fuzzy.matches(text)),
            Self::Quoted(needle) => any_word(subject, |text| needle.find(text).is_some()),
            Self::Pattern(pattern) => any_word(subject, |text| pattern.is_match(text)),
            Self::Compare(compare) => compare.truth(subject.field(compare.field), now),
        }
    }

    /// Adds what this part would underline in `text`; nothing under a negation is looked for.
    pub(super) fn collect_highlights(&self, text: &str, found: &mut Vec<Range<usize>>) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.collect_highlights(text, found)),
            Self::Saved { node, .. } => node.collect_highlights(text, found),
            Self::Word(_, fuzzy) => found.extend(fuzzy.find(text).into_iter().flat_map(|m| m.ranges(text))),
            Self::Quoted(needle) => found.extend(needle.find(text)),
            Self::Pattern(pattern) => found.extend(pattern.find_iter(text).filter(|range| !range.is_empty())),
            Self::Not(_) | Self::Compare(_) => {}
        }
    }
}

fn any_word(subject: &(impl Subject + ?Sized), test: impl Fn(&str) -> bool) -> Truth {
    let mut any = false;
    subject.words(&mut |text| any = any || test(text));
    any.into()
}

impl Compare {
    fn truth(&self, value: Value<'_>, now: Timestamp) -> Truth {
        let mut any = Truth::False;
        for operand in &self.operands {
            any = any.max(operand.truth(self.field, self.op, &value, now));
        }
        if self.op == Op::Differs { !any } else { any }
    }
}

impl Operand {
    fn truth(&self, field: Field, op: Op, value: &Value<'_>, now: Timestamp) -> Truth {
        if matches!(self, Self::Unknown) {
            return value.is_unknown().into();
        }
        match (self, value) {
            // A state that asks for `unknown` by name has found it.
            (Self::State(_, states) | Self::StatePattern(_, states), Value::State(state))
                if states.contains(*state) =>
            {
                Truth::True
            }
            (_, value) if value.is_unknown() => Truth::Unknown,
            (Self::State(..) | Self::StatePattern(..), Value::State(_)) | (_, Value::Absent) => Truth::False,
            (_, Value::Text(text)) => self.text_truth(op, text),
            (_, Value::Many(texts)) => texts
                .iter()
                .map(|text| self.text_truth(op, text))
                .max()
                // Known to have none.
                .unwrap_or(Truth::False),
            (Self::Quantity(_, quantity), value) => match magnitude(field.kind(), value, now) {
                None => Truth::Unknown,
                Some(value) => match op {
                    Op::Less => value < quantity.low,
                    Op::AtMost => value <= quantity.low,
                    Op::More => value > quantity.low,
                    Op::AtLeast => value >= quantity.low,
                    Op::Contains | Op::Equals | Op::Differs | Op::Matches => quantity.equals(value),
                }
                .into(),
            },
            (Self::Moment(_, moment), Value::Time(time)) => {
                let (start, end) = moment.at(now);
                match op {
                    Op::Less => *time < start,
                    Op::AtMost => *time <= start,
                    Op::More => *time > start,
                    // `since:02:30` reads as it is said.
                    Op::AtLeast | Op::Contains => *time >= start,
                    Op::Equals | Op::Differs | Op::Matches => *time >= start && *time < end,
                }
                .into()
            }
            // An answer of another kind tells nothing about this question.
            _ => Truth::Unknown,
        }
    }

    fn text_truth(&self, op: Op, text: &str) -> Truth {
        match self {
            Self::Text(needle) | Self::State(needle, _) => {
                if op == Op::Contains {
                    needle.find(text).is_some().into()
                } else {
                    needle.equals(text).into()
                }
            }
            Self::Pattern(pattern) | Self::StatePattern(pattern, _) => pattern.is_match(text).into(),
            Self::Unknown | Self::Quantity(..) | Self::Moment(..) => Truth::Unknown,
        }
    }
}

/// The answer as a number in the unit of its kind.
fn magnitude(kind: Kind, value: &Value<'_>, now: Timestamp) -> Option<f64> {
    match (kind, value) {
        (Kind::Length, Value::Time(since)) => Some(now.since(*since).as_secs_f64()),
        (Kind::Length, Value::Length(length)) => Some(length.as_secs_f64()),
        (Kind::Number, Value::Number(number)) => Some(*number),
        (Kind::Bytes, Value::Bytes(bytes)) => Some(*bytes as f64),
        _ => None,
    }
}
