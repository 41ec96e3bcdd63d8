//! The evidence of a failure that no rule knows.

use super::ending::{Ending, LastWord};
use crate::taxonomy::matcher::{Findings, Hit, Phase, weight};

/// Lines that only mention a fault weigh less than this; they are evidence only when nothing better is there.
const NAMES_A_FAULT: u32 = 70;

/// The line that most likely says why: the runner's own, if it says anything, or else what looks most like an error since the job last went
/// on; of equals the last, because a traceback and most tools say what is wrong at the end.
pub(super) fn evidence<'a>(findings: &Findings<'a>, ending: &Ending<'a>) -> Option<&'a Hit> {
    if let LastWord::Says(hit) = ending.last_word {
        return Some(hit);
    }
    let harvested = findings.sections.is_harvested();
    let is_last_word = |hit: &Hit| ending.line.is_some_and(|line| line.number == hit.number);
    let fits = |hit: &&Hit| match hit.place.phase {
        _ if is_last_word(hit) => false,
        Phase::Harvest => true,
        Phase::Script => !harvested && !ending.blames_runner,
        _ => !harvested,
    };
    let best = |hits: Vec<&'a Hit>, least: u32| {
        let weighed =
            hits.into_iter().filter(fits).map(|hit| (weight(&hit.text), hit)).filter(|(weight, _)| *weight >= least);
        weighed.max_by_key(|(weight, hit)| (*weight, hit.number)).map(|(_, hit)| hit)
    };
    let since: Vec<&Hit> = findings.looks.all().into_iter().filter(|hit| hit.number >= findings.mark).collect();
    best(since.clone(), NAMES_A_FAULT).or_else(|| best(findings.looks.all(), NAMES_A_FAULT)).or_else(|| best(since, 1))
}
