//! What every screen is: it draws itself from what is known, reacts to actions, and says what is selected. A screen holds presentation state
//! only (cursor, folds, lens); facts live in the `World`, and nothing here sends anything.

use std::collections::BTreeSet;
use std::sync::Arc;

use ratatui::layout::Rect;

use super::theme::Role;
use super::widgets::{Look, Pen};
use crate::ci::{JobId, PipelineId, Timestamp};
use crate::console::actions::{Object, PlanId};
use crate::console::caches::{RootId, SpecId};
use crate::console::effect::Focus;
use crate::console::event::Intent;
use crate::console::registry::{ActionId, Scope};
use crate::console::world::World;
use crate::fleet::Uid;

/// What a screen may read while it draws or reacts.
#[derive(Clone, Copy)]
pub struct Cx<'a> {
    pub world: &'a World,
    pub look: Look<'a>,
    pub now: Timestamp,
    /// Marked jobs, on whatever screen they were marked.
    pub marks: &'a BTreeSet<JobId>,
}

impl Cx<'_> {
    /// The server's clock: ages of remote things are counted by it.
    pub fn server_now(&self) -> Timestamp {
        self.world.server_time(self.now)
    }
}

/// A place one can go to, bookmark, and come back to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    Overview,
    Pipelines,
    /// The graph of a pipeline, or of a parent's stacks, with a job selected.
    Dag {
        pipeline: Option<PipelineId>,
        job: Option<JobId>,
    },
    /// All jobs, or those of one tree, that pass a filter.
    Jobs {
        pipeline: Option<PipelineId>,
        filter: String,
    },
    /// One job with its log.
    Job(JobId),
    Errors,
    /// The mirrors of binary caches, with the cursor on a root.
    Caches {
        root: Option<RootId>,
    },
    /// Inside one root, or one of its specs.
    Cache {
        root: RootId,
        spec: Option<SpecId>,
    },
    /// Runners, nodes and pods, with the cursor on the pod of a job.
    Fleet {
        job: Option<JobId>,
        filter: String,
    },
    /// Alerts that pass a filter.
    Alerts {
        filter: String,
    },
    /// Pull requests on their way to GitLab and back.
    Pulls,
    Loops,
    Audit,
    Messages,
    /// A room that is not furnished yet; the text says what will be there.
    Later(&'static str),
}

/// What a screen's selection acts on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Selection {
    /// Jobs under the cursor: one row, or all that a group row stands for.
    pub jobs: Vec<JobId>,
    pub pipeline: Option<PipelineId>,
    pub plan: Option<PlanId>,
    /// The jobs were not chosen one by one, but share a cause.
    pub is_group: bool,
    /// What of the fleet the row stands for: a runner, a node, a pod with its node, an alert that can be silenced.
    pub objects: Vec<Object>,
}

/// The line that a screen wants typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// The filter grammar.
    Filter,
    /// Plain text in a log.
    Search,
    /// A pattern that log lines must match.
    Only,
    /// A pattern that log lines must not match.
    Without,
    /// A note to an acknowledgement, which begins with how long it holds: `1h looks at uo-19`.
    Note,
    /// The same for a silence.
    Silence,
}

/// What a row of the fleet stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FleetId {
    /// An architecture.
    Group(Arc<str>),
    /// A runner by its description.
    Runner(Arc<str>),
    /// A node, below a runner.
    Node(Arc<str>, Arc<str>),
    Pod(Uid),
    /// All nodes without jobs.
    Idle,
    IdleNode(Arc<str>),
}

/// What is explained.
#[derive(Debug, Clone)]
pub enum Explained {
    /// A job: told anew in every frame, since more becomes known of it while one reads.
    Job(JobId),
    /// A spec of a cache root: told anew as well.
    Spec(RootId, SpecId),
    /// A row of the fleet: told anew, since countdowns run.
    Fleet(FleetId),
    /// What the screen said when it was asked.
    Told(Vec<(String, Role)>),
}

/// What a screen answers to an action.
#[derive(Debug, Clone)]
pub enum Reaction {
    /// Not mine: the app may know it.
    Unhandled,
    /// Done; draw again.
    Done,
    Go(Place),
    /// One level up; the app goes back in its history when the screen has no level.
    Back,
    Mark {
        jobs: Vec<JobId>,
        on: bool,
    },
    Ask {
        what: Ask,
        text: String,
    },
    Say {
        error: bool,
        text: String,
    },
    /// Says why something is as it is, in lines that can be scrolled.
    Explain(Explained),
    /// Goes to the clipboard; the text says what was copied.
    Copy {
        text: String,
        what: String,
    },
    Intend(Intent),
    /// Opens the command line with this on it; Enter runs it.
    Command(String),
    All(Vec<Reaction>),
}

impl Reaction {
    /// A note for the toast row.
    pub fn say(text: impl Into<String>) -> Self {
        Self::Say { error: false, text: text.into() }
    }

    /// An error for the toast row.
    pub fn complain(text: impl Into<String>) -> Self {
        Self::Say { error: true, text: text.into() }
    }
}

/// What a screen needs although no key was pressed.
#[derive(Debug, Clone, Default)]
pub struct Wishes {
    pub intents: Vec<Intent>,
    /// It has more work to do: settle and draw again soon, even if nothing changed.
    pub again: bool,
}

/// One screen.
pub trait Screen {
    /// The innermost scope of keys.
    fn scope(&self) -> Scope;

    /// Where this is, for history, bookmarks and crumbs.
    fn place(&self) -> Place;

    /// Brings presentation state in line with the world: rows come and go, the cursor stays on its identity. Called before every draw and
    /// after every action, with the area that the body has.
    fn settle(&mut self, cx: Cx<'_>, area: Rect);

    /// What it needs now. Asked after every settle; an intent is wished for once.
    fn wishes(&mut self, _cx: Cx<'_>) -> Wishes {
        Wishes::default()
    }

    /// Draws the body, borders included.
    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>);

    /// Reacts to an action.
    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction;

    /// Reacts to a line being typed; `done` when it was accepted. An error is shown beside the prompt.
    fn typed(&mut self, _what: Ask, _text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        Ok(())
    }

    /// What actions would act on when nothing is marked.
    fn selection(&self, cx: Cx<'_>) -> Selection;

    /// The lines of logs that stand for what the cursor is on: what a rule would be made of.
    fn lines(&self, _cx: Cx<'_>) -> Vec<String> {
        Vec::new()
    }

    /// The class of failures that the cursor is on, and the signature when it is on one.
    fn failures(&self, _cx: Cx<'_>) -> Option<(Arc<str>, Option<Arc<str>>)> {
        None
    }

    /// What should be read first and more often while this screen shows.
    fn focus(&self, cx: Cx<'_>) -> Focus;

    /// True for 300 ms after the row under the cursor vanished: mutating keys are ignored then.
    fn is_startled(&self, _now: Timestamp) -> bool {
        false
    }
}
