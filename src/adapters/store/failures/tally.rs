//! Counting rows into groups. Every text becomes a number once, so that grouping is sorting numbers.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::Arc;

use serde::Deserialize;

use crate::ci::Timestamp;
use crate::console::failures::{By, Group, Retries, SHARES, Share, TryEnd};

/// A failure as it is handed over.
#[derive(Deserialize)]
pub(super) struct Row<'a> {
    pub at: i64,
    pub job: i64,
    /// How the later try ended.
    #[serde(borrow)]
    later: Option<Text<'a>>,
    /// Class, fingerprint, stack, runner, and what else was asked for.
    #[serde(borrow)]
    texts: Vec<Option<Text<'a>>>,
}

/// Where the texts of every row stand.
const CLASS: usize = 0;
const FINGERPRINT: usize = 1;
const STACK: usize = 2;
const RUNNER: usize = 3;
/// How many those are.
pub(super) const TEXTS: usize = 4;

/// Keys, the first failure of each, and what it looks like.
pub(super) type Known<'a> = Vec<(Text<'a>, i64, Option<Text<'a>>)>;

#[derive(Deserialize)]
pub(super) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// Rows of which groups can be made. The number of a text that is missing is zero.
pub(super) struct Tally {
    new_since: Timestamp,
    rows: Vec<Counted>,
    numbers: HashMap<Arc<str>, u32>,
    /// By number, from 1.
    words: Vec<Arc<str>>,
}

struct Counted {
    at: Timestamp,
    later: Option<TryEnd>,
    texts: Box<[u32]>,
}

impl Counted {
    fn text(&self, place: usize) -> u32 {
        self.texts.get(place).copied().unwrap_or_default()
    }
}

impl Tally {
    /// No rows yet; those from `new_since` on will be new.
    pub fn new(new_since: Timestamp) -> Self {
        Self { new_since, rows: Vec::new(), numbers: HashMap::new(), words: Vec::new() }
    }

    /// Takes a row.
    pub fn add(&mut self, row: &Row<'_>) {
        let texts = row.texts.iter().map(|text| text.as_ref().map_or(0, |text| self.number(&text.0))).collect();
        let later = row.later.as_ref().and_then(|later| TryEnd::parse(&later.0));
        self.rows.push(Counted { at: Timestamp::from_millis(row.at), later, texts });
    }

    /// The groups of all rows, the greatest first. `other` is where the key stands if it is none that every row has.
    pub fn groups(&self, by: By, other: usize, known: &Known<'_>) -> Vec<Group> {
        let place = match by {
            By::Class => CLASS,
            By::Signature => FINGERPRINT,
            By::Stack => STACK,
            By::Runner => RUNNER,
            _ => other,
        };
        let with_class = matches!(by, By::Class | By::Signature);
        let key = |row: &Counted| (if with_class { row.text(CLASS) } else { 0 }, row.text(place));
        let mut rows: Vec<((u32, u32), &Counted)> = self.rows.iter().map(|row| (key(row), row)).collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        let known: HashMap<u32, (i64, Option<&str>)> = known
            .iter()
            .filter_map(|(key, first, template)| {
                let number = self.numbers.get(&*key.0)?;
                Some((*number, (*first, template.as_ref().map(|template| &*template.0))))
            })
            .collect();
        let mut groups: Vec<Group> = rows
            .chunk_by(|a, b| a.0 == b.0)
            .filter_map(|same| {
                let ((class, key), _) = *same.first()?;
                let mut group = self.group(same.iter().map(|(_, row)| *row))?;
                (group.class, group.key) = (self.word(class), self.word(key));
                if let Some((first, template)) = known.get(&key) {
                    group.first_seen = Some(Timestamp::from_millis(*first));
                    group.template = template.map(Arc::from);
                }
                Some(group)
            })
            .collect();
        groups.sort_by(|a, b| (b.count, &a.class, &a.key).cmp(&(a.count, &b.class, &b.key)));
        groups
    }

    /// Rows that have something in common, counted.
    fn group<'a>(&self, rows: impl ExactSizeIterator<Item = &'a Counted> + Clone) -> Option<Group> {
        let later = |end: TryEnd| rows.clone().filter(|row| row.later == Some(end)).count() as u64;
        let moments = || rows.clone().map(|row| row.at);
        Some(Group {
            key: None,
            class: None,
            template: None,
            count: rows.len() as u64,
            new: moments().filter(|at| *at >= self.new_since).count() as u64,
            newest: moments().max()?,
            oldest: moments().min()?,
            first_seen: None,
            stacks: self.shares(rows.clone().map(|row| row.text(STACK))),
            runners: self.shares(rows.clone().map(|row| row.text(RUNNER))),
            retries: Retries { succeeded: later(TryEnd::Succeeded), failed: later(TryEnd::Failed) },
        })
    }

    /// The greatest ones.
    fn shares(&self, numbers: impl Iterator<Item = u32>) -> Vec<Share> {
        let mut numbers: Vec<u32> = numbers.filter(|number| *number > 0).collect();
        numbers.sort_unstable();
        let share = |same: &[u32]| Some(Share { key: self.word(*same.first()?)?, count: same.len() as u64 });
        let mut shares: Vec<Share> = numbers.chunk_by(|a, b| a == b).filter_map(share).collect();
        shares.sort_by(|a, b| (b.count, &a.key).cmp(&(a.count, &b.key)));
        shares.truncate(SHARES);
        shares
    }

    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let text = Arc::<str>::from(text);
        self.words.push(Arc::clone(&text));
        let number = self.words.len() as u32;
        self.numbers.insert(text, number);
        number
    }

    fn word(&self, number: u32) -> Option<Arc<str>> {
        self.words.get((number as usize).checked_sub(1)?).cloned()
    }
}
