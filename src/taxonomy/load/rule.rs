//! One `[[rule]]`: every key read, every word known, every number in its range.

use std::sync::Arc;

use super::fault::Faults;
use super::nearest::{meant, nearest};
use super::pattern;
use super::table::{Table, shown};
use crate::ci::{FailureReason, Status};
use crate::taxonomy::classes::{known, names};
use crate::taxonomy::{JobFacts, Origin, Owner, Pattern, Requires, Rule, Scope, Severity, Strength, Transient};

/// Most patterns of one rule.
pub const MOST_PATTERNS: usize = 64;
const MOST_EXAMPLES: usize = 64;
const LARGEST_EXAMPLE: usize = 64 * 1024;
const LONGEST_NAME: usize = 64;
const LONGEST_LINE: usize = 400;
const KEYS: &[&str] = &[
    "id",
    "class",
    "new_class",
    "title",
    "owner",
    "severity",
    "transient",
    "runbook",
    "strength",
    "precedence",
    "recovers",
    "scope",
    "any",
    "none",
    "requires",
    "example",
];

/// A log that a rule must win, or must not touch.
pub(super) struct Example {
    pub log: String,
    pub matches: bool,
    pub facts: JobFacts,
    pub at: Origin,
}

/// A rule as one file has it.
pub(super) struct ReadRule {
    pub rule: Rule,
    pub examples: Vec<Example>,
    /// Of all its patterns, in states.
    pub weight: usize,
}

/// Reads one rule. `None`: what it matches cannot be told.
pub(super) fn read(table: &Table<'_>, faults: &mut Faults) -> Option<ReadRule> {
    let hard = faults.hard_count();
    table.only(KEYS, faults);
    let id = id(table, faults);
    let class = class(table, id, faults);
    let owner = word(table, "owner", OWNERS, true, faults).unwrap_or_default();
    let severity = word(table, "severity", SEVERITIES, true, faults).unwrap_or(Severity::Medium);
    let transient = word(table, "transient", TRANSIENTS, true, faults).unwrap_or_default();
    let title = line(table, "title", "add title = \"…\", a few words for lists", faults);
    let runbook = line(table, "runbook", "add runbook = \"…\", one line that says what to do", faults);
    let strength = strength(table, faults);
    let precedence = table.whole("precedence", 0..=1000, faults).unwrap_or(500);
    let recovers = table.flag("recovers", faults).unwrap_or(false);
    let scope = scope(table, faults);
    let requires = requires(table, faults);
    let ((any, left), (none, right)) = (patterns(table, "any", faults), patterns(table, "none", faults));
    shape(table, faults);
    let examples = examples(table, faults);
    let (Some(id), Some(class)) = (id, class) else { return None };
    let rule = Rule {
        id: id.into(),
        class,
        title,
        owner,
        severity,
        transient,
        runbook,
        strength,
        precedence: u16::try_from(precedence).unwrap_or(500),
        scope,
        any,
        none,
        requires,
        recovers,
        origin: table.at.clone(),
    };
    (faults.hard_count() == hard).then_some(ReadRule { rule, examples, weight: left.saturating_add(right) })
}

/// The id of a rule as far as it can be read, for messages.
pub(super) fn name(table: &Table<'_>, number: usize) -> String {
    let id = table.text("id", &mut Faults::default()).filter(|(id, _)| is_id(id));
    id.map_or_else(|| format!("rule {number}"), |(id, _)| format!("rule `{id}`"))
}

/// Small letters, digits, `_`, `-`, and single dots between them.
pub(super) fn is_id(text: &str) -> bool {
    let part = |part: &str| {
        !part.is_empty()
            && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-'))
    };
    text.len() <= LONGEST_NAME && text.split('.').all(part)
}

pub fn is_class(text: &str) -> bool {
    let fits = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-');
    !text.is_empty() && text.len() <= LONGEST_NAME && text.bytes().all(fits)
}

fn id<'a>(table: &Table<'a>, faults: &mut Faults) -> Option<&'a str> {
    if !table.has("id") {
        faults.hard(&table.at, format!("{} has no `id`", table.of), "add id = \"class\" or id = \"class.kind\"");
    }
    let (id, at) = table.text("id", faults)?;
    if is_id(id) {
        return Some(id);
    }
    let small = id.to_ascii_lowercase();
    let remedy = if is_id(&small) {
        let class = id.split('.').next().unwrap_or_default();
        format!("write id = \"{small}\", and class = \"{class}\" if the class has capitals")
    } else {
        "use small letters, digits, `_` and `-`, parts joined by single dots, 64 characters at most".to_owned()
    };
    faults.hard(&at, format!("`{}` is no id", shown(id)), remedy);
    None
}

fn class(table: &Table<'_>, id: Option<&str>, faults: &mut Faults) -> Option<Arc<str>> {
    let written = table.text("class", faults);
    let class = written.as_ref().map_or_else(|| id?.split('.').next(), |(class, _)| Some(*class))?;
    let at = written.as_ref().map_or(&table.at, |(_, at)| at);
    if class == "unknown" {
        faults.soft(at, "the class `unknown` is for failures that no rule knows", "name another class");
    } else if !is_class(class) {
        let remedy = "use letters, digits, `_` and `-`, 64 characters at most";
        faults.soft(at, format!("`{}` is no class", shown(class)), remedy);
    } else if !table.flag("new_class", faults).unwrap_or(false) && known(class).is_none() {
        let own = "if it is one of your own, say new_class = true";
        let remedy = match nearest(class, names()) {
            Some(near) => format!("did you mean `{near}`? {own}"),
            None => format!("take one of Spack's (`stackhand rules list` shows them); {own}"),
        };
        faults.soft(at, format!("there is no class `{class}`"), remedy);
    }
    Some(class.into())
}

const OWNERS: &[(&str, Owner)] = &[
    ("infrastructure", Owner::Infrastructure),
    ("package", Owner::Package),
    ("upstream", Owner::Upstream),
    ("spack-core", Owner::SpackCore),
    ("unknown", Owner::Unknown),
];
const SEVERITIES: &[(&str, Severity)] =
    &[("low", Severity::Low), ("medium", Severity::Medium), ("high", Severity::High)];
const TRANSIENTS: &[(&str, Transient)] =
    &[("yes", Transient::Yes), ("no", Transient::No), ("maybe", Transient::Maybe), ("unknown", Transient::Unknown)];
const STRENGTHS: &[(&str, Strength)] = &[
    ("hint", Strength::Hint),
    ("symptom", Strength::Symptom),
    ("cause", Strength::Cause),
    ("decisive", Strength::Decisive),
];

/// A key whose value is one of a few words.
fn word<T: Copy>(table: &Table<'_>, key: &str, words: &[(&str, T)], needed: bool, faults: &mut Faults) -> Option<T> {
    let known: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let remedy = format!("add {key} = \"…\", one of: {}", known.join(", "));
    let (found, at) = if needed { table.needed_text(key, &remedy, faults) } else { table.text(key, faults) }?;
    let value = words.iter().find(|(word, _)| *word == found).map(|(_, value)| *value);
    if value.is_none() {
        faults.soft(&at, format!("`{}` is no {key}", shown(found)), meant(found, &known));
    }
    value
}

/// As [`word`], but rules cannot be judged without it.
fn strength(table: &Table<'_>, faults: &mut Faults) -> Strength {
    let mut soft = Faults::default();
    let strength = word(table, "strength", STRENGTHS, false, &mut soft);
    for fault in soft.into_vec(&[]) {
        faults.hard(&fault.at, fault.what, fault.remedy);
    }
    strength.unwrap_or(Strength::Cause)
}

fn line(table: &Table<'_>, key: &str, remedy: &str, faults: &mut Faults) -> String {
    let Some((text, at)) = table.needed_text(key, remedy, faults) else { return String::new() };
    let of = &table.of;
    if text.trim().is_empty() {
        faults.soft(&at, format!("`{key}` of {of} is empty"), remedy);
    } else if text.len() > LONGEST_LINE || text.chars().any(char::is_control) {
        faults.soft(
            &at,
            format!("`{key}` of {of} is no short line"),
            format!("write one line of {LONGEST_LINE} bytes at most"),
        );
    }
    text.to_owned()
}

fn scope(table: &Table<'_>, faults: &mut Faults) -> Scope {
    let Some(scope) = table.table("scope", format!("the scope of {}", table.of), faults) else {
        return Scope::default();
    };
    scope.only(&["tail_kb", "sections", "job_kinds"], faults);
    let names = |key: &str, faults: &mut Faults| {
        let texts = scope.texts(key, faults);
        for (_, at) in texts.iter().filter(|(name, _)| name.is_empty()) {
            faults.hard(at, format!("`{key}` of {} holds an empty name", scope.of), "remove it");
        }
        texts.into_iter().map(|(name, _)| name.into()).collect()
    };
    Scope {
        tail_kb: scope.whole("tail_kb", 1..=1_000_000, faults).and_then(|kb| u32::try_from(kb).ok()),
        sections: names("sections", faults),
        job_kinds: names("job_kinds", faults),
    }
}

fn requires(table: &Table<'_>, faults: &mut Faults) -> Requires {
    let Some(requires) = table.table("requires", format!("`requires` of {}", table.of), faults) else {
        return Requires::default();
    };
    requires.only(&["exit_code", "failure_reason"], faults);
    let mut exit_code = Vec::new();
    for item in requires.list("exit_code", faults) {
        let number = item.get_ref().as_integer().and_then(|n| i32::from_str_radix(n.as_str(), n.radix()).ok());
        match number {
            Some(code) => exit_code.push(code),
            None => faults.hard(
                &requires.place(item),
                format!("`exit_code` of {} holds no exit code", requires.of),
                "write whole numbers",
            ),
        }
    }
    let failure_reason = requires.texts("failure_reason", faults).into_iter().map(|(word, _)| word.into()).collect();
    Requires { exit_code, failure_reason }
}

fn patterns(table: &Table<'_>, key: &str, faults: &mut Faults) -> (Vec<Pattern>, usize) {
    let items = table.list(key, faults);
    if items.len() > MOST_PATTERNS {
        let what = format!("`{key}` of {} has {} patterns, {MOST_PATTERNS} are allowed", table.of, items.len());
        faults.hard(&table.place_of(key), what, "split the rule");
    }
    let read = items.iter().take(MOST_PATTERNS).filter_map(|item| pattern::read(item, key, table, faults));
    read.fold((Vec::new(), 0), |(mut all, weight), (pattern, more)| {
        all.push(pattern);
        (all, weight + more)
    })
}

/// What a rule must have to match anything.
fn shape(table: &Table<'_>, faults: &mut Faults) {
    let some = |key: &str| !table.list(key, &mut Faults::default()).is_empty();
    let requires = table.table("requires", "", &mut Faults::default());
    let mut asks = ["exit_code", "failure_reason"].into_iter();
    let facts = asks.any(|key| requires.as_ref().is_some_and(|r| !r.list(key, &mut Faults::default()).is_empty()));
    if !some("any") && !facts {
        let remedy = "add any = [ … ], or requires = { … } for a rule that goes by facts";
        faults.hard(&table.at, format!("{} has neither `any` nor `requires`", table.of), remedy);
    } else if !some("any") && some("none") {
        let what = format!("{} has `none` without `any`", table.of);
        faults.hard(&table.place_of("none"), what, "add the patterns that it takes away from, or remove it");
    }
}

fn examples(table: &Table<'_>, faults: &mut Faults) -> Vec<Example> {
    let mut tables = table.tables("example", format!("an example of {}", table.of), faults);
    if tables.len() > MOST_EXAMPLES {
        let what = format!("{} has {} examples, {MOST_EXAMPLES} are allowed", table.of, tables.len());
        faults.soft(&table.place_of("example"), what, "keep those that differ");
        tables.truncate(MOST_EXAMPLES);
    }
    let examples: Vec<Example> = tables.iter().filter_map(|table| example(table, faults)).collect();
    if !examples.iter().any(|example| example.matches) && examples.len() == tables.len() {
        let remedy = "add [[rule.example]] with log = \"\"\"…\"\"\" and match = true";
        faults.soft(&table.at, format!("{} has no example that it matches", table.of), remedy);
    }
    examples
}

fn example(table: &Table<'_>, faults: &mut Faults) -> Option<Example> {
    table.only(&["log", "match", "exit_code", "failure_reason", "job_kind"], faults);
    let log = table.needed_text("log", "add log = \"\"\"…\"\"\"", faults);
    let exit_code = table.whole("exit_code", i32::MIN.into()..=i32::MAX.into(), faults);
    let facts = JobFacts {
        status: Some(Status::Failed),
        failure_reason: table.text("failure_reason", faults).map(|(word, _)| FailureReason::new(word)),
        exit_code: exit_code.and_then(|code| i32::try_from(code).ok()),
        job_kind: table.text("job_kind", faults).map(|(kind, _)| kind.into()),
    };
    let matches = table.flag("match", faults).unwrap_or(true);
    let (log, at) = log?;
    if log.len() > LARGEST_EXAMPLE {
        let what = format!("the log of {} has {} bytes, {LARGEST_EXAMPLE} are allowed", table.of, log.len());
        faults.soft(&at, what, "keep the lines that matter");
        return None;
    }
    Some(Example { log: log.to_owned(), matches, facts, at: table.at.clone() })
}
