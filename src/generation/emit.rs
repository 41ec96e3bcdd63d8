//! Writes a document: YAML with anchors for what repeats, or JSON, which is YAML as well.
//!
//! GitLab limits the size of the file, and thousands of jobs share their scripts: every list or map that occurs twice is written once. What a
//! reader of YAML could take for anything but text is quoted.

mod size;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::convert::Infallible;
use std::fmt::Write;
use std::hash::{BuildHasher, Hash, Hasher};

use foldhash::fast::RandomState;

use super::document::Document;
use crate::spack::yaml::{Key, Value};

/// How a document is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Form {
    /// YAML with anchors.
    #[default]
    Yaml,
    Json,
}

impl Document {
    /// The text of the file.
    pub fn text(&self, form: Form) -> String {
        let mut text = String::new();
        let Ok(()) = self.write::<Infallible>(form, |piece| {
            text.push_str(piece);
            Ok(())
        });
        text
    }

    /// The bytes of the file.
    pub fn size(&self, form: Form) -> usize {
        let mut size = 0;
        let Ok(()) = self.write::<Infallible>(form, |piece| {
            size += piece.len();
            Ok(())
        });
        size
    }

    /// Hands the text over piece by piece, in YAML a job at a time, and stops at the first failure.
    pub fn write<E>(&self, form: Form, take: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
        match form {
            Form::Yaml => yaml(self, take),
            Form::Json => json(self, take),
        }
    }
}

fn yaml<E>(document: &Document, mut take: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut census = Census::default();
    let mut entries: Vec<(&str, Entry<'_>)> =
        document.jobs.iter().map(|(name, job)| (&**name, Entry::Job(job))).collect();
    entries.extend(document.globals.iter().map(|(name, value)| (&**name, Entry::Global(value))));
    entries.sort_unstable_by_key(|(name, _)| *name);
    for (_, entry) in &entries {
        match entry {
            Entry::Job(job) => job.values().for_each(|value| census.count(value)),
            Entry::Global(value) => census.count(value),
        }
    }
    let mut writer = Writer { census, out: String::new(), numbers: HashMap::default() };
    for (name, entry) in entries {
        write_scalar(&mut writer.out, name);
        match entry {
            Entry::Job(job) => {
                writer.out.push_str(":\n");
                for (key, value) in job {
                    writer.out.push_str("  ");
                    write_scalar(&mut writer.out, key);
                    writer.out.push(':');
                    writer.value(value, 2);
                }
            }
            Entry::Global(value) => {
                writer.out.push(':');
                writer.value(value, 0);
            }
        }
        take(&writer.out)?;
        writer.out.clear();
    }
    Ok(())
}

enum Entry<'a> {
    Job(&'a super::document::Job),
    Global(&'a Value),
}

/// A list or map, known by what it holds.
#[derive(Clone, Copy)]
struct Shape<'a>(&'a Value, u64);

impl PartialEq for Shape<'_> {
    fn eq(&self, other: &Self) -> bool {
        self.1 == other.1 && (std::ptr::eq(self.0, other.0) || self.0 == other.0)
    }
}

impl Eq for Shape<'_> {}

impl Hash for Shape<'_> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.1.hash(state);
    }
}

/// How often every list and map occurs. What is inside of a repeated one counts once: the rest are aliases.
#[derive(Default)]
struct Census<'a> {
    uses: HashMap<Shape<'a>, u32, RandomState>,
    /// Fingerprints by address, so that shared values are hashed once.
    prints: HashMap<*const Value, u64, RandomState>,
    state: RandomState,
}

impl<'a> Census<'a> {
    fn count(&mut self, value: &'a Value) {
        let Some(shape) = self.shape(value) else { return };
        let uses = self.uses.entry(shape).or_default();
        *uses += 1;
        if *uses == 1 {
            match value {
                Value::List(items) => items.iter().for_each(|item| self.count(item)),
                Value::Map(map) => map.iter().for_each(|(_, value)| self.count(value)),
                _ => {}
            }
        }
    }

    /// `None` for what is shorter than an alias.
    fn shape(&mut self, value: &'a Value) -> Option<Shape<'a>> {
        match value {
            Value::List(items) if !items.is_empty() => {}
            Value::Map(map) if !map.is_empty() => {}
            _ => return None,
        }
        Some(Shape(value, self.print(value)))
    }

    fn print(&mut self, value: &Value) -> u64 {
        if let Some(print) = self.prints.get(&std::ptr::from_ref(value)) {
            return *print;
        }
        let mut state = self.state.build_hasher();
        std::mem::discriminant(value).hash(&mut state);
        match value {
            Value::Null => {}
            Value::Bool(flag) => flag.hash(&mut state),
            Value::Int(number) => number.hash(&mut state),
            Value::Float(number) => number.to_bits().hash(&mut state),
            Value::Text(text) => text.hash(&mut state),
            Value::List(items) => items.iter().for_each(|item| self.print(item).hash(&mut state)),
            // Maps are equal in any order, so their fingerprint must not depend on it.
            Value::Map(map) => {
                let sum = map.iter().fold(0_u64, |sum, (key, value)| {
                    let mut entry = self.state.build_hasher();
                    key.name.hash(&mut entry);
                    self.print(value).hash(&mut entry);
                    sum.wrapping_add(entry.finish())
                });
                sum.hash(&mut state);
            }
        }
        let print = state.finish();
        if matches!(value, Value::List(_) | Value::Map(_)) {
            self.prints.insert(std::ptr::from_ref(value), print);
        }
        print
    }
}

struct Writer<'a> {
    census: Census<'a>,
    /// What has not been handed over.
    out: String,
    /// Numbers of the anchors that have been written.
    numbers: HashMap<Shape<'a>, usize, RandomState>,
}

impl<'a> Writer<'a> {
    /// Writes what follows a key or a dash, with its line break. `margin` is how far the key or the dash is indented.
    fn value(&mut self, value: &'a Value, margin: usize) {
        self.out.push(' ');
        if !self.mark(value) {
            return;
        }
        match value {
            Value::List(items) if !items.is_empty() => {
                self.end_of_head();
                for item in items {
                    self.margin(margin);
                    self.out.push('-');
                    // Keys stand below the first one, which stands behind the dash.
                    self.value(item, if matches!(item, Value::Map(_)) { margin } else { margin + 2 });
                }
            }
            Value::Map(map) if !map.is_empty() => {
                let mut is_behind_dash = self.out.ends_with("- ");
                if !is_behind_dash {
                    self.end_of_head();
                }
                let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
                entries.sort_unstable_by(|a, b| a.0.name.cmp(&b.0.name));
                for (key, value) in entries {
                    if !std::mem::take(&mut is_behind_dash) {
                        self.margin(margin + 2);
                    }
                    write_scalar(&mut self.out, &key.name);
                    self.out.push(':');
                    self.value(value, margin + 2);
                }
            }
            Value::List(_) => self.out.push_str("[]\n"),
            Value::Map(_) => self.out.push_str("{}\n"),
            scalar => {
                write_value(&mut self.out, scalar);
                self.out.push('\n');
            }
        }
    }

    /// Writes the anchor or the alias of a repeated value; `false` when the alias was all.
    fn mark(&mut self, value: &'a Value) -> bool {
        let Some(shape) = self.census.shape(value) else { return true };
        if self.census.uses.get(&shape).is_none_or(|uses| *uses < 2) {
            return true;
        }
        // Writing to a string cannot fail.
        if let Some(number) = self.numbers.get(&shape) {
            let _ = writeln!(self.out, "*a{number}");
            return false;
        }
        let number = self.numbers.len() + 1;
        self.numbers.insert(shape, number);
        let _ = write!(self.out, "&a{number} ");
        true
    }

    fn end_of_head(&mut self) {
        let kept = self.out.trim_end_matches(' ').len();
        self.out.truncate(kept);
        self.out.push('\n');
    }

    fn margin(&mut self, margin: usize) {
        const BLANKS: &str = "                                ";
        let mut left = margin;
        while let Some(blanks) = BLANKS.get(..left.min(BLANKS.len())).filter(|blanks| !blanks.is_empty()) {
            self.out.push_str(blanks);
            left -= blanks.len();
        }
    }
}

fn write_value(out: &mut String, value: &Value) {
    match value {
        Value::Null => out.push_str("null"),
        Value::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
        // Writing to a string cannot fail.
        Value::Int(number) => drop(write!(out, "{number}")),
        Value::Float(number) => write_float(out, *number),
        Value::Text(text) => write_scalar(out, text),
        Value::List(_) | Value::Map(_) => {}
    }
}

fn write_float(out: &mut String, number: f64) {
    if !number.is_finite() {
        out.push_str(if number.is_nan() {
            ".nan"
        } else if number > 0.0 {
            ".inf"
        } else {
            "-.inf"
        });
        return;
    }
    // YAML 1.1 wants a dot in the number and a sign in the exponent.
    let text = format!("{number:?}");
    match text.split_once('e') {
        Some((number, exponent)) => {
            let dot = if number.contains('.') { "" } else { ".0" };
            let sign = if exponent.starts_with('-') { "" } else { "+" };
            out.extend([number, dot, "e", sign, exponent]);
        }
        None => out.push_str(&text),
    }
}

/// Writes a text: bare where every reader of YAML, old or new, takes it for that text, and quoted otherwise.
fn write_scalar(out: &mut String, text: &str) {
    if is_plain(text) { out.push_str(text) } else { quoted(out, text) }
}

fn is_plain(text: &str) -> bool {
    let bytes = text.as_bytes();
    let (Some((first, rest)), Some(last)) = (bytes.split_first(), bytes.last()) else { return false };
    let starts_well = first.is_ascii_alphabetic() || matches!(first, b'/' | b'_' | b'$' | b'(' | b'.');
    let is_word = || {
        let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"];
        words.iter().any(|word| text.eq_ignore_ascii_case(word))
    };
    // Every text of a pipeline comes by here, three times: what has no way out in the middle is compared many bytes at once.
    let odd = bytes.iter().fold(0, |odd, byte| odd | u8::from(!(b' '..=b'~').contains(byte)));
    let is_mark = |byte: &u8, next: &u8| matches!((byte, next), (b':', b' ') | (b' ', b'#'));
    let marks = bytes.iter().zip(rest).fold(0, |marks, (byte, next)| marks | u8::from(is_mark(byte, next)));
    starts_well
        && odd == 0
        && marks == 0
        && !matches!(last, b' ' | b':')
        && (*first != b'.' || !is_dot_word(text))
        && !is_word()
}

/// `.5`, `.inf`, and `...`, which ends a document.
fn is_dot_word(text: &str) -> bool {
    text.as_bytes().get(1).is_none_or(|next| next.is_ascii_alphanumeric() || *next == b'.')
}

/// A JSON string, which is a double-quoted YAML scalar once everything unprintable is escaped.
fn quoted(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| matches!(c, '"' | '\\') || !matches!(c, ' '..='~')) {
        let (bare, odd) = rest.split_at(at);
        out.push_str(bare);
        let Some(c) = odd.chars().next() else { break };
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            '\r' => out.push_str("\\r"),
            // What is not printable for YAML, and what reorders text on a screen. Writing to a string cannot fail.
            '\0'..='\u{9f}' | '\u{2000}'..='\u{206f}' | '\u{feff}' | '\u{fff0}'..='\u{ffff}' => {
                let _ = write!(out, "\\u{:04x}", c as u32);
            }
            c => out.push(c),
        }
        rest = odd.get(c.len_utf8()..).unwrap_or_default();
    }
    out.push_str(rest);
    out.push('"');
}

fn json<E>(document: &Document, mut take: impl FnMut(&str) -> Result<(), E>) -> Result<(), E> {
    let mut out = String::new();
    write_json(&mut out, &document.to_value(), 0);
    out.push('\n');
    take(&out)
}

fn write_json(out: &mut String, value: &Value, margin: usize) {
    let line = |out: &mut String, margin: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', margin));
    };
    match value {
        Value::List(items) => {
            out.push('[');
            for (at, item) in items.iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                line(out, margin + 1);
                write_json(out, item, margin + 1);
            }
            if !items.is_empty() {
                line(out, margin);
            }
            out.push(']');
        }
        Value::Map(map) => {
            let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
            entries.sort_unstable_by(|a, b| a.0.name.cmp(&b.0.name));
            out.push('{');
            for (at, (key, value)) in entries.into_iter().enumerate() {
                out.push_str(if at == 0 { "" } else { "," });
                line(out, margin + 1);
                quoted(out, &key.name);
                out.push_str(": ");
                write_json(out, value, margin + 1);
            }
            if !map.is_empty() {
                line(out, margin);
            }
            out.push('}');
        }
        Value::Text(text) => quoted(out, text),
        // JSON has no such numbers.
        Value::Float(number) if !number.is_finite() => out.push_str("null"),
        scalar => write_value(out, scalar),
    }
}
