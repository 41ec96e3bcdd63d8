//! The evidence of a failure that no rule knows.

use super::ending::{Ending, LastWord};
use crate::taxonomy::matcher::{Findings, Hit, Phase, weight};

/// Lines that only mention a fault weigh less than this; they are evidence only when nothing better is there.
const NAMES_A_FAULT: u32 = 70;

/// Faults that no class covers, in small letters. Each line that has all the words of one names the cause by itself.
const FAULTS: &[&[&str]] = &[
    &["illegal instruction"],
    &["sigill"],
    &["stale file handle"],
    &["stale nfs file handle"],
    &["version `glibc", "not found"],
    &["version 'glibc", "not found"],
];

/// What stands beside no fault: a line that was warned of, tried again or ignored.
const MENTIONS: u32 = 10;

/// The first line since the job last went on that names a fault without a class. It says more than the words that Spack prints whatever
/// failed: its hint how to reproduce the build, and its count of errors.
pub(super) fn fault<'a>(findings: &Findings<'a>, ending: &Ending<'a>) -> Option<&'a Hit> {
    let names = |hit: &&Hit| {
        let small = hit.text.to_ascii_lowercase();
        FAULTS.iter().any(|words| words.iter().all(|word| small.contains(word))) && weight(&hit.text) > MENTIONS
    };
    let is_script = |hit: &&Hit| hit.place.phase == Phase::Script && !ending.blames_runner;
    let since = findings.looks.all().into_iter().filter(|hit| hit.number >= findings.mark);
    since.filter(|_| !findings.sections.is_harvested()).filter(is_script).filter(names).min_by_key(|hit| hit.number)
}

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
