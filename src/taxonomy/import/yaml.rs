//! Reads `error_taxonomy.yaml`, with the line of everything.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_saphyr::Spanned;
use serde_saphyr::options::{DuplicateKeyPolicy, Options};

use crate::taxonomy::Origin;

/// As messages call the file.
pub(super) const FILE: &str = "error_taxonomy.yaml";
const LARGEST: usize = 1_000_000;
const MOST_NODES: usize = 100_000;
const MOST_DEPTH: usize = 16;

/// A file that cannot be imported: where, what, and what to do.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{}:{}: {what}; {remedy}", at.file, at.line)]
pub struct ImportFault {
    pub at: Origin,
    pub what: String,
    pub remedy: String,
}

impl ImportFault {
    pub(super) fn new(line: u32, what: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { at: origin(line), what: what.into(), remedy: remedy.into() }
    }
}

pub(super) fn origin(line: u32) -> Origin {
    Origin { file: FILE.into(), line }
}

/// What the file says.
pub(super) struct Taxonomy {
    pub version: Option<String>,
    pub classes: Vec<Class>,
    pub order: Vec<(String, u32)>,
    /// What is there and has no meaning.
    pub strange: Vec<(String, u32)>,
}

pub(super) struct Class {
    pub name: String,
    pub line: u32,
    /// `None`: GitLab's own reason, used when no pattern matched.
    pub patterns: Option<Vec<(String, u32)>>,
}

/// Reads the file.
pub(super) fn read(yaml: &str) -> Result<Taxonomy, ImportFault> {
    if yaml.len() > LARGEST {
        let what = format!("the file has {} bytes, {LARGEST} are allowed", yaml.len());
        return Err(ImportFault::new(1, what, "give the production file error_taxonomy.yaml"));
    }
    let root: Node = serde_saphyr::from_str_with_options(yaml, options()).map_err(|error| {
        let line = error.location().map_or(1, |location| u32::try_from(location.line()).unwrap_or(1)).max(1);
        let text: String = error.to_string().lines().next().unwrap_or_default().chars().take(200).collect();
        ImportFault::new(line, format!("this is no YAML that can be read: {text}"), "mend the syntax")
    })?;
    let shape =
        "write taxonomy: {version, error_classes: {name: {grep_for: [regex]} | null}, deconflict_order: [name]}";
    let missing = |what: &str| ImportFault::new(root.line.max(1), what.to_owned(), shape);
    let taxonomy = root.get("taxonomy").ok_or_else(|| missing("there is no `taxonomy`"))?;
    let classes = taxonomy.get("error_classes").ok_or_else(|| missing("`taxonomy` has no `error_classes`"))?;
    let Value::Map(entries) = &classes.value else {
        return Err(ImportFault::new(classes.line, "`error_classes` is no map", shape));
    };
    let mut read = Taxonomy { version: None, classes: Vec::new(), order: Vec::new(), strange: Vec::new() };
    read.strange_keys(taxonomy, &["version", "error_classes", "deconflict_order"]);
    read.version = taxonomy.get("version").and_then(|node| node.text().map(str::to_owned));
    for (key, node) in entries {
        let class = read.class(key, node)?;
        read.classes.push(class);
    }
    match taxonomy.get("deconflict_order") {
        None => return Err(missing("`taxonomy` has no `deconflict_order`")),
        Some(order) => read.order = order.texts("deconflict_order", shape)?,
    }
    Ok(read)
}

impl Taxonomy {
    fn class(&mut self, key: &Key, node: &Node) -> Result<Class, ImportFault> {
        let class = |patterns| Class { name: key.name.clone(), line: key.line, patterns };
        match &node.value {
            Value::Null => Ok(class(None)),
            Value::Map(_) => {
                self.strange_keys(node, &["grep_for"]);
                let shape = "write grep_for: [regex, …]";
                match node.get("grep_for") {
                    None => Ok(class(None)),
                    Some(Node { value: Value::Null, .. }) => Ok(class(None)),
                    Some(list) => Ok(class(Some(list.texts(&format!("grep_for of {}", key.name), shape)?))),
                }
            }
            _ => Err(ImportFault::new(
                node.line,
                format!("the class `{}` is neither null nor a map", key.name),
                "write grep_for below it",
            )),
        }
    }

    fn strange_keys(&mut self, node: &Node, known: &[&str]) {
        let Value::Map(entries) = &node.value else { return };
        let strange = entries.iter().filter(|(key, _)| !known.contains(&key.name.as_str()));
        self.strange.extend(strange.map(|(key, _)| (key.name.clone(), key.line)));
    }
}

struct Node {
    value: Value,
    line: u32,
}

struct Key {
    name: String,
    line: u32,
}

enum Value {
    Null,
    /// Any other scalar, as it is spelled.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(Key, Node)>),
}

impl Node {
    fn get(&self, name: &str) -> Option<&Self> {
        let Value::Map(entries) = &self.value else { return None };
        entries.iter().find(|(key, _)| key.name == name).map(|(_, node)| node)
    }

    fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }

    fn texts(&self, of: &str, shape: &str) -> Result<Vec<(String, u32)>, ImportFault> {
        let wrong = |line: u32| ImportFault::new(line, format!("`{of}` is no list of texts"), shape);
        let Value::List(items) = &self.value else { return Err(wrong(self.line)) };
        let text = |item: &Self| Ok((item.text().ok_or_else(|| wrong(item.line))?.to_owned(), item.line));
        items.iter().map(text).collect()
    }
}

fn options() -> Options {
    serde_saphyr::options! {
        budget: serde_saphyr::budget! {
            max_events: MOST_NODES,
            max_nodes: MOST_NODES,
            max_depth: MOST_DEPTH,
            max_documents: 1,
        },
        alias_limits: serde_saphyr::alias_limits! { max_total_replayed_events: MOST_NODES, max_replay_stack_depth: 4 },
        duplicate_keys: DuplicateKeyPolicy::Error,
        strict_booleans: true,
    }
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let spanned = Spanned::<Value>::deserialize(deserializer)?;
        Ok(Self { line: u32::try_from(spanned.referenced.line()).unwrap_or(u32::MAX), value: spanned.value })
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
                Ok(Value::Text(flag.to_string()))
            }

            fn visit_i64<E>(self, number: i64) -> Result<Value, E> {
                Ok(Value::Text(number.to_string()))
            }

            fn visit_u64<E>(self, number: u64) -> Result<Value, E> {
                Ok(Value::Text(number.to_string()))
            }

            fn visit_f64<E>(self, number: f64) -> Result<Value, E> {
                Ok(Value::Text(number.to_string()))
            }

            fn visit_str<E>(self, text: &str) -> Result<Value, E> {
                Ok(Value::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Value::List(items))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Value, A::Error> {
                let mut entries = Vec::new();
                while let Some((key, node)) = map.next_entry::<Node, Node>()? {
                    let Value::Text(name) = key.value else { continue };
                    entries.push((Key { name, line: key.line }, node));
                }
                Ok(Value::Map(entries))
            }
        }
        deserializer.deserialize_any(Any)
    }
}
