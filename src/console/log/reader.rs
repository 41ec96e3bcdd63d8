//! Finds the bytes of lines: index first, then the pages in memory. Remembers the last window, so that neighbouring lines cost nothing.

use std::ops::Range;

use super::doc::LogDoc;
use super::index::Interval;
use super::pages::PageNo;
use super::row::{LONGEST, last_state, whole_characters};

/// Reads lines of one document. Collects the pages that it would have needed.
pub(super) struct Reader<'a> {
    doc: &'a LogDoc,
    interval: Option<Interval>,
    window: Vec<u8>,
    starts: Vec<u64>,
    bytes: Vec<u8>,
    pub missing: Vec<PageNo>,
}

/// The bytes of one line that are worth showing.
pub(super) struct Line<'a> {
    pub bytes: &'a [u8],
    pub hidden: u64,
}

impl<'a> Reader<'a> {
    pub fn new(doc: &'a LogDoc) -> Self {
        Self { doc, interval: None, window: Vec::new(), starts: Vec::new(), bytes: Vec::new(), missing: Vec::new() }
    }

    /// The bytes of a line; `None` when the line does not exist or pages are missing.
    pub fn line(&mut self, line: u64) -> Option<Line<'_>> {
        let range = self.extent(line)?;
        let len = range.end - range.start;
        if len > LONGEST {
            return self.long_line(range);
        }
        let window = self.interval.as_ref()?.window.clone();
        if window.start <= range.start && range.end <= window.end {
            let at = (range.start - window.start) as usize;
            return Some(Line { bytes: self.window.get(at..at + len as usize)?, hidden: 0 });
        }
        self.read(range)?;
        Some(Line { bytes: &self.bytes, hidden: 0 })
    }

    fn long_line(&mut self, range: Range<u64>) -> Option<Line<'_>> {
        self.read(range.end - LONGEST..range.end)?;
        if let Some(state) = last_state(&self.bytes) {
            return Some(Line { bytes: self.bytes.get(state..)?, hidden: 0 });
        }
        self.read(range.start..range.start + LONGEST)?;
        whole_characters(&mut self.bytes);
        let newline = 1; // a long line that ends has a newline which is not hidden text
        let hidden = (range.end - range.start).saturating_sub(self.bytes.len() as u64 + newline);
        Some(Line { bytes: &self.bytes, hidden })
    }

    /// Where a line starts and ends, its newline included.
    fn extent(&mut self, line: u64) -> Option<Range<u64>> {
        if self.interval.as_ref().is_none_or(|i| !i.lines.contains(&line)) {
            self.interval = None;
            let interval = self.doc.index().interval(line)?;
            if let Err(missing) = self.doc.pages().read(interval.window.clone(), &mut self.window) {
                self.missing.extend(missing);
                return None;
            }
            self.doc.index().starts(&interval, &self.window, &mut self.starts);
            self.interval = Some(interval);
        }
        let interval = self.interval.as_ref()?;
        let nth = (line - interval.lines.start) as usize;
        let start = *self.starts.get(nth)?;
        Some(start..self.starts.get(nth + 1).copied().unwrap_or(interval.end))
    }

    fn read(&mut self, range: Range<u64>) -> Option<()> {
        self.doc.pages().read(range, &mut self.bytes).map_err(|missing| self.missing.extend(missing)).ok()
    }
}
