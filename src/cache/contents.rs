//! What one cache root holds: the facts from which health, keep lists and prune plans are judged.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Signature;
use crate::ci::Timestamp;
use crate::spack::Hash;
use crate::spack::buildcache::{Catalogue, Checksum, split};

/// What lies in one root of layout 3. Everything is sorted, so that equal caches give equal judgements.
#[derive(Debug, Clone, Default)]
pub struct Contents {
    /// Sorted by path.
    pub manifests: Vec<SpecManifest>,
    /// The default index first, then its views by name.
    pub indexes: Vec<IndexManifest>,
    /// Of public keys, and their index. Sorted by path.
    pub keys: Vec<KeyManifest>,
    /// Sorted by checksum.
    pub blobs: Vec<Blob>,
    /// What could not be listed or read. With a gap, nothing that is missing here is known to be missing.
    pub gaps: Vec<Gap>,
    /// Objects below the root that belong to no known layout, as far as somebody looked: their number, their bytes, the first few paths.
    pub foreign: Foreign,
    /// `layout.json`.
    pub layout: Amount,
    /// Objects of layout 2 beside this one.
    pub v2: Amount,
    /// The server's clock when listing began; `None` where the mirror tells none.
    pub listed_at: Option<Timestamp>,
    /// How far the server's clock is ahead of ours, in milliseconds.
    pub skew_ms: Option<i64>,
}

/// How many objects, and how many bytes they have.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amount {
    pub objects: u64,
    pub bytes: u64,
}

/// Objects of no known layout.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Foreign {
    pub amount: Amount,
    /// The first few, in order.
    pub paths: Vec<Arc<str>>,
}

/// The manifest of a binary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SpecManifest {
    /// Below the root.
    pub path: Arc<str>,
    /// From the name; `None` where that has no valid one.
    pub hash: Option<Hash>,
    pub bytes: u64,
    pub modified: Option<Timestamp>,
    /// The server's word for this version of the object.
    pub tag: Option<Arc<str>>,
    pub reading: Reading,
    /// `None` while nobody verified it.
    pub signature: Option<Signature>,
}

/// What a manifest said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reading {
    /// Nobody looked.
    Unread,
    /// It was read, and is of no use; the reason.
    Damaged(Arc<str>),
    /// It could not be read, which says nothing about it; the reason.
    Failed(Arc<str>),
    Read {
        tarball: Option<BlobRef>,
        spec: Option<BlobRef>,
        /// What else it names. Nobody knows what it is for, yet it is needed.
        others: Vec<BlobRef>,
        /// It is clear-signed; by whom, and whether the signature is good, is not said.
        is_signed: bool,
    },
}

/// A blob, as a manifest names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlobRef {
    pub sum: Checksum,
    /// Bytes, as stored.
    pub bytes: u64,
}

/// The manifest of an index or of one of its views, and the index itself.
#[derive(Debug, Clone)]
pub struct IndexManifest {
    pub path: Arc<str>,
    /// `None` for the default index.
    pub view: Option<Arc<str>>,
    pub modified: Option<Timestamp>,
    /// The server's word for this version of the manifest; another one means that the index was written anew.
    pub tag: Option<Arc<str>>,
    pub bytes: u64,
    pub blob: Option<BlobRef>,
    /// What else it names.
    pub others: Vec<BlobRef>,
    pub state: IndexState,
}

/// What an index said.
#[derive(Debug, Clone)]
pub enum IndexState {
    Unread,
    /// Its manifest names a blob that is not there.
    Dangling,
    /// Written by a newer Spack, with this version of its database.
    TooNew(u32),
    /// Corrupt, or of another checksum; the reason.
    Damaged(Arc<str>),
    /// It could not be read, which says nothing about it; the reason.
    Failed(Arc<str>),
    Read(Arc<Catalogue>),
}

/// The manifest of a public key, or of the index of keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyManifest {
    pub path: Arc<str>,
    pub bytes: u64,
    pub modified: Option<Timestamp>,
    /// What it names; `None` where it could not be read.
    pub blobs: Option<Vec<BlobRef>>,
}

/// A blob that lies there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blob {
    pub sum: Checksum,
    /// Bytes, as stored.
    pub bytes: u64,
    pub modified: Option<Timestamp>,
}

/// Something that could not be listed or read, so that nothing is known about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gap {
    /// A path below the root, or a prefix that ends with `/`.
    pub place: Arc<str>,
    pub why: Arc<str>,
}

impl Gap {
    /// Whether what is not known, by its place below a mirror, may belong to the root at a prefix.
    pub fn touches(&self, root: &str) -> bool {
        match split(&self.place) {
            Some((owner, _)) => owner == root,
            None => root.starts_with(&*self.place) || self.place.starts_with(root),
        }
    }
}

impl Contents {
    /// The blob of a checksum, if it lies there.
    pub fn blob(&self, sum: Checksum) -> Option<&Blob> {
        self.blobs.binary_search_by_key(&sum, |blob| blob.sum).ok().and_then(|at| self.blobs.get(at))
    }

    /// The default index.
    pub fn index(&self) -> Option<&IndexManifest> {
        self.indexes.iter().find(|index| index.view.is_none())
    }

    /// What the default index lists, where it could be read.
    pub fn catalogue(&self) -> Option<&Arc<Catalogue>> {
        self.index().and_then(|index| match &index.state {
            IndexState::Read(catalogue) => Some(catalogue),
            _ => None,
        })
    }
}
