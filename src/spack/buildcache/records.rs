//! Streams through the records of an index: `{"database": {"version", "installs": {hash: {"spec", "in_buildcache"}}}}`.
//!
//! Everything is borrowed from the bytes and forgotten at once, except for the hashes that are needed to see that no dependency lacks its
//! record. Nodes have several forms, one for each version; only what is needed of them is read. These are the only rules about the form of an
//! index: [`super::read_index`] and [`super::Catalogue`] choose what they keep.

use std::collections::HashMap;
use std::fmt;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error as _, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::index::{IndexError, Listed, OLDEST};
use super::{NEWEST_INDEX, cut};
use crate::spack::Hash;
use crate::spack::wire::Text;

/// One record. Hashes have places: numbers from 0 in the order in which they were first named, be it as a record or as a dependency.
pub(super) struct Record<'a> {
    pub hash: Hash,
    pub place: u32,
    pub listed: Listed,
    pub node: &'a Node<'a>,
    /// The places of its dependencies, as often as they are named.
    pub deps: &'a [u32],
}

/// What is known at the end.
pub(super) struct Whole {
    /// Of the database.
    pub version: u32,
    /// How many records there were.
    pub total: usize,
    /// How many places there are: one for each hash that was named.
    pub places: usize,
    /// Dependencies without a record of their own, sorted.
    pub unrecorded: Vec<Hash>,
}

/// Hands on every record of an index that was unpacked. What was handed on counts for nothing when an error follows.
pub(super) fn stream(
    bytes: &[u8],
    take: &mut dyn FnMut(&Record<'_>) -> Result<(), String>,
) -> Result<Whole, IndexError> {
    let mut reading = Reading::new(take, true);
    let outcome = reading.run(bytes);
    if let (None, Err(_)) = (reading.version, &outcome) {
        // The version may stand behind what cannot be read because of it.
        let mut nothing = |_: &Record<'_>| Ok(());
        let mut probe = Reading::new(&mut nothing, false);
        if let (Err(_), Some(fault)) = (probe.run(bytes), probe.fault) {
            return Err(fault);
        }
    }
    if let Some(fault) = reading.fault {
        return Err(fault);
    }
    outcome.map_err(|error| IndexError::Corrupt(cut(&error.to_string())))?;
    let version = reading.version.ok_or_else(|| IndexError::Corrupt("it has no version".to_owned()))?;
    let places = reading.has_record.len();
    let total = reading.has_record.iter().filter(|has| **has).count();
    let mut unrecorded = Vec::new();
    if total < places {
        let has_no_record = |place: &u32| !reading.has_record.get(*place as usize).copied().unwrap_or_default();
        unrecorded.extend(reading.places.iter().filter(|(_, place)| has_no_record(place)).map(|(hash, _)| *hash));
        unrecorded.sort_unstable();
    }
    Ok(Whole { version, total, places, unrecorded })
}

/// What is known so far.
struct Reading<'w> {
    take: &'w mut dyn FnMut(&Record<'_>) -> Result<(), String>,
    /// Otherwise only the version is looked for.
    with_installs: bool,
    version: Option<u32>,
    places: HashMap<Hash, u32>,
    /// By place.
    has_record: Vec<bool>,
    /// Of the record that is being read.
    deps: Vec<u32>,
    /// Why reading was broken off, where that is more than a fault of the JSON.
    fault: Option<IndexError>,
}

impl<'w> Reading<'w> {
    fn new(take: &'w mut dyn FnMut(&Record<'_>) -> Result<(), String>, with_installs: bool) -> Self {
        Self {
            take,
            with_installs,
            version: None,
            places: HashMap::new(),
            has_record: Vec::new(),
            deps: Vec::new(),
            fault: None,
        }
    }

    fn run(&mut self, bytes: &[u8]) -> Result<(), serde_json::Error> {
        Document(self).deserialize(&mut serde_json::Deserializer::from_slice(bytes))
    }

    fn place(&mut self, hash: Hash) -> u32 {
        let next = self.has_record.len() as u32;
        let place = *self.places.entry(hash).or_insert(next);
        if place == next {
            self.has_record.push(false);
        }
        place
    }

    /// Marks that a hash has its record; `None` if it had one already.
    fn begin(&mut self, hash: Hash) -> Option<u32> {
        let place = self.place(hash);
        let is_marked = self.has_record.get_mut(place as usize)?;
        (!std::mem::replace(is_marked, true)).then_some(place)
    }

    fn add(&mut self, hash: Hash, place: u32, wire: &Wire<'_>) -> Result<(), String> {
        let node = &wire.spec;
        let listed = Listed { in_buildcache: wire.in_buildcache.unwrap_or_default(), external: node.is_external };
        let mut deps = std::mem::take(&mut self.deps);
        deps.clear();
        deps.extend(node.deps.iter().map(|dep| self.place(*dep)));
        let taken = (self.take)(&Record { hash, place, listed, node, deps: &deps });
        self.deps = deps;
        taken
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
        let reading = self.0;
        while let Some(hash) = map.next_key::<Hash>()? {
            let Some(place) = reading.begin(hash) else {
                return Err(A::Error::custom(format_args!("{hash} has two records")));
            };
            let wire: Wire<'de> = map.next_value()?;
            let taken = reading.add(hash, place, &wire);
            taken.map_err(|what| A::Error::custom(format_args!("{hash} {what}")))?;
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
struct Wire<'a> {
    #[serde(borrow)]
    spec: Node<'a>,
    in_buildcache: Option<bool>,
}

/// What is read of a spec.
#[derive(Default)]
pub(super) struct Node<'a> {
    pub name: Option<Text<'a>>,
    pub version: Option<Text<'a>>,
    is_external: bool,
    /// It is the value of an object whose only key is its name, as in version 5.
    pub is_wrapped: bool,
    deps: Vec<Hash>,
    /// Its first key.
    first: Option<Text<'a>>,
    /// The value of `hash`, where that is its last key.
    last: Option<Text<'a>>,
}

impl Node<'_> {
    /// The JSON of the node, in the bytes that it was read from. It was not kept, but its first key lies there, and so may its last value.
    pub fn json<'b>(&self, bytes: &'b [u8]) -> Option<&'b str> {
        let place = |text: &Text<'_>| {
            let at = text.borrowed()?.as_ptr().addr().checked_sub(bytes.as_ptr().addr())?;
            (at + text.len() < bytes.len()).then_some(at)
        };
        let before = bytes.get(..place(self.first.as_ref()?)?)?.strip_suffix(b"\"")?.trim_ascii_end();
        let from = bytes.get(before.len().checked_sub(1)?..)?;
        if let Some(last) = &self.last
            && let Some(end) = (place(last)? + last.len() + 2).checked_sub(before.len() - 1)
            && let Some(json) = from.get(..end).filter(|json| json.ends_with(b"\"}"))
        {
            return std::str::from_utf8(json).ok();
        }
        let mut values = serde_json::Deserializer::from_slice(from).into_iter::<&RawValue>();
        values.next()?.ok().map(RawValue::get)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Node<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        NodeReader { may_be_wrapped: true }.deserialize(deserializer)
    }
}

/// Reads a spec. In version 5 it is wrapped: `{"zlib": {…}}`; wrapped once, so that no nesting is followed without end.
struct NodeReader {
    may_be_wrapped: bool,
}

impl<'de> DeserializeSeed<'de> for NodeReader {
    type Value = Node<'de>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Node<'de>, D::Error> {
        deserializer.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for NodeReader {
    type Value = Node<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a spec")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Node<'de>, A::Error> {
        let mut node = Node::default();
        let mut first: Option<(Text<'de>, &'de RawValue)> = None;
        let mut keys = 0;
        let mut seen = [false; KNOWN.len()];
        while let Some(key) = map.next_key::<Text<'de>>()? {
            keys += 1;
            if keys == 1 {
                node.first = Some(key.clone());
            }
            node.last = None;
            // Readers differ in which of two equal keys they believe.
            let known = KNOWN.iter().zip(&mut seen).find(|(known, _)| **known == &*key);
            if let Some((known, seen)) = known
                && std::mem::replace(seen, true)
            {
                return Err(A::Error::custom(format_args!("a spec has the key `{known}` twice")));
            }
            match &*key {
                "name" => node.name = map.next_value()?,
                "version" => node.version = map.next_value()?,
                "external" => node.is_external = map.next_value::<Something>()?.0,
                "hash" => node.last = map.next_value()?,
                "dependencies" => node.deps = map.next_value::<Option<Deps>>()?.unwrap_or_default().0,
                _ if keys == 1 && self.may_be_wrapped => first = Some((key, map.next_value()?)),
                _ => _ = map.next_value::<IgnoredAny>()?,
            }
        }
        match first {
            Some((name, inner)) if keys == 1 => {
                let mut inner = serde_json::Deserializer::from_str(inner.get());
                let mut node = Self { may_be_wrapped: false }.deserialize(&mut inner).map_err(A::Error::custom)?;
                node.is_wrapped = true;
                node.name.get_or_insert(name);
                Ok(node)
            }
            _ => Ok(node),
        }
    }
}

/// Keys of a spec that must not occur twice.
const KNOWN: [&str; 5] = ["name", "version", "dependencies", "hash", "external"];

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
