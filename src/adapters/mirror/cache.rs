//! Indexes kept on the disk between runs, each under its own SHA-256.
//!
//! What is read is verified again, so that a damaged or foreign file costs no more than a download. The cache helps or is silent: none of
//! its faults is a reason to fail.

use std::fmt::Write as _;
use std::fs::{self, File};
use std::io::Read as _;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use sha2::{Digest, Sha256};

use super::settings::Settings;
use crate::spack::buildcache::MAX_INDEX;

/// A half-written file of a run that died.
const FORGOTTEN: Duration = Duration::from_secs(3_600);

#[derive(Debug, Clone)]
pub(super) struct Cache {
    dir: PathBuf,
    kept: usize,
}

impl Cache {
    pub fn of(settings: &Settings) -> Option<Self> {
        settings.cache.clone().map(|dir| Self { dir, kept: settings.kept.max(1) })
    }

    /// The bytes with this checksum, if they are here and whole.
    pub fn load(&self, checksum: &str) -> Option<Vec<u8>> {
        let path = self.path(checksum)?;
        let file = File::open(&path).ok().filter(|file| file.metadata().is_ok_and(|found| found.is_file()))?;
        let mut bytes = Vec::new();
        (&file).take(MAX_INDEX as u64 + 1).read_to_end(&mut bytes).ok()?;
        if sha256(&bytes) != checksum {
            tracing::debug!(path = %path.display(), "a kept index is damaged and is fetched again");
            return None;
        }
        // Used now: it goes last. A file of somebody else may refuse that.
        let _ = File::options().append(true).open(&path).and_then(|file| file.set_modified(SystemTime::now()));
        Some(bytes)
    }

    /// Keeps bytes whose checksum was verified, and lets the oldest go.
    pub fn keep(&self, checksum: &str, bytes: &[u8]) {
        let Some(path) = self.path(checksum) else { return };
        let half = self.dir.join(format!("{checksum}.{}.half", std::process::id()));
        let written = fs::create_dir_all(&self.dir)
            .and_then(|()| fs::write(&half, bytes))
            .and_then(|()| fs::rename(&half, &path));
        if let Err(error) = written {
            tracing::debug!(path = %path.display(), %error, "an index is not kept");
            // There may be none.
            let _ = fs::remove_file(&half);
        }
        self.tidy();
    }

    fn path(&self, checksum: &str) -> Option<PathBuf> {
        is_sha256(checksum).then(|| self.dir.join(checksum))
    }

    /// Removes what is too much. Only names that this module gives are touched.
    fn tidy(&self) {
        let mut kept = Vec::new();
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let modified = entry.metadata().and_then(|found| found.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
            if is_sha256(name) {
                kept.push((modified, entry.path()));
            } else if name.split_once('.').is_some_and(|(sum, rest)| is_sha256(sum) && rest.ends_with("half")) {
                let age = SystemTime::now().duration_since(modified).unwrap_or_default();
                if age > FORGOTTEN {
                    // Another run may have removed it.
                    let _ = fs::remove_file(entry.path());
                }
            }
        }
        kept.sort();
        for (_, path) in kept.iter().rev().skip(self.kept) {
            // Another run may have removed it.
            let _ = fs::remove_file(path);
        }
    }
}

pub(super) fn is_sha256(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
}

pub(super) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().fold(String::with_capacity(64), |mut hex, byte| {
        // Writing into a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::Scratch;
    use super::*;

    #[test]
    fn what_is_kept_is_verified_and_bounded() {
        let scratch = Scratch::new();
        let settings = Settings { cache: Some(scratch.path().join("indexes")), kept: 3, ..Settings::default() };
        let cache = Cache::of(&settings).unwrap();
        let sums: Vec<String> = (0..5_u8).map(|n| sha256(&[n])).collect();
        for (n, sum) in (0..).zip(&sums) {
            assert_eq!(cache.load(sum), None);
            cache.keep(sum, &[n]);
            let path = cache.path(sum).unwrap();
            let age = SystemTime::UNIX_EPOCH + Duration::from_secs(1_000 + u64::from(n));
            File::options().append(true).open(path).unwrap().set_modified(age).unwrap();
            if n == 2 {
                assert_eq!(cache.load(&sums[0]), Some(vec![0]), "used, and therefore young");
            }
        }
        let there: Vec<bool> = sums.iter().map(|sum| cache.load(sum).is_some()).collect();
        assert_eq!(there, [true, false, false, true, true]);
        fs::write(cache.path(&sums[0]).unwrap(), "other").unwrap();
        assert_eq!(cache.load(&sums[0]), None);
        assert_eq!(cache.load("../../etc/passwd"), None);
        let half = scratch.write(&format!("indexes/{}.1.half", sums[0]), "");
        File::options().append(true).open(&half).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
        let other = scratch.write("indexes/notes", "");
        cache.keep(&sums[0], &[0]);
        assert!(!half.exists() && other.exists());
        assert_eq!(cache.load(&sums[0]), Some(vec![0]));
    }

    #[test]
    fn a_cache_that_cannot_be_written_is_silent() {
        let scratch = Scratch::new();
        let file = scratch.write("file", "");
        let cache = Cache { dir: file.join("below"), kept: 3 };
        cache.keep(&sha256(b""), b"");
        assert_eq!(cache.load(&sha256(b"")), None);
    }
}
