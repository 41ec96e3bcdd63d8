//! What is kept of the lines that match a rule: few of them, but the ones that a verdict needs.
//!
//! * the first one: where it began,
//! * the first ones since the job last went on: the beginning of the end,
//! * the last ones: what stood there when the job ended.

use std::collections::{BTreeMap, VecDeque};

use regex::bytes::Regex;

use super::block::{Block, Entry};
use super::sections::Place;

/// Most bytes of an evidence line, and of a line around it.
const LONGEST_TEXT: usize = 2 * 1024;
const LONGEST_AROUND: usize = 320;
const LONGEST_FOUND: usize = 256;
/// How much of a longer line is shown before the match.
const LEAD: usize = 256;

/// One line that matched, with its surroundings. Not redacted yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::taxonomy) struct Hit {
    /// Counts lines and states of lines over the whole log.
    pub number: u64,
    pub line: u64,
    pub offset: u64,
    pub place: Place,
    pub text: String,
    pub before: Vec<String>,
    pub after: Vec<String>,
    pub found: BTreeMap<Box<str>, String>,
}

impl Hit {
    /// Tells a matching entry of a block with what stands around it.
    pub(super) fn of(block: &Block, at: usize, entry: &Entry, regex: Option<&Regex>) -> Self {
        let shown = block.shown(at);
        let groups = regex.and_then(|regex| regex.captures(shown));
        let start = groups.as_ref().and_then(|g| g.get(0)).map_or(0, |all| all.start());
        let named = regex.into_iter().flat_map(|regex| regex.capture_names().flatten());
        let found = named.filter_map(|name| {
            let group = groups.as_ref()?.name(name)?;
            Some((name.into(), text(group.as_bytes(), LONGEST_FOUND)))
        });
        let from = if shown.len() > LONGEST_TEXT { start.saturating_sub(LEAD) } else { 0 };
        let around = |lines: Vec<&[u8]>| lines.into_iter().map(|line| text(line, LONGEST_AROUND)).collect();
        Self {
            number: block.number(at),
            line: entry.line,
            offset: entry.offset,
            place: entry.place,
            text: text(shown.get(from..).unwrap_or_default(), LONGEST_TEXT),
            before: around(block.before(at)),
            after: around(block.after(at)),
            found: found.collect(),
        }
    }
}

/// Bytes as text, cut to a length at a character's border.
fn text(bytes: &[u8], longest: usize) -> String {
    let mut cut = bytes.get(..longest).unwrap_or(bytes);
    if cut.len() < bytes.len() {
        let tail = cut.iter().rev().take(4).take_while(|b| **b >= 0x80);
        if let Some((at, lead)) = tail.enumerate().find(|(_, b)| **b >= 0xc0) {
            let whole = 1 + usize::from(*lead >= 0xc0) + usize::from(*lead >= 0xe0) + usize::from(*lead >= 0xf0);
            if whole > at + 1 {
                cut = cut.get(..cut.len() - at - 1).unwrap_or_default();
            }
        }
    }
    String::from_utf8_lossy(cut).into_owned()
}

/// How many hits are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Room {
    pub since: usize,
    pub last: usize,
}

/// The hits of one rule.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::taxonomy) struct Hits {
    pub first: Option<Hit>,
    /// The first ones since the job last went on.
    since: Vec<Hit>,
    /// Where the job was said to go on when `since` was begun.
    mark: u64,
    /// The last ones, in order.
    pub last: VecDeque<Hit>,
}

impl Hits {
    /// The first ones since the job went on there.
    pub fn since(&self, mark: u64) -> &[Hit] {
        if self.mark == mark { &self.since } else { &[] }
    }

    /// All that are kept, each once, in order.
    pub fn all(&self) -> Vec<&Hit> {
        let mut all: Vec<&Hit> = self.first.iter().chain(&self.since).chain(&self.last).collect();
        all.sort_by_key(|hit| hit.number);
        all.dedup_by_key(|hit| hit.number);
        all
    }

    /// Takes the candidates of one block, by entry. `hit` looks at one of them; `mark` is where the job last went on.
    pub(super) fn take(
        &mut self,
        candidates: &[(u32, u16)],
        block: &Block,
        mark: u64,
        room: Room,
        mut hit: impl FnMut(usize, u16) -> bool,
        tell: impl Fn(usize, u16) -> Option<Hit>,
    ) {
        if self.mark != mark {
            self.since.clear();
            self.mark = mark;
        }
        // Every candidate is looked at no more than once: 0 not yet, 1 no, 2 yes.
        let mut known = vec![0_u8; candidates.len()];
        let mut look = |n: usize| {
            let (Some(state), Some((entry, place))) = (known.get_mut(n), candidates.get(n)) else { return false };
            if *state == 0 {
                *state = 1 + u8::from(hit(*entry as usize, *place));
            }
            *state == 2
        };
        let made = |n: usize| candidates.get(n).and_then(|(entry, place)| tell(*entry as usize, *place));
        if self.first.is_none() {
            let Some(n) = (0..candidates.len()).find(|n| look(*n)) else { return };
            self.first = made(n);
        }
        let from = block.at(mark) as u32;
        let mut n = candidates.partition_point(|(entry, _)| *entry < from);
        while n < candidates.len() && self.since.len() < room.since {
            if look(n) {
                let number = candidates.get(n).map(|(entry, _)| block.number(*entry as usize));
                if self.since.last().map(|hit| hit.number) != number {
                    self.since.extend(made(n));
                }
            }
            n += 1;
        }
        let mut newest: Vec<Hit> = Vec::new();
        let mut n = candidates.len();
        while n > 0 && newest.len() < room.last {
            n -= 1;
            let number = candidates.get(n).map(|(entry, _)| block.number(*entry as usize));
            if newest.last().map(|hit| hit.number) != number && look(n) {
                newest.extend(made(n));
            }
        }
        self.last.extend(newest.into_iter().rev());
        while self.last.len() > room.last {
            self.last.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn block(lines: u64) -> Block {
        let mut block = Block::default();
        for line in 1..=lines {
            block.write(format!("line {line}").as_bytes());
            block.end(line, line * 10, Place::default(), true);
        }
        block
    }

    fn numbers<'a>(hits: impl IntoIterator<Item = &'a Hit>) -> Vec<u64> {
        hits.into_iter().map(|hit| hit.line).collect()
    }

    #[test]
    fn the_first_the_first_since_and_the_last_are_kept() {
        let room = Room { since: 2, last: 2 };
        let mut hits = Hits::default();
        let block = block(100);
        let tell = |at: usize, _| block.entries().get(at).map(|entry| Hit::of(&block, at, entry, None));
        let odd: Vec<(u32, u16)> = (0..50).map(|n| (n, 0)).collect();
        hits.take(&odd, &block, 20, room, |at, _| at % 3 == 0, tell);
        assert_eq!(numbers(&hits.first), [1]);
        assert_eq!((numbers(hits.since(20)), numbers(&hits.last)), (vec![22, 25], vec![46, 49]));
        let more: Vec<(u32, u16)> = (50..100).map(|n| (n, 0)).collect();
        hits.take(&more, &block, 90, room, |at, _| at % 3 == 0, tell);
        assert_eq!((numbers(hits.since(90)), numbers(&hits.last)), (vec![91, 94], vec![97, 100]));
        assert_eq!(hits.since(20), []);
        assert_eq!(numbers(hits.all()), [1, 91, 94, 97, 100]);
        let hit = hits.since(90).first().unwrap();
        assert_eq!(hit.before, ["line 88", "line 89", "line 90"]);
        assert_eq!((hit.after.len(), hit.after[0].as_str()), (9, "line 92"));
    }

    #[test]
    fn no_candidate_is_looked_at_twice() {
        let block = block(100);
        let all: Vec<(u32, u16)> = (0..100).map(|n| (n, 0)).collect();
        let mut looks = 0;
        let tell = |at: usize, _| block.entries().get(at).map(|entry| Hit::of(&block, at, entry, None));
        let room = Room { since: 3, last: 3 };
        let mut hits = Hits::default();
        hits.take(
            &all,
            &block,
            0,
            room,
            |at, _| {
                looks += 1;
                at == 50
            },
            tell,
        );
        assert_eq!((looks, numbers(hits.all())), (100, vec![51]));
    }

    #[test]
    fn text_is_cut_at_characters() {
        assert_eq!(text("aé€".as_bytes(), 5), "aé");
        assert_eq!(text("aé€".as_bytes(), 6), "aé€");
        assert_eq!(text("aé€".as_bytes(), 2), "a");
        assert_eq!(text(b"\xff\xff", 1), "");
    }
}
