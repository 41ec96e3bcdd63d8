//! One night: server, core and face. Nothing waits for a fixed time; everything is polled until it holds or its deadline is over.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::{Position, Size};
use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::gitlab::{GitLab, Settings};
use stackhand::adapters::mirror::{self, Reader};
use stackhand::adapters::store::Store;
use stackhand::ci::{JobId, Status, Timestamp};
use stackhand::console::actions::Rules;
use stackhand::console::event::Intent;
use stackhand::console::input::{Code, InputEvent, Key};
use stackhand::console::polling::{Periods, PollRules};
use stackhand::console::world::World;
use stackhand::controller::{Core, CoreSetup, FleetOutside, HealthLimits, Link, Outside, Rulebook, Spill};
use stackhand::sandbox::{Options, Running, Sandbox};
use stackhand::tui::app::{App, Loader, Nudge, Setup, run};
use stackhand::tui::glyphs::Glyphs;
use stackhand::tui::keys::{Chord, Keymap};
use stackhand::tui::surface::{Surface, Written};
use stackhand::tui::theme::{Depth, Role, Theme};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, LocalSet};

/// A slow machine with two cores and much else to do must get there within this.
const DEADLINE: Duration = Duration::from_secs(60);
const LOOK_EVERY: Duration = Duration::from_millis(10);

/// Runs a story on one thread, so that the face need not be sent anywhere.
pub fn story(script: impl Future<Output = ()>) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    LocalSet::new().block_on(&runtime, script);
}

/// Who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Nobody,
    Reader,
    Operator,
}

/// What is done to a server before anybody looks.
pub type Prelude = Rc<dyn Fn(&Running)>;

/// How a night begins.
#[derive(Clone)]
pub struct Plot {
    pub who: Who,
    pub jobs: usize,
    pub rules: Rules,
    pub periods: Periods,
    pub followed: usize,
    pub size: (u16, u16),
    /// Changes the world before anybody looks.
    pub prelude: Option<Prelude>,
}

impl Default for Plot {
    fn default() -> Self {
        let periods = Periods {
            list: Duration::from_millis(400),
            visible: Duration::from_millis(300),
            background: Duration::from_millis(800),
        };
        Self {
            who: Who::Operator,
            jobs: 300,
            rules: Rules { hold: Duration::from_millis(800), ..Rules::default() },
            periods,
            followed: 20,
            size: (140, 40),
            prelude: None,
        }
    }
}

impl Plot {
    pub fn poll(&self) -> PollRules {
        PollRules {
            periods: self.periods,
            slots: 8,
            followed: self.followed,
            token: self.who != Who::Nobody,
            ..PollRules::default()
        }
    }

    /// Everything is read once and then left alone.
    pub fn quiet() -> Self {
        let hour = Duration::from_secs(3_600);
        Self { periods: Periods { list: hour, visible: hour, background: hour }, ..Self::default() }
    }

    pub fn by(self, who: Who) -> Self {
        let read_only = (who == Who::Nobody).then(|| "read-only: no token; name one with --token-env".to_owned());
        Self { who, rules: Rules { read_only, ..self.rules }, ..self }
    }

    pub async fn begin(self) -> Night {
        let server = serve(self.jobs, 0).await;
        Night::open(self, server).await
    }
}

/// How the project of a server is called.
pub fn project(server: &Running) -> Arc<str> {
    format!("{}/{}", server.url.trim_start_matches("http://"), server.project).into()
}

/// All that a core may touch, on this server.
pub async fn outside(server: &Running, who: Who, folder: &Path) -> Outside {
    let mut settings = Settings::new(&server.url, server.project, Arc::new(|| SystemClock.now()));
    settings.token = match who {
        Who::Nobody => None,
        Who::Reader => Some(server.read_token.clone().into()),
        Who::Operator => Some(server.token.clone().into()),
    };
    (settings.per_second, settings.in_flight, settings.tries) = (500.0, 8, 2);
    settings.backoff = Duration::from_millis(20);
    settings.request = Duration::from_secs(2);
    settings.patience = Duration::from_millis(100);
    Outside {
        project: project(server),
        gitlab: GitLab::new(settings).unwrap(),
        store: Ok(Store::in_memory(SystemClock.now()).await.unwrap()),
        spill: Spill::new(folder),
        mirrors: Arc::new(Reader::new(mirror::Settings::default())),
        signers: Arc::default(),
        health: HealthLimits { index_age: Duration::from_hours(24), skew: Duration::from_secs(300) },
        keep: Duration::from_hours(24),
        rules: Rulebook::new(|| Err("none".to_owned()), |_| Err("none".to_owned())),
        fleet: FleetOutside::default(),
        desk: None,
    }
}

pub async fn serve(jobs: usize, port: u16) -> Running {
    Sandbox::start(Options { seed: 7, speed: 0.0, jobs, port, ..Options::default() }).await.unwrap()
}

/// What the face has shown.
#[derive(Default)]
pub struct Shown {
    pub buffer: Buffer,
    size: Size,
    pub frames: u64,
    /// The counts of the status row in every frame since they were last forgotten.
    pub counts: BTreeSet<String>,
}

/// A surface that keeps the last frame.
struct Canvas(Rc<RefCell<Shown>>);

impl Surface for Canvas {
    fn size(&self) -> io::Result<Size> {
        Ok(self.0.borrow().size)
    }

    fn present(&mut self, frame: &Buffer, _cursor: Option<Position>) -> io::Result<()> {
        let mut shown = self.0.borrow_mut();
        shown.buffer = frame.clone();
        shown.frames += 1;
        let counts = counts(&lines(frame)[0]);
        shown.counts.insert(counts);
        Ok(())
    }

    fn redraw(&mut self) {}

    fn repaint(&mut self) {}

    fn interval(&self) -> Duration {
        Duration::from_millis(5)
    }

    fn copy(&mut self, _text: &str) -> io::Result<bool> {
        Ok(true)
    }

    fn suspend(&mut self) -> io::Result<()> {
        Ok(())
    }

    fn plain(&mut self, _text: &str) -> io::Result<()> {
        Ok(())
    }

    fn written(&self) -> Written {
        Written::default()
    }
}

/// `✗12 ▸30 ⋯4 ✓250` of a status row.
fn counts(row: &str) -> String {
    let words = row.split_whitespace();
    let counted = words.filter(|word| word.starts_with(['✗', '▸', '⋯', '✓', '≥']));
    counted.collect::<Vec<_>>().join(" ")
}

fn lines(buffer: &Buffer) -> Vec<String> {
    let width = usize::from(buffer.area.width).max(1);
    let rows = buffer.content.chunks(width);
    rows.map(|row| row.iter().map(Cell::symbol).collect::<String>().trim_end().to_owned()).collect()
}

/// A night that has begun.
pub struct Night {
    server: Option<Running>,
    plot: Plot,
    keys: mpsc::Sender<Nudge>,
    pub intents: mpsc::Sender<Intent>,
    pub shown: Rc<RefCell<Shown>>,
    /// Follows the same events as the face.
    pub world: Rc<RefCell<World>>,
    face: JoinHandle<io::Result<App>>,
    core: Core,
    folder: PathBuf,
}

impl Night {
    async fn open(plot: Plot, server: Running) -> Self {
        static NIGHTS: AtomicU32 = AtomicU32::new(0);
        if let Some(prelude) = &plot.prelude {
            prelude(&server);
        }
        let nth = NIGHTS.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("stackhand-story-{}-{nth}", std::process::id()));
        let (project, poll) = (project(&server), plot.poll());
        let world = || World::new(&project, plot.rules.clone(), poll.clone());
        let outside = outside(&server, plot.who, &folder).await;
        let (core, link) = Core::start(CoreSetup { world: world(), outside, clock: Arc::new(SystemClock) });
        let Link { mut events, intents } = link;
        let replica = Rc::new(RefCell::new(world()));
        let (pass_on, face_events) = mpsc::channel(64);
        let follower = Rc::clone(&replica);
        tokio::task::spawn_local(async move {
            while let Some(stamped) = events.recv().await {
                drop(follower.borrow_mut().update(stamped.event.clone(), stamped.now));
                if pass_on.send(stamped).await.is_err() {
                    return;
                }
            }
        });
        let (width, height) = plot.size;
        let shown = Shown { size: Size { width, height }, ..Shown::default() };
        let shown = Rc::new(RefCell::new(shown));
        let (keys, nudges) = mpsc::channel(64);
        let app = App::new(world(), setup());
        let mut canvas = Canvas(Rc::clone(&shown));
        let to_core = intents.clone();
        let face = tokio::task::spawn_local(async move {
            run(app, &mut canvas, nudges, face_events, to_core, &|| SystemClock.now()).await
        });
        Self { server: Some(server), plot, keys, intents, shown, world: replica, face, core, folder }
    }

    /// Ends it: the face leaves, the core hands back a world whose counts add up.
    pub async fn end(self) {
        self.keys.send(Nudge::End).await.unwrap();
        let app = self.face.await.expect("the face panicked").unwrap();
        let core = self.core.stop().await.expect("the core panicked");
        assert_eq!(core.counts(), &core.recount());
        assert_eq!(app.world().recount(), *app.world().counts());
        assert!(!self.folder.exists(), "logs of the session stay behind");
    }

    /// The screen, row by row.
    pub fn text(&self) -> String {
        lines(&self.shown.borrow().buffer).join("\n")
    }

    /// Waits until the screen says so.
    pub async fn until(&self, what: &str, mut holds: impl FnMut(&str) -> bool) {
        self.wait(what, || holds(&self.text())).await;
    }

    /// Waits until something holds; the face may not have ended meanwhile.
    pub async fn wait(&self, what: &str, mut holds: impl FnMut() -> bool) {
        let begun = Instant::now();
        while !holds() {
            assert!(!self.face.is_finished(), "the face ended while waiting for: {what}");
            assert!(begun.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}\n{}", self.text());
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// The counts of the status row.
    pub fn counts(&self) -> String {
        counts(self.text().lines().next().unwrap_or_default())
    }

    /// Every counts row that was shown since they were forgotten.
    pub fn shown_counts(&self) -> Vec<String> {
        self.shown.borrow().counts.iter().cloned().collect()
    }

    pub fn forget_counts(&self) {
        let now = self.counts();
        self.shown.borrow_mut().counts = BTreeSet::from([now]);
    }

    /// Waits until keys that were pressed are answered: a mark that only they can bring shows in a frame.
    pub async fn settled(&self) {
        let before = self.shown.borrow().frames;
        self.keys.send(Nudge::Input(InputEvent::Focus(true))).await.unwrap();
        self.wait("a frame", || self.shown.borrow().frames > before).await;
    }

    /// Failed jobs that the list would show.
    pub fn failed(&self) -> usize {
        use stackhand::console::state::JobState;
        let world = self.world.borrow();
        world.jobs().filter(|job| world.state(job) == JobState::Fail).count()
    }

    /// Presses keys as keymap files write them.
    pub async fn press(&self, chords: &str) {
        for word in chords.split(' ') {
            for key in Chord::parse(word).unwrap().keys() {
                self.keys.send(Nudge::Input(InputEvent::Key(*key))).await.unwrap();
            }
        }
    }

    pub async fn write(&self, text: &str) {
        for c in text.chars() {
            self.keys.send(Nudge::Input(InputEvent::Key(Key::plain(Code::Char(c))))).await.unwrap();
        }
    }

    /// Lists the jobs that a filter lets through, and waits until there are so many.
    pub async fn list(&self, filter: &str, count: usize) {
        self.press("Esc Esc 4 /").await;
        self.press("C-u").await;
        self.write(filter).await;
        self.press("RET").await;
        let title = format!(" {count} shown");
        self.until(&format!("{count} jobs for {filter}"), |text| text.contains(&title) && text.contains(filter)).await;
    }

    /// Confirms the preview on the screen, as soon as it may be.
    pub async fn confirm(&self) {
        let ready = theme().style(Role::ActionSafe).fg;
        self.wait("the preview may be confirmed", || {
            let shown = self.shown.borrow();
            shown
                .buffer
                .content
                .windows(3)
                .any(|cells| cells.iter().map(Cell::symbol).eq(["[", "y", "]"]) && Some(cells[1].fg) == ready)
        })
        .await;
        self.press("y").await;
        self.until("the preview is gone", |text| !text.contains("[y]")).await;
    }

    /// Waits until all that is followed was read: jobs and graphs.
    pub async fn loaded(&self) {
        use stackhand::console::fresh::Completeness;
        self.wait("everything was read", || {
            let world = self.world.borrow();
            world.jobs_known() == Completeness::Whole && world.graphs_known() == Completeness::Whole
        })
        .await;
    }

    /// Lets virtual seconds pass.
    pub fn pass(&self, seconds: i64) {
        self.server().world(|world| world.advance_to(world.now().shifted(seconds * 1_000)));
    }

    /// Lets virtual time pass until something holds on the server.
    pub async fn pass_until(&self, what: &str, holds: impl Fn(&stackhand::sandbox::World) -> bool) {
        self.wait(what, || {
            self.pass(30);
            self.server().world(|world| holds(world))
        })
        .await;
    }

    /// The failed job that holds back most others and succeeds when it is tried again.
    pub fn lead(&self) -> JobId {
        self.server().world(|world| {
            let passing = world.jobs().filter(|job| {
                !job.retried
                    && job.failure().is_some_and(|mishap| mishap.get().transient)
                    && is_build(world.name_of(job))
            });
            passing.max_by_key(|job| world.entry_of(job).blocks).expect("the night has such a job").id
        })
    }

    /// A build job in this status that waits for nobody.
    pub fn some(&self, status: Status) -> JobId {
        self.server().world(|world| {
            let job = world.jobs().find(|job| job.status == status && is_build(world.name_of(job)));
            job.unwrap_or_else(|| panic!("no build job is {status}")).id
        })
    }

    /// The filter that finds a job alone, all its tries being one row.
    pub fn filter(&self, job: JobId) -> String {
        self.server().world(|world| {
            let job = world.job(job).unwrap();
            let child = world.pipeline_of(job);
            let (parent, trigger) = child.parent.unwrap();
            let trigger = world.name_of(world.job(trigger).unwrap());
            let hash = world.name_of(job).split_once(" /").unwrap().1.get(..32).unwrap();
            let stack = trigger.trim_end_matches("-build");
            format!("hash:{hash} stack=\"{stack}\" ref=\"{}\"", world.pipeline(parent).unwrap().git_ref)
        })
    }

    /// Lists one job alone.
    pub async fn list_job(&self, job: JobId) {
        self.list(&self.filter(job), 1).await;
    }

    /// What the server says about a job.
    pub fn status(&self, job: JobId) -> Status {
        self.server().world(|world| world.job(job).unwrap().status)
    }

    /// The newer try of a job, if there is one.
    pub fn newer(&self, job: JobId) -> Option<JobId> {
        self.server().world(|world| {
            let old = world.job(job).unwrap();
            world
                .jobs()
                .find(|j| j.pipeline == old.pipeline && j.entry == old.entry && j.attempt > old.attempt)
                .map(|j| j.id)
        })
    }

    /// How many jobs the server has; a retry makes one more.
    pub fn jobs(&self) -> usize {
        self.server().world(|world| world.jobs().count())
    }

    /// The practice world.
    pub fn server(&self) -> &Running {
        self.server.as_ref().expect("the server is dead")
    }

    /// The server dies; returns its port.
    pub fn kill(&mut self) -> u16 {
        let server = self.server.take().unwrap();
        let port = server.url.rsplit(':').next().unwrap().parse().unwrap();
        server.stop();
        port
    }

    /// The same server again, on the same port.
    pub async fn revive(&mut self, port: u16) {
        self.server = Some(serve(self.plot.jobs, port).await);
    }

    /// Asks for everything now, as a person does who does not want to wait for the next turn.
    pub async fn refresh(&self) {
        self.intents.send(Intent::Refresh(None)).await.unwrap();
    }
}

fn is_build(name: &str) -> bool {
    name.contains(" /")
}

/// The moment it is for the core.
pub fn now() -> Timestamp {
    SystemClock.now()
}

fn theme() -> Theme {
    Theme::shipped("dusk", Depth::True).unwrap()
}

fn setup() -> Setup {
    Setup {
        theme: theme(),
        glyphs: Glyphs::UNICODE,
        keymap: Keymap::shipped("vim").unwrap(),
        who: "hmercer".into(),
        utc_offset: 0,
        context: "story".to_owned(),
        load: Loader { theme: Box::new(|_| Err(String::new())), keymap: Box::new(|_| Err(String::new())) },
    }
}
