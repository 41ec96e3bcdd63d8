//! A stretch of shown lines, ready to be searched in one go.
//!
//! A line is kept in the block until ten lines after it are there as well, and three lines longer, so that every match finds its
//! surroundings beside it.

use super::sections::Place;

/// So much text, or so many entries, are searched at once.
const TEXT: usize = 256 * 1024;
const ENTRIES: usize = 8 * 1024;
/// Lines told before and after a match.
const BEFORE: usize = 3;
const AFTER: usize = 10;

/// One shown line, or one state of a line that was overwritten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Entry {
    pub start: u32,
    pub end: u32,
    /// From 1.
    pub line: u64,
    /// Of the line's first byte, in the log as it came.
    pub offset: u64,
    pub place: Place,
    /// What the line shows in the end.
    pub last: bool,
}

/// Lines that wait to be searched, with their text.
#[derive(Debug, Clone, Default)]
pub(super) struct Block {
    text: Vec<u8>,
    entries: Vec<Entry>,
    /// Where the entry starts that is being written.
    begun: usize,
    /// Entries before this one were searched.
    searched: usize,
    /// How many entries were dropped: the number of the first one.
    dropped: u64,
    /// Text and entries that were there after the last search.
    kept: (usize, usize),
}

impl Block {
    /// Bytes of memory held.
    #[cfg(test)]
    pub fn held(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<Entry>()
    }

    pub fn text(&self) -> &[u8] {
        &self.text
    }

    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The number that an entry has over the whole log.
    pub fn number(&self, at: usize) -> u64 {
        self.dropped + at as u64
    }

    /// The number of the next entry.
    pub fn next_number(&self) -> u64 {
        self.number(self.entries.len())
    }

    /// The first entry with at least that number.
    pub fn at(&self, number: u64) -> usize {
        usize::try_from(number.saturating_sub(self.dropped)).unwrap_or(usize::MAX).min(self.entries.len())
    }

    /// The text of an entry.
    pub fn shown(&self, at: usize) -> &[u8] {
        let entry = self.entries.get(at);
        entry.and_then(|e| self.text.get(e.start as usize..e.end as usize)).unwrap_or_default()
    }

    /// Writes to the entry that is begun.
    pub fn write(&mut self, bytes: &[u8]) {
        self.text.extend_from_slice(bytes);
    }

    /// What was written to the entry that is begun.
    pub fn written(&self) -> &[u8] {
        self.text.get(self.begun..).unwrap_or_default()
    }

    /// Shortens what was written to so many bytes.
    pub fn cut(&mut self, len: usize) {
        self.text.truncate(self.begun + len);
    }

    /// Ends the entry that is begun; the next one begins.
    pub fn end(&mut self, line: u64, offset: u64, place: Place, last: bool) {
        let end = self.text.len();
        self.text.push(b'\n');
        self.entries.push(Entry { start: self.begun as u32, end: end as u32, line, offset, place, last });
        self.begun = self.text.len();
    }

    /// Drops the newest entry, because its line has too many states. The one that is begun takes its place.
    pub fn drop_newest(&mut self) {
        if let Some(entry) = self.entries.pop() {
            self.text.drain(entry.start as usize..self.begun);
            self.begun = entry.start as usize;
        }
    }

    /// Enough has come to be searched.
    pub fn is_full(&self) -> bool {
        self.text.len() >= self.kept.0 + TEXT || self.entries.len() >= self.kept.1 + ENTRIES
    }

    /// The entries to be searched now: those whose surroundings are complete, or all when the log is at its end.
    pub fn due(&self, at_end: bool) -> std::ops::Range<usize> {
        let mut to = self.entries.len();
        if !at_end {
            let mut lines = 0;
            while lines < AFTER && to > self.searched {
                to -= 1;
                lines += usize::from(self.entries.get(to).is_some_and(|e| e.last));
            }
            // The states of that line belong to it.
            while to > self.searched && self.entries.get(to - 1).is_some_and(|e| !e.last) {
                to -= 1;
            }
        }
        self.searched..to
    }

    /// Forgets what is not needed any more: entries before `to` were searched.
    pub fn retire(&mut self, to: usize) {
        let mut from = to;
        let mut lines = 0;
        while from > 0 && lines < BEFORE {
            from -= 1;
            lines += usize::from(self.entries.get(from).is_some_and(|e| e.last));
        }
        let bytes = self.entries.get(from).map_or(self.text.len(), |e| e.start as usize);
        self.text.drain(..bytes);
        self.entries.drain(..from);
        for entry in &mut self.entries {
            entry.start -= bytes as u32;
            entry.end -= bytes as u32;
        }
        self.begun -= bytes;
        self.dropped += from as u64;
        self.searched = to - from;
        self.kept = (self.text.len(), self.entries.len());
    }

    /// The lines before an entry's line, in order.
    pub fn before(&self, at: usize) -> Vec<&[u8]> {
        let line = self.entries.get(at).map_or(0, |e| e.line);
        let mut lines: Vec<&[u8]> = (0..at)
            .rev()
            .filter(|n| self.entries.get(*n).is_some_and(|e| e.last && e.line < line))
            .take(BEFORE)
            .map(|n| self.shown(n))
            .collect();
        lines.reverse();
        lines
    }

    /// The lines after an entry's line, in order.
    pub fn after(&self, at: usize) -> Vec<&[u8]> {
        let line = self.entries.get(at).map_or(0, |e| e.line);
        (at + 1..self.entries.len())
            .filter(|n| self.entries.get(*n).is_some_and(|e| e.last && e.line > line))
            .take(AFTER)
            .map(|n| self.shown(n))
            .collect()
    }
}
