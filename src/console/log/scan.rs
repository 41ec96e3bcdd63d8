//! Searching a log that may not be in memory: a pattern, and a scan that does a bounded piece of work whenever it is asked.
//!
//! A scan looks ahead from where the user stands, then at what lies behind. It keeps the matching lines, up to a cap, and goes on by itself
//! when the log grows.

use std::ops::Range;

use regex::bytes::{Regex, RegexBuilder};

use super::doc::{LogDoc, LogState};
use super::pages::PageNo;

/// How many matching lines are kept.
const MAX_FOUND: usize = 100_000;
const MAX_COMPILED: usize = 1024 * 1024;

/// A search text that is no pattern.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{text}` is not a regular expression: {reason}; leave out the slashes to search for it as it is")]
pub struct BadPattern {
    text: String,
    reason: String,
}

/// What to search for: literal text, or a regular expression between slashes. Ignores case unless the text has a capital.
#[derive(Debug, Clone)]
pub struct Pattern {
    text: String,
    regex: Regex,
}

impl Pattern {
    /// Reads what the user typed.
    pub fn parse(text: &str) -> Result<Self, BadPattern> {
        let between = text.strip_prefix('/').and_then(|t| t.strip_suffix('/')).filter(|t| !t.is_empty());
        let expression = between.map_or_else(|| regex::escape(text), str::to_owned);
        RegexBuilder::new(&expression)
            .case_insensitive(!text.chars().any(char::is_uppercase))
            .size_limit(MAX_COMPILED)
            .build()
            .map(|regex| Self { text: text.to_owned(), regex })
            .map_err(|error| BadPattern {
                text: text.to_owned(),
                reason: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            })
    }

    /// What the user typed.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Where it matches in a shown text, to be highlighted.
    pub fn find_in(&self, text: &str) -> Vec<Range<usize>> {
        self.regex.find_iter(text.as_bytes()).map(|hit| hit.range()).filter(|hit| !hit.is_empty()).collect()
    }
}

/// What a piece of work came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Work {
    /// Nothing is left to do.
    Done,
    /// Ask again soon.
    More,
    /// These pages must be loaded first.
    Missing(Vec<PageNo>),
}

/// The lines of a log that match a pattern.
#[derive(Debug, Clone)]
pub struct Scan {
    pattern: Pattern,
    origin: u64,
    /// The next line to look at, from the origin on.
    ahead: u64,
    /// The next line to look at, up to the origin.
    behind: u64,
    found_ahead: Vec<u64>,
    found_behind: Vec<u64>,
}

impl Scan {
    /// A scan that starts at a line.
    pub fn new(pattern: Pattern, origin: u64) -> Self {
        Self { pattern, origin, ahead: origin, behind: 0, found_ahead: Vec::new(), found_behind: Vec::new() }
    }

    pub fn pattern(&self) -> &Pattern {
        &self.pattern
    }

    /// The line before which everything was looked at, for a scan that started at the top.
    pub fn reached(&self) -> u64 {
        self.ahead
    }

    /// Matching lines so far.
    pub fn count(&self) -> usize {
        self.found_behind.len() + self.found_ahead.len()
    }

    /// Whether there may be more matches than are known.
    pub fn is_partial(&self, doc: &LogDoc) -> bool {
        self.count() >= MAX_FOUND || !self.is_done(doc)
    }

    /// Looks at up to `lines` more lines.
    pub fn work(&mut self, doc: &LogDoc, mut lines: u64) -> Work {
        let end = end_of(doc);
        while !self.is_done(doc) {
            if lines == 0 {
                return Work::More;
            }
            let forward = self.ahead < end;
            let (next, until, found) = if forward {
                (&mut self.ahead, end, &mut self.found_ahead)
            } else {
                (&mut self.behind, self.origin, &mut self.found_behind)
            };
            let range = *next..until.min(*next + lines);
            let regex = &self.pattern.regex;
            let (reached, missing) = doc.read_lines(range.clone(), |line, text| {
                if found.len() < MAX_FOUND && regex.is_match(text) {
                    found.push(line);
                }
            });
            *next = reached;
            if !missing.is_empty() {
                return Work::Missing(missing);
            }
            lines -= range.end - range.start;
        }
        Work::Done
    }

    /// The first known match at or after a line.
    pub fn at_or_after(&self, line: u64) -> Option<u64> {
        let first = |found: &[u64]| found.get(found.partition_point(|l| *l < line)).copied();
        first(&self.found_behind).or_else(|| first(&self.found_ahead))
    }

    /// The last known match at or before a line.
    pub fn at_or_before(&self, line: u64) -> Option<u64> {
        let last = |found: &[u64]| found.get(found.partition_point(|l| *l <= line).checked_sub(1)?).copied();
        last(&self.found_ahead).or_else(|| last(&self.found_behind))
    }

    /// How many known matches stand at or before a line.
    pub fn rank(&self, line: u64) -> usize {
        let up_to = |found: &[u64]| found.partition_point(|l| *l <= line);
        up_to(&self.found_behind) + up_to(&self.found_ahead)
    }

    pub(super) fn is_done(&self, doc: &LogDoc) -> bool {
        self.ahead >= end_of(doc) && self.behind >= self.origin
    }
}

/// The line under way may still change; it is looked at when it is whole.
fn end_of(doc: &LogDoc) -> u64 {
    doc.lines().saturating_sub(u64::from(doc.state() == LogState::Growing))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{COMPILER, STAMPED, doc};
    use super::*;

    fn scan(log: &[u8], text: &str, origin: u64) -> Scan {
        let doc = doc(log);
        let mut scan = Scan::new(Pattern::parse(text).unwrap(), origin);
        while scan.work(&doc, 7) == Work::More {}
        assert!(scan.is_done(&doc));
        scan
    }

    #[test]
    fn finds_shown_text_and_not_escapes() {
        let hits = scan(COMPILER, "==> Error: ProcessError", 0);
        assert_eq!(hits.count(), 1);
        assert_eq!(scan(COMPILER, "section_start", 0).count(), 0);
        assert_eq!(scan(COMPILER, "[0;m", 0).count(), 0);
        assert_eq!(scan(STAMPED, "01O", 0).count(), 0);
    }

    #[test]
    fn case_matters_when_it_was_typed() {
        let log = b"Error\nerror\nERROR\n\n";
        assert_eq!(scan(log, "error", 0).count(), 3);
        assert_eq!(scan(log, "Error", 0).count(), 1);
        assert_eq!(scan(log, "/^er+or$/", 0).count(), 3);
        let bad = Pattern::parse("/a(/").unwrap_err().to_string();
        assert!(bad.contains("unclosed group"), "{bad}");
        assert_eq!(scan(b"f(x) [y\n\n", "(x) [", 0).count(), 1);
    }

    #[test]
    fn both_ways_from_the_middle_give_one_order() {
        let log: Vec<u8> = (0..200).flat_map(|n| format!("line {}\n", n % 10).into_bytes()).collect();
        let (middle, top) = (scan(&log, "line 7", 103), scan(&log, "line 7", 0));
        for line in 0..200 {
            assert_eq!(middle.at_or_after(line), top.at_or_after(line));
            assert_eq!(middle.at_or_before(line), top.at_or_before(line));
            assert_eq!(middle.rank(line), top.rank(line));
        }
        assert_eq!(middle.at_or_after(104), Some(107));
    }

    #[test]
    fn waits_for_pages_and_goes_on() {
        let log: Vec<u8> = (0..60_000).flat_map(|n| format!("part {n} compiles\n").into_bytes()).collect();
        let mut doc = LogDoc::new(256 * 1024);
        doc.feed(0, &log);
        let mut scan = Scan::new(Pattern::parse("part 59999 ").unwrap(), 0);
        let mut loads = 0;
        loop {
            match scan.work(&doc, 5_000) {
                Work::Done => break,
                Work::More => {}
                Work::Missing(pages) => {
                    for page in pages {
                        let bytes = page.bytes();
                        doc.load(page, log[bytes.start as usize..log.len().min(bytes.end as usize)].to_vec());
                        loads += 1;
                    }
                }
            }
        }
        doc.set_state(LogState::Complete);
        assert_eq!(scan.work(&doc, 10), Work::Done);
        assert_eq!(scan.at_or_after(0), Some(59_999));
        assert!(loads > 10);
    }
}
