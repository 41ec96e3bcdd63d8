//! What the classifier says about one log.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::words::{Owner, Transient};

/// The judgement over one job.
#[derive(Debug, Clone, PartialEq)]
pub struct Verdict {
    pub cause: Cause,
    pub owner: Owner,
    pub transient: Transient,
    /// In percent. How sure it is that the cause is this one and no other.
    pub confidence: u8,
    /// The lines that say so, the most telling first. Empty when a fact of GitLab's decided, or nothing is known.
    pub evidence: Vec<Evidence>,
    /// Everything else that matched, by line; one entry per rule.
    pub also: Vec<Also>,
    /// Of every failed job with an evidence line: equal failures have equal signatures.
    pub signature: Option<Signature>,
    /// The rule set by which it was judged.
    pub rules: Arc<str>,
    /// The machine, as the runner's banner names it: node, pod or host.
    pub host: Option<String>,
    /// What keeps the verdict from being better: `the log is empty`, `the log ends in the middle of a line`, ….
    pub missing: Vec<String>,
}

/// Why a job failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cause {
    /// It did not fail.
    None,
    /// A rule knows it.
    Known { class: Arc<str>, rule: Arc<str> },
    /// It failed, and no rule fits.
    Unknown,
}

/// One line of a log that says why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Evidence {
    /// From 1, in the log as GitLab shows it (`#L123`).
    pub line: u64,
    /// Of the line's first byte, in the log as it came.
    pub offset: u64,
    /// The innermost section of the runner's.
    pub section: Option<Arc<str>>,
    /// The shown line: without escapes, and with secrets blacked out. Not made harmless for a terminal.
    pub text: String,
    /// Up to three lines before, and up to ten after.
    pub before: Vec<String>,
    pub after: Vec<String>,
    /// The pattern's named groups: `package`, `file`, `host`, ….
    pub found: BTreeMap<Box<str>, String>,
}

/// Another match.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Also {
    pub class: Arc<str>,
    pub rule: Arc<str>,
    pub line: u64,
    pub offset: u64,
    /// The job went on after it.
    pub recovered: bool,
}

/// What equal failures have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Signature {
    /// Name of the algorithm and 16 hex digits: `s1-0123456789abcdef`.
    pub fingerprint: Arc<str>,
    /// The evidence line with everything replaced that differs between runs.
    pub template: Arc<str>,
}
