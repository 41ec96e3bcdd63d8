//! Where `tracing` goes: a file in the state folder, never the terminal.
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

/// Writes lines without secrets into the journal.
#[derive(Clone)]
struct Pen {
    journal: Arc<Mutex<Journal>>,
    secret: Option<SecretString>,
}

impl Write for Pen {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let clean = match &self.secret {
            Some(secret) => blot(line, secret.expose_secret().as_bytes()),
            None => line.to_vec(),
        };
        self.journal.lock().unwrap_or_else(PoisonError::into_inner).append(&clean)?;
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

/// Starts the journal in a folder; what cannot be written is not worth ending for.
pub fn begin(folder: &Path, secret: Option<&SecretString>) -> io::Result<()> {
    let pen = Pen {
        journal: Arc::new(Mutex::new(Journal::open(folder.join("stackhand.log"), CAP)?)),
        secret: secret.cloned(),
    };
    let filter = EnvFilter::try_from_env(VARIABLE).unwrap_or_else(|_| EnvFilter::new("stackhand=info"));
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(pen).with_ansi(false).finish();
    // Only a test that runs two commands in one process has one already.
    let _ = tracing::subscriber::set_global_default(subscriber);
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
