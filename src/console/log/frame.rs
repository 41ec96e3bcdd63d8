//! What a view shows right now: rows to be drawn, pages that are missing, and the line that sums it up.

use std::ops::Range;
use std::time::Duration;

use super::doc::{LogDoc, LogState};
use super::landmarks::{Landmark, LandmarkKind};
use super::pages::PageNo;
use super::row::{Row, Span};
use super::sections::{Section, SectionId};
use super::view::{Follow, LogView};
use crate::ci::Timestamp;
use crate::console::text;

/// How a section went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SectionState {
    Ok,
    /// It holds landmarks, but not the cause.
    Suspicious,
    /// The cause lies in it, or the log ends in it.
    Failed,
    /// The log is still writing it.
    Running,
}

/// The header of a section.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    pub section: SectionId,
    pub title: String,
    pub depth: usize,
    pub folded: bool,
    pub state: SectionState,
    pub duration: Option<Duration>,
    pub lines: u64,
}

/// One screen row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FrameRow {
    /// Counted from 0; shown from 1.
    pub line: u64,
    /// Not the continuation of a wrapped line.
    pub first: bool,
    pub cursor: bool,
    /// In the range to be copied.
    pub marked: bool,
    /// The row is a section's header; its text is the title.
    pub header: Option<Header>,
    pub time: Option<Timestamp>,
    pub landmark: Option<LandmarkKind>,
    pub spans: Vec<Span>,
    /// Bytes of the row's text that match the search.
    pub matches: Vec<Range<usize>>,
    pub loading: bool,
}

/// A screen of log.
#[derive(Debug, Clone, Default)]
pub struct Frame {
    pub rows: Vec<FrameRow>,
    /// What to load before the rest can be drawn.
    pub missing: Vec<PageNo>,
}

impl LogView {
    /// Draws the rows on screen. The work is bounded by the screen, not by the log.
    pub fn frame(&self, doc: &LogDoc) -> Frame {
        let lines = self.lens(doc).from(self.top).take(self.height + usize::from(self.wrap));
        let drawn = doc.rows(lines);
        let (best, stops) = (doc.index().landmarks().best(), doc.index().landmarks().stops());
        let mut rows = Vec::with_capacity(self.height);
        for row in drawn.rows {
            let header = self.header_of(doc, row.line).map(|section| self.describe(doc, section, best, &stops));
            let pieces = if self.wrap && header.is_none() { row.wrap(self.cols) } else { vec![row.spans.clone()] };
            let skipped = if row.line == self.top { self.top_piece } else { 0 };
            for (nth, spans) in pieces.into_iter().enumerate().skip(skipped) {
                rows.push(self.frame_row(&row, best, nth == 0, header.clone(), spans));
            }
            if rows.len() >= self.height {
                break;
            }
        }
        rows.truncate(self.height);
        Frame { rows, missing: drawn.missing }
    }

    /// `landmark 1/2 · match 1/7 "fatal error" · follow: ended · wrap off · times off`
    pub fn status(&self, doc: &LogDoc) -> String {
        let mut parts = vec![self.landmark_status(doc)];
        if let Some(search) = &self.search {
            let (nth, all) = (search.rank(self.cursor), text::count(search.count() as u64));
            let least = if search.is_partial(doc) { "≥ " } else { "" };
            parts.push(format!("match {nth}/{least}{all} \"{}\"", text::clean(search.pattern().text())));
        }
        if let Some(filter) = &self.filter {
            let not = if filter.invert { "!" } else { "" };
            let least = if filter.scan.is_partial(doc) { "≥ " } else { "" };
            let found = text::plural(filter.scan.count() as u64, "match");
            parts.push(format!("{not}& \"{}\" {least}{found}", text::clean(filter.scan.pattern().text())));
        }
        parts.push(match self.follow(doc) {
            Follow::Following => "following".to_owned(),
            Follow::Held(0) => "held".to_owned(),
            Follow::Held(new) => format!("held · +{} new, G resumes", text::count(new)),
            Follow::Ended => match doc.state() {
                LogState::Truncated => "log truncated by the server".to_owned(),
                LogState::Gone => "log is gone from the server".to_owned(),
                LogState::Complete | LogState::Growing => "follow: ended".to_owned(),
            },
        });
        let on = |on| if on { "on" } else { "off" };
        parts.push(format!("wrap {} · times {}", on(self.wrap), on(self.times)));
        parts.join(" · ")
    }

    fn landmark_status(&self, doc: &LogDoc) -> String {
        let stops = doc.index().landmarks().stops();
        let all = doc.index().landmarks().stop_count();
        let passed = stops.iter().filter(|stop| stop.line <= self.cursor).count();
        match all {
            0 => "no landmarks".to_owned(),
            _ => format!("landmark {passed}/{}", text::count(all)),
        }
    }

    /// The section whose header a line shows; under a filter every line is only a line.
    pub(super) fn header_of<'a>(&self, doc: &'a LogDoc, line: u64) -> Option<&'a Section> {
        doc.index().sections().headed_by(line).filter(|_| self.filter.is_none())
    }

    fn describe(&self, doc: &LogDoc, section: &Section, best: Option<Landmark>, stops: &[Landmark]) -> Header {
        let lines = section.lines(doc.lines());
        let state = if best.is_some_and(|best| lines.contains(&best.line)) {
            SectionState::Failed
        } else if section.end.is_none() {
            if doc.state() == LogState::Growing { SectionState::Running } else { SectionState::Failed }
        } else if stops.iter().any(|stop| lines.contains(&stop.line)) {
            SectionState::Suspicious
        } else {
            SectionState::Ok
        };
        Header {
            section: section.id,
            title: section.title.clone(),
            depth: section.depth,
            folded: self.folds.is_folded(section.id),
            state,
            duration: section.duration(),
            lines: lines.end - lines.start,
        }
    }

    fn frame_row(
        &self,
        row: &Row,
        best: Option<Landmark>,
        first: bool,
        header: Option<Header>,
        spans: Vec<Span>,
    ) -> FrameRow {
        let shown: String = spans.iter().map(|span| span.text.as_str()).collect();
        FrameRow {
            line: row.line,
            first,
            cursor: row.line == self.cursor,
            marked: self.in_range(row.line),
            header,
            time: row.time,
            landmark: row.landmark.filter(|kind| kind.is_stop() || best.is_some_and(|best| best.line == row.line)),
            spans,
            matches: self.search.as_ref().map(|search| search.pattern().find_in(&shown)).unwrap_or_default(),
            loading: row.loading,
        }
    }
}
