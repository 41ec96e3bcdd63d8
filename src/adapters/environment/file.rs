//! Reads one file within a limit.

use std::io;
use std::path::Path;

use tokio::fs::{self, File};
use tokio::io::AsyncReadExt;

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
    match fs::metadata(path).await {
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
    match kind(path).await? {
        Kind::Nothing => return Ok(None),
        Kind::Folder => return Err(EnvironmentFault::NotAFile { found: "a folder" }),
        Kind::File => {}
    }
    let file = File::open(path).await.map_err(EnvironmentFault::Read)?;
    // Growing by doubling would hold twice as much as there is.
    let length = file.metadata().await.map_err(EnvironmentFault::Read)?.len();
    let mut bytes = Vec::with_capacity(usize::try_from(length).unwrap_or(limit).min(limit) + 1);
    file.take(limit as u64 + 1).read_to_end(&mut bytes).await.map_err(EnvironmentFault::Read)?;
    if bytes.len() > limit {
        return Err(EnvironmentFault::TooLarge { limit: limit / MEGABYTE });
    }
    Ok(Some(bytes))
}
