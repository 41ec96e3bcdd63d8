//! Writes a document: YAML with anchors for what repeats, or JSON, which is YAML as well.
//!
//! GitLab limits the size of the file, and thousands of jobs share their scripts: every list or map that occurs twice is written once. What a
//! reader of YAML could take for anything but text is quoted.

use std::collections::HashMap;
use std::fmt::Write;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

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
    /// The bytes of the file.
    pub fn text(&self, form: Form) -> String {
        match form {
            Form::Yaml => yaml(self),
            Form::Json => json(&self.to_value()),
        }
    }

    /// How many bytes the document has with every alias written out, which is what GitLab's limit of parsed YAML is about.
    pub fn expanded_bytes(&self) -> usize {
        let mut seen: HashMap<*const Value, usize> = HashMap::new();
        let jobs: usize = self
            .jobs
            .iter()
            .map(|(name, job)| {
                let keys = job.iter().map(|(key, value)| {
                    key.len() + 4 + *seen.entry(Arc::as_ptr(value)).or_insert_with(|| weight(value))
                });
                name.len() + 4 + keys.sum::<usize>()
            })
            .sum();
        jobs + self.globals.iter().map(|(key, value)| key.len() + 4 + weight(value)).sum::<usize>()
    }

    /// What takes most of the expanded size: job keys over all jobs, the biggest first.
    pub fn heaviest(&self, count: usize) -> Vec<(Arc<str>, usize)> {
        let mut by_key: HashMap<Arc<str>, usize> = HashMap::new();
        let mut seen: HashMap<*const Value, usize> = HashMap::new();
        for (key, value) in self.jobs.values().flatten() {
            *by_key.entry(key.clone()).or_default() += *seen.entry(Arc::as_ptr(value)).or_insert_with(|| weight(value));
        }
        let mut keys: Vec<_> = by_key.into_iter().collect();
        keys.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        keys.truncate(count);
        keys
    }
}

/// About how many bytes a value has when it is written out.
fn weight(value: &Value) -> usize {
    match value {
        Value::Null | Value::Bool(_) | Value::Int(_) | Value::Float(_) => 5,
        Value::Text(text) => text.len() + 3,
        Value::List(items) => items.iter().map(|item| weight(item) + 2).sum::<usize>() + 2,
        Value::Map(map) => map.iter().map(|(key, value)| key.name.len() + 4 + weight(value)).sum::<usize>() + 2,
    }
}

fn yaml(document: &Document) -> String {
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
    // Room for most documents at once: growing by doubling would hold two copies at the end.
    let room = document.jobs.len() * 2_048 + 16_384;
    let mut writer = Writer { census, out: String::with_capacity(room), numbers: HashMap::new() };
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
    }
    writer.out
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
    uses: HashMap<Shape<'a>, u32>,
    /// Fingerprints by address, so that shared values are hashed once.
    prints: HashMap<*const Value, u64>,
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
        let mut state = std::hash::DefaultHasher::new();
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
                    let mut entry = std::hash::DefaultHasher::new();
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
    out: String,
    /// Numbers of the anchors that have been written.
    numbers: HashMap<Shape<'a>, usize>,
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
                    // A map in a list has its keys where the dash's text begins.
                    self.value(item, if matches!(item, Value::Map(_)) { margin } else { margin + 2 });
                }
            }
            Value::Map(map) if !map.is_empty() => {
                self.end_of_head();
                let mut entries: Vec<(&Key, &Value)> = map.iter().collect();
                entries.sort_unstable_by(|a, b| a.0.name.cmp(&b.0.name));
                for (key, value) in entries {
                    self.margin(margin + 2);
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
    let (Some(first), Some(last)) = (bytes.first(), bytes.last()) else { return false };
    let starts_well = match first {
        b'/' | b'_' | b'$' | b'(' => true,
        // `.5`, `.inf`, and `...`, which ends a document.
        b'.' => bytes.get(1).is_some_and(|next| !next.is_ascii_alphanumeric() && *next != b'.'),
        letter => letter.is_ascii_alphabetic(),
    };
    let mut before = 0;
    starts_well
        && !matches!(last, b' ' | b':')
        && bytes.iter().all(|byte| {
            let breaks = matches!((before, byte), (b':', b' ') | (b' ', b'#'));
            before = *byte;
            (b' '..=b'~').contains(byte) && !breaks
        })
        && !is_word(text)
}

/// Words that some reader of YAML takes for switches, nothing or numbers.
fn is_word(text: &str) -> bool {
    let words = ["true", "false", "yes", "no", "on", "off", "null", "y", "n", "nan", "inf"];
    text.len() <= 5 && words.iter().any(|word| text.eq_ignore_ascii_case(word))
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

fn json(value: &Value) -> String {
    let mut out = String::new();
    write_json(&mut out, value, 0);
    out.push('\n');
    out
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
        scalar => write_value(out, scalar),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn document(text: &str) -> Document {
        let Value::Map(map) = Value::parse(text.as_bytes()).unwrap() else { panic!() };
        let mut document = Document::default();
        for (key, value) in map {
            match value {
                Value::Map(job) => document.add(&key.name, job),
                other => drop(document.globals.insert(key.name, other)),
            }
        }
        document
    }

    #[test]
    fn what_repeats_is_written_once() {
        let document = document(
            "b: {script: [x, z], tags: [t]}\na: {script: [x, z], needs: [{job: b}], tags: [t, u]}\nc: {needs: [{job: b}], x: []}\nstages: [s]",
        );
        assert_eq!(
            document.text(Form::Yaml),
            "a:\n  needs: &a1\n  -\n    job: b\n  script: &a2\n  - x\n  - z\n  tags:\n  - t\n  - u\nb:\n  script: *a2\n  tags:\n  - t\nc:\n  \
             needs: *a1\n  x: []\nstages:\n- s\n"
        );
    }

    #[test]
    fn both_forms_say_what_the_document_holds() {
        let text = "j: {n: ~, b: true, i: -3, f: 1.5, g: 1.0e20, s: ['1', 'yes', '~', '', ' x', 'a: b', 'c #d', '.5', '...', 'é\u{85}', \"a\\nb\"]}";
        let document = document(text);
        for form in [Form::Yaml, Form::Json] {
            assert_eq!(Value::parse(document.text(form).as_bytes()).unwrap(), document.to_value(), "{form:?}");
        }
        serde_json::from_str::<serde_json::Value>(&document.text(Form::Json)).unwrap();
    }

    fn any_value() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::Bool),
            any::<i32>().prop_map(|n| Value::Int(n.into())),
            "\\PC{0,12}".prop_map(|text| Value::text(text)),
            "[-a-z0-9:#.'\"{}\\[\\]&*!|>%@`, \\n\\t~=+_]{0,10}".prop_map(|text| Value::text(text)),
        ];
        leaf.prop_recursive(4, 40, 5, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..5).prop_map(Value::List),
                prop::collection::vec(("[a-z~ #:1]{1,4}x", inner), 0..5)
                    .prop_map(|entries| Value::Map(entries.into_iter().map(|(k, v)| (Key::from(&*k), v)).collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn whatever_is_written_is_read_back(values in prop::collection::vec(any_value(), 1..5)) {
            let mut document = Document::default();
            for (at, value) in values.into_iter().enumerate() {
                document.globals.insert(format!("g{at}").into(), value.clone());
                document.jobs.insert(format!("j{at}").into(), [("k".into(), Arc::new(value))].into_iter().collect());
            }
            for form in [Form::Yaml, Form::Json] {
                let text = document.text(form);
                prop_assert_eq!(Value::parse(text.as_bytes()).unwrap(), document.to_value(), "{}", text);
            }
        }
    }
}
