//! Why a job is as it is, and why it exists: what `e` shows.
//!
//! The first part is what the console knows of the job; the second is what its generate job wrote down when it made the pipeline, which is read
//! when somebody asks.

use std::sync::Arc;

use ratatui::layout::{Rect, Size};

use super::App;
use super::overlay::Overlay;
use crate::ci::{Job, JobId, SpecName, Status, Timestamp, precise, short};
use crate::console::fault::FaultKind;
use crate::console::text::{clean, plural};
use crate::console::world::World;
use crate::taxonomy::judge::{Count, Covered, NoveltyQuestion, Reach, Success, Zone, novelties, retries};
use crate::taxonomy::{Failure, Transient};
use crate::tui::screen::{Cx, Explained};
use crate::tui::screens::explain_spec;
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, popup};

impl App {
    /// Opens the explanation of the job under the cursor.
    pub(super) fn explain(&mut self, now: Timestamp) {
        let selection = self.screen.selection(self.cx(now));
        match selection.jobs.first().filter(|id| self.world.job(**id).is_some()) {
            Some(job) => self.overlay = Some(Overlay::Explain { what: Explained::Job(*job), top: 0 }),
            None => self.say(false, "nothing here to explain", now),
        }
    }
}

/// Draws the explanation from what is known by now.
pub(super) fn draw(pen: &mut Pen<'_>, screen: Rect, cx: Cx<'_>, what: &Explained, top: usize) {
    let lines = match what {
        Explained::Job(job) => &lines(cx.world, *job, cx.now),
        Explained::Spec(root, id) => &explain_spec(cx, *root, id),
        Explained::Told(lines) => lines,
    };
    let height = (lines.len() as u16 + 2).min(screen.height);
    let inner = popup(pen, screen, Size::new(96, height), &Panel { title: "Explain", ..Panel::default() });
    // The end stays in sight, however far somebody scrolled.
    let top = top.min(lines.len().saturating_sub(usize::from(inner.height)));
    for ((line, role), y) in lines.iter().skip(top).zip(inner.y..inner.bottom()) {
        pen.put(inner.x, y, inner.width, line, *role);
    }
}

fn lines(world: &World, id: JobId, now: Timestamp) -> Vec<(String, Role)> {
    let Some(job) = world.job(id) else { return vec![("this job is gone".to_owned(), Role::Text)] };
    let mut lines: Vec<(String, Role)> = state(world, job, now).into_iter().map(|line| (line, Role::Text)).collect();
    if let Some(why) = generation(world, job) {
        lines.push((String::new(), Role::Text));
        lines.extend(why);
    }
    lines
}

fn state(world: &World, job: &Job, now: Timestamp) -> Vec<String> {
    let server_now = world.server_time(now);
    let mut lines = vec![format!("{} is {} ({})", job.name, world.state(job).name(), job.status)];
    if let Some(reason) = &job.failure_reason {
        lines.push(format!("GitLab's reason: {}", reason.as_str()));
    } else if job.is_failure() {
        lines.push("GitLab's reason has not been read yet".to_owned());
    }
    lines.extend(verdict(world, job));
    if let Some(failure) = world.failures.get(job.id) {
        lines.extend(past(world, failure, server_now));
    }
    if let Some(runner) = &job.runner {
        lines.push(format!("on {}", runner.description));
    }
    let took = job.run_time(server_now).map_or("has not run".to_owned(), |d| format!("ran {}", precise(d)));
    let waited = job.wait_time(server_now).map_or("wait not known".to_owned(), |d| format!("waited {}", short(d)));
    lines.push(format!("{took}, {waited}, try {}", world.tries(job)));
    if !job.tags.is_empty() {
        lines.push(format!("wants a runner with: {}", job.tags.join(", ")));
    }
    match world.home(job.id).and_then(|f| f.needs.graph().and_then(|g| g.find(&job.name).map(|ix| (g, ix)))) {
        None => lines.push("its needs are not known".to_owned()),
        Some((graph, ix)) => {
            lines.push(format!("{} wait for it", plural(graph.blocks(ix) as u64, "job")));
            let open: Vec<&str> =
                graph.needs(ix).filter(|need| !graph.state(*need).is_done()).map(|need| &**graph.name(need)).collect();
            if !open.is_empty() {
                lines.push(format!("waits for {}: {}", plural(open.len() as u64, "need"), open.join(", ")));
            }
            for root in graph.failed_roots(ix).into_iter().take(5) {
                lines.push(format!("blocked by {}", graph.name(root)));
            }
        }
    }
    lines
}

/// What its log was judged to say, and what to do about it.
fn verdict(world: &World, job: &Job) -> Vec<String> {
    let Some(failure) = world.failures.get(job.id) else { return Vec::new() };
    let rule = failure.rule.as_ref().and_then(|id| world.taxonomy.rules.iter().find(|rule| rule.id == *id));
    let mut lines = vec![match &failure.rule {
        Some(id) => {
            format!("cause: {} ({}; rule {id}, {} % sure)", failure.class, failure.owner.as_str(), failure.confidence)
        }
        None => "cause: unknown to every rule; `t` teaches one".to_owned(),
    }];
    if let (Some(evidence), Some(line)) = (&failure.evidence, failure.line) {
        lines.push(format!("  line {line}: {}", clean(evidence.trim())));
    }
    lines.extend(rule.map(|rule| format!("  do: {}", rule.runbook)));
    match failure.transient {
        Transient::Yes => lines.push("  a new try may succeed".to_owned()),
        Transient::Maybe => lines.push("  a new try may succeed once what caused it was looked at".to_owned()),
        Transient::No => lines.push("  a new try would fail in the same way".to_owned()),
        Transient::Unknown => {}
    }
    lines
}

/// Since when failures like this one are seen, where else, and whether this one went away by itself.
fn past(world: &World, failure: &Failure, server_now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let all = || world.failures.iter().map(|failure| &**failure);
    let alike: Vec<&Failure> = all().filter(|other| other.fingerprint == failure.fingerprint).collect();
    // The console does not know which times were looked at; figures come as lower bounds.
    let nowhere = Covered::default();
    let question = NoveltyQuestion::today(server_now, Zone::UTC, &nowhere);
    let told = failure.fingerprint.as_ref().and_then(|key| Some((key, novelties(&alike, &question).remove(key)?)));
    if let Some((key, novelty)) = told {
        let stored = world.history.value.as_ref().and_then(|history| history.first_seen.get(key).copied());
        let first = stored.map_or(novelty.first_seen, |stored| stored.min(novelty.first_seen));
        let reach = match &novelty.reach {
            Reach::Trunk => "on develop too".to_owned(),
            Reach::One(git_ref) => format!("only on {git_ref}"),
            Reach::Several(n) => format!("on {n} branches, not on develop"),
        };
        let seen = match novelty.week {
            Count::Exactly(n) => format!("{n} in 7 days"),
            Count::AtLeast(n) => format!("at least {n} in 7 days"),
            Count::Unknown => "how often is unknown".to_owned(),
        };
        lines.push(format!("  first seen {} ago, {seen}, {}", short(server_now.since(first)), clean(&reach)));
    }
    if let Some(hash) = &failure.hash {
        let runs: Vec<&Failure> = all().filter(|other| other.hash.as_ref() == Some(hash)).collect();
        let good = world.jobs().filter(|job| job.status == Status::Success);
        let successes: Vec<Success> = good
            .filter(|job| SpecName::parse(&job.name).is_some_and(|spec| *spec.hash == **hash))
            .map(|job| Success {
                job: job.id,
                pipeline: job.pipeline,
                at: job.finished_at.unwrap_or(server_now),
                name: Arc::clone(&job.name),
                hash: Some(Arc::clone(hash)),
                sha: None,
            })
            .collect();
        if let Some(flake) = retries(&runs, &successes).flakes.iter().find(|flake| flake.failed == failure.job) {
            lines.push(format!("  the same hash succeeded {} later: a flake", short(flake.after)));
        }
    }
    lines
}

/// Why the job was generated; `None` for jobs that build no spec.
fn generation(world: &World, job: &Job) -> Option<Vec<(String, Role)>> {
    let spec = SpecName::parse(&job.name)?;
    let report = &world.home(job.id)?.report;
    let told = |line: &str, role| vec![(line.to_owned(), role)];
    let Some(known) = &report.value else {
        return Some(match &report.error {
            None => told("reading why it was generated \u{2026}", Role::TextDim),
            Some(fault) if fault.kind == FaultKind::NotFound => told(
                "its generate job kept no report: it expired, or Spack itself generated this pipeline",
                Role::TextDim,
            ),
            Some(fault) => {
                vec![(format!("why it was generated is not known: {}", clean(&fault.to_string())), Role::TextDim)]
            }
        });
    };
    let explanation = known.find(spec.hash).first().and_then(|(hash, _)| known.explain(hash));
    let Some(explanation) = explanation else {
        return Some(told("the report of its generation does not name it", Role::TextDim));
    };
    let lines = explanation.lines().into_iter().enumerate();
    let role = |at| if at == 0 { Role::TextStrong } else { Role::Text };
    Some(lines.map(|(at, line)| (clean(&line).into_owned(), role(at))).collect())
}
