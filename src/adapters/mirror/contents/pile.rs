//! Sorts what a walk through a root delivers.

use std::collections::BTreeSet;
use std::sync::Arc;

use crate::adapters::mirror::walk::{Entry, Page};
use crate::cache::{Blob, Contents, Foreign, Reading, SpecManifest};
use crate::ci::Timestamp;
use crate::spack::buildcache::Part;

/// So many paths of no known layout are named.
const FOREIGN_NAMED: usize = 20;

/// What was delivered so far, in no order.
#[derive(Default)]
pub(super) struct Pile {
    pub contents: Contents,
    /// Manifests of indexes and keys, to be read.
    pub indexes: Vec<Named>,
    pub keys: Vec<Named>,
    foreign: BTreeSet<Arc<str>>,
}

/// A file to be read.
pub(super) struct Named {
    pub path: Arc<str>,
    /// Of an index, which view it is.
    pub view: Option<Arc<str>>,
    pub bytes: u64,
    pub modified: Option<Timestamp>,
    /// Somebody saw it; otherwise it may be absent.
    pub is_listed: bool,
}

impl Pile {
    pub fn add(&mut self, page: &Page<'_>) {
        for entry in page.entries() {
            self.add_entry(entry);
        }
    }

    fn add_entry(&mut self, entry: Entry<'_>) {
        let Entry { key, bytes, modified, tag } = entry;
        let named = |view: Option<&str>| Named {
            path: key.into(),
            view: view.map(Arc::from),
            bytes,
            modified,
            is_listed: true,
        };
        let contents = &mut self.contents;
        match Part::of(key) {
            Part::Blob(sum) => contents.blobs.push(Blob { sum, bytes, modified }),
            Part::Spec { hash, .. } => contents.manifests.push(SpecManifest {
                path: key.into(),
                hash,
                bytes,
                modified,
                tag: tag.map(Arc::from),
                reading: Reading::Unread,
                signature: None,
            }),
            Part::Index { view } => self.indexes.push(named(view)),
            Part::Key => self.keys.push(named(None)),
            Part::Layout => {}
            Part::V2 { .. } => {
                contents.v2.objects += 1;
                contents.v2.bytes += bytes;
            }
            Part::Foreign => {
                contents.foreign.amount.objects += 1;
                contents.foreign.amount.bytes += bytes;
                self.foreign.insert(key.into());
                if self.foreign.len() > FOREIGN_NAMED {
                    self.foreign.pop_last();
                }
            }
        }
    }

    pub fn into_contents(self) -> Contents {
        let Self { mut contents, foreign, .. } = self;
        contents.foreign = Foreign { paths: foreign.into_iter().collect(), ..contents.foreign };
        contents.manifests.sort_unstable_by(|a, b| a.path.cmp(&b.path));
        contents.blobs.sort_unstable_by_key(|blob| blob.sum);
        contents.indexes.sort_by(|a, b| a.view.cmp(&b.view));
        contents.keys.sort_by(|a, b| a.path.cmp(&b.path));
        contents
    }
}
