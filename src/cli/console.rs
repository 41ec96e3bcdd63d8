//! The console on this terminal: joins the face to a core by two channels, and gives it keys, files that change, and signals.

use std::collections::BTreeMap;
use std::fs;
use std::io::{self, BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Size};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;

use super::assemble::{Setup, attach_sockets};
use super::daemon;
use super::exit::{Exit, Failure};
use super::rulebook;
use crate::adapters::terminal::{Input, Options, Terminal, ending};
use crate::console::actions::Rules;
use crate::console::event::Intent;
use crate::console::loops::{LoopOrder, Switch};
use crate::controller::attach::{AttachError, Attached, Leave, Own, attach};
use crate::controller::leadership::Leader;
use crate::controller::supervisor::{self, Surroundings, stop_sign};
use crate::controller::{Core, Link};
use crate::tui::app::{self, App, Loader, Nudge};
use crate::tui::files::Source;
use crate::tui::glyphs::Glyphs;
use crate::tui::keys::Keymap;
use crate::tui::surface::{Surface, Written};
use crate::tui::theme::{ColorChoice, Depth, Theme};

/// How often files of the user are looked at.
const LOOK: Duration = Duration::from_secs(1);
/// Room for keys while a frame is drawn.
const QUEUE: usize = 256;

/// Whose core a console shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Join {
    /// The daemon's, if one of the project runs here; else its own.
    Daemon,
    /// Its own.
    Alone,
}

/// Runs the console until the person leaves. `context` stands before the counts; a core of its own begins with these loops.
pub async fn run(mut setup: Setup, context: &str, join: Join, begin: &[String]) -> Result<(), Failure> {
    let (orders, ordered) = mpsc::channel(QUEUE);
    setup.outside.desk = Some(orders.clone());
    let setup = Arc::new(setup);
    let files = Files { folder: setup.paths.config_dir.clone(), depth: depth(&setup.color)? };
    // Before they are read: what is edited meanwhile is read again.
    let watched = Kinds::new(&files);
    let ui = &setup.loaded.config.ui;
    let bad_file = |error: String| Failure::new(Exit::Config, error);
    let (theme_name, keymap_name) = (ui.theme.clone(), ui.keymap.clone());
    let mut warnings: Vec<String> = setup.loaded.warnings.iter().map(ToString::to_string).collect();
    let attached = if join == Join::Daemon { knock(&setup, &mut warnings).await } else { Err(false) };
    let who = attached.as_ref().map_or(&setup.who, |attached| &attached.who);
    let face = app::Setup {
        who: Arc::clone(who),
        theme: files.theme(&theme_name).map_err(bad_file)?,
        keymap: files.keymap(&keymap_name).map_err(bad_file)?,
        glyphs: if setup.out.ascii { Glyphs::ASCII } else { Glyphs::UNICODE },
        utc_offset: if ui.utc { 0 } else { i64::from(chrono::Local::now().offset().local_minus_utc() / 60) },
        context: context.to_owned(),
        load: files.loader(),
    };
    let begun = Instant::now();
    let escape = Duration::from_millis(u64::from(ui.escape_ms));
    let options =
        Options { mouse: false, esc_timeout: escape, ask_background: true, clock: Arc::new(move || begun.elapsed()) };
    let terminal = Terminal::open(options, &|name| std::env::var(name).ok()).map_err(|error| {
        Failure::new(Exit::Failed, format!("cannot take the terminal: {error}; `stackhand watch` needs none"))
    })?;
    terminal.restore_on_panic();

    let verdicts = setup.loaded.config.taxonomy.logs as usize;
    let mut world = setup.world();
    // It sends nothing, but it shows what is judged by itself.
    world.polling.rules.verdicts = verdicts;
    let (core, link) = match attached {
        Ok(attached) => {
            let (link, leave) = attached.split();
            (Behind::Daemon(leave), link)
        }
        Err(somebody_leads) => {
            let mut core_world = setup.world();
            core_world.log_budget = None;
            core_world.polling.rules.verdicts = verdicts;
            if somebody_leads {
                // What nobody asks for is the leader's to do.
                let rules = Rules { auto: Vec::new(), ..(*core_world.rules).clone() };
                core_world.rules = Arc::new(rules);
            }
            for (name, why) in daemon::idle(&setup) {
                world.loops.left_out.insert(name.into(), why.into());
            }
            let (core, link) = setup.start(core_world);
            let desk = Desk::open(&setup, &core, ordered);
            for name in begin {
                // There is room for more loops than there are.
                let switch = Switch::Start { dry_run: setup.rules.read_only.is_some() };
                let _ = orders.try_send(LoopOrder { name: name.as_str().into(), switch });
            }
            (Behind::Core(core, desk), link)
        }
    };
    let mut app = App::new(world, face);
    for warning in warnings {
        app.say(true, warning, setup.clock.now());
    }
    let (nudges, nudged) = mpsc::channel(QUEUE);
    tokio::spawn(watched.follow(theme_name, keymap_name, nudges.clone(), link.intents.clone()));
    let mut surface = Screen { reading: listen(&terminal, nudges.clone()), terminal };
    tokio::spawn(async move {
        if let Ok(ending) = ending().await {
            tracing::info!(?ending, "the session ends");
            // The loop is gone only when the session is over.
            let _ = nudges.send(Nudge::End).await;
        }
    });
    let result = drive(app, &mut surface, nudged, link, core, &setup).await;
    drop(surface);
    result
}

/// What a face stands before.
enum Behind {
    Core(Core, Desk),
    Daemon(Leave),
}

/// The loops that a person starts here.
struct Desk {
    stop: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Desk {
    fn open(setup: &Arc<Setup>, core: &Core, orders: mpsc::Receiver<LoopOrder>) -> Self {
        let makers = Arc::clone(setup);
        let clock = Arc::clone(&setup.clock);
        let around = Surroundings { limits: daemon::limits(setup), is_dry_run: false, clock, told: core.teller() };
        let desk = supervisor::Desk {
            makers: Box::new(move |name| daemon::maker(&makers, name)),
            around,
            // A console that cannot lead shows everything all the same.
            lead: daemon::lead(setup).map_err(|failure| failure.to_string()),
            me: daemon::me(setup),
        };
        let (stop, asked) = stop_sign();
        Self { stop, task: tokio::spawn(desk.serve(orders, asked)) }
    }

    async fn close(self) {
        // A desk that broke has stopped already.
        let _ = self.stop.send(true);
        let _ = self.task.await;
    }
}

/// Attaches to the daemon of the project. Otherwise, whether one leads all the same: then nothing may be done that nobody asks for.
async fn knock(setup: &Setup, warnings: &mut Vec<String>) -> Result<Attached, bool> {
    let own = Own { read_only: setup.forbids_writing(), dry_run: false };
    let sockets = attach_sockets(&setup.paths, &setup.project);
    let error = match attach(&sockets, own, Arc::clone(&setup.clock)).await {
        Ok(attached) => return Ok(attached),
        Err(error) => error,
    };
    let leader = match daemon::lead(setup) {
        Ok(lead) => lead.leader().await,
        // Without a place for the lead nobody has it.
        Err(_) => Ok(Leader::Nobody),
    };
    let named = match &leader {
        Ok(Leader::Somebody(Some(holder))) => format!(" ({holder})"),
        Ok(_) => String::new(),
        Err(why) => format!(" (who leads is not known: {why})"),
    };
    // Where that is not known, somebody may.
    let may_lead = !matches!(leader, Ok(Leader::Nobody));
    if may_lead || !matches!(error, AttachError::Absent) {
        warnings.push(format!("not attached to the daemon{named}: {error}; this console reads by itself"));
    }
    Err(may_lead)
}

async fn drive(
    app: App,
    surface: &mut Screen,
    nudged: mpsc::Receiver<Nudge>,
    link: Link,
    core: Behind,
    setup: &Setup,
) -> Result<(), Failure> {
    let clock = Arc::clone(&setup.clock);
    let Link { events, intents } = link;
    let ended = app::run(app, surface, nudged, events, intents, &move || clock.now()).await;
    match core {
        Behind::Core(core, desk) => {
            desk.close().await;
            drop(core.stop().await);
        }
        Behind::Daemon(leave) => drop(leave),
    }
    setup.close().await;
    match ended {
        Ok(_) => Ok(()),
        // The terminal went away; there is nobody to tell.
        Err(error) if matches!(error.kind(), io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected) => Ok(()),
        Err(error) => Err(Failure::new(Exit::Failed, format!("the terminal cannot be written: {error}"))),
    }
}

/// Passes keys on as nudges, for as long as there is a face to take them.
fn listen(terminal: &Terminal, nudges: mpsc::Sender<Nudge>) -> watch::Sender<bool> {
    let (reading, mut is_reading) = watch::channel(true);
    let mut input: Input = terminal.listen();
    tokio::spawn(async move {
        loop {
            tokio::select! {
                event = input.events.recv() => {
                    let Some(event) = event else { return };
                    if nudges.send(Nudge::Input(event)).await.is_err() {
                        return;
                    }
                }
                changed = is_reading.changed() => {
                    if changed.is_err() {
                        return;
                    }
                    input.set_listening(*is_reading.borrow_and_update());
                }
            }
        }
    });
    reading
}

/// The terminal as the face draws on it.
struct Screen {
    /// Whether keys are ours: a pager has them meanwhile.
    reading: watch::Sender<bool>,
    terminal: Terminal,
}

impl Surface for Screen {
    fn size(&self) -> io::Result<Size> {
        self.terminal.size()
    }

    fn present(&mut self, frame: &Buffer, cursor: Option<Position>) -> io::Result<()> {
        self.terminal.present(frame, cursor).map(|_| ())
    }

    fn redraw(&mut self) {
        self.terminal.redraw();
    }

    fn repaint(&mut self) {
        self.terminal.repaint();
    }

    fn interval(&self) -> Duration {
        self.terminal.interval()
    }

    fn copy(&mut self, text: &str) -> io::Result<bool> {
        self.terminal.copy(text)
    }

    fn suspend(&mut self) -> io::Result<()> {
        self.terminal.suspend()
    }

    fn plain(&mut self, text: &str) -> io::Result<()> {
        self.reading.send_replace(false);
        let shown = self.terminal.lend(|| {
            let mut out = io::stdout().lock();
            out.write_all(text.as_bytes())?;
            out.write_all(b"-- Enter goes back\n")?;
            out.flush()?;
            io::stdin().lock().read_line(&mut String::new()).map(|_| ())
        });
        self.reading.send_replace(true);
        shown?
    }

    fn written(&self) -> Written {
        let stats = self.terminal.stats();
        Written {
            frames: stats.frames,
            bytes: stats.bytes,
            last_bytes: stats.last_bytes,
            last_blocked: stats.last_blocked,
        }
    }
}

/// Where the user's themes and keymaps lie.
#[derive(Debug, Clone)]
struct Files {
    folder: Option<PathBuf>,
    depth: Depth,
}

impl Files {
    fn path(&self, kind: &str, name: &str) -> Option<PathBuf> {
        let is_plain = !name.is_empty() && name.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'));
        self.folder.as_ref().filter(|_| is_plain).map(|dir| dir.join(kind).join(format!("{name}.toml")))
    }

    fn find(&self, kind: &str, name: &str) -> Option<Source> {
        let path = self.path(kind, name)?;
        let text = fs::read_to_string(&path).ok()?;
        Some(Source::new(path.display().to_string(), text))
    }

    fn theme(&self, name: &str) -> Result<Theme, String> {
        Theme::load(name, self.depth, &|name| self.find("themes", name)).map_err(|error| error.to_string())
    }

    fn keymap(&self, name: &str) -> Result<Keymap, String> {
        Keymap::load(name, &|name| self.find("keymaps", name)).map_err(|error| error.to_string())
    }

    fn loader(&self) -> Loader {
        let (themes, keymaps) = (self.clone(), self.clone());
        Loader { theme: Box::new(move |name| themes.theme(name)), keymap: Box::new(move |name| keymaps.keymap(name)) }
    }

    /// The state of the files of a folder.
    fn folder(&self, kind: &str) -> Seen {
        let Some(folder) = self.folder.as_ref().map(|dir| dir.join(kind)) else { return Seen::new() };
        let entries = fs::read_dir(folder).into_iter().flatten().flatten();
        entries.filter_map(|entry| Some((entry.path(), state(&entry.metadata().ok()?)?))).collect()
    }

    /// The state of the user's rules.
    fn rules(&self) -> Seen {
        let path = rulebook::own(self.folder.as_deref());
        path.into_iter().filter_map(|path| Some((path.clone(), state(&fs::metadata(path).ok()?)?))).collect()
    }
}

/// Files with the time and length they had when somebody looked; one that is not there is left out.
type Seen = BTreeMap<PathBuf, (SystemTime, u64)>;

fn state(file: &fs::Metadata) -> Option<(SystemTime, u64)> {
    Some((file.modified().ok()?, file.len()))
}

/// Something of the user's that is read again when it changes on disk.
struct Watched<F> {
    look: F,
    /// As it was when it was read.
    read: Seen,
    /// As it was at the last look.
    last: Seen,
}

impl<F: Fn() -> Seen> Watched<F> {
    fn new(look: F) -> Self {
        let now = look();
        Self { look, read: now.clone(), last: now }
    }

    /// Whether to read it now: it changed, and has been left alone since the last look. An editor that is still writing is not disturbed.
    fn has_changed(&mut self) -> bool {
        let before = std::mem::replace(&mut self.last, (self.look)());
        let changed = self.last != self.read && self.last == before;
        if changed {
            self.read.clone_from(&self.last);
        }
        changed
    }
}

type Look = Box<dyn Fn() -> Seen + Send>;

/// All that is read again.
struct Kinds {
    files: Files,
    themes: Watched<Look>,
    keymaps: Watched<Look>,
    rules: Watched<Look>,
}

impl Kinds {
    fn new(files: &Files) -> Self {
        let watched = |look: fn(&Files) -> Seen| {
            let files = files.clone();
            Watched::<Look>::new(Box::new(move || look(&files)))
        };
        Self {
            files: files.clone(),
            themes: watched(|files| files.folder("themes")),
            keymaps: watched(|files| files.folder("keymaps")),
            rules: watched(Files::rules),
        }
    }

    /// Loads themes, keymaps and rules again when their files changed; a bad one is complained about and the old one stays.
    async fn follow(
        mut self,
        theme: String,
        keymap: String,
        nudges: mpsc::Sender<Nudge>,
        intents: mpsc::Sender<Intent>,
    ) {
        let complain = |text: String| Nudge::Say { error: true, text: format!("{text}; the old one stays") };
        loop {
            tokio::time::sleep(LOOK).await;
            let mut news = Vec::new();
            if self.themes.has_changed() {
                news.push(self.files.theme(&theme).map_or_else(complain, |theme| Nudge::Theme(Box::new(theme))));
            }
            if self.keymaps.has_changed() {
                news.push(self.files.keymap(&keymap).map_or_else(complain, |keymap| Nudge::Keymap(Box::new(keymap))));
            }
            // The core judges, so it reads the rules; what comes of it is told like all else that it does.
            if self.rules.has_changed() && intents.send(Intent::ReadRules).await.is_err() {
                return;
            }
            for nudge in news {
                if nudges.send(nudge).await.is_err() {
                    return;
                }
            }
        }
    }
}

fn depth(color: &str) -> Result<Depth, Failure> {
    let choice = match color {
        "auto" | "" => ColorChoice::Auto,
        "always" => ColorChoice::Always,
        "never" => ColorChoice::Never,
        "truecolor" => ColorChoice::Exactly(Depth::True),
        "256" => ColorChoice::Exactly(Depth::Indexed),
        "16" => ColorChoice::Exactly(Depth::Sixteen),
        "mono" => ColorChoice::Exactly(Depth::Mono),
        other => {
            return Err(Failure::new(
                Exit::Config,
                format!("`{other}` is no colour depth; say auto, truecolor, 256, 16 or mono"),
            ));
        }
    };
    Ok(Depth::detect(choice, &|name| std::env::var(name).ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_read_again_once_it_is_left_alone() {
        let folder = std::env::temp_dir().join(format!("stackhand-watched-{}", std::process::id()));
        fs::create_dir_all(folder.join("themes")).unwrap();
        let files = Files { folder: Some(folder.clone()), depth: Depth::Mono };
        let rules = folder.join(rulebook::OWN);
        let (mut own, mut themes) = (Watched::new(|| files.rules()), Watched::new(|| files.folder("themes")));
        assert!(!own.has_changed() && !own.has_changed(), "there is none");
        fs::write(&rules, "format = 1\n").unwrap();
        assert!(!own.has_changed(), "somebody may still be writing");
        fs::write(&rules, "format = 1\noff = []\n").unwrap();
        assert!(!own.has_changed(), "somebody is");
        assert!(own.has_changed());
        assert!(!own.has_changed(), "it was read");
        // The same length: the time tells.
        let later = SystemTime::now() + Duration::from_secs(9);
        fs::write(&rules, "off = []\nformat = 1\n").unwrap();
        fs::File::options().write(true).open(&rules).unwrap().set_modified(later).unwrap();
        assert!(!own.has_changed() && own.has_changed());
        fs::remove_file(&rules).unwrap();
        assert!(!own.has_changed() && own.has_changed(), "it is gone");
        fs::write(folder.join("themes/mine.toml"), "name = 'mine'").unwrap();
        assert!(!themes.has_changed() && themes.has_changed() && !own.has_changed());
        fs::remove_dir_all(&folder).unwrap();
    }
}
