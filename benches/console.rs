//! Budgets of the console with 5,000 jobs (ux.md §10): events into the world, keys into frames, bytes onto the line, memory.

#![expect(clippy::expect_used, reason = "a benchmark may give up")]

mod timing;
mod made {
    pub mod bytes;
    pub mod caches;
    pub mod dice;
    pub mod fleet;
    pub mod log;
    pub mod world;
}

use std::cell::Cell;
use std::io::{self, Write};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use ratatui::buffer::Buffer;
use ratatui::layout::{Rect, Size};
use stackhand::adapters::terminal::FrameWriter;
use stackhand::ci::{JobId, Timestamp};
use stackhand::console::actions::{Plan, Verb};
use stackhand::console::audit::{AuditRow, AuditState};
use stackhand::console::caches::Inside;
use stackhand::console::effect::Fetch;
use stackhand::console::event::{Event, Intent};
use stackhand::console::fleet::{Change, FleetFacts, FleetRules, News, Phase, Source, SourceState};
use stackhand::console::input::{Code, InputEvent, Key};
use stackhand::console::state::JobState;
use stackhand::console::world::World;
use stackhand::fleet::Kind;
use stackhand::tui::app::{App, Loader, Setup, Wish};
use stackhand::tui::glyphs::Glyphs;
use stackhand::tui::keys::{Chord, Keymap};
use stackhand::tui::theme::{Depth, Theme};

use made::bytes;
use made::log::build_log;
use made::world::{JOBS, NOW, PAGE, Tree};
use timing::{Sheet, measure, prepared};

const CHILDREN: usize = 35;
const SMALL: Size = Size::new(100, 30);
const LARGE: Size = Size::new(200, 50);
/// What a person does on a list, more or less.
const KEYS: [&str; 20] =
    ["j", "j", "j", "C-d", "k", "j", "C-d", "j", "j", "C-u", "j", "k", "k", "j", "C-d", "C-u", "j", "C-u", "j", "k"];

fn main() {
    let mut sheet = Sheet::open("console, 5,000 jobs");
    memory(&mut sheet);
    updates(&mut sheet);
    let mut stage = Stage::new(SMALL);
    frames(&mut sheet, &mut stage);
    typing(&mut sheet, &mut stage);
    traffic(&mut sheet, &mut stage, "terminal");
    // Colours of its own, behind letters too: these take the most bytes.
    stage.app.set_theme(theme("dusk"));
    traffic(&mut sheet, &mut stage, "dusk");
    caches(&mut sheet);
    fleet(&mut sheet);
    // Last: jobs change, and the one whose log is open is no longer on top.
    pages(&mut sheet, &mut stage);
    sheet.close();
}

fn ms(ms: u64) -> Duration {
    Duration::from_millis(ms)
}

/// First of all, while the heap holds nothing else. The core has a world and the face has one; an event reaches both.
fn memory(sheet: &mut Sheet) {
    let before = bytes::resident();
    let (mut core, mut stage) = (made::world::unread(), Stage::of(made::world::unread(), SMALL));
    for event in Tree::new(CHILDREN).events() {
        core.update(event.clone(), NOW);
        stage.app.follow(event, NOW);
    }
    stage.go("4");
    assert!(core.counts().total() > JOBS, "the world must be full");
    if let (Some(before), Some(after)) = (before, bytes::resident()) {
        bytes::row(sheet, "two worlds and the face, resident", after.saturating_sub(before), None);
        bytes::row(sheet, "the whole process, resident", after, Some(120_000_000));
    }
    drop((core, stage));
}

/// What events cost the world. The core and the face pay it both.
fn updates(sheet: &mut Sheet) {
    for children in [CHILDREN, 1] {
        let mut tree = Tree::new(children);
        let mut world = tree.told();
        // A millisecond each: nothing comes due, and finding that out is the cost.
        let ticks = measure(500, |turn| world.update(Event::Ticked, NOW.shifted(turn as i64)));
        let of = if children == 1 { "one pipeline" } else { "35 pipelines" };
        sheet.row(&format!("tick, {of}"), ms(1), &ticks);
        for changed in [0, 10, PAGE] {
            sheet.row(
                &format!("page of 100 with {changed} changes, {of}"),
                ms(2),
                &prepared(300, |_| tree.page(changed), |(page, now)| world.update(page, now)),
            );
        }
        sheet.row(
            &format!("end of a listing, {of}"),
            ms(2),
            &prepared(300, |_| tree.listing(), |(list, now)| world.update(list, now)),
        );
    }
    let mut world = sending();
    let ticks = measure(500, |turn| world.update(Event::Ticked, NOW.shifted(6_001 + turn as i64)));
    sheet.row("tick while a plan is being sent", ms(1), &ticks);
}

/// A world in which a retry of a hundred jobs has been confirmed and its first wave is out.
fn sending() -> World {
    let mut world = Tree::new(CHILDREN).told();
    let failed: Vec<JobId> = world.jobs().filter(|job| job.is_failure()).take(100).map(|job| job.id).collect();
    let plan = Arc::new(Plan::for_jobs(&world, Verb::Retry, failed, NOW));
    let who: Arc<str> = "hmercer".into();
    let row = AuditRow::of(&plan, &who, AuditState::Held, plan.summary(), NOW);
    world.update(Event::Intended(Intent::Confirm { plan, who }), NOW);
    world.update(Event::AuditStored { row, result: Ok(()) }, NOW);
    world.update(Event::Ticked, NOW.shifted(6_000));
    assert_eq!(world.actions.running().count(), 1, "the plan must be on its way");
    world
}

/// Keys and pages, from the moment they arrive to the moment their frame is written.
fn frames(sheet: &mut Sheet, stage: &mut Stage) {
    let keys: Vec<Key> = KEYS.iter().map(|text| key(text)).collect();
    for size in [SMALL, LARGE] {
        stage.size = size;
        for (name, way) in SCREENS {
            stage.go(way);
            let steps = measure(400, |turn| {
                stage.press(keys.get(turn % keys.len()).copied().expect("a key"));
                stage.frame()
            });
            let what = format!("key to frame, {name}, {}x{}", size.width, size.height);
            sheet.compare(&what, ms(16), &steps, steps.p99);
        }
    }
    stage.go("1");
    let mut core = Tree::new(CHILDREN).told();
    let idle = measure(100, |_| {
        let began = stage.now;
        for tick in 0..5 {
            let now = began.shifted(200 * tick);
            core.update(Event::Ticked, now);
            stage.app.follow(Event::Ticked, now);
        }
        stage.tick(1_000);
        stage.frame()
    });
    // One per cent of a core.
    sheet.row("all work of an idle second, overview, 200x50", ms(10), &idle);
    for (name, way) in SCREENS {
        stage.go(way);
        let draws = measure(200, |_| {
            stage.tick(1_000);
            stage.drawn()
        });
        sheet.row(&format!("draw, {name}, 200x50"), ms(4), &draws);
    }
}

/// A filter over all jobs, letter by letter.
fn typing(sheet: &mut Sheet, stage: &mut Stage) {
    stage.size = LARGE;
    for text in ["hdf5@1.1", "zzzz", "state:failed cause:script | gcc", "stack:e4s !state:ok wait>10m"] {
        stage.go("4");
        stage.press(key("/"));
        // Letter by letter, then all of it at once taken back, and again.
        let keys: Vec<Key> = text.chars().map(|c| Key::plain(Code::Char(c))).chain([key("C-u")]).collect();
        let keystrokes = measure(keys.len() * 8, |turn| {
            stage.press(keys.get(turn % keys.len()).copied().expect("a key"));
            stage.frame()
        });
        stage.press(key("Esc"));
        sheet.row(&format!("filter keystroke: {text}"), ms(8), &keystrokes);
    }
}

/// Bytes that reach the terminal at 100x30.
fn traffic(sheet: &mut Sheet, stage: &mut Stage, theme: &str) {
    stage.size = SMALL;
    for (name, way) in SCREENS {
        stage.go(way);
        let mut written = |keys: &str| {
            let frames = keys.split(' ').map(|text| {
                stage.press(key(text));
                stage.frame()
            });
            let mut bytes: Vec<usize> = frames.collect();
            bytes.sort_unstable();
            (bytes.get(bytes.len() / 2).copied().unwrap_or(0), bytes.last().copied().unwrap_or(0))
        };
        // The usual step: in the graph, one that lights up a long wire takes more.
        let (step, longest) = written("j j j k j j k j j j k j");
        let (_, page) = written("PgDn PgDn PgUp PgDn");
        stage.writer.forget();
        let whole = stage.frame();
        bytes::row(sheet, &format!("cursor step, {name}, {theme}"), step, Some(600));
        bytes::row(sheet, &format!("longest cursor step, {name}, {theme}"), longest, Some(5_000));
        bytes::row(sheet, &format!("page, {name}, {theme}"), page, Some(5_000));
        // A full screen of true colours takes a little more; the default theme has the terminal's own.
        let most = (theme == "terminal").then_some(8_000);
        bytes::row(sheet, &format!("painted whole, {name}, {theme}"), whole, most);
        // A minute's turn changes more than a second's: the median second is the idle one.
        let mut seconds: Vec<usize> = (0..21)
            .map(|_| {
                stage.tick(1_000);
                stage.frame()
            })
            .collect();
        seconds.sort_unstable();
        bytes::row(sheet, &format!("idle second, {name}, {theme}"), seconds.get(10).copied().unwrap_or(0), Some(150));
        assert!(!stage.app.wants_frame(stage.now), "{name}: nothing moved, and a frame is wanted");
        bytes::row(sheet, &format!("nothing dirty, {name}, {theme}"), stage.frame(), Some(0));
    }
}

/// A root of 100,000 specs among 600 others: what it costs to open, to order, to filter and to draw.
fn caches(sheet: &mut Sheet) {
    let contents = made::caches::contents(NOW);
    let inside = || Inside::new(contents.clone(), made::caches::health(&contents, NOW));
    sheet.row("100,000 specs into rows, where they are read", ms(1_000), &measure(3, |_| inside()));
    let mut world = Tree::new(CHILDREN).told();
    world.caches.mirrors = vec![made::caches::MIRROR.into()];
    let mut stage = Stage::of(world, LARGE);
    let inside = Arc::new(inside());
    for event in made::caches::listed(NOW).into_iter().chain(made::caches::read(inside, NOW)) {
        stage.app.follow(event, NOW);
    }
    let list = "7 / e 4 s Enter j";
    let (root, specs, spec) = (format!("{list} l"), format!("{list} l Tab"), format!("{list} l Tab l"));
    let keys: Vec<Key> = KEYS.iter().map(|text| key(text)).collect();
    for size in [SMALL, LARGE] {
        stage.size = size;
        for (name, way) in [("caches", "7"), ("root, findings", &root), ("root, specs", &specs), ("spec", &spec)] {
            stage.go(way);
            let steps = measure(400, |turn| {
                stage.press(keys.get(turn % keys.len()).copied().expect("a key"));
                stage.frame()
            });
            sheet.compare(&format!("key to frame, {name}, {}x{}", size.width, size.height), ms(16), &steps, steps.p99);
            let draws = measure(200, |_| {
                stage.tick(1_000);
                stage.drawn()
            });
            sheet.row(&format!("draw, {name}, {}x{}", size.width, size.height), ms(4), &draws);
            if size == SMALL {
                let steps = "j j j k j j k j j j k j".split(' ').map(|text| {
                    stage.press(key(text));
                    stage.frame()
                });
                let mut steps: Vec<usize> = steps.collect();
                steps.sort_unstable();
                bytes::row(
                    sheet,
                    &format!("cursor step, {name}, terminal"),
                    steps.get(6).copied().unwrap_or(0),
                    Some(600),
                );
            }
        }
    }
    for (name, from, pressed) in
        [("open a root", list, "l"), ("open a spec", specs.as_str(), "l"), ("all findings of a kind", &root, "l")]
    {
        let opened = prepared_keys(&mut stage, 20, from, &[pressed]);
        sheet.row(&format!("key to frame, {name}, 200x50"), ms(16), &opened);
    }
    let sorted = prepared_keys(&mut stage, 20, &specs, &["s", "s", "s", "s", "S"]);
    sheet.row("key to frame, order of 100,000 specs, 200x50", ms(16), &sorted);
    let typed = prepared_keys(&mut stage, 5, &format!("{specs} /"), &["p", "y", "0", "4", "2", "BS", "BS"]);
    sheet.row("filter keystroke over 100,000 specs", ms(16), &typed);
}

/// 5,000 pods on 500 nodes, opened down to the pods, where one changes with every frame and where none does.
fn fleet(sheet: &mut Sheet) {
    let objects = made::fleet::read(&made::fleet::objects());
    let changed = |source: Source, changes: Vec<Change>| News::Changed { source, changes };
    let of = |wanted: Kind| objects.iter().filter(move |(kind, _)| *kind == wanted).map(|(_, object)| object);
    let sources = [(Source::Pools, Kind::Pool), (Source::Nodes, Kind::Node), (Source::Claims, Kind::Claim)];
    let mut news = Vec::new();
    for (source, kind) in sources.into_iter().chain([(Source::Pods, Kind::Pod)]) {
        let seen = Arc::new(of(kind).map(|object| object.uid().clone()).collect());
        news.push(changed(source, of(kind).cloned().map(Change::Put).chain([Change::Listed { seen }]).collect()));
        let state = SourceState { phase: Phase::Live, heard: Some(NOW), ..SourceState::default() };
        news.push(News::Seen { source, state });
    }
    let mut world = Tree::new(CHILDREN).told();
    let rules =
        FleetRules { namespace: "pipeline".into(), manager_namespace: "gitlab".into(), ..FleetRules::default() };
    world.fleet = FleetFacts::of(rules, [Source::Pods, Source::Nodes, Source::Claims, Source::Pools]).into();
    let mut stage = Stage::of(world, LARGE);
    stage.app.follow(Event::FleetTold(news.into()), NOW);
    let pod = Change::Put(of(Kind::Pod).next_back().expect("a pod").clone());
    let keys: Vec<Key> = KEYS.iter().map(|text| key(text)).collect();
    for size in [SMALL, LARGE] {
        stage.size = size;
        for (name, way) in [("fleet", "5"), ("fleet, opened", "5 l l l")] {
            stage.go(way);
            let steps = measure(400, |turn| {
                stage.press(keys.get(turn % keys.len()).copied().expect("a key"));
                stage.frame()
            });
            sheet.compare(&format!("key to frame, {name}, {}x{}", size.width, size.height), ms(16), &steps, steps.p99);
            let moved = measure(100, |turn| {
                stage.app.follow(Event::FleetTold(vec![changed(Source::Pods, vec![pod.clone()])].into()), NOW);
                stage.press(keys.get(turn % keys.len()).copied().expect("a key"));
                stage.frame()
            });
            let what = format!("key to frame, {name}, a pod changed, {}x{}", size.width, size.height);
            sheet.compare(&what, ms(16), &moved, moved.p99);
        }
    }
}

/// How long keys take to their frames, each time from the same place.
fn prepared_keys(stage: &mut Stage, times: usize, from: &str, keys: &[&str]) -> timing::Figures {
    let mut taken = Vec::new();
    for _ in 0..times {
        stage.go(from);
        for text in keys {
            let began = std::time::Instant::now();
            stage.press(key(text));
            stage.frame();
            taken.push(began.elapsed());
        }
    }
    timing::of(taken)
}

/// A page of jobs arrives while one looks.
fn pages(sheet: &mut Sheet, stage: &mut Stage) {
    stage.size = LARGE;
    let mut tree = Tree::new(CHILDREN);
    for (name, way) in SCREENS {
        stage.go(way);
        let pages = prepared(
            100,
            |_| tree.page(10),
            |(page, now)| {
                stage.now = now;
                stage.app.follow(page, now);
                stage.frame()
            },
        );
        sheet.row(&format!("page of 100 to frame, {name}, 200x50"), ms(16), &pages);
    }
}

/// The screens, and the keys that lead there.
const SCREENS: [(&str, &str); 6] =
    [("overview", "1"), ("pipelines", "2 l"), ("dag", "3"), ("jobs", "4"), ("log", "4 o"), ("audit", "g z")];

/// The face, its terminal and its clock.
struct Stage {
    app: App,
    writer: FrameWriter<Line>,
    written: Rc<Cell<usize>>,
    size: Size,
    now: Timestamp,
}

impl Stage {
    fn new(size: Size) -> Self {
        let mut stage = Self::of(Tree::new(CHILDREN).told(), size);
        stage.open_logs();
        stage
    }

    fn of(world: World, size: Size) -> Self {
        let setup = Setup {
            theme: theme("terminal"),
            glyphs: Glyphs::UNICODE,
            keymap: Keymap::shipped("vim").expect("a shipped keymap"),
            who: "hmercer".into(),
            utc_offset: 0,
            context: "demo".to_owned(),
            load: Loader {
                theme: Box::new(|_| Err("not here".to_owned())),
                keymap: Box::new(|_| Err("not here".to_owned())),
            },
        };
        let line = Line::default();
        let written = Rc::clone(&line.0);
        Self {
            app: App::new(world, setup),
            writer: FrameWriter::new(line, Arc::new(Duration::default)),
            written,
            size,
            now: NOW,
        }
    }

    /// Gives the job that `4 o` opens a log of 5 MB.
    fn open_logs(&mut self) {
        self.go("4");
        let opened = self.press(key("o")).into_iter().find_map(|wish| match wish {
            Wish::Intend(Intent::Focus(focus)) => focus.log,
            _ => None,
        });
        let job = opened.expect("`o` opens a log");
        assert_eq!(self.app.world().job(job).map(|job| self.app.world().state(job)), Some(JobState::Fail));
        let bytes = build_log(5_000_000).into();
        for event in [
            Event::Intended(Intent::OpenLog(job)),
            Event::LogFed { job, offset: 0, bytes },
            Event::Fetched { fetch: Fetch::Log(job), at: self.now, result: Ok(()) },
        ] {
            self.app.follow(event, self.now);
        }
    }

    /// Goes home, then where `way` leads, and draws what is there.
    fn go(&mut self, way: &str) {
        for text in ["Esc", "1"].into_iter().chain(way.split(' ')) {
            self.press(key(text));
            self.frame();
        }
    }

    fn press(&mut self, key: Key) -> Vec<Wish> {
        self.tick(33);
        self.app.input(InputEvent::Key(key), self.now)
    }

    fn tick(&mut self, millis: i64) {
        self.now = self.now.shifted(millis);
    }

    fn drawn(&mut self) -> (Buffer, Option<ratatui::layout::Position>) {
        let mut frame = Buffer::empty(Rect::new(0, 0, self.size.width, self.size.height));
        let cursor = self.app.draw(self.now, &mut frame);
        (frame, cursor)
    }

    /// Draws and writes a frame; says how many bytes reached the terminal.
    fn frame(&mut self) -> usize {
        let (frame, cursor) = self.drawn();
        self.written.set(0);
        self.writer.present(&frame, cursor).expect("a line that takes everything");
        self.written.get()
    }
}

/// A terminal at the end of an endless line, which counts.
#[derive(Default)]
struct Line(Rc<Cell<usize>>);

impl Write for Line {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.set(self.0.get() + bytes.len());
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn theme(name: &str) -> Theme {
    Theme::shipped(name, Depth::True).expect("a shipped theme")
}

fn key(text: &str) -> Key {
    Chord::parse(text).ok().and_then(|chord| chord.keys().first().copied()).expect("a key")
}
