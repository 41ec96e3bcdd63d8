//! One log on its way through the rules.

use std::sync::Arc;

use super::block::{Block, Entry};
use super::clean::Cleaner;
use super::compiled::{Compiled, Own, Slot};
use super::hits::{Hit, Hits, Room};
use super::lines::Lines;
use super::prefilter::Candidates;
use super::sections::{Phase, Sections};
use crate::taxonomy::decide::decide;
use crate::taxonomy::{JobFacts, Verdict};

const OF_RULES: Room = Room { since: 3, last: 2 };
const OF_OWN: Room = Room { since: 0, last: 1 };
const OF_LOOKS: Room = Room { since: 12, last: 12 };

/// Judges one log that arrives in pieces, in memory that does not grow with it. The verdict depends on the bytes alone, not on how they
/// were cut up.
#[derive(Debug, Clone)]
pub struct Classifier {
    rules: Arc<Compiled>,
    lines: Lines,
    cleaner: Cleaner,
    block: Block,
    /// By slot.
    hits: Vec<Hits>,
    candidates: Candidates,
    /// The number of the first entry since the job last went on.
    mark: u64,
}

/// What was found in a log.
#[derive(Debug)]
pub(in crate::taxonomy) struct Findings<'a> {
    /// By rule, in the order of the rule set.
    pub hits: &'a [Hits],
    /// The number of the first entry since the job last went on.
    pub mark: u64,
    pub sections: &'a Sections,
    pub succeeded: Option<&'a Hit>,
    pub failed: Option<&'a Hit>,
    pub host: Option<&'a Hit>,
    /// The runner's first words: more than one when the log holds more than one job.
    pub greetings: usize,
    /// What the script first asked Spack to do.
    pub command: Option<&'a Hit>,
    /// Lines that look like errors and repeat no others.
    pub looks: &'a Hits,
    /// Bytes of the log, of its text, and those that no text has.
    pub total: u64,
    pub text: u64,
    pub odd: u64,
    /// The last line that shows anything, from 1; 0 when none does.
    pub last_shown: u64,
    /// The log ends inside a line.
    pub is_inside: bool,
}

/// Judges a log that is in memory.
pub fn classify(rules: &Arc<Compiled>, log: &[u8], facts: &JobFacts) -> Verdict {
    let mut classifier = Classifier::new(Arc::clone(rules));
    classifier.feed(log);
    classifier.finish(facts)
}

impl Classifier {
    /// A classifier for one log.
    pub fn new(rules: Arc<Compiled>) -> Self {
        Self {
            hits: vec![Hits::default(); rules.slots()],
            lines: Lines::default(),
            cleaner: Cleaner::default(),
            block: Block::default(),
            candidates: Candidates::default(),
            mark: 0,
            rules,
        }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        let Self { rules, lines, cleaner, block, hits, candidates, mark } = self;
        lines.feed(bytes, |raw| {
            cleaner.show(raw, block);
            if block.is_full() {
                Scan { rules, cleaner, block, hits, candidates, mark }.run(false);
            }
        });
    }

    /// Bytes of text and lines that it holds.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.block.held()
    }

    /// Judges the log as it is so far. The classifier can be fed on.
    pub fn so_far(&self, facts: &JobFacts) -> Verdict {
        self.clone().finish(facts)
    }

    /// Judges the log; no more bytes will come.
    pub fn finish(mut self, facts: &JobFacts) -> Verdict {
        let is_inside = self.lines.is_inside();
        let Self { rules, lines, cleaner, block, hits, candidates, mark } = &mut self;
        lines.finish(|raw| cleaner.show(raw, block));
        Scan { rules, cleaner, block, hits, candidates, mark }.run(true);
        let own = |own: Own| hits.get(rules.own(own));
        let last = |hits: &'_ Hits| hits.last.back().cloned();
        let (succeeded, failed) = (own(Own::Succeeded).and_then(last), own(Own::Failed).and_then(last));
        let none = Hits::default();
        let findings = Findings {
            hits: hits.get(..rules.rules().rules.len()).unwrap_or_default(),
            mark: *mark,
            sections: &cleaner.sections,
            succeeded: succeeded.as_ref(),
            failed: failed.as_ref(),
            host: own(Own::Host).and_then(|hits| hits.first.as_ref()),
            greetings: own(Own::Greeting).map_or(0, |hits| hits.all().len()),
            command: own(Own::Command).and_then(|hits| hits.first.as_ref()),
            looks: own(Own::Looks).unwrap_or(&none),
            total: lines.total(),
            text: cleaner.text,
            odd: cleaner.odd,
            last_shown: cleaner.last_shown,
            is_inside,
        };
        decide(rules.rules(), &findings, facts)
    }
}

/// One search through the lines that are due.
struct Scan<'a> {
    rules: &'a Compiled,
    cleaner: &'a mut Cleaner,
    block: &'a mut Block,
    hits: &'a mut Vec<Hits>,
    candidates: &'a mut Candidates,
    mark: &'a mut u64,
}

impl Scan<'_> {
    fn run(mut self, at_end: bool) {
        let due = self.block.due(at_end);
        if due.is_empty() {
            return;
        }
        self.rules.prefilter.look(self.block, due.start, due.end, self.rules.slots(), self.candidates);
        let progress = self.rules.own(Own::Progress);
        *self.mark = self.went_on(progress, due.end).max(*self.mark);
        for slot_at in self.candidates.slots() {
            let (Some(slot), Some(hits)) = (self.rules.slot(slot_at), self.hits.get_mut(slot_at)) else { continue };
            let candidates = self.candidates.of(slot_at);
            let (block, sections) = (&*self.block, &self.cleaner.sections);
            let tell = |at: usize, place: u16| {
                block.entries().get(at).map(|entry| Hit::of(block, at, entry, slot.regex(place)))
            };
            let own = slot_at.checked_sub(self.rules.rules().rules.len()).and_then(|own| Own::ALL.get(own));
            match own {
                Some(Own::Progress) => {}
                Some(Own::Looks) => {
                    let look = |at: usize, _| {
                        let entry = block.entries().get(at);
                        entry.is_some_and(|e| !matches!(e.place.phase, Phase::Epilogue))
                            && !self.rules.is_secondary(block.shown(at))
                    };
                    hits.take(candidates, block, *self.mark, OF_LOOKS, look, tell);
                }
                Some(_) => hits.take(candidates, block, 0, OF_OWN, |at, place| slot.fits(place, block.shown(at)), tell),
                None => {
                    let look = |at: usize, place| {
                        let Some(entry) = block.entries().get(at) else { return false };
                        stands(slot, entry, block.shown(at), sections) && slot.fits(place, block.shown(at))
                    };
                    hits.take(candidates, block, *self.mark, OF_RULES, look, tell);
                }
            }
        }
        self.block.retire(due.end);
    }

    /// Where the job last went on, among the entries before `to`: behind a line of progress, or where a phase began.
    fn went_on(&mut self, progress: usize, to: usize) -> u64 {
        let end = self.block.number(to);
        let begun = self.cleaner.phases.partition_point(|phase| *phase <= end);
        let phase = self.cleaner.phases.drain(..begun).next_back().unwrap_or(0);
        let Some(slot) = self.rules.slot(progress) else { return phase };
        let line = self.candidates.of(progress).iter().rev().find(|(at, place)| {
            let at = *at as usize;
            let entry = self.block.entries().get(at);
            entry.is_some_and(|e| matches!(e.place.phase, Phase::Script | Phase::Setup | Phase::Outside))
                && slot.fits(*place, self.block.shown(at))
        });
        line.map_or(0, |(at, _)| self.block.number(*at as usize) + 1).max(phase)
    }
}

/// Whether a line stands where a slot looks.
fn stands(slot: &Slot, entry: &Entry, text: &[u8], sections: &Sections) -> bool {
    if slot.sections.is_empty() {
        return true;
    }
    let name = entry.place.section.and_then(|section| sections.name(section));
    let owner = entry.place.owner.and_then(|section| sections.name(section));
    let runner = is_runner(entry, text);
    slot.sections.iter().any(|wanted| match &**wanted {
        "runner" => runner,
        wanted => name.is_some_and(|n| **n == *wanted) || owner.is_some_and(|n| **n == *wanted),
    })
}

/// A line of the runner's own: outside of all sections, or one of its errors. Programs of a script write errors in the same form.
fn is_runner(entry: &Entry, text: &[u8]) -> bool {
    let its_own = [b"ERROR: ".as_slice(), b"FATAL: "].iter().any(|word| text.starts_with(word));
    entry.place.section.is_none()
        || text.starts_with(b"ERROR: Job failed")
        || (its_own && entry.place.phase != Phase::Script)
}
