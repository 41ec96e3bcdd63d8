//! Streams through the index of a build cache: `{"database": {"version", "installs": {hash: {"spec", "in_buildcache"}}}}`.
//!
//! Everything is borrowed from the bytes and forgotten at once, except for the specs that are asked for and the hashes that are needed to
//! see that no dependency lacks its record. Nodes have several forms, one for each version; only `external` and `dependencies` are read.

use std::collections::{HashMap, HashSet};
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use thiserror::Error;

use super::{MAX_INDEX, NEWEST_INDEX, UnpackError, cut, unpack};
use crate::spack::Hash;
use crate::spack::wire::Text;

/// What an index says about one spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its binary is in the cache.
    pub in_buildcache: bool,
    pub external: bool,
}

impl Listed {
    /// What Spack takes for present: the binary, or an external that needs none.
    pub const fn is_present(self) -> bool {
        self.in_buildcache || self.external
    }
}

/// An index, cut down to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Of the database: 5 to 8.
    pub version: u32,
    /// Only the specs that were wanted.
    pub listed: HashMap<Hash, Listed>,
    /// All records.
    pub total: usize,
    /// Records with a binary.
    pub present: usize,
    /// Records that need a binary and have none.
    pub holes: usize,
}

/// An index that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IndexError {
    #[error("the index has version {found}, but {NEWEST_INDEX} is the newest that can be read; get a newer stackhand")]
    TooNew { found: u32 },
    #[error("the index has version {found}, but {OLDEST} is the oldest that can be read; update it with a newer Spack")]
    TooOld { found: u32 },
    #[error("the index is corrupt: {0}; run `spack buildcache update-index`")]
    Corrupt(String),
    #[error(transparent)]
    Packed(#[from] UnpackError),
}

const OLDEST: u32 = 5;

/// Reads an index, packed or plain. What follows the first JSON value is not looked at.
pub fn read_index(bytes: &[u8], wanted: &dyn Fn(&Hash) -> bool) -> Result<Index, IndexError> {
    let bytes = unpack(bytes, MAX_INDEX)?;
    let mut reading = Reading::new(wanted, true);
    let outcome = reading.run(&bytes);
    if let (None, Err(_)) = (reading.version, &outcome) {
        // The version may stand behind what cannot be read because of it.
        let mut probe = Reading::new(wanted, false);
        if let (Err(_), Some(fault)) = (probe.run(&bytes), probe.fault) {
            return Err(fault);
        }
    }
    if let Some(fault) = reading.fault {
        return Err(fault);
    }
    outcome.map_err(|error| IndexError::Corrupt(cut(&error.to_string())))?;
    let version = reading.version.ok_or_else(|| corrupt("it has no version"))?;
    if let Some(hash) = reading.needed.difference(&reading.seen).min() {
        return Err(IndexError::Corrupt(format!("the dependency {hash} has no record")));
    }
    Ok(Index {
        version,
        listed: reading.listed,
        total: reading.seen.len(),
        present: reading.present,
        holes: reading.holes,
    })
}

fn corrupt(what: &str) -> IndexError {
    IndexError::Corrupt(what.to_owned())
}

/// What is known so far.
struct Reading<'w> {
    wanted: &'w dyn Fn(&Hash) -> bool,
    /// Otherwise only the version is looked for.
    with_installs: bool,
    version: Option<u32>,
    seen: HashSet<Hash>,
    /// Dependencies that had no record yet when they were named.
    needed: HashSet<Hash>,
    listed: HashMap<Hash, Listed>,
    present: usize,
    holes: usize,
    /// Why reading was broken off, where that is more than a fault of the JSON.
    fault: Option<IndexError>,
}

impl<'w> Reading<'w> {
    fn new(wanted: &'w dyn Fn(&Hash) -> bool, with_installs: bool) -> Self {
        Self {
            wanted,
            with_installs,
            version: None,
            seen: HashSet::new(),
            needed: HashSet::new(),
            listed: HashMap::new(),
            present: 0,
            holes: 0,
            fault: None,
        }
    }

    fn run(&mut self, bytes: &[u8]) -> Result<(), serde_json::Error> {
        Document(self).deserialize(&mut serde_json::Deserializer::from_slice(bytes))
    }

    fn add(&mut self, hash: Hash, record: &Record) {
        let listed =
            Listed { in_buildcache: record.in_buildcache.unwrap_or_default(), external: record.spec.is_external };
        self.present += usize::from(listed.in_buildcache);
        self.holes += usize::from(!listed.is_present());
        self.needed.extend(record.spec.deps.iter().filter(|dep| !self.seen.contains(*dep)));
        if (self.wanted)(&hash) {
            self.listed.insert(hash, listed);
        }
    }
}

/// Implements reading an object whose entries go into a [`Reading`].
macro_rules! object {
    ($name:ident, $what:literal, $read:item) => {
        struct $name<'r, 'w>(&'r mut Reading<'w>);

        impl<'de> DeserializeSeed<'de> for $name<'_, '_> {
            type Value = ();

            fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
                deserializer.deserialize_map(self)
            }
        }

        impl<'de> Visitor<'de> for $name<'_, '_> {
            type Value = ();

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str($what)
            }

            $read
        }
    };
}

object! {
    Document, "an index with a `database`",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let mut databases = 0;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            if &*key == "database" {
                databases += 1;
                map.next_value_seed(Database(self.0))?;
            } else {
                map.next_value::<IgnoredAny>()?;
            }
        }
        if databases == 1 { Ok(()) } else { Err(A::Error::custom(format_args!("it has {databases} keys `database`"))) }
    }
}

object! {
    Database, "a database with `version` and `installs`",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let reading = self.0;
        let mut has_installs = false;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            match &*key {
                "version" if reading.version.is_some() => return Err(A::Error::custom("it has two versions")),
                "version" => {
                    let Version(found) = map.next_value()?;
                    reading.version = Some(found);
                    reading.fault = match found {
                        ..OLDEST => Some(IndexError::TooOld { found }),
                        OLDEST..=NEWEST_INDEX => continue,
                        _ => Some(IndexError::TooNew { found }),
                    };
                    return Err(A::Error::custom("its version cannot be read"));
                }
                "installs" if reading.with_installs && has_installs => {
                    return Err(A::Error::custom("it has two keys `installs`"));
                }
                "installs" if reading.with_installs => {
                    has_installs = true;
                    map.next_value_seed(Installs(reading))?;
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                }
            }
        }
        match reading.version {
            None => Err(A::Error::custom("it has no version")),
            Some(_) if reading.with_installs && !has_installs => Err(A::Error::missing_field("installs")),
            Some(_) => Ok(()),
        }
    }
}

object! {
    Installs, "an object with a record for each hash",
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(hash) = map.next_key::<Hash>()? {
            if !self.0.seen.insert(hash) {
                return Err(A::Error::custom(format_args!("{hash} has two records")));
            }
            let record: Record = map.next_value()?;
            self.0.add(hash, &record);
        }
        Ok(())
    }
}

/// A version, written as a number or as a text.
struct Version(u32);

impl<'de> Deserialize<'de> for Version {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct NumberOrText;

        impl Visitor<'_> for NumberOrText {
            type Value = Version;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a version such as 8 or \"8\"")
            }

            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<Version, E> {
                Ok(Version(u32::try_from(number).unwrap_or(u32::MAX)))
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Version, E> {
                text.parse().map(Version).map_err(|_| E::invalid_value(serde::de::Unexpected::Str(text), &self))
            }
        }

        deserializer.deserialize_any(NumberOrText)
    }
}

#[derive(Deserialize)]
struct Record {
    spec: Node,
    in_buildcache: Option<bool>,
}

/// What is read of a spec.
#[derive(Default)]
struct Node {
    is_external: bool,
    deps: Vec<Hash>,
}

impl<'de> Deserialize<'de> for Node {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NodeReader { may_be_wrapped: true }.deserialize(deserializer)
    }
}

/// Reads a spec. In version 5 it is wrapped: `{"zlib": {…}}`; wrapped once, so that no nesting is followed without end.
struct NodeReader {
    may_be_wrapped: bool,
}

impl<'de> DeserializeSeed<'de> for NodeReader {
    type Value = Node;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for NodeReader {
    type Value = Node;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a spec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node, A::Error> {
        let mut node = Node::default();
        let mut first: Option<&'de RawValue> = None;
        let mut keys = 0;
        while let Some(key) = map.next_key::<Text<'de>>()? {
            keys += 1;
            match &*key {
                "external" => node.is_external = map.next_value::<Something>()?.0,
                "dependencies" => node.deps = map.next_value::<Option<Deps>>()?.unwrap_or_default().0,
                "name" => _ = map.next_value::<IgnoredAny>()?,
                _ if keys == 1 && self.may_be_wrapped => first = Some(map.next_value()?),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        match first {
            Some(inner) if keys == 1 => {
                let mut inner = serde_json::Deserializer::from_str(inner.get());
                Self { may_be_wrapped: false }.deserialize(&mut inner).map_err(A::Error::custom)
            }
            _ => Ok(node),
        }
    }
}

/// Whether a value says anything, as Python asks: nothing, `false`, and what is empty say nothing.
struct Something(bool);

impl<'de> Deserialize<'de> for Something {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = <&'de RawValue>::deserialize(deserializer)?.get();
        let inside = text.trim_start_matches(['{', '[', '"']).trim_end_matches(['}', ']', '"']).trim();
        Ok(Self(!matches!(inside, "" | "null" | "false" | "0")))
    }
}

/// Dependencies: a list of objects with a `hash`, or in version 5 an object whose values have or are a hash.
#[derive(Default)]
struct Deps(Vec<Hash>);

impl<'de> Deserialize<'de> for Deps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ListOrObject;

        impl<'de> Visitor<'de> for ListOrObject {
            type Value = Deps;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("dependencies")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Deps, A::Error> {
                let mut deps = Vec::new();
                while let Some(Dep(hash)) = seq.next_element()? {
                    deps.push(hash);
                }
                Ok(Deps(deps))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Deps, A::Error> {
                let mut deps = Vec::new();
                while map.next_key::<IgnoredAny>()?.is_some() {
                    let Dep(hash) = map.next_value()?;
                    deps.push(hash);
                }
                Ok(Deps(deps))
            }
        }

        deserializer.deserialize_any(ListOrObject)
    }
}

/// One dependency in any of its forms: an object with a `hash`, a hash, or a hash and its types.
struct Dep(Hash);

impl<'de> Deserialize<'de> for Dep {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct AnyForm;

        impl<'de> Visitor<'de> for AnyForm {
            type Value = Dep;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a dependency with a hash")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Dep, E> {
                Hash::parse(text).map(Dep).map_err(E::custom)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Dep, A::Error> {
                let hash = seq.next_element()?.ok_or_else(|| A::Error::invalid_length(0, &self))?;
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Dep(hash))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Dep, A::Error> {
                let mut hash = None;
                while let Some(key) = map.next_key::<Text<'de>>()? {
                    if &*key == "hash" {
                        hash = Some(map.next_value()?);
                    } else {
                        map.next_value::<IgnoredAny>()?;
                    }
                }
                hash.map(Dep).ok_or_else(|| A::Error::missing_field("hash"))
            }
        }

        deserializer.deserialize_any(AnyForm)
    }
}
