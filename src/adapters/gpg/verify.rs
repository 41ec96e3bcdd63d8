//! Verifies files in batches.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use futures_util::{StreamExt as _, TryStreamExt as _, stream};

use super::error::harmless;
use super::folder::Folder;
use super::keys::Home;
use super::screen::{Screened, screen};
use super::status::verdicts;
use super::{GpgError, KeyFile};
use crate::cache::Signature;

/// Files that one process checks: their names must fit a command line, their status lines its limit.
const BATCH: usize = 1_000;
/// Bytes that lie in temporary files for one process.
const BATCH_BYTES: usize = 64 << 20;
const PROCESSES: usize = 2;

/// Verifies signatures by the keys that it was made with.
#[derive(Debug)]
pub struct Verifier {
    home: Home,
}

impl Verifier {
    /// Imports public keys. A file without any, or with a secret one, is refused by name.
    pub async fn new(keys: &[KeyFile]) -> Result<Self, GpgError> {
        Self::with_program("gpg".as_ref(), keys).await
    }

    /// [`Self::new`] with a gpg that lies elsewhere.
    pub async fn with_program(program: &Path, keys: &[KeyFile]) -> Result<Self, GpgError> {
        Ok(Self { home: Home::with(program, keys).await? })
    }

    /// Without any key no signature is good, but each still says by which key it claims to be.
    pub async fn without_keys() -> Result<Self, GpgError> {
        Ok(Self { home: Home::empty("gpg".as_ref()).await? })
    }

    /// The primary fingerprints of the given keys, in capitals.
    pub const fn keys(&self) -> &BTreeSet<Arc<str>> {
        &self.home.keys
    }

    /// Judges files, and gives the verdicts in the order of the files. An error is about `gpg` and says nothing about any of them.
    pub async fn verify<I>(&self, items: Vec<(I, Vec<u8>)>) -> Result<Vec<(I, Signature)>, GpgError> {
        let mut signatures: Vec<Option<Signature>> = Vec::with_capacity(items.len());
        let (mut names, mut asked) = (Vec::with_capacity(items.len()), Vec::new());
        for (at, (name, bytes)) in items.into_iter().enumerate() {
            names.push(name);
            match screen(&bytes) {
                Screened::Known(signature) => signatures.push(Some(signature)),
                Screened::Signed(bytes) => {
                    signatures.push(None);
                    asked.push((at, bytes.into_owned()));
                }
            }
        }
        let judged = stream::iter(batches(asked)).map(|batch| self.judge(batch)).buffered(PROCESSES);
        for (at, signature) in judged.try_collect::<Vec<_>>().await?.into_iter().flatten() {
            if let Some(slot) = signatures.get_mut(at) {
                *slot = Some(signature);
            }
        }
        let whole: Option<Vec<_>> =
            names.into_iter().zip(signatures).map(|(name, found)| Some((name, found?))).collect();
        whole.ok_or_else(|| GpgError::Failed { said: "it left a file out".to_owned() })
    }

    /// Has one batch checked. When gpg gives up on a file, the file is bad, and gpg goes on after it.
    async fn judge(&self, mut batch: Vec<(usize, Vec<u8>)>) -> Result<Vec<(usize, Signature)>, GpgError> {
        let mut judged = Vec::with_capacity(batch.len());
        while !batch.is_empty() {
            let folder = Folder::new()?;
            let (places, files): (Vec<_>, Vec<_>) = batch.into_iter().unzip();
            let written = tokio::task::spawn_blocking(move || folder.fill(&files).map(|()| (folder, files)));
            let (folder, files) = written.await.map_err(|error| GpgError::Failed { said: error.to_string() })??;
            let names: Vec<String> = (0..files.len()).map(|at| at.to_string()).collect();
            // Whose keys count is decided here: gpg need not look up its trust in them each time.
            let mut arguments = vec!["--trust-model", "always", "--verify-files"];
            arguments.extend(names.iter().map(String::as_str));
            let answer = self.home.run(&arguments, None, &folder).await?;
            let (mut found, gave_up) = verdicts(&answer.said, self.keys());
            if found.len() < files.len() {
                if !gave_up {
                    return Err(GpgError::Failed { said: harmless(&answer.complaint) });
                }
                found.push(Signature::Bad("gpg gives up on it".into()));
            }
            let rest = places.iter().copied().zip(files).skip(found.len()).collect();
            judged.extend(places.into_iter().zip(found));
            batch = rest;
        }
        Ok(judged)
    }
}

/// Cuts files into batches: as many as there are processes, or more where they would be too large.
fn batches(files: Vec<(usize, Vec<u8>)>) -> Vec<Vec<(usize, Vec<u8>)>> {
    let most = files.len().div_ceil(PROCESSES).clamp(1, BATCH);
    let mut batches: Vec<Vec<_>> = Vec::new();
    let mut bytes = 0;
    for file in files {
        bytes += file.1.len();
        match batches.last_mut() {
            Some(last) if last.len() < most && bytes <= BATCH_BYTES => last.push(file),
            _ => {
                bytes = file.1.len();
                batches.push(vec![file]);
            }
        }
    }
    batches
}
