//! The bytes of a log that are in memory: pages of 64 kB under a cap.
//!
//! The least recently used page goes first; whoever needs it again is told its number and asks the spill file. The last page never goes,
//! because new bytes are appended to it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::{Deserialize, Serialize};

const PAGE: u64 = 64 * 1024;

/// The number of a page of log bytes, counted from the log's beginning.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct PageNo(pub u64);

impl PageNo {
    /// The bytes of the log that the page holds when it is full.
    pub const fn bytes(self) -> Range<u64> {
        self.0 * PAGE..(self.0 + 1) * PAGE
    }

    const fn of(offset: u64) -> Self {
        Self(offset / PAGE)
    }
}

#[derive(Debug)]
struct Page {
    bytes: Vec<u8>,
    used: AtomicU64,
}

/// Pages of one log.
#[derive(Debug)]
pub struct LogPages {
    pages: HashMap<PageNo, Page>,
    budget: usize,
    total: u64,
    /// Counts uses; reading counts as well, and must not need `&mut`.
    clock: AtomicU64,
}

impl LogPages {
    /// Holds at most `budget` bytes of pages, but always the last one.
    pub fn new(budget: usize) -> Self {
        Self { pages: HashMap::new(), budget, total: 0, clock: AtomicU64::new(0) }
    }

    /// Appends the next bytes of the log.
    pub fn append(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let no = PageNo::of(self.total);
            let room = (no.bytes().end - self.total) as usize;
            let (now, later) = bytes.split_at_checked(room).unwrap_or((bytes, &[]));
            bytes = later;
            if self.total == no.bytes().start {
                self.insert(no, now.to_vec());
            } else if let Some(page) = self.pages.get_mut(&no) {
                page.bytes.extend_from_slice(now);
            }
            self.total += now.len() as u64;
        }
    }

    /// Takes a page that was read back.
    pub fn load(&mut self, no: PageNo, mut bytes: Vec<u8>) {
        bytes.truncate(PAGE as usize);
        let known = self.total.saturating_sub(no.bytes().start) as usize;
        if bytes.len() >= known.min(PAGE as usize) && known > 0 {
            bytes.truncate(known);
            self.insert(no, bytes);
        }
    }

    /// Copies a range of the log into `out`, or tells which pages are missing.
    pub fn read(&self, range: Range<u64>, out: &mut Vec<u8>) -> Result<(), Vec<PageNo>> {
        out.clear();
        let pages = PageNo::of(range.start).0..range.end.div_ceil(PAGE);
        let missing: Vec<PageNo> = pages.clone().map(PageNo).filter(|no| !self.pages.contains_key(no)).collect();
        if !missing.is_empty() {
            return Err(missing);
        }
        for no in pages.map(PageNo) {
            let Some(page) = self.pages.get(&no) else { continue };
            page.used.store(self.tick(), Ordering::Relaxed);
            let from = range.start.saturating_sub(no.bytes().start) as usize;
            let to = (range.end - no.bytes().start).min(page.bytes.len() as u64) as usize;
            out.extend_from_slice(page.bytes.get(from..to).unwrap_or_default());
        }
        Ok(())
    }

    /// Whether held bytes at `offset` differ from these; bytes that are not held cannot differ.
    pub fn differ(&self, offset: u64, bytes: &[u8]) -> bool {
        let mut held = Vec::new();
        let mut at = offset;
        let mut rest = bytes;
        while !rest.is_empty() {
            let len = ((PageNo::of(at).bytes().end - at) as usize).min(rest.len());
            let (now, later) = rest.split_at_checked(len).unwrap_or((rest, &[]));
            let known = self.read(at..at + len as u64, &mut held).is_ok();
            if known && !now.starts_with(&held) {
                return true;
            }
            at += len as u64;
            rest = later;
        }
        false
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.pages.values().map(|page| page.bytes.capacity() + size_of::<Page>() + size_of::<PageNo>()).sum()
    }

    fn insert(&mut self, no: PageNo, bytes: Vec<u8>) {
        let limit = (self.budget / PAGE as usize).max(2);
        let mut buffer = None;
        while self.pages.len() >= limit {
            let last = PageNo::of(self.total.saturating_sub(1));
            let oldest = self.pages.iter().filter(|(no, _)| **no != last);
            let Some(oldest) = oldest.min_by_key(|(_, page)| page.used.load(Ordering::Relaxed)).map(|(no, _)| *no)
            else {
                break;
            };
            buffer = self.pages.remove(&oldest).map(|page| page.bytes);
        }
        // A full page's buffer is kept for its successor: a long log costs no allocation per page.
        let mut page = buffer.unwrap_or_else(|| Vec::with_capacity(PAGE as usize));
        page.clear();
        page.extend_from_slice(&bytes);
        self.pages.insert(no, Page { bytes: page, used: AtomicU64::new(self.tick()) });
    }

    fn tick(&self) -> u64 {
        self.clock.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(len: usize) -> Vec<u8> {
        (0..len).map(|i| (i / 7 % 251) as u8).collect()
    }

    #[test]
    fn reads_across_pages_and_names_what_is_missing() {
        let all = text(5 * PAGE as usize + 100);
        let mut pages = LogPages::new(2 * PAGE as usize);
        for chunk in all.chunks(10_000) {
            pages.append(chunk);
        }
        let mut out = Vec::new();
        assert_eq!(pages.read(PAGE - 10..PAGE + 10, &mut out), Err(vec![PageNo(0), PageNo(1)]));
        assert!(pages.memory() <= 2 * (PAGE as usize + 100));
        let mut pages = LogPages::new(9 * PAGE as usize);
        pages.append(&all);
        pages.read(PAGE - 10..2 * PAGE + 10, &mut out).unwrap();
        assert_eq!(out, &all[PAGE as usize - 10..2 * PAGE as usize + 10]);
    }

    #[test]
    fn the_page_used_last_stays_and_loaded_pages_must_be_whole() {
        let all = text(4 * PAGE as usize);
        let mut pages = LogPages::new(3 * PAGE as usize);
        pages.append(&all[..3 * PAGE as usize]);
        let mut out = Vec::new();
        pages.read(0..10, &mut out).unwrap();
        pages.append(&all[3 * PAGE as usize..]);
        assert!(pages.read(0..10, &mut out).is_ok());
        assert_eq!(pages.read(PAGE..PAGE + 1, &mut out), Err(vec![PageNo(1)]));
        pages.load(PageNo(1), vec![0; 10]);
        assert_eq!(pages.read(PAGE..PAGE + 1, &mut out), Err(vec![PageNo(1)]));
        pages.load(PageNo(1), all[PAGE as usize..2 * PAGE as usize].to_vec());
        pages.read(PAGE..PAGE + 3, &mut out).unwrap();
        assert_eq!(out, &all[PAGE as usize..PAGE as usize + 3]);
    }

    #[test]
    fn differences_in_held_bytes_are_noticed() {
        let mut pages = LogPages::new(4 * PAGE as usize);
        pages.append(b"one two three");
        assert!(!pages.differ(4, b"two"));
        assert!(pages.differ(4, b"TWO"));
    }
}
