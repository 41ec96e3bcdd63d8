//! Walks through a folder: each folder in it is a range, and a page.

use std::collections::VecDeque;
use std::fs::{self, DirEntry, Metadata};
use std::io::{self, ErrorKind};
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::{Page, Row, Rows, Sink, Walk};
use crate::adapters::mirror::reader::{Reader, aside};
use crate::cache::Gap;
use crate::ci::Timestamp;

/// How many folders one thread reads before it reports.
const BATCH: usize = 32;
/// How many threads read at once.
const THREADS: usize = 4;

/// What lies directly in a folder.
pub(in super::super) struct Listed {
    files: Rows,
    /// Below the address, with `/` at their ends.
    pub folders: Vec<String>,
}

pub(super) async fn run(reader: &Reader, path: &Path, walk: &mut Walk, sink: &mut Sink<'_>) -> Vec<Gap> {
    let mut gaps = Vec::new();
    let mut waiting: VecDeque<(u64, String)> =
        walk.open().filter_map(|id| Some((id, walk.range(id)?.prefix.clone()))).collect();
    let mut reading = FuturesUnordered::new();
    loop {
        while reading.len() < THREADS && !waiting.is_empty() {
            // A few each, so that no thread is left without.
            let some = BATCH.min(waiting.len().div_ceil(THREADS));
            let batch: Vec<(u64, String)> = waiting.drain(..some).collect();
            let path = path.to_owned();
            let read = async move {
                // Other readings must not starve for threads.
                let _slot = reader.slot().await;
                aside(move || {
                    batch.into_iter().map(|(id, folder)| (id, list(&path, &folder), folder)).collect::<Vec<_>>()
                })
                .await
            };
            reading.push(read);
        }
        let Some(read) = reading.next().await else { return gaps };
        let read = match read {
            Ok(read) => read,
            Err(why) => {
                gaps.push(Gap { place: "".into(), why: why.into() });
                continue;
            }
        };
        for (id, listed, folder) in read {
            let Listed { files, folders } = match listed {
                Ok(listed) => listed,
                Err(why) => {
                    gaps.push(Gap { place: folder.into(), why: why.into() });
                    continue;
                }
            };
            waiting.extend(folders.into_iter().map(|folder| (walk.add(&folder), folder)));
            walk.deliver(id, &files, 0, false);
            if sink(&Page::of(&files, 0), walk).is_break() {
                return gaps;
            }
        }
    }
}

/// What lies in a folder; nothing where there is none, unless that is the address itself.
pub(in super::super) fn list(address: &Path, folder: &str) -> Result<Listed, String> {
    let broken = |error: io::Error| format!("it cannot be listed ({error})");
    // With a `/` at its end, a link would be followed.
    let path = address.join(folder.trim_end_matches('/'));
    let mut listed = Listed { files: Vec::new(), folders: Vec::new() };
    // One may put a part of a cache elsewhere; further down, links may lead round in circles.
    let is_part = folder.matches('/').count() < 2;
    let found = if is_part { fs::metadata(&path) } else { fs::symlink_metadata(&path) };
    let found = match found {
        Ok(found) => found,
        Err(error) if error.kind() == ErrorKind::NotFound && !folder.is_empty() => {
            // The folder was never there or is gone. Without the address, nothing is known.
            fs::metadata(address).map_err(broken)?;
            return Ok(listed);
        }
        Err(error) => return Err(broken(error)),
    };
    if found.is_symlink() {
        return Err("it is a link to another folder, which is not followed".to_owned());
    }
    for entry in fs::read_dir(&path).map_err(broken)? {
        let entry = entry.map_err(broken)?;
        // A name that is no text is the name of nothing that Spack writes.
        let name = format!("{folder}{}", entry.file_name().to_string_lossy());
        match metadata(&entry) {
            Ok(found) if found.is_dir() => listed.folders.push(format!("{name}/")),
            Ok(found) => listed.files.push(row(name, &found)),
            // It is gone, or leads to what is gone.
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            Err(error) => return Err(broken(error)),
        }
    }
    listed.files.sort_unstable_by(|a, b| a.key.cmp(&b.key));
    listed.folders.sort_unstable();
    Ok(listed)
}

/// Of what a link leads to.
fn metadata(entry: &DirEntry) -> io::Result<Metadata> {
    let found = entry.metadata()?;
    if found.is_symlink() { fs::metadata(entry.path()) } else { Ok(found) }
}

fn row(key: String, found: &Metadata) -> Row {
    let (seconds, nanos) = (found.mtime(), found.mtime_nsec());
    Row {
        key,
        bytes: found.len(),
        modified: Some(Timestamp::from_millis(seconds.saturating_mul(1_000).saturating_add(nanos / 1_000_000))),
        tag: Some(file_tag(found)),
    }
}

/// Changes whenever the file is written or replaced.
pub(in super::super) fn file_tag(found: &Metadata) -> String {
    format!("{:x}.{:x}-{:x}-{:x}", found.mtime(), found.mtime_nsec(), found.len(), found.ino())
}
