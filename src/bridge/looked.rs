//! Facts that have to be looked for, and what is tried again when.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ci::Timestamp;
use crate::forge::Sha;

/// A fact that costs a request or a command. What was not found out is neither absent nor zero.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Looked<T> {
    /// Nobody asked.
    NotYet,
    Failed(Fault),
    Found(T),
}

/// Why a fact is not known.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// One line, without secrets.
    pub why: Arc<str>,
    /// The same question may be answered the next time: a timeout, a 502, a network that is down.
    pub passes: bool,
}

impl<T> Looked<T> {
    pub fn found(&self) -> Option<&T> {
        match self {
            Self::Found(fact) => Some(fact),
            Self::NotYet | Self::Failed(_) => None,
        }
    }

    /// The fact, or why it is not known.
    pub fn known(&self) -> Result<&T, Arc<str>> {
        match self {
            Self::Found(fact) => Ok(fact),
            Self::NotYet => Err("it was not asked for".into()),
            Self::Failed(fault) => Err(fault.why.clone()),
        }
    }
}

/// Something that failed and is left alone for a while, so that it cannot hold up anything else: first for a minute, then twice as long each
/// time, for an hour at most. Another commit starts afresh.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trouble {
    /// The commit that it is about.
    pub about: Sha,
    pub tries: u32,
    pub last: Timestamp,
    pub why: Arc<str>,
}

impl Trouble {
    const FIRST: Duration = Duration::from_secs(60);
    const MOST: Duration = Duration::from_secs(3_600);

    /// One more failure.
    pub fn again(before: Option<&Self>, about: &Sha, why: &str, now: Timestamp) -> Self {
        let tries = before.filter(|trouble| trouble.about == *about).map_or(0, |trouble| trouble.tries);
        Self { about: about.clone(), tries: tries.saturating_add(1), last: now, why: why.into() }
    }

    /// When it is tried again.
    pub fn until(&self) -> Timestamp {
        let doublings = self.tries.saturating_sub(1).min(16);
        self.last.plus(Self::FIRST.saturating_mul(1 << doublings).min(Self::MOST))
    }

    /// Whether this commit is still left alone.
    pub fn holds(&self, commit: &Sha, now: Timestamp) -> bool {
        self.about == *commit && now < self.until()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_double_up_to_an_hour_and_a_new_commit_starts_afresh() {
        let (one, two) = (Sha::parse(&"1".repeat(40)).unwrap(), Sha::parse(&"2".repeat(40)).unwrap());
        let now = Timestamp::from_millis(1_790_000_000_000);
        let mut trouble = Trouble::again(None, &one, "pre-receive hook declined", now);
        let mut waits = Vec::new();
        for _ in 0..8 {
            waits.push(trouble.until().since(trouble.last).as_secs());
            trouble = Trouble::again(Some(&trouble), &one, "pre-receive hook declined", trouble.until());
        }
        assert_eq!(waits, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600]);
        assert!(trouble.holds(&one, trouble.last) && !trouble.holds(&one, trouble.until()));
        assert!(!trouble.holds(&two, trouble.last));
        assert_eq!(Trouble::again(Some(&trouble), &two, "x", now).tries, 1);
    }
}
