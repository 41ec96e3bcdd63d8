//! Which sections are folded: what the user chose, or else folded unless the cause lies in them or they are still open.

use std::collections::BTreeMap;
use std::ops::Range;

use super::doc::LogDoc;
use super::sections::{Section, SectionId};

/// Folds of one view.
#[derive(Debug, Clone, Default)]
pub(super) struct Folds {
    chosen: BTreeMap<SectionId, bool>,
    by_default: BTreeMap<SectionId, bool>,
    /// Hidden lines: ascending, disjoint.
    hidden: Vec<Range<u64>>,
}

impl Folds {
    /// Follows the document. While `frozen`, no fold changes by itself, because the user is looking.
    pub fn sync(&mut self, doc: &LogDoc, frozen: bool) {
        let cause = doc.index().landmarks().best().map(|best| best.line);
        for section in doc.index().sections().all() {
            let lines = section.lines(doc.lines());
            let folded = section.end.is_some() && !cause.is_some_and(|line| lines.contains(&line));
            if frozen {
                self.by_default.entry(section.id).or_insert(false);
            } else {
                self.by_default.insert(section.id, folded);
            }
        }
        self.hide(doc);
    }

    pub fn is_folded(&self, id: SectionId) -> bool {
        self.chosen.get(&id).or_else(|| self.by_default.get(&id)).copied().unwrap_or(false)
    }

    pub fn choose(&mut self, doc: &LogDoc, id: SectionId, folded: bool) {
        self.chosen.insert(id, folded);
        self.hide(doc);
    }

    pub fn choose_all(&mut self, doc: &LogDoc, folded: bool) {
        self.chosen = doc.index().sections().all().iter().map(|section| (section.id, folded)).collect();
        self.hide(doc);
    }

    /// Unfolds whatever hides a line.
    pub fn reveal(&mut self, doc: &LogDoc, line: u64) {
        let sections = doc.index().sections();
        let mut inner = sections.at(line);
        while let Some(section) = inner {
            if section.start < line && self.is_folded(section.id) {
                self.chosen.insert(section.id, false);
            }
            inner = section.parent.and_then(|id| sections.get(id));
        }
        self.hide(doc);
    }

    /// The hidden stretch that a line lies in.
    pub fn hiding(&self, line: u64) -> Option<&Range<u64>> {
        let after = self.hidden.partition_point(|range| range.start <= line);
        self.hidden.get(after.checked_sub(1)?).filter(|range| range.contains(&line))
    }

    fn hide(&mut self, doc: &LogDoc) {
        let mut hidden: Vec<Range<u64>> = Vec::new();
        for section in doc.index().sections().all().iter().filter(|s| self.is_folded(s.id)) {
            let lines = body(section);
            if hidden.last().is_none_or(|last| last.end <= lines.start) && !lines.is_empty() {
                hidden.push(lines);
            }
        }
        self.hidden = hidden;
    }
}

/// What folding hides: everything but the header. An open section hides what is still to come.
fn body(section: &Section) -> Range<u64> {
    section.start + 1..section.end.unwrap_or(u64::MAX)
}
