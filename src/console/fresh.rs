//! Remote facts with their age: value, when it was read, how complete it is, and the last failure to read it.

use std::time::Duration;

use super::fault::{Count, Fault};
use crate::ci::Timestamp;

/// How much of the truth a value holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub enum Completeness {
    /// Nothing has been read yet: the value means nothing.
    #[default]
    Unknown,
    /// Some pages have been read: counts are lower bounds.
    Partial,
    /// All of it has been read, at `fetched_at`.
    Whole,
}

impl Completeness {
    /// Dresses a count of parts that are known so far.
    pub fn count(self, n: usize) -> Count {
        match self {
            Self::Unknown => Count::Unknown,
            Self::Partial => Count::AtLeast(n),
            Self::Whole => Count::Exact(n),
        }
    }
}

/// How a panel should show a fact.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Freshness {
    Loading,
    Partial,
    Live(Duration),
    Stale(Duration),
    /// Failed and never known.
    Failed,
}

/// A remote fact.
#[derive(Debug, Clone, Default)]
pub struct Fresh<T> {
    pub value: T,
    pub fetched_at: Option<Timestamp>,
    pub completeness: Completeness,
    /// The last failure, cleared by the next success. The value from before it stays.
    pub error: Option<Fault>,
}

impl<T> Fresh<T> {
    /// Notes that reading went well at `at`.
    pub fn read(&mut self, at: Timestamp, completeness: Completeness) {
        self.fetched_at = Some(self.fetched_at.map_or(at, |old| old.max(at)));
        self.completeness = self.completeness.max(completeness);
        self.error = None;
    }

    /// Notes that reading failed; keeps value, age and completeness.
    pub fn failed(&mut self, fault: Fault) {
        self.error = Some(fault);
    }

    /// Time since the last success; `None` when there was none.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.fetched_at.map(|at| now.since(at))
    }

    /// How to show this fact, given how often it is read.
    pub fn freshness(&self, now: Timestamp, period: Duration) -> Freshness {
        match (self.completeness, self.age(now)) {
            (Completeness::Unknown, _) | (_, None) => {
                if self.error.is_some() {
                    Freshness::Failed
                } else {
                    Freshness::Loading
                }
            }
            (_, Some(age)) if age > period * 2 => Freshness::Stale(age),
            (Completeness::Partial, Some(_)) => Freshness::Partial,
            (Completeness::Whole, Some(age)) => Freshness::Live(age),
        }
    }

    /// Dresses a count of this fact's parts with what is known about its completeness.
    pub fn count(&self, n: usize) -> Count {
        self.completeness.count(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::fault::FaultKind;

    #[test]
    fn unknown_never_becomes_zero_and_errors_keep_the_value() {
        let mut f: Fresh<Vec<u8>> = Fresh::default();
        let t = Timestamp::from_millis(1_000_000);
        let period = Duration::from_secs(10);
        assert_eq!(f.count(0).to_string(), "?");
        assert_eq!(f.freshness(t, period), Freshness::Loading);
        f.failed(Fault::new(FaultKind::Timeout, "read", "no answer"));
        assert_eq!(f.freshness(t, period), Freshness::Failed);
        f.value = vec![1, 2];
        f.read(t, Completeness::Partial);
        assert_eq!(f.count(2).to_string(), "≥ 2");
        f.read(t, Completeness::Whole);
        f.failed(Fault::new(FaultKind::Timeout, "read", "no answer"));
        assert_eq!(f.count(2).to_string(), "2");
        assert_eq!(f.freshness(t.shifted(21_000), period), Freshness::Stale(Duration::from_secs(21)));
        assert_eq!(f.value, [1, 2]);
    }
}
