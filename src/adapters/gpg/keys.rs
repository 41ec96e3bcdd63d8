//! The public keys that count, in a home of their own.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tokio::process::Command;

use super::GpgError;
use super::error::harmless;
use super::folder::Folder;
use crate::adapters::process::{self, Answer};
use crate::console::text;

/// Real key files have ten kilobytes.
const MAX_KEYS: usize = 4 << 20;
/// What gpg may say; for each file of a batch less than a kilobyte.
const MAX_SAID: usize = 16 << 20;

/// A file with public keys, armored or not.
#[derive(Debug, Clone)]
pub struct KeyFile {
    /// How messages call it.
    pub name: String,
    pub bytes: Vec<u8>,
}

/// A home of gpg with the given keys and nothing else. Nothing secret is ever in it, and no agent is ever started for it.
#[derive(Debug)]
pub(super) struct Home {
    program: PathBuf,
    folder: Folder,
    /// Primary fingerprints, in capitals.
    pub keys: BTreeSet<Arc<str>>,
}

impl Home {
    pub async fn with(program: &Path, files: &[KeyFile]) -> Result<Self, GpgError> {
        // Whoever has no gpg hears of that first.
        let mut home = Self::empty(program).await?;
        if files.is_empty() {
            return Err(GpgError::NoKeys);
        }
        for file in files {
            home.import(file).await?;
        }
        Ok(home)
    }

    /// A home without keys.
    pub async fn empty(program: &Path) -> Result<Self, GpgError> {
        let home = Self { program: program.to_owned(), folder: Folder::new()?, keys: BTreeSet::new() };
        // Where no database of trust lies, every process makes one for itself, and stops at an expired key.
        home.run(&["--import-ownertrust"], Some(b""), &home.folder).await?;
        Ok(home)
    }

    async fn import(&mut self, file: &KeyFile) -> Result<(), GpgError> {
        let wrong = |what: &str| {
            let name = text::cut_end(&text::clean_bytes(file.name.as_bytes()), 200).into_owned();
            GpgError::Key { name, what: what.to_owned() }
        };
        if file.bytes.len() > MAX_KEYS {
            return Err(wrong("has more than 4 MB; name a file with public keys"));
        }
        let shown = self.run(&["--with-colons", "--show-keys"], Some(&file.bytes), &self.folder).await?;
        let (mut keys, mut primary_is_next) = (Vec::new(), false);
        for line in String::from_utf8_lossy(&shown.said).lines() {
            let mut fields = line.split(':');
            match fields.next() {
                Some("sec" | "ssb") => {
                    return Err(wrong(
                        "holds a secret key, which has no place here; export it with `gpg --armor --export KEY`",
                    ));
                }
                Some("pub") => primary_is_next = true,
                Some("fpr") if std::mem::take(&mut primary_is_next) => {
                    keys.extend(fields.nth(8).map(|fingerprint| Arc::<str>::from(fingerprint.to_ascii_uppercase())));
                }
                _ => {}
            }
        }
        if keys.is_empty() {
            let said = harmless(&shown.complaint);
            return Err(wrong(&format!("holds no public key ({said}); write it with `gpg --armor --export KEY`")));
        }
        let imported = self.run(&["--import"], Some(&file.bytes), &self.folder).await?;
        let said = String::from_utf8_lossy(&imported.said).into_owned();
        for key in &keys {
            let is_in = said.lines().any(|line| {
                line.strip_prefix("[GNUPG:] IMPORT_OK ").is_some_and(|rest| rest.split(' ').nth(1) == Some(&**key))
            });
            if !is_in {
                let what = format!("holds the key {key}, which gpg does not take: {}", harmless(&imported.complaint));
                return Err(wrong(&what));
            }
        }
        self.keys.extend(keys);
        Ok(())
    }

    /// Runs gpg in a folder. It asks nobody anything: no terminal, no agent, no network, no configuration.
    pub async fn run(&self, arguments: &[&str], input: Option<&[u8]>, at: &Folder) -> Result<Answer, GpgError> {
        const DEADLINE: Duration = Duration::from_secs(120);
        let mut command = Command::new(&self.program);
        command.args(["--no-options", "--no-tty", "--no-autostart", "--disable-dirmngr", "--no-auto-key-locate"]);
        command.args(["--no-auto-key-retrieve", "--no-auto-check-trustdb", "--status-fd", "1"]);
        command.args(arguments).current_dir(at.path()).env("GNUPGHOME", self.folder.path()).env("LC_ALL", "C");
        process::run(command, input, MAX_SAID, DEADLINE)
            .await
            .map_err(|fault| GpgError::of(fault, self.program.clone(), DEADLINE))
    }
}
