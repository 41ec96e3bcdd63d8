//! One YAML value, with the order of its keys.

use std::fmt;
use std::sync::Arc;

use serde::{Serialize, Serializer};

/// How a key of a source joins the same key of what it is merged into. Spack writes it as the last character of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Mode {
    /// `key:`: lists are prepended, maps merged, everything else replaced.
    #[default]
    Merge,
    /// `key::`: the source replaces what was there.
    Replace,
    /// `key+:`: as the default for lists; texts are written before what was there.
    Prepend,
    /// `key-:`: lists and texts come after what was there.
    Append,
}

/// The key of a map. `script::` is the key `script` in mode [`Mode::Replace`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Key {
    pub name: Arc<str>,
    pub mode: Mode,
}

impl Key {
    /// Reads a key as Spack spells it, with its mode as the last character.
    pub fn read(text: &str) -> Self {
        let (name, mode) = match text.as_bytes().last() {
            Some(b':') if text.len() > 1 => (&text[..text.len() - 1], Mode::Replace),
            Some(b'+') if text.len() > 1 => (&text[..text.len() - 1], Mode::Prepend),
            Some(b'-') if text.len() > 1 => (&text[..text.len() - 1], Mode::Append),
            _ => (text, Mode::Merge),
        };
        Self { name: name.into(), mode }
    }
}

impl<T: Into<Arc<str>>> From<T> for Key {
    /// A key in the default mode, whatever its last character is.
    fn from(name: T) -> Self {
        Self { name: name.into(), mode: Mode::Merge }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let suffix = match self.mode {
            Mode::Merge => "",
            Mode::Replace => ":",
            Mode::Prepend => "+",
            Mode::Append => "-",
        };
        write!(f, "{}{suffix}", self.name)
    }
}

/// A map that keeps the order of its keys. Names are unique.
#[derive(Debug, Clone, Default)]
pub struct Map(Vec<(Key, Value)>);

impl Map {
    pub const fn new() -> Self {
        Self(Vec::new())
    }

    pub fn get(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(key, _)| &*key.name == name).map(|(_, value)| value)
    }

    /// The key under which a name stands, with its mode.
    pub fn key(&self, name: &str) -> Option<&Key> {
        self.0.iter().find(|(key, _)| &*key.name == name).map(|(key, _)| key)
    }

    pub fn contains(&self, name: &str) -> bool {
        self.get(name).is_some()
    }

    /// Puts a value under a key; an older one of that name keeps its place and loses its mode.
    pub fn insert(&mut self, key: impl Into<Key>, value: Value) {
        let key = key.into();
        match self.0.iter_mut().find(|(known, _)| known.name == key.name) {
            Some(entry) => *entry = (key, value),
            None => self.0.push((key, value)),
        }
    }

    /// Takes a value out.
    pub fn take(&mut self, name: &str) -> Option<Value> {
        let at = self.0.iter().position(|(key, _)| &*key.name == name)?;
        Some(self.0.remove(at).1)
    }

    /// The same names in the default mode, each with its value changed.
    pub fn settle(self, mut change: impl FnMut(Value) -> Value) -> Self {
        Self(self.0.into_iter().map(|(key, value)| (Key::from(key.name), change(value))).collect())
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Value> {
        self.0.iter_mut().map(|(_, value)| value)
    }

    pub fn iter(&self) -> impl ExactSizeIterator<Item = (&Key, &Value)> {
        self.0.iter().map(|(key, value)| (key, value))
    }

    pub const fn len(&self) -> usize {
        self.0.len()
    }

    pub const fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl FromIterator<(Key, Value)> for Map {
    /// Later values replace earlier ones of the same name.
    fn from_iter<I: IntoIterator<Item = (Key, Value)>>(entries: I) -> Self {
        let entries = entries.into_iter();
        let mut map = Self(Vec::with_capacity(entries.size_hint().0));
        for (key, value) in entries {
            map.insert(key, value);
        }
        map
    }
}

impl IntoIterator for Map {
    type Item = (Key, Value);
    type IntoIter = std::vec::IntoIter<(Key, Value)>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

/// Maps are equal when they hold the same values under the same keys, in any order.
impl PartialEq for Map {
    fn eq(&self, other: &Self) -> bool {
        self.len() == other.len()
            && self
                .0
                .iter()
                .all(|(key, value)| other.key(&key.name) == Some(key) && other.get(&key.name) == Some(value))
    }
}

/// One YAML value.
#[derive(Debug, Clone, PartialEq, Default)]
pub enum Value {
    #[default]
    Null,
    Bool(bool),
    Int(i64),
    Float(f64),
    Text(Arc<str>),
    List(Vec<Value>),
    Map(Map),
}

impl Value {
    /// A text.
    pub fn text(text: impl Into<Arc<str>>) -> Self {
        Self::Text(text.into())
    }

    /// A list of texts.
    pub fn texts<T: Into<Arc<str>>>(items: impl IntoIterator<Item = T>) -> Self {
        Self::List(items.into_iter().map(Self::text).collect())
    }

    /// A map in the default mode of every key.
    pub fn map<'a>(entries: impl IntoIterator<Item = (&'a str, Value)>) -> Self {
        Self::Map(entries.into_iter().map(|(key, value)| (Key::from(key), value)).collect())
    }

    pub fn as_text(&self) -> Option<&str> {
        match self {
            Self::Text(text) => Some(text),
            _ => None,
        }
    }

    pub fn as_list(&self) -> Option<&[Value]> {
        match self {
            Self::List(items) => Some(items),
            _ => None,
        }
    }

    pub const fn as_map(&self) -> Option<&Map> {
        match self {
            Self::Map(map) => Some(map),
            _ => None,
        }
    }

    /// What stands under a key of a map.
    pub fn get(&self, name: &str) -> Option<&Value> {
        self.as_map()?.get(name)
    }

    /// A scalar as text, as Spack's configuration reads it: numbers and switches have their spelling.
    pub fn scalar(&self) -> Option<String> {
        match self {
            Self::Text(text) => Some(text.to_string()),
            Self::Bool(flag) => Some(if *flag { "True" } else { "False" }.to_owned()),
            Self::Int(number) => Some(number.to_string()),
            Self::Float(number) => Some(format!("{number:?}")),
            Self::Null | Self::List(_) | Self::Map(_) => None,
        }
    }

    /// What kind of value this is, for messages.
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "nothing",
            Self::Bool(_) => "a switch",
            Self::Int(_) | Self::Float(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Map(_) => "a map",
        }
    }
}

impl Serialize for Value {
    /// Keys keep the spelling of their mode, so that what is written reads back as what it was.
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Null => serializer.serialize_unit(),
            Self::Bool(flag) => serializer.serialize_bool(*flag),
            Self::Int(number) => serializer.serialize_i64(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Text(text) => serializer.serialize_str(text),
            Self::List(items) => serializer.collect_seq(items),
            Self::Map(map) => serializer.collect_map(map.iter().map(|(key, value)| (key.to_string(), value))),
        }
    }
}
