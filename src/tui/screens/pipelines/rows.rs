//! Which pipelines are shown, in which order, and what a row says.

use std::cmp::Reverse;
use std::collections::BTreeSet;
use std::time::Duration;

use super::Sort;
use crate::ci::{NeedsGraph, PipelineId, short};
use crate::console::fresh::Completeness;
use crate::console::fuzzy::Fuzzy;
use crate::console::state::JobState;
use crate::console::text::count_short;
use crate::console::world::PipelineFacts;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub const COLUMNS: &[Column] = &[
    Column::new("ST", Width::Fixed(2)),
    Column::new("ID", Width::Fixed(9)).sacrifice(5),
    Column::new("REF / STACK", Width::Grow { least: 14, weight: 3 }).cut_middle(),
    Column::new("STACKS", Width::Fixed(11)).sacrifice(4),
    Column::new("✓/✗/▸/⋯/∘", Width::Fixed(20)),
    Column::new("AGE", Width::Fixed(5)).right().sacrifice(1),
    Column::new("ETA", Width::Fixed(5)).right().sacrifice(6),
    Column::new("AUTHOR", Width::Grow { least: 8, weight: 1 }).sacrifice(7),
    Column::new("CAUSE", Width::Grow { least: 12, weight: 2 }).sacrifice(2),
];

/// Parents in order, each with its children when it is open.
pub fn work_out(
    cx: Cx<'_>,
    open: &BTreeSet<PipelineId>,
    sort: Sort,
    is_reversed: bool,
    needle: &str,
) -> Vec<PipelineId> {
    let fuzzy = Fuzzy::new(needle);
    let fits = |f: &PipelineFacts| {
        needle.is_empty()
            || fuzzy.matches(&f.pipeline.git_ref)
            || f.pipeline.stack.as_deref().is_some_and(|s| fuzzy.matches(s))
            || f.pipeline.id.to_string().contains(needle)
            || f.pipeline.user.as_deref().is_some_and(|u| fuzzy.matches(u))
    };
    let mut parents: Vec<&PipelineFacts> =
        cx.world.parents().filter(|f| cx.world.tree(f.pipeline.id).any(&fits)).collect();
    match sort {
        Sort::Trouble => parents.sort_by_cached_key(|f| {
            let id = f.pipeline.id;
            let failed = cx.world.tree_counts(id).get(JobState::Fail);
            (Reverse(failed), Reverse(f.pipeline.status.is_alive()), Reverse(id))
        }),
        Sort::Newest => parents.sort_by_key(|f| Reverse(f.pipeline.id)),
        Sort::Ref => parents.sort_by(|a, b| {
            a.pipeline.git_ref.cmp(&b.pipeline.git_ref).then_with(|| b.pipeline.id.cmp(&a.pipeline.id))
        }),
    }
    if is_reversed {
        parents.reverse();
    }
    let mut rows = Vec::new();
    for parent in parents {
        rows.push(parent.pipeline.id);
        if open.contains(&parent.pipeline.id) {
            let mut children: Vec<_> = parent.children.clone();
            children.sort_by_cached_key(|id| Reverse(cx.world.tree_counts(*id).get(JobState::Fail)));
            rows.extend(children);
        }
    }
    rows
}

/// One row.
pub fn row<'a>(cx: Cx<'a>, facts: &'a PipelineFacts, open: &BTreeSet<PipelineId>) -> Row<'a> {
    let p = &facts.pipeline;
    let world = cx.world;
    let state = JobState::of(p.status, false, false);
    let role = Role::of(state);
    let is_child = p.parent.is_some();
    let name = match (is_child, facts.children.is_empty()) {
        (true, _) => format!("  {}", facts.title()),
        (false, true) => format!("  {}", facts.title()),
        (false, false) => {
            let (opened, closed) = cx.look.glyphs.fold;
            format!("{} {}", if open.contains(&p.id) { opened } else { closed }, facts.title())
        }
    };
    let age = facts.age(cx.server_now()).map_or("?".to_owned(), short);
    Row {
        cells: vec![
            Cell::new(cx.look.glyphs.state(state), role),
            Cell::new(p.id.to_string(), Role::TextDim),
            Cell::new(name, if is_child { Role::Text } else { Role::TextStrong }),
            Cell::new(stacks(cx, facts), Role::Text),
            Cell::new(counts(cx, facts), Role::Text),
            Cell::new(age, Role::TextDim),
            Cell::new(eta(cx, facts), Role::TextDim),
            Cell::new(
                p.user.as_deref().unwrap_or(if &*p.source == "schedule" { "schedule" } else { "-" }),
                Role::TextDim,
            ),
            Cell::new(cause(cx, facts), role),
        ],
        is_marked: false,
        is_gone: facts.gone_at.is_some_and(|_| world.pipeline(p.id).is_some()),
    }
}

/// `22 (3✗ 12▸)`; for a parent without children, what it is doing.
fn stacks(cx: Cx<'_>, facts: &PipelineFacts) -> String {
    if facts.pipeline.parent.is_some() {
        return facts.blocked_note();
    }
    if facts.children.is_empty() {
        return match facts.jobs.completeness {
            Completeness::Unknown => "-".to_owned(),
            _ if facts.pipeline.status.is_alive() => "generating".to_owned(),
            _ => "none".to_owned(),
        };
    }
    let in_state = |state| {
        let children = facts.children.iter().filter_map(|c| cx.world.pipeline(*c));
        children.filter(|c| JobState::of(c.pipeline.status, false, false) == state).count()
    };
    let glyphs = cx.look.glyphs;
    let parts: Vec<String> = [JobState::Fail, JobState::Run]
        .into_iter()
        .map(|state| (in_state(state), glyphs.state(state)))
        .filter(|(n, _)| *n > 0)
        .map(|(n, glyph)| format!("{n}{glyph}"))
        .collect();
    let n = facts.children.len();
    if parts.is_empty() { n.to_string() } else { format!("{n} ({})", parts.join(" ")) }
}

fn counts(cx: Cx<'_>, facts: &PipelineFacts) -> String {
    let mut known = facts.jobs.completeness;
    for child in cx.world.tree(facts.pipeline.id).skip(1) {
        known = known.min(child.jobs.completeness.max(Completeness::Partial));
    }
    if known == Completeness::Unknown {
        return "?".to_owned();
    }
    let counts = cx.world.tree_counts(facts.pipeline.id);
    let shown = [JobState::Ok, JobState::Fail, JobState::Run, JobState::Wait, JobState::Blocked]
        .map(|state| count_short(counts.get(state) as u64))
        .join("/");
    if known == Completeness::Partial { format!("{}{shown}", cx.look.glyphs.at_least) } else { shown }
}

/// The longest critical path of the tree: what remains if runners are never short.
fn eta(cx: Cx<'_>, facts: &PipelineFacts) -> String {
    if facts.pipeline.status.is_terminal() {
        return "done".to_owned();
    }
    let remaining: Option<Duration> =
        cx.world.tree(facts.pipeline.id).filter_map(|f| f.needs.graph()).map(NeedsGraph::remaining).max();
    remaining.map_or("?".to_owned(), |left| format!("~{}", short(left)))
}

/// The reason of most failures, and how many others there are.
pub(in crate::tui::screens) fn cause<'a>(cx: Cx<'a>, facts: &PipelineFacts) -> String {
    let mut sums: Vec<(&'a str, usize)> = Vec::new();
    for job in cx.world.jobs_of(facts.pipeline.id).filter(|j| j.is_failure() && j.downstream.is_none()) {
        let cause = cx.world.cause(job).unwrap_or("?");
        match sums.iter_mut().find(|(c, _)| *c == cause) {
            Some((_, n)) => *n += 1,
            None => sums.push((cause, 1)),
        }
    }
    sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
    match sums.as_slice() {
        [] => "-".to_owned(),
        [(cause, _)] => (*cause).to_owned(),
        [(cause, _), rest @ ..] => format!("{cause} +{}", rest.len()),
    }
}
