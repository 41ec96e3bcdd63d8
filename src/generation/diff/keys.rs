//! Compares what the configuration gave to jobs, class by class.
//!
//! A file may come from anybody, and two small files can name an endless number of differences: values and elements are therefore compared by
//! number, and both the work and what is told have a bound.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::data::{KeyChange, KeySide, KeysElsewhere, Named};
use crate::generation::report::{Decision, KeySet, Report};

/// How many keys are compared. Two stacks of 4,000 jobs of which each has a class of its own need half a million.
const MOST_COMPARED: usize = 5_000_000;
/// How many bytes of values and elements are told.
const MOST_TOLD: usize = 32 << 20;
/// How many jobs are named for each change.
const EXAMPLES: usize = 3;

/// The jobs that two reports have in common, by what they are to be compared as.
pub struct Keys<'a> {
    a: &'a Report,
    b: &'a Report,
    pairs: BTreeMap<(usize, usize), Jobs>,
}

/// What came of it.
pub struct Compared {
    pub changes: Vec<KeyChange>,
    pub elsewhere: Vec<KeysElsewhere>,
    /// Changes that are not told, and classes of jobs that were not compared.
    pub left_out: usize,
}

impl<'a> Keys<'a> {
    pub const fn new(a: &'a Report, b: &'a Report) -> Self {
        Self { a, b, pairs: BTreeMap::new() }
    }

    /// Has the jobs of one spec compared, if it has one in both.
    pub fn add(&mut self, was: &Decision, is: &Decision, hash: &str) {
        let (Some(was), Some(now)) = (was.class, is.class) else { return };
        self.pairs.entry((was, now)).or_default().add(is, hash);
    }

    pub fn compare(self) -> Compared {
        let mut numbers = Numbers::default();
        let (old, new) = (numbers.classes(self.a), numbers.classes(self.b));
        let mut found = Found::default();
        let mut left = MOST_COMPARED;
        let mut left_out = 0;
        for ((was, is), jobs) in &self.pairs {
            let (Some(old), Some(new)) = (old.get(*was), new.get(*is)) else { continue };
            match left.checked_sub(old.weight.saturating_add(new.weight)) {
                Some(rest) => left = rest,
                None => {
                    left_out += 1;
                    continue;
                }
            }
            found.compare(&old.keys, &new.keys, jobs);
        }
        self.told(found, left_out)
    }

    /// Puts the texts back in the place of numbers.
    fn told(&self, found: Found<'_>, mut left_out: usize) -> Compared {
        let mut left = MOST_TOLD;
        let mut fits = |sides: [Option<&Side<'_>>; 2]| {
            let size: usize = sides.into_iter().flatten().map(|side| side.size).sum();
            let rest = left.checked_sub(size);
            left = rest.unwrap_or(left);
            left_out += usize::from(rest.is_none());
            rest.is_some()
        };
        let mut changes = Vec::new();
        for ((key, ..), (was, is, jobs)) in found.changes {
            if fits([was, is]) {
                let side = |report: &Report, side: &Side<'_>| KeySide {
                    value: side.set.value.clone(),
                    set_by: report.origins_of(&side.set.set_by),
                };
                let mut examples = jobs.examples;
                examples.sort();
                changes.push(KeyChange {
                    key: key.to_owned(),
                    was: was.map(|was| side(self.a, was)),
                    is: is.map(|is| side(self.b, is)),
                    jobs: jobs.count,
                    examples,
                });
            }
        }
        let mut elsewhere = Vec::new();
        for (was, is, keys, jobs) in found.elsewhere.into_values() {
            if fits([Some(was), Some(is)]) {
                elsewhere.push(KeysElsewhere {
                    keys: keys.into_iter().map(str::to_owned).collect(),
                    was: self.a.origins_of(&was.set.set_by),
                    is: self.b.origins_of(&is.set.set_by),
                    jobs,
                });
            }
        }
        Compared { changes, elsewhere, left_out }
    }
}

/// Jobs with the same change.
#[derive(Debug, Clone, Default)]
struct Jobs {
    count: usize,
    examples: Vec<Named>,
}

impl Jobs {
    fn add(&mut self, decision: &Decision, hash: &str) {
        self.count += 1;
        if self.examples.len() < EXAMPLES {
            self.examples.push(Named::of(hash, decision));
        }
    }

    fn join(&mut self, other: &Self) {
        self.count += other.count;
        self.examples.extend(other.examples.iter().take(EXAMPLES.saturating_sub(self.examples.len())).cloned());
    }
}

/// A key on one side: what it is compared by, and where its texts are.
struct Side<'a> {
    value: usize,
    origins: Vec<usize>,
    set: &'a KeySet,
    /// The bytes of its texts.
    size: usize,
}

struct Class<'a> {
    keys: BTreeMap<&'a str, Side<'a>>,
    weight: usize,
}

/// A number for every text. Only whether two are the same matters.
#[derive(Default)]
struct Numbers<'a> {
    values: HashMap<String, usize>,
    origins: HashMap<&'a str, usize>,
}

impl<'a> Numbers<'a> {
    fn classes(&mut self, report: &'a Report) -> Vec<Class<'a>> {
        report.classes.iter().map(|class| self.class(report, class)).collect()
    }

    fn class(&mut self, report: &'a Report, class: &'a BTreeMap<String, KeySet>) -> Class<'a> {
        let mut weight = 0;
        let mut keys = BTreeMap::new();
        for (key, set) in class {
            let value = set.value.to_string();
            let mut size = value.len();
            let next = self.values.len();
            let value = *self.values.entry(value).or_insert(next);
            let mut origins = Vec::with_capacity(set.set_by.len());
            for place in &set.set_by {
                let origin = report.origins.get(*place).map(String::as_str).unwrap_or_default();
                size += origin.len();
                let next = self.origins.len();
                origins.push(*self.origins.entry(origin).or_insert(next));
            }
            weight += 1 + origins.len();
            keys.insert(key.as_str(), Side { value, origins, set, size });
        }
        Class { keys, weight }
    }
}

/// A value with the elements that set it, by number.
type Numbered<'c> = Option<(usize, &'c [usize])>;
/// A key with the same value from other elements: those elements before and after, the keys, how many jobs.
type Elsewhere<'c> = (&'c Side<'c>, &'c Side<'c>, BTreeSet<&'c str>, usize);

/// A key with another value, on both sides, and the jobs that have this change.
type Changed<'c> = (Option<&'c Side<'c>>, Option<&'c Side<'c>>, Jobs);

/// Differences, each once.
#[derive(Default)]
struct Found<'c> {
    changes: BTreeMap<(&'c str, Numbered<'c>, Numbered<'c>), Changed<'c>>,
    elsewhere: BTreeMap<(&'c [usize], &'c [usize]), Elsewhere<'c>>,
}

impl<'c> Found<'c> {
    fn compare(&mut self, old: &'c BTreeMap<&'c str, Side<'c>>, new: &'c BTreeMap<&'c str, Side<'c>>, jobs: &Jobs) {
        let mut moved: BTreeSet<(&[usize], &[usize])> = BTreeSet::new();
        let gone = old.keys().filter(|key| !new.contains_key(*key));
        for key in new.keys().chain(gone) {
            let (was, is) = (old.get(key), new.get(key));
            match (was, is) {
                (Some(was), Some(is)) if was.value == is.value => {
                    if was.origins != is.origins {
                        let place = (was.origins.as_slice(), is.origins.as_slice());
                        let group = self.elsewhere.entry(place).or_insert_with(|| (was, is, BTreeSet::new(), 0));
                        group.2.insert(key);
                        moved.insert(place);
                    }
                }
                _ => {
                    let number = |side: Option<&'c Side<'c>>| side.map(|side| (side.value, side.origins.as_slice()));
                    let group = self.changes.entry((key, number(was), number(is)));
                    group.or_insert_with(|| (was, is, Jobs::default())).2.join(jobs);
                }
            }
        }
        for place in moved {
            if let Some(group) = self.elsewhere.get_mut(&place) {
                group.3 += jobs.count;
            }
        }
    }
}
