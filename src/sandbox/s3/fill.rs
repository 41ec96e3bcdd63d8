//! What lies in the caches when the world begins, and what is wrong there.
//!
//! A stack's cache under `develop` holds what tonight's pipeline does not build, and what was built of last month's concretization. That is
//! what generation says; who pushed what when follows from the seed. What is wrong is cast, as failures are: see `spoil`.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::super::SandboxError;
use super::super::nodes::{Age, Variant};
use super::super::rng::Rng;
use super::super::stacks::{STACKS, Stack};
use super::super::world::EPOCH;
use super::contents::{Blob, Bytes, Contents, Damage, Held, Signed, SpecRef};
use super::index::Index;
use super::manifest;
use super::pgp::{Key, Keys, sha256};
use crate::ci::Timestamp;

pub const MINUTE: i64 = 60_000;
pub const HOUR: i64 = 60 * MINUTE;
pub const DAY: i64 = 24 * HOUR;

/// When the release branch was cut.
pub const RELEASED: Timestamp = Timestamp::from_millis(1_763_596_800_000);
/// When the snapshot was taken: 2026-03-08.
pub const SNAPSHOT: Timestamp = Timestamp::from_millis(1_772_928_000_000);

/// The cache of a stack on one branch.
#[derive(Debug, Clone)]
pub struct Source {
    pub stack: usize,
    pub age: Age,
    /// What tonight's pipeline builds, by place in the current lock.
    pub missing: Arc<BTreeSet<u16>>,
}

/// What a cache begins with.
pub struct Stock {
    pub held: Vec<Held>,
    /// Pushes that broke off before their manifest.
    pub broken: Vec<Held>,
    pub indexed_at: Timestamp,
}

/// The stack whose index is days older than its manifests.
pub const LATE: &str = "tools-sdk";
/// The stack whose index broke off while it was written.
pub const CUT: &str = "ml-darwin-aarch64-mps";
/// The stack whose manifests have bad signatures.
pub const FORGED: &str = "developer-tools-x86_64_v3-linux-gnu";
/// The released stacks; of the last two, one has lost its index and one the blob that it names.
pub const RELEASES: &[&str] =
    &["build_systems", "e4s", "developer-tools-x86_64_v3-linux-gnu", "radiuss", "radiuss-aarch64", "tutorial"];
/// The stacks in the snapshot.
pub const IN_SNAPSHOT: &[&str] = &["build_systems", "e4s", "radiuss", "tools-sdk"];

impl Source {
    pub fn about(&self) -> Option<&'static Stack> {
        STACKS.get(self.stack)
    }

    /// What the cache begins with in the world of that seed.
    pub fn stock(&self, seed: u64) -> Result<Stock, SandboxError> {
        let Some(about) = self.about() else {
            return Ok(Stock { held: Vec::new(), broken: Vec::new(), indexed_at: EPOCH });
        };
        let mut rng = Rng::named(seed, if self.age == Age::Release { "release" } else { "cache" }, about.name);
        let last = match self.age {
            Age::Release => RELEASED,
            // Early enough that everything is published when the world begins.
            _ => EPOCH.shifted(-5 * HOUR - rng.below(15 * HOUR as u64) as i64),
        };
        let mut held = Vec::new();
        let mut broken = Vec::new();
        let variant = about.specs(self.age)?;
        let days = if self.age == Age::Release { 9 } else { 150 };
        for at in (0..variant.len()).filter(|at| is_built(variant, *at) && !self.missing.contains(at)) {
            held.push(binary(seed, about, SpecRef { variant, at }, last, days));
        }
        if self.age == Age::Current {
            let old = about.specs(Age::LastMonth)?;
            let mut seen = BTreeSet::new();
            for root in old.roots() {
                let is_kept = rng.chance(0.55);
                let gone =
                    |at: &u16| is_built(old, *at) && old.hash(*at).is_some_and(|hash| variant.find(hash).is_none());
                for at in old.closure(root).into_iter().filter(gone) {
                    let held_at = last.shifted(-17 * DAY);
                    let was = binary(seed, about, SpecRef { variant: old, at }, held_at, 70);
                    match (is_kept, seen.insert(at)) {
                        (true, true) => held.push(was),
                        // One in twelve of the others got no further than its blobs.
                        (false, true) if rng.chance(0.08) => broken.push(was),
                        (false, true) => {
                            seen.remove(&at);
                        }
                        _ => {}
                    }
                }
            }
        }
        for broken in broken.iter_mut().step_by(2) {
            broken.damage = Some(Damage::NoMetadata);
        }
        spoil(about, self.age, &mut held, &mut rng);
        let indexed_at = if about.name == LATE && self.age == Age::Current { EPOCH.shifted(-9 * DAY) } else { last };
        if self.age == Age::Current {
            // Pushed by a pipeline whose index job failed.
            let late = rng.below(4) as usize;
            for held in held.iter_mut().rev().step_by(29).take(late) {
                let at = indexed_at.shifted(rng.between(9, 140) as i64 * MINUTE);
                *held = Held { damage: held.damage, ..Held::fresh(held.spec, held.build, at, Signed::Intermediate) }
                    .trusted(at.shifted(20 * MINUTE));
            }
        }
        Ok(Stock { held, broken, indexed_at })
    }

    /// What the cache begins with, as objects.
    pub fn contents(&self, seed: u64, keys: &Keys) -> Result<Contents, SandboxError> {
        let Stock { held, broken, indexed_at } = self.stock(seed)?;
        let mut contents = Contents::default();
        for push in broken.iter().filter(|_| self.age == Age::Current) {
            contents.push_blobs(push);
        }
        let until = |at: Timestamp| {
            let there = held.iter().filter(move |held| held.pushed <= at).map(|held| held.spec);
            Arc::new(Index::new(there))
        };
        let (before, now) = (until(indexed_at.shifted(-30 * HOUR)), until(indexed_at));
        contents.fill(held);
        contents.put_index(before, indexed_at.shifted(-29 * HOUR));
        contents.put_index(now, indexed_at);
        write_keys(&mut contents, &[&keys.reputational, &keys.intermediate], indexed_at.shifted(-200 * DAY));
        match (self.about().map(|about| about.name), self.age) {
            (Some(CUT), Age::Current) => contents.damage_index(false),
            (Some("radiuss-aarch64"), Age::Release) => contents.damage_index(true),
            (Some("tutorial"), Age::Release) => contents.forget_index(),
            _ => {}
        }
        Ok(contents)
    }
}

/// The layout file, and keys with their index.
pub fn write_keys(contents: &mut Contents, keys: &[&Key], at: Timestamp) {
    contents.put_other("v3/layout.json", at, Bytes::text("{\"signing\": \"gpg\"}"));
    if keys.is_empty() {
        return;
    }
    let mut put = |key: &str, media: &str, text: String| {
        let (sum, size) = (sha256(text.as_bytes()), text.len() as u64);
        contents.put(Blob { sum, size, modified: at, bytes: Bytes::text(text) });
        let manifest = manifest::of_plain(media, &sum, size);
        contents.put_other(&format!("v3/manifests/key/{key}"), at, Bytes::text(manifest));
    };
    for key in keys {
        put(&format!("{}.key.manifest.json", key.fingerprint()), "application/pgp-keys", key.armored());
    }
    let names: Vec<String> = keys.iter().map(|key| format!("\"{}\":{{}}", key.fingerprint())).collect();
    let list = format!("{{\"keys\":{{{}}}}}", names.join(","));
    put("keys.manifest.json", "application/vnd.spack.keyindex.v1+json", list);
}

/// Spack builds it: it is no external.
pub fn is_built(variant: &Variant, at: u16) -> bool {
    variant.spec(at).is_some_and(|spec| !spec.is_external())
}

/// A binary that was pushed at some time in the days before `last`, and signed within the hour.
fn binary(seed: u64, about: &Stack, spec: SpecRef, last: Timestamp, days: i64) -> Held {
    let mut rng = Rng::named(seed ^ super::super::rng::hash(about.name), "binary", spec.hash());
    let build = rng.next();
    // Most are young.
    let share = rng.unit() * rng.unit();
    let age = (share * (days * DAY) as f64) as i64 + HOUR + rng.below(HOUR as u64) as i64;
    let at = last.shifted(-age);
    Held::fresh(spec, build, at, Signed::Intermediate).trusted(at.shifted((12 + rng.below(40) as i64) * MINUTE))
}

/// Breaks a few binaries of some stacks.
fn spoil(about: &Stack, age: Age, held: &mut [Held], rng: &mut Rng) {
    if age != Age::Current || held.len() < 20 {
        return;
    }
    let mut kinds: Vec<Damage> = Vec::new();
    if rng.chance(0.45) {
        for kind in [Damage::NoTarball, Damage::NoManifest, Damage::NoMetadata] {
            kinds.extend((0..rng.below(3)).map(|_| kind));
        }
    }
    if about.name == FORGED {
        let other = held.first().map(|other| (other.spec.at, other.build));
        let swapped = other.map(|(at, build)| Damage::Swapped(at, build));
        kinds.extend([Damage::NoTarball, Damage::NoMetadata, Damage::NoManifest]);
        kinds.extend([Damage::Tampered, Damage::Stranger, Damage::Unsigned, Damage::Truncated]);
        kinds.extend([Damage::Empty, Damage::Outside]);
        kinds.extend(swapped);
    }
    for kind in kinds {
        // The first is the one that is copied over others.
        let at = 1 + rng.below(held.len() as u64 - 1) as usize;
        if let Some(held) = held.get_mut(at).filter(|held| held.damage.is_none()) {
            held.damage = Some(kind);
        }
    }
}
