//! Reads one file within a limit.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::path::Path;

use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::spawn_blocking;

use super::error::EnvironmentFault;

pub(super) const MEGABYTE: usize = 1 << 20;
/// Spack's largest configuration files have some hundred kilobytes.
pub(super) const MAX_YAML: usize = 10 * MEGABYTE;

/// What lies at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Nothing,
    Folder,
    File,
}

/// Looks without opening: a pipe would wait for a writer.
pub(super) async fn kind(path: &Path) -> Result<Kind, EnvironmentFault> {
    kind_of(tokio::fs::metadata(path).await)
}

fn kind_of(found: io::Result<Metadata>) -> Result<Kind, EnvironmentFault> {
    match found {
        Ok(found) if found.is_dir() => Ok(Kind::Folder),
        Ok(found) if found.is_file() => Ok(Kind::File),
        Ok(_) => Err(EnvironmentFault::NotAFile { found: "a pipe or a device" }),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory) => {
            Ok(Kind::Nothing)
        }
        Err(error) => Err(EnvironmentFault::Read(error)),
    }
}

/// The whole file; `None` where there is none.
pub(super) async fn read(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, EnvironmentFault> {
    let path = path.to_owned();
    aside(move || read_now(&path, limit)).await
}

/// As [`read()`], for whoever may wait for the disk.
pub(super) fn read_now(path: &Path, limit: usize) -> Result<Option<Vec<u8>>, EnvironmentFault> {
    match kind_of(std::fs::metadata(path))? {
        Kind::Nothing => return Ok(None),
        Kind::Folder => return Err(EnvironmentFault::NotAFile { found: "a folder" }),
        Kind::File => {}
    }
    let file = File::open(path).map_err(EnvironmentFault::Read)?;
    // Growing by doubling would hold twice as much as there is.
    let length = file.metadata().map_err(EnvironmentFault::Read)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(limit).min(limit) + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).map_err(EnvironmentFault::Read)?;
    if bytes.len() > limit {
        return Err(EnvironmentFault::TooLarge { limit: limit / MEGABYTE });
    }
    Ok(Some(bytes))
}

/// Does what takes long where it holds nobody up. Where there is one thread there is nobody else, and what another thread leaves unused of its memory
/// is saved.
pub(super) async fn aside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, EnvironmentFault> + Send + 'static,
) -> Result<T, EnvironmentFault> {
    if Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread {
        return work();
    }
    spawn_blocking(work).await.map_err(|error| EnvironmentFault::Read(io::Error::other(error)))?
}
