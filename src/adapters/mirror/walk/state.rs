//! How far a walk is: plain data that can be saved after any page.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::Row;
use crate::ci::Timestamp;

/// A walk through everything below an address, or through one cache root.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Walk {
    url: String,
    /// What is not listed yet. No two of them overlap.
    open: BTreeMap<u64, Range>,
    /// The number of the next range.
    next: u64,
    finished: u64,
    keys: u64,
    bytes: u64,
    /// The mirror's clock when the walk began; `None` where it tells none, as folders do.
    pub listed_at: Option<Timestamp>,
    /// How far that clock was ahead of ours, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// How far a walk is. How much is to come is not known: ranges are split as they turn out to be big.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Progress {
    pub keys: u64,
    pub bytes: u64,
    /// Ranges listed to their end.
    pub finished: u64,
    /// Ranges known so far, with those.
    pub known: u64,
}

/// Some of the keys below an address, in the order of their bytes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(in super::super) struct Range {
    /// Every key begins with this; empty, or with `/` at its end.
    pub prefix: String,
    /// The last key that was delivered, or what all of them come after. It may be empty: the address itself can be a key.
    pub after: Option<String>,
    /// No key comes after this.
    pub until: Option<String>,
}

impl Range {
    fn all(prefix: &str) -> Self {
        Self { prefix: prefix.to_owned(), ..Self::default() }
    }

    /// The folder that all of its keys are in.
    pub fn folder(&self) -> &str {
        let (Some(after), Some(until)) = (&self.after, &self.until) else { return &self.prefix };
        let shared = after.bytes().zip(until.bytes()).take_while(|(a, b)| a == b).count();
        let folder = after.as_bytes().get(..shared).unwrap_or_default();
        let end = folder.iter().rposition(|byte| *byte == b'/').map_or(0, |at| at + 1);
        after.get(..end).filter(|folder| folder.len() > self.prefix.len()).unwrap_or(&self.prefix)
    }

    /// Whether the range can be split behind this key.
    pub fn is_inside(&self, key: &String) -> bool {
        self.after.as_ref().is_none_or(|after| key > after) && self.until.as_ref().is_none_or(|until| key < until)
    }

    /// Whether a key comes before what the range ends with.
    pub fn reaches(&self, key: &str) -> bool {
        self.until.as_deref().is_none_or(|until| key <= until)
    }
}

impl Walk {
    /// Through everything that lies below an address.
    pub fn below(url: &str) -> Self {
        Self::through(url, &[""])
    }

    /// Through what belongs to the cache root at this address, and not to the roots below it.
    pub fn root(url: &str) -> Self {
        Self::through(url, &["blobs/", "build_cache/", "v3/"])
    }

    fn through(url: &str, prefixes: &[&str]) -> Self {
        Self {
            url: url.to_owned(),
            open: (0..).zip(prefixes.iter().map(|prefix| Range::all(prefix))).collect(),
            next: prefixes.len() as u64,
            finished: 0,
            keys: 0,
            bytes: 0,
            listed_at: None,
            skew_ms: None,
        }
    }

    /// What is walked through.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Whether everything was listed.
    pub fn is_complete(&self) -> bool {
        self.open.is_empty()
    }

    /// How far it is.
    pub fn progress(&self) -> Progress {
        let Self { keys, bytes, finished, .. } = *self;
        Progress { keys, bytes, finished, known: finished + self.open.len() as u64 }
    }

    pub(super) fn open(&self) -> impl Iterator<Item = u64> {
        self.open.keys().copied()
    }

    pub(super) fn range(&self, id: u64) -> Option<&Range> {
        self.open.get(&id)
    }

    /// Notes that these were delivered, in their order, and whether there is more of that range.
    pub(super) fn deliver(&mut self, id: u64, rows: &[Row], skipped: usize, is_more: bool) {
        self.keys += rows.len() as u64;
        self.bytes += rows.iter().map(|row| row.bytes).sum::<u64>();
        let last = rows.last().and_then(|row| row.key.get(skipped..));
        match (self.open.get_mut(&id), last) {
            (Some(range), Some(last)) if is_more => range.after = Some(last.to_owned()),
            _ => {
                self.finished += u64::from(self.open.remove(&id).is_some());
            }
        }
    }

    /// Opens a range for everything in a folder.
    pub(super) fn add(&mut self, prefix: &str) -> u64 {
        self.insert(Range::all(prefix))
    }

    fn insert(&mut self, range: Range) -> u64 {
        let id = self.next;
        self.next += 1;
        self.open.insert(id, range);
        id
    }

    /// Splits what is open of a range into so many at most, at some of these keys. They stand in order; each ends one part.
    pub(super) fn split(&mut self, id: u64, ends: &[String], parts: usize) -> Vec<u64> {
        let Some(range) = self.open.get(&id).cloned() else { return Vec::new() };
        let ends: Vec<&String> = ends.iter().filter(|end| range.is_inside(end)).collect();
        let parts = parts.min(ends.len() + 1);
        let mut chosen: Vec<&String> =
            (1..parts).filter_map(|part| ends.get(part * ends.len() / parts)).copied().collect();
        chosen.dedup();
        let Some(first) = chosen.first() else { return Vec::new() };
        if let Some(open) = self.open.get_mut(&id) {
            open.until = Some((*first).clone());
        }
        let next = chosen.iter().skip(1).map(|end| Some((*end).clone())).chain([range.until]);
        let parts = chosen.iter().zip(next).map(|(after, until)| Range {
            prefix: range.prefix.clone(),
            after: Some((*after).clone()),
            until,
        });
        parts.collect::<Vec<_>>().into_iter().map(|part| self.insert(part)).collect()
    }

    /// Notes the earliest word of the mirror's clock.
    pub(super) fn tell(&mut self, theirs: Option<Timestamp>, ours: Timestamp) {
        if let Some(theirs) = theirs.filter(|theirs| self.listed_at.is_none_or(|earliest| *theirs < earliest)) {
            self.listed_at = Some(theirs);
            self.skew_ms = Some(theirs.millis() - ours.millis());
        }
    }
}

/// How many of these, which stand in order, a range reaches.
pub(in super::super) fn end_of(range: &Range, rows: &[Row], skipped: usize) -> usize {
    rows.partition_point(|row| row.key.get(skipped..).is_some_and(|key| range.reaches(key)))
}
