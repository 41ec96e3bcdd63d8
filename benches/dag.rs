//! Budgets of the needs graph and of its pictures at 5,000 jobs and 10,000 needs: build < 20 ms, one job's change < 50 µs, layout < 5 ms, a
//! lens switch < 16 ms.
//!
//! Prints median and p99, and the ratio to a sort of the same number of strings in the same run, so that a slow machine explains itself.

#![expect(clippy::print_stdout, clippy::expect_used, reason = "a benchmark talks to the terminal and may give up")]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stackhand::ci::{Need, NeedsGraph, NodeIx, NodeState, Status};
use stackhand::console::dag::{Facts, Layout, Lens, Picture, Style, View};

const JOBS: usize = 5_000;
const LAYERS: usize = 25;

/// Small, seeded and good enough to mix a graph.
struct Dice(u64);

impl Dice {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % end.max(1)
    }
}

fn jobs() -> Vec<(Arc<str>, Vec<Need>)> {
    let mut dice = Dice(7);
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

struct Figures {
    median: Duration,
    p99: Duration,
}

fn measure(times: usize, mut run: impl FnMut(usize)) -> Figures {
    let mut taken: Vec<Duration> = (0..times)
        .map(|turn| {
            let start = Instant::now();
            run(turn);
            start.elapsed()
        })
        .collect();
    taken.sort_unstable();
    let at = |part: usize| taken.get((times * part / 100).min(times - 1)).copied().unwrap_or_default();
    Figures { median: at(50), p99: at(99) }
}

fn main() {
    let jobs = jobs();
    let needs: usize = jobs.iter().map(|(_, needs)| needs.len()).sum();
    let mut names: Vec<Arc<str>> = jobs.iter().map(|(name, _)| name.clone()).collect();
    let mut dice = Dice(11);
    let reference = measure(50, |_| {
        for i in (1..names.len()).rev() {
            names.swap(i, dice.below(i + 1));
        }
        names.sort_unstable();
    });
    println!("{JOBS} jobs, {needs} needs; reference (shuffle and sort {JOBS} names) {:?}", reference.median);
    let report = |what: &str, budget: Duration, figures: &Figures| {
        let ratio = figures.median.as_secs_f64() / reference.median.as_secs_f64();
        println!(
            "{what:<28} median {:>9.1?}  p99 {:>9.1?}  x{ratio:<7.3} budget {budget:?}",
            figures.median, figures.p99
        );
        // Three times the budget: this must not fail because a neighbour compiles.
        assert!(figures.median < budget * 3, "{what} takes {:?}, the budget is {budget:?}", figures.median);
    };
    let ms = Duration::from_millis;

    report(
        "graph build",
        ms(20),
        &measure(50, |_| {
            black_box(NeedsGraph::build(black_box(&jobs).iter().cloned()));
        }),
    );

    let mut graph = NeedsGraph::build(jobs.iter().cloned());
    let all: Vec<(NodeIx, NodeState)> = graph.nodes().map(|ix| (ix, state_of(&graph, ix, &mut dice))).collect();
    let ghosts = graph.clone();
    report(
        "set all states at once",
        ms(2),
        &measure(50, |_| {
            let mut graph = ghosts.clone();
            graph.set_all(all.iter().copied());
            black_box(graph);
        }),
    );
    graph.set_all(all.iter().copied());
    let page: Vec<(NodeIx, NodeState)> = all.iter().copied().step_by(JOBS / 100).collect();
    report(
        "set a page of 100, loading",
        ms(2),
        &measure(50, |_| {
            let mut graph = ghosts.clone();
            graph.set_all(page.iter().copied());
            black_box(graph);
        }),
    );

    // What happens while one looks: jobs start, end well, end badly, are retried.
    let front: Vec<NodeIx> = graph
        .nodes()
        .filter(|ix| matches!(graph.status(*ix), Some(Status::Running | Status::Pending | Status::Failed)))
        .collect();
    let cycle = [Status::Running, Status::Failed, Status::Pending, Status::Running, Status::Success];
    report(
        "one job runs, ends, retries",
        Duration::from_micros(50),
        &measure(20_000, |turn| {
            let ix = front.get(turn / cycle.len() % front.len()).copied().expect("the front is not empty");
            let status = cycle.get(turn % cycle.len()).copied();
            let seconds = if status == Some(Status::Success) { 0 } else { 600 };
            graph.set(ix, NodeState { status, allow_failure: false, expected_remaining: Duration::from_secs(seconds) });
        }),
    );
    graph.set_all(all.iter().copied());

    // The same for a job that starts or is skipped: who waits behind whom changes, and with it the sets of everything that is needed.
    let waiting: Vec<NodeIx> = graph.nodes().filter(|ix| graph.status(*ix) == Some(Status::Created)).collect();
    let flip = |graph: &mut NeedsGraph, ix: NodeIx, status: Status| {
        graph.set(
            ix,
            NodeState { status: Some(status), allow_failure: false, expected_remaining: Duration::from_secs(600) },
        );
    };
    let next: Vec<NodeIx> = waiting
        .iter()
        .copied()
        .filter(|ix| graph.needs(*ix).all(|need| graph.status(need) == Some(Status::Success)))
        .collect();
    println!("{} jobs wait, {} of them only for a runner", waiting.len(), next.len());
    for (what, jobs, budget) in
        [("a ready job starts", &next, Duration::from_micros(50)), ("worst: any waiting job", &waiting, ms(1))]
    {
        let figures = measure(10_000, |turn| {
            let ix = jobs.get(turn / 2 * 7 % jobs.len()).copied().expect("some job waits");
            flip(&mut graph, ix, if turn % 2 == 0 { Status::Pending } else { Status::Created });
        });
        report(what, budget, &figures);
    }
    graph.set_all(all.iter().copied());

    report(
        "layout, fresh",
        ms(5),
        &measure(100, |_| {
            black_box(Layout::of(black_box(&graph), None));
        }),
    );
    let layout = Layout::of(&graph, None);
    let more = NeedsGraph::build(jobs.iter().cloned().chain([("one-more".into(), Vec::new())]));
    report(
        "layout, one job more",
        ms(5),
        &measure(100, |_| {
            black_box(Layout::of(black_box(&more), Some(&layout)));
        }),
    );

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
        report(
            &what,
            ms(16),
            &measure(100, |_| {
                view.open(lens.clone());
                let scene = view.scene(&graph, &facts, None);
                black_box(Picture::of(&scene, Style::default()));
            }),
        );
    }
    view.open(Lens::Failing);
    report(
        "next frame, failing",
        ms(4),
        &measure(100, |_| {
            black_box(Picture::of(&view.scene(&graph, &facts, None), Style::default()));
        }),
    );
}
