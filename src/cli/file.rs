//! Files that commands are given by name.

use std::fs::{File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use super::exit::{Exit, Failure};

/// Writes a file that is new and that only its owner may read: a plan that somebody may have reviewed is never written over.
pub fn write_new(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    NewFile::create(path)?.fill(bytes)
}

/// A file that is there before what it is for is done. It goes again unless it is filled.
pub struct NewFile {
    path: PathBuf,
    file: File,
    is_filled: bool,
}

impl NewFile {
    /// Makes it, for its owner alone.
    pub fn create(path: &Path) -> Result<Self, Failure> {
        let made = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path);
        let file = made.map_err(|error| {
            Failure::new(Exit::Failed, format!("{}: {error}; name a file that does not exist yet", path.display()))
        })?;
        Ok(Self { path: path.to_owned(), file, is_filled: false })
    }

    /// Writes all of it.
    pub fn fill(mut self, bytes: &[u8]) -> Result<(), Failure> {
        let written = self.file.write_all(bytes).and_then(|()| self.file.sync_all());
        written
            .map_err(|error| Failure::new(Exit::Failed, format!("cannot write {}: {error}", self.path.display())))?;
        self.is_filled = true;
        Ok(())
    }
}

impl Drop for NewFile {
    fn drop(&mut self) {
        if !self.is_filled {
            // It may have been taken away already.
            let _ = std::fs::remove_file(&self.path);
        }
    }
}

/// Reads a file, and one byte more than may be read of one that is too large.
pub fn read_at_most(path: &Path, most: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(most as u64 + 1).read_to_end(&mut bytes)?;
    Ok(bytes)
}
