//! A temporary folder that only we can enter, and that is gone afterwards.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use super::GpgError;

/// It is removed with everything in it when this is dropped.
#[derive(Debug)]
pub(super) struct Folder(PathBuf);

impl Folder {
    /// Makes one with a short path: programs of GnuPG put sockets into their home, whose names must fit 100 bytes.
    pub fn new() -> Result<Self, GpgError> {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let base = std::env::temp_dir();
        loop {
            let path = base.join(format!("shg-{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed)));
            match make(&path) {
                Ok(()) => return Ok(Self(path)),
                // Left over from a process that was killed, or somebody else's: it is not ours.
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                Err(error) => return Err(GpgError::Folder { folder: base, error }),
            }
        }
    }

    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Writes files that are named by their numbers.
    pub fn fill(&self, files: &[impl AsRef<[u8]>]) -> Result<(), GpgError> {
        for (at, bytes) in files.iter().enumerate() {
            std::fs::write(self.0.join(at.to_string()), bytes)
                .map_err(|error| GpgError::Folder { folder: self.0.clone(), error })?;
        }
        Ok(())
    }
}

fn make(path: &Path) -> io::Result<()> {
    let mut builder = std::fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}

impl Drop for Folder {
    fn drop(&mut self) {
        // There is nobody left to tell; it holds nothing secret.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}
