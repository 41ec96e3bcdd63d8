//! The JSON of a lock as it lies on disk: borrowed, partial, and strict about what is read.
//!
//! Only [`super::lock`] uses these types. What the program does not use is skipped without being stored. A key that occurs twice is an
//! error wherever keys name things, since JSON readers differ in which of the two they believe.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use serde::Deserialize;
use serde::de::{Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::{DepTypes, Hash};

/// Text that is borrowed from the file unless it holds an escape.
#[derive(Clone, PartialEq, Eq, Hash, Deserialize)]
#[serde(transparent)]
pub struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    /// The text as it lies in the file, unless it holds an escape.
    pub fn borrowed(&self) -> Option<&'a str> {
        match self.0 {
            Cow::Borrowed(text) => Some(text),
            Cow::Owned(_) => None,
        }
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self)
    }
}

/// An object as its entries in file order, each key once.
pub struct Entries<K, V>(pub Vec<(K, V)>);

impl<K, V> Default for Entries<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<'de, K, V> Deserialize<'de> for Entries<K, V>
where
    K: Deserialize<'de> + Clone + Eq + std::hash::Hash + fmt::Display,
    V: Deserialize<'de>,
{
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(EntriesVisitor(PhantomData))
    }
}

struct EntriesVisitor<K, V>(PhantomData<(K, V)>);

impl<'de, K, V> Visitor<'de> for EntriesVisitor<K, V>
where
    K: Deserialize<'de> + Clone + Eq + std::hash::Hash + fmt::Display,
    V: Deserialize<'de>,
{
    type Value = Entries<K, V>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut seen = HashSet::new();
        let mut entries = Vec::new();
        while let Some(key) = map.next_key::<K>()? {
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format_args!("the key `{key}` occurs twice")));
            }
            entries.push((key, map.next_value()?));
        }
        Ok(Entries(entries))
    }
}

/// Just enough of a lock to know its version. Older and newer locks have another shape below this.
#[derive(Deserialize)]
pub struct Probe<'a> {
    #[serde(borrow, rename = "_meta")]
    pub meta: Option<ProbeMeta<'a>>,
}

#[derive(Deserialize)]
pub struct ProbeMeta<'a> {
    /// Raw, so that a refusal can quote what stands there: `"6"` is not `6`.
    #[serde(borrow, rename = "lockfile-version")]
    pub lockfile_version: Option<&'a RawValue>,
}

/// A lock, or an environment that a lock includes.
#[derive(Deserialize)]
pub struct Environment<'a> {
    #[serde(borrow)]
    pub roots: Vec<Root<'a>>,
    #[serde(borrow)]
    pub concrete_specs: Entries<Hash, Node<'a>>,
    #[serde(borrow, default)]
    pub include_concrete: Entries<Text<'a>, Environment<'a>>,
    #[serde(borrow)]
    pub spack: Option<Writer<'a>>,
}

/// The same with its nodes as they stand there.
#[derive(Deserialize)]
pub struct RawEnvironment<'a> {
    #[serde(borrow)]
    pub concrete_specs: Entries<Hash, &'a RawValue>,
    #[serde(borrow, default)]
    pub include_concrete: Entries<Text<'a>, RawEnvironment<'a>>,
}

/// The Spack that wrote a lock.
#[derive(Deserialize)]
pub struct Writer<'a> {
    #[serde(borrow)]
    pub version: Text<'a>,
    #[serde(borrow)]
    pub commit: Option<Text<'a>>,
}

#[derive(Deserialize)]
pub struct Root<'a> {
    pub hash: Hash,
    #[serde(borrow)]
    pub spec: Text<'a>,
}

#[derive(Deserialize)]
pub struct Node<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub version: Option<Text<'a>>,
    /// Takes the place of `version` when the version is a list.
    #[serde(borrow)]
    pub versions: Option<Vec<Text<'a>>>,
    #[serde(borrow)]
    pub arch: NodeArch<'a>,
    #[serde(borrow)]
    pub namespace: Option<Text<'a>>,
    #[serde(borrow, default)]
    pub parameters: Entries<Text<'a>, Parameter<'a>>,
    /// Locks of version 4 and 5; later the compiler is an edge.
    #[serde(borrow)]
    pub compiler: Option<NodeCompiler<'a>>,
    pub external: Option<IgnoredAny>,
    #[serde(borrow)]
    pub package_hash: Option<Text<'a>>,
    pub build_spec: Option<BuildSpec>,
    #[serde(borrow, default)]
    pub dependencies: Vec<Edge<'a>>,
    pub concrete: Option<bool>,
    pub hash: Hash,
}

#[derive(Deserialize)]
pub struct NodeArch<'a> {
    #[serde(borrow)]
    pub platform: Text<'a>,
    #[serde(borrow)]
    pub platform_os: Text<'a>,
    #[serde(borrow)]
    pub target: Target<'a>,
}

#[derive(Deserialize)]
pub struct NodeCompiler<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    #[serde(borrow)]
    pub version: Text<'a>,
}

#[derive(Deserialize)]
pub struct BuildSpec {
    pub hash: Hash,
}

/// A dependency: locks of version 4 say `type`, later ones `parameters`.
#[derive(Deserialize)]
pub struct Edge<'a> {
    #[serde(borrow)]
    pub name: Text<'a>,
    pub hash: Hash,
    #[serde(rename = "type")]
    pub types: Option<DepTypes>,
    #[serde(borrow)]
    pub parameters: Option<EdgeParameters<'a>>,
}

#[derive(Deserialize)]
pub struct EdgeParameters<'a> {
    pub deptypes: DepTypes,
    #[serde(borrow, default)]
    pub virtuals: Vec<Text<'a>>,
}

impl<'de> Deserialize<'de> for DepTypes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Words;

        impl<'de> Visitor<'de> for Words {
            type Value = DepTypes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list of dependency types")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<DepTypes, A::Error> {
                let mut types = DepTypes::default();
                while let Some(word) = seq.next_element::<Text<'de>>()? {
                    types |= DepTypes::from_word(&word).ok_or_else(|| {
                        A::Error::custom(format_args!(
                            "unknown dependency type `{word}`; known are build, link, run, test"
                        ))
                    })?;
                }
                Ok(types)
            }
        }

        deserializer.deserialize_seq(Words)
    }
}

/// A target: a word for generic ones, an object with a name for microarchitectures.
pub struct Target<'a>(pub Text<'a>);

impl<'de: 'a, 'a> Deserialize<'de> for Target<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NameOrObject;

        impl<'de> Visitor<'de> for NameOrObject {
            type Value = Target<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the name of a target, or an object with its name")
            }

            fn visit_borrowed_str<E: Error>(self, name: &'de str) -> Result<Self::Value, E> {
                Ok(Target(Text(Cow::Borrowed(name))))
            }

            fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
                Ok(Target(Text(Cow::Owned(name.to_owned()))))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut name = None;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if &*key == "name" {
                        name = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                name.map(Target).ok_or_else(|| A::Error::missing_field("name"))
            }
        }

        deserializer.deserialize_any(NameOrObject)
    }
}

/// The value of a variant or flag list.
pub enum Parameter<'a> {
    Flag(bool),
    Text(Text<'a>),
    List(Vec<Text<'a>>),
}

impl<'de: 'a, 'a> Deserialize<'de> for Parameter<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Value;

        impl<'de> Visitor<'de> for Value {
            type Value = Parameter<'de>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false, a text or a list of texts")
            }

            fn visit_bool<E: Error>(self, flag: bool) -> Result<Self::Value, E> {
                Ok(Parameter::Flag(flag))
            }

            fn visit_borrowed_str<E: Error>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(Parameter::Text(Text(Cow::Borrowed(text))))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Self::Value, E> {
                Ok(Parameter::Text(Text(Cow::Owned(text.to_owned()))))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut list = Vec::new();
                while let Some(text) = seq.next_element()? {
                    list.push(text);
                }
                Ok(Parameter::List(list))
            }
        }

        deserializer.deserialize_any(Value)
    }
}
