//! Rules made ready to match.

use regex::bytes::{Regex, RegexBuilder};

use crate::taxonomy::{Origin, Pattern, RuleSet};

/// Most bytes that one pattern may take when it is compiled.
const LARGEST: usize = 1024 * 1024;

/// A pattern that cannot be matched.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: the pattern `{regex}` of {of} cannot be compiled: {reason}; mend or remove it", origin.file, origin.line)]
pub struct CompileError {
    /// The rule's id, or `progress` or `secondary`.
    pub of: String,
    pub regex: String,
    pub origin: Origin,
    pub reason: String,
}

/// A rule set that is ready to match. Made once and shared by all classifiers.
#[derive(Debug)]
pub struct Compiled {
    pub(super) rules: RuleSet,
    pub(super) any: Vec<Vec<Regex>>,
    pub(super) none: Vec<Vec<Regex>>,
    pub(super) progress: Vec<Regex>,
    #[expect(dead_code, reason = "unknown failures have no evidence yet")]
    pub(super) secondary: Vec<Regex>,
}

impl Compiled {
    /// Compiles every pattern of a rule set.
    pub fn of(rules: &RuleSet) -> Result<Self, CompileError> {
        let rule = |patterns: fn(&crate::taxonomy::Rule) -> &[Pattern]| {
            rules.rules.iter().map(|rule| all(&rule.id, patterns(rule))).collect::<Result<Vec<_>, _>>()
        };
        Ok(Self {
            any: rule(|r| &r.any)?,
            none: rule(|r| &r.none)?,
            progress: all("progress", &rules.progress)?,
            secondary: all("secondary", &rules.secondary)?,
            rules: rules.clone(),
        })
    }

    /// The rules as they were loaded.
    pub fn rules(&self) -> &RuleSet {
        &self.rules
    }
}

fn all(of: &str, patterns: &[Pattern]) -> Result<Vec<Regex>, CompileError> {
    let one = |pattern: &Pattern| {
        RegexBuilder::new(&pattern.regex).unicode(false).size_limit(LARGEST).build().or_else(|_| {
            RegexBuilder::new(&pattern.regex).size_limit(LARGEST).build().map_err(|error| CompileError {
                of: of.to_owned(),
                regex: pattern.regex.to_string(),
                origin: pattern.origin.clone(),
                reason: error.to_string().lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned(),
            })
        })
    };
    patterns.iter().map(one).collect()
}
