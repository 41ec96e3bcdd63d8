//! Reads YAML that anybody may have written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Error;
use serde_saphyr::budget::BudgetBreach;
use serde_saphyr::options::{DuplicateKeyPolicy, Options};
use thiserror::Error;

use super::value::{Key, Map, Value};

/// What one document may hold, aliases written out. Spack's largest scope has 3,000 nodes.
const MAX_NODES: usize = 500_000;
const MAX_DEPTH: usize = 48;

/// A document that cannot be read: a fragment that says where and what.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0}")]
pub struct YamlError(String);

impl YamlError {
    /// The parser's error, in words for whoever wrote the document.
    fn of(error: &Error) -> Self {
        // Where the document says it, and what is wrong there: of an alias, where it stands and not what it stands for.
        let error = error.without_snippet();
        let mut inner = error;
        while let Error::AliasError { error, .. } | Error::WithSnippet { error, .. } = inner {
            inner = error;
        }
        let what = match inner {
            Error::DuplicateMappingKey { key: Some(key), .. } => format!("the key `{key}` occurs twice"),
            Error::DuplicateMappingKey { key: None, .. } => "a key occurs twice".to_owned(),
            Error::Budget { breach: BudgetBreach::Depth { .. }, .. } => format!("it is more than {MAX_DEPTH} deep"),
            Error::Budget { .. } | Error::AliasReplayLimitExceeded { .. } => {
                format!("it holds more than {MAX_NODES} entries with its aliases written out")
            }
            _ => {
                let text = error.to_string();
                return Self::cut(text.strip_prefix("error: ").unwrap_or(&text));
            }
        };
        match error.location() {
            Some(at) => Self::cut(&format!("line {} column {}: {what}", at.line(), at.column())),
            None => Self::cut(&what),
        }
    }

    fn cut(text: &str) -> Self {
        Self(text.lines().next().unwrap_or_default().chars().take(200).collect())
    }
}

impl Value {
    /// Reads one document. A name that occurs twice in one map is an error, as it is for Spack; so is a document beyond the limits.
    pub fn parse(bytes: &[u8]) -> Result<Self, YamlError> {
        // An empty file is an empty scope.
        if bytes.iter().all(u8::is_ascii_whitespace) {
            return Ok(Self::Null);
        }
        serde_saphyr::from_slice_with_options(bytes, options()).map_err(|error| YamlError::of(&error))
    }
}

/// The limits under which every document is read.
pub(in crate::spack) fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MAX_NODES,
            max_nodes: MAX_NODES,
            max_aliases: MAX_NODES,
            max_anchors: MAX_NODES,
            max_recorded_anchor_events: MAX_NODES,
            max_depth: MAX_DEPTH,
            max_documents: 1,
            // One script that a thousand jobs share is how generated pipelines are written.
            enforce_alias_anchor_ratio: false,
        },
        alias_limits: serde_saphyr::alias_limits! {
            max_total_replayed_events: MAX_NODES,
            max_replay_stack_depth: 16,
        },
        duplicate_keys: DuplicateKeyPolicy::Error,
        // `yes` and `on` are words since YAML 1.2, which is what Spack reads.
        strict_booleans: true,
    }
}

impl<'de> Deserialize<'de> for Value {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Value;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a YAML value")
            }

            fn visit_unit<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_none<E>(self) -> Result<Value, E> {
                Ok(Value::Null)
            }

            fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
                Value::deserialize(deserializer)
            }

            fn visit_bool<E>(self, flag: bool) -> Result<Value, E> {
                Ok(Value::Bool(flag))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Int(number))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(i64::try_from(number).map_or_else(|_| Value::text(number.to_string()), Value::Int))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Float(number))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::text(text))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Map::new();
                while let Some(key) = map.next_key::<Value>()? {
                    let text = key.scalar().unwrap_or_default();
                    entries.insert(Key::read(&text), map.next_value()?);
                }
                Ok(Value::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use super::*;

    #[test]
    fn scalars_are_what_spack_reads() {
        let value =
            Value::parse(b"a: 1\nb: '1'\nc: yes\nd: True\ne: ~\nf: 1.5\ng: 0123abc\n'h:': [x, {y: z}]\n").unwrap();
        let map = value.as_map().unwrap();
        assert_eq!(map.get("a"), Some(&Value::Int(1)));
        assert_eq!(map.get("b"), Some(&Value::text("1")));
        assert_eq!(map.get("c"), Some(&Value::text("yes")));
        assert_eq!(map.get("d"), Some(&Value::Bool(true)));
        assert_eq!(map.get("e"), Some(&Value::Null));
        assert_eq!(map.get("f"), Some(&Value::Float(1.5)));
        assert_eq!(map.get("g"), Some(&Value::text("0123abc")));
        assert_eq!(map.key("h").unwrap().to_string(), "h:");
        assert_eq!(Value::parse(b" \n").unwrap(), Value::Null);
    }

    #[test]
    fn what_is_damaged_or_too_much_is_refused_with_its_place() {
        for (text, place) in
            [("a: [1, 2\nb: 3", "line 2"), ("a: 1\na: 2", "line 2 column 1: the key `a` occurs twice"), ("\u{1}", "")]
        {
            let error = Value::parse(text.as_bytes()).unwrap_err().to_string();
            assert!(error.contains(place) && error.len() <= 200, "{error}");
        }
        let mut bomb = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for n in 1..9 {
            let aliases = vec![format!("*a{}", n - 1); 10].join(",");
            writeln!(bomb, "a{n}: &a{n} [{aliases}]").unwrap();
        }
        let error = Value::parse(bomb.as_bytes()).unwrap_err().to_string();
        assert!(error.starts_with("line 6") && error.contains("500000 entries with its aliases"), "{error}");
        assert!(Value::parse("[".repeat(10_000).as_bytes()).is_err());
        let error = Value::parse(format!("{}{}", "[".repeat(60), "]".repeat(60)).as_bytes()).unwrap_err().to_string();
        assert!(error.contains("more than 48 deep"), "{error}");
    }
}
