//! The indexes of a root, its views and its keys.

use std::sync::Arc;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::pile::{Named, Pile};
use super::{blob_of, tag_of};
use crate::adapters::mirror::index::{BlobFault, ROUNDS, fetch_blob, verifiable};
use crate::adapters::mirror::reader::{Lack, Reader, aside};
use crate::adapters::mirror::root::Root;
use crate::adapters::mirror::settings::MAX_MANIFEST;
use crate::cache::{BlobRef, Gap, IndexManifest, IndexState, KeyManifest};
use crate::spack::buildcache::{Catalogue, IndexError, Manifest, NEWEST_INDEX, v3};

/// How many indexes are read at once: each may have a hundred megabytes.
const AT_ONCE: usize = 4;

/// Reads what the pile names.
pub(super) async fn read(reader: &Reader, root: &Root, pile: &mut Pile) {
    let mut named = std::mem::take(&mut pile.indexes);
    let keys = std::mem::take(&mut pile.keys);
    let is_listed = named.iter().any(|index| index.view.is_none());
    let is_unsure = pile.contents.gaps.iter().any(|gap| v3::index_manifest(None).starts_with(&*gap.place));
    if !is_listed && is_unsure {
        // Who may not list may still read.
        named.push(Named {
            path: v3::index_manifest(None).into(),
            view: None,
            bytes: 0,
            modified: None,
            is_listed: false,
        });
    }
    let indexes = stream::iter(named).map(|named| Box::pin(index(reader, root, named)));
    let indexes: Vec<_> = indexes.buffer_unordered(AT_ONCE).collect().await;
    for (index, gap) in indexes.into_iter().flatten() {
        pile.contents.indexes.push(index);
        pile.contents.gaps.extend(gap);
    }
    let keys = stream::iter(keys).map(|named| Box::pin(key(reader, root, named)));
    let keys: Vec<_> = keys.buffer_unordered(reader.settings.in_flight.max(1)).collect().await;
    for (key, gap) in keys {
        pile.contents.keys.push(key);
        pile.contents.gaps.extend(gap);
    }
}

/// One index; `None` where nothing was listed and nothing is.
async fn index(reader: &Reader, root: &Root, named: Named) -> Option<(IndexManifest, Option<Gap>)> {
    let Named { path, view, bytes, modified, is_listed } = named;
    let mut index = IndexManifest {
        path,
        view,
        modified,
        bytes,
        tag: None,
        blob: None,
        others: Vec::new(),
        state: IndexState::Unread,
    };
    let state = state(reader, root, &mut index).await;
    if state.is_none() && !is_listed {
        return None;
    }
    index.state = state.unwrap_or_else(|| IndexState::Failed(VANISHED.into()));
    let gap = match &index.state {
        IndexState::Failed(why) => Some(Gap { place: index.path.clone(), why: why.clone() }),
        _ => None,
    };
    Some((index, gap))
}

/// What somebody removed between the listing and the reading.
pub(super) const VANISHED: &str = "it vanished while it was read";

/// What an index says; `None` where it has no manifest. What the manifest itself tells is noted.
async fn state(reader: &Reader, root: &Root, index: &mut IndexManifest) -> Option<IndexState> {
    let damaged = |why: String| Some(IndexState::Damaged(why.into()));
    let failed = |why: String| Some(IndexState::Failed(why.into()));
    let shown = root.shown(&index.path);
    let mut missing = None;
    // It may be written anew between two requests.
    for _ in 0..ROUNDS {
        let object = match reader.fetch(root, &index.path, MAX_MANIFEST).await {
            Ok(object) => object?,
            Err(Lack::TooLarge(why)) => return damaged(why),
            Err(Lack::Failed(why)) => return failed(why),
        };
        index.tag = Some(tag_of(&object).into());
        index.modified = object.modified.or(index.modified);
        index.bytes = object.bytes.len() as u64;
        let manifest = match Manifest::parse(&object.bytes) {
            Ok(manifest) => manifest,
            Err(error) => return damaged(format!("{shown}: {error}")),
        };
        let Some((record, version)) = manifest.index() else {
            return damaged(format!("{shown}: it names no index; run `spack buildcache update-index`"));
        };
        let blobs: Result<Vec<BlobRef>, String> = manifest.records.iter().map(blob_of).collect();
        match (blobs, blob_of(record)) {
            (Ok(blobs), Ok(blob)) => {
                index.blob = Some(blob);
                index.others = blobs.into_iter().filter(|other| other.sum != blob.sum).collect();
            }
            (Err(why), _) | (_, Err(why)) => return damaged(format!("{shown}: {why}")),
        }
        if version > NEWEST_INDEX {
            return Some(IndexState::TooNew(version));
        }
        if let Err(why) = verifiable(record) {
            return damaged(format!("{shown}: {why}"));
        }
        if missing == Some(record.checksum.clone()) {
            break;
        }
        match fetch_blob(reader, root, record).await {
            Ok(Some(bytes)) => return Some(catalogue(bytes, &root.shown(&record.path())).await),
            Ok(None) => missing = Some(record.checksum.clone()),
            Err(BlobFault::Damaged(why)) => return damaged(why),
            Err(BlobFault::Failed(why)) => return failed(why),
        }
    }
    Some(IndexState::Dangling)
}

async fn catalogue(bytes: Vec<u8>, shown: &str) -> IndexState {
    match aside(move || Catalogue::read(&bytes)).await {
        Ok(Ok(catalogue)) => IndexState::Read(Arc::new(catalogue)),
        Ok(Err(IndexError::TooNew { found })) => IndexState::TooNew(found),
        Ok(Err(error)) => IndexState::Damaged(format!("{shown}: {error}").into()),
        Err(why) => IndexState::Failed(format!("{shown}: {why}").into()),
    }
}

/// The manifest of a key. One that tells nothing is a gap: what it keeps is not known.
async fn key(reader: &Reader, root: &Root, named: Named) -> (KeyManifest, Option<Gap>) {
    let shown = root.shown(&named.path);
    let blobs = match reader.fetch(root, &named.path, MAX_MANIFEST).await {
        Ok(Some(object)) => Manifest::parse(&object.bytes)
            .map_err(|error| error.to_string())
            .and_then(|manifest| manifest.records.iter().map(blob_of).collect::<Result<Vec<_>, _>>())
            .map_err(|why| format!("{shown}: {why}")),
        Ok(None) => Err(VANISHED.to_owned()),
        Err(lack) => Err(lack.into_reason()),
    };
    let Named { path, bytes, modified, .. } = named;
    let (blobs, gap) = match blobs {
        Ok(blobs) => (Some(blobs), None),
        Err(why) => (None, Some(Gap { place: path.clone(), why: why.into() })),
    };
    (KeyManifest { path, bytes, modified, blobs }, gap)
}
