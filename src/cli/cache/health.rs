//! `cache health`.

use serde_json::{Value, json};

use super::{ago, looked};
use crate::cache::{Contents, Finding, Health, HealthRules, Sample, Severity};
use crate::ci::Timestamp;
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out;
use crate::console::text::{count, plural, size};
use crate::controller::caches::MAX_SKEW;

/// What can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The cache root to look into.
    #[arg(long, value_name = "URL")]
    mirror: String,
    /// Ends with code 1 when something is bad.
    #[arg(long)]
    strict: bool,
    /// Prints JSON, with every finding.
    #[arg(long)]
    json: bool,
}

/// Findings of one kind that are listed in words.
const LISTED: usize = 5;

/// Looks into one root.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let outside = &setup.outside;
    let contents = looked(setup, &ask.mirror).await?;
    let now = setup.clock.now();
    let rules = HealthRules { now, max_index_age: Some(outside.index_age), max_skew: MAX_SKEW };
    let health = Health::of(&contents, &rules);
    if let Ok(store) = &outside.store
        && let Err(error) = store.put_samples(&[Sample::of(&ask.mirror, &contents, &health, now)]).await
    {
        setup.out.note(&error.to_string());
    }
    if ask.json {
        tell_json(ask, &contents, &health)?;
    } else {
        tell(setup, now, &contents, &health)?;
    }
    Ok(match (health.specs, health.state()) {
        (None, _) => Exit::Unreachable,
        (_, Severity::Bad) if ask.strict => Exit::Failed,
        _ => Exit::Ok,
    })
}

fn tell_json(ask: &Ask, contents: &Contents, health: &Health) -> Result<(), Failure> {
    let finding = |finding: &Finding| {
        json!({
            "kind": finding.kind.word(),
            "severity": finding.kind.severity().word(),
            "place": &*finding.place,
            "what": &*finding.what,
            "remedy": finding.kind.remedy(),
        })
    };
    let hashes = |hashes: &[crate::spack::Hash]| hashes.iter().map(ToString::to_string).collect::<Vec<_>>();
    let orphans = health.orphans.as_ref().map(|blobs| blobs.iter().map(|sum| sum.path()).collect::<Vec<_>>());
    out::json(&json!({
        "version": "stackhand.cache-health/1",
        "url": ask.mirror,
        "state": health.state().word(),
        "complete": health.is_whole,
        "specs": health.specs,
        "blobs": health.blobs,
        "bytes": health.bytes,
        "holes": hashes(&health.holes),
        "orphans": orphans,
        "orphan_bytes": health.orphan_bytes,
        "unindexed": health.unindexed.as_deref().map(hashes),
        "index_at": contents.index().and_then(|index| index.modified),
        "findings": health.findings.iter().map(finding).collect::<Vec<Value>>(),
    }))
}

fn tell(setup: &Setup, now: Timestamp, contents: &Contents, health: &Health) -> Result<(), Failure> {
    let known = |number: Option<u64>, show: fn(u64) -> String| number.map_or("?".to_owned(), show);
    let index =
        contents.index().map_or("no index".to_owned(), |index| format!("index {} old", ago(now, index.modified)));
    setup.out.line(&format!(
        "{}  {} specs, {} blobs, {}; {index}; {}, {}",
        health.state().word(),
        known(health.specs, count),
        known(health.blobs, count),
        known(health.bytes, size),
        plural(health.holes.len() as u64, "hole"),
        health.orphans.as_ref().map_or("orphans unknown".to_owned(), |blobs| {
            format!("{} ({})", plural(blobs.len() as u64, "orphan"), known(health.orphan_bytes, size))
        }),
    ))?;
    for same in health.findings.chunk_by(|a, b| a.kind == b.kind) {
        let Some(first) = same.first() else { continue };
        setup.out.line(&format!(
            "{}  {} {}; {}",
            first.kind.severity().word(),
            same.len(),
            first.kind.word(),
            first.kind.remedy()
        ))?;
        for finding in same.iter().take(LISTED) {
            let place = if finding.place.is_empty() { String::new() } else { format!("{}: ", finding.place) };
            setup.out.line(&format!("      {place}{}", finding.what))?;
        }
        if same.len() > LISTED {
            setup.out.line(&format!("      and {} more; --json lists all", count((same.len() - LISTED) as u64)))?;
        }
    }
    Ok(())
}
