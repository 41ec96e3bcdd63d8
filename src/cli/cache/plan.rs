//! `cache plan-prune`.

use std::path::PathBuf;

use serde_json::json;

use super::keep::From;
use super::{looked, root_of};
use crate::cache::plan::{Limits, PrunePlan};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::file::write_new;
use crate::cli::out;
use crate::console::text::{count, plural, size};

/// What `plan-prune` can be asked for.
#[derive(Debug, clap::Args)]
pub struct Ask {
    /// The cache root to plan for.
    #[arg(long, value_name = "URL")]
    mirror: String,
    #[command(flatten)]
    from: From,
    /// Plans only for what is of no use to anybody: broken manifests, and blobs that nothing names.
    #[arg(long, conflicts_with_all = ["files", "pins"])]
    orphans: bool,
    /// Writes the plan into this file, to be reviewed.
    #[arg(long, value_name = "FILE")]
    output: Option<PathBuf>,
    /// Prints the plan itself.
    #[arg(long)]
    json: bool,
}

pub(super) fn limits(setup: &Setup) -> Limits {
    let cache = &setup.loaded.config.cache;
    Limits {
        most_percent: u8::try_from(cache.max_share).unwrap_or(100),
        index_age_secs: cache.index_age.as_secs(),
        skew_secs: setup.outside.health.skew.as_secs(),
    }
}

/// Plans; deletes nothing.
pub async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    let contents = looked(setup, &ask.mirror).await?;
    let root = root_of(&ask.mirror);
    let list = if ask.orphans { None } else { Some(ask.from.list(setup, &ask.mirror, &root, &contents).await?) };
    let now = setup.clock.now();
    let plan = match PrunePlan::make(&root, &contents, list.as_ref(), &limits(setup), now) {
        Ok(plan) => plan,
        Err(refusals) => {
            if ask.json {
                let reasons: Vec<String> = refusals.iter().map(ToString::to_string).collect();
                out::json(&json!({"version": "stackhand.prune-refusal/1", "url": ask.mirror, "refusals": reasons}))?;
            }
            for refusal in &refusals {
                setup.out.note(&refusal.to_string());
            }
            let what = format!("no plan for {}: {}", ask.mirror, plural(refusals.len() as u64, "reason"));
            return Err(Failure::new(Exit::Refused, what));
        }
    };
    let mut file = Vec::new();
    plan.write(&mut file)
        .map_err(|error| Failure::new(Exit::Failed, format!("the plan cannot be written: {error}")))?;
    if let Some(path) = &ask.output {
        write_new(path, &file)?;
    }
    if ask.json {
        out::raw(&file)?;
        return Ok(Exit::Ok);
    }
    tell(setup, ask, &plan)?;
    Ok(Exit::Ok)
}

fn tell(setup: &Setup, ask: &Ask, plan: &PrunePlan) -> Result<(), Failure> {
    let totals = plan.totals();
    let out = setup.out;
    out.line(&format!("plan {}  {}", plan.id(), ask.mirror))?;
    out.line(&format!(
        "{} of {} manifests and {} of {} blobs would go: {} of {}; nothing newer than {} is touched",
        count(totals.manifests),
        count(plan.whole.manifests),
        count(totals.blobs),
        count(plan.whole.blobs),
        size(totals.bytes()),
        size(plan.whole.bytes),
        plan.cutoff.at,
    ))?;
    if let Some(keep) = &plan.keep {
        out.line(&format!(
            "kept: {} on the list ({} of them not here), {} by views, {} because something kept needs them",
            count(keep.hashes as u64),
            count(keep.absent as u64),
            count(keep.by_views as u64),
            count(keep.by_closure as u64),
        ))?;
    }
    for why in &plan.withheld {
        out.line(&format!("no blob goes: {why}"))?;
    }
    if !totals.top.is_empty() {
        let row = |top: &crate::cache::plan::PackageTotal| {
            vec![size(top.bytes), count(top.manifests), top.package.to_string()]
        };
        out.table(&["BYTES", "SPECS", "PACKAGE"], &totals.top.iter().map(row).collect::<Vec<_>>())?;
    }
    for (number, step) in plan.steps().iter().enumerate() {
        out.line(&format!("{}. {step}", number + 1))?;
    }
    match &ask.output {
        Some(path) => out.line(&format!("written to {}; nothing was deleted", path.display()))?,
        None => out.line("nothing was deleted; --output FILE writes the plan for review")?,
    }
    Ok(())
}
