//! What a walk delivers: entries, a page at a time.

use crate::ci::Timestamp;

/// Some entries, in no order across pages.
#[derive(Debug, Clone, Copy)]
pub struct Page<'a> {
    rows: &'a [Row],
    /// How much of every key is the address.
    skipped: usize,
}

/// One object or file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry<'a> {
    /// Below the address that is walked through. It is no path of this machine.
    pub key: &'a str,
    pub bytes: u64,
    pub modified: Option<Timestamp>,
    /// Another one means other contents; `None` where nothing tells versions apart.
    pub tag: Option<&'a str>,
}

/// An entry, as it was listed.
#[derive(Debug, PartialEq, Eq)]
pub(in super::super) struct Row {
    pub key: String,
    pub bytes: u64,
    pub modified: Option<Timestamp>,
    pub tag: Option<String>,
}

pub(in super::super) type Rows = Vec<Row>;

impl<'a> Page<'a> {
    pub(super) const fn of(rows: &'a [Row], skipped: usize) -> Self {
        Self { rows, skipped }
    }

    /// What is on it.
    pub fn entries(self) -> impl Iterator<Item = Entry<'a>> {
        self.rows.iter().map(move |row| Entry {
            key: row.key.get(self.skipped..).unwrap_or_default(),
            bytes: row.bytes,
            modified: row.modified,
            tag: row.tag.as_deref(),
        })
    }
}
