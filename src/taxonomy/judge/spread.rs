//! Where failures pile up: which node, package, pull request or hour explains most of them.
//!
//! Many packages on one node is the node; one package on many nodes is the package; one of everything says nothing about which, so ties have a
//! fixed order. Against a base (all failures of the time, say) a value counts only when it is more frequent here than there.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::days::HOUR;
use super::figures::Share;
use crate::ci::Timestamp;
use crate::taxonomy::Failure;

/// Fewer failures show no spread.
const FEWEST: usize = 4;
/// What a value must explain, in percent of the failures.
const EXPLAINS: usize = 60;
/// How many times as frequent as in the base a value must be.
const LIFT: f64 = 1.5;

/// A property that failures can share. In the order in which ties are broken: the one with the most possible values first, because sharing one
/// of many by chance is least likely.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dimension {
    Package,
    Host,
    Runner,
    /// A branch or pull request.
    Ref,
    Compiler,
    Stack,
    /// Sixty minutes in a row.
    Hour,
}

/// What explains most of a group of failures.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread {
    pub dimension: Dimension,
    /// The value; of an hour, the moment of the first failure in it, as ISO 8601 in UTC.
    pub value: Arc<str>,
    /// Failures with this value among all. A failure of which the value is unknown counts as without it.
    pub share: Share,
    /// The same in the base, without the group; `None` when there is none to compare with.
    pub base: Option<Share>,
}

/// Finds what explains most of these failures. `None` when they are too few (under four) or nothing explains three in five.
pub fn spread(failures: &[&Failure]) -> Option<Spread> {
    spread_against(failures, &[])
}

/// Like [`spread`], compared with a base: other failures of the same time. Failures of the group that are also in the base are not counted there.
///
/// Values are ranked by `p · ln(p / q)`, with `p` their share here and `q` there (one is added to each side of `q`, so that a value that
/// the base lacks stays finite); without a base by `p`. Ties go by [`Dimension`], then by the smaller value.
pub fn spread_against(failures: &[&Failure], base: &[&Failure]) -> Option<Spread> {
    let failures = once(failures);
    if failures.len() < FEWEST {
        return None;
    }
    let ids: std::collections::BTreeSet<_> = failures.iter().map(|f| f.job).collect();
    let base: Vec<&Failure> = once(base).into_iter().filter(|f| !ids.contains(&f.job)).collect();

    let mut best: Option<(f64, Spread)> = None;
    let by_value = DIMENSIONS.iter().flat_map(|(dimension, value)| by_value(&failures, &base, *dimension, *value));
    for candidate in by_value.chain(by_hour(&failures, &base)) {
        let Some(score) = score(&candidate) else { continue };
        if best.as_ref().is_none_or(|(highest, _)| score > *highest) {
            best = Some((score, candidate));
        }
    }
    best.map(|(_, spread)| spread)
}

type Value = for<'a> fn(&'a Failure) -> Option<&'a Arc<str>>;

const DIMENSIONS: [(Dimension, Value); 6] = [
    (Dimension::Package, |f| f.package.as_ref()),
    (Dimension::Host, |f| f.host.as_ref()),
    (Dimension::Runner, |f| f.runner.as_ref()),
    (Dimension::Ref, |f| Some(&f.git_ref)),
    (Dimension::Compiler, |f| f.compiler.as_ref()),
    (Dimension::Stack, |f| f.stack.as_ref()),
];

/// Each job once.
fn once<'a>(failures: &[&'a Failure]) -> Vec<&'a Failure> {
    let by_job: BTreeMap<_, _> = failures.iter().map(|f| (f.job, *f)).collect();
    by_job.into_values().collect()
}

fn by_value(failures: &[&Failure], base: &[&Failure], dimension: Dimension, value: Value) -> Vec<Spread> {
    let mut counts: BTreeMap<&Arc<str>, (u64, u64)> = BTreeMap::new();
    for value in failures.iter().filter_map(|f| value(f)) {
        counts.entry(value).or_default().0 += 1;
    }
    for value in base.iter().filter_map(|f| value(f)) {
        if let Some(count) = counts.get_mut(value) {
            count.1 += 1;
        }
    }
    let share = |part, all: &[&Failure]| Share { part, whole: all.len() as u64 };
    let spread = |(value, (here, there)): (&Arc<str>, (u64, u64))| Spread {
        dimension,
        value: Arc::clone(value),
        share: share(here, failures),
        base: (!base.is_empty()).then(|| share(there, base)),
    };
    counts.into_iter().map(spread).collect()
}

/// The hour with the most failures, the earliest of such.
fn by_hour(failures: &[&Failure], base: &[&Failure]) -> Option<Spread> {
    let mut times: Vec<Timestamp> = failures.iter().map(|f| f.at).collect();
    times.sort();
    let (mut most, mut begins, mut end) = (0, *times.first()?, 0);
    for (first, start) in times.iter().enumerate() {
        while times.get(end).is_some_and(|t| t.millis() < start.millis().saturating_add(HOUR)) {
            end += 1;
        }
        if end - first > most {
            (most, begins) = (end - first, *start);
        }
    }
    let hour = begins..begins.shifted(HOUR);
    let there = base.iter().filter(|f| hour.contains(&f.at)).count() as u64;
    Some(Spread {
        dimension: Dimension::Hour,
        value: begins.to_string().into(),
        share: Share { part: most as u64, whole: failures.len() as u64 },
        base: (!base.is_empty()).then_some(Share { part: there, whole: base.len() as u64 }),
    })
}

/// How much a value explains; `None` when it does not.
fn score(spread: &Spread) -> Option<f64> {
    let here = spread.share.rate()?;
    if spread.share.part * 100 < spread.share.whole * EXPLAINS as u64 {
        return None;
    }
    let Some(base) = spread.base else { return Some(here) };
    let there = (base.part as f64 + 1.0) / (base.whole as f64 + 2.0);
    let lift = here / there;
    (lift >= LIFT).then(|| here * lift.ln())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{each, failed};
    use super::*;

    /// Failures by (package, host), two hours apart.
    fn build(values: &[(&str, &str)]) -> Vec<Failure> {
        let make = |(n, (package, host)): (usize, &(&str, &str))| {
            let mut f = failed(n as u64, n as i64 * 120, "x");
            f.package = Some((*package).into());
            f.host = (!host.is_empty()).then(|| (*host).into());
            f.git_ref = format!("pr{n}").into();
            f
        };
        values.iter().enumerate().map(make).collect()
    }

    fn top(failures: &[Failure]) -> Option<(Dimension, String)> {
        spread(&each(failures)).map(|s| (s.dimension, s.value.to_string()))
    }

    #[test]
    fn one_node_and_one_package_are_told_apart() {
        let node = build(&[("a", "n1"), ("b", "n1"), ("c", "n1"), ("d", "n1"), ("e", "n2")]);
        assert_eq!(top(&node), Some((Dimension::Host, "n1".to_owned())));
        let package = build(&[("a", "n1"), ("a", "n2"), ("a", "n3"), ("a", "n4")]);
        assert_eq!(top(&package), Some((Dimension::Package, "a".to_owned())));
        let both = build(&[("a", "n1"); 4]);
        assert_eq!(top(&both), Some((Dimension::Package, "a".to_owned())), "ties go to the package");
    }

    #[test]
    fn too_few_or_too_mixed_is_nothing() {
        assert_eq!(top(&build(&[("a", "n1"); 3])), None);
        assert_eq!(top(&[]), None);
        assert_eq!(top(&build(&[("a", "n1"), ("b", "n2"), ("c", "n3"), ("d", "n4"), ("e", "n5")])), None);
        // The same job again is no more evidence.
        let one = build(&[("a", "n1")]);
        assert_eq!(spread(&[&one[0]; 9]), None);
    }

    #[test]
    fn an_unknown_host_is_no_host() {
        let half = build(&[("a", "n1"), ("b", "n1"), ("c", ""), ("d", ""), ("e", "")]);
        assert_eq!(top(&half), None);
    }

    #[test]
    fn an_hour_may_lie_across_the_clock() {
        let mut failures = build(&[("a", "1"), ("b", "2"), ("c", "3"), ("d", "4"), ("e", "5")]);
        for (f, minute) in failures.iter_mut().zip([50, 55, 70, 109, 600]) {
            f.at = super::super::testing::midnight().shifted(minute * 60_000);
        }
        assert_eq!(top(&failures), Some((Dimension::Hour, "2026-05-20T00:50:00.000Z".to_owned())));
    }

    #[test]
    fn what_is_common_everywhere_explains_nothing() {
        let mut group = build(&[("a", "n1"), ("b", "n1"), ("c", "n1"), ("d", "n1"), ("e", "n2")]);
        for f in &mut group {
            f.stack = Some("e4s".into());
        }
        let mut base = build(&[("k", "n3"); 40]);
        for f in &mut base {
            f.job.0 += 100;
        }
        for f in &mut base {
            f.stack = Some("e4s".into());
        }
        let bare = spread(&each(&group)).unwrap();
        assert_eq!(bare.dimension, Dimension::Stack, "alone, the stack explains all");
        let found = spread_against(&each(&group), &each(&base)).unwrap();
        assert_eq!((found.dimension, &*found.value), (Dimension::Host, "n1"));
        assert_eq!(found.base, Some(Share { part: 0, whole: 40 }));
    }

    proptest! {
        #[test]
        fn order_and_repeats_change_nothing(values in proptest::collection::vec((0_u8..3, 0_u8..3), 0..12), turn in 0_usize..12) {
            let names = ["a", "b", "c"];
            let values: Vec<_> = values.iter().map(|(p, h)| (names[*p as usize], names[*h as usize])).collect();
            let failures = build(&values);
            let mut turned = each(&failures);
            turned.rotate_left(turn.min(failures.len()));
            let extra: Vec<&Failure> = turned.iter().take(2).copied().collect();
            turned.extend(extra);
            let found = spread(&turned);
            prop_assert_eq!(&found, &spread(&each(&failures)));
            if let Some(found) = found {
                prop_assert!(found.share.rate().unwrap() >= 0.6);
            }
        }
    }
}
