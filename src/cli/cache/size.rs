//! `cache ls` and `cache size`.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::{ago, broken, mirrors, store, unread};
use crate::cache::{Amount, Duplication, Gap, Root, Sample, growth};
use crate::ci::Timestamp;
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{self, Progress};
use crate::console::caches::Listing;
use crate::console::text::{count, plural, size};
use crate::controller::caches;

/// What `ls` can be asked for.
#[derive(Debug, clap::Args)]
pub struct List {
    /// Where to look; else the mirrors of the configuration.
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// What `size` can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// Where to look; else the mirrors of the configuration.
    #[arg(long = "mirror", value_name = "URL")]
    mirrors: Vec<String>,
    /// Lists the mirrors now, which may take thousands of requests.
    #[arg(long)]
    fresh: bool,
    /// Lists only those roots whose index was written anew since they were sampled.
    #[arg(long, conflicts_with = "fresh")]
    changed: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

const DAY: Duration = Duration::from_hours(24);
/// Samples that growth is told from.
const REACH: Duration = Duration::from_hours(8 * 24);

/// Lists roots.
pub async fn list(setup: &Setup, ask: &List) -> Result<Exit, Failure> {
    let mut found: Vec<(String, Root)> = Vec::new();
    let mut gaps: Vec<Gap> = Vec::new();
    for mirror in mirrors(setup, &ask.mirrors)? {
        let below = setup.outside.mirrors.roots(&mirror, caches::DEPTH).await.map_err(unread)?;
        found.extend(below.roots.into_iter().map(|root| (caches::address(&mirror, &root.prefix), root)));
        gaps.extend(below.gaps);
    }
    if ask.json {
        let row = |(url, root): &(String, Root)| json!({"url": url, "kind": root.kind.word(), "mirror": &*root.mirror(), "stack": root.stack().map(|stack| &**stack)});
        let rows: Vec<Value> = found.iter().map(row).collect();
        out::json(&json!({"version": "stackhand.cache-ls/1", "roots": rows}))?;
    } else if found.is_empty() {
        setup.out.note("no cache root lies there");
    } else {
        let row = |(url, root): &(String, Root)| {
            let stack = root.stack().map_or("-".to_owned(), ToString::to_string);
            vec![root.kind.word().to_owned(), root.mirror().to_string(), stack, url.clone()]
        };
        setup.out.table(&["KIND", "MIRROR", "STACK", "ADDRESS"], &found.iter().map(row).collect::<Vec<_>>())?;
    }
    Ok(missed(setup, &gaps))
}

/// Tells sizes.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let mirrors = mirrors(setup, &ask.mirrors)?;
    let now = setup.clock.now();
    let mut gaps: Vec<Gap> = Vec::new();
    let mut duplication: BTreeMap<String, Duplication> = BTreeMap::new();
    let mut fresh: Vec<Sample> = Vec::new();
    let lists = ask.fresh || ask.changed;
    if lists {
        let known = match store(setup) {
            Ok(store) if ask.changed => store.samples(now).await.map_err(broken)?,
            _ => Vec::new(),
        };
        for mirror in &mirrors {
            let mut progress = Progress::new();
            let mut told = |listing: Listing| progress.say(&how_far(mirror, listing));
            let reader = &setup.outside.mirrors;
            let listed = if ask.changed {
                caches::relist(reader, mirror, &known, now, &mut told).await.map_err(unread)?
            } else {
                let listed = caches::list(reader, mirror, now, &mut told).await.map_err(unread)?;
                duplication.insert(mirror.clone(), listed.duplication.clone());
                listed
            };
            gaps.extend(listed.gaps);
            fresh.extend(listed.samples);
        }
    }
    let kept = match store(setup) {
        Ok(store) => {
            store.put_samples(&fresh).await.map_err(broken)?;
            let reach = i64::try_from(REACH.as_millis()).unwrap_or(i64::MAX);
            store.samples(now.shifted(-reach)).await.map_err(broken)?
        }
        // What was listed right now can be told without it.
        Err(failure) if lists => {
            setup.out.note(&failure.to_string());
            fresh.clone()
        }
        Err(failure) => return Err(failure),
    };
    let mut roots: BTreeMap<Arc<str>, Vec<Sample>> = BTreeMap::new();
    for sample in kept {
        let is_here = mirrors.iter().any(|mirror| is_below(mirror, &sample.url));
        // A root that a whole listing did not find is gone.
        let is_gone = lists && gaps.is_empty() && !fresh.iter().any(|found| found.url == sample.url);
        if is_here && !is_gone {
            roots.entry(Arc::clone(&sample.url)).or_default().push(sample);
        }
    }
    if roots.is_empty() && gaps.is_empty() {
        let what = if lists {
            "no cache root lies there"
        } else {
            "nothing was sampled yet; list with --fresh, or let the console list (`cache.every`)"
        };
        if !ask.json {
            setup.out.note(what);
            return Ok(if lists { Exit::Ok } else { Exit::Refused });
        }
    }
    tell(setup, ask, now, &roots, &duplication)?;
    Ok(missed(setup, &gaps))
}

/// Says what could not be listed.
fn missed(setup: &Setup, gaps: &[Gap]) -> Exit {
    for gap in gaps {
        setup.out.note(&format!("{}: {}", gap.place, gap.why));
    }
    if gaps.is_empty() { Exit::Ok } else { Exit::Unreachable }
}

fn tell(
    setup: &Setup,
    ask: &Ask,
    now: Timestamp,
    roots: &BTreeMap<Arc<str>, Vec<Sample>>,
    duplication: &BTreeMap<String, Duplication>,
) -> Result<(), Failure> {
    let newest = || roots.values().filter_map(|samples| Some((samples.last()?, growth(samples, DAY))));
    let total: Amount = newest().map(|(sample, _)| sample.sizes.total()).sum();
    if ask.json {
        let rows: Vec<Value> = newest().map(|(sample, grown)| row(now, sample, grown)).collect();
        let twice = duplication.values().map(|found| (found.distinct.bytes, found.copies.bytes));
        let twice = twice.reduce(|a, b| (a.0 + b.0, a.1 + b.1));
        return out::json(&json!({
            "version": "stackhand.cache-size/1",
            "roots": rows,
            "total": {"bytes": total.bytes, "objects": total.objects},
            "duplication": twice.map(|(distinct, copied)| json!({"distinct_bytes": distinct, "copied_bytes": copied})),
        }));
    }
    if roots.is_empty() {
        return Ok(());
    }
    let cells = |(sample, grown): (&Sample, Option<i64>)| {
        vec![
            size(sample.sizes.total().bytes),
            count(sample.sizes.specs.objects),
            grown.map_or("?".to_owned(), signed),
            sample.sizes.index.as_ref().map_or("none".to_owned(), |(at, _)| ago(now, *at)),
            sample.state.map_or("?".to_owned(), |state| state.word().to_owned()),
            ago(now, Some(sample.at)),
            sample.url.to_string(),
        ]
    };
    let heads = ["SIZE", "SPECS", "+24h", "INDEX", "STATE", "SAMPLED", "ROOT"];
    setup.out.table(&heads, &newest().map(cells).collect::<Vec<_>>())?;
    let oldest = newest().map(|(sample, _)| sample.at).min();
    setup.out.line(&format!(
        "{} in {}, as of {} ago",
        size(total.bytes),
        plural(roots.len() as u64, "root"),
        ago(now, oldest)
    ))?;
    for (mirror, found) in duplication {
        if found.copies.objects > 0 {
            let copies = plural(found.copies.objects, "copy");
            setup.out.line(&format!(
                "{mirror}: {} in {copies} of blobs that lie in several roots",
                size(found.copies.bytes)
            ))?;
        }
    }
    if setup.is_sparse {
        setup.out.note("these are sizes of a practice world: its objects are not stored");
    }
    Ok(())
}

fn row(now: Timestamp, sample: &Sample, grown: Option<i64>) -> Value {
    let root =
        Root::of(sample.url.split_once("://").and_then(|(_, rest)| rest.split_once('/')).map_or("", |(_, path)| path));
    let (sizes, total) = (&sample.sizes, sample.sizes.total());
    json!({
        "url": &*sample.url,
        "kind": root.kind.word(),
        "stack": root.stack().map(|stack| &**stack),
        "at": sample.at,
        "age_s": now.since(sample.at).as_secs(),
        "bytes": total.bytes,
        "objects": total.objects,
        "specs": sizes.specs.objects,
        "blobs": sizes.blobs.objects,
        "growth_24h": grown,
        "index_at": sizes.index.as_ref().and_then(|(at, _)| *at),
        "orphan_bytes": sample.orphans.map(|orphans| orphans.bytes),
        "holes": sample.holes,
        "state": sample.state.map(crate::cache::Severity::word),
    })
}

/// `listing s3://b: 12,000 keys, 1.2 TB, 61 %`.
fn how_far(mirror: &str, listing: Listing) -> String {
    let percent = (listing.done * 100).checked_div(listing.known).unwrap_or_default();
    format!("listing {mirror}: {} keys, {}, {percent} % of what is known", count(listing.objects), size(listing.bytes))
}

/// `+310 GB`.
fn signed(bytes: i64) -> String {
    let sign = if bytes < 0 { '-' } else { '+' };
    format!("{sign}{}", size(bytes.unsigned_abs()))
}

fn is_below(mirror: &str, url: &str) -> bool {
    url.strip_prefix(mirror.trim_end_matches('/')).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}
