//! `cache why`.

use serde_json::{Value, json};

use super::keep::From;
use super::plan::limits;
use super::{looked, root_of};
use crate::cache::keep::KeepList;
use crate::cache::why::{Fate, Hold, Place, Why, why};
use crate::cache::{Contents, Root};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::console::text::{plural, size};
use crate::spack::Hash;

/// What `why` can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// A DAG hash, or the beginning of one that is in the caches.
    #[arg(value_name = "HASH")]
    hash: String,
    /// The cache roots to look into.
    #[arg(long = "mirror", value_name = "URL", required = true)]
    mirrors: Vec<String>,
    #[command(flatten)]
    from: From,
    /// Asks GitLab what else is still needed, as a plan would.
    #[arg(long, conflicts_with = "files")]
    gather: bool,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Tells what keeps a spec alive.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let mut looked_into: Vec<(Root, Contents, Option<KeepList>)> = Vec::new();
    for url in &ask.mirrors {
        let contents = looked(setup, url).await?;
        let root = root_of(url);
        let list = if ask.gather || ask.from.is_given() {
            Some(ask.from.list(setup, url, &root, &contents).await?)
        } else {
            None
        };
        looked_into.push((root, contents, list));
    }
    let hash = named(&ask.hash, &looked_into)?;
    let places: Vec<Place<'_>> =
        looked_into.iter().map(|(root, contents, list)| Place { root, contents, list: list.as_ref() }).collect();
    let found = why(&hash, &places, &limits(setup), setup.clock.now());
    if ask.json {
        let roots: Vec<Value> = found.iter().zip(&ask.mirrors).map(|(why, url)| as_json(url, why)).collect();
        out::json(&json!({"version": "stackhand.cache-why/1", "hash": hash.to_string(), "roots": roots}))?;
        return Ok(Exit::Ok);
    }
    for (why, url) in found.iter().zip(&ask.mirrors) {
        setup.out.line(&format!("{url}: {}", fate(&why.fate)))?;
        for manifest in &why.manifests {
            let when = manifest.modified.map_or("at an unknown time".to_owned(), |at| at.to_string());
            setup.out.line(&format!("  {} (written {when})", manifest.path))?;
            for blob in &manifest.blobs {
                let there = if blob.is_there { "" } else { ", missing" };
                let shared = match blob.shared_with.len() {
                    0 => String::new(),
                    n => format!(", shared with {}", plural(n as u64, "other spec")),
                };
                setup.out.line(&format!("    {} {}{there}{shared}", blob.blob.sum.path(), size(blob.blob.bytes)))?;
            }
        }
        for (view, listed) in &why.listed {
            let by = view.as_ref().map_or("the index".to_owned(), |view| format!("the view {view}"));
            let what = if listed.in_buildcache { "lists it" } else { "names it without a binary" };
            setup.out.line(&format!("  {by} {what}"))?;
        }
        for hold in &why.holds {
            setup.out.line(&format!("  kept: {}", held(hold)))?;
        }
        for doubt in &why.doubts {
            setup.out.line(&format!("  doubt: {doubt}"))?;
        }
    }
    Ok(Exit::Ok)
}

/// The hash that is meant; the beginning of one is enough where it names one spec.
fn named(text: &str, looked_into: &[(Root, Contents, Option<KeepList>)]) -> Result<Hash, Failure> {
    let text = text.trim().trim_start_matches('/');
    let Err(error) = Hash::parse(text).map_err(|error| error.to_string()) else {
        return Hash::parse(text).map_err(|error| Failure::usage(error.to_string()));
    };
    let manifests = looked_into.iter().flat_map(|(_, contents, _)| &contents.manifests);
    let listed = looked_into.iter().filter_map(|(_, contents, _)| contents.catalogue());
    let all =
        manifests.filter_map(|manifest| manifest.hash).chain(listed.flat_map(|c| c.entries().iter().map(|e| e.hash)));
    let mut found: Vec<Hash> = all.filter(|hash| !text.is_empty() && hash.as_str().starts_with(text)).collect();
    found.sort_unstable();
    found.dedup();
    match found.as_slice() {
        [one] => Ok(*one),
        [] => Err(Failure::usage(format!("{error}; nothing here begins with it"))),
        some => Err(Failure::usage(format!("{} specs begin with `{text}`; write more of the hash", some.len()))),
    }
}

fn fate(fate: &Fate) -> String {
    match fate {
        Fate::Absent => "no binary of it lies here".to_owned(),
        Fate::Stays => "it stays".to_owned(),
        Fate::StaysBroken(sum) => format!("something keeps it, but {} is missing; build it again", sum.path()),
        Fate::Goes { bytes, .. } => format!("nothing keeps it: the next prune takes it, {}", size(*bytes)),
        Fate::Untold => {
            "nothing of this root keeps it; give a keep list with --keep or --gather to know more".to_owned()
        }
        Fate::Unknown => "not known: not everything could be read".to_owned(),
    }
}

fn held(hold: &Hold) -> String {
    match hold {
        Hold::List(reason) => reason.to_string(),
        Hold::View(view) => format!("the view {view}"),
        Hold::Dependant { hash, name } => format!("{name} /{} needs it", hash.short()),
        Hold::Newer { modified, cutoff } => format!("it was written at {modified}, after {}", cutoff.at),
        Hold::Ageless => "when it was written is not known".to_owned(),
    }
}

fn as_json(url: &str, why: &Why) -> Value {
    let blob = |blob: &crate::cache::why::WhyBlob| {
        json!({
            "path": blob.blob.sum.path(),
            "bytes": blob.blob.bytes,
            "present": blob.is_there,
            "shared_with": blob.shared_with.iter().map(ToString::to_string).collect::<Vec<_>>(),
        })
    };
    let manifests = why.manifests.iter().map(|manifest| {
        json!({
            "path": &*manifest.path,
            "modified": manifest.modified,
            "blobs": manifest.blobs.iter().map(blob).collect::<Vec<_>>(),
        })
    });
    let state = match &why.fate {
        Fate::Absent => "absent",
        Fate::Stays => "stays",
        Fate::StaysBroken(_) => "broken",
        Fate::Goes { .. } => "goes",
        Fate::Untold => "untold",
        Fate::Unknown => "unknown",
    };
    json!({
        "url": url,
        "fate": state,
        "manifests": manifests.collect::<Vec<_>>(),
        "listed": why.listed.iter().map(|(view, listed)| json!({"view": view.as_deref(), "in_buildcache": listed.in_buildcache})).collect::<Vec<_>>(),
        "kept_by": why.holds.iter().map(held).collect::<Vec<_>>(),
        "doubts": why.doubts.iter().map(ToString::to_string).collect::<Vec<_>>(),
    })
}
