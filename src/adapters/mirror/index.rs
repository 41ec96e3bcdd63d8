//! The indexes of one mirror, in both layouts.

use std::collections::HashSet;
use std::sync::Arc;

use super::cache::{is_sha256, sha256};
use super::fault::Object;
use super::reader::{Lack, Reader, Wanted, aside};
use super::root::Root;
use super::settings::MAX_MANIFEST;
use crate::ci::Timestamp;
use crate::generation::Listing;
use crate::spack::Hash;
use crate::spack::buildcache::{IndexError, MAX_INDEX, Manifest, NEWEST_INDEX, Record, read_index, unpack, v2, v3};

/// An index may be written anew between two requests: then everything is asked once more.
pub(super) const ROUNDS: usize = 2;

/// The listings of a mirror, the newest layout first; none where no layout has an index.
pub(super) async fn read(reader: &Reader, root: &Root, wanted: &HashSet<Hash>) -> Result<Vec<Listing>, String> {
    let wanted: Wanted = Arc::new(wanted.clone());
    let (new, old) = tokio::join!(read_v3(reader, root, &wanted), read_v2(reader, root, &wanted));
    Ok([new?, old?].into_iter().flatten().collect())
}

async fn read_v3(reader: &Reader, root: &Root, wanted: &Wanted) -> Result<Option<Listing>, String> {
    let path = v3::index_manifest(None);
    let source = root.shown(&path);
    let mut missing: Option<String> = None;
    for _ in 0..ROUNDS {
        let Some(object) = reader.get(root, &path, MAX_MANIFEST).await? else {
            // Gone while it was read is not the same as never there.
            return missing.map_or(Ok(None), |blob| Err(dangling(&source, &blob)));
        };
        let manifest = Manifest::parse(&object.bytes).map_err(|error| format!("{source}: {error}"))?;
        let record = index_record(&manifest).map_err(|what| format!("{source}: {what}"))?;
        let blob = root.shown(&record.path());
        if missing.as_ref() == Some(&blob) {
            break;
        }
        if let Some(bytes) = fetch_blob(reader, root, record).await.map_err(BlobFault::into_reason)? {
            let checksum = record.checksum.as_str().into();
            let listing = Listing {
                layout: 3,
                source: source.into(),
                checksum,
                modified: object.modified,
                listed: listed(bytes, wanted, &blob).await?,
            };
            return Ok(Some(listing));
        }
        missing = Some(blob);
    }
    Err(dangling(&source, &missing.unwrap_or_default()))
}

fn dangling(source: &str, blob: &str) -> String {
    format!("{source}: the index it names is missing ({blob}); run `spack buildcache update-index`")
}

/// The index's record, if it can be read at all.
fn index_record(manifest: &Manifest) -> Result<&Record, String> {
    let (record, version) = manifest.index().ok_or("it names no index; run `spack buildcache update-index`")?;
    if version > NEWEST_INDEX {
        return Err(IndexError::TooNew { found: version }.to_string());
    }
    verifiable(record)?;
    Ok(record)
}

/// Whether a blob can be fetched and verified.
pub(super) fn verifiable(record: &Record) -> Result<(), String> {
    if record.algorithm != "sha256" {
        return Err(format!("checksums of the kind `{}` cannot be verified; get a newer stackhand", record.algorithm));
    }
    if record.length > MAX_INDEX as u64 {
        return Err(format!("it names {} bytes, but {MAX_INDEX} is what is read at most", record.length));
    }
    Ok(())
}

/// Why a blob is of no use. The reason names its address.
#[derive(Debug)]
pub(super) enum BlobFault {
    /// It is not what its manifest promises.
    Damaged(String),
    /// It could not be read, which says nothing about it.
    Failed(String),
}

impl BlobFault {
    fn into_reason(self) -> String {
        match self {
            Self::Damaged(reason) | Self::Failed(reason) => reason,
        }
    }
}

/// The bytes of an index, verified, from the cache or from the mirror; `None` where the mirror has none.
pub(super) async fn fetch_blob(reader: &Reader, root: &Root, record: &Record) -> Result<Option<Vec<u8>>, BlobFault> {
    if let Some(cache) = reader.cache.clone() {
        let checksum = record.checksum.clone();
        if let Some(bytes) = aside(move || cache.load(&checksum)).await.map_err(BlobFault::Failed)? {
            return Ok(Some(bytes));
        }
    }
    let shown = root.shown(&record.path());
    // One byte more, so that what is too long is told from what is cut off.
    let limit = usize::try_from(record.length).unwrap_or(MAX_INDEX);
    let object = match reader.fetch(root, &record.path(), limit).await {
        Ok(Some(object)) => object,
        Ok(None) => return Ok(None),
        Err(Lack::TooLarge(reason)) => return Err(BlobFault::Damaged(reason)),
        Err(Lack::Failed(reason)) => return Err(BlobFault::Failed(reason)),
    };
    let (record, cache) = (record.clone(), reader.cache.clone());
    let work = move || {
        let bytes = verified(object, &record)?;
        if let Some(cache) = cache {
            cache.keep(&record.checksum, &bytes);
        }
        Ok(bytes)
    };
    let checked = aside(work).await.map_err(BlobFault::Failed)?;
    checked.map(Some).map_err(|what: String| BlobFault::Damaged(format!("{shown}: {what}")))
}

/// The bytes of a blob, if they are those that its record promises. They may have been packed on their way.
pub(super) fn verified(object: Object, record: &Record) -> Result<Vec<u8>, String> {
    let found = sha256(&object.bytes);
    if found == record.checksum && object.bytes.len() as u64 == record.length {
        return Ok(object.bytes);
    }
    if object.is_packed
        && let Ok(opened) = unpack(&object.bytes, MAX_INDEX)
        && sha256(&opened) == record.checksum
        && opened.len() as u64 == record.length
    {
        return Ok(opened.into_owned());
    }
    if object.bytes.len() as u64 != record.length {
        return Err(format!("it has {} bytes, but its manifest says {}", object.bytes.len(), record.length));
    }
    Err(wrong_checksum(&found, &record.checksum))
}

fn wrong_checksum(found: &str, wanted: &str) -> String {
    format!("it has the SHA-256 {found}, but {wanted} is expected")
}

async fn read_v2(reader: &Reader, root: &Root, wanted: &Wanted) -> Result<Option<Listing>, String> {
    let source = root.shown(v2::INDEX);
    let mut fault = String::new();
    for _ in 0..ROUNDS {
        let promise = reader.get(root, v2::INDEX_HASH, MAX_MANIFEST).await?;
        let promise = promise.map(|object| promised(root, object)).transpose()?;
        if let (Some(cache), Some((checksum, modified))) = (reader.cache.clone(), &promise) {
            let wanted_sum = checksum.clone();
            if let Some(bytes) = aside(move || cache.load(&wanted_sum)).await? {
                return old_listing(bytes, checksum, *modified, &source, wanted).await.map(Some);
            }
        }
        let Some(object) = reader.get(root, v2::INDEX, MAX_INDEX).await? else {
            if promise.is_none() {
                return Ok(None);
            }
            fault = format!("{source}: it is missing, though there is a checksum of it");
            continue;
        };
        let Object { bytes, modified, is_packed, .. } = object;
        let promise = promise.map(|(checksum, _)| checksum);
        let cache = reader.cache.clone();
        let checked = aside(move || {
            let mut bytes = bytes;
            let mut found = sha256(&bytes);
            if is_packed
                && promise.as_ref().is_some_and(|wanted| *wanted != found)
                && let Ok(opened) = unpack(&bytes, MAX_INDEX)
            {
                bytes = opened.into_owned();
                found = sha256(&bytes);
            }
            match (&promise, cache) {
                (Some(wanted), _) if *wanted != found => return Err(wrong_checksum(&found, wanted)),
                (Some(_), Some(cache)) => cache.keep(&found, &bytes),
                _ => {}
            }
            Ok((bytes, found))
        });
        match checked.await? {
            Ok((bytes, found)) => return old_listing(bytes, &found, modified, &source, wanted).await.map(Some),
            Err(what) => fault = format!("{source}: {what}"),
        }
    }
    Err(fault)
}

/// The checksum that layout 2 keeps in a file of its own.
fn promised(root: &Root, object: Object) -> Result<(String, Option<Timestamp>), String> {
    let text = String::from_utf8(object.bytes).unwrap_or_default().trim().to_ascii_lowercase();
    if is_sha256(&text) {
        Ok((text, object.modified))
    } else {
        Err(format!("{}: it is no SHA-256; run `spack buildcache update-index`", root.shown(v2::INDEX_HASH)))
    }
}

async fn old_listing(
    bytes: Vec<u8>,
    checksum: &str,
    modified: Option<Timestamp>,
    source: &str,
    wanted: &Wanted,
) -> Result<Listing, String> {
    let listed = listed(bytes, wanted, source).await?;
    Ok(Listing { layout: 2, source: source.into(), checksum: checksum.into(), modified, listed })
}

async fn listed(
    bytes: Vec<u8>,
    wanted: &Wanted,
    shown: &str,
) -> Result<std::collections::HashMap<Hash, crate::spack::buildcache::Listed>, String> {
    let wanted = wanted.clone();
    let read = aside(move || read_index(&bytes, &|hash| wanted.contains(hash))).await?;
    read.map(|index| index.listed).map_err(|error| format!("{shown}: {error}"))
}
