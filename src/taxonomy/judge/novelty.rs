//! What is new: when a signature was first seen, how often since, and whether it is the trunk's or one pull request's.
//!
//! A signature is new when it was seen since a moment and not in the quiet time before it. Twenty-one days of quiet keep regressions and drop
//! more than half of what comes and goes (Mozilla's figures). Where the memory does not reach back so far, whether it is new is unknown.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::days::{Covered, DAY, Zone};
use super::figures::Count;
use crate::ci::{JobId, Timestamp};
use crate::taxonomy::Failure;

/// Buckets of a sparkline that are drawn at most.
const MOST_DAYS: usize = 366;

/// From where and how far to look.
#[derive(Debug, Clone)]
pub struct NoveltyQuestion<'a> {
    pub now: Timestamp,
    /// Where days begin.
    pub zone: Zone,
    /// New means: first seen since then.
    pub since: Timestamp,
    /// For how long before `since` it must not have been seen.
    pub quiet: Duration,
    /// The branch on which failures are everybody's.
    pub trunk: &'a str,
    /// Which times were looked at.
    pub covered: &'a Covered,
    /// How many days the sparkline has, today included; at most 366.
    pub days: usize,
}

impl<'a> NoveltyQuestion<'a> {
    /// New since the last midnight and not in 21 days before, with a sparkline of 14 days, against `develop`.
    pub fn today(now: Timestamp, zone: Zone, covered: &'a Covered) -> Self {
        let quiet = Duration::from_millis(21 * DAY as u64);
        Self { now, zone, since: zone.midnight(now), quiet, trunk: "develop", covered, days: 14 }
    }
}

/// Where a signature was seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reach {
    /// On the trunk too: no pull request is to blame.
    Trunk,
    /// On this branch or pull request only.
    One(Arc<str>),
    /// On so many, and not on the trunk.
    Several(usize),
}

/// What is known of a signature's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Novelty {
    pub first_seen: Timestamp,
    /// The job that showed it first.
    pub first_job: JobId,
    pub last_seen: Timestamp,
    /// `None`: the memory does not reach back far enough to say.
    pub is_new: Option<bool>,
    /// Since the last midnight.
    pub today: Count,
    /// In seven days, today included.
    pub week: Count,
    /// By day, oldest first, today last.
    pub sparkline: Vec<Count>,
    pub reach: Reach,
}

/// Tells the past of each fingerprint among these failures. Failures without one, and those that lie after `now`, are left out.
pub fn novelties(failures: &[&Failure], question: &NoveltyQuestion<'_>) -> BTreeMap<Arc<str>, Novelty> {
    let mut seen: BTreeMap<&Arc<str>, BTreeMap<(Timestamp, JobId), &Failure>> = BTreeMap::new();
    for failure in failures.iter().filter(|f| f.at <= question.now) {
        if let Some(fingerprint) = &failure.fingerprint {
            seen.entry(fingerprint).or_default().insert((failure.at, failure.job), failure);
        }
    }
    seen.into_iter().filter_map(|(name, past)| Some((Arc::clone(name), question.past(&past)?))).collect()
}

impl NoveltyQuestion<'_> {
    fn past(&self, past: &BTreeMap<(Timestamp, JobId), &Failure>) -> Option<Novelty> {
        let ((first_seen, first_job), _) = past.first_key_value()?;
        let ((last_seen, _), _) = past.last_key_value()?;
        let refs: BTreeSet<&Arc<str>> = past.values().map(|f| &f.git_ref).collect();
        let reach = match refs.first() {
            _ if refs.iter().any(|r| ***r == *self.trunk) => Reach::Trunk,
            Some(only) if refs.len() == 1 => Reach::One(Arc::clone(only)),
            _ => Reach::Several(refs.len()),
        };
        let midnight = self.zone.midnight(self.now);
        let sparkline = (0..self.days.min(MOST_DAYS) as i64).rev().map(|ago| {
            let start = midnight.shifted(-ago * DAY);
            self.count(past, start, start.shifted(DAY))
        });
        Some(Novelty {
            first_seen: *first_seen,
            first_job: *first_job,
            last_seen: *last_seen,
            is_new: self.is_new(past),
            today: self.count(past, midnight, self.now),
            week: self.count(past, midnight.shifted(-6 * DAY), self.now),
            sparkline: sparkline.collect(),
            reach,
        })
    }

    fn is_new(&self, past: &BTreeMap<(Timestamp, JobId), &Failure>) -> Option<bool> {
        let (since, none) = ((self.since, JobId(0)), JobId(0));
        let quiet = self.since.shifted(-i64::try_from(self.quiet.as_millis()).unwrap_or(i64::MAX));
        if past.range(since..).next().is_none() || past.range((quiet, none)..since).next().is_some() {
            return Some(false);
        }
        self.covered.holds(&(quiet..self.since)).then_some(true)
    }

    /// From `start` up to `end` or now, whichever comes first; now itself belongs to it.
    fn count(&self, past: &BTreeMap<(Timestamp, JobId), &Failure>, start: Timestamp, end: Timestamp) -> Count {
        let last = end.shifted(-1).min(self.now).max(start);
        let last = if end >= self.now { self.now } else { last };
        let seen = past.range((start, JobId(0))..=(last, JobId(u64::MAX))).count() as u64;
        Count::new(seen, self.covered.holds(&(start..end.min(self.now))))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{each, failed, midnight};
    use super::*;

    fn seen(job: u64, days_ago: i64, git_ref: &str) -> Failure {
        Failure { git_ref: git_ref.into(), ..failed(job, 60 - days_ago * 1_440, "x") }
    }

    fn everything() -> Covered {
        Covered::of(&[midnight().shifted(-100 * DAY)..midnight().shifted(DAY)])
    }

    fn past(failures: &[Failure], covered: &Covered) -> Novelty {
        let now = midnight().shifted(DAY / 2);
        let found = novelties(&each(failures), &NoveltyQuestion::today(now, Zone::UTC, covered));
        found.get("s1-x").cloned().unwrap()
    }

    #[test]
    fn new_is_what_was_not_seen_before() {
        let all = everything();
        assert_eq!(past(&[seen(1, 0, "pr1")], &all).is_new, Some(true));
        assert_eq!(past(&[seen(1, 0, "pr1"), seen(2, 20, "pr1")], &all).is_new, Some(false));
        assert_eq!(past(&[seen(1, 0, "pr1"), seen(2, 22, "pr1")], &all).is_new, Some(true), "back after a long quiet");
        assert_eq!(past(&[seen(2, 1, "pr1")], &all).is_new, Some(false), "not today");
    }

    #[test]
    fn a_short_memory_does_not_say_new() {
        let short = Covered::of(&[midnight().shifted(-3 * DAY)..midnight().shifted(DAY)]);
        assert_eq!(past(&[seen(1, 0, "pr1")], &short).is_new, None);
        assert_eq!(past(&[seen(1, 0, "pr1"), seen(2, 2, "pr1")], &short).is_new, Some(false));
    }

    #[test]
    fn counts_by_day_know_what_was_not_looked_at() {
        let gap = Covered::of(&[
            midnight().shifted(-30 * DAY)..midnight().shifted(-2 * DAY),
            midnight().shifted(-DAY)..midnight().shifted(DAY),
        ]);
        let found = past(&[seen(1, 0, "a"), seen(2, 0, "a"), seen(3, 3, "a"), seen(4, 9, "a")], &gap);
        assert_eq!(found.today, Count::Exactly(2));
        assert_eq!(found.week, Count::AtLeast(3));
        assert_eq!(found.sparkline.len(), 14);
        assert_eq!(found.sparkline[13], Count::Exactly(2));
        assert_eq!(found.sparkline[11], Count::Unknown);
        assert_eq!(found.sparkline[10], Count::Exactly(1));
        assert_eq!(found.sparkline[4], Count::Exactly(1));
        assert_eq!(found.first_job, JobId(4));
    }

    #[test]
    fn the_trunk_clears_pull_requests() {
        let all = everything();
        assert_eq!(past(&[seen(1, 0, "pr1"), seen(2, 1, "develop")], &all).reach, Reach::Trunk);
        assert_eq!(past(&[seen(1, 0, "pr1"), seen(2, 1, "pr1")], &all).reach, Reach::One("pr1".into()));
        assert_eq!(past(&[seen(1, 0, "pr1"), seen(2, 1, "pr2")], &all).reach, Reach::Several(2));
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_days_add_up(ago in proptest::collection::vec(0_i64..14, 1..30), hours in -12_i32..12) {
            let failures: Vec<Failure> = ago.iter().enumerate().map(|(n, ago)| seen(n as u64, *ago, "a")).collect();
            let covered = everything();
            let now = midnight().shifted(DAY / 2);
            let question = NoveltyQuestion { days: 16, ..NoveltyQuestion::today(now, Zone::hours(hours), &covered) };
            let mut turned = each(&failures);
            turned.reverse();
            let one = novelties(&turned, &question);
            prop_assert_eq!(&one, &novelties(&each(&failures), &question));
            let found = &one["s1-x"];
            prop_assert_eq!(found.sparkline.iter().map(|c| c.seen()).sum::<u64>(), failures.len() as u64);
            prop_assert_eq!(found.sparkline[9..].iter().map(|c| c.seen()).sum::<u64>(), found.week.seen());
            prop_assert_eq!(found.sparkline[15], found.today);
        }
    }
}
