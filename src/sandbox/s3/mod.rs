//! The practice world's buckets, and the S3 that serves them.
//!
//! `spack-binaries` holds the protected caches: one for each stack under `develop`, the published ones at the top of `develop`, a release, a
//! snapshot. `spack-binaries-prs` holds those of pull requests. All of it follows from the seed and from what the clockwork has let happen: a
//! build job that succeeds pushes its binary, a sign job signs again what its stack has, a rebuild-index job writes the index anew and leaves
//! the old blob behind; every three hours what the stacks have is published at the top.
//!
//! What is real: every key and its layout, manifests and their signatures, metadata, indexes, and the DAG hash of every node. What is not:
//! **tarballs are sparse**. They have a size and a name of the right form, but reading one gives zeros, so its checksum is wrong; they say so
//! in their metadata (`x-amz-meta-sparse`). `ETag`s are no MD5 sums, as those of encrypted buckets are none. What was deleted leaves no version.
//!
//! * `fill`: what the caches begin with, and what is wrong there; `cache`: one of them; `contents`: its objects.
//! * `index`, `manifest`, `metadata`, `pgp`, `legacy`: the bytes of Spack's formats, made when they are read.
//! * `listing`: pages; `service`: S3's operations; `server`: the socket, with faults.

mod cache;
mod contents;
mod fill;
mod index;
mod legacy;
mod listing;
mod manifest;
mod metadata;
mod pgp;
mod prefixes;
mod server;
mod service;

use std::collections::{BTreeMap, BTreeSet};

use super::SandboxError;
use super::nodes::Age;
use super::plan::{Access, Role};
use super::rng::Rng;
use super::stacks::STACKS;
use super::world::{EPOCH, World};
use crate::ci::Timestamp;
use cache::{Cache, Event, Recipe, publication_after};
use contents::{Bytes, Held, Lane, Object, Signed, Source as From, SpecRef};
pub use listing::Listed;
use listing::{Ask, Entry, Page};
pub use metadata::Metadata;
use pgp::Keys;
pub use server::{Endpoint, S3};

/// The bucket of protected caches.
pub const PROTECTED: &str = "spack-binaries";
/// The bucket of pull requests' caches.
pub const PULL_REQUESTS: &str = "spack-binaries-prs";
/// Both buckets.
pub const BUCKETS: [&str; 2] = [PROTECTED, PULL_REQUESTS];

/// All buckets at one moment.
pub struct Storage {
    seed: u64,
    keys: Keys,
    protected: Vec<Cache>,
    pull_requests: Vec<Cache>,
    /// How many of the world's jobs have been looked at, and of its pipelines.
    landed: usize,
    opened: usize,
    /// What tonight's pipeline builds of a stack, with when it was built.
    tonight: BTreeMap<usize, BTreeMap<u16, Option<Timestamp>>>,
    now: Timestamp,
    published_at: Timestamp,
    /// By stack, what was pushed and waits for its signature, and what was signed and is not published.
    unsigned: BTreeMap<usize, Vec<Held>>,
    unpublished: BTreeMap<usize, Vec<Held>>,
}

/// The body of an object.
pub enum Body {
    Bytes(Vec<u8>),
    Zeros,
}

/// Everything about an object but its bytes.
#[derive(Debug, Clone)]
pub struct About {
    pub size: u64,
    pub modified: Timestamp,
    pub etag: String,
    pub is_sparse: bool,
}

impl Storage {
    /// The buckets of a world, as they are now.
    pub fn of(world: &World) -> Result<Self, SandboxError> {
        let seed = world.seed();
        let mut tonight = BTreeMap::new();
        for (stack, about) in (0..).zip(STACKS) {
            let places = prefixes::tonight(world, stack, about)?.into_iter().map(|place| (place, None));
            tonight.insert(stack, places.collect());
        }
        let mut storage = Self {
            seed,
            keys: Keys::of(seed).ok_or(SandboxError::Keys)?,
            protected: prefixes::protected(world)?,
            pull_requests: prefixes::pull_requests(world)?,
            landed: 0,
            opened: 0,
            tonight,
            now: EPOCH,
            published_at: publication_after(EPOCH),
            unsigned: BTreeMap::new(),
            unpublished: BTreeMap::new(),
        };
        storage.catch_up(world)?;
        Ok(storage)
    }

    /// Lets happen what the world's jobs have done since.
    pub fn catch_up(&mut self, world: &World) -> Result<(), SandboxError> {
        let landed = world.landed().get(self.landed..).unwrap_or_default();
        self.landed += landed.len();
        for id in landed {
            let Some(job) = world.job(*id) else { continue };
            let (pipeline, entry) = (world.pipeline_of(job), world.entry_of(job));
            let (Some(stack), Some(at)) = (pipeline.plan.stack, job.finished_at) else { continue };
            let Some(about) = STACKS.get(stack) else { continue };
            self.publish_until(at);
            let is_protected = pipeline.access == Access::Protected;
            let cache = if is_protected {
                cache_at(&mut self.protected, &prefixes::develop(about), stack, at)
            } else {
                cache_at(&mut self.pull_requests, &prefixes::change(&pipeline.git_ref, about), stack, at)
            };
            match (entry.role, &entry.work) {
                (Role::Build, Some(work)) => {
                    let variant = about.specs(Age::Current)?;
                    let found = crate::spack::Hash::parse(&work.hash).ok().and_then(|hash| variant.find(&hash));
                    let Some(spec) = found.map(|at| SpecRef { variant, at }) else { continue };
                    let signed = if is_protected { Signed::Intermediate } else { Signed::Nobody };
                    let held = Held::fresh(spec, world.dice("binary", *id).next(), at, signed);
                    if is_protected {
                        if let Some(built) = self.tonight.get_mut(&stack).and_then(|all| all.get_mut(&spec.at)) {
                            built.get_or_insert(at);
                        }
                        let unsigned = self.unsigned.entry(stack).or_default();
                        // A binary that was pushed again took the place of the other.
                        unsigned.retain(|other| other.spec.hash() != spec.hash());
                        unsigned.push(held);
                    }
                    cache.happen(Event::Push(held));
                }
                (Role::Sign, _) => {
                    let signed = self.unsigned.remove(&stack).unwrap_or_default();
                    self.unpublished.entry(stack).or_default().extend(signed.iter().map(|held| held.trusted(at)));
                    cache.happen(Event::Sign(at));
                }
                (Role::Reindex, _) => cache.happen(Event::Index(at)),
                _ => {}
            }
        }
        self.take_for_granted(world)?;
        self.now = self.now.max(world.now());
        self.publish_until(self.now);
        let now = self.now;
        self.pull_requests.retain(|cache| cache.gone_at.is_none_or(|gone| gone > now));
        Ok(())
    }

    /// A plan takes for granted whatever it does not build. What its jobs install and tonight's pipeline had not built by then, an earlier
    /// pipeline of the same ref had.
    fn take_for_granted(&mut self, world: &World) -> Result<(), SandboxError> {
        for child in world.pipelines().skip(self.opened) {
            let (Some(stack), at) = (child.plan.stack, child.created_at) else { continue };
            let (Some(about), Some(tonight)) = (STACKS.get(stack), self.tonight.get(&stack)) else { continue };
            let variant = about.specs(Age::Current)?;
            let works = child.plan.entries.iter().filter_map(|entry| entry.work.as_ref());
            let built: BTreeSet<u16> = works
                .filter_map(|work| crate::spack::Hash::parse(&work.hash).ok().and_then(|hash| variant.find(&hash)))
                .collect();
            let is_protected = child.access == Access::Protected;
            let is_lacking = |place: &u16| match tonight.get(place) {
                // On the same ref, tonight's own takes its place.
                Some(Some(landed)) => !is_protected && *landed > at,
                Some(None) => true,
                None => false,
            };
            let installed: BTreeSet<u16> = built.iter().flat_map(|place| variant.closure(*place)).collect();
            let lacking: Vec<u16> = installed.difference(&built).copied().filter(is_lacking).collect();
            if lacking.is_empty() {
                continue;
            }
            let cache = if is_protected {
                cache_at(&mut self.protected, &prefixes::develop(about), stack, at)
            } else {
                cache_at(&mut self.pull_requests, &prefixes::change(&child.git_ref, about), stack, at)
            };
            for place in lacking {
                let spec = SpecRef { variant, at: place };
                let build = Rng::named(self.seed ^ child.id.0, "granted", spec.hash()).next();
                let held = Held::fresh(spec, build, at, Signed::Nobody);
                cache.happen(Event::Push(if is_protected { held.trusted(at) } else { held }));
            }
        }
        self.opened = world.pipelines().count();
        Ok(())
    }

    /// Publishes at the top of `develop` as often as it was due.
    fn publish_until(&mut self, now: Timestamp) {
        while self.published_at <= now {
            let at = self.published_at;
            self.published_at = publication_after(at);
            let offered: Vec<Held> = std::mem::take(&mut self.unpublished).into_values().flatten().collect();
            let top = self.protected.iter_mut().find(|cache| cache.prefix == prefixes::TOP);
            if let Some(top) = top.filter(|_| !offered.is_empty()) {
                top.happen(Event::Publish(offered, at));
            }
        }
    }

    fn bucket(&mut self, bucket: &str) -> Option<(&mut Vec<Cache>, u64, &Keys)> {
        match bucket {
            PROTECTED => Some((&mut self.protected, self.seed, &self.keys)),
            PULL_REQUESTS => Some((&mut self.pull_requests, self.seed, &self.keys)),
            _ => None,
        }
    }

    /// A page of a bucket; `None` when there is no such bucket.
    pub fn page(&mut self, bucket: &str, ask: &Ask<'_>) -> Option<Result<Page, SandboxError>> {
        let (caches, seed, keys) = self.bucket(bucket)?;
        Some(listing::page(caches, ask, &mut |cache| cache.open(seed, keys)))
    }

    /// Every object of a bucket, all at once; nothing when there is no such bucket.
    pub fn everything(&mut self, bucket: &str) -> Result<Vec<Listed>, SandboxError> {
        let page = self.page(bucket, &Ask { max: usize::MAX, ..Ask::default() }).transpose()?.unwrap_or_default();
        let objects = page.entries.into_iter().filter_map(|entry| match entry {
            Entry::Object(object) => Some(object),
            Entry::Folder(_) => None,
        });
        Ok(objects.collect())
    }

    /// An object: what it is like, and its bytes if `with_body`. `None` when there is none of that key.
    pub fn object(&mut self, bucket: &str, key: &str, with_body: bool) -> Result<Option<(About, Body)>, SandboxError> {
        let Some((caches, seed, keys)) = self.bucket(bucket) else { return Ok(None) };
        let holds = |cache: &&mut Cache| {
            let below = key.strip_prefix(cache.prefix.as_str());
            below.is_some_and(|b| Lane::ALL.iter().any(|lane| cache.folder(*lane).is_some_and(|f| b.starts_with(f))))
        };
        for cache in caches.iter_mut().filter(holds) {
            cache.open(seed, keys)?;
            let below = key.strip_prefix(cache.prefix.as_str()).unwrap_or_default();
            let Some(contents) = cache.contents() else { continue };
            for lane in Lane::ALL {
                let at = contents.seek(lane, below);
                if contents.key(lane, at, &cache.prefix).as_deref() != Some(key) {
                    continue;
                }
                let Some(object) = contents.object(lane, at) else { continue };
                let is_sparse = matches!(object.source, From::Bytes(Bytes::Zeros));
                let (size, modified, etag) = (object.size, object.modified, etag(key, &object));
                let about = About { size, modified, etag, is_sparse };
                let body = if with_body { read(&object, keys) } else { Body::Zeros };
                return Ok(Some((about, body)));
            }
        }
        Ok(None)
    }

    /// The armored public keys: the trusted one, then that of build jobs.
    pub fn public_keys(&self) -> [String; 2] {
        [self.keys.reputational.armored(), self.keys.intermediate.armored()]
    }
}

/// The cache at a prefix; made when it is not there, for pull requests bring their own.
fn cache_at<'a>(caches: &'a mut Vec<Cache>, prefix: &str, stack: usize, at: Timestamp) -> &'a mut Cache {
    let found = caches.iter().position(|cache| cache.prefix == prefix && !matches!(cache.recipe, Recipe::Loose));
    let at = found.unwrap_or_else(|| {
        caches.push(Cache::new(prefix.to_owned(), Recipe::Change { stack, specs: Vec::new(), at }));
        caches.len() - 1
    });
    #[expect(clippy::indexing_slicing, reason = "it was found or made just now")]
    &mut caches[at]
}

fn read(object: &Object<'_>, keys: &Keys) -> Body {
    match &object.source {
        From::Manifest(held) => Body::Bytes(held.manifest(keys).into_bytes()),
        From::Bytes(Bytes::Zeros) => Body::Zeros,
        From::Bytes(Bytes::Text(text)) => Body::Bytes(text.to_vec()),
        From::Bytes(Bytes::Metadata(spec)) => Body::Bytes(metadata::bytes(spec.variant, spec.at)),
        From::Bytes(Bytes::Index(index)) => Body::Bytes(index.bytes()),
        From::Bytes(Bytes::CutIndex(index)) => {
            let mut bytes = index.bytes();
            bytes.truncate(object.size as usize);
            Body::Bytes(bytes)
        }
    }
}

/// Changes whenever the object is written.
fn etag(key: &str, object: &Object<'_>) -> String {
    let who = key.as_bytes().chunks(8).fold(0xcbf2_9ce4_8422_2325u64, |sum, eight| {
        let mut word = [0; 8];
        word.iter_mut().zip(eight).for_each(|(to, from)| *to = *from);
        (sum ^ u64::from_le_bytes(word)).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
    });
    let when = (object.modified.millis() as u64 ^ object.size << 20).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{who:016x}{:016x}", who.rotate_left(32) ^ when)
}
