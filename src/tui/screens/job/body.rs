//! The log below the header: section headers, numbered lines in their own colours, and the line that sums it up.

use ratatui::layout::Rect;

use crate::ci::{JobId, precise};
use crate::console::log::{Frame, FrameRow, Header, LogDoc, LogView, SectionState};
use crate::console::state::JobState;
use crate::console::text;
use crate::console::world::LogFacts;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Pen, empty};

/// Narrower than this, lines have no numbers.
const NUMBERED: u16 = 70;
const TIME: u16 = 9;
/// Columns of a section's title, where there is room.
const TITLE: u16 = 44;

/// Where things stand in the body.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    area: Rect,
    /// Columns of the line number, 0 for none.
    digits: u16,
    time: u16,
}

impl Room {
    /// The room inside the frame, below the header.
    pub fn inside(area: Rect, doc: &LogDoc, times: bool) -> Self {
        let digits = if area.width < NUMBERED { 0 } else { (doc.lines().to_string().len() as u16).max(5) };
        let time = if times && area.width > TIME * 3 { TIME } else { 0 };
        Self { area, digits, time }
    }

    /// Columns for text.
    pub fn columns(self) -> u16 {
        self.area.right().saturating_sub(self.text())
    }

    /// Rows for text; the last row sums up.
    pub fn rows(self) -> u16 {
        self.area.height.saturating_sub(1)
    }

    /// The landmark's column.
    fn sign(self) -> u16 {
        self.area.x + 1 + if self.digits > 0 { self.digits + 1 } else { 0 }
    }

    fn text(self) -> u16 {
        self.sign() + 2 + self.time
    }
}

/// Draws a screen of log.
pub(super) fn draw(pen: &mut Pen<'_>, area: Rect, doc: &LogDoc, view: &LogView, frame: &Frame) {
    if area.is_empty() {
        return;
    }
    let room = Room::inside(area, doc, view.shows_times());
    for (nth, row) in frame.rows.iter().take(usize::from(room.rows())).enumerate() {
        let line = Rect { y: area.y + nth as u16, height: 1, ..area };
        match &row.header {
            Some(header) => section_row(pen, header, line),
            None => line_row(pen, room, row, line.y),
        }
        let behind = Rect { x: area.x + 1, width: area.width - 1, ..line };
        if row.marked {
            pen.paint(behind, Role::Mark);
        }
        if row.cursor {
            pen.glyph(line.x, line.y, pen.look.glyphs.cursor, Role::BorderFocus);
            pen.paint(behind, Role::Cursor);
        }
    }
    pen.put(area.x, area.bottom() - 1, area.width, &view.status(doc), Role::TextDim);
}

/// Says why there is no log to be seen.
pub(super) fn draw_empty(pen: &mut Pen<'_>, cx: Cx<'_>, area: Rect, id: JobId, facts: Option<&LogFacts>) {
    let state = cx.world.job(id).map(|job| cx.world.state(job));
    let why = match (state, facts.and_then(|facts| facts.read_at)) {
        (None, _) => "This job is not known yet.",
        (Some(JobState::Wait), _) => "No log yet: the job waits for a runner.",
        (Some(JobState::Blocked), _) => "No log yet: the job waits for what it needs.",
        (Some(JobState::Manual), _) => "No log yet: the job waits for a person.",
        (Some(JobState::Skip), _) => "No log: the job was skipped.",
        _ if facts.is_some_and(|facts| facts.error.is_some()) => "No part of the log was read.",
        (Some(_), Some(_)) => "The log is empty.",
        (Some(_), None) => "The log is being read.",
    };
    if !area.is_empty() {
        empty(pen, area, why, None);
    }
}

fn section_row(pen: &mut Pen<'_>, header: &Header, line: Rect) {
    let glyphs = pen.look.glyphs;
    let state = match header.state {
        SectionState::Ok => JobState::Ok,
        SectionState::Suspicious => JobState::Warn,
        SectionState::Failed => JobState::Fail,
        SectionState::Running => JobState::Run,
    };
    let indent = 2 + 2 * header.depth as u16;
    let fold = if header.folded { glyphs.fold.1 } else { glyphs.fold.0 };
    let lines = text::plural(header.lines, "line");
    let after = 11 + text::width(&lines) as u16;
    let title = line.width.saturating_sub(indent + 2 + after).min(TITLE.saturating_sub(indent));
    let x = line.x + indent;
    pen.glyph(x, line.y, fold, Role::LogSection);
    pen.put(x + 2, line.y, title, &header.title, Role::LogSection);
    let x = x + 2 + title;
    let took = header.duration.map(precise).unwrap_or_default();
    pen.put_right(x, line.y, 7, &took, Role::TextDim);
    let state = [(glyphs.state(state), Role::of(state)), (" ", Role::Text), (&lines, Role::TextDim)];
    pen.put_all(x + 9, line.y, line.right().saturating_sub(x + 9), state);
}

fn line_row(pen: &mut Pen<'_>, room: Room, row: &FrameRow, y: u16) {
    if room.digits > 0 && row.first {
        pen.put_right(room.area.x + 1, y, room.digits, &(row.line + 1).to_string(), Role::LogNumber);
    }
    if row.landmark.is_some() && row.first {
        pen.glyph(room.sign(), y, pen.look.glyphs.state(JobState::Fail), Role::LogLandmark);
    }
    if let (Some(time), true) = (row.time, room.time > 0 && row.first) {
        pen.put(room.sign() + 2, y, TIME, &time.clock(), Role::LogNumber);
    }
    if row.loading {
        pen.put(room.text(), y, room.columns(), "loading", Role::TextDim);
    }
    spans(pen, room, row, y);
}

/// The text in the log's own colours, and the matches over it.
fn spans(pen: &mut Pen<'_>, room: Room, row: &FrameRow, y: u16) {
    let plain = if row.landmark.is_some() { Role::LogLandmark } else { Role::Text };
    let mut used = 0;
    for span in &row.spans {
        let left = room.columns().saturating_sub(used);
        let x = room.text() + used;
        let drawn = pen.put(x, y, left, &span.text, plain);
        pen.dye(Rect::new(x, y, drawn, 1), span.style);
        used += drawn;
        if used >= room.columns() {
            break;
        }
    }
    let shown: String = row.spans.iter().map(|span| span.text.as_str()).collect();
    for found in &row.matches {
        let column = |at: usize| (text::width(shown.get(..at).unwrap_or(&shown)) as u16).min(used);
        let (from, to) = (column(found.start), column(found.end));
        pen.paint(Rect::new(room.text() + from, y, to - from, 1), Role::Match);
    }
}
