//! Rules as TOML text, for what writes rules: drafts and the importer.

use std::fmt::Write;

/// One item of `any`.
pub enum AnyText {
    Regex {
        regex: String,
        slow: bool,
    },
    /// Left out, as a comment.
    LeftOut {
        regex: String,
        why: String,
    },
}

/// One example that the rule must win.
pub struct ExampleText {
    pub log: String,
    pub failure_reason: Option<String>,
}

/// One rule, ready to be written.
pub struct RuleText {
    pub id: String,
    /// `None`: the id's first part.
    pub class: Option<String>,
    /// The class is none of those that production has.
    pub is_new_class: bool,
    pub title: String,
    pub owner: &'static str,
    pub severity: &'static str,
    pub transient: &'static str,
    pub runbook: String,
    pub strength: Option<&'static str>,
    pub precedence: Option<u16>,
    pub any: Vec<AnyText>,
    pub failure_reason: Option<String>,
    pub examples: Vec<ExampleText>,
}

impl RuleText {
    /// The rule's lines, without an empty one around them.
    pub fn toml(&self) -> String {
        let mut lines = vec!["[[rule]]".to_owned(), format!("id = {}", quote(&self.id))];
        let mut line = |key: &str, value: String| lines.push(format!("{key} = {value}"));
        if let Some(class) = &self.class {
            line("class", quote(class));
        }
        if self.is_new_class {
            line("new_class", "true".to_owned());
        }
        line("title", quote(&self.title));
        line("owner", quote(self.owner));
        line("severity", quote(self.severity));
        line("transient", quote(self.transient));
        line("runbook", quote(&self.runbook));
        if let Some(strength) = self.strength {
            line("strength", quote(strength));
        }
        if let Some(precedence) = self.precedence {
            line("precedence", precedence.to_string());
        }
        if let Some(reason) = &self.failure_reason {
            line("requires", format!("{{ failure_reason = [{}] }}", quote(reason)));
        }
        if !self.any.is_empty() {
            lines.push("any = [".to_owned());
            lines.extend(self.any.iter().map(AnyText::line));
            lines.push("]".to_owned());
        }
        for example in &self.examples {
            lines.push("[[rule.example]]".to_owned());
            lines.push(format!("log = {}", quote(&example.log)));
            lines.extend(example.failure_reason.iter().map(|reason| format!("failure_reason = {}", quote(reason))));
            lines.push("match = true".to_owned());
        }
        lines.join("\n") + "\n"
    }
}

impl AnyText {
    fn line(&self) -> String {
        match self {
            Self::Regex { regex, slow: false } => format!("    {{ regex = {} }},", pattern(regex)),
            Self::Regex { regex, slow: true } => format!("    {{ regex = {}, slow = true }},", pattern(regex)),
            Self::LeftOut { regex, why } => {
                let why: String = why.chars().filter(|c| !c.is_control()).collect();
                format!("    # left out, {why}: {}", pattern(regex))
            }
        }
    }
}

/// A pattern in single quotes where that is possible, so that backslashes stand as they are.
fn pattern(regex: &str) -> String {
    let plain = !regex.chars().any(char::is_control);
    if plain && !regex.contains('\'') {
        format!("'{regex}'")
    } else if plain && !regex.contains("''") && !regex.starts_with('\'') && !regex.ends_with('\'') {
        format!("'''{regex}'''")
    } else {
        quote(regex)
    }
}

/// A text in double quotes.
pub fn quote(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() => {
                // Writing to a text cannot fail.
                let _ = write!(out, "\\u{:04X}", u32::from(c));
            }
            c => out.push(c),
        }
    }
    out.push('"');
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_quoted_reads_back(text in "([\\x00-\\x7f]|'|\"|é|\u{85}|\u{7f}){0,12}") {
            for quoted in [quote(&text), pattern(&text)] {
                let read: toml::Table = toml::from_str(&format!("a = {quoted}")).unwrap();
                prop_assert_eq!(read["a"].as_str(), Some(text.as_str()));
            }
        }
    }
}
