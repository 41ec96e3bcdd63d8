//! The whole log in memory, line by line: correct and slow.

use std::collections::BTreeMap;
use std::sync::Arc;

use regex::bytes::Regex;

use super::Compiled;
use crate::ci::Status;
use crate::ci::log::{Joiner, Marker, STAMP, Stamp, plain_into};
use crate::taxonomy::{Also, Cause, Evidence, JobFacts, Owner, Rule, Strength, Transient, Verdict};

/// One log on its way through the rules.
#[derive(Debug, Clone)]
pub struct Classifier {
    rules: Arc<Compiled>,
    log: Vec<u8>,
}

/// Judges a log that is in memory.
pub fn classify(rules: &Arc<Compiled>, log: &[u8], facts: &JobFacts) -> Verdict {
    let mut classifier = Classifier::new(Arc::clone(rules));
    classifier.feed(log);
    classifier.finish(facts)
}

struct Line {
    number: u64,
    offset: u64,
    section: Option<Arc<str>>,
    text: Vec<u8>,
}

struct Match<'a> {
    rule: &'a Rule,
    at: usize,
    found: BTreeMap<Box<str>, String>,
    recovered: bool,
}

impl Classifier {
    /// A classifier for one log.
    pub fn new(rules: Arc<Compiled>) -> Self {
        Self { rules, log: Vec::new() }
    }

    /// Takes the next bytes.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.log.extend_from_slice(bytes);
    }

    /// Judges the log as it is so far.
    pub fn so_far(&self, facts: &JobFacts) -> Verdict {
        self.clone().finish(facts)
    }

    /// Judges the log; no more bytes are expected.
    pub fn finish(self, facts: &JobFacts) -> Verdict {
        let lines = lines(&self.log);
        let compiled = &*self.rules;
        let good = match facts.status {
            Some(status) => status == Status::Success,
            None => lines.iter().rev().take(3).any(|l| l.text.starts_with(b"Job succeeded")),
        };
        let is = |patterns: &[Regex], text: &[u8]| patterns.iter().any(|p| p.is_match(text));
        let went_on = lines.iter().rposition(|l| is(&compiled.progress, &l.text));
        let mut matches = Vec::new();
        for (n, rule) in compiled.rules.rules.iter().enumerate() {
            let (any, none) = (compiled.any.get(n), compiled.none.get(n));
            let (any, none) = (any.map_or(&[][..], Vec::as_slice), none.map_or(&[][..], Vec::as_slice));
            if !required(rule, facts) || !kind_fits(rule, facts) {
                continue;
            }
            for (at, line) in lines.iter().enumerate() {
                let late =
                    rule.scope.tail_kb.is_none_or(|kb| line.offset + u64::from(kb) * 1024 >= self.log.len() as u64);
                if !late || !section_fits(rule, line) || is(none, &line.text) {
                    continue;
                }
                if let Some(pattern) = any.iter().find(|p| p.is_match(&line.text)) {
                    let recovered = rule.recovers && went_on.is_some_and(|w| at < w);
                    matches.push(Match { rule, at, found: found(pattern, &line.text), recovered });
                    break;
                }
            }
        }
        let rank = |m: &&Match<'_>| (m.rule.strength, m.rule.precedence, m.at);
        let best = if good { None } else { matches.iter().filter(|m| !m.recovered).max_by_key(rank) };
        let by_fact = compiled.rules.rules.iter().find(|r| !good && r.any.is_empty() && required(r, facts));
        let mut verdict = Verdict {
            cause: if good { Cause::None } else { Cause::Unknown },
            owner: Owner::Unknown,
            transient: Transient::Unknown,
            confidence: 0,
            evidence: Vec::new(),
            also: Vec::new(),
            signature: None,
            rules: Arc::clone(&compiled.rules.hash),
            host: None,
            missing: Vec::new(),
        };
        let known = |rule: &Rule| Cause::Known { class: Arc::clone(&rule.class), rule: Arc::clone(&rule.id) };
        let chosen = best.filter(|m| by_fact.is_none_or(|f| f.strength <= m.rule.strength));
        if let Some(rule) = chosen.map(|m| m.rule).or(by_fact) {
            (verdict.cause, verdict.owner, verdict.transient) = (known(rule), rule.owner, rule.transient);
            verdict.confidence = if rule.strength >= Strength::Cause { 90 } else { 40 };
        }
        if let Some(m) = chosen {
            verdict.evidence.extend(evidence(&lines, m));
        }
        for m in matches.iter().filter(|m| chosen.is_none_or(|c| !std::ptr::eq(c, *m))) {
            if let Some(line) = lines.get(m.at) {
                verdict.also.push(Also {
                    class: Arc::clone(&m.rule.class),
                    rule: Arc::clone(&m.rule.id),
                    line: line.number,
                    offset: line.offset,
                    recovered: m.recovered,
                });
            }
        }
        verdict.also.sort_by_key(|a| a.line);
        verdict
    }
}

fn evidence(lines: &[Line], m: &Match<'_>) -> Option<Evidence> {
    let line = lines.get(m.at)?;
    let text = |l: &Line| String::from_utf8_lossy(&l.text).into_owned();
    Some(Evidence {
        line: line.number,
        offset: line.offset,
        section: line.section.clone(),
        text: text(line),
        before: lines.get(m.at.saturating_sub(3)..m.at)?.iter().map(text).collect(),
        after: lines.iter().skip(m.at + 1).take(10).map(text).collect(),
        found: m.found.clone(),
    })
}

fn found(pattern: &Regex, text: &[u8]) -> BTreeMap<Box<str>, String> {
    let Some(groups) = pattern.captures(text) else { return BTreeMap::new() };
    let named = pattern.capture_names().flatten();
    named.filter_map(|n| Some((n.into(), String::from_utf8_lossy(groups.name(n)?.as_bytes()).into_owned()))).collect()
}

fn required(rule: &Rule, facts: &JobFacts) -> bool {
    let code =
        rule.requires.exit_code.is_empty() || facts.exit_code.is_some_and(|c| rule.requires.exit_code.contains(&c));
    let reason = rule.requires.failure_reason.is_empty()
        || facts
            .failure_reason
            .as_ref()
            .is_some_and(|r| rule.requires.failure_reason.iter().any(|w| **w == *r.as_str()));
    code && reason
}

fn kind_fits(rule: &Rule, facts: &JobFacts) -> bool {
    let kinds = &rule.scope.job_kinds;
    kinds.is_empty() || facts.job_kind.as_ref().is_none_or(|k| kinds.iter().any(|w| **w == **k))
}

fn section_fits(rule: &Rule, line: &Line) -> bool {
    let sections = &rule.scope.sections;
    let runner = line.section.is_none() || line.text.starts_with(b"ERROR: ");
    sections.is_empty()
        || sections.iter().any(|s| line.section.as_deref() == Some(&**s) || (runner && **s == *"runner"))
}

fn lines(log: &[u8]) -> Vec<Line> {
    let mut lines: Vec<(u64, Vec<u8>)> = Vec::new();
    let mut joiner = Joiner::default();
    let stamped = Stamp::read(log).is_some();
    let mut offset = 0;
    for piece in log.split_inclusive(|b| *b == b'\n') {
        let text = piece.strip_suffix(b"\n").unwrap_or(piece);
        let goes_on = stamped && !joiner.begins(piece);
        let text = if stamped && Stamp::read(piece).is_some() { text.get(STAMP..).unwrap_or_default() } else { text };
        match lines.last_mut() {
            Some((_, last)) if goes_on => last.extend_from_slice(text),
            _ => lines.push((offset, text.to_vec())),
        }
        offset += piece.len() as u64;
    }
    let mut open: Vec<Arc<str>> = Vec::new();
    let mut shown = Vec::new();
    for (number, (offset, raw)) in (1..).zip(lines) {
        let mut rest = raw.as_slice();
        while let Some(at) = memchr::memmem::find(rest, b"section_") {
            rest = rest.get(at..).unwrap_or_default();
            let Some((marker, after)) = Marker::read(rest) else {
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            rest = after;
            if marker.opens {
                open.push(marker.name.into());
            } else if let Some(depth) = open.iter().rposition(|name| **name == *marker.name) {
                open.truncate(depth);
            }
        }
        let mut text = Vec::new();
        plain_into(&raw, &mut text);
        shown.push(Line { number, offset, section: open.last().cloned(), text });
    }
    shown
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::taxonomy::{Pattern, RuleSet};

    #[test]
    fn a_line_becomes_a_cause_with_its_place() {
        let rule = Rule {
            id: "dns".into(),
            class: "dns_error".into(),
            title: String::new(),
            owner: Owner::Infrastructure,
            severity: crate::taxonomy::Severity::High,
            transient: Transient::Yes,
            runbook: String::new(),
            strength: Strength::Cause,
            precedence: 500,
            scope: crate::taxonomy::Scope::default(),
            any: vec![Pattern {
                regex: "no such host (?<host>[a-z.]+)".into(),
                origin: crate::taxonomy::Origin::default(),
            }],
            none: Vec::new(),
            requires: crate::taxonomy::Requires::default(),
            recovers: false,
            origin: crate::taxonomy::Origin::default(),
        };
        let rules = RuleSet { rules: vec![rule], ..RuleSet::default() };
        let rules = Arc::new(Compiled::of(&rules).unwrap());
        let log =
            b"section_start:1:step_script\r\x1b[0Ktext\n\x1b[31mno such host a.b\x1b[0m\nsection_end:1:step_script\r\n";
        let verdict = classify(&rules, log, &JobFacts::default());
        assert_eq!(verdict.cause, Cause::Known { class: "dns_error".into(), rule: "dns".into() });
        let evidence = &verdict.evidence[0];
        assert_eq!((evidence.line, evidence.offset, evidence.text.as_str()), (2, 37, "no such host a.b"));
        assert_eq!(evidence.section.as_deref(), Some("step_script"));
        assert_eq!(evidence.found["host"], "a.b");
        assert_eq!(classify(&rules, b"no such host a\nJob succeeded\n", &JobFacts::default()).cause, Cause::None);
    }
}
