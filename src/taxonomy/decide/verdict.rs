//! The verdict, put together.

use std::sync::Arc;

use super::ending::Ending;
use super::unknown;
use super::weigh::{Match, Zone, matches};
use crate::taxonomy::matcher::{Findings, Hit, Phase};
use crate::taxonomy::redact::{redact, redact_lines};
use crate::taxonomy::{
    Also, Cause, Evidence, JobFacts, Owner, RuleSet, Signature, SignatureContext, Strength, Transient, Verdict,
    signature,
};

/// Lines of evidence that a verdict tells.
const MOST_EVIDENCE: usize = 3;
/// Precedences closer than this leave a doubt.
const CLOSE: u16 = 100;

/// Judges a job by what was found in its log and by what GitLab says about it.
pub(in crate::taxonomy) fn decide(rules: &RuleSet, findings: &Findings<'_>, facts: &JobFacts) -> Verdict {
    let ending = Ending::of(findings, facts);
    let matches = matches(rules, findings, facts, &ending);
    let explaining = matches.iter().filter(|m| ending.failed && m.explains());
    // Of equals the first: `max_by_key` would take the last.
    let chosen = explaining.rev().max_by_key(|m| m.rank());
    let says_little = chosen.is_some_and(|m| m.rule.strength <= Strength::Symptom && m.zone != Zone::Doubtful);
    let fault = unknown::fault(findings, &ending).filter(|_| says_little);
    let chosen = chosen.filter(|_| fault.is_none());
    let mut verdict = Verdict {
        cause: if ending.failed { Cause::Unknown } else { Cause::None },
        owner: Owner::Unknown,
        transient: Transient::Unknown,
        confidence: if ending.failed { 0 } else { healthy(&ending, facts) },
        evidence: Vec::new(),
        also: also(&matches, chosen),
        signature: None,
        rules: Arc::clone(&rules.hash),
        host: host(findings),
        missing: ending.missing.clone(),
    };
    if let Some(chosen) = chosen {
        let rule = chosen.rule;
        verdict.cause = Cause::Known { class: Arc::clone(&rule.class), rule: Arc::clone(&rule.id) };
        (verdict.owner, verdict.transient) = (rule.owner, rule.transient);
        verdict.confidence = confidence(chosen, &matches, &ending);
        verdict.evidence =
            lines(rules, findings, chosen, &ending).into_iter().map(|hit| evidence(findings, hit)).collect();
    } else if ending.failed {
        let line = fault.or_else(|| unknown::evidence(findings, &ending));
        verdict.evidence.extend(line.map(|hit| evidence(findings, hit)));
    }
    if ending.failed {
        verdict.signature = verdict.evidence.first().map(|line| signed(line, facts, ending.exit_code));
    }
    verdict
}

fn signed(line: &Evidence, facts: &JobFacts, exit_code: Option<i32>) -> Signature {
    let context = SignatureContext { job_kind: facts.job_kind.as_deref(), section: line.section.as_deref(), exit_code };
    signature(&line.text, &context)
}

/// How sure it is that a job did not fail.
fn healthy(ending: &Ending<'_>, facts: &JobFacts) -> u8 {
    match (facts.status, ending.contradicts) {
        (_, true) => 60,
        (Some(_), false) => 99,
        (None, false) => 95,
    }
}

/// How sure the cause is, in percent: 97 for a decisive rule, 90 for a cause at the end of the job, 60 for one that the job went on after,
/// 45 for a symptom and for what a script showed before the runner itself gave up, 25 for a hint; 4 more when GitLab's facts were asked for and fit; 10 less for each other class (at most two) of equal
/// strength at the end of the job whose precedence is close, 3 less when it is not; 20 less when log and GitLab disagree; 15 less when the
/// log is cut and a line decided, and when it stands far before the end; never more than 99.
fn confidence(chosen: &Match<'_>, matches: &[Match<'_>], ending: &Ending<'_>) -> u8 {
    let rule = chosen.rule;
    let mut percent: i32 = match (rule.strength, chosen.zone) {
        (Strength::Decisive, Zone::End) => 97,
        (Strength::Cause, Zone::End) => 90,
        (Strength::Decisive | Strength::Cause, Zone::Earlier) => 60,
        (Strength::Decisive | Strength::Cause | Strength::Symptom, _) => 45,
        (Strength::Hint, _) => 25,
    };
    if !chosen.near {
        percent -= 15;
    }
    if !rule.requires.exit_code.is_empty() || !rule.requires.failure_reason.is_empty() {
        percent += 4;
    }
    let mut rivals: Vec<(&str, i32)> = matches
        .iter()
        .filter(|m| {
            m.explains() && m.rank().0 == chosen.rank().0 && m.zone == chosen.zone && m.rule.class != rule.class
        })
        .map(|m| (&*m.rule.class, if m.rule.precedence.saturating_add(CLOSE) > rule.precedence { 10 } else { 3 }))
        .collect();
    rivals.sort_unstable_by(|a, b| a.0.cmp(b.0).then(b.1.cmp(&a.1)));
    rivals.dedup_by_key(|(class, _)| *class);
    rivals.sort_unstable_by_key(|(_, less)| -less);
    percent -= rivals.iter().take(2).map(|(_, less)| less).sum::<i32>();
    if ending.contradicts {
        percent -= 20;
    }
    if chosen.hit.is_some() && (ending.line.is_none() || ending.unreadable) {
        percent -= 15;
    }
    u8::try_from(percent.clamp(5, 99)).unwrap_or(5)
}

/// The lines that say so: the match, its next one, and the runner's last word when the rule asked for the exit code that it names.
fn lines<'a>(rules: &RuleSet, findings: &Findings<'a>, chosen: &Match<'a>, ending: &Ending<'a>) -> Vec<&'a Hit> {
    let mut lines: Vec<&Hit> = chosen.hit.into_iter().collect();
    let place = rules.rules.iter().position(|rule| rule.id == chosen.rule.id);
    if let (Some(first), Some(hits)) = (chosen.hit, place.and_then(|place| findings.hits.get(place))) {
        lines.extend(hits.since(findings.mark).iter().filter(|hit| hit.number > first.number && hit.line > first.line));
    }
    lines.truncate(MOST_EVIDENCE - 1);
    let by_code = !chosen.rule.requires.exit_code.is_empty();
    lines.extend(ending.line.filter(|line| by_code && lines.iter().all(|l| l.number != line.number)));
    lines
}

fn evidence(findings: &Findings<'_>, hit: &Hit) -> Evidence {
    let mut around: Vec<String> = hit.before.iter().chain([&hit.text]).chain(&hit.after).cloned().collect();
    redact_lines(&mut around);
    let after = around.split_off((hit.before.len() + 1).min(around.len()));
    let text = around.pop().unwrap_or_default();
    Evidence {
        line: hit.line,
        offset: hit.offset,
        section: hit.place.section.and_then(|section| findings.sections.name(section)).map(Arc::clone),
        text,
        before: around,
        after,
        found: hit.found.iter().map(|(name, value)| (name.clone(), redact(value).into_owned())).collect(),
    }
}

fn also(matches: &[Match<'_>], chosen: Option<&Match<'_>>) -> Vec<Also> {
    let others = matches.iter().filter(|m| chosen.is_none_or(|c| !std::ptr::eq(c.rule, m.rule)));
    let mut also: Vec<Also> = others
        .filter_map(|m| {
            let hit = m.hit?;
            let (class, rule) = (Arc::clone(&m.rule.class), Arc::clone(&m.rule.id));
            Some(Also { class, rule, line: hit.line, offset: hit.offset, recovered: m.recovered })
        })
        .collect();
    also.sort_by_key(|a| a.line);
    also
}

fn host(findings: &Findings<'_>) -> Option<String> {
    let banner = findings.host.filter(|hit| hit.place.phase != Phase::Script)?;
    banner.found.get("host").map(|host| redact(host).into_owned())
}
