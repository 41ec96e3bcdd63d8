//! Verifies every binary of a cache root: the signature of its manifest, that the manifest is about the spec that its name says, and that the spec
//! gives its hash.

use std::ops::ControlFlow;
use std::sync::Arc;

use futures_util::{StreamExt as _, stream};

use crate::adapters::gpg::Verifier;
use crate::adapters::mirror::{File, Reader, Walk};
use crate::cache::{Gap, IndexState, Signature};
use crate::spack::Hash;
use crate::spack::buildcache::{Manifest, Part, v3};

/// What became of a verification.
#[derive(Debug, Default)]
pub struct Verified {
    /// In the order of their paths.
    pub binaries: Vec<(Binary, Signature)>,
    /// What could not be listed or read: nothing is known about it.
    pub gaps: Vec<Gap>,
}

/// What is verified.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Binary {
    /// Below the root.
    pub path: Arc<str>,
    pub hash: Hash,
    /// 2 or 3.
    pub layout: u8,
}

/// Files that are read and judged together.
const BATCH: usize = 512;
/// Files that are asked for at once; the reader has its own bound.
const AT_ONCE: usize = 64;
/// A manifest may have this many bytes; real ones have less than a thousand.
const MAX_MANIFEST: usize = 1 << 20;
/// The metadata of one binary may have this many.
const MAX_METADATA: usize = 64 << 20;

/// Verifies a root. `told` hears how many of how many are done. An error says nothing about any signature.
pub async fn verify(
    reader: &Reader,
    verifier: &Verifier,
    url: &str,
    told: &mut (dyn FnMut(usize, usize) + Send),
) -> Result<Verified, String> {
    let mut verified = Verified::default();
    let binaries = binaries(reader, url, &mut verified.gaps).await?;
    let all = binaries.len();
    for batch in binaries.chunks(BATCH) {
        told(verified.binaries.len(), all);
        let mut items: Vec<(Binary, Vec<u8>)> = Vec::with_capacity(batch.len());
        let reads =
            batch.iter().map(|binary| async move { (binary, reader.file(url, &binary.path, limit(binary)).await) });
        let mut reads = stream::iter(reads.collect::<Vec<_>>()).buffered(AT_ONCE);
        while let Some((binary, read)) = reads.next().await {
            let gap = |why: String| Gap { place: Arc::clone(&binary.path), why: why.into() };
            match read {
                Ok(File::Read(bytes)) => items.push((binary.clone(), bytes)),
                Ok(File::Absent) => verified.gaps.push(gap("it vanished while the root was read".to_owned())),
                Ok(File::TooLarge(why)) => verified.binaries.push((binary.clone(), Signature::Bad(why.into()))),
                Err(why) => verified.gaps.push(gap(why)),
            }
        }
        let signed = items.iter().map(|(binary, bytes)| (binary.clone(), bytes.clone())).collect();
        let signatures = verifier.verify(signed).await.map_err(|error| error.to_string())?;
        // Whatever is signed, it has to be about what its name says.
        let joined = signatures.into_iter().zip(items).map(|((binary, signature), (_, bytes))| async move {
            let joined = join(reader, url, &binary, signature, &bytes).await;
            (binary, joined)
        });
        let mut joined = stream::iter(joined.collect::<Vec<_>>()).buffered(AT_ONCE);
        while let Some((binary, signature)) = joined.next().await {
            match signature {
                Ok(signature) => verified.binaries.push((binary, signature)),
                Err(why) => verified.gaps.push(Gap { place: binary.path, why: why.into() }),
            }
        }
    }
    told(all, all);
    verified.binaries.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(verified)
}

/// Verifies one binary. An error says nothing about its signature.
pub async fn verify_one(reader: &Reader, verifier: &Verifier, url: &str, binary: &Binary) -> Result<Signature, String> {
    let bytes = match reader.file(url, &binary.path, limit(binary)).await? {
        File::Read(bytes) => bytes,
        File::Absent => {
            return Err(format!("{}/{} is gone; list the root again", url.trim_end_matches('/'), binary.path));
        }
        File::TooLarge(why) => return Ok(Signature::Bad(why.into())),
    };
    let judged = verifier.verify(vec![((), bytes.clone())]).await.map_err(|error| error.to_string())?;
    let ((), signature) = judged.into_iter().next().ok_or("gpg said nothing")?;
    join(reader, url, binary, signature, &bytes).await
}

const fn limit(binary: &Binary) -> usize {
    if binary.layout == 3 { MAX_MANIFEST } else { MAX_METADATA }
}

/// The verdict about a signature, joined with what it is about.
async fn join(
    reader: &Reader,
    url: &str,
    binary: &Binary,
    signature: Signature,
    bytes: &[u8],
) -> Result<Signature, String> {
    if matches!(signature, Signature::Bad(_)) {
        return Ok(signature);
    }
    if binary.layout == 2 {
        return Ok(signature.of_metadata(&binary.hash, bytes));
    }
    let manifest = match Manifest::parse(bytes) {
        Ok(manifest) => manifest,
        Err(error) => return Ok(Signature::Bad(error.to_string().into())),
    };
    let Some((record, _)) = manifest.spec() else {
        return Ok(Signature::Bad("it names no metadata".into()));
    };
    Ok(match reader.file(url, &record.path(), MAX_METADATA).await? {
        File::Read(metadata) => signature.of_binary(&binary.hash, &manifest, &metadata),
        File::Absent => Signature::Bad(format!("its metadata are missing ({})", record.path()).into()),
        File::TooLarge(why) => Signature::Bad(why.into()),
    })
}

/// The binaries of a root: those that are listed there; of a web server, those of its index.
async fn binaries(reader: &Reader, url: &str, gaps: &mut Vec<Gap>) -> Result<Vec<Binary>, String> {
    let mut found: Vec<Binary> = Vec::new();
    if url.starts_with("http://") || url.starts_with("https://") {
        let contents = reader.contents(url, false, &()).await?;
        match contents.index().map(|index| &index.state) {
            Some(IndexState::Read(catalogue)) => {
                let present = catalogue.entries().iter().filter(|entry| entry.listed.in_buildcache);
                found.extend(present.map(|entry| Binary {
                    path: v3::spec_manifest(&entry.name, &entry.version, &entry.hash).into(),
                    hash: entry.hash,
                    layout: 3,
                }));
            }
            _ => gaps.extend(contents.gaps),
        }
        return Ok(found);
    }
    let mut walk = Walk::root(url);
    let listed = reader
        .walk(&mut walk, &mut |page, _| {
            for entry in page.entries() {
                let layout = match Part::of(entry.key) {
                    Part::Spec { hash: Some(hash), .. } => Some((hash, 3)),
                    Part::V2 { hash: Some(hash) } if is_metadata(entry.key) => Some((hash, 2)),
                    _ => None,
                };
                found.extend(layout.map(|(hash, layout)| Binary { path: entry.key.into(), hash, layout }));
            }
            ControlFlow::Continue(())
        })
        .await?;
    gaps.extend(listed);
    found.sort();
    Ok(found)
}

/// The metadata of layout 2, signed or not.
fn is_metadata(key: &str) -> bool {
    key.ends_with(".spec.json.sig") || key.ends_with(".spec.json")
}
