//! A whole index: which specs it lists, and what each needs.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::{IndexError, Listed, MAX_INDEX, NEWEST_INDEX, unpack};
use crate::spack::Hash;

/// Every record of an index. Small: a hundred thousand specs are some ten megabytes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Catalogue {
    /// Of the database: 5 to 8.
    pub version: u32,
    /// Sorted by hash.
    entries: Vec<Entry>,
    /// Records whose node does not give the hash that it stands under, sorted.
    forged: Vec<Hash>,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub hash: Hash,
    pub name: Arc<str>,
    pub version: Arc<str>,
    pub listed: Listed,
    /// Over every dependency type, sorted.
    pub deps: Vec<Hash>,
}

impl Catalogue {
    /// Reads an index, packed or plain. What follows the first JSON value is not looked at.
    pub fn read(bytes: &[u8]) -> Result<Self, IndexError> {
        #[derive(Deserialize)]
        struct Wire<'a> {
            #[serde(borrow)]
            database: Database<'a>,
        }
        #[derive(Deserialize)]
        struct Database<'a> {
            #[serde(borrow)]
            version: &'a RawValue,
            installs: std::collections::BTreeMap<String, Record>,
        }
        #[derive(Deserialize)]
        struct Record {
            spec: Node,
            #[serde(default)]
            in_buildcache: bool,
        }
        #[derive(Deserialize)]
        struct Node {
            name: String,
            version: String,
            external: Option<serde_json::Value>,
            #[serde(default)]
            dependencies: Vec<Dep>,
        }
        #[derive(Deserialize)]
        struct Dep {
            hash: Hash,
        }
        let bytes = unpack(bytes, MAX_INDEX)?;
        let corrupt = |what: String| IndexError::Corrupt(what);
        let wire: Wire = serde_json::from_slice(&bytes).map_err(|error| corrupt(error.to_string()))?;
        let version = wire.database.version.get().trim_matches('"').parse().unwrap_or(u32::MAX);
        if version > NEWEST_INDEX {
            return Err(IndexError::TooNew { found: version });
        }
        let mut entries = Vec::new();
        for (hash, record) in wire.database.installs {
            let hash = Hash::parse(&hash).map_err(|error| corrupt(error.to_string()))?;
            let mut deps: Vec<Hash> = record.spec.dependencies.iter().map(|dep| dep.hash).collect();
            deps.sort_unstable();
            deps.dedup();
            let listed = Listed { in_buildcache: record.in_buildcache, external: record.spec.external.is_some() };
            let (name, version) = (record.spec.name.into(), record.spec.version.into());
            entries.push(Entry { hash, name, version, listed, deps });
        }
        Ok(Self { version, entries, forged: Vec::new() })
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
        &self.forged
    }
}
