//! The daemon's numbers, from what the world knows. What is not known is not there.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::adapters::prometheus::{Metrics, Unwritten};
use crate::adapters::service::Usage;
use crate::bridge::wake::Forge;
use crate::bridge::{Board, BoardRow, Step};
use crate::cache::RootKind;
use crate::ci::{JobKind, Timestamp, pull_request_of};
use crate::console::event::Event;
use crate::console::fleet::System;
use crate::console::fresh::{Completeness, Freshness};
use crate::console::loops::{Controller, LoopState, Role};
use crate::console::world::World;
use crate::controller::webhooks::{self, Outcome};
use crate::fleet::Host;
use crate::taxonomy::Owner;

/// Which stackhand this is, where whoever built it said so.
const REVISION: &str = match option_env!("STACKHAND_REVISION") {
    Some(revision) => revision,
    None => "unknown",
};

/// What is counted as it happens; it begins anew with the process.
#[derive(Debug, Default)]
pub(super) struct Tally {
    /// By class, and whether the infrastructure owns it.
    failures: BTreeMap<(String, bool), u64>,
    /// Targets of actions, by what was done with them and what came of it.
    actions: BTreeMap<(Arc<str>, &'static str), u64>,
}

impl Tally {
    pub fn count(&mut self, event: &Event) {
        if let Event::Judged(failure) = event {
            let is_infrastructure = failure.owner == Owner::Infrastructure;
            *self.failures.entry((failure.class.to_string(), is_infrastructure)).or_default() += 1;
        }
        if let Event::AuditStored { row, result: Ok(()) } = event {
            // Only the last row of a plan has answers.
            for (_, outcome) in &row.detail.answers {
                *self.actions.entry((Arc::clone(&row.action), outcome.word())).or_default() += 1;
            }
        }
    }
}

/// All numbers as text.
pub(super) fn metrics(
    world: Option<&World>,
    loops: &[LoopState],
    tally: &Tally,
    controller: &Controller,
    now: Timestamp,
) -> String {
    written(|out| {
        process(out, controller)?;
        rounds(out, loops)?;
        world.map_or(Ok(()), |world| known(out, world, tally, now))
    })
}

/// What became of webhooks, as text. It is whole by itself, and comes after everything else in the order of names.
pub(super) fn deliveries(tally: &webhooks::Tally) -> String {
    written(|out| {
        let counts = Forge::ALL.into_iter().flat_map(|forge| Outcome::ALL.map(|outcome| (forge, outcome)));
        for (forge, outcome) in counts.filter(|(forge, outcome)| tally.count(*forge, *outcome) > 0) {
            let count = tally.count(forge, outcome) as f64;
            out.add("stackhand_webhooks_total", &[&forge.to_string(), outcome.word()], count)?;
        }
        Ok(())
    })
}

fn written(fill: impl FnOnce(&mut Metrics) -> Result<(), Unwritten>) -> String {
    let mut out = Metrics::default();
    if let Err(error) = fill(&mut out) {
        tracing::warn!(%error, "some numbers are left out");
    }
    out.text()
}

/// How loops fared since the daemon began to lead.
fn rounds(out: &mut Metrics, loops: &[LoopState]) -> Result<(), Unwritten> {
    for state in loops {
        let well = state.ticks.saturating_sub(state.failures);
        for (outcome, count) in [("ok", well), ("failed", state.failures)] {
            out.add("stackhand_loop_rounds_total", &[&state.name, outcome], count as f64)?;
        }
        // What would be done was not done.
        for (what, count) in state.totals.iter().filter(|_| !state.is_dry_run) {
            out.add("stackhand_loop_items_total", &[&state.name, what], *count as f64)?;
        }
        let last = state.last_ok.map(seconds);
        out.set("stackhand_loop_last_success_timestamp_seconds", &[&state.name], last)?;
    }
    Ok(())
}

fn process(out: &mut Metrics, controller: &Controller) -> Result<(), Unwritten> {
    out.set("stackhand_leader", &[], Some(f64::from(controller.role == Role::Leader)))?;
    out.set("stackhand_build_info", &[env!("CARGO_PKG_VERSION"), REVISION], Some(1.0))?;
    let usage = Usage::now();
    if let Some(seconds) = usage.cpu_seconds {
        out.add("process_cpu_seconds_total", &[], seconds)?;
    }
    out.set("process_resident_memory_bytes", &[], usage.resident_bytes.map(|bytes| bytes as f64))?;
    out.set("process_open_fds", &[], usage.open_files.map(|files| files as f64))?;
    out.set("process_start_time_seconds", &[], Some(seconds(controller.since)))
}

fn known(out: &mut Metrics, world: &World, tally: &Tally, now: Timestamp) -> Result<(), Unwritten> {
    for ((action, outcome), count) in &tally.actions {
        out.add("stackhand_actions_total", &[action, outcome], *count as f64)?;
    }
    sources(out, world, now)?;
    bridge(out, world, now)?;
    jobs(out, world)?;
    for ((class, is_infrastructure), count) in &tally.failures {
        let owner = if *is_infrastructure { "true" } else { "false" };
        out.add("stackhand_ci_failures_total", &[class, owner], *count as f64)?;
    }
    let mut alarms: BTreeMap<(&str, &str, &str), u64> = BTreeMap::new();
    let all = world.fleet.alarms();
    for alarm in &all {
        *alarms.entry((alarm.source(), alarm.loudness().word(), alarm.state().word())).or_default() += 1;
    }
    for ((source, severity, state), count) in alarms {
        out.set("stackhand_alerts", &[source, severity, state], Some(count as f64))?;
    }
    runners(out, world)?;
    caches(out, world)
}

fn sources(out: &mut Metrics, world: &World, now: Timestamp) -> Result<(), Unwritten> {
    let mut tell = |source: &str, is_up: Option<bool>, last: Option<Timestamp>| {
        out.set("stackhand_source_up", &[source], is_up.map(f64::from))?;
        out.set("stackhand_source_last_success_timestamp_seconds", &[source], last.map(seconds))
    };
    let pipelines = &world.pipelines;
    let is_known = pipelines.completeness != Completeness::Unknown || pipelines.error.is_some();
    tell("gitlab", is_known.then_some(pipelines.error.is_none()), pipelines.fetched_at)?;
    let roots = &world.caches.roots;
    let is_known = roots.fetched_at.is_some() || roots.error.is_some();
    tell("cache", is_known.then_some(roots.error.is_none()), roots.fetched_at)?;
    for (system, name) in
        [(System::Kubernetes, "kubernetes"), (System::Prometheus, "prometheus"), (System::Alertmanager, "alertmanager")]
    {
        let of_system: Vec<_> = world.fleet.of_system(system).filter(|(_, facts)| !facts.is_absent()).collect();
        let is_live = |freshness: Freshness| matches!(freshness, Freshness::Live(_) | Freshness::Partial);
        let fresh: Vec<Freshness> = of_system.iter().map(|(source, facts)| facts.freshness(*source, now)).collect();
        // While one of them was not asked to the end, nobody knows.
        let is_known = !fresh.is_empty() && !fresh.contains(&Freshness::Loading);
        let last = of_system.iter().map(|(_, facts)| facts.state.heard).collect::<Option<Vec<_>>>();
        let last = last.and_then(|all| all.into_iter().min());
        tell(name, is_known.then(|| fresh.into_iter().all(is_live)), last)?;
    }
    Ok(())
}

/// How pull requests stand, as the last pass left them; one that was long ago says nothing.
fn bridge(out: &mut Metrics, world: &World, now: Timestamp) -> Result<(), Unwritten> {
    let (Some(board), Some(heard)) = (&world.board.value, world.board.fetched_at) else { return Ok(()) };
    // Whose clock the board goes by need not be known to go on from it.
    let passed = now.since(heard);
    if passed > Board::OLD {
        return Ok(());
    }
    let now = board.at.plus(passed);
    out.set("stackhand_source_rate_limit_remaining", &["github"], board.quota.map(|quota| quota.left as f64))?;
    if !board.is_whole {
        return Ok(());
    }
    let mut counts: BTreeMap<(&str, &str), u64> = BTreeMap::new();
    for row in &board.rows {
        *counts.entry((row.verdict.word(), &row.reason)).or_default() += 1;
    }
    for ((verdict, reason), count) in counts {
        out.set("stackhand_bridge_pull_requests", &[verdict, reason], Some(count as f64))?;
    }
    let waits = |wanted| {
        let waiting = board.rows.iter().map(BoardRow::step).filter(move |(step, _)| *step == wanted);
        waiting.map(|(_, since)| now.since(since)).max().unwrap_or_default()
    };
    out.set("stackhand_bridge_oldest_unsynced_seconds", &[], Some(waits(Step::Sync).as_secs_f64()))?;
    out.set("stackhand_bridge_oldest_untold_seconds", &[], Some(waits(Step::Status).as_secs_f64()))
}

/// Jobs of the pipelines that are followed and not over, once all of them were read.
fn jobs(out: &mut Metrics, world: &World) -> Result<(), Unwritten> {
    if world.jobs_known() != Completeness::Whole {
        return Ok(());
    }
    let mut counts: BTreeMap<[String; 3], u64> = BTreeMap::new();
    for facts in world.followed(world.polling.rules.followed) {
        if facts.pipeline.status.is_terminal() {
            continue;
        }
        let (kind, stack) = (kind_of(&facts.pipeline.git_ref), facts.pipeline.stack.as_deref().unwrap_or_default());
        for job in facts.jobs.value.iter().filter(|job| job.kind == JobKind::Build && job.downstream.is_none()) {
            let labels = [job.status.to_string(), kind.to_owned(), stack.to_owned()];
            *counts.entry(labels).or_default() += 1;
        }
    }
    for ([status, kind, stack], count) in &counts {
        out.set("stackhand_ci_jobs", &[&world.project, status, kind, stack], Some(*count as f64))?;
    }
    Ok(())
}

fn runners(out: &mut Metrics, world: &World) -> Result<(), Unwritten> {
    for class in world.runner_classes() {
        let name: &str = &class.name;
        out.set("stackhand_runner_slots", &[name], class.slots.map(|slots| slots as f64))?;
        out.set("stackhand_runner_running", &[name], class.running.map(|running| running as f64))?;
        let host = match class.host {
            Host::Cluster => "cluster",
            Host::Site => "uo",
            Host::Unknown => "other",
        };
        out.set("stackhand_runner_online", &[name, host], class.at_work.map(|online| online as f64))?;
    }
    Ok(())
}

/// Sums over the roots of one stack in a mirror, whatever ref they are of.
fn caches(out: &mut Metrics, world: &World) -> Result<(), Unwritten> {
    let caches = &world.caches;
    let mut sums: BTreeMap<(&str, &str), (u64, u64)> = BTreeMap::new();
    for facts in caches.roots.value.values() {
        let Some(mirror) = caches.mirrors.iter().find(|mirror| facts.url.starts_with(&***mirror)) else { continue };
        let Some(sample) = facts.samples.last() else { continue };
        let total = sample.sizes.total();
        let (objects, bytes) = sums.entry((mirror, stack_of(&facts.root.kind))).or_default();
        *objects += total.objects;
        *bytes += total.bytes;
    }
    for ((mirror, stack), (objects, bytes)) in sums {
        out.set("stackhand_cache_objects", &[mirror, stack], Some(objects as f64))?;
        out.set("stackhand_cache_bytes", &[mirror, stack], Some(bytes as f64))?;
    }
    Ok(())
}

/// The stack that a root is of; `other` where it is of none.
fn stack_of(kind: &RootKind) -> &str {
    match kind {
        RootKind::Stack { stack, .. }
        | RootKind::Snapshot { stack: Some(stack), .. }
        | RootKind::PullRequest { stack: Some(stack), .. }
        | RootKind::SharedPr { stack: Some(stack) } => stack,
        _ => "other",
    }
}

fn seconds(at: Timestamp) -> f64 {
    at.millis() as f64 / 1_000.0
}

/// What kind of ref it is: names of branches would be series for good.
fn kind_of(git_ref: &str) -> &'static str {
    if pull_request_of(git_ref).is_some() {
        "pr"
    } else if git_ref.contains("staging") {
        "staging"
    } else if git_ref.starts_with("releases/") {
        "release"
    } else if matches!(git_ref, "develop" | "main") {
        "develop"
    } else {
        "tag"
    }
}
