//! Lists mirrors of binary caches and adds up, and reads what lies in one root: for the console and for commands alike.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::{StreamExt as _, stream};

use crate::adapters::mirror::{Reader, Stage, Walk, Watch};
use crate::adapters::store::{KnownManifests, Store};
use crate::cache::{Contents, Duplication, Gap, Inventory, Reading, Root, Sample, Sizes};
use crate::ci::Timestamp;
use crate::console::caches::Listing;

/// How often a listing tells how far it is.
const TOLD: Duration = Duration::from_millis(250);
/// How many folders deep roots are looked for: `PROJECT/prN_BRANCH/STACK`, and one more for branches with `/`.
pub const DEPTH: usize = 4;
/// Roots that are asked for the version of their index at once; the reader has its own bound.
const AT_ONCE: usize = 16;
/// Clocks that differ by more are worth a word.
pub const MAX_SKEW: Duration = Duration::from_secs(300);

/// A mirror that was listed.
#[derive(Debug, Default)]
pub struct Listed {
    /// Of the roots that were listed to their end.
    pub samples: Vec<Sample>,
    pub duplication: Duplication,
    /// What could not be listed, each with its place.
    pub gaps: Vec<Gap>,
    pub objects: u64,
}

/// Lists everything below an address and adds up. `told` hears how far it is, several times a second.
pub async fn list(
    reader: &Reader,
    mirror: &str,
    now: Timestamp,
    told: &mut (dyn FnMut(Listing) + Send),
) -> Result<Listed, String> {
    let mut walk = Walk::below(mirror);
    let mut inventory = Inventory::default();
    let mut last: Option<Instant> = None;
    let gaps = reader
        .walk(&mut walk, &mut |page, walk| {
            for entry in page.entries() {
                inventory.add(entry.key, entry.bytes, entry.modified, entry.tag);
            }
            if last.is_none_or(|last| last.elapsed() >= TOLD) {
                last = Some(Instant::now());
                let progress = walk.progress();
                told(Listing {
                    objects: progress.keys,
                    bytes: progress.bytes,
                    done: progress.finished,
                    known: progress.known,
                });
            }
            ControlFlow::Continue(())
        })
        .await?;
    let at = walk.listed_at.unwrap_or(now);
    let whole = |root: &str| !gaps.iter().any(|gap| gap.touches(root));
    let sample = |(root, sizes): (&Arc<str>, &Sizes)| Sample::listed(&address(mirror, root), at, sizes.clone());
    let samples = inventory.roots().into_iter().filter(|(root, _)| whole(root)).map(sample).collect();
    Ok(Listed { samples, duplication: inventory.duplication(), objects: walk.progress().keys, gaps })
}

/// Lists those roots anew whose index was written anew since they were sampled, and those that are new. Requests: one for each known root and
/// those of a walk through folders, besides what the changed roots cost.
pub async fn relist(
    reader: &Reader,
    mirror: &str,
    known: &[Sample],
    now: Timestamp,
    told: &mut (dyn FnMut(Listing) + Send),
) -> Result<Listed, String> {
    let found = reader.roots(mirror, DEPTH).await?;
    let mut listed = Listed { gaps: found.gaps, ..Listed::default() };
    let roots: Vec<(Root, Arc<str>)> =
        found.roots.into_iter().map(|root| (root.clone(), address(mirror, &root.prefix).into())).collect();
    let tags = stream::iter(&roots).map(|(_, url)| reader.index_tag(url)).buffered(AT_ONCE).collect::<Vec<_>>().await;
    let mut progress = Listing { known: roots.len() as u64, ..Listing::default() };
    for ((root, url), tag) in roots.iter().zip(tags) {
        let sampled = known.iter().rfind(|sample| sample.url == *url);
        let is_same = |sample: &&Sample| {
            let then = sample.sizes.index.as_ref().and_then(|(_, tag)| tag.as_deref());
            matches!(&tag, Ok(now) if then.is_some() && now.as_deref() == then)
        };
        if let Some(same) = sampled.filter(is_same) {
            listed.samples.push(same.clone());
        } else {
            let mut walk = Walk::root(url);
            let mut inventory = Inventory::default();
            let gaps = reader
                .walk(&mut walk, &mut |page, _| {
                    for entry in page.entries() {
                        inventory.add(entry.key, entry.bytes, entry.modified, entry.tag);
                    }
                    ControlFlow::Continue(())
                })
                .await?;
            let total = inventory.total();
            progress.objects += total.objects;
            progress.bytes += total.bytes;
            listed.objects += total.objects;
            if gaps.is_empty() {
                let sizes = inventory.roots().into_values().next().cloned().unwrap_or_default();
                listed.samples.push(Sample::listed(url, walk.listed_at.unwrap_or(now), sizes));
            }
            let below = |gap: Gap| Gap { place: format!("{}/{}", root.prefix, gap.place).into(), ..gap };
            listed.gaps.extend(gaps.into_iter().map(below));
        }
        progress.done += 1;
        told(progress);
    }
    Ok(listed)
}

/// What lies in one root, every manifest read. Of buckets, only those manifests are read that nobody has read before.
pub async fn look(
    reader: &Reader,
    store: Option<&Store>,
    url: &str,
    told: &(dyn Fn(Stage) + Sync),
) -> Result<Contents, String> {
    // Folders are read faster than rows of a database.
    let store = store.filter(|_| url.starts_with("s3://"));
    let known = match store {
        Some(store) => store.known_manifests(url).await.map_err(|error| error.to_string())?,
        None => KnownManifests::new(),
    };
    let contents = reader.contents(url, true, &Known { known, told }).await?;
    if let Some(store) = store {
        store.put_manifests(url, &contents.manifests).await.map_err(|error| error.to_string())?;
    }
    Ok(contents)
}

/// What is known of a root's manifests, and who wants to hear how far their reading is.
struct Known<'a> {
    known: KnownManifests,
    told: &'a (dyn Fn(Stage) + Sync),
}

impl Watch for Known<'_> {
    fn known(&self, path: &str, tag: &str) -> Option<Reading> {
        self.known.get(path).filter(|(then, _)| &**then == tag).map(|(_, reading)| reading.clone())
    }

    fn reached(&self, stage: Stage) {
        (self.told)(stage);
    }
}

/// The address of a root below its mirror.
pub fn address(mirror: &str, root: &str) -> String {
    let mirror = mirror.trim_end_matches('/');
    if root.is_empty() { mirror.to_owned() } else { format!("{mirror}/{root}") }
}
