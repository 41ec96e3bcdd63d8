//! Recomputes DAG hashes, so that a node that was changed after Spack wrote it is noticed.
//!
//! A DAG hash is the SHA-1 of the node without its `hash`, as JSON without spaces, in ASCII, with the keys in the order in which they are
//! stored. Since the node names its dependencies by their hashes, it stands for the whole graph below it. Two kinds of nodes are special:
//!
//! * A **spliced** node has a `build_spec`, which is hashed like every other key; then the last 7 characters are those of the hash of
//!   what was really built, so that the end of its prefix stays the same.
//! * A node that Spack once read from an older form and **wrote anew** keeps its old hash, which cannot be computed from the new form.
//!   `annotations` tell in which form it was first written. Nodes of Spack 0.17 and older hashed less than they store.
//!
//! Nothing here says who wrote a node: whoever forges one may compute its hash as well, and give it that name.

use std::fmt::Write as _;

use memchr::memmem;
use serde::Deserialize;
use serde_json::value::RawValue;
use sha1::{Digest as _, Sha1};

use super::Hash;
use super::wire::{BuildSpec, Entries, Text};

/// What the hash of a node says about the rest of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seal {
    /// The node gives this hash.
    Intact,
    /// It gives another one: something was changed, or it stands under a hash that is not its own.
    Forged,
    /// It is of a form from which its hash cannot be computed.
    Unprovable,
}

/// The nodes of one file that do not give their hashes.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Seals {
    /// How many nodes were looked at.
    pub nodes: usize,
    /// Sorted.
    pub forged: Vec<Hash>,
    /// Neither proven nor refuted; sorted. Whoever forges a node can make it look like one of these.
    pub unprovable: Vec<Hash>,
}

impl Seals {
    /// Looks at one more node.
    pub(super) fn add(&mut self, node: &str, hash: Hash) -> Seal {
        let seal = Seal::of(node, &hash);
        self.nodes += 1;
        match seal {
            Seal::Intact => {}
            Seal::Forged => self.forged.push(hash),
            Seal::Unprovable => self.unprovable.push(hash),
        }
        seal
    }

    /// Counts a node whose form alone forbids a proof.
    pub(super) fn add_unprovable(&mut self, hash: Hash) {
        self.nodes += 1;
        self.unprovable.push(hash);
    }

    /// Brings the lists into order, once all nodes were looked at.
    pub(super) fn sorted(mut self) -> Self {
        for list in [&mut self.forged, &mut self.unprovable] {
            list.sort_unstable();
            list.dedup();
        }
        self
    }
}

impl Seal {
    /// Holds a node, the JSON of an object, against the hash under which it stands.
    pub fn of(node: &str, hash: &Hash) -> Self {
        if is_intact_at_once(node.as_bytes(), hash) {
            return Self::Intact;
        }
        let Some(read) = Members::read(node) else { return Self::Forged };
        let is_own = read.hash.is_none_or(|own| own == *hash);
        match read.computed() == Some(*hash) && is_own {
            true => Self::Intact,
            false if read.is_unprovable && is_own => Self::Unprovable,
            false => Self::Forged,
        }
    }
}

/// The DAG hash of a node, the JSON of an object, whatever hash it says to have; `None` for what is no node.
pub fn dag_hash(node: &str) -> Option<Hash> {
    Members::read(node)?.computed()
}

/// What nearly every node is: without spaces, escapes and splices, and with the hash at its end. Then it is hashed where it lies.
fn is_intact_at_once(node: &[u8], hash: &Hash) -> bool {
    const KEY: &[u8] = b",\"hash\":\"";
    let body = node
        .strip_suffix(b"\"}")
        .and_then(|rest| rest.strip_suffix(hash.as_str().as_bytes()))
        .and_then(|rest| rest.strip_suffix(KEY));
    let Some(body) = body else { return false };
    // Counted to the end: without a way out in the middle, many bytes are looked at together.
    let is_plain = body.iter().filter(|byte| !matches!(byte, b'!'..=b'[' | b']'..=b'~')).count() == 0;
    is_plain && memmem::find(body, b"\"build_spec\":").is_none() && digest([body, b"}"]) == *hash
}

fn digest<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Hash {
    let mut sum = Sha1::new();
    parts.into_iter().for_each(|part| sum.update(part));
    Hash::of_digest(&sum.finalize().into())
}

/// A node, taken apart.
struct Members {
    /// As it is hashed.
    text: String,
    hash: Option<Hash>,
    build_spec: Option<Hash>,
    is_unprovable: bool,
}

impl Members {
    /// A node with a key that occurs twice is none: readers differ in which of the two they believe.
    fn read(node: &str) -> Option<Self> {
        #[derive(Deserialize)]
        struct Annotations {
            original_specfile_version: Option<u64>,
        }
        let Entries::<Text<'_>, &RawValue>(members) = serde_json::from_str(node).ok()?;
        let (mut hash, mut build_spec) = (None, None);
        let (mut original, mut form, mut is_ancient) = (None, 0, false);
        let mut text = String::with_capacity(node.len());
        text.push('{');
        for (key, value) in &members {
            match &**key {
                "hash" => {
                    hash = Some(serde_json::from_str(value.get()).ok()?);
                    continue;
                }
                "build_spec" => build_spec = Some(serde_json::from_str::<BuildSpec>(value.get()).ok()?.hash),
                "annotations" => {
                    form = form.max(5);
                    original = serde_json::from_str::<Annotations>(value.get()).ok()?.original_specfile_version;
                }
                "provided_virtuals" => form = form.max(6),
                "full_hash" | "build_hash" => is_ancient = true,
                _ => {}
            }
            if text.len() > 1 {
                text.push(',');
            }
            push_ascii(&mut text, key);
            text.push(':');
            push_compact(&mut text, value.get())?;
        }
        text.push('}');
        let is_unprovable = is_ancient || original.is_some_and(|original| original < form);
        Some(Self { text, hash, build_spec, is_unprovable })
    }

    fn computed(&self) -> Option<Hash> {
        let hash = digest([self.text.as_bytes()]);
        match &self.build_spec {
            Some(built) => hash.with_end_of(built),
            None => Some(hash),
        }
    }
}

/// Writes JSON without spaces and in ASCII. Numbers stay as they are written.
fn push_compact(out: &mut String, json: &str) -> Option<()> {
    let mut rest = json;
    while let Some(quote) = rest.find('"') {
        let (before, from_quote) = rest.split_at_checked(quote)?;
        out.extend(before.split_ascii_whitespace());
        let (string, after) = from_quote.split_at_checked(string_length(from_quote)?)?;
        if string.bytes().all(|byte| matches!(byte, b' '..=b'~') && byte != b'\\') {
            out.push_str(string);
        } else {
            push_ascii(out, &serde_json::from_str::<Text<'_>>(string).ok()?);
        }
        rest = after;
    }
    out.extend(rest.split_ascii_whitespace());
    Some(())
}

/// The length of the JSON string at the beginning, with both quotes.
fn string_length(json: &str) -> Option<usize> {
    let mut is_escaped = false;
    let end = json.bytes().skip(1).position(|byte| match byte {
        _ if is_escaped => {
            is_escaped = false;
            false
        }
        b'\\' => {
            is_escaped = true;
            false
        }
        _ => byte == b'"',
    });
    Some(end? + 2)
}

/// Writes a text as a string of JSON in ASCII, as Python does.
pub(super) fn push_ascii(out: &mut String, text: &str) {
    out.push('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => out.extend(['\\', c]),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            ' '..='~' => out.push(c),
            _ => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    // Writing to a text cannot fail.
                    let _ = write!(out, "\\u{unit:04x}");
                }
            }
        }
    }
    out.push('"');
}

#[cfg(test)]
mod tests;
