//! Templates that differ in a word, put together. What Drain does with a tree that depends on the order of lines, done with sets.
//!
//! Two templates belong together when they have the same length and differ in one word, or when one goes on where the other ends; and what
//! they share says something. Clusters are the closure of that, so the same set gives the same clusters in any order. Time is linear in the
//! words of all templates, memory in their number.

use std::collections::hash_map::Entry;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use super::shape::ANY;
use crate::taxonomy::Signature;

/// How many templates are compared. The rarest beyond are left out and counted.
const MOST: usize = 100_000;
/// Only these first words of a template can differ.
const DEEPEST: usize = 48;
/// How many telling words two templates share when one word differs, and when one goes on after the other.
const SHARED: usize = 3;
const SHARED_BEGIN: usize = 5;

/// Signatures whose templates differ little.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cluster {
    /// The fingerprint of one of its signatures. It stays when the cluster grows, if [`Clusters::grown`] is told what was there before.
    pub name: Arc<str>,
    /// What the templates share, with `<*>` for the rest.
    pub template: Arc<str>,
    /// How many failures.
    pub count: u64,
    /// Fingerprints, sorted.
    pub signatures: Vec<Arc<str>>,
}

/// All clusters of a set of signatures.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Clusters {
    /// Largest first, then by name.
    list: Vec<Cluster>,
    by_fingerprint: BTreeMap<Arc<str>, usize>,
    left_out: usize,
}

impl Clusters {
    /// Puts signatures together. A signature that comes twice counts twice.
    pub fn of(signatures: &[(&Signature, u64)]) -> Self {
        Self::grown(signatures, &Self::default())
    }

    /// Puts signatures together and keeps the names of `before`: a cluster goes on under the name of the old one that gave it the most
    /// signatures (ties: the smaller name), and each old name goes on once.
    pub fn grown(signatures: &[(&Signature, u64)], before: &Self) -> Self {
        let (items, left_out) = items(signatures);
        let mut vocabulary = HashMap::new();
        let lines: Vec<Line> = items.iter().map(|item| Line::of(item.template, &mut vocabulary)).collect();
        let mut sets = Sets::new(items.len());
        join_by_word(&lines, &mut sets);
        join_by_begin(&lines, &mut sets);

        let mut groups: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for index in 0..items.len() {
            groups.entry(sets.find(index)).or_default().push(index);
        }
        let mut list: Vec<Cluster> = groups
            .into_values()
            .filter_map(|members| {
                let chosen: Vec<&Item<'_>> = members.iter().filter_map(|m| items.get(*m)).collect();
                let mut signatures: Vec<Arc<str>> = chosen.iter().map(|item| Arc::clone(item.fingerprint)).collect();
                signatures.sort();
                let count = chosen.iter().fold(0_u64, |sum, item| sum.saturating_add(item.count));
                Some(Cluster { name: signatures.first()?.clone(), template: shared(&chosen), count, signatures })
            })
            .collect();
        keep_names(&mut list, before);
        list.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.name.cmp(&b.name)));
        let place = |(index, cluster): (usize, &Cluster)| {
            cluster.signatures.iter().map(move |f| (f.clone(), index)).collect::<Vec<_>>()
        };
        let by_fingerprint = list.iter().enumerate().flat_map(place).collect();
        Self { list, by_fingerprint, left_out }
    }

    /// All clusters, largest first, then by name.
    pub fn iter(&self) -> std::slice::Iter<'_, Cluster> {
        self.list.iter()
    }

    /// The cluster of a signature.
    pub fn find(&self, fingerprint: &str) -> Option<&Cluster> {
        self.list.get(*self.by_fingerprint.get(fingerprint)?)
    }

    /// How many signatures there were beyond what is compared; the rarest.
    pub const fn left_out(&self) -> usize {
        self.left_out
    }
}

impl<'a> IntoIterator for &'a Clusters {
    type Item = &'a Cluster;
    type IntoIter = std::slice::Iter<'a, Cluster>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

/// One signature of the set.
struct Item<'a> {
    fingerprint: &'a Arc<str>,
    template: &'a str,
    count: u64,
}

/// Each signature once, in an order of their own, and how many were too many.
fn items<'a>(signatures: &[(&'a Signature, u64)]) -> (Vec<Item<'a>>, usize) {
    let mut counts: BTreeMap<(&'a Arc<str>, &'a str), u64> = BTreeMap::new();
    for (signature, count) in signatures {
        let sum = counts.entry((&signature.fingerprint, &signature.template)).or_default();
        *sum = sum.saturating_add(*count);
    }
    let mut items: Vec<Item<'a>> =
        counts.into_iter().map(|((fingerprint, template), count)| Item { fingerprint, template, count }).collect();
    let left_out = items.len().saturating_sub(MOST);
    if left_out > 0 {
        items.sort_by(|a, b| b.count.cmp(&a.count).then_with(|| a.fingerprint.cmp(b.fingerprint)));
        items.truncate(MOST);
        items.sort_by(|a, b| a.fingerprint.cmp(b.fingerprint));
    }
    (items, left_out)
}

/// A template as numbers.
struct Line {
    words: Vec<Word>,
    /// A number for the first `n` words, and one for all after them.
    begins: Vec<u64>,
    ends: Vec<u64>,
    /// How many words say something.
    telling: usize,
}

#[derive(Clone, Copy)]
struct Word {
    id: usize,
    /// Letters, and no hole.
    tells: bool,
    /// Names a fault (`503`, `AccessDenied`): templates that differ in it are different.
    is_code: bool,
}

impl Line {
    fn of<'a>(template: &'a str, vocabulary: &mut HashMap<&'a str, usize>) -> Self {
        let words: Vec<Word> = template
            .split(' ')
            .map(|text| {
                let next = vocabulary.len();
                let id = *vocabulary.entry(text).or_insert(next);
                let hole = text.contains('<') && text.contains('>');
                let letters = text.bytes().filter(u8::is_ascii_alphabetic).count();
                let inner_capital = text
                    .as_bytes()
                    .windows(2)
                    .any(|w| matches!(w, [a, b] if a.is_ascii_lowercase() && b.is_ascii_uppercase()));
                let is_code = !hole && (inner_capital || text.bytes().any(|b| b.is_ascii_digit()));
                Word { id, tells: !hole && letters > 2, is_code }
            })
            .collect();
        let step = |sum: &mut u64, word: &Word| {
            let mut hasher = DefaultHasher::new();
            (*sum, word.id).hash(&mut hasher);
            *sum = hasher.finish();
            Some(*sum)
        };
        let begins = std::iter::once(0).chain(words.iter().scan(0, step)).collect();
        let mut ends: Vec<u64> = std::iter::once(0).chain(words.iter().rev().scan(0, step)).collect();
        ends.reverse();
        let telling = words.iter().filter(|word| word.tells).count();
        Self { words, begins, ends, telling }
    }
}

/// Joins templates that are the same but for one word, position by position: memory stays linear.
fn join_by_word(lines: &[Line], sets: &mut Sets) {
    let mut first = HashMap::new();
    for at in 0..DEEPEST {
        first.clear();
        for (index, line) in lines.iter().enumerate() {
            let Some(word) = line.words.get(at) else { continue };
            if word.is_code || line.telling - usize::from(word.tells) < SHARED {
                continue;
            }
            let Some((begin, end)) = line.begins.get(at).zip(line.ends.get(at + 1)) else { continue };
            match first.entry((line.words.len(), *begin, *end)) {
                Entry::Vacant(free) => {
                    free.insert(index);
                }
                Entry::Occupied(known) => sets.join(*known.get(), index),
            }
        }
    }
}

/// Joins a template with those that go on where it ends.
fn join_by_begin(lines: &[Line], sets: &mut Sets) {
    let whole: HashMap<(usize, u64), usize> = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| line.telling >= SHARED_BEGIN)
        .filter_map(|(index, line)| Some(((line.words.len(), *line.begins.last()?), index)))
        .collect();
    for (index, line) in lines.iter().enumerate() {
        for (len, begin) in line.begins.iter().enumerate().take(line.words.len()) {
            if let Some(shorter) = whole.get(&(len, *begin)) {
                sets.join(*shorter, index);
            }
        }
    }
}

/// What templates share, word by word.
fn shared(items: &[&Item<'_>]) -> Arc<str> {
    let Some((first, others)) = items.split_first() else { return "".into() };
    let mut words: Vec<&str> = first.template.split(' ').collect();
    let mut longer = false;
    for other in others {
        let other: Vec<&str> = other.template.split(' ').collect();
        longer |= other.len() != words.len();
        words.truncate(other.len());
        for (word, theirs) in words.iter_mut().zip(other) {
            if *word != theirs {
                *word = ANY;
            }
        }
    }
    if longer && words.last() != Some(&ANY) {
        words.push(ANY);
    }
    words.join(" ").into()
}

/// Hands old names on. The strongest claim comes first, so that a name that two clusters could have goes to the one that holds more of it.
fn keep_names(list: &mut [Cluster], before: &Clusters) {
    let mut claims = Vec::new();
    for (index, cluster) in list.iter().enumerate() {
        let mut held: BTreeMap<&Arc<str>, usize> = BTreeMap::new();
        for old in cluster.signatures.iter().filter_map(|fingerprint| before.find(fingerprint)) {
            *held.entry(&old.name).or_default() += 1;
        }
        claims.extend(held.into_iter().map(|(name, count)| (std::cmp::Reverse(count), name, index)));
    }
    claims.sort();
    let (mut taken, mut named) = (BTreeSet::new(), BTreeSet::new());
    for (_, name, index) in claims {
        if !named.contains(&index) && taken.insert(name) {
            named.insert(index);
            if let Some(cluster) = list.get_mut(index) {
                cluster.name = Arc::clone(name);
            }
        }
    }
    // Old names may be fingerprints of a cluster that did not inherit them. One number more than there are names is free.
    for (_, cluster) in list.iter_mut().enumerate().filter(|(index, _)| !named.contains(index)) {
        let own = cluster.signatures.iter().find(|fingerprint| !taken.contains(fingerprint)).cloned();
        let numbered =
            || (2..taken.len() + 3).map(|n| format!("{}.{n}", cluster.name).into()).find(|name| !taken.contains(name));
        if let Some(name) = own.or_else(numbered) {
            cluster.name = name;
        }
    }
}

/// Disjoint sets; the smallest member stands for a set.
struct Sets(Vec<usize>);

impl Sets {
    fn new(count: usize) -> Self {
        Self((0..count).collect())
    }

    fn find(&mut self, mut index: usize) -> usize {
        while let Some(above) = self.0.get(index).copied().filter(|above| *above != index) {
            let higher = self.0.get(above).copied().unwrap_or(above);
            if let Some(slot) = self.0.get_mut(index) {
                *slot = higher;
            }
            index = above;
        }
        index
    }

    fn join(&mut self, a: usize, b: usize) {
        let (a, b) = (self.find(a), self.find(b));
        if let Some(slot) = self.0.get_mut(a.max(b)) {
            *slot = a.min(b);
        }
    }
}

#[cfg(test)]
mod tests;
