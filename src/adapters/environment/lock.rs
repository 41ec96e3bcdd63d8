//! The lock beside the manifest.

use std::fs::File;
use std::io::{self, BufRead, Read, Write};
use std::path::{Path, PathBuf};

use flate2::read::MultiGzDecoder;
use sha2::{Digest, Sha256};

use super::error::{EnvironmentError, EnvironmentFault};
use super::file;
use crate::spack::manifest::missing_roots;
use crate::spack::{Hash, Lock};

/// The largest locks of Spack's stacks have 15 MB. Beyond this it is another file, or damaged.
const MAX_LOCK: usize = 128 * file::MEGABYTE;
/// How gzip begins.
const PACKED: &[u8] = &[0x1f, 0x8b];

/// Whether the lock is of the manifest beside it. Dates of files say nothing about that; their contents do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum LockAge {
    /// Every spec of the manifest is a root of the lock.
    Fresh,
    /// The manifest asks for specs that the lock does not know.
    OlderThanManifest { missing: Vec<String> },
    /// What the manifest asks for cannot be worked out, so nobody can tell.
    Unclear { why: String },
}

impl LockAge {
    pub(super) fn of(specs: &[String], lock: &Lock) -> Self {
        let missing = missing_roots(specs, lock);
        if missing.is_empty() { Self::Fresh } else { Self::OlderThanManifest { missing } }
    }
}

/// A lock, as it was read.
pub(super) struct Locked {
    pub lock: Lock,
    pub stored: StoredLock,
    /// Specs that do not give their hashes.
    pub forged: Vec<Hash>,
}

/// The file of a lock: it is large, and what was read of it is written again when everything else is in memory as well.
#[derive(Debug)]
pub struct StoredLock {
    path: PathBuf,
    checksum: [u8; 32],
}

impl StoredLock {
    /// Writes the lock as JSON, and fails when it is no longer the one that was read.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        let mut text = Summing { out, sum: Sha256::new() };
        let mut file = io::BufReader::new(File::open(&self.path)?);
        let is_packed = file.fill_buf()?.starts_with(PACKED);
        // One byte more than there may be: it is another file then.
        let most = MAX_LOCK as u64 + 1;
        if is_packed {
            io::copy(&mut MultiGzDecoder::new(file).take(most), &mut text)?;
        } else {
            io::copy(&mut file.take(most), &mut text)?;
        }
        if <[u8; 32]>::from(text.sum.finalize()) == self.checksum {
            return Ok(());
        }
        let path = self.path.display();
        Err(io::Error::other(format!("{path} was changed meanwhile; generate again")))
    }
}

/// Passes on what is written, and adds it to a checksum.
struct Summing<'a> {
    out: &'a mut dyn Write,
    sum: Sha256,
}

impl Write for Summing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.sum.update(bytes.get(..written).unwrap_or_default());
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}

/// Reads a lock, plain or packed with gzip.
pub(super) async fn read(path: &Path, dir: &Path) -> Result<Locked, EnvironmentError> {
    let place = path.display().to_string();
    let told = |fault: EnvironmentFault| fault.at(place.clone());
    let no_lock = || EnvironmentFault::NoLock { dir: dir.display().to_string() };
    let source = path.to_owned();
    let read = move || {
        let Some(stored) = file::read_now(&source, MAX_LOCK)? else { return Ok(None) };
        let text = unpacked(stored)?;
        let (lock, forged) = (Lock::parse(&text)?, Lock::seals(&text)?.forged);
        let stored = StoredLock { path: source, checksum: Sha256::digest(&text).into() };
        Ok(Some(Locked { lock, stored, forged }))
    };
    file::aside(read).await.map_err(told)?.ok_or_else(|| told(no_lock()))
}

fn unpacked(stored: Vec<u8>) -> Result<Vec<u8>, EnvironmentFault> {
    if !stored.starts_with(PACKED) {
        return Ok(stored);
    }
    let mut bytes = Vec::new();
    let limited = MultiGzDecoder::new(stored.as_slice()).take(MAX_LOCK as u64 + 1);
    io::BufReader::new(limited).read_to_end(&mut bytes).map_err(EnvironmentFault::Packed)?;
    if bytes.len() > MAX_LOCK {
        return Err(EnvironmentFault::TooLarge { limit: MAX_LOCK / file::MEGABYTE });
    }
    Ok(bytes)
}
