//! The name of a rule set: equal exactly when every log gets the same verdict for the same reasons.

use std::sync::Arc;

use sha2::{Digest, Sha256};

use crate::taxonomy::{Pattern, Rule, RuleSet};

/// 12 hex digits over everything that can change a verdict. Titles, runbooks, severities, examples, places and the order of rules cannot.
pub(super) fn hash(set: &RuleSet) -> Arc<str> {
    let mut canon = Canon(Sha256::new());
    canon.text("stackhand rules 1");
    let mut rules: Vec<&Rule> = set.rules.iter().collect();
    rules.sort_by(|a, b| a.id.cmp(&b.id));
    canon.list(rules, Canon::rule);
    for lines in [&set.progress, &set.secondary] {
        canon.list(sorted(lines.iter().map(|p| &*p.regex)), Canon::text);
    }
    let number = canon.0.finalize().iter().take(6).fold(0u64, |number, byte| number << 8 | u64::from(*byte));
    format!("{number:012x}").into()
}

/// Every field is written with its length before it, so that no two sets are written alike.
struct Canon(Sha256);

impl Canon {
    fn text(&mut self, text: &str) {
        self.0.update((text.len() as u64).to_le_bytes());
        self.0.update(text);
    }

    fn number(&mut self, number: i64) {
        self.0.update(number.to_le_bytes());
    }

    fn list<T>(&mut self, items: Vec<T>, write: impl Fn(&mut Self, T)) {
        self.number(items.len() as i64);
        for item in items {
            write(self, item);
        }
    }

    fn rule(&mut self, rule: &Rule) {
        for text in [&*rule.id, &*rule.class, rule.owner.as_str(), rule.transient.as_str()] {
            self.text(text);
        }
        self.number(rule.strength as i64);
        self.number(rule.precedence.into());
        self.number(rule.recovers.into());
        self.number(rule.scope.tail_kb.map_or(-1, i64::from));
        for names in [&rule.scope.sections, &rule.scope.job_kinds, &rule.requires.failure_reason] {
            self.list(sorted(names.iter().map(AsRef::as_ref)), Self::text);
        }
        self.list(sorted(rule.requires.exit_code.iter().copied()), |canon, code| canon.number(code.into()));
        // The first pattern that fits names the groups, so their order counts; vetoes have no order.
        self.list(texts(&rule.any), Self::text);
        self.list(sorted(texts(&rule.none)), Self::text);
    }
}

fn texts(patterns: &[Pattern]) -> Vec<&str> {
    patterns.iter().map(|pattern| &*pattern.regex).collect()
}

fn sorted<T: Ord>(items: impl IntoIterator<Item = T>) -> Vec<T> {
    let mut items: Vec<T> = items.into_iter().collect();
    items.sort_unstable();
    items.dedup();
    items
}
