//! How big a document is, and what makes it so.

use std::collections::HashMap;
use std::sync::Arc;

use super::{is_plain, quoted, write_value};
use crate::generation::Document;
use crate::spack::yaml::{Map, Value};

impl Document {
    /// How many bytes the document has with every alias written out, which is what GitLab's limit of parsed YAML is about.
    pub fn expanded_bytes(&self) -> usize {
        let mut seen: HashMap<*const Value, usize> = HashMap::new();
        let jobs: usize = self
            .jobs
            .iter()
            .map(|(name, job)| {
                let keys = job.iter().map(|(key, value)| {
                    let value = *seen.entry(Arc::as_ptr(value)).or_insert_with(|| weight(value, 2));
                    2 + length(key) + 1 + value
                });
                length(name) + 2 + keys.sum::<usize>()
            })
            .sum();
        jobs + self.globals.iter().map(|(key, value)| length(key) + 1 + weight(value, 0)).sum::<usize>()
    }

    /// What takes most of the expanded size: job keys over all jobs, the biggest first.
    pub fn heaviest(&self, count: usize) -> Vec<(Arc<str>, usize)> {
        let mut by_key: HashMap<Arc<str>, usize> = HashMap::new();
        let mut seen: HashMap<*const Value, usize> = HashMap::new();
        for (key, value) in self.jobs.values().flatten() {
            *by_key.entry(key.clone()).or_default() +=
                *seen.entry(Arc::as_ptr(value)).or_insert_with(|| weight(value, 2));
        }
        let mut keys: Vec<_> = by_key.into_iter().collect();
        keys.sort_unstable_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        keys.truncate(count);
        keys
    }
}

/// How many bytes `Writer::value` writes for a value when nothing is an alias.
fn weight(value: &Value, margin: usize) -> usize {
    let entries = |map: &Map| -> usize {
        map.iter().map(|(key, value)| margin + 2 + length(&key.name) + 1 + weight(value, margin + 2)).sum()
    };
    match value {
        Value::List(items) if !items.is_empty() => {
            let item = |item: &Value| match item {
                // The first key stands behind the dash.
                Value::Map(map) if !map.is_empty() => weight(item, margin) - (margin + 2),
                other => weight(other, margin + 2),
            };
            1 + items.iter().map(|value| margin + 1 + item(value)).sum::<usize>()
        }
        Value::Map(map) if !map.is_empty() => 1 + entries(map),
        Value::List(_) | Value::Map(_) => 4,
        Value::Text(text) => length(text) + 2,
        scalar => {
            let mut text = String::new();
            write_value(&mut text, scalar);
            text.len() + 2
        }
    }
}

/// How many bytes a text has when it is written.
fn length(text: &str) -> usize {
    if is_plain(text) {
        return text.len();
    }
    let mut written = String::new();
    quoted(&mut written, text);
    written.len()
}
