//! Why a job is as it is, and why it exists: what `e` shows.
//!
//! The first part is what the console knows of the job; the second is what its generate job wrote down when it made the pipeline, which is read
//! when somebody asks.

use ratatui::layout::{Rect, Size};

use super::App;
use super::overlay::Overlay;
use crate::ci::{Job, JobId, SpecName, Timestamp, precise, short};
use crate::console::failures::Memory;
use crate::console::fault::FaultKind;
use crate::console::text::{clean, head, plural};
use crate::console::why::Why;
use crate::console::world::World;
use crate::taxonomy::judge::{Count, Reach};
use crate::taxonomy::{Failure, Transient};
use crate::tui::screen::{Cx, Explained};
use crate::tui::screens::{explain_fleet, explain_spec};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, popup};

/// New means: first seen in the last day.
const DAY_MS: i64 = 24 * 3_600_000;
/// Characters of a commit that name it.
const SHA: usize = 8;

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
        Explained::Fleet(id) => &explain_fleet(cx, id),
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
    if let Some(why) = world.why(job.id, now).filter(Why::is_about_the_fleet) {
        lines.push(why.words);
        lines.extend(why.facts.into_iter().map(|fact| format!("  {fact}")));
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

/// Since when failures like this one are seen, by whose job first and where else, and whether this one went away by itself.
fn past(world: &World, failure: &Failure, server_now: Timestamp) -> Vec<String> {
    let memory = Memory::about(world, &[failure]);
    let mut pasts = memory.pasts(server_now.shifted(-DAY_MS), server_now);
    let mut lines = Vec::new();
    if let Some(past) = failure.fingerprint.as_ref().and_then(|key| pasts.remove(key)) {
        let (new, unread) = match past.is_new {
            Some(true) => ("new, ", ""),
            Some(false) => ("", ""),
            None => ("new?, ", "; the 21 days before were not all read"),
        };
        lines.push(format!("  {new}first seen {} ago{unread}", short(server_now.since(past.first_seen))));
        lines.extend(past.first.as_ref().map(|first| {
            let sha = first.sha.as_deref().map(|sha| format!(" at {}", head(sha, SHA))).unwrap_or_default();
            clean(&format!("  first by job {} on {}{sha}", first.job, first.git_ref)).into_owned()
        }));
        let reach = match &past.reach {
            Reach::Trunk => "on develop too".to_owned(),
            Reach::One(git_ref) => format!("only on {git_ref}"),
            Reach::Several(n) => format!("on {n} branches, not on develop"),
        };
        let seen = match past.week {
            Count::Exactly(n) => format!("{n} in 7 days"),
            Count::AtLeast(n) => format!("at least {n} in 7 days"),
            Count::Unknown => "how often in 7 days is unknown".to_owned(),
        };
        lines.push(format!("  {seen}, {}", clean(&reach)));
    }
    if let Some(flake) = memory.flakes().get(&failure.job) {
        let same = if failure.hash.is_some() { "hash" } else { "job at the same commit" };
        lines.push(format!("  flaky: the same {same} succeeded {} later", short(flake.after)));
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
