//! Which match explains the end of the job.

use std::cmp::Reverse;

use super::ending::Ending;
use crate::taxonomy::matcher::{Findings, Hit, Phase};
use crate::taxonomy::{JobFacts, Owner, Rule, RuleSet, Strength};

/// So many lines before its end a job may still have been stopped by them: other processes go on for a while.
const NEAR: u64 = 2_000;

/// How well a place explains the end of the job, worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Zone {
    /// In another section, in the epilogue, or in a script that is not to blame: told beside the cause.
    Elsewhere,
    /// In a script that is not to blame, at its end. What is wrong with the machines may have shown there first.
    Doubtful,
    /// In the section that failed, but the job went on after it.
    Earlier,
    /// Since the job last went on.
    End,
}

/// A rule that matched.
#[derive(Debug, Clone, Copy)]
pub(super) struct Match<'a> {
    pub rule: &'a Rule,
    /// `None`: a fact of GitLab's alone.
    pub hit: Option<&'a Hit>,
    pub zone: Zone,
    /// The job went on after it.
    pub recovered: bool,
    /// The rule's last match stands near the end of what failed. What stands far before it has rarely stopped the job.
    pub near: bool,
}

impl Match<'_> {
    /// Whether it may be the cause at all.
    pub fn explains(&self) -> bool {
        match self.zone {
            Zone::Elsewhere => false,
            Zone::Doubtful => self.rule.owner == Owner::Infrastructure && self.rule.strength >= Strength::Symptom,
            Zone::Earlier => !self.rule.recovers,
            Zone::End => true,
        }
    }

    /// What leads: how much the rule says, then where it stands, then precedence, then the first
    /// line, then the order of rules.
    pub fn rank(&self) -> (u8, Zone, bool, u16, Reverse<u64>) {
        let strength = match (self.rule.strength, self.zone) {
            (Strength::Decisive, Zone::End) => 5,
            (Strength::Cause, Zone::End) => 4,
            (Strength::Decisive | Strength::Cause, _) => 3,
            (Strength::Symptom, _) => 2,
            (Strength::Hint, _) => 1,
        };
        (strength, self.zone, self.near, self.rule.precedence, Reverse(self.hit.map_or(u64::MAX, |hit| hit.number)))
    }
}

/// All rules that matched, in the order of the rule set.
pub(super) fn matches<'a>(
    rules: &'a RuleSet,
    findings: &Findings<'a>,
    facts: &JobFacts,
    ending: &Ending<'a>,
) -> Vec<Match<'a>> {
    let fitting = rules.rules.iter().zip(findings.hits).filter(|(rule, _)| fits(rule, facts, ending));
    fitting
        .filter_map(|(rule, hits)| {
            if rule.any.is_empty() {
                return Some(Match { rule, hit: None, zone: Zone::End, recovered: false, near: true });
            }
            let from = rule.scope.tail_kb.map_or(0, |kb| findings.total.saturating_sub(u64::from(kb) * 1024));
            let placed =
                hits.all().into_iter().filter(|hit| hit.offset >= from).map(|hit| (zone(hit, findings, ending), hit));
            // The first line of the best zone, or of lines that explain nothing the last.
            let (zone, hit) = placed.max_by_key(|(zone, hit)| {
                (
                    *zone,
                    if matches!(zone, Zone::End | Zone::Doubtful) {
                        Reverse(hit.number)
                    } else {
                        Reverse(u64::MAX - hit.number)
                    },
                )
            })?;
            let last = hits.last.back().map_or(hit.line, |last| last.line);
            let near = last + NEAR >= ending.line.map_or(findings.last_shown, |line| line.line);
            Some(Match { rule, hit: Some(hit), zone, recovered: !ending.failed || hit.number < findings.mark, near })
        })
        .collect()
}

fn zone(hit: &Hit, findings: &Findings<'_>, ending: &Ending<'_>) -> Zone {
    let phase = hit.place.phase;
    let is_last_word = ending.line.is_some_and(|line| line.number == hit.number);
    if is_last_word {
        return Zone::End;
    }
    if findings.sections.is_harvested() {
        // The script succeeded: what failed is what came after it.
        return if matches!(phase, Phase::Harvest | Phase::Epilogue) { Zone::End } else { Zone::Elsewhere };
    }
    if phase == Phase::Epilogue {
        return Zone::Elsewhere;
    }
    if phase == Phase::Script && ending.blames_runner {
        return if hit.number >= findings.mark { Zone::Doubtful } else { Zone::Elsewhere };
    }
    if hit.number >= findings.mark {
        Zone::End
    } else if hit.place.owner == findings.sections.main() || hit.place.owner.is_none() {
        Zone::Earlier
    } else {
        Zone::Elsewhere
    }
}

fn fits(rule: &Rule, facts: &JobFacts, ending: &Ending<'_>) -> bool {
    let requires = &rule.requires;
    let kinds = &rule.scope.job_kinds;
    let kind = kinds.is_empty() || facts.job_kind.as_ref().is_none_or(|kind| kinds.iter().any(|k| **k == **kind));
    let code = requires.exit_code.is_empty() || ending.exit_code.is_some_and(|code| requires.exit_code.contains(&code));
    let reason = facts.failure_reason.as_ref().map(crate::ci::FailureReason::as_str);
    let reason = requires.failure_reason.is_empty() || requires.failure_reason.iter().any(|r| Some(&**r) == reason);
    // A rule that asks for nothing at all fits nothing.
    let asks = !rule.any.is_empty() || !requires.exit_code.is_empty() || !requires.failure_reason.is_empty();
    kind && code && reason && asks
}
