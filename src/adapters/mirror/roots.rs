//! Which cache roots lie below an address.

use futures_util::StreamExt as _;
use futures_util::stream::FuturesUnordered;

use super::listed::Ask;
use super::reader::{Reader, aside};
use super::root::{Root, key, public};
use super::settings::MAX_NAMES;
use super::walk::{UNLISTED, list_folder};
use crate::cache::{self, Gap};

/// What belongs to a root itself.
const PARTS: [&str; 3] = ["blobs", "build_cache", "v3"];

/// Cache roots, and where somebody could not look for them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Found {
    /// Sorted by prefix, which is relative to the address that was looked below.
    pub roots: Vec<cache::Root>,
    pub gaps: Vec<Gap>,
}

impl Reader {
    /// Finds the cache roots below an address, at most so many folders deep. Only folders are listed, never what lies in a cache.
    pub async fn roots(&self, url: &str, depth: usize) -> Result<Found, String> {
        let root = Root::parse(url)?;
        if let Root::Web(_) = root {
            return Err(format!("{}: {UNLISTED}", public(url)));
        }
        let mut found = Found::default();
        let mut waiting = vec![(String::new(), 0)];
        let mut seen = 0;
        let mut asked = FuturesUnordered::new();
        loop {
            while asked.len() < self.settings.in_flight.max(1)
                && let Some((folder, level)) = waiting.pop()
            {
                let root = &root;
                asked.push(Box::pin(async move {
                    let folders = self.folders(root, &folder).await;
                    (folder, level, folders)
                }));
            }
            let Some((folder, level, folders)) = asked.next().await else { break };
            let folders = match folders {
                Ok(folders) => folders,
                Err(why) => {
                    found.gaps.push(Gap { place: folder.into(), why: why.into() });
                    continue;
                }
            };
            let (parts, further): (Vec<_>, Vec<_>) =
                folders.into_iter().partition(|name| PARTS.contains(&name.as_str()));
            if !parts.is_empty() {
                found.roots.push(cache::Root::of(&folder));
            }
            seen += further.len();
            let why = if further.is_empty() {
                None
            } else if level >= depth {
                Some(format!("nobody looked deeper than {depth} folders"))
            } else if seen > MAX_NAMES {
                Some(format!("there are more than {MAX_NAMES} folders"))
            } else {
                None
            };
            match why {
                Some(why) => found.gaps.push(Gap { place: folder.into(), why: why.into() }),
                None => waiting.extend(further.into_iter().map(|name| (format!("{folder}{name}/"), level + 1))),
            }
        }
        found.roots.sort();
        found.gaps.sort_by(|a, b| a.place.cmp(&b.place));
        Ok(found)
    }

    /// The names of the folders directly in one.
    async fn folders(&self, root: &Root, folder: &str) -> Result<Vec<String>, String> {
        let base = match root {
            Root::Bucket { prefix, .. } if !prefix.is_empty() => key(prefix, folder),
            _ => folder.to_owned(),
        };
        let paths = match root {
            Root::Folder(path) => {
                let (path, folder) = (path.clone(), folder.to_owned());
                aside(move || list_folder(&path, &folder)).await??.folders
            }
            Root::Bucket { bucket, .. } => {
                let mut ask = Ask { bucket, prefix: base.clone(), after: None, splits: true, token: None };
                let mut paths = Vec::new();
                loop {
                    let listed = self.page(&root.shown(folder), &ask).await?;
                    paths.extend(listed.folders);
                    if !listed.is_more {
                        break paths;
                    }
                    if listed.token.is_none() || listed.token == ask.token || paths.len() > MAX_NAMES {
                        return Err(format!("{}: its folders could not be listed to their end", root.shown(folder)));
                    }
                    ask.token = listed.token;
                }
            }
            Root::Web(_) => return Err(UNLISTED.to_owned()),
        };
        let name = |path: &String| path.strip_prefix(&base)?.strip_suffix('/').map(str::to_owned);
        Ok(paths.iter().filter_map(name).collect())
    }
}
