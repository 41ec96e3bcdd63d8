//! Budgets of the needs graph and of its pictures at 5,000 jobs and 10,000 needs: build < 20 ms, one job's change < 50 µs, layout < 5 ms, a
//! lens switch < 16 ms.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod dice;
}

use std::sync::Arc;
use std::time::Duration;

use stackhand::ci::{Need, NeedsGraph, NodeIx, NodeState, Status};
use stackhand::console::dag::{Facts, Layout, Lens, Picture, Style, View};

use made::dice::Dice;
use timing::{Sheet, measure, prepared};

const JOBS: usize = 5_000;
const LAYERS: usize = 25;

fn jobs() -> Vec<(Arc<str>, Vec<Need>)> {
    let mut dice = Dice::new(7);
    let name = |i: usize| Arc::<str>::from(format!("pkg-{i:04}@1.{} /{:0>32} E4S", i % 9, "k3xab"));
    let width = JOBS / LAYERS;
    (0..JOBS)
        .map(|i| {
            let start = i / width * width;
            let near = start.saturating_sub(width);
            let mut needs: Vec<usize> =
                if start == 0 { Vec::new() } else { vec![near + dice.below(start - near), dice.below(start)] };
            needs.sort_unstable();
            needs.dedup();
            (name(i), needs.into_iter().map(|n| Need { name: name(n), optional: false }).collect())
        })
        .collect()
}

/// A pipeline in the middle of its life: early layers done, a front that runs, failures on the way, the rest waits.
fn state_of(graph: &NeedsGraph, ix: NodeIx, dice: &mut Dice) -> NodeState {
    let depth = graph.layer(ix) * 10 / LAYERS;
    let status = match (depth, dice.below(100)) {
        (0..4, 0..2) => Status::Failed,
        (0..4, _) => Status::Success,
        (4, 0..30) => Status::Running,
        (4, 30..50) => Status::Pending,
        _ => Status::Created,
    };
    let seconds = if status == Status::Success { 0 } else { 60 + dice.below(3_000) as u64 };
    NodeState { status: Some(status), allow_failure: false, expected_remaining: Duration::from_secs(seconds) }
}

fn main() {
    let jobs = jobs();
    let mut dice = Dice::new(11);
    let mut sheet = Sheet::open("needs graph, 5,000 jobs, 10,000 needs");
    let ms = Duration::from_millis;

    sheet.row("graph build", ms(20), &measure(50, |_| NeedsGraph::build(jobs.iter().cloned())));

    let mut graph = NeedsGraph::build(jobs.iter().cloned());
    let all: Vec<(NodeIx, NodeState)> = graph.nodes().map(|ix| (ix, state_of(&graph, ix, &mut dice))).collect();
    let ghosts = graph.clone();
    sheet.row(
        "set all states at once",
        ms(2),
        &prepared(
            50,
            |_| ghosts.clone(),
            |mut graph| {
                graph.set_all(all.iter().copied());
                graph
            },
        ),
    );
    graph.set_all(all.iter().copied());
    let page: Vec<(NodeIx, NodeState)> = all.iter().copied().step_by(JOBS / 100).collect();
    sheet.row(
        "set a page of 100, loading",
        ms(2),
        &prepared(
            50,
            |_| ghosts.clone(),
            |mut graph| {
                graph.set_all(page.iter().copied());
                graph
            },
        ),
    );

    // What happens while one looks: jobs start, end well, end badly, are retried.
    let front: Vec<NodeIx> = graph
        .nodes()
        .filter(|ix| matches!(graph.status(*ix), Some(Status::Running | Status::Pending | Status::Failed)))
        .collect();
    let cycle = [Status::Running, Status::Failed, Status::Pending, Status::Running, Status::Success];
    sheet.row(
        "one job changes",
        Duration::from_micros(50),
        &measure(20_000, |turn| {
            let ix = front.get(turn / cycle.len() % front.len()).copied().expect("the front is not empty");
            let status = cycle.get(turn % cycle.len()).copied();
            let seconds = if status == Some(Status::Success) { 0 } else { 600 };
            graph.set(ix, NodeState { status, allow_failure: false, expected_remaining: Duration::from_secs(seconds) })
        }),
    );
    graph.set_all(all.iter().copied());

    sheet.row("layout, fresh", ms(5), &measure(100, |_| Layout::of(&graph, None)));
    let layout = Layout::of(&graph, None);
    let more = NeedsGraph::build(jobs.iter().cloned().chain([("one-more".into(), Vec::new())]));
    sheet.row("layout, one job more", ms(5), &measure(100, |_| Layout::of(&more, Some(&layout))));

    let lenses = || {
        let name = |at: usize| graph.name(graph.nodes().nth(at).expect("a job")).clone();
        [
            Lens::Failing,
            Lens::Critical,
            Lens::Running,
            Lens::All,
            Lens::Neighbours { of: name(JOBS / 2), up: 3, down: 3 },
            Lens::Search { hits: vec![name(3), name(JOBS - 3)] },
        ]
    };
    let facts = |ix: NodeIx| Facts { time: Some(graph.state(ix).expected_remaining), ..Facts::default() };
    let mut view = View::new(Lens::All);
    view.scene(&graph, &facts, None);
    for lens in lenses() {
        let what = format!("lens switch: {}", lens.name());
        sheet.row(
            &what,
            ms(16),
            &measure(100, |_| {
                view.open(lens.clone());
                Picture::of(&view.scene(&graph, &facts, None), Style::default())
            }),
        );
    }
    view.open(Lens::Failing);
    sheet.row(
        "next frame, failing",
        ms(4),
        &measure(100, |_| Picture::of(&view.scene(&graph, &facts, None), Style::default())),
    );
    sheet.close();
}
