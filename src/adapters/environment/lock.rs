//! The lock beside the manifest.

use std::io::{self, Read, Write};
use std::path::Path;

use flate2::Compression;
use flate2::read::MultiGzDecoder;
use flate2::write::GzEncoder;

use super::error::{EnvironmentError, EnvironmentFault};
use super::file;
use crate::spack::manifest::missing_roots;
use crate::spack::{Hash, Lock};

/// The largest locks of Spack's stacks have 15 MB. Beyond this it is another file, or damaged.
const MAX_LOCK: usize = 128 * file::MEGABYTE;

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

/// The text of a lock. It is packed: it is large, and only asked for when everything else is in memory as well.
#[derive(Debug)]
pub struct StoredLock {
    gzip: Vec<u8>,
}

impl StoredLock {
    fn of(text: &[u8]) -> io::Result<Self> {
        let mut packer = GzEncoder::new(Vec::new(), Compression::fast());
        packer.write_all(text)?;
        Ok(Self { gzip: packer.finish()? })
    }

    /// Writes the lock as JSON, to the byte as it was read.
    pub fn write(&self, out: &mut dyn Write) -> io::Result<()> {
        io::copy(&mut MultiGzDecoder::new(self.gzip.as_slice()), out).map(drop)
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
        let stored = StoredLock::of(&text).map_err(EnvironmentFault::Read)?;
        Ok(Some(Locked { lock, stored, forged }))
    };
    file::aside(read).await.map_err(told)?.ok_or_else(|| told(no_lock()))
}

fn unpacked(stored: Vec<u8>) -> Result<Vec<u8>, EnvironmentFault> {
    if !stored.starts_with(&[0x1f, 0x8b]) {
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
