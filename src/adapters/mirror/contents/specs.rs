//! What the manifests of binaries say.

use std::collections::VecDeque;
use std::path::Path;
use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::indexes::VANISHED;
use super::{Stage, Watch, blob_of};
use crate::adapters::mirror::fault::{Fault, Object};
use crate::adapters::mirror::folder;
use crate::adapters::mirror::reader::{Lack, Reader, aside};
use crate::adapters::mirror::root::Root;
use crate::adapters::mirror::settings::MAX_MANIFEST;
use crate::cache::{BlobRef, Gap, Reading, SpecManifest};
use crate::spack::buildcache::{Manifest, Record};

/// After so many failures in a row nobody is asked any more: each was tried several times, and a mirror may hold a hundred thousand.
const MOST_FAILURES: usize = 32;
/// So many files one thread reads before it reports.
const BATCH: usize = 256;
/// So many threads read at once.
const THREADS: usize = 4;

/// Reads every manifest that is not known already, and gives what could not be read.
pub(super) async fn read(reader: &Reader, root: &Root, manifests: &mut [SpecManifest], watch: &dyn Watch) -> Vec<Gap> {
    let mut unread = VecDeque::new();
    for (at, manifest) in manifests.iter_mut().enumerate() {
        let known = manifest.tag.as_deref().and_then(|tag| watch.known(&manifest.path, tag));
        manifest.reading = match known {
            Some(known) if !matches!(known, Reading::Unread | Reading::Failed(_)) => known,
            _ if manifest.bytes > MAX_MANIFEST as u64 => Reading::Damaged(
                format!("{}: {}", root.shown(&manifest.path), Fault::too_large(MAX_MANIFEST).what).into(),
            ),
            _ => {
                unread.push_back((at, manifest.path.clone()));
                continue;
            }
        };
    }
    let all = manifests.len();
    let mut done = all - unread.len();
    watch.reached(Stage::Reading { done, all });
    let mut note = |read: Vec<(usize, Reading)>| {
        done += read.len();
        for (at, reading) in read {
            if let Some(manifest) = manifests.get_mut(at) {
                manifest.reading = reading;
            }
        }
        watch.reached(Stage::Reading { done, all });
    };
    let stopped = match root {
        Root::Folder(path) => from_folder(reader, root, path, unread, &mut note).await,
        _ => from_afar(reader, root, unread, &mut note).await,
    };
    let mut gaps = Vec::new();
    for manifest in manifests {
        match (&manifest.reading, &stopped) {
            (Reading::Failed(why), _) => gaps.push(Gap { place: manifest.path.clone(), why: why.clone() }),
            (Reading::Unread, Some(why)) => manifest.reading = Reading::Failed(why.clone()),
            _ => {}
        }
    }
    gaps.extend(stopped.map(|why| Gap { place: "v3/manifests/spec/".into(), why }));
    gaps
}

type Unread = VecDeque<(usize, Arc<str>)>;
type Note<'a> = dyn FnMut(Vec<(usize, Reading)>) + Send + 'a;

async fn from_folder(
    reader: &Reader,
    root: &Root,
    path: &Path,
    mut unread: Unread,
    note: &mut Note<'_>,
) -> Option<Arc<str>> {
    let mut reading = FuturesUnordered::new();
    let mut stopped = None;
    loop {
        while reading.len() < THREADS && !unread.is_empty() {
            let some = BATCH.min(unread.len().div_ceil(THREADS));
            let batch: Vec<(usize, Arc<str>)> = unread.drain(..some).collect();
            let (root, path) = (root.clone(), path.to_owned());
            reading.push(async move {
                let _slot = reader.slot().await;
                let read = move |(at, name): (usize, Arc<str>)| {
                    let got = folder::get(&path.join(&*name), MAX_MANIFEST).map_err(|fault| {
                        let reason = format!("{}: {}", root.shown(&name), fault.what);
                        if fault.is_too_large { Lack::TooLarge(reason) } else { Lack::Failed(reason) }
                    });
                    (at, judged(got, || root.shown(&name)))
                };
                aside(move || batch.into_iter().map(read).collect::<Vec<_>>()).await
            });
        }
        match reading.next().await {
            Some(Ok(read)) => note(read),
            Some(Err(why)) => stopped = Some(why.into()),
            None => return stopped,
        }
    }
}

async fn from_afar(reader: &Reader, root: &Root, mut unread: Unread, note: &mut Note<'_>) -> Option<Arc<str>> {
    let mut asked = FuturesUnordered::new();
    let mut failures = 0;
    loop {
        while asked.len() < reader.settings.in_flight.max(1)
            && failures < MOST_FAILURES
            && let Some((at, path)) = unread.pop_front()
        {
            asked.push(Box::pin(async move {
                let got = reader.fetch(root, &path, MAX_MANIFEST).await;
                (at, judged(got, || root.shown(&path)))
            }));
        }
        let Some(read) = asked.next().await else { break };
        failures = if matches!(&read.1, Reading::Failed(why) if &**why != VANISHED) { failures + 1 } else { 0 };
        note(vec![read]);
    }
    (!unread.is_empty()).then(|| format!("it was not asked for, since {failures} before it failed").into())
}

fn judged(got: Result<Option<Object>, Lack>, shown: impl Fn() -> String) -> Reading {
    let object = match got {
        Ok(Some(object)) => object,
        Ok(None) => return Reading::Failed(VANISHED.into()),
        Err(Lack::TooLarge(why)) => return Reading::Damaged(why.into()),
        Err(Lack::Failed(why)) => return Reading::Failed(why.into()),
    };
    let damaged = |why: &dyn std::fmt::Display| Reading::Damaged(format!("{}: {why}", shown()).into());
    let manifest = match Manifest::parse(&object.bytes) {
        Ok(manifest) => manifest,
        Err(error) => return damaged(&error),
    };
    said(&manifest).unwrap_or_else(|why| damaged(&why))
}

/// The blobs of a manifest, told apart.
fn said(manifest: &Manifest) -> Result<Reading, String> {
    let blob = |found: Option<(&Record, u32)>| found.map(|(record, _)| blob_of(record)).transpose();
    let (tarball, spec) = (blob(manifest.tarball())?, blob(manifest.spec())?);
    let all: Vec<BlobRef> = manifest.records.iter().map(blob_of).collect::<Result<_, _>>()?;
    let others = all.into_iter().filter(|blob| Some(*blob) != tarball && Some(*blob) != spec).collect();
    Ok(Reading::Read { tarball, spec, others, is_signed: manifest.is_signed })
}
