//! Rules as they are matched. How they are read and checked is the business of the loader.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::words::{Owner, Severity, Transient};

/// All rules that judge together, checked as a whole.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct RuleSet {
    pub rules: Vec<Rule>,
    /// Lines that show that the job went on: what `recovers` and stands before one of them was a hiccup.
    pub progress: Vec<Pattern>,
    /// Lines that look like errors and only repeat others: never the evidence of a failure that no rule knows.
    pub secondary: Vec<Pattern>,
    /// Of everything that can change a verdict: 12 hex digits.
    pub hash: Arc<str>,
}

/// One rule. Several rules may name the same class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rule {
    /// Stable key, used in histories: `oom`, or `build_error.linker` where a class has several rules.
    pub id: Arc<str>,
    pub class: Arc<str>,
    pub title: String,
    pub owner: Owner,
    pub severity: Severity,
    pub transient: Transient,
    /// What to do, in one line.
    pub runbook: String,
    pub strength: Strength,
    /// Higher wins among matches of equal strength that both explain the end of the job.
    pub precedence: u16,
    pub scope: Scope,
    /// A line that fits one of these matches. Empty: the rule goes by `requires` alone.
    pub any: Vec<Pattern>,
    /// A line that fits one of these does not match.
    pub none: Vec<Pattern>,
    pub requires: Requires,
    /// An attempt that is followed by progress (see the rule set's `progress` patterns) was only a hiccup.
    pub recovers: bool,
    pub origin: Origin,
}

/// How much a match says, weakest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Strength {
    /// A bare word; counts only when nothing else matched.
    Hint,
    /// What a failure leaves behind (`Installation request failed`); counts when no cause was found.
    Symptom,
    /// A cause.
    Cause,
    /// The last word about the job: the runner's final line, or a fact of GitLab's.
    Decisive,
}

/// Where a rule looks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Scope {
    /// Names of sections (`step_script`); empty: everywhere. `runner` stands for lines outside of all sections, and `ERROR:` lines of the runner.
    pub sections: Vec<Box<str>>,
    /// Empty: jobs of every kind. A job whose kind is unknown fits.
    pub job_kinds: Vec<Box<str>>,
    /// Only so many bytes before the end of the log.
    pub tail_kb: Option<u32>,
}

/// A regular expression (syntax of the crate `regex`) over the bytes of one shown line: without escapes, stamps and section markers. Named
/// groups (`host`, `package`, `file`, …) are told with the evidence.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pattern {
    pub regex: Box<str>,
    pub origin: Origin,
}

/// What GitLab must have said. A fact that is unknown does not fit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Requires {
    pub exit_code: Vec<i32>,
    pub failure_reason: Vec<Box<str>>,
}

/// Where something stands, for messages.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    pub file: Arc<str>,
    pub line: u32,
}
