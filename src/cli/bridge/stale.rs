//! `bridge stale`.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;

use super::companions::tell;
use crate::bridge::companions::stale::{MAX_PLAN, StalePlan, StaleRules};
use crate::cli::assemble::Setup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::file::{read_at_most, write_new};
use crate::cli::out;
use crate::cli::stop::Stop;
use crate::console::actions::Outcome;
use crate::console::text::plural;
use crate::controller::loops::companions::{Stale, StaleError};

/// What `stale` can be asked for.
#[derive(Debug, clap::Args)]
pub(super) struct Ask {
    /// Writes the branches that could go into this file, to be reviewed. Deletes nothing.
    #[arg(long, value_name = "FILE", required_unless_present = "apply")]
    plan: Option<PathBuf>,
    /// Deletes what this file says and what is still as it says.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["plan", "days"])]
    apply: Option<PathBuf>,
    /// How old the last commit of a branch has to be.
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=3_650))]
    days: u32,
    /// Deletes no more branches in this run; the rest goes with the next run of the same plan.
    #[arg(long, value_name = "N", default_value_t = 500, requires = "apply")]
    most: usize,
    /// Prints JSON.
    #[arg(long)]
    json: bool,
}

/// Plans, or applies a plan.
pub(super) async fn run(setup: &Setup, ask: &Ask) -> Result<Exit, Failure> {
    match (&ask.plan, &ask.apply) {
        (Some(path), _) => plan(setup, ask, path).await,
        (None, Some(path)) => apply(setup, ask, path).await,
        (None, None) => Err(Failure::usage("give --plan FILE or --apply FILE")),
    }
}

async fn plan(setup: &Setup, ask: &Ask, path: &std::path::Path) -> Result<Exit, Failure> {
    let rules = StaleRules { older_than: Duration::from_hours(24) * ask.days, ..StaleRules::default() };
    let stale = Stale::new(Arc::new(setup.companions()?));
    let (plan, trouble) = stale.plan(rules).await.map_err(|error| failed(setup, error))?;
    let mut file = Vec::new();
    plan.write(&mut file)
        .map_err(|error| Failure::new(Exit::Failed, format!("the plan cannot be written: {error}")))?;
    write_new(path, &file)?;
    if let Some(fault) = &trouble {
        setup.out.note(&format!("{fault}; what was not listed is not in the plan"));
    }
    let (id, count) = (plan.id(), plan.old.len());
    if ask.json {
        let spared: Vec<_> = plan
            .spared
            .iter()
            .map(|one| json!({"name": one.name, "verdict": one.why.word(), "told": one.why.to_string()}))
            .collect();
        out::json(&json!({
            "version": "stackhand.stale-plan/1", "id": id, "file": path, "made_at": plan.made_at, "days": ask.days,
            "branches": plan.old, "spared": spared,
        }))?;
    } else {
        for old in &plan.old {
            setup.out.line(&format!("{}  {}  {}", old.name, old.commit.short(), old.committed_at))?;
        }
        for one in &plan.spared {
            setup.out.line(&format!("{}  stays: {}", one.name, one.why))?;
        }
        setup.out.line(&format!(
            "plan {id}: {} would go; written to {}, nothing was deleted",
            plural(count as u64, "branch"),
            path.display()
        ))?;
    }
    Ok(if trouble.is_none() { Exit::Ok } else { Exit::Failed })
}

async fn apply(setup: &Setup, ask: &Ask, path: &std::path::Path) -> Result<Exit, Failure> {
    if let Some(why) = &setup.rules.read_only {
        return Err(Failure::refused(format!("{why}; nothing can be deleted")));
    }
    let wrong = |what: String| Failure::new(Exit::Failed, format!("cannot apply {}: {what}", path.display()));
    let bytes = read_at_most(path, MAX_PLAN).map_err(|error| wrong(error.to_string()))?;
    let plan = StalePlan::read(&bytes).map_err(|error| wrong(error.to_string()))?;
    let stale = Stale::new(Arc::new(setup.companions()?));
    let is_asked_to_stop = AtomicBool::new(false);
    let asked = || is_asked_to_stop.load(Ordering::Relaxed);
    let mut stop = Stop::listen()?;
    let mut applied = std::pin::pin!(stale.apply(&plan, &setup.who, ask.most, &asked));
    let (ended, is_cut) = tokio::select! {
        ended = &mut applied => (ended, false),
        // The branch that is under way is ended properly.
        () = stop.asked() => {
            is_asked_to_stop.store(true, Ordering::Relaxed);
            (applied.await, true)
        }
    };
    let report = ended.map_err(|error| failed(setup, error))?;
    tell(setup.out, &report, ask.json)?;
    let has_changed = report.items.iter().any(|item| match &item.outcome {
        None => item.verdict != "gone",
        Some(outcome) => matches!(outcome, Outcome::Skipped { .. }),
    });
    Ok(match (is_cut, report.is_clean(), has_changed) {
        (true, ..) => Exit::Interrupted,
        (_, false, _) => Exit::Failed,
        (_, true, true) => Exit::Changed,
        (_, true, false) => Exit::Ok,
    })
}

fn failed(setup: &Setup, error: StaleError) -> Failure {
    match error {
        StaleError::Fault(fault) => Failure::remote(&fault, setup.clock.now()),
        StaleError::Refused(refusal) => Failure::refused(refusal.to_string()),
    }
}
