//! Which jobs are shown, in which order, and what a row says.

use std::cmp::{Ordering, Reverse};

use super::Sort;
use crate::ci::{Job, JobId, PipelineId, SpecName, precise, short};
use crate::console::filter::Filter;
use crate::console::state::JobState;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub const COLUMNS: &[Column] = &[
    Column::new("ST", Width::Fixed(2)),
    Column::new("JOB", Width::Grow { least: 26, weight: 3 }).cut_middle(),
    Column::new("STACK", Width::Grow { least: 12, weight: 1 }).sacrifice(4),
    Column::new("AGE", Width::Fixed(5)).right(),
    Column::new("TOOK", Width::Fixed(6)).right().sacrifice(3),
    Column::new("WAIT", Width::Fixed(5)).right().sacrifice(6),
    Column::new("TRY", Width::Fixed(3)).right().sacrifice(7),
    Column::new("BLOCKS", Width::Fixed(6)).right().sacrifice(2),
    Column::new("RUNNER", Width::Grow { least: 12, weight: 1 }).cut_middle().sacrifice(5),
    Column::new("CAUSE", Width::Grow { least: 15, weight: 2 }).sacrifice(1),
];

/// The jobs that pass the filter, in order.
pub fn work_out(
    cx: Cx<'_>,
    pipeline: Option<PipelineId>,
    filter: &Filter,
    sort: Sort,
    is_reversed: bool,
) -> Vec<JobId> {
    let server_now = cx.server_now();
    let world = cx.world;
    let passes = |job: &&Job| filter.is_empty() || filter.matches(&world.subject(job, cx.now), server_now);
    let mut jobs: Vec<(&Job, JobState, usize)> = match pipeline {
        Some(root) => world.jobs_of(root).filter(passes).map(|j| dressed(cx, j)).collect(),
        None => world.jobs().filter(passes).map(|j| dressed(cx, j)).collect(),
    };
    let by_trouble = |a: &(&Job, JobState, usize), b: &(&Job, JobState, usize)| {
        (a.1, Reverse(a.2)).cmp(&(b.1, Reverse(b.2))).then_with(|| a.0.name.cmp(&b.0.name))
    };
    jobs.sort_unstable_by(|a, b| {
        let order = match sort {
            Sort::Trouble => by_trouble(a, b),
            Sort::Age => b.0.created_at.cmp(&a.0.created_at),
            Sort::Duration => b.0.run_time(server_now).cmp(&a.0.run_time(server_now)),
            Sort::Wait => b.0.wait_time(server_now).cmp(&a.0.wait_time(server_now)),
            Sort::Name => Ordering::Equal,
        };
        order.then_with(|| a.0.name.cmp(&b.0.name)).then_with(|| a.0.id.cmp(&b.0.id))
    });
    if is_reversed {
        jobs.reverse();
    }
    jobs.into_iter().map(|(job, _, _)| job.id).collect()
}

fn dressed<'a>(cx: Cx<'a>, job: &'a Job) -> (&'a Job, JobState, usize) {
    let state = cx.world.state(job);
    let blocks = match state {
        JobState::Fail => cx.world.home(job.id).and_then(|f| f.blocks(job)).unwrap_or(0),
        _ => 0,
    };
    (job, state, blocks)
}

/// One row.
pub fn row<'a>(cx: Cx<'a>, job: &'a Job, filter: &Filter) -> Row<'a> {
    let world = cx.world;
    let server_now = cx.server_now();
    let state = world.state(job);
    let role = Role::of(state);
    let home = world.home(job.id);
    let name = match SpecName::parse(&job.name) {
        Some(spec) => format!("{}@{}/{}", spec.package, spec.version, spec.hash.get(..7).unwrap_or(spec.hash)),
        None => job.name.to_string(),
    };
    let matched = filter.highlights(&name);
    let length =
        |d: Option<std::time::Duration>, show: fn(std::time::Duration) -> String| d.map_or("-".to_owned(), show);
    let blocks = match home.and_then(|f| f.blocks(job)) {
        Some(0) => "-".to_owned(),
        Some(n) => n.to_string(),
        None => "?".to_owned(),
    };
    let tries = world.tries(job);
    let cause = match state {
        JobState::Fail | JobState::Warn => world.cause(job).unwrap_or("?"),
        _ => "-",
    };
    let age = job.created_at.map(|at| server_now.since(at));
    Row {
        cells: vec![
            Cell::new(cx.look.glyphs.state(state), role),
            Cell { matched, ..Cell::new(name, if state == JobState::Fail { Role::TextStrong } else { Role::Text }) },
            Cell::new(home.map_or("?", |f| f.title()), Role::Text),
            Cell::new(length(age, short), Role::TextDim),
            Cell::new(length(job.run_time(server_now), precise), Role::Text),
            Cell::new(length(job.wait_time(server_now), short), Role::TextDim),
            Cell::new(tries.to_string(), if tries > 1 { Role::StateWarn } else { Role::TextDim }),
            Cell::new(blocks, Role::Text),
            Cell::new(job.runner.as_ref().map_or("-", |r| r.class()), Role::TextDim),
            Cell::new(cause, role),
        ],
        is_marked: cx.marks.contains(&job.id),
        is_gone: home.is_some_and(|f| f.gone_at.is_some()),
    }
}
