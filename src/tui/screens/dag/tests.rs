//! The screen on small worlds: what it shows at each size and in each state, and what its keys do.

use std::collections::BTreeSet;

use ratatui::buffer::Buffer;

use super::*;
use crate::ci::{FailureReason, Job, JobKind, Need, Pipeline, RunnerId, RunnerRef, Status};
use crate::console::actions::Rules;
use crate::console::dag::glyph;
use crate::console::effect::Fetch;
use crate::console::event::{Event, NeedsOrigin};
use crate::console::fault::{Fault, FaultKind};
use crate::console::polling::PollRules;
use crate::console::state::JobState;
use crate::console::world::World;
use crate::tui::glyphs::Glyphs;
use crate::tui::testing::{picture, snapshot};
use crate::tui::theme::{Depth, Theme};
use crate::tui::widgets::Look;

const NOW: Timestamp = Timestamp::from_millis(1_764_130_000_000);
const PARENT: PipelineId = PipelineId(1_082_341);
const CHILD: PipelineId = PipelineId(1_082_399);
const OTHER: PipelineId = PipelineId(1_082_402);

/// Package, needs, status.
type Row = (&'static str, &'static [&'static str], Status);

const NIGHT: &[Row] = &[
    ("gmake", &[], Status::Success),
    ("cmake", &["gmake"], Status::Success),
    ("zlib-ng", &["gmake"], Status::Success),
    ("openmpi", &["cmake"], Status::Success),
    ("llvm", &["cmake", "gmake"], Status::Failed),
    ("hdf5", &["openmpi", "zlib-ng", "cmake"], Status::Failed),
    ("kokkos", &["llvm"], Status::Created),
    ("py-numpy", &["openmpi"], Status::Running),
    ("py-scipy", &["py-numpy"], Status::Created),
    ("arborx", &["kokkos"], Status::Created),
    ("netcdf-c", &["hdf5"], Status::Skipped),
    ("trilinos", &["hdf5", "kokkos"], Status::Created),
    ("petsc", &["hdf5"], Status::Created),
    ("netcdf-fortran", &["netcdf-c"], Status::Created),
];

fn spec(package: &str) -> String {
    format!("{package}@1.14.3 /k3x2fzvbnwqxkqz5jzd3cnwvcf2f3u5a e4s-oneapi")
}

fn job(id: u64, package: &str, status: Status) -> Job {
    let mut job = Job::new(JobId(id), CHILD, &spec(package), status);
    if !matches!(status, Status::Created | Status::Skipped) {
        job.started_at = Some(NOW.shifted(-400_000));
        job.finished_at = status.is_terminal().then(|| NOW.shifted(-38_000));
        job.runner = Some(Arc::new(RunnerRef { id: RunnerId(7), description: "uo-19-gitlab-runner-6c9-x2x".into() }));
    }
    if status == Status::Failed {
        job.failure_reason = Some(FailureReason::new("script_failure"));
    }
    job
}

fn rows(list: &[Row]) -> (Vec<Job>, crate::console::world::Edges) {
    let jobs = list.iter().zip(100..).map(|((package, _, status), id)| job(id, package, *status)).collect();
    let needs = |of: &[&str]| of.iter().map(|n| Need { name: spec(n).into(), optional: false }).collect();
    (jobs, list.iter().map(|(package, of, _)| (spec(package).into(), needs(of))).collect())
}

/// A parent with two stacks and a third that is still to be triggered; the jobs of the first are known.
fn world() -> World {
    let mut world = World::new("gitlab.spack.io/spack/spack-packages", Rules::default(), PollRules::default());
    let parent = Pipeline::new(PARENT, "develop", Status::Running);
    let child = |id, stack: &str, status| {
        let mut child = Pipeline::new(id, "develop", status);
        child.parent = Some(PARENT);
        child.stack = Some(stack.into());
        child
    };
    let children = vec![child(CHILD, "e4s-oneapi", Status::Running), child(OTHER, "ml-cuda", Status::Success)];
    let mut triggers: Vec<Job> = ["e4s-oneapi-build", "ml-cuda-build", "hep-build"]
        .iter()
        .zip(1..)
        .map(|(name, id)| Job::new(JobId(id), PARENT, name, Status::Created))
        .collect();
    for (trigger, downstream) in triggers.iter_mut().zip([Some(CHILD), Some(OTHER), None]) {
        (trigger.kind, trigger.downstream) = (JobKind::Bridge, downstream);
    }
    let (jobs, edges) = rows(NIGHT);
    for event in [
        Event::PipelinesFetched { rows: vec![parent], at: NOW, whole: true },
        Event::TriggerJobsFetched { parent: PARENT, jobs: triggers, children, at: NOW },
        Event::JobsFetched { pipeline: CHILD, jobs, at: NOW },
        Event::Fetched { fetch: Fetch::Jobs(CHILD), at: NOW, result: Ok(()) },
        Event::NeedsFetched { pipeline: CHILD, edges, origin: NeedsOrigin::Artifact },
    ] {
        world.update(event, NOW);
    }
    world
}

struct Bench {
    world: World,
    screen: DagScreen,
    theme: Theme,
    glyphs: Glyphs,
    marks: BTreeSet<JobId>,
    area: Rect,
    now: Timestamp,
}

impl Bench {
    /// A console of this size; the frame around the body takes four rows.
    fn new(world: World, pipeline: Option<PipelineId>, width: u16, height: u16) -> Self {
        let mut bench = Self {
            world,
            screen: DagScreen::new(pipeline, None),
            theme: Theme::distinct(Depth::True),
            glyphs: Glyphs::UNICODE,
            marks: BTreeSet::new(),
            area: Rect::new(0, 0, width, height - height.min(4)),
            now: NOW,
        };
        bench.settle();
        bench
    }

    fn with<T>(&mut self, run: impl FnOnce(&mut DagScreen, Cx<'_>) -> T) -> T {
        let look = Look { theme: &self.theme, glyphs: &self.glyphs };
        run(&mut self.screen, Cx { world: &self.world, look, now: self.now, marks: &self.marks })
    }

    fn settle(&mut self) {
        let area = self.area;
        self.with(|screen, cx| screen.settle(cx, area));
    }

    fn act(&mut self, action: ActionId) -> Reaction {
        let reaction = self.with(|screen, cx| screen.act(action, cx));
        self.settle();
        reaction
    }

    fn draw(&mut self) -> Buffer {
        self.settle();
        let (area, mut buf) = (self.area, Buffer::empty(self.area));
        self.with(|screen, cx| screen.draw(cx, area, &mut Pen::new(&mut buf, cx.look)));
        buf
    }

    fn selected(&self) -> String {
        self.screen.selected_job().map(|name| name.split('@').next().unwrap_or_default().to_owned()).unwrap_or_default()
    }

    fn choose(&mut self, package: &str) {
        self.screen.selection = Some(CellId::Node(spec(package).into()));
        self.settle();
    }
}

fn shot(name: &str, width: u16, height: u16, change: impl FnOnce(&mut Bench)) {
    let mut bench = Bench::new(world(), Some(CHILD), width, height);
    change(&mut bench);
    snapshot(name, &bench.draw());
}

#[test]
fn failures_at_every_size() {
    for (width, height) in [(100, 30), (80, 24), (60, 20)] {
        shot(&format!("dag-normal-{width}x{height}"), width, height, |bench| bench.choose("hdf5"));
    }
}

#[test]
fn lenses_zooms_and_other_looks() {
    shot("dag-all-100x30", 100, 30, |bench| {
        bench.act(ActionId::DagAll);
        bench.choose("trilinos");
        bench.marks = BTreeSet::from([JobId(104), JobId(105)]);
    });
    shot("dag-neighbours-100x30", 100, 30, |bench| {
        bench.choose("openmpi");
        bench.act(ActionId::DagNeighbours);
    });
    shot("dag-glyphs-60x20", 60, 20, |bench| {
        bench.act(ActionId::DagZoomOut);
    });
    shot("dag-normal-100x30-ascii", 100, 30, |bench| {
        bench.glyphs = Glyphs::ASCII;
        bench.choose("llvm");
    });
}

#[test]
fn a_parent_shows_its_stacks() {
    let mut bench = Bench::new(world(), None, 100, 30);
    snapshot("dag-stacks-100x30", &bench.draw());
    bench.act(ActionId::ListRight);
    let to = bench.act(ActionId::ListOpen);
    assert!(matches!(to, Reaction::Go(Place::Dag { pipeline: Some(CHILD), job: None })), "{to:?}");
    let selection = bench.with(|screen, cx| screen.selection(cx));
    assert_eq!(selection, Selection { pipeline: Some(CHILD), ..Selection::default() });
}

#[test]
fn what_is_not_there_is_said() {
    let empty = || World::new("gitlab.spack.io/spack/spack-packages", Rules::default(), PollRules::default());
    snapshot("dag-empty-80x24", &Bench::new(empty(), None, 80, 24).draw());
    snapshot("dag-loading-80x24", &Bench::new(world(), Some(OTHER), 80, 24).draw());

    let mut absent = world();
    let fault = Fault::new(FaultKind::NotFound, "read the needs of pipeline 1082402", "404 Not Found");
    absent.update(Event::Fetched { fetch: Fetch::Needs(OTHER), at: NOW, result: Err(fault) }, NOW);
    let shown = picture(&Bench::new(absent, Some(OTHER), 80, 24).draw());
    assert!(shown.contains("could not be read") && shown.contains("4 lists the jobs"), "{shown}");
}

#[test]
fn old_and_failing_data_says_so() {
    shot("dag-stale-80x24", 80, 24, |bench| bench.now = NOW.shifted(190_000));
    shot("dag-error-100x30", 100, 30, |bench| {
        let fault = Fault::new(FaultKind::Server { status: 502 }, "read jobs of pipeline 1082399", "502 Bad Gateway");
        bench.world.update(Event::Fetched { fetch: Fetch::Jobs(CHILD), at: NOW, result: Err(fault) }, NOW);
    });
}

#[test]
fn problems_of_the_needs_stand_above_the_graph() {
    let mut world = world();
    let (_, mut edges) = rows(NIGHT);
    edges.push((spec("szip").into(), vec![Need { name: "gone".into(), optional: false }]));
    edges.push((spec("perl").into(), vec![Need { name: spec("perl").into(), optional: false }]));
    world.update(Event::NeedsFetched { pipeline: CHILD, edges, origin: NeedsOrigin::GraphQl }, NOW);
    snapshot("dag-problems-100x30", &Bench::new(world, Some(CHILD), 100, 30).draw());
}

#[test]
fn five_thousand_jobs_fit_on_the_screen() {
    let name = |i: usize| Arc::<str>::from(format!("pkg-{i:04}@1 /k3x2fzvbnwqxkqz5jzd3cnwvcf2f3u5a e4s"));
    let status = |i: usize| match i {
        _ if i % 401 == 3 => Status::Failed,
        0..3_000 => Status::Success,
        3_000..3_200 => Status::Running,
        _ => Status::Created,
    };
    let jobs = (0..5_000).map(|i| Job::new(JobId(i as u64 + 1), CHILD, &name(i), status(i))).collect();
    let needs = |i: usize| (i >= 250).then(|| [i - 250, i - 250 - (i * 7) % 97 % (i - 249)].map(name));
    let edges = (0..5_000)
        .map(|i| {
            let needs = needs(i).into_iter().flatten().map(|name| Need { name, optional: false }).collect();
            (name(i), needs)
        })
        .collect();
    let mut world = world();
    for event in [
        Event::JobsFetched { pipeline: CHILD, jobs, at: NOW.shifted(1) },
        Event::NeedsFetched { pipeline: CHILD, edges, origin: NeedsOrigin::Artifact },
    ] {
        world.update(event, NOW);
    }
    let mut bench = Bench::new(world, Some(CHILD), 100, 30);
    snapshot("dag-huge-100x30", &bench.draw());
    bench.act(ActionId::DagMinimap);
    let before = bench.screen.window.x;
    bench.act(ActionId::ListRight);
    assert!(bench.screen.window.x > before && bench.screen.on_map);
    bench.act(ActionId::TroubleNext);
    assert!(!bench.screen.on_map, "any other key leaves the map");
}

#[test]
fn keys_walk_the_graph() {
    let mut bench = Bench::new(world(), Some(CHILD), 100, 30);
    assert_eq!(bench.selected(), "hdf5", "the failure that most jobs wait for is selected");
    for (action, want) in [
        (ActionId::TroubleNext, "llvm"),
        (ActionId::TroubleNext, "hdf5"),
        (ActionId::TroubleNext, "llvm"),
        (ActionId::ListRight, "kokkos"),
        (ActionId::DagSource, "gmake"),
        (ActionId::DagSink, "trilinos"),
        (ActionId::ListLeft, "hdf5"),
        (ActionId::ListBottom, "kokkos"),
        (ActionId::ListTop, "py-numpy"),
        (ActionId::ListDown, "hdf5"),
    ] {
        bench.act(action);
        assert_eq!(bench.selected(), want, "{action}");
    }
    let open = bench.act(ActionId::JobsLog);
    assert!(matches!(open, Reaction::Go(Place::Job(JobId(105)))), "{open:?}");
    let why = bench.act(ActionId::JobsExplain);
    assert!(matches!(&why, Reaction::Unhandled), "the app explains jobs that exist: {why:?}");
    let mark = bench.act(ActionId::ListMark);
    assert!(matches!(&mark, Reaction::Mark { jobs, on: true } if *jobs == [JobId(105)]), "{mark:?}");
    let up = bench.act(ActionId::ViewBack);
    assert!(matches!(up, Reaction::Go(Place::Dag { pipeline: Some(PARENT), job: None })), "{up:?}");
}

#[test]
fn a_search_opens_its_lens_and_escape_returns() {
    let mut bench = Bench::new(world(), Some(CHILD), 100, 30);
    assert!(matches!(bench.act(ActionId::DagHits), Reaction::Ask { what: Ask::Filter, .. }));
    let typed = |bench: &mut Bench, text: &str| bench.with(|screen, cx| screen.typed(Ask::Filter, text, true, cx));
    assert!(typed(&mut bench, "pkg:nothing-like-it").is_err());
    assert_eq!(bench.screen.view.lens(), &Lens::Failing, "what finds nothing changes nothing");
    typed(&mut bench, "pkg=cmake | pkg=trilinos").unwrap();
    bench.settle();
    let shown = picture(&bench.draw());
    assert!(shown.contains("kokkos") && !shown.contains("petsc"), "{shown}");
    bench.act(ActionId::ViewBack);
    assert_eq!(bench.screen.view.lens(), &Lens::Failing);
}

#[test]
fn a_retry_does_not_move_what_is_looked_at() {
    let mut bench = Bench::new(world(), Some(CHILD), 100, 30);
    bench.choose("hdf5");
    let places = |bench: &Bench| {
        let cells = &bench.screen.scene().unwrap().cells;
        cells.iter().map(|cell| (cell.id.clone(), cell.column, cell.row)).collect::<Vec<_>>()
    };
    let before = places(&bench);
    let mut again = job(900, "hdf5", Status::Pending);
    again.started_at = None;
    bench.world.update(Event::JobsFetched { pipeline: CHILD, jobs: vec![again], at: NOW.shifted(5) }, NOW);
    bench.settle();
    let nodes =
        |list: Vec<(CellId, usize, usize)>| list.into_iter().filter(|c| c.0.job().is_some()).collect::<Vec<_>>();
    assert_eq!(nodes(places(&bench)), nodes(before));
    assert_eq!(bench.selected(), "hdf5");
    assert_eq!(bench.with(|screen, cx| screen.selection(cx)).jobs, [JobId(900)], "the newest try is meant");
    assert!(!bench.screen.is_startled(NOW));
}

#[test]
fn a_job_that_was_asked_for_is_selected() {
    for (id, package) in [(105, "hdf5"), (112, "petsc")] {
        let mut bench = Bench::new(world(), Some(CHILD), 100, 30);
        bench.screen = DagScreen::new(Some(CHILD), Some(JobId(id)));
        bench.settle();
        assert_eq!(bench.selected(), package);
        assert!(bench.screen.scene().unwrap().selected().is_some());
        assert_eq!(bench.screen.place(), Place::Dag { pipeline: Some(CHILD), job: Some(JobId(id)) });
    }
}

#[test]
fn no_size_is_too_small() {
    for width in 1..40 {
        for height in 1..24 {
            let mut bench = Bench::new(world(), Some(CHILD), width, height);
            bench.area = Rect::new(0, 0, width, height);
            bench.draw();
            bench.act(ActionId::ListHalfDown);
        }
    }
}

#[test]
fn the_picture_and_the_lists_use_the_same_glyphs() {
    for set in [Glyphs::UNICODE, Glyphs::ASCII] {
        for state in JobState::ALL {
            assert_eq!(glyph(Some(state), set.is_ascii()).to_string(), set.state(state));
        }
    }
}
