//! Failures in groups: what the Errors screen shows.
//!
//! Rows are counted here and not by SQL: several groupings, with the places where most of their failures are, come from one pass over an
//! index in the order of time, where SQL would sort the range once for each. SQLite hands the rows over as JSON, many at once, because a
//! statement's single rows cost more to pass on than to find.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;
use std::sync::Arc;

use serde::Deserialize;
use sqlx::{QueryBuilder, Sqlite};

use super::read::seen;
use crate::adapters::store::{Store, StoreError};
use crate::ci::Timestamp;
use crate::console::failures::{By, Group, Retries, SHARES, Seen, Share, TryEnd};

/// How many rows are handed over at once; they are what a query over a long time holds in memory.
const ROWS_AT_ONCE: u32 = 16_384;

/// Where the texts of a row stand. What else is asked for comes after them.
const CLASS: usize = 0;
const FINGERPRINT: usize = 1;
const STACK: usize = 2;
const RUNNER: usize = 3;
const LATER: usize = 4;
const TEXTS: usize = 5;

/// A failure as it is handed over: when, which job, and its texts.
#[derive(Deserialize)]
struct Compact<'a>(i64, i64, #[serde(borrow)] Vec<Option<Text<'a>>>);

#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl Store {
    /// Groups the failures of a range of time, its end excluded, in one or several ways; the answers come in the order of `by`, the greatest
    /// group first. Those that failed at `new_since` or later are counted as new.
    pub async fn grouped(
        &self,
        by: &[By],
        range: Range<Timestamp>,
        new_since: Timestamp,
    ) -> Result<Vec<Vec<Group>>, StoreError> {
        let read = async {
            // All pages, and what is known since when, as of one moment.
            let mut transaction = self.pool.begin().await?;
            let others: BTreeSet<&'static str> = by.iter().filter_map(|by| place(*by).err()).collect();
            let mut ways: Vec<Way> = by.iter().map(|by| Way::new(*by, &others)).collect();
            let mut words = Words::default();
            let mut from = (range.start.millis(), None);
            loop {
                let json: String =
                    page(&others, from, range.end).build_query_scalar().fetch_one(&mut *transaction).await?;
                let rows: Vec<Compact<'_>> =
                    serde_json::from_str(&json).map_err(|error| sqlx::Error::Decode(error.into()))?;
                for row in &rows {
                    let row = Numbered::of(row, &mut words);
                    ways.iter_mut().for_each(|way| way.count(&row, new_since));
                }
                match rows.last() {
                    Some(Compact(at, job, _)) if rows.len() >= ROWS_AT_ONCE as usize => from = (*at, Some(*job)),
                    _ => break,
                }
            }
            let mut answers = Vec::with_capacity(ways.len());
            for way in ways {
                let known = match way.kind() {
                    Some(kind) => seen(&mut transaction, kind, &way.keys(&words)).await?,
                    None => BTreeMap::new(),
                };
                answers.push(way.groups(&words, &known));
            }
            transaction.commit().await?;
            Ok(answers)
        };
        read.await.map_err(|error| self.failed(error))
    }
}

/// The rows after one, in the order of time.
fn page(others: &BTreeSet<&'static str>, after: (i64, Option<i64>), end: Timestamp) -> QueryBuilder<Sqlite> {
    let mut query = QueryBuilder::new(
        "SELECT json_group_array(json_array(at, job, json_array(class, fingerprint, stack, runner, later",
    );
    for column in others {
        query.push(", ").push(column);
    }
    query.push("))) FROM (SELECT at, job, class, fingerprint, stack, runner, later");
    for column in others {
        query.push(", ").push(column);
    }
    query.push(" FROM failures WHERE at >= ").push_bind(after.0).push(" AND at < ").push_bind(end.millis());
    if let Some(job) = after.1 {
        query.push(" AND (at > ").push_bind(after.0).push(" OR job > ").push_bind(job).push(")");
    }
    query.push(" ORDER BY at, job LIMIT ").push_bind(ROWS_AT_ONCE).push(")");
    query
}

/// Where the text of a grouping stands in every row, or the column that has to be read for it.
fn place(by: By) -> Result<usize, &'static str> {
    match by {
        By::Class => Ok(CLASS),
        By::Signature => Ok(FINGERPRINT),
        By::Stack => Ok(STACK),
        By::Runner => Ok(RUNNER),
        By::Rule => Err("rule"),
        By::Owner => Err("owner"),
        By::Host => Err("host"),
        By::Package => Err("package"),
        By::Compiler => Err("compiler"),
        By::GitRef => Err("git_ref"),
    }
}

/// Every text once.
#[derive(Default)]
struct Words {
    numbers: HashMap<Arc<str>, u32>,
    texts: Vec<Arc<str>>,
}

impl Words {
    fn number(&mut self, text: &str) -> u32 {
        if let Some(number) = self.numbers.get(text) {
            return *number;
        }
        let (number, text) = (self.texts.len() as u32, Arc::<str>::from(text));
        self.texts.push(Arc::clone(&text));
        self.numbers.insert(text, number);
        number
    }

    fn text(&self, number: u32) -> Option<&Arc<str>> {
        self.texts.get(number as usize)
    }
}

/// One grouping on its way.
struct Way {
    by: By,
    /// Where the key stands in a row.
    place: usize,
    /// By key, and by class where that is part of the group.
    tallies: HashMap<(Option<u32>, Option<u32>), Tally>,
}

#[derive(Default)]
struct Tally {
    count: u64,
    new: u64,
    newest: i64,
    oldest: i64,
    retries: Retries,
    stacks: HashMap<u32, u64>,
    runners: HashMap<u32, u64>,
}

/// A row with numbers in place of texts.
struct Numbered {
    at: Timestamp,
    texts: Vec<Option<u32>>,
    later: Option<TryEnd>,
}

impl Numbered {
    fn of(row: &Compact<'_>, words: &mut Words) -> Self {
        let Compact(at, _, texts) = row;
        let later = texts.get(LATER).and_then(|text| text.as_ref());
        Self {
            at: Timestamp::from_millis(*at),
            texts: texts.iter().map(|text| text.as_ref().map(|text| words.number(&text.0))).collect(),
            later: later.and_then(|text| TryEnd::parse(&text.0)),
        }
    }

    fn text(&self, place: usize) -> Option<u32> {
        self.texts.get(place).copied().flatten()
    }
}

impl Way {
    fn new(by: By, others: &BTreeSet<&'static str>) -> Self {
        let place = place(by).unwrap_or_else(|column| TEXTS + others.range(..column).count());
        Self { by, place, tallies: HashMap::new() }
    }

    fn count(&mut self, row: &Numbered, new_since: Timestamp) {
        let class = row.text(CLASS).filter(|_| matches!(self.by, By::Class | By::Signature));
        let at = row.at.millis();
        let fresh = || Tally { newest: at, oldest: at, ..Tally::default() };
        let tally = self.tallies.entry((row.text(self.place), class)).or_insert_with(fresh);
        tally.count += 1;
        tally.new += u64::from(row.at >= new_since);
        tally.newest = tally.newest.max(at);
        tally.oldest = tally.oldest.min(at);
        match row.later {
            Some(TryEnd::Succeeded) => tally.retries.succeeded += 1,
            Some(TryEnd::Failed) => tally.retries.failed += 1,
            Some(TryEnd::Unknown) | None => {}
        }
        for (shares, place) in [(&mut tally.stacks, STACK), (&mut tally.runners, RUNNER)] {
            if let Some(text) = row.text(place) {
                *shares.entry(text).or_default() += 1;
            }
        }
    }

    /// Under which name the keys are known since their first failure.
    fn kind(&self) -> Option<&'static str> {
        match self.by {
            By::Class => Some("class"),
            By::Signature => Some("signature"),
            _ => None,
        }
    }

    /// Every key once.
    fn keys<'w>(&self, words: &'w Words) -> Vec<&'w str> {
        let numbers: BTreeSet<u32> = self.tallies.keys().filter_map(|(key, _)| *key).collect();
        numbers.into_iter().filter_map(|number| words.text(number)).map(|text| &**text).collect()
    }

    fn groups(self, words: &Words, known: &BTreeMap<Arc<str>, Seen>) -> Vec<Group> {
        let text = |number: Option<u32>| number.and_then(|number| words.text(number)).cloned();
        let group = |((key, class), tally): ((Option<u32>, Option<u32>), Tally)| {
            let key = text(key);
            let seen = key.as_ref().and_then(|key| known.get(key));
            Group {
                class: text(class),
                template: seen.and_then(|seen| seen.template.clone()),
                count: tally.count,
                new: tally.new,
                newest: Timestamp::from_millis(tally.newest),
                oldest: Timestamp::from_millis(tally.oldest),
                first_seen: seen.map(|seen| seen.first),
                stacks: shares(&tally.stacks, words),
                runners: shares(&tally.runners, words),
                retries: tally.retries,
                key,
            }
        };
        let mut groups: Vec<Group> = self.tallies.into_iter().map(group).collect();
        groups.sort_by(|a, b| (b.count, &a.class, &a.key).cmp(&(a.count, &b.class, &b.key)));
        groups
    }
}

/// The greatest ones.
fn shares(counts: &HashMap<u32, u64>, words: &Words) -> Vec<Share> {
    let share = |(number, count): (&u32, &u64)| Some(Share { key: Arc::clone(words.text(*number)?), count: *count });
    let mut shares: Vec<Share> = counts.iter().filter_map(share).collect();
    shares.sort_by(|a, b| (b.count, &a.key).cmp(&(a.count, &b.key)));
    shares.truncate(SHARES);
    shares
}
