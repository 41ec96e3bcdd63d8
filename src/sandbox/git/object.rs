//! Git's objects: blobs, trees and commits, their names, and the pack that brings many of them at once.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;

use aws_lc_rs::digest;
use flate2::Compression;
use flate2::write::ZlibEncoder;

use crate::ci::Timestamp;

/// The name of an object.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Oid([u8; 20]);

impl Oid {
    /// What stands for "no object" where refs appear and go.
    pub const ZERO: Self = Self([0; 20]);

    /// Reads 40 hex digits.
    pub fn parse(text: &str) -> Option<Self> {
        let mut bytes = [0; 20];
        if text.len() != 40 || !text.is_ascii() {
            return None;
        }
        for (byte, at) in bytes.iter_mut().zip((0..).step_by(2)) {
            *byte = u8::from_str_radix(text.get(at..at + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    fn of(bytes: &[u8]) -> Self {
        let mut id = [0; 20];
        id.copy_from_slice(digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, bytes).as_ref());
        Self(id)
    }

    pub fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Oid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Commit = 1,
    Tree = 2,
    Blob = 3,
}

/// One object, whole.
#[derive(Debug, Clone)]
pub struct Object {
    pub id: Oid,
    kind: Kind,
    body: Vec<u8>,
}

/// Who made a commit, and when.
#[derive(Debug, Clone, Copy)]
pub struct Signature<'a> {
    pub name: &'a str,
    pub email: &'a str,
    pub at: Timestamp,
}

impl fmt::Display for Signature<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} <{}> {} +0000", self.name, self.email, self.at.millis() / 1_000)
    }
}

impl Object {
    fn new(kind: Kind, body: Vec<u8>) -> Self {
        let id = Oid::of(&[&Self::head(kind, &body), body.as_slice()].concat());
        Self { id, kind, body }
    }

    fn head(kind: Kind, body: &[u8]) -> Vec<u8> {
        let word = match kind {
            Kind::Commit => "commit",
            Kind::Tree => "tree",
            Kind::Blob => "blob",
        };
        format!("{word} {}\0", body.len()).into_bytes()
    }

    /// The tree of these bytes; [`super::Files`] writes them.
    pub fn tree(body: Vec<u8>) -> Self {
        Self::new(Kind::Tree, body)
    }

    /// The file that holds just this object.
    pub fn loose(&self) -> io::Result<Vec<u8>> {
        let mut out = ZlibEncoder::new(Vec::new(), Compression::fast());
        out.write_all(&Self::head(self.kind, &self.body))?;
        out.write_all(&self.body)?;
        out.finish()
    }
}

/// A pack of these objects, without deltas.
pub fn pack(objects: &[Object]) -> io::Result<Vec<u8>> {
    let mut out = b"PACK\0\0\0\x02".to_vec();
    out.extend((objects.len() as u32).to_be_bytes());
    for object in objects {
        let mut rest = object.body.len();
        let mut byte = (object.kind as u8) << 4 | (rest & 15) as u8;
        rest >>= 4;
        while rest > 0 {
            out.push(byte | 0x80);
            byte = (rest & 0x7f) as u8;
            rest >>= 7;
        }
        out.push(byte);
        let mut body = ZlibEncoder::new(&mut out, Compression::fast());
        body.write_all(&object.body)?;
        body.finish()?;
    }
    let sum = Oid::of(&out);
    out.extend(sum.bytes());
    Ok(out)
}

/// Every object that was ever made, by name, and those that no repository has yet.
#[derive(Debug, Clone, Default)]
pub struct Store {
    known: BTreeSet<Oid>,
    texts: BTreeMap<Oid, Arc<str>>,
    fresh: Vec<Object>,
}

impl Store {
    /// Keeps an object.
    pub fn put(&mut self, object: Object) -> Oid {
        let id = object.id;
        if self.known.insert(id) {
            self.fresh.push(object);
        }
        id
    }

    /// Keeps the text of a file.
    pub fn file(&mut self, text: &str) -> Oid {
        let id = self.put(Object::new(Kind::Blob, text.as_bytes().to_vec()));
        self.texts.entry(id).or_insert_with(|| text.into());
        id
    }

    /// What a file says.
    pub fn text(&self, id: Oid) -> Option<&Arc<str>> {
        self.texts.get(&id)
    }

    /// Keeps a commit of a tree.
    pub fn commit(
        &mut self,
        tree: Oid,
        parents: &[Oid],
        author: Signature<'_>,
        committer: Signature<'_>,
        message: &str,
    ) -> Oid {
        let parents: Vec<String> = parents.iter().map(|parent| format!("parent {parent}\n")).collect();
        let text = format!("tree {tree}\n{}author {author}\ncommitter {committer}\n\n{message}", parents.concat());
        self.put(Object::new(Kind::Commit, text.into_bytes()))
    }

    /// What was made since this was last asked.
    pub fn take(&mut self) -> Vec<Object> {
        std::mem::take(&mut self.fresh)
    }
}
