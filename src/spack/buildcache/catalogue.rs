//! A whole index: which specs it lists, and what each needs.

use std::collections::HashSet;
use std::fmt;
use std::sync::Arc;

use super::records::{Record, stream};
use super::{IndexError, Listed, MAX_INDEX, unpack};
use crate::spack::{Hash, Seals};

/// Every record of an index. Small: a hundred thousand specs are some ten megabytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Of the database: 5 to 8.
    pub version: u32,
    /// Sorted by hash.
    entries: Vec<Entry>,
    seals: Seals,
    unrecorded: Vec<Hash>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub hash: Hash,
    pub name: Arc<str>,
    pub version: Arc<str>,
    pub listed: Listed,
    /// Over every dependency type, but for those that have no record.
    pub deps: Deps,
}

/// The dependencies of one record: hashes, sorted, each once. They are kept as places in their catalogue.
#[derive(Clone)]
pub struct Deps {
    table: Arc<Table>,
    begin: u32,
    end: u32,
}

/// What all records of a catalogue share.
#[derive(Default)]
struct Table {
    /// Sorted: of each entry.
    hashes: Vec<Hash>,
    /// For one entry after the other, the places of its dependencies.
    places: Vec<u32>,
}

impl Deps {
    /// The hashes.
    pub fn iter(&self) -> impl Iterator<Item = &Hash> {
        // Every place is that of an entry, so that none is passed over.
        self.places().iter().filter_map(|place| self.table.hashes.get(*place as usize))
    }

    /// Where the dependencies stand in [`Catalogue::entries`], for those who follow many of them.
    pub fn places(&self) -> &[u32] {
        self.table.places.get(self.begin as usize..self.end as usize).unwrap_or_default()
    }

    pub fn len(&self) -> usize {
        self.places().len()
    }

    pub fn is_empty(&self) -> bool {
        self.places().is_empty()
    }

    pub fn contains(&self, hash: &Hash) -> bool {
        self.iter().any(|dep| dep == hash)
    }
}

impl PartialEq for Deps {
    fn eq(&self, other: &Self) -> bool {
        self.iter().eq(other.iter())
    }
}

impl Eq for Deps {}

impl fmt::Debug for Deps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.iter()).finish()
    }
}

/// A record whose dependencies are still in the order of the file.
struct Draft {
    hash: Hash,
    place: u32,
    name: Arc<str>,
    version: Arc<str>,
    listed: Listed,
    begin: usize,
    end: usize,
}

impl Catalogue {
    /// Reads an index, packed or plain, and holds every node against its hash. What follows the first JSON value is not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, IndexError> {
        let bytes = unpack(bytes, MAX_INDEX)?;
        let mut texts = HashSet::new();
        let (mut drafts, mut named) = (Vec::new(), Vec::new());
        let mut seals = Seals::default();
        let whole = stream(&bytes, &mut |record: &Record<'_>| {
            let name = record.node.name.as_deref().ok_or("has no name")?;
            let version = record.node.version.as_deref().ok_or("has no version")?;
            if record.node.is_wrapped {
                seals.add_unprovable(record.hash);
            } else {
                // A node that cannot be found again, because its first key is written with escapes, is none of Spack's.
                seals.add(record.node.json(&bytes).unwrap_or_default(), record.hash);
            }
            let begin = named.len();
            named.extend_from_slice(record.deps);
            drafts.push(Draft {
                hash: record.hash,
                place: record.place,
                name: share(&mut texts, name),
                version: share(&mut texts, version),
                listed: record.listed,
                begin,
                end: named.len(),
            });
            Ok(())
        })?;
        drafts.sort_unstable_by_key(|draft| draft.hash);
        Ok(Self {
            version: whole.version,
            entries: entries(drafts, &named, whole.places),
            seals: seals.sorted(),
            unrecorded: whole.unrecorded,
        })
    }

    /// Every record, sorted by hash.
    pub fn entries(&self) -> &[Entry] {
        &self.entries
    }

    /// The record of a spec.
    pub fn get(&self, hash: &Hash) -> Option<&Entry> {
        self.entries.binary_search_by_key(hash, |entry| entry.hash).ok().and_then(|at| self.entries.get(at))
    }

    /// Records whose node does not give the hash that it stands under, sorted.
    pub fn forged(&self) -> &[Hash] {
        &self.seals.forged
    }

    /// Dependencies that the index names without a record of their own, sorted. What they need is not known.
    pub fn unrecorded(&self) -> &[Hash] {
        &self.unrecorded
    }

    /// Records of which nobody can tell whether they are forged, since they are of an older form; sorted.
    pub fn unprovable(&self) -> &[Hash] {
        &self.seals.unprovable
    }
}

/// Names and versions repeat: equal texts are one.
fn share(texts: &mut HashSet<Arc<str>>, text: &str) -> Arc<str> {
    if let Some(known) = texts.get(text) {
        return Arc::clone(known);
    }
    let text: Arc<str> = text.into();
    texts.insert(Arc::clone(&text));
    text
}

/// Gives sorted drafts their dependencies: from places by first mention to places in order.
fn entries(drafts: Vec<Draft>, named: &[u32], places: usize) -> Vec<Entry> {
    let mut order: Vec<Option<u32>> = vec![None; places];
    for (at, draft) in drafts.iter().enumerate() {
        if let Some(slot) = order.get_mut(draft.place as usize) {
            *slot = Some(at as u32);
        }
    }
    let mut table = Table { hashes: drafts.iter().map(|draft| draft.hash).collect(), places: Vec::new() };
    table.places.reserve_exact(named.len());
    let mut own = Vec::new();
    let bounds: Vec<(u32, u32)> = drafts
        .iter()
        .map(|draft| {
            let places = named.get(draft.begin..draft.end).unwrap_or_default();
            own.clear();
            own.extend(places.iter().filter_map(|place| order.get(*place as usize).copied().flatten()));
            own.sort_unstable();
            own.dedup();
            let begin = table.places.len() as u32;
            table.places.extend_from_slice(&own);
            (begin, table.places.len() as u32)
        })
        .collect();
    let table = Arc::new(table);
    let entry = |(draft, (begin, end)): (Draft, (u32, u32))| {
        let deps = Deps { table: Arc::clone(&table), begin, end };
        Entry { hash: draft.hash, name: draft.name, version: draft.version, listed: draft.listed, deps }
    };
    drafts.into_iter().zip(bounds).map(entry).collect()
}
