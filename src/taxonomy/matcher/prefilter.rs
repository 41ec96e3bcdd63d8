//! One search for the needles of all patterns: tells for each line of a block which patterns may match it.

use aho_corasick::{AhoCorasick, AhoCorasickKind, MatchKind};
use regex::bytes::{RegexSet, RegexSetBuilder};

use super::block::Block;
use super::literals::Needles;

/// Bytes of a needle that the search looks for; the rest is compared where it is found.
const SEARCHED: usize = 16;

/// A pattern, by slot (a rule, or one of the engine's own) and place in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct PatternId {
    pub slot: u16,
    pub place: u16,
}

#[derive(Debug, Clone)]
struct Use {
    pattern: PatternId,
    /// Index into the table of patterns.
    index: u32,
    at_start: bool,
    /// The needle as it must stand there; `None`: letters of either case, all of them searched for.
    rest: Option<Box<[u8]>>,
}

/// The search.
#[derive(Debug)]
pub(super) struct Prefilter {
    search: Option<AhoCorasick>,
    /// By needle: who needs it.
    uses: Vec<Vec<Use>>,
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

    fn add(&mut self, pattern: PatternId, entry: u32) {
        if let Some(list) = self.slots.get_mut(usize::from(pattern.slot)) {
            if list.is_empty() {
                self.touched.push(pattern.slot);
            }
            list.push((entry, pattern.place));
        }
    }
}

impl Prefilter {
    /// Builds the search; `patterns` are told with their regex and their needles.
    pub fn of<'a>(
        patterns: impl IntoIterator<Item = (PatternId, &'a str, bool, Option<&'a Needles>)>,
    ) -> Result<Self, String> {
        let mut words: Vec<Vec<u8>> = Vec::new();
        let mut known = std::collections::BTreeMap::<Vec<u8>, usize>::new();
        let mut uses: Vec<Vec<Use>> = Vec::new();
        let mut others: Vec<String> = Vec::new();
        let mut other_ids = Vec::new();
        let mut count = 0;
        for (pattern, regex, unicode, needles) in patterns {
            let Some(needles) = needles else {
                others.push(if unicode { regex.to_owned() } else { format!("(?-u:{regex})") });
                other_ids.push(pattern);
                continue;
            };
            for needle in &needles.any {
                let searched = needle.bytes.get(..SEARCHED).unwrap_or(&needle.bytes).to_ascii_lowercase();
                let place = *known.entry(searched.clone()).or_insert_with(|| {
                    words.push(searched);
                    uses.push(Vec::new());
                    uses.len() - 1
                });
                let rest = (!needle.folded).then(|| needle.bytes.clone().into_boxed_slice());
                if let Some(list) = uses.get_mut(place) {
                    list.push(Use { pattern, index: count, at_start: needles.at_start, rest });
                }
            }
            count += 1;
        }
        let search = if words.is_empty() {
            None
        } else {
            let built = AhoCorasick::builder()
                .match_kind(MatchKind::Standard)
                .ascii_case_insensitive(true)
                .kind(Some(AhoCorasickKind::DFA))
                .build(&words);
            Some(built.map_err(|error| error.to_string())?)
        };
        let others = RegexSetBuilder::new(&others).build().map_err(|error| error.to_string())?;
        Ok(Self { search, uses, patterns: count, others, other_ids })
    }

    /// Writes the candidates among the entries `from..to` of a block into `found`.
    pub fn look(&self, block: &Block, from: usize, to: usize, slots: usize, found: &mut Candidates) {
        found.reset(slots, self.patterns as usize);
        let entries = block.entries().get(from..to).unwrap_or_default();
        let (Some(first), Some(last)) = (entries.first(), entries.last()) else { return };
        let text = block.text().get(first.start as usize..last.end as usize).unwrap_or_default();
        if let Some(search) = &self.search {
            let mut at = 0;
            for hit in search.find_overlapping_iter(text) {
                let (start, end) = (first.start + hit.start() as u32, first.start + hit.end() as u32);
                while entries.get(at).is_some_and(|e| e.end < end) {
                    at += 1;
                }
                let Some(entry) = entries.get(at) else { break };
                if start < entry.start {
                    continue; // no needle holds a line's end, but the bytes between lines are not looked at twice
                }
                for user in self.uses.get(hit.pattern().as_usize()).into_iter().flatten() {
                    let Some(told) = found.last.get_mut(user.index as usize) else { continue };
                    if *told == at as u32 || (user.at_start && start != entry.start) {
                        continue;
                    }
                    let stands = user.rest.as_ref().is_none_or(|rest| {
                        block.text().get(start as usize..entry.end as usize).is_some_and(|text| text.starts_with(rest))
                    });
                    if stands {
                        *told = at as u32;
                        found.add(user.pattern, (from + at) as u32);
                    }
                }
            }
        }
        if !self.other_ids.is_empty() {
            self.look_everywhere(block, from, to, found);
        }
    }

    fn look_everywhere(&self, block: &Block, from: usize, to: usize, found: &mut Candidates) {
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
        for slot in self.other_ids.iter().map(|id| usize::from(id.slot)) {
            if let Some(list) = found.slots.get_mut(slot) {
                list.sort_unstable();
            }
        }
    }
}
