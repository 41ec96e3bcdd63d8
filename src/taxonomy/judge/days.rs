//! Days as people count them, and which times were looked at.

use std::ops::Range;

use crate::ci::Timestamp;

/// Milliseconds of a minute, an hour, a day.
pub(super) const MINUTE: i64 = 60_000;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// A fixed distance from UTC. All days have 24 hours: one that begins summer time is cut where the offset of the whole table cuts it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Zone {
    minutes: i32,
}

impl Zone {
    /// The server's days.
    pub const UTC: Self = Self { minutes: 0 };

    /// Minutes east of UTC; beyond a day is cut to a day.
    pub fn minutes(minutes: i32) -> Self {
        Self { minutes: minutes.clamp(-1_440, 1_440) }
    }

    /// Hours east of UTC.
    pub fn hours(hours: i32) -> Self {
        Self::minutes(hours.saturating_mul(60))
    }

    /// When the day of a moment began.
    pub fn midnight(self, at: Timestamp) -> Timestamp {
        let offset = i64::from(self.minutes) * MINUTE;
        let local = at.millis().saturating_add(offset);
        Timestamp::from_millis(local.div_euclid(DAY).saturating_mul(DAY).saturating_sub(offset))
    }
}

/// Which times were looked at: disjoint stretches, in order.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Covered(Vec<Range<Timestamp>>);

impl Covered {
    /// From stretches in any order, which may touch, overlap and be empty.
    pub fn of(stretches: &[Range<Timestamp>]) -> Self {
        let mut sorted: Vec<_> = stretches.iter().filter(|s| s.start < s.end).cloned().collect();
        sorted.sort_by_key(|s| (s.start, s.end));
        let mut merged: Vec<Range<Timestamp>> = Vec::with_capacity(sorted.len());
        for stretch in sorted {
            match merged.last_mut().filter(|last| stretch.start <= last.end) {
                Some(last) => last.end = last.end.max(stretch.end),
                None => merged.push(stretch),
            }
        }
        Self(merged)
    }

    /// Whether all of a stretch was looked at. An empty one always was.
    pub fn holds(&self, stretch: &Range<Timestamp>) -> bool {
        if stretch.start >= stretch.end {
            return true;
        }
        let after = self.0.partition_point(|s| s.start <= stretch.start);
        after.checked_sub(1).and_then(|at| self.0.get(at)).is_some_and(|s| s.end >= stretch.end)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        Timestamp::parse(text).unwrap()
    }

    #[test]
    fn days_begin_at_local_midnight() {
        let t = at("2026-05-01T22:30:00Z");
        assert_eq!(Zone::UTC.midnight(t), at("2026-05-01T00:00:00Z"));
        assert_eq!(Zone::hours(2).midnight(t), at("2026-05-01T22:00:00Z"));
        assert_eq!(Zone::hours(-7).midnight(at("2026-05-01T06:59:00Z")), at("2026-04-30T07:00:00Z"));
        assert_eq!(Zone::minutes(345).midnight(at("1969-12-31T18:15:00Z")), at("1969-12-31T18:15:00Z"));
        for extreme in [i64::MIN, i64::MAX] {
            Zone::hours(i32::MIN).midnight(Timestamp::from_millis(extreme));
        }
    }

    proptest! {
        #[test]
        fn covered_is_what_every_moment_says(
            stretches in proptest::collection::vec((0_i64..40, 0_i64..40), 0..8), start in 0_i64..40, len in 0_i64..20,
        ) {
            let t = Timestamp::from_millis;
            let covered = Covered::of(&stretches.iter().map(|(a, b)| t(*a)..t(*b)).collect::<Vec<_>>());
            let slow = (start..start + len).all(|m| stretches.iter().any(|(a, b)| (*a..*b).contains(&m)));
            prop_assert_eq!(covered.holds(&(t(start)..t(start + len))), slow);
        }

        #[test]
        fn a_midnight_is_its_own(ms in -10_000_000_000_000_i64..10_000_000_000_000, minutes in -900_i32..900) {
            let zone = Zone::minutes(minutes);
            let midnight = zone.midnight(Timestamp::from_millis(ms));
            prop_assert_eq!(zone.midnight(midnight), midnight);
            prop_assert!((0..DAY).contains(&(ms - midnight.millis())));
        }
    }
}
