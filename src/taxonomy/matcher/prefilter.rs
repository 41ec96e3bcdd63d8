//! One search for the needles of all patterns: tells for each line of a block which patterns may match it.

use aho_corasick::{AhoCorasick, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::block::{Block, Entry};
use super::grams::{self, Grams};
use super::literals::{Needle, Needles};

/// A pattern, by slot (a rule, or one of the engine's own) and place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PatternId {
    pub slot: u16,
    pub place: u16,
}

/// Who needs a needle.
#[derive(Debug, Clone, Copy)]
struct Use {
    pattern: PatternId,
    /// Index into the table of patterns.
    index: u32,
    at_start: bool,
}

/// The search.
#[derive(Debug)]
pub(super) struct Prefilter {
    grams: Grams,
    uses: Vec<Vec<Use>>,
    /// Needles that are too short for it.
    short: Option<AhoCorasick>,
    short_uses: Vec<(bool, Use)>,
    short_words: Vec<Vec<u8>>,
    /// Such needles that stand where a line begins.
    starts: Vec<(Needle, Use)>,
    patterns: u32,
    /// What has no needles looks at every line.
    others: RegexSet,
    other_ids: Vec<PatternId>,
}

/// Lines that may match, by slot: entry of the block and place of the pattern in the slot.
#[derive(Debug, Clone, Default)]
pub(super) struct Candidates {
    slots: Vec<Vec<(u32, u16)>>,
    touched: Vec<u16>,
    /// By pattern: the last line that it was told for.
    last: Vec<u32>,
}

impl Candidates {
    /// The candidates of one slot, by entry.
    pub fn of(&self, slot: usize) -> &[(u32, u16)] {
        self.slots.get(slot).map_or(&[], Vec::as_slice)
    }

    /// Slots with candidates, each once.
    pub fn slots(&self) -> impl Iterator<Item = usize> + '_ {
        self.touched.iter().map(|slot| usize::from(*slot))
    }

    fn reset(&mut self, slots: usize, patterns: usize) {
        for slot in self.touched.drain(..) {
            if let Some(list) = self.slots.get_mut(usize::from(slot)) {
                list.clear();
            }
        }
        self.slots.resize_with(slots, Vec::new);
        self.last.clear();
        self.last.resize(patterns, u32::MAX);
    }

    /// Takes note of a pattern whose needle stands in an entry, once.
    fn tell(&mut self, user: Use, at_start: bool, entry: u32) {
        let Some(told) = self.last.get_mut(user.index as usize) else { return };
        if *told != entry && (at_start || !user.at_start) {
            *told = entry;
            self.add(user.pattern, entry);
        }
    }

    fn add(&mut self, pattern: PatternId, entry: u32) {
        if let Some(list) = self.slots.get_mut(usize::from(pattern.slot)) {
            if list.is_empty() {
                self.touched.push(pattern.slot);
            }
            list.push((entry, pattern.place));
        }
    }

    /// Puts the candidates of a slot in order.
    fn sort(&mut self, slot: u16) {
        if let Some(list) = self.slots.get_mut(usize::from(slot)) {
            list.sort_unstable();
        }
    }
}

impl Prefilter {
    /// Builds the search; `patterns` are told with their regex, whether it is one over characters, and their needles.
    pub fn of<'a>(
        patterns: impl IntoIterator<Item = (PatternId, &'a str, bool, Option<&'a Needles>)>,
    ) -> Result<Self, String> {
        let mut known = std::collections::BTreeMap::<Needle, usize>::new();
        let (mut needles, mut uses) = (Vec::new(), Vec::<Vec<Use>>::new());
        let (mut short_words, mut short_uses, mut starts) = (Vec::new(), Vec::new(), Vec::new());
        let (mut others, mut other_ids) = (Vec::new(), Vec::new());
        let mut index = 0;
        for (pattern, regex, unicode, found) in patterns {
            let Some(found) = found else {
                others.push(if unicode { regex.to_owned() } else { format!("(?-u:{regex})") });
                other_ids.push(pattern);
                continue;
            };
            let user = Use { pattern, index, at_start: found.at_start };
            for needle in &found.any {
                if needle.bytes.len() >= grams::SHORTEST {
                    let place = *known.entry(needle.clone()).or_insert_with(|| {
                        needles.push(needle.clone());
                        uses.push(Vec::new());
                        uses.len() - 1
                    });
                    if let Some(list) = uses.get_mut(place) {
                        list.push(user);
                    }
                } else if found.at_start {
                    starts.push((needle.clone(), user));
                } else {
                    short_words.push(needle.bytes.clone());
                    short_uses.push((needle.folded, user));
                }
            }
            index += 1;
        }
        let build =
            || AhoCorasick::builder().match_kind(MatchKind::Standard).ascii_case_insensitive(true).build(&short_words);
        let short = if short_words.is_empty() { None } else { Some(build().map_err(|error| error.to_string())?) };
        let others = RegexSetBuilder::new(&others).build().map_err(|error| error.to_string())?;
        let grams = Grams::of(needles);
        Ok(Self { grams, uses, short, short_uses, short_words, starts, patterns: index, others, other_ids })
    }

    /// Writes the candidates among the entries `from..to` of a block into `found`.
    pub fn look(&self, block: &Block, from: usize, to: usize, slots: usize, found: &mut Candidates) {
        found.reset(slots, self.patterns as usize);
        let entries = block.entries().get(from..to).unwrap_or_default();
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        // With the line's end, which is in no needle.
        let text = block.text().get(first.start as usize..=last.end as usize).unwrap_or_default();
        let mut walk = Walk { entries, at: 0, base: first.start as usize };
        self.grams.find(text, |needle, start| {
            let Some((at, begins)) = walk.to(start) else { return };
            for user in self.uses.get(needle).into_iter().flatten() {
                found.tell(*user, begins, (from + at) as u32);
            }
        });
        let late = self.short.is_some() || !self.starts.is_empty() || !self.other_ids.is_empty();
        if late {
            self.look_for_short(block, from, to, text, found);
            self.look_everywhere(block, from, to, found);
        }
    }

    fn look_for_short(&self, block: &Block, from: usize, to: usize, text: &[u8], found: &mut Candidates) {
        let entries = block.entries().get(from..to).unwrap_or_default();
        let base = entries.first().map_or(0, |entry| entry.start as usize);
        // What the search before told is out of order with what comes now: lines may be told twice.
        found.last.fill(u32::MAX);
        for (needle, user) in &self.starts {
            for at in from..to {
                let head = block.shown(at).get(..needle.bytes.len()).unwrap_or_default();
                if head == needle.bytes || (needle.folded && head.eq_ignore_ascii_case(&needle.bytes)) {
                    found.tell(*user, true, at as u32);
                }
            }
        }
        if let Some(search) = &self.short {
            let mut walk = Walk { entries, at: 0, base };
            for hit in search.find_overlapping_iter(text) {
                let place = hit.pattern().as_usize();
                let (Some((folded, user)), Some(word)) = (self.short_uses.get(place), self.short_words.get(place))
                else {
                    continue;
                };
                let stands = *folded || text.get(hit.range()).is_some_and(|there| there == word);
                if let (true, Some((at, begins))) = (stands, walk.to(hit.start())) {
                    found.tell(*user, begins, (from + at) as u32);
                }
            }
        }
        for user in self.starts.iter().map(|(_, user)| user).chain(self.short_uses.iter().map(|(_, user)| user)) {
            found.sort(user.pattern.slot);
        }
    }

    fn look_everywhere(&self, block: &Block, from: usize, to: usize, found: &mut Candidates) {
        if self.other_ids.is_empty() {
            return;
        }
        for at in from..to {
            let text = block.shown(at);
            if !self.others.is_match(text) {
                continue;
            }
            for place in self.others.matches(text) {
                if let Some(pattern) = self.other_ids.get(place) {
                    found.add(*pattern, at as u32);
                }
            }
        }
        for id in &self.other_ids {
            found.sort(id.slot);
        }
    }
}

/// From places in a text to the entries that they lie in. Places come nearly in order.
struct Walk<'a> {
    entries: &'a [Entry],
    at: usize,
    /// Where the text begins in the block.
    base: usize,
}

impl Walk<'_> {
    /// The entry that holds a place, and whether it begins there.
    fn to(&mut self, place: usize) -> Option<(usize, bool)> {
        let place = (self.base + place) as u32;
        while self.entries.get(self.at).is_some_and(|entry| entry.start > place) {
            self.at = self.at.checked_sub(1)?;
        }
        while self.entries.get(self.at).is_some_and(|entry| entry.end <= place) {
            self.at += 1;
        }
        let entry = self.entries.get(self.at)?;
        Some((self.at, entry.start == place))
    }
}
