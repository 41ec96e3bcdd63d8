//! The face on a terminal, without the terminal: keys and events go in, wishes come out, a buffer is drawn. The loop that joins it to a surface
//! is [`run()`]; tests drive it key by key.

mod command;
mod explain;
mod frame;
mod go;
mod keys;
mod over;
mod overlay;
mod palette;
mod preview;
mod run;
mod teach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use ratatui::layout::Rect;

use crate::ci::{JobId, Timestamp};
use crate::console::actions::PlanId;
use crate::console::event::{Event, Intent};
use crate::console::messages::Level;
use crate::console::world::World;

use super::glyphs::Glyphs;
use super::keys::{Keymap, Pending};
use super::screen::{Cx, Place, Screen};
use super::theme::Theme;
use super::widgets::{Line, Look};
use overlay::Overlay;

pub use run::{Nudge, run};

/// How the console looks and which keys it answers to.
#[derive(Debug)]
pub struct Setup {
    pub theme: Theme,
    pub glyphs: Glyphs,
    pub keymap: Keymap,
    /// The person in the audit.
    pub who: Arc<str>,
    /// Minutes by which shown clock times are ahead of UTC; 0 for UTC itself.
    pub utc_offset: i64,
    /// A word before the counts: `demo`, or the name of the context.
    pub context: String,
    /// Loads a theme or a keymap by name, for `:theme` and `:keymap`.
    pub load: Loader,
}

/// Finds something by name; the error names file and line.
pub type Load<T> = Box<dyn Fn(&str) -> Result<T, String> + Send>;

/// Finds looks and keys by name.
pub struct Loader {
    pub theme: Load<Theme>,
    pub keymap: Load<Keymap>,
}

impl std::fmt::Debug for Loader {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Loader")
    }
}

/// What the app asks of the loop around it.
#[derive(Debug, Clone)]
pub enum Wish {
    Intend(Intent),
    Copy {
        text: String,
        what: String,
    },
    /// Shows plain text outside the console until a key is pressed.
    Plain(String),
    Redraw,
    Repaint,
    Suspend,
    Quit,
}

/// A letter is awaited.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bookmark {
    Set,
    Go,
}

/// A toast, and when it was said.
#[derive(Debug, Clone)]
struct Said {
    level: Level,
    text: String,
    at: Timestamp,
    times: u32,
}

/// The whole face.
pub struct App {
    world: World,
    setup: Setup,
    screen: Box<dyn Screen>,
    history: Vec<Place>,
    forward: Vec<Place>,
    last: Option<Place>,
    marks: BTreeSet<JobId>,
    bookmarks: BTreeMap<char, Place>,
    awaited: Option<Bookmark>,
    pending: Pending,
    pending_since: Option<Timestamp>,
    overlay: Option<Overlay>,
    said: VecDeque<Said>,
    /// Messages of the world that were shown as toasts already.
    told: BTreeMap<String, u32>,
    interrupted_at: Option<Timestamp>,
    focus: crate::console::effect::Focus,
    lines: BTreeMap<&'static str, Line>,
    dirty: bool,
    drawn: Option<Drawn>,
    /// Plans that were confirmed and that the core has not taken yet.
    confirmed: BTreeSet<PlanId>,
    /// Where the last frame had the screen's body: keys that come before the next frame act on rows as they would stand there.
    body: Rect,
    perf: bool,
}

/// What the last frame showed: nothing is drawn again while none of this moved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Drawn {
    revision: u64,
    second: i64,
    /// The keys that may follow a chord were listed.
    which_key: bool,
    /// The preview said that it may be confirmed.
    ready: bool,
}

impl App {
    /// A face on a world in which nothing is known yet.
    pub fn new(world: World, setup: Setup) -> Self {
        Self {
            world,
            setup,
            screen: go::open(&Place::Overview),
            history: Vec::new(),
            forward: Vec::new(),
            last: None,
            marks: BTreeSet::new(),
            bookmarks: BTreeMap::new(),
            awaited: None,
            pending: Pending::default(),
            pending_since: None,
            overlay: None,
            said: VecDeque::new(),
            told: BTreeMap::new(),
            interrupted_at: None,
            focus: crate::console::effect::Focus::default(),
            lines: BTreeMap::new(),
            dirty: true,
            drawn: None,
            confirmed: BTreeSet::new(),
            body: Rect::default(),
            perf: false,
        }
    }

    /// Takes what the core took, so that this world is the core's world. Its effects are the core's business.
    pub fn follow(&mut self, event: Event, now: Timestamp) {
        match &event {
            Event::Intended(Intent::Confirm { plan, .. }) => drop(self.confirmed.remove(&plan.id)),
            Event::NotTaken { plan, .. } => drop(self.confirmed.remove(plan)),
            _ => {}
        }
        drop(self.world.update(event, now));
        self.collect_messages(now);
    }

    /// The world as this face knows it.
    pub fn world(&self) -> &World {
        &self.world
    }

    /// Replaces the colours.
    pub fn set_theme(&mut self, theme: Theme) {
        self.setup.theme = theme;
        self.dirty = true;
    }

    /// Replaces the keys; a chord that was begun is forgotten.
    pub fn set_keymap(&mut self, keymap: Keymap) {
        self.setup.keymap = keymap;
        self.pending.clear();
        self.dirty = true;
    }

    /// Says something in the toast row and keeps it.
    pub fn say(&mut self, error: bool, text: impl Into<String>, now: Timestamp) {
        let level = if error { Level::Error } else { Level::Info };
        self.world.messages.say(level, text, now);
        self.collect_messages(now);
        self.dirty = true;
    }

    /// What screens and overlays may look at.
    fn cx(&self, now: Timestamp) -> Cx<'_> {
        Cx { world: &self.world, look: self.look(), now, marks: &self.marks }
    }

    /// Brings the screen in line with the world.
    fn settle(&mut self, now: Timestamp) {
        let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
        self.screen.settle(Cx { world: &self.world, look, now, marks: &self.marks }, self.body);
    }

    fn look(&self) -> Look<'_> {
        Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs }
    }

    /// New messages of the world become toasts.
    fn collect_messages(&mut self, now: Timestamp) {
        let mut fresh: Vec<Said> = Vec::new();
        for message in self.world.messages.iter().take(16) {
            if self.told.get(&message.text) != Some(&message.times) {
                fresh.push(Said { level: message.level, text: message.text.clone(), at: now, times: message.times });
            }
        }
        for said in fresh.into_iter().rev() {
            self.told.insert(said.text.clone(), said.times);
            self.said.retain(|old| old.text != said.text);
            self.said.push_front(said);
            self.said.truncate(8);
            self.dirty = true;
        }
    }

    /// What the screen needs although no key was pressed: asked after every frame.
    fn needs(&mut self, now: Timestamp) -> Vec<Wish> {
        let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
        let cx = Cx { world: &self.world, look, now, marks: &self.marks };
        let wishes = self.screen.wishes(cx);
        self.dirty |= wishes.again;
        wishes.intents.into_iter().map(Wish::Intend).collect()
    }

    /// Whether a frame is due: something that shows has moved, or the clock's second has.
    pub fn wants_frame(&self, now: Timestamp) -> bool {
        self.dirty || self.drawn != Some(self.drawable(now))
    }

    /// What a frame drawn now would show of the things that move by themselves.
    fn drawable(&self, now: Timestamp) -> Drawn {
        Drawn {
            revision: self.world.revision,
            second: now.millis() / 1_000,
            which_key: self.is_which_key_due(now),
            ready: matches!(&self.overlay, Some(Overlay::Preview(preview)) if preview.is_ready(now)),
        }
    }

    /// A chord was begun a while ago and not finished.
    fn is_which_key_due(&self, now: Timestamp) -> bool {
        !self.pending.is_empty() && self.pending_since.is_some_and(|at| now.since(at) >= frame::WHICH_KEY_AFTER)
    }
}
