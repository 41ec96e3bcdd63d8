//! Rules and logs for tests.

use std::sync::Arc;

use super::{Compiled, classify};
use crate::taxonomy::{
    Cause, JobFacts, Origin, Owner, Pattern, Requires, Rule, RuleSet, Scope, Severity, Strength, Transient, Verdict,
};

/// A pattern.
pub fn pattern(regex: &str) -> Pattern {
    Pattern { regex: regex.into(), origin: Origin::default() }
}

/// A rule that is a cause by any of some patterns.
pub fn rule(id: &str, any: &[&str]) -> Rule {
    Rule {
        id: id.into(),
        class: id.split('.').next().unwrap_or(id).into(),
        title: String::new(),
        owner: Owner::Package,
        severity: Severity::High,
        transient: Transient::No,
        runbook: String::new(),
        strength: Strength::Cause,
        precedence: 500,
        scope: Scope::default(),
        any: any.iter().map(|regex| pattern(regex)).collect(),
        none: Vec::new(),
        requires: Requires::default(),
        recovers: false,
        origin: Origin::default(),
    }
}

/// A rule, changed.
pub fn but(mut rule: Rule, change: impl FnOnce(&mut Rule)) -> Rule {
    change(&mut rule);
    rule
}

/// Rules that are ready to match, with some lines of progress and secondary ones.
pub fn compiled(rules: Vec<Rule>) -> Arc<Compiled> {
    let set = RuleSet {
        rules,
        progress: vec![pattern("^==> Installing "), pattern("Executing phase: '")],
        secondary: vec![pattern("Package was not installed"), pattern(r"^make.*: \*\*\* ")],
        hash: "0123456789ab".into(),
    };
    Arc::new(Compiled::of(&set).unwrap())
}

/// A verdict over a log without facts.
pub fn judged(rules: Vec<Rule>, log: &str) -> Verdict {
    classify(&compiled(rules), log.as_bytes(), &JobFacts::default())
}

/// The rule that was chosen: `-` when the job did not fail, `?` when nothing fits.
pub fn chosen(verdict: &Verdict) -> &str {
    match &verdict.cause {
        Cause::None => "-",
        Cause::Unknown => "?",
        Cause::Known { rule, .. } => rule,
    }
}
