use std::collections::BTreeSet;
use std::sync::Arc;

use ratatui::buffer::Buffer;

use super::*;
use crate::ci::{FailureReason, Job, Need, Pipeline, PipelineId, RunnerId, RunnerRef, Status, Timestamp};
use crate::console::actions::Rules;
use crate::console::effect::Fetch;
use crate::console::event::{Event, NeedsOrigin};
use crate::console::fault::{Fault, FaultKind};
use crate::console::polling::PollRules;
use crate::console::world::World;
use crate::tui::glyphs::Glyphs;
use crate::tui::testing::{picture, snapshot};
use crate::tui::theme::{Depth, Theme};
use crate::tui::widgets::Look;

const NOW: Timestamp = Timestamp::from_millis(1_764_130_000_000);
const PIPELINE: PipelineId = PipelineId(1_082_341);
const OLD: JobId = JobId(15_201_200);
const JOB: JobId = JobId(15_201_234);
const NAME: &str = "hdf5@1.14.3 /k3x2fzvbnwqxkqz5jzd3cnwvcf2f3u5a Spack CI";
const LOG: &[u8] = include_bytes!("../../../console/log/testdata/compiler.log");
const STAMPED: &[u8] = include_bytes!("../../../console/log/testdata/image-pull-stamped.log");

fn job(id: JobId, name: &str, status: Status) -> Job {
    let mut job = Job::new(id, PIPELINE, name, status);
    job.started_at = Some(NOW.shifted(-400_000));
    job.finished_at = status.is_terminal().then(|| NOW.shifted(-38_000));
    if status == Status::Failed {
        job.failure_reason = Some(FailureReason::new("script_failure"));
    }
    let description: Arc<str> = "uo-runner-19-gitlab-runner-6c9-x2x".into();
    job.runner = Some(Arc::new(RunnerRef { id: RunnerId(7), description }));
    job
}

fn world(status: Status) -> World {
    let mut world = World::new("gitlab.spack.io/spack/spack-packages", Rules::default(), PollRules::default());
    let mut pipeline = Pipeline::new(PIPELINE, "develop", Status::Running);
    pipeline.stack = Some("e4s-oneapi".into());
    let needed = ["cmake", "openmpi", "zlib-ng"].map(|package| format!("{package}@1.0 /aaaaaaa Spack CI"));
    let mut jobs = vec![job(OLD, NAME, Status::Failed), job(JOB, NAME, status)];
    jobs.extend(needed.iter().zip(1..).map(|(name, id)| job(JobId(id), name, Status::Success)));
    let needs = needed.iter().map(|name| Need { name: name.as_str().into(), optional: false }).collect();
    for event in [
        Event::PipelinesFetched { rows: vec![pipeline], at: NOW, whole: true },
        Event::JobsFetched { pipeline: PIPELINE, jobs, at: NOW },
        Event::NeedsFetched { pipeline: PIPELINE, edges: vec![(NAME.into(), needs)], origin: NeedsOrigin::Artifact },
    ] {
        world.update(event, NOW);
    }
    world
}

fn feed(world: &mut World, log: &[u8]) {
    let fed = Event::LogFed { job: JOB, offset: 0, bytes: log.into() };
    for event in [fed, Event::Fetched { fetch: Fetch::Log(JOB), at: NOW, result: Ok(()) }] {
        world.update(event, NOW);
    }
}

struct Bench {
    world: World,
    screen: JobScreen,
    theme: Theme,
    glyphs: Glyphs,
    marks: BTreeSet<JobId>,
    area: Rect,
}

impl Bench {
    fn new(world: World, width: u16, height: u16) -> Self {
        let area = Rect::new(0, 0, width, height);
        let mut bench = Self {
            world,
            screen: JobScreen::new(JOB),
            theme: Theme::distinct(Depth::True),
            glyphs: Glyphs::UNICODE,
            marks: BTreeSet::new(),
            area,
        };
        bench.settle();
        bench
    }

    /// A console of this size, with a finished log; the frame around the body takes four rows.
    fn opened(log: &[u8], status: Status, width: u16, height: u16) -> Self {
        let mut bench = Self::new(world(status), width, height - 4);
        feed(&mut bench.world, log);
        bench.settle();
        bench
    }

    fn with<T>(&mut self, run: impl FnOnce(&mut JobScreen, Cx<'_>) -> T) -> T {
        let look = Look { theme: &self.theme, glyphs: &self.glyphs };
        run(&mut self.screen, Cx { world: &self.world, look, now: NOW, marks: &self.marks })
    }

    /// Settles, and does what the screen wishes for until it wishes for nothing.
    fn settle(&mut self) -> Vec<Intent> {
        let area = self.area;
        let mut all = Vec::new();
        loop {
            let wishes = self.with(|screen, cx| {
                screen.settle(cx, area);
                screen.wishes(cx)
            });
            if wishes.intents.is_empty() && !wishes.again {
                return all;
            }
            for intent in wishes.intents {
                all.push(intent.clone());
                self.world.update(Event::Intended(intent), NOW);
            }
        }
    }

    fn act(&mut self, action: ActionId) -> Reaction {
        let reaction = self.with(|screen, cx| screen.act(action, cx));
        self.settle();
        reaction
    }

    fn type_in(&mut self, what: Ask, text: &str) -> Result<(), String> {
        let typed = self.with(|screen, cx| screen.typed(what, text, true, cx));
        self.settle();
        typed
    }

    fn drawn(&mut self) -> Buffer {
        let mut buf = Buffer::empty(self.area);
        let area = self.area;
        self.with(|screen, cx| screen.draw(cx, area, &mut Pen::new(&mut buf, cx.look)));
        buf
    }

    fn text(&mut self) -> String {
        picture(&self.drawn()).split("-- roles").next().unwrap_or_default().to_owned()
    }
}

#[test]
fn a_failed_log_at_three_sizes() {
    for (width, height) in [(100, 30), (80, 24), (60, 20)] {
        let mut bench = Bench::opened(LOG, Status::Failed, width, height);
        snapshot(&format!("job-failed-{width}x{height}"), &bench.drawn());
    }
}

#[test]
fn from_the_top_everything_else_is_folded() {
    let mut bench = Bench::opened(LOG, Status::Failed, 100, 30);
    bench.act(ActionId::ListTop);
    snapshot("job-top-100x30", &bench.drawn());
}

#[test]
fn times_wrap_matches_and_ascii() {
    let mut bench = Bench::opened(STAMPED, Status::Failed, 80, 24);
    bench.glyphs = Glyphs::ASCII;
    bench.act(ActionId::LogTimes);
    bench.act(ActionId::LogWrap);
    bench.type_in(Ask::Search, "daemon").unwrap();
    snapshot("job-times-wrap-match-80x24-ascii", &bench.drawn());
}

#[test]
fn every_state_of_the_panel() {
    let mut loading = Bench::new(world(Status::Failed), 80, 20);
    snapshot("job-loading-80x24", &loading.drawn());
    let mut waiting = Bench::new(world(Status::Pending), 80, 20);
    assert!(waiting.text().contains("No log yet: the job waits for a runner."));
    let fault = Fault::new(FaultKind::NotFound, "read the log of job 15201234", "404 Not Found");
    loading.world.update(Event::Fetched { fetch: Fetch::Log(JOB), at: NOW, result: Err(fault) }, NOW);
    loading.settle();
    snapshot("job-error-80x24", &loading.drawn());
    let mut unknown = Bench::new(World::new("x", Rules::default(), PollRules::default()), 80, 20);
    assert!(unknown.text().contains("This job is not known yet."));
    let mut live = Bench::opened(b"one\ntwo\nthree\n", Status::Running, 60, 20);
    let text = live.text();
    assert!(text.contains("following") && text.contains("age 0s"), "{text}");
}

#[test]
fn the_log_is_asked_for_once() {
    let mut bench = Bench::new(world(Status::Failed), 80, 20);
    assert_eq!(bench.settle().len(), 0);
    assert!(bench.world.log(JOB).is_some());
}

#[test]
fn keys_find_landmarks_matches_folds_and_tries() {
    let mut bench = Bench::opened(LOG, Status::Failed, 100, 30);
    let at = |bench: &Bench| bench.screen.view.as_ref().unwrap().cursor();
    let cause = at(&bench);
    assert!(matches!(bench.act(ActionId::TroubleNext), Reaction::Done));
    assert!(at(&bench) > cause);
    bench.act(ActionId::TroublePrev);
    assert_eq!(at(&bench), cause);
    assert!(matches!(bench.act(ActionId::LogSearchNext), Reaction::Say { error: false, .. }));
    bench.type_in(Ask::Search, "Executing phase").unwrap();
    bench.act(ActionId::LogSearchNext);
    assert!(bench.text().contains("\"Executing phase\""), "{}", bench.text());
    assert!(bench.type_in(Ask::Search, "/(/").unwrap_err().contains("not a regular expression"));
    bench.type_in(Ask::Only, "1 fatal error").unwrap();
    assert!(bench.text().contains("& \"fatal error\""));
    assert!(matches!(bench.act(ActionId::ViewBack), Reaction::Done));
    assert!(!bench.text().contains("& \"fatal error\""));
    assert!(matches!(bench.act(ActionId::ViewBack), Reaction::Done));
    assert!(matches!(bench.act(ActionId::ViewBack), Reaction::Back));
    bench.act(ActionId::LogFoldAll);
    assert!(bench.text().contains("▸ Executing \"step_script\""));
    assert!(matches!(bench.act(ActionId::LogOlderTry), Reaction::Go(Place::Job(OLD))));
    assert!(matches!(bench.act(ActionId::LogNewerTry), Reaction::Say { .. }));
}

#[test]
fn copied_lines_are_the_lines() {
    let mut bench = Bench::opened(LOG, Status::Failed, 100, 30);
    let Reaction::Copy { text, what } = bench.act(ActionId::LogCopy) else { panic!("nothing copied") };
    assert_eq!(what, "1 line of the log");
    assert!(text.starts_with("a.c:1:10: fatal error: hwloc.h"), "{text}");
}

#[test]
fn hostile_logs_stay_in_their_cells_at_any_size() {
    let mut log = b"\x1b]0;evil\x07\x1b[2J\x1b[30;40mhidden\x1b[0m \xff\x00 \xe2\x80\xae rtl\n".to_vec();
    log.extend(std::iter::repeat_n(b'w', 1_000_000));
    log.extend(b"\n\x1b]52;c;never ends");
    for (width, height) in [(1, 5), (2, 6), (5, 9), (9, 30), (40, 12), (200, 60)] {
        let mut bench = Bench::opened(&log, Status::Failed, width, height);
        bench.act(ActionId::LogTimes);
        bench.act(ActionId::LogWrap);
        let cells = bench.drawn();
        assert!(cells.content.iter().all(|cell| text::is_harmless_symbol(cell.symbol())), "{width}x{height}");
    }
}
