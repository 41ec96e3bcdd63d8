//! Examples are judged by the engine, as logs of failed jobs, with all rules of the set.

use std::sync::Arc;

use super::fault::Faults;
use super::rule::Example;
use super::set::Member;
use crate::taxonomy::lint::{Lint, LintKind};
use crate::taxonomy::{Cause, Compiled, JobFacts, Rule, RuleSet, Verdict, classify};

/// Judges every example of a set. An example of an earlier file that a rule of a later file wins is a lint: the later file may mean it so.
pub(super) fn judge(set: &RuleSet, members: &[Member], faults: &mut Faults, lints: &mut Vec<Lint>) {
    let compiled = match Compiled::of(set) {
        Ok(compiled) => Arc::new(compiled),
        Err(error) => {
            let reason = format!("a pattern of {} cannot be matched: {}", error.of, error.reason);
            faults.hard(&error.origin, reason, "mend or remove it");
            return;
        }
    };
    for member in members {
        for example in &member.read.examples {
            let verdict = classify(&compiled, example.log.as_bytes(), &example.facts);
            let trial = Trial { members, member, example, verdict };
            if example.matches { trial.must_win(faults, lints) } else { trial.must_not_touch(faults) }
        }
    }
}

struct Trial<'a> {
    members: &'a [Member],
    member: &'a Member,
    example: &'a Example,
    verdict: Verdict,
}

impl Trial<'_> {
    fn must_win(&self, faults: &mut Faults, lints: &mut Vec<Lint>) {
        let (rule, at) = (&self.member.read.rule, &self.example.at);
        let id = &rule.id;
        let winner = match &self.verdict.cause {
            Cause::Known { rule: winner, .. } if winner == id => return,
            Cause::Known { rule: winner, .. } => self.members.iter().find(|m| m.read.rule.id == *winner),
            Cause::None | Cause::Unknown => None,
        };
        if let Some(missing) = missing_fact(rule, &self.example.facts) {
            let what = format!("the example of rule `{id}` does not state the `{missing}` that the rule requires");
            faults.soft(at, what, format!("add {missing} = … to the example"));
            return;
        }
        let touched = self.touched();
        let Some(winner) = winner else {
            let what = match touched {
                Some((line, true)) => format!(
                    "the example of rule `{id}` matches in line {line} of its log, but counts as a hiccup: the job went on after it"
                ),
                _ => format!("the example of rule `{id}` is not matched by it"),
            };
            faults.soft(at, what, "mend the pattern, the scope or the example");
            return;
        };
        let (by, place) = (&winner.read.rule.id, &winner.read.rule.origin);
        let how = if touched.is_some() || rule.any.is_empty() { "is won by" } else { "is not matched by it, but by" };
        let what = format!("the example of rule `{id}` {how} rule `{by}` ({}:{})", place.file, place.line);
        if winner.file > self.member.file {
            let remedy = "narrow the later rule if that is not meant".to_owned();
            lints.push(Lint {
                at: place.clone(),
                kind: LintKind::Overtakes,
                what: format!("{what} of a later file"),
                remedy,
            });
        } else {
            faults.soft(at, what, format!("mend the pattern, raise its precedence or strength, or narrow `{by}`"));
        }
    }

    fn must_not_touch(&self, faults: &mut Faults) {
        let id = &self.member.read.rule.id;
        let wins = matches!(&self.verdict.cause, Cause::Known { rule, .. } if rule == id);
        let line =
            if wins { self.verdict.evidence.first().map(|e| e.line) } else { self.touched().map(|(line, _)| line) };
        if wins || line.is_some() {
            let place = line.map_or_else(|| "by its facts".to_owned(), |line| format!("in line {line} of its log"));
            let what = format!("rule `{id}` matches an example with match = false, {place}");
            faults.soft(&self.example.at, what, "narrow the pattern, or veto such lines with `none`");
        }
    }

    /// The line where the rule matched without being the cause, and whether that was a hiccup.
    fn touched(&self) -> Option<(u64, bool)> {
        let id = &self.member.read.rule.id;
        self.verdict.also.iter().find(|also| also.rule == *id).map(|also| (also.line, also.recovered))
    }
}

fn missing_fact(rule: &Rule, facts: &JobFacts) -> Option<&'static str> {
    if !rule.requires.exit_code.is_empty() && facts.exit_code.is_none() {
        return Some("exit_code");
    }
    (!rule.requires.failure_reason.is_empty() && facts.failure_reason.is_none()).then_some("failure_reason")
}
