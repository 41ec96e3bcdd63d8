//! A week of failures by class and day, against the week before; and how many pipelines succeed.
//!
//! Days are those of a [`Zone`]; today ends now. A day that was not looked at whole is no zero, and the weeks are compared only by pairs of
//! days (this one, and the one seven days before) that both were. Today's partner is cut at the same time of day.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::days::{Covered, DAY, Zone};
use super::figures::{Count, Share};
use crate::ci::{JobId, Timestamp};
use crate::taxonomy::{Failure, Transient, UNKNOWN};

const WEEK: usize = 7;
/// Days of a success trend at most.
const MOST_DAYS: usize = 366;

/// A week of failures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trend {
    /// When each day began, oldest first, today last.
    pub days: Vec<Timestamp>,
    /// All failures by day.
    pub total: Vec<Count>,
    /// Most frequent of this week first, then by name. Has every class of this week and the one before.
    pub classes: Vec<ClassTrend>,
    /// Failures of this week that may go away by themselves (transient: yes) among those of which it is known either way.
    pub transient: Share,
    /// Failures of this week that no rule knows, among all.
    pub unknown: Share,
    /// Rule sets that began to judge this week.
    pub rule_changes: Vec<RuleChange>,
}

/// One class in the week.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClassTrend {
    pub class: Arc<str>,
    pub by_day: Vec<Count>,
    /// Known failures of this week.
    pub seen: u64,
    /// On the days that can be compared: this week, the week before.
    pub now: u64,
    pub before: u64,
    /// How many pairs of days can be compared; with none, `now` and `before` say nothing.
    pub compared: usize,
}

impl ClassTrend {
    /// How many times as many as the week before; `None` when no days can be compared, or there was none.
    pub fn growth(&self) -> Option<f64> {
        (self.compared > 0 && self.before > 0).then(|| self.now as f64 / self.before as f64)
    }
}

/// From here on other rules judged.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleChange {
    /// The first failure that they judged.
    pub at: Timestamp,
    pub rules: Arc<str>,
}

/// Counts a week of failures up to `now`. Each job counts once; failures after `now` do not.
pub fn trend(failures: &[&Failure], now: Timestamp, zone: Zone, covered: &[Range<Timestamp>]) -> Trend {
    let covered = Covered::of(covered);
    let days = days(now, zone, WEEK);
    let spans: Vec<[Span; 2]> =
        days.iter().map(|start| [0, -(WEEK as i64)].map(|back| Span::new(*start, now, back, &covered))).collect();
    let by_job: BTreeMap<JobId, &Failure> = failures.iter().filter(|f| f.at <= now).map(|f| (f.job, *f)).collect();

    let (mut transient, mut unknown) = (Share::default(), Share::default());
    let mut total = [0; WEEK];
    let mut classes: BTreeMap<&Arc<str>, [[u64; 2]; WEEK]> = BTreeMap::new();
    for failure in by_job.values() {
        let hit = spans
            .iter()
            .enumerate()
            .find_map(|(day, pair)| Some((day, pair.iter().position(|s| s.holds(failure.at))?)));
        let Some((day, week)) = hit else { continue };
        let table = classes.entry(&failure.class).or_default();
        if let Some(slot) = table.get_mut(day).and_then(|pair| pair.get_mut(week)) {
            *slot += 1;
        }
        if week == 0 {
            if let Some(slot) = total.get_mut(day) {
                *slot += 1;
            }
            unknown.add(&*failure.class == UNKNOWN);
            if failure.transient != Transient::Unknown {
                transient.add(failure.transient == Transient::Yes);
            }
        }
    }
    let count = |seen: u64, pair: &[Span; 2]| Count::new(seen, pair.first().is_some_and(|s| s.whole));
    let mut classes: Vec<ClassTrend> = classes
        .into_iter()
        .map(|(class, table)| {
            let both: Vec<[u64; 2]> = table
                .iter()
                .zip(&spans)
                .filter(|(_, pair)| pair.iter().all(|s| s.whole))
                .map(|(counts, _)| *counts)
                .collect();
            ClassTrend {
                class: Arc::clone(class),
                by_day: table.iter().zip(&spans).map(|([seen, _], pair)| count(*seen, pair)).collect(),
                seen: table.iter().map(|[seen, _]| seen).sum(),
                now: both.iter().map(|[now, _]| now).sum(),
                before: both.iter().map(|[_, before]| before).sum(),
                compared: both.len(),
            }
        })
        .collect();
    classes.sort_by(|a, b| b.seen.cmp(&a.seen).then_with(|| a.class.cmp(&b.class)));
    let rule_changes = rule_changes(&by_job, days.first().copied().unwrap_or(now));
    let total = total.into_iter().zip(&spans).map(|(seen, pair)| count(seen, pair)).collect();
    Trend { days, total, classes, transient, unknown, rule_changes }
}

/// Pipelines of one day.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuccessDay {
    pub start: Timestamp,
    /// Those that succeeded, among those that ended. A day without any has no rate.
    pub share: Share,
    /// All of the day, so far, was looked at.
    pub whole: bool,
}

/// The success of pipelines by the day on which they ended, oldest first, today last; at most 366 days.
pub fn success_trend(
    pipelines: &[(Timestamp, bool)],
    now: Timestamp,
    zone: Zone,
    days_shown: usize,
    covered: &[Range<Timestamp>],
) -> Vec<SuccessDay> {
    let covered = Covered::of(covered);
    let starts = days(now, zone, days_shown);
    let mut shares = vec![Share::default(); starts.len()];
    for (at, succeeded) in pipelines.iter().filter(|(at, _)| *at <= now) {
        let after = starts.partition_point(|start| start <= at);
        if let Some(share) = after.checked_sub(1).and_then(|day| shares.get_mut(day)) {
            share.add(*succeeded);
        }
    }
    let day = |(start, share): (Timestamp, Share)| SuccessDay {
        start,
        share,
        whole: Span::new(start, now, 0, &covered).whole,
    };
    starts.into_iter().zip(shares).map(day).collect()
}

/// When the last days began, oldest first.
fn days(now: Timestamp, zone: Zone, count: usize) -> Vec<Timestamp> {
    let midnight = zone.midnight(now);
    (0..count.min(MOST_DAYS) as i64).rev().map(|ago| midnight.shifted(-ago * DAY)).collect()
}

/// A day, or its partner some days before, up to now.
struct Span {
    start: Timestamp,
    /// The last moment that belongs to it.
    last: Timestamp,
    whole: bool,
}

impl Span {
    fn new(start: Timestamp, now: Timestamp, back: i64, covered: &Covered) -> Self {
        let end = start.shifted(DAY);
        // Now itself belongs to today.
        let (end, last) = if end > now { (now, now) } else { (end, end.shifted(-1)) };
        let [start, end, last] = [start, end, last].map(|t| t.shifted(back * DAY));
        Self { start, last, whole: covered.holds(&(start..end)) }
    }

    fn holds(&self, at: Timestamp) -> bool {
        (self.start..=self.last).contains(&at)
    }
}

/// Each rule set when it judged first, without the one that was there at the beginning.
fn rule_changes(failures: &BTreeMap<JobId, &Failure>, from: Timestamp) -> Vec<RuleChange> {
    let mut first: BTreeMap<&Arc<str>, Timestamp> = BTreeMap::new();
    for failure in failures.values() {
        let at = first.entry(&failure.rules).or_insert(failure.at);
        *at = failure.at.min(*at);
    }
    let ordered: BTreeSet<(Timestamp, &Arc<str>)> = first.into_iter().map(|(rules, at)| (at, rules)).collect();
    let changes = ordered.into_iter().skip(1).filter(|(at, _)| *at >= from);
    changes.map(|(at, rules)| RuleChange { at, rules: Arc::clone(rules) }).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{each, failed, midnight};
    use super::*;

    fn now() -> Timestamp {
        midnight().shifted(DAY / 2)
    }

    fn ago(job: u64, days: i64, class: &str) -> Failure {
        failed(job, 60 - days * 1_440, class)
    }

    fn weeks(n: i64) -> [Range<Timestamp>; 1] {
        [midnight().shifted(-n * 7 * DAY)..now()]
    }

    #[test]
    fn a_week_against_the_week_before() {
        let failures = [
            ago(1, 0, "oom"),
            ago(2, 1, "oom"),
            ago(3, 8, "oom"),
            ago(4, 9, "dns"),
            ago(5, 1, "unknown"),
            ago(6, 20, "old"),
        ];
        let found = trend(&each(&failures), now(), Zone::UTC, &weeks(4));
        let lines: Vec<_> = found.classes.iter().map(|c| (&*c.class, c.seen, c.now, c.before, c.compared)).collect();
        assert_eq!(lines, [("oom", 2, 2, 1, 7), ("unknown", 1, 1, 0, 7), ("dns", 0, 0, 1, 7)]);
        assert_eq!(found.classes[0].growth(), Some(2.0));
        assert_eq!(found.classes[1].growth(), None, "nothing before is no rate");
        assert_eq!(found.classes[0].by_day[6], Count::Exactly(1));
        assert_eq!(found.classes[0].by_day[0], Count::Exactly(0));
        assert_eq!(found.unknown, Share { part: 1, whole: 3 });
        assert_eq!(found.total[5], Count::Exactly(2));
    }

    #[test]
    fn days_nobody_looked_at_are_unknown() {
        let failures = [ago(1, 2, "oom"), ago(2, 9, "oom"), ago(3, 1, "oom")];
        let covered = [midnight().shifted(-2 * DAY)..now()];
        let found = trend(&each(&failures), now(), Zone::UTC, &covered);
        assert_eq!(found.classes[0].by_day[4..], [Count::Exactly(1), Count::Exactly(1), Count::Exactly(0)]);
        assert_eq!(found.classes[0].by_day[3], Count::Unknown);
        assert_eq!((found.classes[0].compared, found.classes[0].growth()), (0, None));
        let none = trend(&each(&failures), now(), Zone::UTC, &[]);
        assert_eq!(none.total[4], Count::AtLeast(1));
        assert_eq!(none.total[6], Count::Unknown);
    }

    #[test]
    fn today_is_compared_with_the_same_part_of_its_day() {
        let late = failed(1, -7 * 1_440 + 13 * 60, "oom");
        let early = failed(2, -7 * 1_440 + 11 * 60, "oom");
        let found = trend(&[&late, &early], now(), Zone::UTC, &weeks(3));
        assert_eq!(found.classes[0].before, 1);
    }

    #[test]
    fn transient_leaves_out_what_is_not_known() {
        let mut failures = [ago(1, 0, "a"), ago(2, 0, "a"), ago(3, 0, "a")];
        failures[0].transient = Transient::Yes;
        failures[1].transient = Transient::Unknown;
        assert_eq!(trend(&each(&failures), now(), Zone::UTC, &weeks(2)).transient, Share { part: 1, whole: 2 });
        assert_eq!(trend(&[], now(), Zone::UTC, &weeks(2)).transient.rate(), None);
    }

    #[test]
    fn new_rules_are_marked_where_they_began() {
        let mut failures = [ago(1, 3, "a"), ago(2, 2, "a"), ago(3, 1, "a"), ago(4, 0, "a")];
        failures[2].rules = "new".into();
        failures[3].rules = "new".into();
        let found = trend(&each(&failures), now(), Zone::UTC, &weeks(2));
        assert_eq!(found.rule_changes, [RuleChange { at: failures[2].at, rules: "new".into() }]);
    }

    #[test]
    fn pipelines_by_day_have_no_rate_without_any() {
        let runs = [(now(), true), (midnight(), false), (midnight().shifted(-1), true), (now().shifted(1), true)];
        let found = success_trend(&runs, now(), Zone::UTC, 3, &[midnight().shifted(-DAY)..now()]);
        assert_eq!(found.iter().map(|d| d.share.rate()).collect::<Vec<_>>(), [None, Some(1.0), Some(0.5)]);
        assert_eq!(found.iter().map(|d| d.whole).collect::<Vec<_>>(), [false, true, true]);
        assert!(success_trend(&runs, now(), Zone::UTC, 0, &[]).is_empty());
    }

    proptest! {
        #[test]
        fn order_does_not_matter_and_classes_add_up(
            values in proptest::collection::vec((0_i64..15, 0_usize..3, -700_i64..700), 0..40), hours in -12_i32..13,
        ) {
            let make = |(n, (days, class, minute)): (usize, &(i64, usize, i64))| failed(n as u64, minute - days * 1_440, ["a", "b", "c"][*class]);
            let failures: Vec<Failure> = values.iter().enumerate().map(make).collect();
            let one = trend(&each(&failures), now(), Zone::hours(hours), &weeks(5));
            let mut turned = each(&failures);
            turned.reverse();
            turned.extend(each(&failures));
            prop_assert_eq!(&one, &trend(&turned, now(), Zone::hours(hours), &weeks(5)));
            for day in 0..7 {
                let sum: u64 = one.classes.iter().map(|c| c.by_day[day].seen()).sum();
                prop_assert_eq!(Some(sum), one.total[day].exact());
            }
        }
    }
}
