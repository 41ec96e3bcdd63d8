//! The log document: index, pages in memory, and what is known about the end of the log.
//!
//! The console feeds it bytes as they arrive and writes the same bytes to a spill file; whatever [`LogDoc::rows`] finds missing is an
//! effect for the adapter that owns that file, and comes back through [`LogDoc::load`].

use std::ops::Range;

use super::index::LogIndex;
use super::pages::{LogPages, PageNo};
use super::reader::Reader;
use super::row::{Row, shown_into};

/// Memory for log bytes by default; with index, marks and search results a log of any size stays below 64 MB.
pub const PAGE_BUDGET: usize = 16 * 1024 * 1024;

/// What is known about the end of a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum LogState {
    /// The job may still write.
    #[default]
    Growing,
    /// All of it is here.
    Complete,
    /// The server cut it at its size limit; the end is missing.
    Truncated,
    /// The server does not have it any more; what is shown was fetched before.
    Gone,
}

/// What became of fed bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fed {
    /// So many of them were new.
    Appended(usize),
    /// They contradict what is held: masked or migrated on the server. The log must be reset and fetched again.
    Changed,
    /// They start behind the end; the log is known up to here.
    Gap(u64),
}

/// One log.
#[derive(Debug)]
pub struct LogDoc {
    index: LogIndex,
    pages: LogPages,
    state: LogState,
    generation: u32,
    budget: usize,
}

impl Default for LogDoc {
    fn default() -> Self {
        Self::new(PAGE_BUDGET)
    }
}

/// Rows that were asked for.
#[derive(Debug, Clone, Default)]
pub struct Rows {
    /// One row per line that exists; those without bytes are `loading`.
    pub rows: Vec<Row>,
    /// What to read back before they can be drawn.
    pub missing: Vec<PageNo>,
}

impl LogDoc {
    /// An empty log that keeps at most `budget` bytes of text in memory.
    pub fn new(budget: usize) -> Self {
        let (index, pages) = (LogIndex::default(), LogPages::new(budget));
        Self { index, pages, state: LogState::Growing, generation: 0, budget }
    }

    /// Takes bytes that stand at `offset` of the log. Bytes that are known already are compared, not appended again.
    pub fn feed(&mut self, offset: u64, bytes: &[u8]) -> Fed {
        let total = self.index.total();
        let Some(known) = total.checked_sub(offset) else { return Fed::Gap(total) };
        let (old, new) = bytes.split_at_checked(known as usize).unwrap_or((bytes, &[]));
        if self.pages.differ(offset, old) {
            return Fed::Changed;
        }
        self.index.feed(new);
        self.pages.append(new);
        Fed::Appended(new.len())
    }

    /// Takes a page that was read back from the spill file.
    pub fn load(&mut self, page: PageNo, bytes: Vec<u8>) {
        self.pages.load(page, bytes);
    }

    /// Forgets everything: the text changed under us.
    pub fn reset(&mut self) {
        let generation = self.generation + 1;
        *self = Self { generation, ..Self::new(self.budget) };
    }

    /// Notes how the log ended.
    pub fn set_state(&mut self, state: LogState) {
        if state != LogState::Growing {
            self.index.finish();
        }
        self.state = state;
    }

    pub fn state(&self) -> LogState {
        self.state
    }

    /// Changes with every reset, so that a view knows that its line numbers mean nothing any more.
    pub fn generation(&self) -> u32 {
        self.generation
    }

    /// Bytes of the log so far.
    pub fn total(&self) -> u64 {
        self.index.total()
    }

    /// Lines of the log so far.
    pub fn lines(&self) -> u64 {
        self.index.lines()
    }

    /// The evidence of the verdict over this log stands on this line, from 0.
    pub fn tell_cause(&mut self, line: u64) {
        self.index.tell_cause(line);
    }

    pub fn index(&self) -> &LogIndex {
        &self.index
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.index.memory() + self.pages.memory()
    }

    /// Draws lines. Ascending line numbers are cheapest.
    pub fn rows(&self, lines: impl IntoIterator<Item = u64>) -> Rows {
        let mut reader = Reader::new(self);
        let mut rows = Vec::new();
        for line in lines.into_iter().take_while(|line| *line < self.lines()) {
            let mut row = match reader.line(line) {
                Some(found) => Row::draw(line, found.bytes, self.index.is_stamped(), found.hidden),
                None => Row { line, loading: true, ..Row::default() },
            };
            row.section = self.index.sections().at(line).map(|section| section.id);
            rows.push(row);
        }
        let mut missing = reader.missing;
        missing.sort_unstable();
        missing.dedup();
        Rows { rows, missing }
    }

    /// Shows the plain text of lines to `see`, until pages are missing. Returns the first line that was not shown.
    pub(super) fn read_lines(&self, lines: Range<u64>, mut see: impl FnMut(u64, &[u8])) -> (u64, Vec<PageNo>) {
        let mut reader = Reader::new(self);
        let mut plain = Vec::new();
        for line in lines.clone() {
            let Some(found) = reader.line(line) else { return (line, reader.missing) };
            shown_into(found.bytes, self.index.is_stamped(), &mut plain);
            see(line, &plain);
        }
        (lines.end, Vec::new())
    }

    pub(super) fn pages(&self) -> &LogPages {
        &self.pages
    }
}
