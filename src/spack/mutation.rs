//! Damaged files: what Spack wrote, changed in a few places. Whatever they are, reading them ends, and without a panic.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::buildcache::read_index;
use super::condition::Facts;
use super::{Lock, Manifest};

/// A small generator with a fixed seed: tests do the same every time.
pub struct Dice(pub u64);

impl Dice {
    pub fn roll(&mut self, sides: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % sides as u64) as usize
    }

    pub fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut out = bytes.to_vec();
        for _ in 0..=self.roll(3) {
            let at = self.roll(out.len().max(1));
            let end = (at + self.roll(40)).min(out.len());
            match self.roll(6) {
                0 if !out.is_empty() => out[at] = self.roll(256) as u8,
                1 => out.truncate(at),
                2 => drop(out.drain(at.min(end)..end)),
                3 => {
                    let piece = out[at.min(end)..end].to_vec();
                    out.splice(at..at, piece);
                }
                4 if !out.is_empty() => out[at] = b"{}[]\",:\\-9n\n"[self.roll(12)],
                _ if !out.is_empty() => out[at] ^= 1 << self.roll(8),
                _ => {}
            }
        }
        out
    }

    /// Puts a word of the same text in the place of another one: what is well-formed stays so, and reading gets further.
    fn swap(&mut self, text: &str) -> Vec<u8> {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "_@+~".contains(c);
        let words: Vec<&str> = text.split(|c| !is_word(c)).filter(|word| !word.is_empty()).collect();
        let mut out = text.to_owned();
        for _ in 0..=self.roll(2) {
            let (old, new) = (words[self.roll(words.len())], words[self.roll(words.len())]);
            let places: Vec<usize> = out.match_indices(old).map(|(at, _)| at).collect();
            if !places.is_empty() {
                let at = places[self.roll(places.len())];
                out.replace_range(at..at + old.len(), new);
            }
        }
        out.into_bytes()
    }
}

/// One root of a real lock, with all that it reaches.
fn part_of(lock: &str, most: usize) -> String {
    let whole: Value = serde_json::from_str(lock).unwrap();
    let reached = |root: &Value| {
        let (mut found, mut open) = (BTreeSet::new(), vec![root["hash"].as_str().unwrap().to_owned()]);
        while let Some(hash) = open.pop() {
            let deps = whole["concrete_specs"][&hash]["dependencies"].as_array().cloned().unwrap_or_default();
            open.extend(deps.iter().map(|dep| dep["hash"].as_str().unwrap().to_owned()));
            found.insert(hash);
        }
        found
    };
    let parts = whole["roots"].as_array().unwrap().iter().map(|root| (root, reached(root)));
    let (root, hashes) = parts.min_by_key(|(_, hashes)| hashes.len().abs_diff(most)).unwrap();
    let specs: Map<String, Value> =
        hashes.iter().map(|hash| (hash.clone(), whole["concrete_specs"][hash].clone())).collect();
    json!({ "_meta": whole["_meta"], "spack": whole["spack"], "roots": [root], "concrete_specs": specs }).to_string()
}

/// The index of a cache that holds all of a lock.
fn index_of(lock: &str) -> String {
    let lock: Value = serde_json::from_str(lock).unwrap();
    let records = lock["concrete_specs"].as_object().unwrap().iter().map(|(hash, spec)| {
        (hash.clone(), json!({ "spec": spec, "ref_count": 1, "in_buildcache": spec["external"].is_null() }))
    });
    json!({ "database": { "version": "8", "installs": records.collect::<Map<_, _>>() } }).to_string()
}

fn read_lock(bytes: &[u8]) {
    if let Ok(lock) = Lock::parse(bytes) {
        let _ = lock.graph();
    }
}

fn read_manifest(bytes: &[u8]) {
    if let Ok(manifest) = Manifest::parse(bytes) {
        let _ = manifest.specs(&Facts::default());
        let _ = manifest.rewritten(|path| format!("../{path}"));
    }
}

/// `count` of each kind. Together with the mutations of indexes, 100,000 inputs are read.
fn damage(text: &str, count: usize, read: impl Fn(&[u8])) {
    read(text.as_bytes());
    let mut dice = Dice(0x00c0_ffee_00c0_ffee);
    for _ in 0..count {
        read(&dice.mutate(text.as_bytes()));
        read(&dice.swap(text));
    }
}

const NEW: &str = include_str!("testdata/mini-v6.lock");
const OLD: &str = include_str!("testdata/mini-v5.lock");

#[test]
fn no_damaged_lock_makes_reading_panic() {
    damage(&part_of(NEW, 6), 12_000, read_lock);
    damage(&part_of(OLD, 6), 12_000, read_lock);
}

#[test]
fn no_damaged_index_makes_reading_panic() {
    damage(&index_of(&part_of(NEW, 6)), 12_000, |bytes| drop(read_index(bytes, &|_| true)));
}

#[test]
fn no_damaged_manifest_makes_reading_panic() {
    damage(include_str!("testdata/radiuss.yaml"), 3_000, read_manifest);
}
