//! Logs on disk: what memory does not hold is read back from here. One file per job, in the cache directory, removed at the end.

use std::io::{self, Read, Seek, SeekFrom, Write};
use std::ops::Range;
use std::path::{Path, PathBuf};

use crate::ci::JobId;

/// The directory of one session's logs.
#[derive(Debug, Clone)]
pub struct Spill {
    dir: PathBuf,
}

impl Spill {
    /// Names a directory; it is made with the first log.
    pub fn new(dir: impl Into<PathBuf>) -> Self {
        Self { dir: dir.into() }
    }

    fn path(&self, job: JobId) -> PathBuf {
        self.dir.join(format!("job-{job}.log"))
    }

    /// Opens a job's file for reading and writing; creates it, readable by its owner only.
    pub fn open(&self, job: JobId) -> io::Result<std::fs::File> {
        std::fs::create_dir_all(&self.dir)?;
        let mut options = std::fs::OpenOptions::new();
        options.read(true).write(true).create(true).truncate(false);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        options.open(self.path(job))
    }

    /// Reads as many bytes of a range as there are.
    pub fn read(&self, job: JobId, range: Range<u64>) -> io::Result<Vec<u8>> {
        let mut file = std::fs::File::open(self.path(job))?;
        file.seek(SeekFrom::Start(range.start))?;
        let mut bytes = Vec::new();
        file.take(range.end.saturating_sub(range.start)).read_to_end(&mut bytes)?;
        Ok(bytes)
    }

    /// Where the logs lie.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Removes all logs of this session.
    pub fn clear(&self) -> io::Result<()> {
        match std::fs::remove_dir_all(&self.dir) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }
}

/// Compares a log that is being read again with what was read before; says which bytes are new.
///
/// GitLab has no way to ask for a part of a log, so each poll sends all of it. What is on disk already is compared and not passed on.
pub struct Reread {
    file: std::fs::File,
    known: u64,
    at: u64,
}

/// What a chunk of a log that is read again holds.
#[derive(Debug, PartialEq, Eq)]
pub enum Chunk {
    /// Seen before.
    Known,
    /// New from here on: the offset in the log, and how many bytes of the chunk were known.
    New { offset: u64, skip: usize },
    /// The text is not what it was. The file is empty now: begin another pass.
    Changed,
}

impl Reread {
    /// Begins a pass over a job's log.
    pub fn begin(spill: &Spill, job: JobId) -> io::Result<Self> {
        let file = spill.open(job)?;
        let known = file.metadata()?.len();
        Ok(Self { file, known, at: 0 })
    }

    /// Takes the next bytes from the server.
    pub fn take(&mut self, bytes: &[u8]) -> io::Result<Chunk> {
        let overlap = usize::try_from(self.known.saturating_sub(self.at)).unwrap_or(usize::MAX).min(bytes.len());
        let (old, new) = bytes.split_at(overlap);
        if !old.is_empty() {
            let mut on_disk = vec![0; old.len()];
            self.file.seek(SeekFrom::Start(self.at))?;
            self.file.read_exact(&mut on_disk)?;
            if on_disk != old {
                self.file.set_len(0)?;
                return Ok(Chunk::Changed);
            }
            self.at += overlap as u64;
        }
        if new.is_empty() {
            return Ok(Chunk::Known);
        }
        let offset = self.at;
        self.file.seek(SeekFrom::Start(offset))?;
        self.file.write_all(new)?;
        self.at += new.len() as u64;
        self.known = self.at;
        Ok(Chunk::New { offset, skip: overlap })
    }

    /// Ends the pass. True when the server's text was shorter than what was known; the file is empty then.
    pub fn finish(self) -> io::Result<bool> {
        let shrank = self.at < self.known;
        if shrank {
            self.file.set_len(0)?;
        }
        Ok(shrank)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn scratch(name: &str) -> Spill {
        let dir = std::env::temp_dir().join(format!("stackhand-spill-{name}-{}", std::process::id()));
        let spill = Spill::new(dir);
        spill.clear().unwrap();
        spill
    }

    /// The new bytes of a pass; `None` when the text changed or shrank.
    fn pass(spill: &Spill, chunks: &[&[u8]]) -> Option<Vec<u8>> {
        let mut reread = Reread::begin(spill, JobId(7)).unwrap();
        let mut news = Vec::new();
        for bytes in chunks {
            match reread.take(bytes).unwrap() {
                Chunk::Known => {}
                Chunk::New { skip, offset } => {
                    assert_eq!(offset, reread.at - (bytes.len() - skip) as u64);
                    news.extend_from_slice(&bytes[skip..]);
                }
                Chunk::Changed => return None,
            }
        }
        (!reread.finish().unwrap()).then_some(news)
    }

    #[test]
    fn only_the_tail_is_new() {
        let spill = scratch("tail");
        assert_eq!(pass(&spill, &[b"abc", b"def"]).unwrap(), b"abcdef");
        assert_eq!(pass(&spill, &[b"ab", b"cdefg", b"h"]).unwrap(), b"gh");
        assert_eq!(spill.read(JobId(7), 2..100).unwrap(), b"cdefgh");
        spill.clear().unwrap();
    }

    #[test]
    fn a_changed_or_shorter_text_begins_again() {
        let spill = scratch("changed");
        pass(&spill, &[b"abcdef"]);
        assert_eq!(pass(&spill, &[b"abc", b"dXf", b"g"]), None);
        assert_eq!(pass(&spill, &[b"abc", b"dXf", b"g"]).unwrap(), b"abcdXfg");
        assert_eq!(pass(&spill, &[b"abc"]), None);
        assert_eq!(pass(&spill, &[b"abc"]).unwrap(), b"abc");
        spill.clear().unwrap();
    }
}
