//! The taxonomy that was read becomes a rules file that loads.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::python::translate;
use super::sample::sample;
use super::yaml::{Class, FILE, ImportFault, Taxonomy, origin, read};
use crate::ci::{FailureReason, Status};
use crate::taxonomy::classes::{Known, STRANGER, known};
use crate::taxonomy::lint::{Lint, LintKind, lint, shown};
use crate::taxonomy::load::{
    AnyText, Cost, ExampleText, MOST_PATTERNS, MOST_RULES, MOST_STATES, Refused, RuleText, check, is_class,
};
use crate::taxonomy::{
    Cause, Compiled, JobFacts, Pattern, Requires, Rule, RuleSet, Scope, Severity, Source, Strength, classify, load,
};

/// Most patterns of a file; production has 102.
const MOST_ALL_PATTERNS: usize = 5_000;
/// Most times that losers are sought; the second time should find none.
const MOST_ROUNDS: usize = 8;

/// A taxonomy in our format.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// A rules file that loads by itself.
    pub toml: String,
    /// What is wrong with the original, by line of it.
    pub lints: Vec<Lint>,
}

/// Turns the text of the production file `error_taxonomy.yaml` into a rules file.
pub fn import(yaml: &str) -> Result<Imported, ImportFault> {
    let taxonomy = read(yaml)?;
    let patterns: usize = taxonomy.classes.iter().filter_map(|class| class.patterns.as_ref()).map(Vec::len).sum();
    if taxonomy.classes.len() > MOST_RULES || patterns > MOST_ALL_PATTERNS {
        let what = format!("{} classes with {patterns} patterns are too many", taxonomy.classes.len());
        return Err(ImportFault::new(1, what, "give the production file error_taxonomy.yaml"));
    }
    let mut lints = Vec::new();
    for (name, line) in &taxonomy.strange {
        lints.push(said(*line, LintKind::LeftOut, format!("`{}` has no meaning here", shown(name)), "remove it"));
    }
    let ranks = ranks(&taxonomy, &mut lints);
    let mut drafts: Vec<Draft> = Vec::new();
    for class in &taxonomy.classes {
        let draft = Draft::of(class, &ranks, &drafts, &mut lints);
        drafts.extend(draft);
    }
    if drafts.iter().flat_map(|draft| &draft.patterns).map(|entry| entry.weight).sum::<usize>() > MOST_STATES {
        let remedy = "use smaller counts in { } and fewer patterns";
        return Err(ImportFault::new(1, "all patterns together are too large", remedy));
    }
    let set = RuleSet { rules: drafts.iter().filter_map(Draft::rule).collect(), ..RuleSet::default() };
    lints.extend(lint(&set));
    drop_losers(&mut drafts, &mut lints)?;
    drafts.sort_by_key(|draft| std::cmp::Reverse(draft.rank));
    let toml = written(&taxonomy, &drafts);
    load(&[Source { name: "imported rules", text: &toml }]).map_err(|faults| {
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        ImportFault::new(
            1,
            format!("the imported rules do not load: {first}"),
            "take the class out of the file and import it again",
        )
    })?;
    lints.sort_by(|a, b| (a.at.line, a.kind, &a.what).cmp(&(b.at.line, b.kind, &b.what)));
    lints.dedup();
    Ok(Imported { toml, lints })
}

fn said(line: u32, kind: LintKind, what: impl Into<String>, remedy: impl Into<String>) -> Lint {
    Lint { at: origin(line), kind, what: what.into(), remedy: remedy.into() }
}

/// Precedences by class: the first of the order is highest.
fn ranks(taxonomy: &Taxonomy, lints: &mut Vec<Lint>) -> BTreeMap<String, u16> {
    let mut ranks: BTreeMap<String, u16> = BTreeMap::new();
    let count = taxonomy.order.len();
    let step = (1_000 / count.max(1)).clamp(1, 10);
    for (at, (name, line)) in taxonomy.order.iter().enumerate() {
        if !taxonomy.classes.iter().any(|class| class.name == *name) {
            let what = format!("`deconflict_order` names `{}`, which is no class", shown(name));
            lints.push(said(*line, LintKind::Unordered, what, "remove it, or add the class"));
        } else if ranks.contains_key(name) {
            let what = format!("`deconflict_order` names `{}` twice", shown(name));
            lints.push(said(*line, LintKind::Unordered, what, "remove it; the first place counts"));
        } else {
            let rank = 1_000usize.saturating_sub(at * step).max(1);
            ranks.insert(name.clone(), u16::try_from(rank).unwrap_or(1));
        }
    }
    ranks
}

/// One class on its way.
struct Draft {
    id: String,
    class: String,
    line: u32,
    known: &'static Known,
    rank: u16,
    patterns: Vec<Entry>,
    /// A class without patterns: GitLab's reason.
    reason: Option<String>,
    /// Why the whole rule is left out.
    left_out: Option<String>,
}

/// One pattern on its way.
struct Entry {
    /// Translated, or as it was where that is impossible.
    regex: String,
    line: u32,
    slow: bool,
    weight: usize,
    log: String,
    left_out: Option<String>,
}

impl Draft {
    fn of(class: &Class, ranks: &BTreeMap<String, u16>, others: &[Self], lints: &mut Vec<Lint>) -> Option<Self> {
        let name = shown(&class.name);
        if !is_class(&class.name) || class.name == "unknown" {
            let remedy = "name it with letters, digits, `_` and `-`, and not `unknown`";
            lints.push(said(class.line, LintKind::LeftOut, format!("`{name}` cannot be the name of a class"), remedy));
            return None;
        }
        let known = known(&class.name).unwrap_or_else(|| {
            let what = format!("nobody is known to own the class `{name}`");
            lints.push(said(
                class.line,
                LintKind::UnknownClass,
                what,
                "give owner, transient and runbook in the imported rule",
            ));
            &STRANGER
        });
        let base = class.name.to_ascii_lowercase();
        let numbered = (2..).map(|n| format!("{}-{n}", base.get(..56).unwrap_or(&base)));
        let id = std::iter::once(base.clone()).chain(numbered).find(|id| others.iter().all(|other| other.id != *id))?;
        let rank = ranks.get(&class.name).copied();
        if rank.is_none() && class.patterns.is_some() {
            let what = format!("the class `{name}` is not in `deconflict_order`, so it never won");
            lints.push(said(class.line, LintKind::Unordered, what, "add it to the order; here it ranks last"));
        }
        let mut draft = Self {
            id,
            class: class.name.clone(),
            line: class.line,
            known,
            rank: rank.unwrap_or(0),
            patterns: Vec::new(),
            reason: class.patterns.is_none().then(|| class.name.clone()),
            left_out: None,
        };
        for (at, (python, line)) in class.patterns.iter().flatten().enumerate() {
            let entry = if at < MOST_PATTERNS {
                Entry::of(python, *line, lints)
            } else {
                Entry::left_out(python, *line, format!("the class has more than {MOST_PATTERNS} patterns"), lints)
            };
            draft.patterns.push(entry);
        }
        draft.settle(lints);
        Some(draft)
    }

    /// Leaves the rule out when nothing of it is left.
    fn settle(&mut self, lints: &mut Vec<Lint>) {
        if self.reason.is_none()
            && self.left_out.is_none()
            && self.patterns.iter().all(|entry| entry.left_out.is_some())
        {
            self.left_out = Some("no pattern of it is left".to_owned());
            let what = format!("the rule `{}` is left out: no pattern of it is left", self.id);
            lints.push(said(self.line, LintKind::LeftOut, what, "mend its patterns, then import again"));
        }
    }

    /// The rule as it is matched, its places in the YAML file. `None` when it is left out.
    fn rule(&self) -> Option<Rule> {
        let kept = self.patterns.iter().filter(|entry| entry.left_out.is_none());
        let pattern = |entry: &Entry| Pattern { regex: entry.regex.as_str().into(), origin: origin(entry.line) };
        self.left_out.is_none().then(|| Rule {
            id: self.id.as_str().into(),
            class: self.class.as_str().into(),
            title: self.known.title.to_owned(),
            owner: self.known.owner,
            severity: Severity::Medium,
            transient: self.known.transient,
            runbook: self.known.runbook.to_owned(),
            strength: self.strength(),
            precedence: self.rank,
            scope: Scope::default(),
            any: kept.map(pattern).collect(),
            none: Vec::new(),
            requires: Requires {
                exit_code: Vec::new(),
                failure_reason: self.reason.iter().map(|reason| reason.as_str().into()).collect(),
            },
            recovers: false,
            origin: origin(self.line),
        })
    }

    /// GitLab's reason was used only when no pattern matched.
    fn strength(&self) -> Strength {
        if self.reason.is_some() { Strength::Hint } else { Strength::Cause }
    }

    /// The logs of its examples, with the pattern that each is for.
    fn trials(&self) -> Vec<(Option<usize>, ExampleText)> {
        let example = |log: &str| ExampleText { log: log.to_owned(), failure_reason: self.reason.clone() };
        if self.reason.is_some() {
            return vec![(None, example("The log says nothing."))];
        }
        let kept = self.patterns.iter().enumerate().filter(|(_, entry)| entry.left_out.is_none());
        kept.map(|(at, entry)| (Some(at), example(&entry.log))).collect()
    }

    fn toml(&self) -> String {
        let any = self.patterns.iter().map(|entry| match &entry.left_out {
            Some(why) => AnyText::LeftOut { regex: entry.regex.clone(), why: why.clone() },
            None => AnyText::Regex { regex: entry.regex.clone(), slow: entry.slow },
        });
        let text = RuleText {
            id: self.id.clone(),
            class: (self.id != self.class).then(|| self.class.clone()),
            is_new_class: known(&self.class).is_none(),
            title: self.known.title.to_owned(),
            owner: self.known.owner.as_str(),
            severity: "medium",
            transient: self.known.transient.as_str(),
            runbook: self.known.runbook.to_owned(),
            strength: self.reason.as_ref().map(|_| "hint"),
            precedence: Some(self.rank),
            any: any.collect(),
            failure_reason: self.reason.clone(),
            examples: self.trials().into_iter().map(|(_, example)| example).collect(),
        };
        match &self.left_out {
            None => text.toml(),
            Some(why) => {
                let lines = text.toml();
                let lines = lines.lines().map(|line| format!("# {line}").trim_end().to_owned() + "\n");
                format!("# Left out: {why}.\n{}", lines.collect::<String>())
            }
        }
    }
}

impl Entry {
    fn of(python: &str, line: u32, lints: &mut Vec<Lint>) -> Self {
        let translated = match translate(python) {
            Ok(translated) => translated,
            Err(reason) => return Self::left_out(python, line, reason, lints),
        };
        if translated.anchored {
            let what = format!("`{}`: here `^`, `\\A` and `\\Z` are the ends of a line, not of the log", shown(python));
            lints.push(said(line, LintKind::Widened, what, "check that the line alone tells the cause"));
        }
        let regex = translated.regex;
        let Cost { slow, weight } = match check(&regex) {
            Ok(cost) => cost,
            Err(Refused { what, .. }) => return Self::left_out(python, line, format!("it {what}"), lints),
        };
        if slow {
            let what = format!("`{}`: its matches have no text in common, so each line is tried", shown(python));
            lints.push(said(line, LintKind::Slow, what, "add text that every such line holds"));
        }
        let Some(log) = sample(&regex) else {
            return Self::left_out(python, line, "no line was found that it matches".to_owned(), lints);
        };
        Self { regex, line, slow, weight, log, left_out: None }
    }

    fn left_out(python: &str, line: u32, why: String, lints: &mut Vec<Lint>) -> Self {
        let what = format!("`{}` is left out: {why}", shown(python));
        lints.push(said(line, LintKind::LeftOut, what, "write it anew"));
        Self { regex: python.to_owned(), line, slow: false, weight: 0, log: String::new(), left_out: Some(why) }
    }
}

/// Leaves out patterns whose own example goes to another rule, until every example is won.
fn drop_losers(drafts: &mut [Draft], lints: &mut Vec<Lint>) -> Result<(), ImportFault> {
    for _ in 0..MOST_ROUNDS {
        let set = RuleSet { rules: drafts.iter().filter_map(Draft::rule).collect(), ..RuleSet::default() };
        let compiled = Compiled::of(&set).map_err(|error| {
            ImportFault::new(error.origin.line, error.to_string(), "mend the pattern, then import again")
        })?;
        let compiled = Arc::new(compiled);
        let lines: BTreeMap<Arc<str>, u32> = set.rules.iter().map(|r| (Arc::clone(&r.id), r.origin.line)).collect();
        let mut lost = false;
        for draft in drafts.iter_mut().filter(|draft| draft.left_out.is_none()) {
            for (at, example) in draft.trials() {
                let facts = JobFacts {
                    status: Some(Status::Failed),
                    failure_reason: example.failure_reason.as_deref().map(FailureReason::new),
                    ..JobFacts::default()
                };
                let winner = match classify(&compiled, example.log.as_bytes(), &facts).cause {
                    Cause::Known { rule, .. } if *rule == *draft.id => continue,
                    Cause::Known { rule, .. } => Some(rule),
                    Cause::None | Cause::Unknown => None,
                };
                lost = true;
                let why = winner.as_ref().map_or_else(
                    || "it does not match its own example".to_owned(),
                    |winner| {
                        let line = lines.get(winner).copied().unwrap_or_default();
                        format!("rule `{winner}` ({FILE}:{line}) wins its example")
                    },
                );
                draft.lose(at, why, winner.is_some(), lints);
            }
            draft.settle(lints);
        }
        if !lost {
            return Ok(());
        }
    }
    Err(ImportFault::new(1, "the examples go to other rules again and again", "take out classes, then import again"))
}

impl Draft {
    fn lose(&mut self, at: Option<usize>, why: String, shadowed: bool, lints: &mut Vec<Lint>) {
        let kind = if shadowed { LintKind::Shadowed } else { LintKind::LeftOut };
        let Some(entry) = at.and_then(|at| self.patterns.get_mut(at)) else {
            lints.push(said(self.line, kind, format!("the rule `{}` is left out: {why}", self.id), "write it anew"));
            self.left_out = Some(why);
            return;
        };
        let what = format!("`{}` is left out: {why}", shown(&entry.regex));
        let example = format!("the example is `{}`; narrow the other rule, or change the order", shown(&entry.log));
        lints.push(said(entry.line, kind, what, example));
        entry.left_out = Some(why);
    }
}

fn written(taxonomy: &Taxonomy, drafts: &[Draft]) -> String {
    let version =
        taxonomy.version.as_deref().map_or_else(String::new, |version| format!(", version {}", shown(version)));
    let kept = drafts.iter().filter(|draft| draft.left_out.is_none()).count();
    let mut toml = format!(
        "# Imported from {FILE}{version}: {kept} of {} classes. Examples are made from the patterns.\n\
         # They judge alone: their order means nothing among other rules.\n\nformat = 1\noff = [\"*\"]\n",
        taxonomy.classes.len()
    );
    for draft in drafts {
        toml.push('\n');
        toml.push_str(&draft.toml());
    }
    toml
}
