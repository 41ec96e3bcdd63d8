//! Walks through everything below an address, page by page.
//!
//! A [`Walk`] is plain data: what was listed is counted, what was not yet is a set of ranges of keys. [`Reader::walk`] takes it further, hands
//! every page to a sink, and keeps nothing of it. Saved after a page and given back later, a walk goes on behind that page, so that every key
//! is delivered once. What could not be listed stays open, and is named.
//!
//! Buckets are listed by several requests at once: a range that turns out to be big is split where folders begin. In folders every folder is
//! a range of its own, read by a few threads.
//!
//! Keys are text of others. They are delivered as they are, and are no paths of this machine.

mod bucket;
mod folder;
mod page;
mod state;

use std::ops::ControlFlow;

pub(super) use folder::{file_tag, list as list_folder};
pub use page::{Entry, Page};
pub(super) use page::{Row, Rows};
pub use state::{Progress, Walk};
pub(super) use state::{Range, end_of};

use super::reader::Reader;
use super::root::{Root, public};
use crate::cache::Gap;

/// Takes one page, and the walk as it is behind that page. It may end the walk there.
pub type Sink<'a> = dyn FnMut(&Page<'_>, &Walk) -> ControlFlow<()> + Send + 'a;

impl Reader {
    /// Takes a walk as far as it goes. What could not be listed comes back as gaps, and stays open in the walk.
    ///
    /// There is no deadline for the whole: every request has one, and whoever does not want to wait longer may drop this.
    pub async fn walk(&self, walk: &mut Walk, sink: &mut Sink<'_>) -> Result<Vec<Gap>, String> {
        let root = Root::parse(walk.url())?;
        match &root {
            Root::Folder(path) => Ok(Box::pin(folder::run(self, path, walk, sink)).await),
            Root::Bucket { bucket, prefix } => Ok(Box::pin(bucket::run(self, bucket, prefix, walk, sink)).await),
            Root::Web(_) => Err(format!("{}: {}", public(walk.url()), UNLISTED)),
        }
    }
}

/// Why there is nothing to walk through.
pub(super) const UNLISTED: &str = "a web server cannot be listed; give the s3:// or file:// address";
