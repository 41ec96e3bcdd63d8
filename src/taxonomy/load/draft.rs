//! A rule from lines that somebody picked: their common text, and the narrowest patterns for what differs.

use serde::{Deserialize, Serialize};

use regex::bytes::Regex;
use toml::de::DeTable;

use super::align::{Part, align, words};
use super::fault::RuleFault;
use super::pattern::{LARGEST, check};
use super::rule::is_id;
use super::source::{Source, Text};
use super::write::{AnyText, ExampleText, RuleText};
use crate::ci::log::plain_into;
use crate::taxonomy::Origin;
use crate::taxonomy::classes::{STRANGER, known_as};

/// Most lines that are looked at, and most that become examples.
const MOST_LINES: usize = 64;
const MOST_EXAMPLES: usize = 8;
/// Longest stretch of a line.
const LONGEST: usize = 400;
/// Where lines have nothing in common, each is an alternative of its own.
const MOST_ALTERNATIVES: usize = 16;
const LONGEST_ALTERNATIVE: usize = 120;

/// A rule that somebody still has to name and own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Draft {
    /// Matches every line that was picked.
    pub pattern: String,
    /// A suggestion, made of the lines' first words.
    pub id: String,
    /// The rule as it is saved.
    pub toml: String,
    rule: Template,
}

/// What of a draft does not depend on its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Template {
    title: String,
    slow: bool,
    logs: Vec<String>,
}

/// Makes a rule of up to 64 picked lines. `None`: there is no text in them.
pub fn draft(lines: &[&str]) -> Option<Draft> {
    let mut shown: Vec<String> = lines.iter().take(MOST_LINES).map(|line| as_shown(line)).collect();
    shown.retain(|line| !line.is_empty());
    let mut picked: Vec<&str> = Vec::new();
    for line in &shown {
        if !picked.contains(&line.as_str()) {
            picked.push(line);
        }
    }
    let parts = match picked.as_slice() {
        [] => return None,
        [one] => generalised(one),
        many => align(many),
    };
    let made = regex_of(&parts);
    let fits = |regex: &str| {
        let cost = check(regex).ok()?;
        let regex = Regex::new(regex).ok()?;
        picked.iter().all(|line| regex.is_match(line.as_bytes())).then_some(cost.slow)
    };
    let (pattern, slow) = match fits(&made) {
        Some(false) => (made, false),
        _ => {
            let apart = alternatives(&picked);
            let slow = fits(&apart)?;
            (apart, slow)
        }
    };
    let id = id(&parts, &picked);
    let logs = picked.iter().take(MOST_EXAMPLES).map(|&line| line.to_owned()).collect();
    let rule = Template { title: title(&parts, &picked), slow, logs };
    Some(Draft { toml: toml(&id, &pattern, &rule), id, pattern, rule })
}

impl Draft {
    /// The same with another pattern and another id, which names the class as well. The error says what is wrong, to whoever types.
    pub fn with(&self, pattern: &str, id: &str) -> Result<Self, String> {
        let cost = check(pattern).map_err(|refused| format!("{}; {}", refused.what, refused.remedy))?;
        let regex =
            Regex::new(pattern).map_err(|error| error.to_string().lines().last().unwrap_or_default().to_owned())?;
        if let Some(line) = self.rule.logs.iter().find(|line| !regex.is_match(line.as_bytes())) {
            return Err(format!("it no longer matches the picked line `{}`", cut(line, 60)));
        }
        if !is_id(id) {
            return Err(format!(
                "`{id}` is no id; use small letters, digits, `_` and `-`, parts joined by single dots"
            ));
        }
        let rule = Template { slow: cost.slow, ..self.rule.clone() };
        Ok(Self { toml: toml(id, pattern, &rule), id: id.to_owned(), pattern: pattern.to_owned(), rule })
    }
}

/// Adds a draft to a file. What is there stays as it is, byte for byte; an id that is taken gets a number.
pub fn append(file: Source<'_>, draft: &Draft) -> Result<String, RuleFault> {
    let refuse = |line: u32, what: String, remedy: &str| RuleFault {
        at: Origin { file: file.name.into(), line },
        what,
        remedy: remedy.to_owned(),
    };
    let text = Text::of(file);
    let document = DeTable::parse(text.as_str()).map_err(|error| {
        let line = text.origin(error.span().map_or(0, |span| span.start)).line;
        let what = format!("this is no TOML: {}", error.message().trim_end().replace('\n', ", "));
        refuse(line, what, "mend the syntax, then save the rule again")
    })?;
    let rules = document.get_ref().get("rule").and_then(|rules| rules.get_ref().as_array());
    let id_of = |rule: &toml::Spanned<toml::de::DeValue<'_>>| {
        rule.get_ref().as_table()?.get("id")?.get_ref().as_str().map(str::to_owned)
    };
    let taken: Vec<String> = rules.into_iter().flatten().filter_map(id_of).collect();
    let numbered = (2..).map(|n| format!("{}-{n}", draft.id));
    let id = std::iter::once(draft.id.clone()).chain(numbered).find(|id| !taken.contains(id)).unwrap_or_default();
    let mut added = String::new();
    // `format` must stand before the first table.
    if !document.get_ref().contains_key("format") && document.get_ref().is_empty() {
        added.push_str("format = 1\n");
    }
    let gap = if text.as_str().is_empty() || text.as_str().ends_with("\n\n") {
        ""
    } else if text.as_str().ends_with('\n') {
        "\n"
    } else {
        "\n\n"
    };
    if !added.is_empty() {
        added.push('\n');
    }
    let added = format!("{gap}{added}{}", toml(&id, &draft.pattern, &draft.rule));
    let added = if file.text.contains("\r\n") { added.replace('\n', "\r\n") } else { added };
    let whole = format!("{}{added}", file.text);
    match DeTable::parse(&whole) {
        Ok(_) => Ok(whole),
        Err(error) => {
            let line = text.origin(text.as_str().len()).line;
            let what = format!("a rule cannot be added at the end of this file: {}", error.message().trim_end());
            Err(refuse(line, what.replace('\n', ", "), "write its rules as [[rule]] tables, then save the rule again"))
        }
    }
}

/// What rules see of a line.
fn as_shown(line: &str) -> String {
    let mut plain = Vec::new();
    plain_into(line.lines().next().unwrap_or_default().as_bytes(), &mut plain);
    cut(&String::from_utf8_lossy(&plain), LONGEST).trim().to_owned()
}

fn toml(id: &str, pattern: &str, rule: &Template) -> String {
    let examples = rule.logs.iter().map(|log| ExampleText { log: log.clone(), failure_reason: None }).collect();
    // What a class already says of its failures holds for one more wording of it.
    let class = id.split('.').next().unwrap_or_default();
    let known = known_as(class);
    let of = known.unwrap_or(&STRANGER);
    let text = RuleText {
        id: id.to_owned(),
        class: known.filter(|known| known.class != class).map(|known| known.class.to_owned()),
        is_new_class: known.is_none(),
        title: rule.title.clone(),
        owner: of.owner.as_str(),
        severity: "medium",
        transient: of.transient.as_str(),
        runbook: of.runbook.to_owned(),
        strength: None,
        precedence: None,
        any: vec![AnyText::Regex { regex: pattern.to_owned(), slow: rule.slow }],
        failure_reason: None,
        examples,
    };
    text.toml()
}

fn regex_of(parts: &[Part]) -> String {
    let last = parts.len().saturating_sub(1);
    let mut regex = String::new();
    for (at, part) in parts.iter().enumerate() {
        match part {
            Part::Text(text) => regex.push_str(&regex::escape(text)),
            Part::Gap(texts) => {
                let narrowest = narrowest(texts);
                // At an end it would say nothing.
                if narrowest != ".*?" || (at > 0 && at < last) {
                    regex.push_str(narrowest);
                }
            }
        }
    }
    regex
}

/// The narrowest pattern of four that matches all texts.
fn narrowest(texts: &[String]) -> &'static str {
    let all = |fits: fn(char) -> bool| texts.iter().all(|text| !text.is_empty() && text.chars().all(fits));
    let digit = |text: &String| text.bytes().any(|byte| byte.is_ascii_digit());
    if all(|c| c.is_ascii_digit()) {
        r"\d+"
    } else if all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c)) && texts.iter().any(digit) {
        "[0-9a-f]+"
    } else if all(|c| !c.is_whitespace()) {
        r"\S+"
    } else {
        ".*?"
    }
}

/// One line alone: what is a number of a job, a digest or a hash would never come again.
fn generalised(line: &str) -> Vec<Part> {
    let varies = |word: &str| {
        let digits = word.bytes().filter(u8::is_ascii_digit).count();
        let hex = word.bytes().all(|b| b.is_ascii_digit() || (b'a'..=b'f').contains(&b));
        let base32 = word.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b));
        (digits == word.len() && digits >= 4)
            || (digits > 0 && ((hex && word.len() >= 8) || (base32 && word.len() == 32)))
    };
    let part = |word: &str| if varies(word) { Part::Gap(vec![word.to_owned()]) } else { Part::Text(word.to_owned()) };
    words(line).into_iter().map(part).collect()
}

fn alternatives(lines: &[&str]) -> String {
    let cut = lines.iter().take(MOST_ALTERNATIVES).map(|line| regex::escape(cut(line, LONGEST_ALTERNATIVE).trim()));
    let all: Vec<String> = cut.collect();
    match all.as_slice() {
        [one] => one.clone(),
        many => format!("(?:{})", many.join("|")),
    }
}

/// The first words of what is common, as an id of the class `local`.
fn id(parts: &[Part], lines: &[&str]) -> String {
    let mut slug: Vec<String> = Vec::new();
    let common = parts.iter().filter_map(|part| match part {
        Part::Text(text) => Some(text.as_str()),
        Part::Gap(_) => None,
    });
    for text in common.chain(lines.first().copied()) {
        let letters = |word: &&str| word.len() > 1 && word.bytes().all(|byte| byte.is_ascii_alphabetic());
        slug.extend(words(text).into_iter().filter(letters).map(str::to_ascii_lowercase));
        if slug.len() >= 4 {
            break;
        }
    }
    slug.dedup();
    slug.truncate(4);
    let id = format!("local.{}", cut(&slug.join("_"), 40));
    if is_id(&id) { id } else { "local.draft".to_owned() }
}

fn title(parts: &[Part], lines: &[&str]) -> String {
    let text: String = parts
        .iter()
        .map(|part| match part {
            Part::Text(text) => text.as_str(),
            Part::Gap(_) => "…",
        })
        .collect();
    let plain = |text: &str| -> String { text.chars().filter(|c| !c.is_control()).take(80).collect() };
    let telling = |title: &String| title.chars().filter(|c| c.is_alphabetic()).count() > 3;
    let title = Some(plain(&text)).filter(telling).or_else(|| lines.first().map(|line| plain(line)));
    title
        .map(|title| title.trim().to_owned())
        .filter(|title| !title.is_empty())
        .unwrap_or_else(|| "A failure".to_owned())
}

/// At most so many bytes, in whole characters.
fn cut(text: &str, most: usize) -> &str {
    text.get(..text.floor_char_boundary(most)).unwrap_or(text)
}

const _: () = assert!(MOST_ALTERNATIVES * (2 * LONGEST_ALTERNATIVE + 1) + 4 <= LARGEST);
