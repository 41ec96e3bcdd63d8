//! What one cache root holds, as [`crate::cache`] judges it.
//!
//! [`Reader::contents`] walks through the root, reads its indexes and keys and, where that is asked for, every manifest. What is damaged is
//! said of the thing itself; what could not be listed or read is a gap as well, so that nobody takes it for absent.

mod indexes;
mod pile;
mod specs;

use std::ops::ControlFlow;

use pile::Pile;

use super::cache::sha256;
use super::fault::Object;
use super::reader::Reader;
use super::root::Root;
use super::settings::MAX_MANIFEST;
use super::walk::{Progress, UNLISTED, Walk};
use crate::cache::{BlobRef, Contents, Gap, Reading};
use crate::spack::buildcache::{Checksum, Record, v3};

/// How far the reading of a root is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stage {
    Listing(Progress),
    /// So many manifests of so many.
    Reading {
        done: usize,
        all: usize,
    },
}

/// What somebody who wants the contents of a root knows already, and wants to see meanwhile. `()` knows nothing.
pub trait Watch: Sync {
    /// What the manifest at a path said when the mirror had this word for its version.
    fn known(&self, _path: &str, _tag: &str) -> Option<Reading> {
        None
    }

    /// Is told how far it is, often.
    fn reached(&self, _stage: Stage) {}
}

impl Watch for () {}

impl Reader {
    /// What lies in the root at this address; with `manifests`, what every manifest of a binary says.
    ///
    /// An error means that there is no such address. Everything else, from an unreachable bucket to a single manifest, is a gap.
    pub async fn contents(&self, url: &str, manifests: bool, watch: &dyn Watch) -> Result<Contents, String> {
        let root = Root::parse(url)?;
        let mut pile = Pile::default();
        if let Root::Web(_) = root {
            pile.contents.gaps.push(Gap { place: "".into(), why: UNLISTED.into() });
        } else {
            let mut walk = Walk::root(url);
            let mut sink = |page: &super::Page<'_>, walk: &Walk| {
                pile.add(page);
                watch.reached(Stage::Listing(walk.progress()));
                ControlFlow::Continue(())
            };
            let gaps = self.walk(&mut walk, &mut sink).await?;
            pile.contents.gaps = gaps;
            pile.contents.listed_at = walk.listed_at;
            pile.contents.skew_ms = walk.skew_ms;
        }
        Box::pin(indexes::read(self, &root, &mut pile)).await;
        let mut contents = pile.into_contents();
        if manifests {
            let gaps = Box::pin(specs::read(self, &root, &mut contents.manifests, watch)).await;
            contents.gaps.extend(gaps);
        }
        contents.gaps.sort_by(|a, b| (&a.place, &a.why).cmp(&(&b.place, &b.why)));
        Ok(contents)
    }

    /// The mirror's word for the version of a root's default index, by one request; `None` where there is no index of layout 3.
    ///
    /// It is that of [`crate::cache::IndexManifest::tag`]: as long as it stays, nobody updated the index.
    pub async fn index_tag(&self, url: &str) -> Result<Option<String>, String> {
        let root = Root::parse(url)?;
        let manifest = self.get(&root, &v3::index_manifest(None), MAX_MANIFEST).await?;
        Ok(manifest.map(|manifest| tag_of(&manifest)))
    }
}

/// Not every web server has a word for the version.
fn tag_of(object: &Object) -> String {
    object.tag.clone().unwrap_or_else(|| sha256(&object.bytes))
}

/// A blob as its record names it; the reason if it cannot be told from others.
fn blob_of(record: &Record) -> Result<BlobRef, String> {
    let sum = Checksum::parse(&record.checksum).filter(|_| record.algorithm == "sha256");
    let sum = sum.ok_or_else(|| {
        format!("checksums of the kind `{}` cannot be verified; get a newer stackhand", record.algorithm)
    })?;
    Ok(BlobRef { sum, bytes: record.length })
}
