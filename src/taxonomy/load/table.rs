//! Questions to one TOML table. A wrong answer becomes a fault with its place; the asker goes on with nothing.

use std::fmt::Display;
use std::ops::RangeInclusive;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::fault::Faults;
use super::nearest::meant;
use super::source::Text;
use crate::taxonomy::Origin;

/// Most unknown keys of one table that are told.
const MOST_STRANGE: usize = 20;

/// One table of a rules file.
pub(super) struct Table<'a> {
    text: &'a Text<'a>,
    keys: &'a DeTable<'a>,
    pub at: Origin,
    /// As messages tell it: ``rule `oom` ``.
    pub of: String,
}

/// A value with its place.
pub(super) type Placed<T> = (T, Origin);

impl<'a> Table<'a> {
    pub fn new(text: &'a Text<'a>, table: &'a DeTable<'a>, at: Origin, of: impl Into<String>) -> Self {
        Self { text, keys: table, at, of: of.into() }
    }

    /// Every key must be one of these.
    pub fn only(&self, known: &[&str], faults: &mut Faults) {
        let strange = self.keys.keys().filter(|key| !known.contains(&key.get_ref().as_ref()));
        for key in strange.take(MOST_STRANGE) {
            let word = shown(key.get_ref());
            faults.hard(&self.place(key), format!("{} has no key `{word}`", self.of), meant(&word, known));
        }
    }

    /// A text that must be there.
    pub fn needed_text(&self, key: &str, remedy: &str, faults: &mut Faults) -> Option<Placed<&'a str>> {
        if !self.has(key) {
            faults.soft(&self.at, format!("{} has no `{key}`", self.of), remedy);
        }
        self.text(key, faults)
    }

    pub fn text(&self, key: &str, faults: &mut Faults) -> Option<Placed<&'a str>> {
        self.value(key, faults, "a text in quotes", DeValue::as_str)
    }

    /// `true` or `false`.
    pub fn flag(&self, key: &str, faults: &mut Faults) -> Option<bool> {
        Some(self.value(key, faults, "true or false", DeValue::as_bool)?.0)
    }

    /// A whole number within a range.
    pub fn whole(&self, key: &str, range: RangeInclusive<i64>, faults: &mut Faults) -> Option<i64> {
        let expected = format!("a whole number from {} to {}", range.start(), range.end());
        let (number, at) = self.value(key, faults, &expected, |value| Some(value.as_integer()?.clone()))?;
        let number = i64::from_str_radix(number.as_str(), number.radix()).ok().filter(|n| range.contains(n));
        if number.is_none() {
            faults.hard(&at, format!("`{key}` of {} is out of range", self.of), format!("write {expected}"));
        }
        number
    }

    /// A list; absent is empty.
    pub fn list(&self, key: &str, faults: &mut Faults) -> &'a [Spanned<DeValue<'a>>] {
        match self.keys.get(key).map(|value| (value, value.get_ref().as_array())) {
            None => &[],
            Some((_, Some(items))) => items,
            Some((value, None)) => {
                let what = format!("`{key}` of {} is {}", self.of, kind(value.get_ref()));
                faults.hard(&self.place(value), what, "write a list in [ ]");
                &[]
            }
        }
    }

    /// A list of texts; absent is empty.
    pub fn texts(&self, key: &str, faults: &mut Faults) -> Vec<Placed<&'a str>> {
        let mut texts = Vec::new();
        for item in self.list(key, faults) {
            match item.get_ref().as_str() {
                Some(text) => texts.push((text, self.place(item))),
                None => {
                    let what = format!("`{key}` of {} holds {}", self.of, kind(item.get_ref()));
                    faults.hard(&self.place(item), what, "write texts in quotes");
                }
            }
        }
        texts
    }

    /// A table of its own; absent is nothing.
    pub fn table(&self, key: &str, of: impl Into<String>, faults: &mut Faults) -> Option<Table<'a>> {
        let (table, at) = self.value(key, faults, "a table in { }", DeValue::as_table)?;
        Some(Table::new(self.text, table, at, of))
    }

    /// The tables of `[[key]]`; absent is empty. `of` says how messages call each.
    pub fn tables<D: Display>(&self, key: &str, of: D, faults: &mut Faults) -> Vec<Table<'a>> {
        let Some(value) = self.keys.get(key) else { return Vec::new() };
        let mut tables = Vec::new();
        let items = value.get_ref().as_array();
        for item in items.into_iter().flatten() {
            if let Some(table) = item.get_ref().as_table() {
                tables.push(Table::new(self.text, table, self.place(item), of.to_string()));
            }
        }
        if tables.len() < items.map_or(1, |items| items.len()) {
            let what = format!("`{key}` of {} is no list of tables", self.of);
            faults.hard(&self.place(value), what, format!("write each as [[{key}]] with its keys below"));
        }
        tables
    }

    pub fn has(&self, key: &str) -> bool {
        self.keys.contains_key(key)
    }

    /// Where a key's value stands; the table itself when there is no such key.
    pub fn place_of(&self, key: &str) -> Origin {
        self.keys.get(key).map_or_else(|| self.at.clone(), |value| self.place(value))
    }

    pub fn place<T>(&self, what: &Spanned<T>) -> Origin {
        self.text.origin(what.span().start)
    }

    /// A table that stands as an item of a list of this one.
    pub fn below(&self, item: &'a Spanned<DeValue<'a>>, of: impl Into<String>) -> Option<Table<'a>> {
        Some(Table::new(self.text, item.get_ref().as_table()?, self.place(item), of))
    }

    fn value<T>(
        &self,
        key: &str,
        faults: &mut Faults,
        expected: &str,
        read: impl FnOnce(&'a DeValue<'a>) -> Option<T>,
    ) -> Option<Placed<T>> {
        let value = self.keys.get(key)?;
        let at = self.place(value);
        let Some(read) = read(value.get_ref()) else {
            let what = format!("`{key}` of {} is {}", self.of, kind(value.get_ref()));
            faults.hard(&at, what, format!("write {expected}"));
            return None;
        };
        Some((read, at))
    }
}

/// What kind of value this is, for messages.
pub(super) fn kind(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::String(_) => "a text",
        DeValue::Integer(_) | DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "a switch",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    }
}

/// A word of a file as messages show it: short and in one line.
pub(super) fn shown(word: &str) -> String {
    word.chars().take(64).flat_map(char::escape_debug).collect()
}
