//! Runners and nodes that fail far more than the others of their class.
//!
//! A member is an outlier when it ran enough jobs, fails more than so many times the median of its class, and chance is no explanation: were it
//! like the rest of its class, so many failures would be seen less than once in a hundred looks at the whole class.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::{Knob, Thresholds};

/// More jobs than this nobody ever ran.
const MOST: u64 = 1_000_000_000;

/// How the jobs of one runner or node ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tally {
    /// The runner or the node.
    pub member: Arc<str>,
    /// What it is compared within: a runner class, or a pool.
    pub class: Arc<str>,
    /// Jobs that succeeded or failed.
    pub ended: u64,
    pub failed: u64,
}

/// A member that fails far more than its class.
#[derive(Debug, Clone, PartialEq)]
pub struct Outlier {
    pub tally: Tally,
    /// Its share of failures.
    pub rate: f64,
    /// The median share of its class, itself left out.
    pub median: f64,
    /// How likely so many failures are by chance.
    pub chance: f64,
}

/// Finds the outliers, the least likely first.
pub fn outliers(tallies: &[Tally], thresholds: &Thresholds) -> Vec<Outlier> {
    let mut by_class: BTreeMap<&Arc<str>, Vec<&Tally>> = BTreeMap::new();
    // What is impossible says nothing.
    let is_possible = |tally: &&Tally| (1..=MOST).contains(&tally.ended) && tally.failed <= tally.ended;
    for tally in tallies.iter().filter(is_possible) {
        by_class.entry(&tally.class).or_default().push(tally);
    }
    let mut found: Vec<Outlier> = by_class.values().flat_map(|members| in_class(members, thresholds)).collect();
    found.sort_by(|a, b| a.chance.total_cmp(&b.chance).then_with(|| a.tally.member.cmp(&b.tally.member)));
    found
}

fn in_class(members: &[&Tally], thresholds: &Thresholds) -> Vec<Outlier> {
    let rate = |tally: &Tally| tally.failed as f64 / tally.ended as f64;
    let mut rates: Vec<f64> = members.iter().map(|member| rate(member)).collect();
    rates.sort_by(f64::total_cmp);
    let all = members
        .iter()
        .fold((0_u64, 0_u64), |(failed, ended), m| (failed.saturating_add(m.failed), ended.saturating_add(m.ended)));
    let judge = |member: &&Tally| {
        let own = rate(member);
        let median = median_without(&rates, own)?;
        if (member.ended as f64) < thresholds.get(Knob::OutlierJobs)
            || own <= thresholds.get(Knob::OutlierTimes) * median
        {
            return None;
        }
        // The rest of the class with one failure and one success more: a class that never failed is not perfect.
        let (failed, ended) = (all.0.saturating_sub(member.failed) + 1, all.1.saturating_sub(member.ended) + 2);
        let chance = at_least(member.failed, member.ended, failed as f64 / ended as f64);
        let limit = thresholds.get(Knob::OutlierChance) / members.len() as f64;
        (chance < limit).then(|| Outlier { tally: (*member).clone(), rate: own, median, chance })
    };
    members.iter().filter_map(judge).collect()
}

/// The median of a sorted list without one of its values; `None` when nothing else is there.
fn median_without(sorted: &[f64], value: f64) -> Option<f64> {
    let own = sorted.iter().position(|other| other.total_cmp(&value).is_eq())?;
    let rest = sorted.len() - 1;
    let nth = |n: usize| sorted.get(if n < own { n } else { n + 1 }).copied();
    if rest.is_multiple_of(2) {
        Some(f64::midpoint(nth((rest / 2).checked_sub(1)?)?, nth(rest / 2)?))
    } else {
        nth(rest / 2)
    }
}

/// The chance of at least `hits` in `tries`, each with chance `p`: the upper tail of the binomial distribution.
fn at_least(hits: u64, tries: u64, p: f64) -> f64 {
    let (n, k) = (tries as f64, hits as f64);
    // Up to the mean it is no chance worth a look.
    if k <= n * p {
        return 1.0;
    }
    // The logarithm of the first term, then each from the one before; past the mean they shrink.
    let mut term = ln_choose(tries, hits) + k * p.ln() + (n - k) * (-p).ln_1p();
    let mut sum = 0.0;
    for at in hits..=tries {
        let value = term.exp();
        sum += value;
        if value <= sum * 1e-12 {
            break;
        }
        let at = at as f64;
        term += ((n - at) / (at + 1.0)).ln() + p.ln() - (-p).ln_1p();
    }
    sum.min(1.0)
}

/// `ln(n choose k)` by Stirling's series, which is exact enough beyond ten.
fn ln_choose(n: u64, k: u64) -> f64 {
    ln_factorial(n) - ln_factorial(k) - ln_factorial(n - k.min(n))
}

fn ln_factorial(n: u64) -> f64 {
    if n < 20 {
        return (2..=n).map(|i| (i as f64).ln()).sum();
    }
    let n = n as f64;
    n * n.ln() - n + 0.5 * (std::f64::consts::TAU * n).ln() + 1.0 / (12.0 * n) - 1.0 / (360.0 * n.powi(3))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn class(members: &[(&str, u64, u64)]) -> Vec<Tally> {
        let tally = |(member, failed, ended): &(&str, u64, u64)| Tally {
            member: (*member).into(),
            class: "c".into(),
            ended: *ended,
            failed: *failed,
        };
        members.iter().map(tally).collect()
    }

    fn found(members: &[(&str, u64, u64)]) -> Vec<String> {
        outliers(&class(members), &Thresholds::default()).into_iter().map(|o| o.tally.member.to_string()).collect()
    }

    #[test]
    fn a_sick_member_is_found_and_bad_luck_is_not() {
        assert_eq!(found(&[("a", 1, 100), ("b", 2, 100), ("c", 38, 100), ("d", 1, 90)]), ["c"]);
        assert_eq!(
            found(&[("a", 1, 100), ("b", 1, 100), ("c", 1, 10), ("d", 0, 90)]),
            Vec::<String>::new(),
            "one of ten is chance"
        );
        assert_eq!(found(&[("a", 0, 100), ("b", 0, 100), ("c", 9, 9)]), Vec::<String>::new(), "too few jobs");
        assert_eq!(found(&[("a", 0, 100), ("b", 0, 100), ("c", 10, 10)]), ["c"]);
        assert_eq!(found(&[("a", 50, 100)]), Vec::<String>::new(), "alone, nothing is out");
        assert_eq!(
            found(&[("a", 40, 100), ("b", 42, 100), ("c", 60, 100)]),
            Vec::<String>::new(),
            "a class that fails as a whole"
        );
        assert_eq!(found(&[("a", 200, 100), ("b", 0, 0)]), Vec::<String>::new(), "impossible");
    }

    #[test]
    fn the_tail_is_that_of_the_binomial_distribution() {
        // Known values: P(X >= 8 | 10, 0.5) = 56/1024; P(X >= 1 | 3, 0.1) = 0.271; P(X >= 30 | 100, 0.2) = 0.011249.
        for (hits, tries, p, want) in [(8, 10, 0.5, 0.054_687_5), (1, 3, 0.1, 0.271), (30, 100, 0.2, 0.011_249)] {
            let got = at_least(hits, tries, p);
            assert!((got - want).abs() < 1e-6, "{hits} of {tries}: {got}");
        }
        assert!((at_least(0, 5, 0.1) - 1.0).abs() < 1e-12 && at_least(2, 100, 0.2) >= 0.99);
        assert!(at_least(MOST / 2, MOST, 0.1) < 1e-9, "even the largest is told at once");
        assert!(at_least(MOST / 10 + 1, MOST, 0.1) > 0.4);
    }

    proptest! {
        #[test]
        fn a_healthy_class_of_one_rate_shows_none(rates in proptest::collection::vec(10_u64..300, 2..20)) {
            let members: Vec<Tally> = rates.iter().enumerate()
                .map(|(n, ended)| Tally { member: n.to_string().into(), class: "c".into(), ended: *ended, failed: ended / 20 })
                .collect();
            prop_assert_eq!(outliers(&members, &Thresholds::default()).len(), 0);
        }
    }
}
