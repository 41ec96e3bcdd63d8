//! All warnings about a rule set.

use std::collections::BTreeMap;

use super::report::{Finding, Lint, LintKind, shown};
use super::shape::Shape;
use super::{known, shadow, syntax};
use crate::taxonomy::{Origin, Pattern, Rule, RuleSet, Strength};

/// Tells what a rule set probably does not mean, rule by rule.
pub fn lint(set: &RuleSet) -> Vec<Lint> {
    let mut classes: BTreeMap<&str, String> = BTreeMap::new();
    for rule in &set.rules {
        let texts = rule.any.iter().map(|pattern| known::plain(&pattern.regex) + "\n");
        classes.entry(&rule.class).or_default().extend(texts);
    }
    let mut lints = Vec::new();
    for rule in &set.rules {
        let class = classes.get(&*rule.class).map_or("", String::as_str);
        for pattern in &rule.any {
            lints.extend(one(pattern, rule.strength));
            lints.extend(known::reworded(&pattern.regex, class).map(|finding| place(pattern, finding)));
        }
    }
    let others = set.rules.iter().flat_map(|rule| &rule.none).chain(&set.progress).chain(&set.secondary);
    lints.extend(others.flat_map(|pattern| one(pattern, Strength::Hint)));
    lints.extend(capitals(&set.rules));
    lints.extend(shadow::lints(&set.rules));
    lints
}

/// The warnings about one pattern. A pattern that cannot be parsed has none: it is a fault.
fn one(pattern: &Pattern, strength: Strength) -> Vec<Lint> {
    let Ok(shape) = Shape::of(&pattern.regex) else { return Vec::new() };
    let mut found = syntax::findings(&pattern.regex, &shape.ast);
    if let Some(reason) = shape.never() {
        found.push(Finding::new(LintKind::NeverMatches, format!("it never matches: {reason}"), "mend or remove it"));
    }
    found.extend(known::findings(&shape, strength));
    found.into_iter().map(|finding| place(pattern, finding)).collect()
}

/// Patterns of different classes that differ in capitals only.
fn capitals(rules: &[Rule]) -> Vec<Lint> {
    let mut first: BTreeMap<String, (&Rule, &Pattern)> = BTreeMap::new();
    let mut lints = Vec::new();
    for (rule, pattern) in rules.iter().flat_map(|rule| rule.any.iter().map(move |pattern| (rule, pattern))) {
        let (other, same) = *first.entry(pattern.regex.to_ascii_lowercase()).or_insert((rule, pattern));
        // `\S` and `\s` are no capitals.
        if same.regex != pattern.regex && other.class != rule.class && !pattern.regex.contains('\\') {
            let Origin { file, line } = &same.origin;
            let what = format!("rule `{}` ({file}:{line}) has the same pattern with other capitals", other.id);
            let finding = Finding::new(LintKind::Capitals, what, "find out which of them tools write");
            lints.push(place(pattern, finding));
        }
    }
    lints
}

/// A finding at its pattern.
pub(super) fn place(pattern: &Pattern, finding: Finding) -> Lint {
    let what = format!("`{}`: {}", shown(&pattern.regex), finding.what);
    Lint { at: pattern.origin.clone(), kind: finding.kind, what, remedy: finding.remedy }
}
