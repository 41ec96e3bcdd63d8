//! Takes one line of an exposition apart, and writes a sample so that `prometheus-parse` reads it exactly.
//!
//! That crate splits labels at every comma and `=`, ends them at the first `}`, keeps escapes, wants at least one label between braces, knows no
//! `:` in names, takes the seconds of OpenMetrics for milliseconds, and passes over what it does not understand. So every line is read here
//! first, by the grammar of the text format, and given to it in words in which none of that can go wrong; [`plain_name`] and [`plain_value`]
//! take the disguise off again.

use std::fmt::Write as _;

/// Stands for `:`; it is a letter to the crate and no letter of any metric.
const COLON: char = 'ː';

/// One line.
#[derive(Debug, PartialEq)]
pub(super) enum Line<'t> {
    Help {
        name: &'t str,
        text: String,
    },
    Type {
        name: &'t str,
        word: &'t str,
    },
    Sample(Sample<'t>),
    /// `# EOF` of OpenMetrics.
    End,
    Nothing,
}

/// Names and values of labels.
type Pairs<'t> = Vec<(&'t str, String)>;

/// A sample as it is written.
#[derive(Debug, PartialEq)]
pub(super) struct Sample<'t> {
    pub name: &'t str,
    /// In the order of the line.
    pub labels: Pairs<'t>,
    pub value: &'t str,
    pub at: Option<&'t str>,
}

impl<'t> Line<'t> {
    /// Reads a line; what is wrong with it is a fragment.
    pub fn parse(text: &'t str) -> Result<Self, String> {
        let text = text.trim();
        if text.is_empty() {
            return Ok(Self::Nothing);
        }
        let Some(comment) = text.strip_prefix('#') else { return Sample::parse(text).map(Self::Sample) };
        let (word, rest) = word(comment.trim_start());
        match word {
            "HELP" | "TYPE" => {
                let (name, rest) = self::word(rest);
                let after_name = if is_name(name) { "" } else { name };
                if !after_name.is_empty() || name.is_empty() {
                    return Err(format!("{word} of something that is no metric name: `{name}`"));
                }
                Ok(match word {
                    "HELP" => Self::Help { name, text: unescaped(rest, false)? },
                    _ => Self::Type { name, word: rest.trim() },
                })
            }
            "EOF" if rest.is_empty() => Ok(Self::End),
            _ => Ok(Self::Nothing),
        }
    }
}

impl<'t> Sample<'t> {
    fn parse(text: &'t str) -> Result<Self, String> {
        let end = text.find(|c: char| c == '{' || c.is_ascii_whitespace()).unwrap_or(text.len());
        let (name, rest) = text.split_at_checked(end).unwrap_or((text, ""));
        if !is_name(name) {
            return Err(format!("`{name}` is no metric name"));
        }
        let rest = rest.trim_start();
        let (labels, rest) = match rest.strip_prefix('{') {
            Some(inside) => labels(inside)?,
            None => (Vec::new(), rest),
        };
        let (value, rest) = word(rest.trim_start());
        if value.is_empty() {
            return Err(format!("{name} has no value"));
        }
        // What follows ` # ` is an exemplar of OpenMetrics.
        let (at, rest) = if rest.starts_with('#') { ("", rest) } else { word(rest) };
        if !rest.is_empty() && !rest.starts_with('#') {
            return Err(format!("{name} has more than a value and a time: `{rest}`"));
        }
        Ok(Self { name, labels, value, at: Some(at).filter(|at| !at.is_empty()) })
    }

    /// The value of a label.
    pub fn label(&self, name: &str) -> Option<&str> {
        self.labels.iter().find(|(other, _)| *other == name).map(|(_, value)| &**value)
    }

    /// The line as the crate reads it rightly; `millis` is the time.
    pub fn disguised(&self, millis: Option<i64>) -> String {
        let mut line = disguised_name(self.name);
        for (i, (name, value)) in self.labels.iter().enumerate() {
            line.push(if i == 0 { '{' } else { ',' });
            line.push_str(name);
            line.push_str("=\"");
            for c in value.chars() {
                match c {
                    '%' | ',' | '=' | '{' | '}' | '"' | '\n' => {
                        // Writing to a string cannot fail.
                        let _ = write!(line, "%{:02x}", u32::from(c));
                    }
                    _ => line.push(c),
                }
            }
            line.push('"');
        }
        line.push_str(if self.labels.is_empty() { " " } else { "} " });
        line.push_str(self.value);
        if let Some(millis) = millis {
            let _ = write!(line, " {millis}");
        }
        line
    }
}

/// A name as the crate reads it.
pub(super) fn disguised_name(name: &str) -> String {
    name.chars().map(|c| if c == ':' { COLON } else { c }).collect()
}

/// A name as it was.
pub(super) fn plain_name(name: &str) -> String {
    name.chars().map(|c| if c == COLON { ':' } else { c }).collect()
}

/// The value of a label as it was.
pub(super) fn plain_value(text: &str) -> String {
    let mut plain = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('%') {
        plain.push_str(before);
        let (code, behind) = after.split_at_checked(2).unwrap_or((after, ""));
        plain.extend(u8::from_str_radix(code, 16).ok().map(char::from));
        rest = behind;
    }
    plain + rest
}

/// The labels behind `{`, and what follows `}`.
fn labels(mut text: &str) -> Result<(Pairs<'_>, &str), String> {
    let mut labels = Pairs::new();
    loop {
        text = text.trim_start();
        if let Some(rest) = text.strip_prefix('}') {
            return Ok((labels, rest));
        }
        let (name, rest) = text.split_once('=').ok_or("the labels do not end")?;
        let name = name.trim();
        if !is_name(name) || name.contains(':') {
            return Err(format!("`{}` is no label name", super::super::web::cut(name)));
        }
        if labels.iter().any(|(other, _)| *other == name) {
            return Err(format!("the label {name} is given twice"));
        }
        let rest = rest.trim_start().strip_prefix('"').ok_or_else(|| format!("the value of {name} is not quoted"))?;
        let end = closing_quote(rest).ok_or_else(|| format!("the value of {name} does not end"))?;
        let (value, rest) = rest.split_at_checked(end).unwrap_or((rest, ""));
        labels.push((name, unescaped(value, true)?));
        text = rest.get(1..).unwrap_or_default().trim_start();
        match text.strip_prefix(',') {
            Some(rest) => text = rest,
            None if text.starts_with('}') => {}
            None => return Err(format!("neither `,` nor `}}` follows the value of {name}")),
        }
    }
}

fn closing_quote(text: &str) -> Option<usize> {
    let mut is_escaped = false;
    text.bytes().position(|byte| {
        let closes = byte == b'"' && !is_escaped;
        is_escaped = byte == b'\\' && !is_escaped;
        closes
    })
}

/// Takes the escapes out of a label's value, or out of help, where quotes have none.
fn unescaped(text: &str, is_value: bool) -> Result<String, String> {
    let mut plain = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\\' {
            plain.push(c);
            continue;
        }
        match chars.next() {
            Some('\\') => plain.push('\\'),
            Some('n') => plain.push('\n'),
            Some('"') if is_value => plain.push('"'),
            // Help of others is full of them, and nobody counts by it.
            Some(other) if !is_value => plain.extend(['\\', other]),
            None if !is_value => plain.push('\\'),
            other => return Err(format!("`\\{}` is no escape", other.map(String::from).unwrap_or_default())),
        }
    }
    Ok(plain)
}

/// The first word, and the rest without the space before it.
fn word(text: &str) -> (&str, &str) {
    match text.split_once(|c: char| c.is_ascii_whitespace()) {
        Some((word, rest)) => (word, rest.trim_start()),
        None => (text, ""),
    }
}

/// Says whether a text can name a metric.
pub(super) fn is_name(text: &str) -> bool {
    let is_letter = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':');
    text.starts_with(is_letter) && text.chars().all(|c| is_letter(c) || c.is_ascii_digit())
}
