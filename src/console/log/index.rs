//! The index of a log: where its lines start, which sections and landmarks it has. Built while the bytes arrive, in memory that does not
//! grow with them.
//!
//! Only every 64th line's start is kept (and one per 64 kB), so 500 MB of log need a megabyte. What lies between two kept starts is found
//! by looking at the bytes again, never more than a window of them. The result depends on the bytes alone, not on how they were cut up.

use std::ops::Range;
use std::sync::LazyLock;

use memchr::{memchr, memchr_iter, memrchr};
use regex::bytes::Regex;

use super::landmarks::Landmarks;
use super::sections::{self, Sections};
use crate::ci::log::{Joiner, STAMP, Stamp, plain_into};

/// Lines longer than this are looked at piece by piece.
const UNIT: usize = 16 * 1024;
/// How much is looked at in one go.
const BLOCK: usize = 256 * 1024;
const FIRST_STRIDE: u64 = 64;
const FIRST_SPAN: u64 = 64 * 1024;
const MAX_ENTRIES: usize = 128 * 1024;

/// Finds lines that may matter to sections or landmarks. Most lines contain none of these literals and are only counted.
static NEEDLES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    let needles: Vec<String> = sections::NEEDLES.into_iter().chain(Landmarks::needles()).map(regex::escape).collect();
    Regex::new(&needles.join("|")).ok()
});

fn find_needle(block: &[u8], from: usize) -> Option<usize> {
    NEEDLES.as_ref()?.find_at(block, from).map(|hit| hit.start())
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Entry {
    line: u64,
    offset: u64,
}

/// Where the lines of a log are, and what stands out in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIndex {
    entries: Vec<Entry>,
    /// A start is kept after so many lines or so many bytes, whichever comes first.
    stride: u64,
    span: u64,
    total: u64,
    /// Lines that have begun, without one under way that still fits into `carry`.
    lines: u64,
    /// Where the bytes under way start: after the last newline.
    at: u64,
    /// Up to where the bytes were looked at; `carry` starts there.
    looked: u64,
    /// The line under way is longer than a unit and was begun already.
    begun: bool,
    /// Bytes under way that were not looked at: always less than a unit.
    carry: Vec<u8>,
    stamped: bool,
    joiner: Joiner,
    sections: Sections,
    landmarks: Landmarks,
}

impl Default for LogIndex {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            stride: FIRST_STRIDE,
            span: FIRST_SPAN,
            total: 0,
            lines: 0,
            at: 0,
            looked: 0,
            begun: false,
            carry: Vec::new(),
            stamped: false,
            joiner: Joiner::default(),
            sections: Sections::default(),
            landmarks: Landmarks::default(),
        }
    }
}

/// A stretch of lines between two kept starts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interval {
    pub lines: Range<u64>,
    /// Bytes that contain the start of every one of these lines.
    pub window: Range<u64>,
    /// Where the last of them ends.
    pub end: u64,
}

impl LogIndex {
    /// Takes the next bytes of the log.
    pub fn feed(&mut self, mut bytes: &[u8]) {
        self.total += bytes.len() as u64;
        while !bytes.is_empty() {
            if self.carry.is_empty() && !self.begun {
                let used = self.feed_lines(bytes.get(..BLOCK).unwrap_or(bytes));
                bytes = bytes.get(used..).unwrap_or_default();
                if used > 0 {
                    continue;
                }
            }
            let room = UNIT.saturating_sub(self.carry.len());
            let piece = bytes.get(..room).unwrap_or(bytes);
            let len = memchr(b'\n', piece).map_or(piece.len(), |newline| newline + 1);
            let Some((unit, rest)) = bytes.split_at_checked(len) else { return };
            bytes = rest;
            self.carry.extend_from_slice(unit);
            let ended = unit.last() == Some(&b'\n');
            if ended || self.carry.len() >= UNIT {
                let mut unit = std::mem::take(&mut self.carry);
                self.take_unit(&unit, ended);
                unit.clear();
                self.carry = unit;
            }
        }
    }

    /// Bytes fed so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// Lines so far, an unfinished last one included.
    pub fn lines(&self) -> u64 {
        self.lines + u64::from(self.tail_is_line())
    }

    pub fn sections(&self) -> &Sections {
        &self.sections
    }

    pub fn landmarks(&self) -> &Landmarks {
        &self.landmarks
    }

    /// The evidence of the verdict over this log stands on this line.
    pub(super) fn tell_cause(&mut self, line: u64) {
        self.landmarks.tell(line);
    }

    /// Looks at an unfinished last line as well: no more bytes are expected.
    pub fn finish(&mut self) {
        let line = self.lines().saturating_sub(1);
        let text = if self.stamped { self.carry.get(STAMP..).unwrap_or_default() } else { &self.carry };
        let mut plain = Vec::new();
        plain_into(text, &mut plain);
        self.landmarks.see(line, &plain);
    }

    /// Bytes of memory held.
    pub fn memory(&self) -> usize {
        self.entries.capacity() * size_of::<Entry>()
            + self.carry.capacity()
            + self.sections.memory()
            + size_of::<Self>()
    }

    /// The stretch of lines that a line lies in.
    pub(super) fn interval(&self, line: u64) -> Option<Interval> {
        if line >= self.lines() {
            return None;
        }
        let tail = self.tail_is_line().then_some(Entry { line: self.lines, offset: self.at });
        let after = self.entries.partition_point(|e| e.line <= line);
        let next = self.entries.get(after).copied().or(tail).filter(|e| e.line > line);
        let first = match tail {
            Some(tail) if tail.line == line => tail,
            _ => self.entries.get(after.checked_sub(1)?).copied()?,
        };
        let end = next.map_or(self.total, |e| e.offset);
        // Thinning out may leave twice the span between kept starts; the stamp of the last line is looked at as well.
        let window = first.offset..end.min(first.offset + 2 * self.span + STAMP as u64);
        Some(Interval { lines: first.line..next.map_or(self.lines(), |e| e.line), window, end })
    }

    /// Where the lines of an interval start, given the bytes of its window.
    pub(super) fn starts(&self, interval: &Interval, window: &[u8], starts: &mut Vec<u64>) {
        starts.clear();
        starts.push(interval.window.start);
        let wanted = (interval.lines.end - interval.lines.start) as usize;
        let mut joiner = Joiner::default();
        if self.stamped {
            joiner.begins(window);
        }
        for newline in memchr_iter(b'\n', window) {
            if starts.len() >= wanted {
                break;
            }
            let rest = window.get(newline + 1..).unwrap_or_default();
            if !rest.is_empty() && (!self.stamped || joiner.begins(rest)) {
                starts.push(interval.window.start + newline as u64 + 1);
            }
        }
    }

    pub(super) fn is_stamped(&self) -> bool {
        self.stamped
    }

    /// Takes whole lines from the front of `block` and returns how many bytes they are. Stops before a line that is longer than a unit.
    fn feed_lines(&mut self, block: &[u8]) -> usize {
        let Some(block) = memrchr(b'\n', block).and_then(|last| block.get(..=last)) else { return 0 };
        let mut hit = find_needle(block, 0);
        let mut start = 0;
        for newline in memchr_iter(b'\n', block) {
            let end = newline + 1;
            if end - start > UNIT {
                break;
            }
            let line = block.get(start..end).unwrap_or_default();
            self.begin(line);
            if hit.is_some_and(|hit| hit < end) {
                self.look(line, true);
                hit = find_needle(block, end);
            }
            self.at += line.len() as u64;
            start = end;
        }
        self.looked = self.at;
        start
    }

    /// Takes a line, or one piece of a line that is longer than a unit.
    fn take_unit(&mut self, unit: &[u8], ended: bool) {
        let head = !self.begun;
        if head {
            self.begin(unit);
        }
        if find_needle(unit, 0).is_some() {
            self.look(unit, head);
        }
        self.begun = !ended;
        self.looked += unit.len() as u64;
        if ended {
            self.at = self.looked;
        }
    }

    fn begin(&mut self, line: &[u8]) {
        if self.at == 0 {
            self.stamped = Stamp::read(line).is_some();
        }
        if self.stamped && !self.joiner.begins(line) && self.lines > 0 {
            return;
        }
        let here = Entry { line: self.lines, offset: self.at };
        self.lines += 1;
        let due = |last: &Entry| here.line - last.line >= self.stride || here.offset - last.offset >= self.span;
        if self.entries.last().is_none_or(due) {
            self.entries.push(here);
            if self.entries.len() > MAX_ENTRIES {
                self.thin_out();
            }
        }
    }

    fn thin_out(&mut self) {
        self.stride *= 2;
        self.span *= 2;
        let mut last: Option<Entry> = None;
        let (stride, span) = (self.stride, self.span);
        self.entries.retain(|e| {
            let keep = last.is_none_or(|l| e.line - l.line >= stride || e.offset - l.offset >= span);
            if keep {
                last = Some(*e);
            }
            keep
        });
    }

    fn look(&mut self, unit: &[u8], head: bool) {
        let unit = unit.strip_suffix(b"\n").unwrap_or(unit);
        let stamp = if self.stamped && head { Stamp::read(unit) } else { None };
        let text = if stamp.is_some() { unit.get(STAMP..).unwrap_or_default() } else { unit };
        let line = self.lines.saturating_sub(1);
        let mut plain = Vec::with_capacity(text.len());
        plain_into(text, &mut plain);
        self.sections.see(line, text, &plain, stamp.and_then(Stamp::time));
        self.landmarks.see(line, &plain);
    }

    fn tail_is_line(&self) -> bool {
        !self.carry.is_empty() && !self.begun && (!self.stamped || self.joiner.clone().begins(&self.carry))
    }
}
