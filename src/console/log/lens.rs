//! Which lines a view shows at the moment: all that are not folded away, or those that a filter lets through.

use super::doc::LogDoc;
use super::folds::Folds;
use super::scan::{Pattern, Scan};

/// `&` of the log: only lines that match, with some lines of context; or only those that do not match.
#[derive(Debug, Clone)]
pub(super) struct LineFilter {
    pub scan: Scan,
    pub context: u64,
    pub invert: bool,
}

impl LineFilter {
    pub fn new(pattern: Pattern, context: u64, invert: bool) -> Self {
        Self { scan: Scan::new(pattern, 0), context, invert }
    }

    fn next(&self, from: u64) -> Option<u64> {
        if self.invert {
            return (from..self.scan.reached()).find(|line| self.scan.at_or_after(*line) != Some(*line));
        }
        let hit = self.scan.at_or_after(from.saturating_sub(self.context))?;
        Some(from.max(hit.saturating_sub(self.context)))
    }

    fn previous(&self, from: u64) -> Option<u64> {
        if self.invert {
            let from = from.min(self.scan.reached().checked_sub(1)?);
            return (0..=from).rev().find(|line| self.scan.at_or_before(*line) != Some(*line));
        }
        let hit = self.scan.at_or_before(from.saturating_add(self.context))?;
        Some(from.min(hit + self.context))
    }
}

/// Walks the shown lines of a document.
#[derive(Clone, Copy)]
pub(super) struct Lens<'a> {
    pub doc: &'a LogDoc,
    pub folds: &'a Folds,
    pub filter: Option<&'a LineFilter>,
}

impl Lens<'_> {
    /// The first shown line at or after `line`.
    pub fn at_or_after(&self, line: u64) -> Option<u64> {
        let found = match self.filter {
            Some(filter) => filter.next(line)?,
            None => self.folds.hiding(line).map_or(line, |range| range.end),
        };
        (found < self.doc.lines()).then_some(found)
    }

    /// The last shown line at or before `line`.
    pub fn at_or_before(&self, line: u64) -> Option<u64> {
        let line = line.min(self.doc.lines().checked_sub(1)?);
        match self.filter {
            Some(filter) => filter.previous(line),
            None => Some(self.folds.hiding(line).map_or(line, |range| range.start.saturating_sub(1))),
        }
    }

    /// The shown line nearest to `line`, rather above it.
    pub fn nearest(&self, line: u64) -> Option<u64> {
        self.at_or_before(line).or_else(|| self.at_or_after(line))
    }

    pub fn after(&self, line: u64) -> Option<u64> {
        self.at_or_after(line.checked_add(1)?)
    }

    pub fn before(&self, line: u64) -> Option<u64> {
        self.at_or_before(line.checked_sub(1)?)
    }

    pub fn last(&self) -> Option<u64> {
        self.at_or_before(u64::MAX)
    }

    /// Shown lines from `line` on.
    pub fn from(self, line: u64) -> impl Iterator<Item = u64> {
        std::iter::successors(self.at_or_after(line), move |line| self.after(*line))
    }
}
