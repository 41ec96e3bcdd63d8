//! What one cache holds: manifests, blobs, and the few objects beside them, each sorted as a bucket lists it.
//!
//! Nothing here has bytes until they are read. A manifest is its spec and who signed it; a tarball is a size and a name; an index is the list
//! of what was there when it was written.

use std::sync::Arc;

use super::super::nodes::Variant;
use super::super::rng::Rng;
use super::super::stacks::median_seconds;
use super::index::Index;
use super::manifest;
use super::metadata::{self, Metadata};
use super::pgp::{self, Keys};
use crate::ci::Timestamp;
use crate::spack::Hash;

/// A spec of a variant.
#[derive(Debug, Clone, Copy)]
pub struct SpecRef {
    pub variant: &'static Variant,
    pub at: u16,
}

impl SpecRef {
    pub fn hash(self) -> &'static str {
        self.variant.hash(self.at).map_or("", Hash::as_str)
    }

    /// Below the folder of spec manifests: `<name>/<name>-<version>-<hash>.spec.manifest.json`.
    pub fn file(self) -> String {
        let Some(spec) = self.variant.spec(self.at) else { return String::new() };
        format!("{0}/{0}-{1}-{2}.spec.manifest.json", spec.name, spec.version, self.hash())
    }

    /// Name and length of its metadata blob.
    pub fn metadata(self) -> Metadata {
        metadata::of(self.variant, self.at).unwrap_or(Metadata { sum: [0; 32], size: 0 })
    }
}

/// Name and length of the tarball that a build made.
pub fn tarball(spec: SpecRef, build: u64) -> ([u8; 32], u64) {
    let mut rng = Rng::of(build, "tarball", 0);
    let mut sum = [0; 32];
    for eight in sum.chunks_mut(8) {
        eight.copy_from_slice(&rng.next().to_be_bytes());
    }
    let package = spec.variant.spec(spec.at).map_or("", |spec| &spec.name);
    // What takes long to build is big; square roots are the same on every machine.
    let minutes = median_seconds(package) as f64 / 60.0;
    let usual = 22e6 * minutes * minutes.sqrt() * Rng::named(0, "size", spec.hash()).log_normal(0.55);
    (sum, (usual * (0.998 + 0.004 * rng.unit())) as u64)
}

/// Who vouches for a manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signed {
    Nobody,
    /// The key of build jobs.
    Intermediate,
    /// The key that users trust.
    Reputational,
}

/// What is wrong with a binary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Damage {
    /// Listed in the index, and its tarball is gone.
    NoTarball,
    /// Listed in the index, and its metadata is gone.
    NoMetadata,
    /// Listed in the index, and its manifest is gone.
    NoManifest,
    /// A digit of the manifest was changed after it was signed.
    Tampered,
    /// Signed by a key that nobody trusts.
    Stranger,
    /// Never signed, in a cache where everything is.
    Unsigned,
    /// The manifest breaks off in its signature.
    Truncated,
    /// The manifest has no bytes.
    Empty,
    /// Something stands before the signed text.
    Outside,
    /// The manifest of another spec of the same variant, signed well: its place and its build.
    Swapped(u16, u64),
}

/// A binary in a cache.
#[derive(Debug, Clone, Copy)]
pub struct Held {
    pub spec: SpecRef,
    /// Seeds everything that one build differs in from another.
    pub build: u64,
    /// When its blobs were written.
    pub pushed: Timestamp,
    /// When its manifest was.
    pub written: Timestamp,
    pub signed: Signed,
    /// What the signature says about its time; a copy says what the original says.
    pub signed_at: Timestamp,
    pub damage: Option<Damage>,
}

impl Held {
    /// What a build pushes at that moment.
    pub fn fresh(spec: SpecRef, build: u64, at: Timestamp, signed: Signed) -> Self {
        Self { spec, build, pushed: at, written: at, signed, signed_at: at, damage: None }
    }

    /// The same under the signature that users trust.
    pub fn trusted(self, at: Timestamp) -> Self {
        Self { written: at, signed: Signed::Reputational, signed_at: at, ..self }
    }

    /// Names and lengths of the blobs in its manifest, which are its own unless manifests were swapped.
    fn named(&self) -> (([u8; 32], u64), Metadata) {
        let (spec, build) = match self.damage {
            Some(Damage::Swapped(at, build)) => (SpecRef { at, ..self.spec }, build),
            _ => (self.spec, self.build),
        };
        (tarball(spec, build), spec.metadata())
    }

    fn is_signed(&self) -> bool {
        self.signed != Signed::Nobody && self.damage != Some(Damage::Unsigned)
    }

    /// The manifest, signed if it is.
    pub fn manifest(&self, keys: &Keys) -> String {
        let ((sum, size), metadata) = self.named();
        let text = manifest::of_spec((&sum, size), (&metadata.sum, metadata.size));
        if !self.is_signed() {
            return text;
        }
        let key = match (self.signed, self.damage) {
            (_, Some(Damage::Stranger)) => &keys.stranger,
            (Signed::Intermediate, _) => &keys.intermediate,
            _ => &keys.reputational,
        };
        let signed = key.sign(&text, self.signed_at);
        match self.damage {
            Some(Damage::Empty) => String::new(),
            Some(Damage::Tampered) => {
                let honest = manifest::hex(&sum);
                let digit = if honest.ends_with('0') { '1' } else { '0' };
                signed.replace(&honest, &format!("{}{digit}", honest.get(..63).unwrap_or_default()))
            }
            Some(Damage::Truncated) => signed.get(..signed.len() - CUT as usize).unwrap_or_default().to_owned(),
            Some(Damage::Outside) => format!("{text}\n{signed}"),
            _ => signed,
        }
    }

    /// How long the manifest is; nothing is signed for it.
    pub fn length(&self) -> u64 {
        let ((_, size), metadata) = self.named();
        let text = manifest::length_of_spec(size, metadata.size);
        match self.damage {
            _ if !self.is_signed() => text,
            Some(Damage::Empty) => 0,
            Some(Damage::Truncated) => text + pgp::OVERHEAD - CUT,
            Some(Damage::Outside) => 2 * text + 1 + pgp::OVERHEAD,
            _ => text + pgp::OVERHEAD,
        }
    }

    /// Whether `update-index` can read it.
    fn is_readable(&self) -> bool {
        !matches!(self.damage, Some(Damage::NoMetadata | Damage::Empty | Damage::Truncated | Damage::Outside))
    }
}

/// What a truncated manifest lacks.
const CUT: u64 = 90;

/// What a blob is made from.
#[derive(Debug, Clone)]
pub enum Bytes {
    /// Nothing but zeros: how tarballs are read.
    Zeros,
    Metadata(SpecRef),
    Index(Arc<Index>),
    /// As much of an index as was written.
    CutIndex(Arc<Index>),
    Text(Arc<[u8]>),
}

impl Bytes {
    pub fn text(text: impl Into<Vec<u8>>) -> Self {
        Self::Text(text.into().into())
    }
}

/// A blob.
#[derive(Debug, Clone)]
pub struct Blob {
    pub sum: [u8; 32],
    pub size: u64,
    pub modified: Timestamp,
    pub bytes: Bytes,
}

/// An object that is neither blob nor manifest of a spec.
#[derive(Debug, Clone)]
pub struct Other {
    /// Below the cache.
    pub key: String,
    pub size: u64,
    pub modified: Timestamp,
    pub bytes: Bytes,
}

/// Everything in one cache.
#[derive(Debug, Default)]
pub struct Contents {
    blobs: Vec<Blob>,
    specs: Vec<(String, Held)>,
    others: Vec<Other>,
}

/// The folders of blobs and of spec manifests.
pub const BLOBS: &str = "blobs/sha256/";
pub const SPECS: &str = "v3/manifests/spec/";
const INDEX: &str = "v3/manifests/index/index.manifest.json";

/// One of the three sorted lists of a cache.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Lane {
    Blobs,
    Specs,
    Others,
}

impl Lane {
    pub const ALL: [Self; 3] = [Self::Blobs, Self::Specs, Self::Others];
}

/// An object as a bucket lists it, without its key.
#[derive(Debug, Clone)]
pub struct Object<'a> {
    pub size: u64,
    pub modified: Timestamp,
    pub source: Source<'a>,
}

/// Where the bytes of an object come from.
#[derive(Debug, Clone)]
pub enum Source<'a> {
    Manifest(&'a Held),
    Bytes(&'a Bytes),
}

impl Contents {
    /// What a build, or a copy, leaves. A binary that is there already is replaced, blobs and all, as a forced push does it.
    pub fn push(&mut self, held: Held) {
        let found = self.place(held.spec);
        if let Ok(at) = found
            && let Some((_, old)) = self.specs.get(at)
        {
            let (sum, _) = tarball(old.spec, old.build);
            self.blobs.retain(|blob| blob.sum != sum);
        }
        self.push_blobs(&held);
        if held.damage == Some(Damage::NoManifest) {
            return;
        }
        match found {
            Ok(at) => {
                if let Some(slot) = self.specs.get_mut(at) {
                    slot.1 = held;
                }
            }
            Err(at) => self.specs.insert(at, (held.spec.file(), held)),
        }
    }

    /// What is uploaded before the manifest.
    pub fn push_blobs(&mut self, held: &Held) {
        let (sum, size) = tarball(held.spec, held.build);
        if held.damage != Some(Damage::NoTarball) {
            let modified = held.pushed.shifted(-1_500 - (size / 60_000) as i64);
            self.put(Blob { sum, size, modified, bytes: Bytes::Zeros });
        }
        if held.damage != Some(Damage::NoMetadata) {
            let metadata = held.spec.metadata();
            let (modified, bytes) = (held.pushed.shifted(-600), Bytes::Metadata(held.spec));
            self.put(Blob { sum: metadata.sum, size: metadata.size.into(), modified, bytes });
        }
    }

    /// All of it at once, which is faster than one after the other.
    pub fn fill(&mut self, all: impl IntoIterator<Item = Held>) {
        let mut blobs = Self::default();
        for held in all {
            blobs.blobs.clear();
            blobs.push_blobs(&held);
            self.blobs.append(&mut blobs.blobs);
            if held.damage != Some(Damage::NoManifest) {
                self.specs.push((held.spec.file(), held));
            }
        }
        self.blobs.sort_by_key(|blob| blob.sum);
        self.blobs.dedup_by_key(|blob| blob.sum);
        self.specs.sort_by(|a, b| a.0.cmp(&b.0));
        self.specs.dedup_by(|a, b| a.0 == b.0);
    }

    /// The sign job: everything that build jobs have signed gets the signature that users trust.
    pub fn sign(&mut self, at: Timestamp) {
        for (_, held) in &mut self.specs {
            if held.signed == Signed::Intermediate {
                *held = held.trusted(at);
            }
        }
    }

    /// Writes the index of what is there now. The blob of the one before stays.
    pub fn index(&mut self, at: Timestamp) {
        let index = Arc::new(Index::new(self.held().filter(|held| held.is_readable()).map(|held| held.spec)));
        self.put_index(index, at);
    }

    /// Writes an index.
    pub fn put_index(&mut self, index: Arc<Index>, at: Timestamp) {
        let (sum, size) = index.name();
        let manifest = manifest::of_index(&sum, size);
        self.put(Blob { sum, size, modified: at.shifted(-900), bytes: Bytes::Index(index) });
        self.put_other(INDEX, at, Bytes::text(manifest));
    }

    pub fn put(&mut self, blob: Blob) {
        match self.blobs.binary_search_by(|old| old.sum.cmp(&blob.sum)) {
            Ok(at) => {
                if let Some(slot) = self.blobs.get_mut(at) {
                    *slot = blob;
                }
            }
            Err(at) => self.blobs.insert(at, blob),
        }
    }

    /// An object with its bytes.
    pub fn put_other(&mut self, key: &str, modified: Timestamp, bytes: Bytes) {
        let size = if let Bytes::Text(text) = &bytes { text.len() as u64 } else { 0 };
        self.put_sized(key, modified, bytes, size);
    }

    /// An object without bytes of its own.
    pub fn put_sized(&mut self, key: &str, modified: Timestamp, bytes: Bytes, size: u64) {
        let other = Other { key: key.to_owned(), size, modified, bytes };
        match self.others.binary_search_by(|old| old.key.as_str().cmp(key)) {
            Ok(at) => {
                if let Some(slot) = self.others.get_mut(at) {
                    *slot = other;
                }
            }
            Err(at) => self.others.insert(at, other),
        }
    }

    /// Cuts the newest index as an upload that broke off does, or loses it.
    pub fn damage_index(&mut self, is_lost: bool) {
        let is_index = |blob: &&mut Blob| matches!(blob.bytes, Bytes::Index(_));
        let Some(newest) = self.blobs.iter_mut().filter(is_index).max_by_key(|blob| blob.modified) else { return };
        if is_lost {
            let sum = newest.sum;
            self.blobs.retain(|blob| blob.sum != sum);
        } else if let Bytes::Index(index) = &newest.bytes {
            newest.bytes = Bytes::CutIndex(index.clone());
            newest.size = newest.size * 3 / 5;
        }
    }

    /// Takes the index manifest away.
    pub fn forget_index(&mut self) {
        self.others.retain(|other| other.key != INDEX);
    }

    /// The binaries, in the order of their manifests.
    pub fn held(&self) -> impl Iterator<Item = &Held> {
        self.specs.iter().map(|(_, held)| held)
    }

    fn place(&self, spec: SpecRef) -> Result<usize, usize> {
        let file = spec.file();
        self.specs.binary_search_by(|(old, _)| old.as_str().cmp(&file))
    }

    /// Holds a binary of that spec.
    pub fn has(&self, spec: SpecRef) -> bool {
        self.place(spec).is_ok()
    }

    /// Where, in a lane, the first key is that does not come before `key`, which is below the cache.
    pub fn seek(&self, lane: Lane, key: &str) -> usize {
        match lane {
            Lane::Blobs => self.blobs.partition_point(|blob| *blob_key(&blob.sum) < *key),
            Lane::Specs => match key.strip_prefix(SPECS) {
                Some(file) => self.specs.partition_point(|(old, _)| old.as_str() < file),
                None if key < SPECS => 0,
                None => self.specs.len(),
            },
            Lane::Others => self.others.partition_point(|other| other.key.as_str() < key),
        }
    }

    /// The key at a place, below `root`.
    pub fn key(&self, lane: Lane, at: usize, root: &str) -> Option<String> {
        Some(match lane {
            Lane::Blobs => [root, &blob_key(&self.blobs.get(at)?.sum)].concat(),
            Lane::Specs => [root, SPECS, &self.specs.get(at)?.0].concat(),
            Lane::Others => [root, &self.others.get(at)?.key].concat(),
        })
    }

    /// The object at a place.
    pub fn object(&self, lane: Lane, at: usize) -> Option<Object<'_>> {
        Some(match lane {
            Lane::Blobs => {
                let blob = self.blobs.get(at)?;
                Object { size: blob.size, modified: blob.modified, source: Source::Bytes(&blob.bytes) }
            }
            Lane::Specs => {
                let (_, held) = self.specs.get(at)?;
                Object { size: held.length(), modified: held.written, source: Source::Manifest(held) }
            }
            Lane::Others => {
                let other = self.others.get(at)?;
                Object { size: other.size, modified: other.modified, source: Source::Bytes(&other.bytes) }
            }
        })
    }
}

/// Where a blob is, below its cache.
pub fn blob_key(sum: &[u8; 32]) -> String {
    let name = manifest::hex(sum);
    [BLOBS, name.get(..2).unwrap_or_default(), "/", &name].concat()
}
