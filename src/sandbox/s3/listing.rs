//! Lists a bucket in the order of its keys, page by page, and opens only the caches that a page needs.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use super::cache::Cache;
use super::contents::{BLOBS, Lane, SPECS};
use crate::ci::Timestamp;

/// What a page is asked for.
#[derive(Debug, Clone, Default)]
pub struct Ask<'a> {
    pub prefix: &'a str,
    pub delimiter: &'a str,
    /// Where the page begins: no key before it is listed.
    pub from: String,
    pub max: usize,
}

/// An object or a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Entry {
    Object(Listed),
    Folder(String),
}

/// An object in a listing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub key: String,
    pub size: u64,
    pub modified: Timestamp,
    pub etag: String,
}

/// A page, and where the next one begins if there is one.
#[derive(Debug, Default)]
pub struct Page {
    pub entries: Vec<Entry>,
    pub next: Option<String>,
}

impl Page {
    /// There is more: the next page begins after the last object, or `from` where the last folder ends.
    fn continued(mut self, from: String) -> Self {
        self.next = Some(match self.entries.last() {
            Some(Entry::Object(last)) => after(&last.key),
            _ => from,
        });
        self
    }
}

/// Comes after every key that starts with `prefix`.
pub fn after_all(prefix: &str) -> String {
    [prefix, "\u{10ffff}"].concat()
}

/// The key that comes right after this one.
pub fn after(key: &str) -> String {
    [key, "\0"].concat()
}

/// A lane of a cache, at a place in it; a lane of a closed cache has none yet.
type Head = Reverse<(String, usize, Lane, Option<usize>)>;

/// The page; `open` is called for each cache that has to be looked into.
pub fn page<E>(
    caches: &mut [Cache],
    ask: &Ask<'_>,
    open: &mut dyn FnMut(&mut Cache) -> Result<(), E>,
) -> Result<Page, E> {
    let mut from = ask.from.as_str().max(ask.prefix).to_owned();
    let end = after_all(ask.prefix);
    let mut heads: BinaryHeap<Head> = BinaryHeap::new();
    for (number, cache) in caches.iter().enumerate() {
        for lane in Lane::ALL {
            let Some(folder) = cache.folder(lane) else { continue };
            let low = [cache.prefix.as_str(), folder].concat();
            if low < end && after_all(&low) > from {
                heads.push(Reverse((low.max(from.clone()), number, lane, None)));
            }
        }
    }
    let mut page = Page::default();
    while let Some(Reverse((key, number, lane, place))) = heads.pop() {
        let Some(cache) = caches.get_mut(number) else { continue };
        if !key.starts_with(ask.prefix) {
            // Keys come in order; only a closed lane may begin before the prefix, and it was lifted to it.
            break;
        }
        let folder = folder_of(&key, ask);
        let Some(at) = place.filter(|_| key >= from) else {
            let low = [cache.prefix.as_str(), cache.folder(lane).unwrap_or_default()].concat();
            // A lane is never empty, so a folder around all of it need not be looked into.
            if let (None, Some(folder)) = (place, &folder)
                && low >= from
                && cache.is_never_empty(lane)
            {
                if page.entries.len() == ask.max {
                    return Ok(page.continued(from));
                }
                from = after_all(folder);
                page.entries.push(Entry::Folder(folder.clone()));
                if !low.starts_with(folder.as_str()) {
                    heads.push(Reverse((from.clone(), number, lane, None)));
                }
                continue;
            }
            if after_all(&low) < from {
                continue;
            }
            open(cache)?;
            if let Some(contents) = cache.contents() {
                let below = from.strip_prefix(cache.prefix.as_str());
                let at = contents.seek(lane, below.unwrap_or_default());
                let at = if below.is_none() && from > cache.prefix { usize::MAX } else { at };
                let key = contents.key(lane, at, &cache.prefix);
                heads.extend(key.map(|key| Reverse((key, number, lane, Some(at)))));
            }
            continue;
        };
        if page.entries.len() == ask.max {
            return Ok(page.continued(from));
        }
        if let Some(folder) = folder {
            from = after_all(&folder);
            page.entries.push(Entry::Folder(folder));
            heads.push(Reverse((key, number, lane, Some(at))));
            continue;
        }
        let Some(contents) = cache.contents() else { continue };
        if let Some(object) = contents.object(lane, at) {
            let etag = super::etag(&key, &object);
            let (size, modified) = (object.size, object.modified);
            page.entries.push(Entry::Object(Listed { key, size, modified, etag }));
        }
        let next = contents.key(lane, at + 1, &cache.prefix);
        heads.extend(next.map(|key| Reverse((key, number, lane, Some(at + 1)))));
    }
    Ok(page)
}

/// The folder that a key is rolled up in.
fn folder_of(key: &str, ask: &Ask<'_>) -> Option<String> {
    if ask.delimiter.is_empty() {
        return None;
    }
    let rest = key.get(ask.prefix.len()..)?;
    let at = rest.find(ask.delimiter)?;
    key.get(..ask.prefix.len() + at + ask.delimiter.len()).map(str::to_owned)
}

/// The folder of a lane below its cache.
pub fn folder(lane: Lane) -> &'static str {
    match lane {
        Lane::Blobs => BLOBS,
        Lane::Specs => SPECS,
        Lane::Others => "v3/",
    }
}
