//! The lock beside the manifest.

use std::io::{self, Read};
use std::path::Path;

use flate2::read::MultiGzDecoder;
use tokio::task::spawn_blocking;

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
    /// Not packed.
    pub bytes: Vec<u8>,
    /// Specs that do not give their hashes.
    pub forged: Vec<Hash>,
}

/// Reads a lock, plain or packed with gzip.
pub(super) async fn read(path: &Path, dir: &Path) -> Result<Locked, EnvironmentError> {
    let place = path.display().to_string();
    let told = |fault: EnvironmentFault| fault.at(place.clone());
    let no_lock = || EnvironmentFault::NoLock { dir: dir.display().to_string() };
    let stored = file::read(path, MAX_LOCK).await.map_err(told)?.ok_or_else(|| told(no_lock()))?;
    let parsed = spawn_blocking(move || {
        let bytes = unpacked(stored)?;
        let (lock, forged) = (Lock::parse(&bytes)?, Lock::seals(&bytes)?.forged);
        Ok::<_, EnvironmentFault>(Locked { lock, bytes, forged })
    });
    parsed.await.map_err(|error| told(EnvironmentFault::Read(io::Error::other(error))))?.map_err(told)
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
