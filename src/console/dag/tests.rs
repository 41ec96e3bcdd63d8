//! Scenes and pictures: snapshots of small pipelines, and what must hold for all of them.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;

use super::*;
use crate::ci::{Need, NeedsGraph, NodeIx, NodeState, Status};
use crate::console::state::{Counts, JobState};

type Job<'a> = (&'a str, &'a [&'a str], Option<Status>, u64);

fn graph(jobs: &[Job<'_>]) -> NeedsGraph {
    let needs = |names: &[&str]| names.iter().map(|n| Need { name: (*n).into(), optional: false }).collect();
    let mut graph = NeedsGraph::build(jobs.iter().map(|(name, of, ..)| (Arc::from(*name), needs(of))));
    for (name, _, status, minutes) in jobs {
        let expected_remaining = Duration::from_secs(60 * minutes);
        let ix = graph.find(name).unwrap();
        graph.set(ix, NodeState { status: *status, allow_failure: false, expected_remaining });
    }
    graph
}

const OK: Option<Status> = Some(Status::Success);
const BAD: Option<Status> = Some(Status::Failed);
const NEW: Option<Status> = Some(Status::Created);

/// The pipeline of the tour: two failures, what they hold up, and a lot that is fine.
fn night_shift() -> NeedsGraph {
    let jobs: Vec<Job<'_>> = vec![
        ("gmake", &[], OK, 0),
        ("cmake", &["gmake"], OK, 0),
        ("zlib-ng", &["gmake"], OK, 0),
        ("openmpi", &["cmake", "gmake"], OK, 0),
        ("llvm", &["cmake", "gmake"], BAD, 100),
        ("hdf5", &["openmpi", "zlib-ng", "cmake"], BAD, 6),
        ("kokkos", &["llvm"], NEW, 9),
        ("py-numpy", &["openmpi"], Some(Status::Running), 3),
        ("py-scipy", &["py-numpy"], NEW, 12),
        ("arborx", &["kokkos"], NEW, 5),
        ("netcdf-c", &["hdf5"], Some(Status::Skipped), 4),
        ("trilinos", &["hdf5", "kokkos"], NEW, 81),
        ("petsc", &["hdf5"], NEW, 30),
        ("netcdf-fortran", &["netcdf-c"], NEW, 4),
    ];
    graph(&jobs)
}

fn facts(graph: &NeedsGraph, ix: NodeIx) -> Facts {
    let shows_time = matches!(graph.status(ix), Some(Status::Failed | Status::Running));
    Facts {
        time: shows_time.then(|| graph.state(ix).expected_remaining),
        cause: (graph.status(ix) == BAD).then(|| "build_error".into()),
        ..Facts::default()
    }
}

fn scene_of(view: &mut View, graph: &NeedsGraph, selected: Option<&str>) -> Scene {
    let selection = selected.map(|name| CellId::Node(name.into()));
    view.scene(graph, &|ix| facts(graph, ix), selection.as_ref())
}

fn snapshot(name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, text));
}

fn shot(name: &str, lens: Lens, graph: &NeedsGraph, selected: Option<&str>, style: Style) {
    snapshot(name, &text(&scene_of(&mut View::new(lens), graph, selected), style));
}

#[test]
fn a_diamond() {
    let graph = graph(&[
        ("gmake", &[], OK, 0),
        ("openmpi", &["gmake"], OK, 0),
        ("zlib-ng", &["gmake"], Some(Status::Running), 2),
        ("hdf5", &["openmpi", "zlib-ng", "gmake"], NEW, 6),
    ]);
    shot("dag-text-diamond", Lens::All, &graph, None, Style::default());
}

#[test]
fn the_failing_lens() {
    let graph = night_shift();
    assert_eq!(Lens::opening(&graph), Lens::Failing);
    shot("dag-text-failing", Lens::Failing, &graph, Some("hdf5"), Style::default());
}

#[test]
fn everything_of_a_small_pipeline() {
    shot("dag-text-all", Lens::All, &night_shift(), None, Style::default());
    shot("dag-text-all-ascii", Lens::All, &night_shift(), Some("llvm"), Style { ascii: true, ..Style::default() });
    let tiny = Style { zoom: Zoom::default().narrower().narrower(), ascii: false };
    shot("dag-text-all-glyphs", Lens::All, &night_shift(), Some("hdf5"), tiny);
}

/// 160 jobs in a shape like a real stack: a few tools at the bottom, wide libraries, long chains, many leaves.
fn stack_of_160() -> NeedsGraph {
    let name = |i: usize| format!("pkg-{i:03}");
    let owned: Vec<(String, Vec<String>, Option<Status>)> = (0..160)
        .map(|i| {
            let needs = match i {
                0..4 => Vec::new(),
                4..40 => vec![name(i % 4)],
                40..100 => vec![name(4 + i % 36), name(i % 4)],
                _ => vec![name(40 + i % 60), name(4 + i % 36)],
            };
            let status = match i {
                43 | 61 => BAD,
                44..50 => Some(Status::Running),
                50..53 => Some(Status::Pending),
                0..80 => OK,
                _ => NEW,
            };
            (name(i), needs, status)
        })
        .collect();
    let needs: Vec<Vec<&str>> = owned.iter().map(|(_, needs, _)| needs.iter().map(String::as_str).collect()).collect();
    let jobs: Vec<Job<'_>> = owned
        .iter()
        .zip(&needs)
        .map(|((name, _, status), needs)| (name.as_str(), needs.as_slice(), *status, 5))
        .collect();
    graph(&jobs)
}

#[test]
fn more_than_150_jobs_fold() {
    let graph = stack_of_160();
    shot("dag-text-folded", Lens::All, &graph, None, Style::default());
    shot("dag-text-folded-failing", Lens::Failing, &graph, None, Style::default());
}

#[test]
fn problems_are_listed_above_the_graph() {
    let graph = graph(&[
        ("zlib-ng", &["zlib-ng"], OK, 0),
        ("perl", &["gdbm"], OK, 0),
        ("gdbm", &["readline"], NEW, 0),
        ("readline", &["perl"], None, 0),
        ("hdf5", &["zlib-ng", "szip"], NEW, 0),
    ]);
    shot("dag-text-problems", Lens::All, &graph, None, Style::default());
}

#[test]
fn an_empty_pipeline_says_why() {
    shot("dag-text-empty", Lens::All, &graph(&[]), None, Style::default());
}

#[test]
fn stacks_are_a_graph_too() {
    let counts = |list: &[(JobState, u32)]| {
        let mut counts = Counts::default();
        for (state, n) in list {
            (0..*n).for_each(|_| counts.add(*state));
        }
        Some(counts)
    };
    let stack = |name: &str, status, counts| Stack { name: name.into(), pipeline: None, status, counts };
    let list = [
        stack("e4s", OK, counts(&[(JobState::Ok, 412)])),
        stack("e4s-oneapi", BAD, counts(&[(JobState::Ok, 300), (JobState::Fail, 33), (JobState::Run, 12)])),
        stack("ml-linux-x86_64-cuda", Some(Status::Running), counts(&[(JobState::Ok, 90), (JobState::Wait, 8)])),
        stack("hep", None, None),
    ];
    let (graph, facts) = stacks(&"develop 1082341".into(), Some(Status::Running), &list);
    let scene = View::new(Lens::All).scene(&graph, &|ix| facts[ix.index()].clone(), None);
    snapshot("dag-text-stacks", &text(&scene, Style { zoom: Zoom::default().wider(), ascii: false }));
}

#[test]
fn the_twins_tell_the_same() {
    let scene = scene_of(&mut View::new(Lens::Failing), &night_shift(), Some("hdf5"));
    snapshot("dag-json", &json(&scene));
    snapshot("dag-mermaid", &mermaid(&scene));
}

#[test]
fn hostile_names_reach_no_twin() {
    let evil = "x\u{1b}]52;c;\u{7}\"]--><script>\u{202e}\u{9b}31m";
    let graph = graph(&[(evil, &["gone\u{1b}[2J\u{9b}"], BAD, 1)]);
    let scene = scene_of(&mut View::new(Lens::All), &graph, Some(evil));
    for twin in [text(&scene, Style::default()), json(&scene), mermaid(&scene)] {
        let bad = |c: &char| (c.is_control() && *c != '\n') || *c == '\u{202e}';
        assert_eq!(twin.chars().find(bad), None, "{twin:?}");
    }
    assert!(!mermaid(&scene).contains('<'));
}

#[test]
fn moves_follow_edges_and_find_failures() {
    let graph = night_shift();
    let scene = scene_of(&mut View::new(Lens::All), &graph, None);
    let at = |name: &str| Some(CellId::Node(name.into()));
    let go = |from: &str, step| scene.step(at(from).as_ref(), step).and_then(CellId::job).map(ToString::to_string);
    let to = |name: &str| Some(name.to_owned());
    assert_eq!(go("cmake", Move::Right), to("llvm"), "a failure on the critical path first");
    assert_eq!(go("openmpi", Move::Right), to("hdf5"));
    assert_eq!(go("kokkos", Move::Right), to("trilinos"), "the critical path before the nearer row");
    assert_eq!(go("trilinos", Move::Left), to("hdf5"), "a failure first");
    assert_eq!((go("llvm", Move::NextFailed), go("hdf5", Move::NextFailed)), (to("hdf5"), to("llvm")));
    assert_eq!(go("hdf5", Move::PreviousFailed), to("llvm"));
    assert_eq!((go("py-scipy", Move::Source), go("cmake", Move::Sink)), (to("gmake"), to("trilinos")));
    assert_eq!(scene.step(None, Move::Down), at("llvm").as_ref(), "any step starts at the first failure");
    let down = go("cmake", Move::Down);
    assert_eq!(go(&down.unwrap(), Move::Up), to("cmake"));
    assert_eq!(go("gmake", Move::Left), None);
}

#[test]
fn a_search_shows_the_ways_between_hits() {
    let hits = ["cmake", "trilinos"].map(Arc::from).into();
    let scene = scene_of(&mut View::new(Lens::Search { hits }), &night_shift(), None);
    let mut drawn: Vec<&str> = scene.cells.iter().filter_map(|cell| cell.id.job()).map(|job| &**job).collect();
    drawn.sort_unstable();
    assert_eq!(drawn, ["cmake", "hdf5", "kokkos", "llvm", "openmpi", "trilinos"]);
}

#[test]
fn a_lens_draws_at_most_300_and_says_what_it_hides() {
    let names: Vec<String> = (0..2_000).map(|i| format!("job-{i:04}")).collect();
    let jobs: Vec<Job<'_>> =
        names.iter().enumerate().map(|(i, n)| (n.as_str(), &[][..], if i % 2 == 0 { BAD } else { OK }, 1)).collect();
    let scene = scene_of(&mut View::new(Lens::Failing), &graph(&jobs), None);
    assert_eq!((scene.cells.len(), scene.withheld, scene.hidden), (300, 700, 1_700));
    assert_eq!((scene.columns[0].drawn, scene.columns[0].total()), (300, 2_000));
}

#[test]
fn new_jobs_go_to_the_end_of_their_layer() {
    let before = stack_of_160();
    let layout = Layout::of(&before, None);
    let with_more = NeedsGraph::build(
        before
            .nodes()
            .map(|ix| {
                let needs = before.needs(ix).map(|n| Need { name: before.name(n).clone(), optional: false }).collect();
                (before.name(ix).clone(), needs)
            })
            .chain([("aaa-new".into(), Vec::new())]),
    );
    let after = Layout::of(&with_more, Some(&layout));
    for ix in before.nodes() {
        assert_eq!(after.rank(with_more.find(before.name(ix)).unwrap()), layout.rank(ix), "{}", before.name(ix));
    }
    assert_eq!(after.rank(with_more.find("aaa-new").unwrap()), before.layers()[0].len());
}

fn any_status() -> impl Strategy<Value = Option<Status>> {
    prop_oneof![Just(None), (0..Status::KNOWN.len()).prop_map(|i| Some(Status::KNOWN[i]))]
}

type Statuses = Vec<Option<Status>>;

/// A pipeline of up to `most` jobs whose needs point to earlier jobs, with two sets of statuses.
fn any_pipeline(most: usize) -> impl Strategy<Value = (Vec<Vec<usize>>, Statuses, Statuses)> {
    (1..most).prop_flat_map(|n| {
        let needs =
            (0..n).map(|i| prop::collection::vec(0..i.max(1), 0..if i == 0 { 1 } else { 4 })).collect::<Vec<_>>();
        let statuses = || prop::collection::vec(any_status(), n);
        (needs, statuses(), statuses())
    })
}

fn build(needs: &[Vec<usize>]) -> NeedsGraph {
    let name = |i: usize| Arc::<str>::from(format!("pkg-{i}"));
    NeedsGraph::build(
        needs
            .iter()
            .enumerate()
            .map(|(i, of)| (name(i), of.iter().map(|n| Need { name: name(*n), optional: n % 5 == 0 }).collect())),
    )
}

fn apply(graph: &mut NeedsGraph, statuses: &[Option<Status>]) {
    let states: Vec<_> = graph.nodes().zip(statuses.iter().cycle()).map(|(ix, s)| (ix, *s)).collect();
    graph.set_all(states.into_iter().map(|(ix, status)| {
        let expected_remaining = Duration::from_secs(60 + ix.index() as u64);
        (ix, NodeState { status, allow_failure: ix.index() % 7 == 0, expected_remaining })
    }));
}

fn any_lens() -> impl Strategy<Value = Lens> {
    prop_oneof![
        Just(Lens::All),
        Just(Lens::Failing),
        Just(Lens::Critical),
        Just(Lens::Running),
        Just(Lens::Neighbours { of: "pkg-3".into(), up: 2, down: 1 }),
        Just(Lens::Search { hits: vec!["pkg-0".into(), "pkg-5".into()] }),
    ]
}

fn places(scene: &Scene) -> BTreeMap<CellId, (usize, usize)> {
    scene.cells.iter().map(|cell| (cell.id.clone(), (scene.columns[cell.column].layer, cell.row))).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn cells_never_overlap_and_every_job_is_accounted_for(
        (needs, first, second) in any_pipeline(220),
        lens in any_lens(),
    ) {
        let mut graph = build(&needs);
        let mut view = View::new(lens);
        for statuses in [first, second] {
            apply(&mut graph, &statuses);
            let scene = scene_of(&mut view, &graph, None);
            let mut taken = HashSet::new();
            for cell in &scene.cells {
                for row in cell.row..cell.row + cell.height {
                    prop_assert!(taken.insert((cell.column, row)), "{:?}", cell.id);
                    prop_assert!(row < scene.height);
                }
            }
            for trunk in scene.trunks.iter().filter(|trunk| !trunk.is_bus) {
                for (at, row) in trunk.rows.iter().enumerate() {
                    prop_assert!(taken.insert((trunk.start + at, *row)), "a lane through a cell");
                }
            }
            let shown: usize = scene
                .cells
                .iter()
                .map(|cell| match &cell.body {
                    Body::Node(_) => 1,
                    Body::Group { jobs } => jobs.len(),
                })
                .sum();
            prop_assert_eq!(shown + scene.hidden, graph.len());
            for edge in &scene.edges {
                prop_assert!(scene.cells[edge.from].column < scene.cells[edge.to].column);
            }
        }
    }

    #[test]
    fn states_never_move_a_cell_and_the_same_input_gives_the_same_scene(
        (needs, first, second) in any_pipeline(220),
        lens in any_lens(),
    ) {
        let mut graph = build(&needs);
        apply(&mut graph, &first);
        let mut view = View::new(lens.clone());
        let before = scene_of(&mut view, &graph, None);
        prop_assert_eq!(&before, &scene_of(&mut View::new(lens.clone()), &graph, None));
        prop_assert_eq!(&before, &scene_of(&mut view, &graph, None));

        apply(&mut graph, &second);
        let after = scene_of(&mut view, &graph, None);
        let (was, is) = (places(&before), places(&after));
        for (id, place) in was {
            match is.get(&id) {
                Some(now) => prop_assert_eq!(now, &place, "{:?}", id),
                None => prop_assert!(matches!(id, CellId::Group { .. }), "a job vanished: {:?}", id),
            }
        }
        // The order inside a layer does not depend on states even when the lens is opened anew.
        prop_assert_eq!(Layout::of(&graph, None), Layout::of(&build(&needs), None));
    }
}
