//! The view on a log: cursor, viewport, folds, follow state, search and filter. Pure; a screen draws its [`Frame`](super::Frame).
//!
//! Cursor and viewport are line numbers, which never change while a log grows, so what the user looks at stays where it is. Only a view
//! that nobody has touched moves by itself: along the end of a running log, or to the cause of a finished one.

use super::doc::{LogDoc, LogState};
use super::folds::Folds;
use super::lens::{Lens, LineFilter};
use super::scan::{Pattern, Scan, Work};

/// Lines that one piece of search work looks at: a few milliseconds.
const WORK_LINES: u64 = 10_000;
/// Lines that one copy takes at most.
const MAX_COPY: u64 = 2_000;

/// A way to move through a log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Motion {
    Down,
    Up,
    HalfPageDown,
    HalfPageUp,
    PageDown,
    PageUp,
    Top,
    /// To the end; resumes following.
    Bottom,
    /// To a line, counted from 0.
    Line(u64),
    NextLandmark,
    PreviousLandmark,
    NextSection,
    PreviousSection,
    NextMatch,
    PreviousMatch,
}

/// Whether the view stays at the end of a growing log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Follow {
    Following,
    /// The user looks elsewhere; so many lines came since.
    Held(u64),
    /// Nothing more will come.
    Ended,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Forward,
    Back,
}

/// A view on one log.
#[derive(Debug, Clone)]
pub struct LogView {
    pub(super) generation: u32,
    /// The job was running when the log was opened.
    live: bool,
    pub(super) cursor: u64,
    pub(super) top: u64,
    /// How many wrapped pieces of the top line are scrolled out.
    pub(super) top_piece: usize,
    pub(super) cols: usize,
    pub(super) height: usize,
    following: bool,
    held_at: u64,
    /// The user moved or folded: nothing moves by itself any more.
    touched: bool,
    pub(super) folds: Folds,
    pub(super) filter: Option<LineFilter>,
    pub(super) search: Option<Scan>,
    seeking: Option<Direction>,
    /// The other end of a range to be copied.
    anchor: Option<u64>,
    pub(super) wrap: bool,
    pub(super) times: bool,
}

impl LogView {
    /// A view that opens at the end of a running job's log, or at the cause in a finished job's log.
    pub fn new(live: bool) -> Self {
        Self {
            generation: 0,
            live,
            cursor: 0,
            top: 0,
            top_piece: 0,
            cols: 80,
            height: 24,
            following: live,
            held_at: 0,
            touched: false,
            folds: Folds::default(),
            filter: None,
            search: None,
            seeking: None,
            anchor: None,
            wrap: false,
            times: false,
        }
    }

    /// Follows the document: call it whenever the document changed.
    pub fn sync(&mut self, doc: &LogDoc) {
        if self.generation != doc.generation() {
            self.restart(doc);
        }
        self.folds.sync(doc, self.touched);
        if self.touched {
            return;
        }
        let cause = doc.index().landmarks().best().filter(|_| !self.live);
        match cause {
            Some(cause) => self.jump(doc, cause.line),
            None => self.cursor = self.lens(doc).last().unwrap_or(0),
        }
        self.settle(doc);
    }

    /// Tells how much room the text has.
    pub fn resize(&mut self, doc: &LogDoc, cols: usize, height: usize) {
        if (self.cols, self.height) == (cols.max(1), height.max(1)) {
            return;
        }
        (self.cols, self.height, self.top_piece) = (cols.max(1), height.max(1), 0);
        self.sync(doc);
        self.settle(doc);
    }

    /// Moves. Returns whether anything changed.
    pub fn go(&mut self, doc: &LogDoc, motion: Motion) -> bool {
        let before = (self.cursor, self.top, self.top_piece);
        let lens = self.lens(doc);
        let target = match motion {
            Motion::Down => return self.step(doc, 1, Direction::Forward),
            Motion::Up => return self.step(doc, 1, Direction::Back),
            Motion::HalfPageDown => return self.step(doc, self.height.div_ceil(2), Direction::Forward),
            Motion::HalfPageUp => return self.step(doc, self.height.div_ceil(2), Direction::Back),
            Motion::PageDown => return self.step(doc, self.height, Direction::Forward),
            Motion::PageUp => return self.step(doc, self.height, Direction::Back),
            Motion::Top => lens.at_or_after(0),
            Motion::Bottom => lens.last(),
            Motion::Line(line) => Some(line.min(doc.lines().saturating_sub(1))),
            Motion::NextLandmark => {
                doc.index().landmarks().stops().into_iter().map(|stop| stop.line).find(|line| *line > self.cursor)
            }
            Motion::PreviousLandmark => {
                doc.index().landmarks().stops().into_iter().rev().map(|stop| stop.line).find(|line| *line < self.cursor)
            }
            Motion::NextSection => {
                let mut starts = doc.index().sections().all().iter().map(|section| section.start);
                starts.find(|line| *line > self.cursor && lens.at_or_before(*line) == Some(*line))
            }
            Motion::PreviousSection => {
                let mut starts = doc.index().sections().all().iter().rev().map(|section| section.start);
                starts.find(|line| *line < self.cursor && lens.at_or_before(*line) == Some(*line))
            }
            Motion::NextMatch => return self.seek(doc, Direction::Forward),
            Motion::PreviousMatch => return self.seek(doc, Direction::Back),
        };
        let Some(target) = target else { return false };
        match motion {
            Motion::Top | Motion::Bottom => self.cursor = target,
            _ => self.jump(doc, target),
        }
        self.touch(doc);
        if motion == Motion::Bottom {
            self.following = doc.state() == LogState::Growing;
            self.touched = !self.following;
        }
        self.top_piece = 0;
        self.settle(doc);
        before != (self.cursor, self.top, self.top_piece)
    }

    /// Whether the view follows the end.
    pub fn follow(&self, doc: &LogDoc) -> Follow {
        match (doc.state(), self.following) {
            (LogState::Growing, true) => Follow::Following,
            (LogState::Growing, false) => Follow::Held(doc.lines().saturating_sub(self.held_at)),
            _ => Follow::Ended,
        }
    }

    /// Stops following, or goes to the end and follows.
    pub fn toggle_follow(&mut self, doc: &LogDoc) {
        if self.following {
            self.touch(doc);
        } else {
            self.go(doc, Motion::Bottom);
        }
    }

    /// Folds or unfolds the section that the cursor is in.
    pub fn toggle_fold(&mut self, doc: &LogDoc) {
        let Some(section) = doc.index().sections().at(self.cursor) else { return };
        let folded = !self.folds.is_folded(section.id);
        self.folds.choose(doc, section.id, folded);
        self.after_folding(doc);
    }

    /// Folds every section, or none.
    pub fn fold_all(&mut self, doc: &LogDoc, folded: bool) {
        self.folds.choose_all(doc, folded);
        self.after_folding(doc);
    }

    /// Wraps long lines, or cuts them at the edge.
    pub fn toggle_wrap(&mut self, doc: &LogDoc) {
        self.wrap = !self.wrap;
        self.top_piece = 0;
        self.settle(doc);
    }

    /// Shows the runner's time stamps, or hides them.
    pub fn toggle_times(&mut self) {
        self.times = !self.times;
    }

    /// Whether time stamps are wanted.
    pub fn shows_times(&self) -> bool {
        self.times
    }

    /// Whether long lines wrap.
    pub fn wraps(&self) -> bool {
        self.wrap
    }

    /// The line under the cursor, counted from 0.
    pub fn cursor(&self) -> u64 {
        self.cursor
    }

    /// Searches from the cursor; `None` ends the search.
    pub fn search(&mut self, doc: &LogDoc, pattern: Option<Pattern>) {
        self.search = pattern.map(|pattern| Scan::new(pattern, self.cursor));
        self.seeking = self.search.is_some().then_some(Direction::Forward);
        self.work(doc);
    }

    /// Shows only lines that match, with lines of context around them, or only lines that do not match; `None` shows all again.
    pub fn filter(&mut self, doc: &LogDoc, pattern: Option<Pattern>, context: u64, invert: bool) {
        self.filter = pattern.map(|pattern| LineFilter::new(pattern, context, invert));
        self.touch(doc);
        self.work(doc);
        self.settle(doc);
    }

    /// Does a bounded piece of search and filter work. Call it again while it answers [`Work::More`], and after missing pages were loaded.
    pub fn work(&mut self, doc: &LogDoc) -> Work {
        let mut left = Work::Done;
        if let Some(filter) = &mut self.filter {
            left = filter.scan.work(doc, WORK_LINES);
            self.settle(doc);
        }
        if let Some(search) = &mut self.search
            && left == Work::Done
        {
            left = search.work(doc, WORK_LINES);
            if let Some(direction) = self.seeking {
                self.seek_on(doc, direction);
            }
        }
        left
    }

    /// What is searched for.
    pub fn searched(&self) -> Option<&Pattern> {
        self.search.as_ref().map(Scan::pattern)
    }

    /// Whether a filter hides lines.
    pub fn is_filtered(&self) -> bool {
        self.filter.is_some()
    }

    /// Starts or drops a range for copying.
    pub fn toggle_range(&mut self) {
        self.anchor = if self.anchor.is_some() { None } else { Some(self.cursor) };
    }

    /// Whether a range for copying was begun.
    pub fn has_range(&self) -> bool {
        self.anchor.is_some()
    }

    /// Whether a line lies in the range to be copied.
    pub fn in_range(&self, line: u64) -> bool {
        self.anchor.is_some_and(|anchor| (anchor.min(self.cursor)..=anchor.max(self.cursor)).contains(&line))
    }

    /// The range, or the cursor's line, as plain text without numbers and borders. Lines that are not in memory are left out.
    pub fn copy(&self, doc: &LogDoc) -> String {
        let anchor = self.anchor.unwrap_or(self.cursor);
        let (first, last) = (anchor.min(self.cursor), anchor.max(self.cursor));
        let lines = self.lens(doc).from(first).take_while(|line| *line <= last).take(MAX_COPY as usize);
        let rows = doc.rows(lines).rows;
        let texts: Vec<String> =
            rows.iter().filter(|row| !row.loading).map(|row| row.text().trim_end().to_owned()).collect();
        texts.join("\n")
    }

    pub(super) fn lens<'a>(&'a self, doc: &'a LogDoc) -> Lens<'a> {
        Lens { doc, folds: &self.folds, filter: self.filter.as_ref() }
    }

    /// The text changed: line numbers mean nothing any more, wishes stay.
    fn restart(&mut self, doc: &LogDoc) {
        let fresh = Self::new(self.live);
        let filter = self.filter.take().map(|f| LineFilter::new(f.scan.pattern().clone(), f.context, f.invert));
        let search = self.search.take().map(|scan| Scan::new(scan.pattern().clone(), 0));
        let (cols, height, wrap, times) = (self.cols, self.height, self.wrap, self.times);
        *self = Self { generation: doc.generation(), cols, height, wrap, times, filter, search, ..fresh };
    }

    fn touch(&mut self, doc: &LogDoc) {
        if self.following {
            self.held_at = doc.lines();
        }
        self.touched = true;
        self.following = false;
    }

    fn after_folding(&mut self, doc: &LogDoc) {
        self.touch(doc);
        self.cursor = self.lens(doc).nearest(self.cursor).unwrap_or(0);
        self.settle(doc);
    }

    /// Moves the cursor to a line, unfolds what hides it, and puts it a third down the screen if it was not on it.
    fn jump(&mut self, doc: &LogDoc, line: u64) {
        if self.filter.is_none() {
            self.folds.reveal(doc, line);
        }
        self.cursor = self.lens(doc).nearest(line).unwrap_or(0);
        if self.cursor < self.top || self.cursor > self.bottom(doc) {
            self.top = self.above(doc, self.cursor, self.height / 3);
            self.top_piece = 0;
        }
    }

    fn step(&mut self, doc: &LogDoc, times: usize, direction: Direction) -> bool {
        let before = (self.cursor, self.top, self.top_piece);
        for _ in 0..times {
            // A wrapped line that is taller than the screen is walked piece by piece.
            let scrolls = self.wrap && self.cursor == self.top;
            if direction == Direction::Forward && scrolls && self.rows_of(doc, self.top) > self.top_piece + self.height
            {
                self.top_piece += 1;
                continue;
            }
            if direction == Direction::Back && scrolls && self.top_piece > 0 {
                self.top_piece -= 1;
                continue;
            }
            let lens = self.lens(doc);
            let next = match direction {
                Direction::Forward => lens.after(self.cursor),
                Direction::Back => lens.before(self.cursor),
            };
            let Some(next) = next else { break };
            self.cursor = next;
            self.settle(doc);
        }
        let moved = before != (self.cursor, self.top, self.top_piece);
        if moved {
            self.touch(doc);
        }
        moved
    }

    fn seek(&mut self, doc: &LogDoc, direction: Direction) -> bool {
        let before = self.cursor;
        self.seeking = self.search.is_some().then_some(direction);
        self.seek_on(doc, direction);
        before != self.cursor || self.seeking.is_some()
    }

    /// Goes to the next match if it is known already; otherwise `work` will come back to this.
    fn seek_on(&mut self, doc: &LogDoc, direction: Direction) {
        let Some(search) = &self.search else { return };
        let here = self.cursor;
        let known = match direction {
            Direction::Forward => search.at_or_after(here + 1),
            Direction::Back => here.checked_sub(1).and_then(|line| search.at_or_before(line)),
        };
        let wrapped = || match direction {
            Direction::Forward => search.at_or_after(0),
            Direction::Back => search.at_or_before(u64::MAX),
        };
        let done = search.is_done(doc);
        if let Some(target) = known.or_else(|| wrapped().filter(|_| done)) {
            self.jump(doc, target);
            self.touch(doc);
            self.settle(doc);
            self.seeking = None;
        } else if done {
            self.seeking = None;
        }
    }

    /// Screen rows that a line takes.
    fn rows_of(&self, doc: &LogDoc, line: u64) -> usize {
        if !self.wrap || self.header_of(doc, line).is_some() {
            return 1;
        }
        doc.rows([line]).rows.first().map_or(1, |row| row.wrap(self.cols).len())
    }

    /// The line from which `line` is `rows` screen rows down, or as many as there are.
    fn above(&self, doc: &LogDoc, line: u64, rows: usize) -> u64 {
        let lens = self.lens(doc);
        let mut top = line;
        let mut used = 0;
        while let Some(previous) = lens.before(top) {
            used += self.rows_of(doc, previous);
            if used > rows {
                break;
            }
            top = previous;
        }
        top
    }

    /// The last line on screen.
    fn bottom(&self, doc: &LogDoc) -> u64 {
        let mut used = 0;
        let room = self.height + self.top_piece;
        let shown = self.lens(doc).from(self.top).take(room).take_while(|line| {
            used += self.rows_of(doc, *line);
            used <= room
        });
        shown.last().unwrap_or(self.top)
    }

    /// Brings cursor and viewport back to shown lines and the cursor onto the screen; scrolls no further than it must.
    fn settle(&mut self, doc: &LogDoc) {
        let lens = self.lens(doc);
        let (Some(cursor), Some(top), Some(last)) = (lens.nearest(self.cursor), lens.nearest(self.top), lens.last())
        else {
            (self.top, self.top_piece) = (0, 0);
            return;
        };
        let old = (self.top, self.top_piece);
        let room = |line| self.height.saturating_sub(self.rows_of(doc, line));
        let lowest = self.above(doc, cursor, room(cursor));
        let end = self.above(doc, last, room(last));
        // Never below the cursor, never so far up that the cursor is out, never so far down that the screen stays half empty.
        let top = top.min(cursor).max(lowest).min(end.max(lowest));
        self.cursor = cursor;
        self.top = top;
        self.top_piece = if old.0 == top { old.1.min(self.rows_of(doc, top).saturating_sub(1)) } else { 0 };
    }
}
