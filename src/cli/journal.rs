//! Where `tracing` goes: a file in the state folder, never the terminal; of a daemon, standard error, where whoever started it reads.
//!
//! `STACKHAND_LOG` says what is written (`stackhand=info` without it). The file is put aside when it has grown to its cap, so the journal never
//! takes more than twice that. A token that finds its way into a line is blotted out before the line is written.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use secrecy::{ExposeSecret, SecretString};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::MakeWriter;

/// The variable that chooses what is written.
pub const VARIABLE: &str = "STACKHAND_LOG";
const CAP: u64 = 8 << 20;
const BLOT: &[u8] = b"[token]";

/// The file that is written to.
struct Journal {
    path: PathBuf,
    file: File,
    size: u64,
    cap: u64,
}

impl Journal {
    fn open(path: PathBuf, cap: u64) -> io::Result<Self> {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let mut options = OpenOptions::new();
        options.append(true).create(true);
        #[cfg(unix)]
        std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
        let file = options.open(&path)?;
        let size = file.metadata()?.len();
        Ok(Self { path, file, size, cap })
    }

    fn append(&mut self, line: &[u8]) -> io::Result<()> {
        if self.size + line.len() as u64 > self.cap && self.size > 0 {
            std::fs::rename(&self.path, self.path.with_extension("log.1"))?;
            *self = Self::open(self.path.clone(), self.cap)?;
        }
        self.file.write_all(line)?;
        self.size += line.len() as u64;
        Ok(())
    }
}

/// What lines look like, and where they go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Lines {
    /// Text in the file.
    #[default]
    File,
    /// Text on standard error.
    Text,
    /// One JSON object per line on standard error.
    Json,
}

/// Writes lines without secrets.
#[derive(Clone)]
struct Pen {
    /// `None`: standard error.
    journal: Option<Arc<Mutex<Journal>>>,
    secrets: Arc<[SecretString]>,
}

impl Write for Pen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut clean = line.to_vec();
        for secret in self.secrets.iter() {
            let plain = secret.expose_secret();
            clean = blot(&clean, plain.as_bytes());
            // In JSON it may be spelt otherwise.
            if let Some(spelt) = serde_json::to_string(plain).ok().filter(|spelt| spelt.len() > plain.len() + 2) {
                clean = blot(&clean, spelt.trim_matches('"').as_bytes());
            }
        }
        match &self.journal {
            Some(journal) => journal.lock().unwrap_or_else(PoisonError::into_inner).append(&clean)?,
            None => io::stderr().lock().write_all(&clean)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<'a> MakeWriter<'a> for Pen {
    type Writer = Self;

    fn make_writer(&'a self) -> Self {
        self.clone()
    }
}

fn blot(line: &[u8], secret: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(line.len());
    let mut at = 0;
    for found in memchr::memmem::find_iter(line, secret).filter(|_| !secret.is_empty()) {
        out.extend_from_slice(line.get(at..found).unwrap_or_default());
        out.extend_from_slice(BLOT);
        at = found + secret.len();
    }
    out.extend_from_slice(line.get(at..).unwrap_or_default());
    out
}

/// Starts the journal; in a folder only where it goes to a file. What cannot be written is not worth ending for.
pub fn begin(lines: Lines, folder: Option<&Path>, secrets: Vec<SecretString>) -> io::Result<()> {
    let journal = match (lines, folder) {
        (Lines::File, None) => return Ok(()),
        (Lines::File, Some(folder)) => Some(Arc::new(Mutex::new(Journal::open(folder.join("stackhand.log"), CAP)?))),
        (Lines::Text | Lines::Json, _) => None,
    };
    let pen = Pen { journal, secrets: secrets.into() };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("stackhand=info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(pen).with_ansi(false);
    // Only a test that runs two commands in one process has one already.
    let _ = if lines == Lines::Json {
        tracing::subscriber::set_global_default(subscriber.json().flatten_event(true).finish())
    } else {
        tracing::subscriber::set_global_default(subscriber.finish())
    };
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_never_reaches_the_file() {
        assert_eq!(blot(b"a glpat-canary b glpat-canary", b"glpat-canary"), b"a [token] b [token]");
        assert_eq!(blot(b"plain", b""), b"plain");
    }

    #[test]
    fn a_secret_is_blotted_out_however_json_spells_it() {
        let secrets: Arc<[SecretString]> = Arc::new(["can\"ary\\".to_owned().into(), String::new().into()]);
        let folder = std::env::temp_dir().join(format!("stackhand-blot-{}", std::process::id()));
        let journal = Journal::open(folder.join("stackhand.log"), CAP).unwrap();
        let mut pen = Pen { journal: Some(Arc::new(Mutex::new(journal))), secrets };
        let line = format!("{} can\"ary\\ end", serde_json::json!({ "x": "can\"ary\\" }));
        assert_eq!(pen.write(line.as_bytes()).unwrap(), line.len());
        let text = std::fs::read_to_string(folder.join("stackhand.log")).unwrap();
        assert_eq!(text, "{\"x\":\"[token]\"} [token] end");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[test]
    fn a_full_journal_is_put_aside() {
        let folder = std::env::temp_dir().join(format!("stackhand-journal-{}", std::process::id()));
        let path = folder.join("stackhand.log");
        let mut journal = Journal::open(path.clone(), 10).unwrap();
        for line in ["first\n", "second\n", "third\n"] {
            journal.append(line.as_bytes()).unwrap();
        }
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "third\n");
        assert_eq!(std::fs::read_to_string(folder.join("stackhand.log.1")).unwrap(), "second\n");
        std::fs::remove_dir_all(folder).unwrap();
    }
}
