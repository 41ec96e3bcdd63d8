//! Fleet: architecture ▸ runner ▸ node ▸ pod: how full, what waits, what is sick, what it costs. A pod opens its job.

mod explain;
mod rows;
mod sources;
mod visible;

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use crate::ci::{JobId, Timestamp};
use crate::console::actions::{InCluster, Object};
use crate::console::effect::Focus;
use crate::console::fleet::Tree;
use crate::console::registry::{ActionId, Scope};
use crate::console::state::JobState;
use crate::fleet::Uid;
use crate::tui::list::List;
use crate::tui::screen::{Ask, Cx, Explained, FleetId, Place, Reaction, Screen, Selection};
use crate::tui::screens::filtered::{Filtered, Order};
use crate::tui::widgets::{Panel, Pen, Table, empty};

pub use explain::explain as explain_fleet;
pub use sources::{ages, state_of};

/// What groups are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// The longest waits of the most jobs first.
    #[default]
    Pressure,
    Fails,
    Cost,
    Idle,
    Name,
}

impl Order for Sort {
    const ALL: &'static [Self] = &[Self::Pressure, Self::Fails, Self::Cost, Self::Idle, Self::Name];

    fn word(self) -> &'static str {
        match self {
            Self::Pressure => "pressure",
            Self::Fails => "fail %",
            Self::Cost => "cost",
            Self::Idle => "idle",
            Self::Name => "name",
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct FleetScreen {
    filtered: Filtered<Sort>,
    tree: Tree,
    unfolded: BTreeSet<Fold>,
    list: List<FleetId>,
    /// The job whose pod the cursor goes to as soon as it is known.
    wanted: Option<JobId>,
    has_begun: bool,
    /// Rows are worked out anew when the world moved, or what narrows, orders and folds them.
    worked_out: Option<(u64, u64, usize)>,
}

/// A row that can be opened.
type Fold = (u8, std::sync::Arc<str>, std::sync::Arc<str>);

/// The key under which a row is remembered as open.
pub(super) fn fold(id: &FleetId) -> Option<Fold> {
    let none = || std::sync::Arc::<str>::from("");
    match id {
        FleetId::Group(name) => Some((0, name.clone(), none())),
        FleetId::Runner(name) => Some((1, name.clone(), none())),
        FleetId::Node(runner, node) => Some((2, runner.clone(), node.clone())),
        FleetId::Idle => Some((3, none(), none())),
        FleetId::Pod(_) | FleetId::IdleNode(_) => None,
    }
}

impl FleetScreen {
    /// Opens the list, narrowed by a filter, with the cursor on the pod of a job.
    pub fn new(job: Option<JobId>, filter: &str) -> Self {
        let mut screen = Self { wanted: job, ..Self::default() };
        // One that cannot be read narrows nothing, and the title shows it.
        let _ = screen.filtered.typed(filter);
        screen
    }

    fn work_out(&mut self, cx: Cx<'_>, area: Rect) {
        let now = (cx.world.revision, self.filtered.changes(), self.unfolded.len());
        let rows = parts(cx, area).0;
        if self.worked_out == Some(now) {
            self.list.resettle(rows, cx.now);
            return;
        }
        self.worked_out = Some(now);
        self.tree = Tree::of(cx.world, cx.now);
        visible::order(&mut self.tree, self.filtered.sort, self.filtered.is_reversed);
        // The worst group is open at first.
        if let (false, Some(first)) = (self.has_begun, self.tree.groups.first()) {
            self.unfolded.extend(fold(&FleetId::Group(first.name.clone())));
            self.has_begun = true;
        }
        if let Some(uid) = self.wanted.and_then(|job| pod_of(cx, job)) {
            let path = visible::path(&self.tree, &uid);
            if !path.is_empty() {
                self.unfolded.extend(path.iter().filter_map(fold));
                self.list.choose(FleetId::Pod(uid));
                self.wanted = None;
            }
        }
        let ids = visible::ids(cx, &self.tree, self.filtered.filter(), &self.unfolded);
        self.list.settle(ids, rows, cx.now);
    }

    fn is_open(&self, id: &FleetId) -> bool {
        !self.filtered.filter().is_empty() || fold(id).is_some_and(|fold| self.unfolded.contains(&fold))
    }

    fn set_open(&mut self, id: &FleetId, is_open: bool) -> Reaction {
        if let Some(fold) = fold(id) {
            if is_open {
                self.unfolded.insert(fold);
            } else {
                self.unfolded.remove(&fold);
            }
            self.worked_out = None;
            self.list.choose(id.clone());
        }
        Reaction::Done
    }

    fn open(&mut self, cx: Cx<'_>, id: &FleetId) -> Reaction {
        if let FleetId::Pod(uid) = id {
            return open_job(cx, uid);
        }
        match fold(id) {
            Some(_) => {
                let is_open = self.is_open(id);
                self.set_open(id, !is_open)
            }
            None => Reaction::Explain(Explained::Fleet(id.clone())),
        }
    }
}

/// What can be acted on: the thing itself, and what it stands on.
fn objects_of(cx: Cx<'_>, id: &FleetId) -> Vec<Object> {
    let fleet = &cx.world.fleet.objects;
    let node = |name: &str| {
        let node = fleet.node(name)?;
        Some(Object::Node(InCluster { namespace: "".into(), name: node.name.clone(), uid: node.uid.0.clone() }))
    };
    match id {
        FleetId::Runner(name) => fleet.runner_named(name).map(|runner| Object::Runner(runner.id)).into_iter().collect(),
        FleetId::Node(_, name) | FleetId::IdleNode(name) => node(name).into_iter().collect(),
        FleetId::Pod(uid) => {
            let Some(pod) = fleet.pod(uid) else { return Vec::new() };
            let (namespace, name, uid) = (pod.namespace.clone(), pod.name.clone(), pod.uid.0.clone());
            let below = pod.node.as_deref().and_then(node);
            [Object::Pod(InCluster { namespace, name, uid })].into_iter().chain(below).collect()
        }
        FleetId::Group(_) | FleetId::Idle => Vec::new(),
    }
}

fn pod_of(cx: Cx<'_>, job: JobId) -> Option<Uid> {
    cx.world.fleet.objects.pods_of_job(job).first().map(|pod| pod.uid.clone())
}

fn open_job(cx: Cx<'_>, uid: &Uid) -> Reaction {
    let Some(pod) = cx.world.fleet.objects.pod(uid) else { return Reaction::say("this pod is gone") };
    let place = cx.world.fleet.place_of_pod(pod);
    match (place.job.found(), place.job.gap()) {
        (Some(job), _) if cx.world.job(*job).is_some() => Reaction::Go(Place::Job(*job)),
        (Some(job), _) => Reaction::say(format!("job {job} is in no pipeline that is followed; `y i` copies its id")),
        (None, Some(gap)) => Reaction::say(format!("no job to open: {gap}")),
        (None, None) => Reaction::Done,
    }
}

impl Screen for FleetScreen {
    fn scope(&self) -> Scope {
        Scope::Fleet
    }

    fn place(&self) -> Place {
        Place::Fleet { job: self.wanted, filter: self.filtered.text().to_owned() }
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        self.work_out(cx, area);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let (rows, footer) = parts(cx, area);
        let problem = sources::problem(cx);
        let narrowed = format!("group:arch  {}", self.filtered.narrowed());
        let title = rows::title(&self.tree);
        let worst = sources::worst(cx);
        let panel = Panel { title: &title, narrowed: &narrowed, ..panel(area, problem.as_ref(), worst) };
        panel.draw(pen, area);
        if self.list.ids().is_empty() {
            if cx.world.fleet.sources.is_empty() {
                sources::how_to_configure(pen, rows);
            } else {
                let (why, widen) = sources::calm(cx, self.filtered.text());
                empty(pen, rows, &why, widen);
            }
        } else {
            let table = Table {
                columns: rows::COLUMNS,
                cursor: self.list.cursor_on_screen(),
                is_startled: self.list.is_startled(cx.now),
                is_dim: panel.is_dim(),
            };
            let shown = self.list.visible().iter();
            table.draw(
                pen,
                rows,
                shown.filter_map(|id| rows::row(cx, &self.tree, id, self.is_open(id), self.filtered.filter())),
            );
        }
        if let Some(line) = footer {
            sources::footer(cx, line, pen);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) || self.filtered.act(action) {
            return Reaction::Done;
        }
        let Some(id) = self.list.id().cloned() else {
            return match action {
                ActionId::ListFilter => self.filtered.ask(),
                ActionId::ListLeft => Reaction::Back,
                _ => Reaction::Unhandled,
            };
        };
        match action {
            ActionId::ListOpen => self.open(cx, &id),
            ActionId::ListRight if matches!(id, FleetId::Pod(_)) => self.open(cx, &id),
            ActionId::ListRight => self.set_open(&id, true),
            ActionId::ListLeft => {
                let is_open = fold(&id).is_some_and(|fold| self.unfolded.contains(&fold));
                match (is_open, visible::parent(&self.tree, &id)) {
                    (true, _) => self.set_open(&id, false),
                    (false, Some(parent)) => self.set_open(&parent, false),
                    (false, None) => Reaction::Back,
                }
            }
            ActionId::ListFilter => self.filtered.ask(),
            ActionId::JobsExplain => Reaction::Explain(Explained::Fleet(id)),
            ActionId::JobsLog => self.open(cx, &id),
            ActionId::JobsPod => Reaction::say("this is the fleet; RET opens the job of a pod"),
            ActionId::TroubleNext | ActionId::TroublePrev => {
                let is_bad =
                    |id: &FleetId| matches!(rows::state(cx, &self.tree, id), Some(JobState::Fail | JobState::Warn));
                if self.list.seek(action == ActionId::TroubleNext, is_bad) {
                    Reaction::Done
                } else {
                    Reaction::say("no other row here with something wrong")
                }
            }
            ActionId::CopyId => {
                let (text, what) = match &id {
                    FleetId::Group(name) | FleetId::Runner(name) => (name.to_string(), "name"),
                    FleetId::Node(_, name) | FleetId::IdleNode(name) => (name.to_string(), "node"),
                    FleetId::Idle => return Reaction::Done,
                    FleetId::Pod(uid) => match cx.world.fleet.objects.pod(uid) {
                        Some(pod) => match pod.says.job {
                            Some(job) => (job.to_string(), "job id"),
                            None => (pod.name.to_string(), "pod"),
                        },
                        None => return Reaction::Done,
                    },
                };
                Reaction::Copy { text, what: what.to_owned() }
            }
            _ => Reaction::Unhandled,
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        self.filtered.typed(text)
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let pod = match self.list.id() {
            Some(FleetId::Pod(uid)) => cx.world.fleet.objects.pod(uid),
            _ => None,
        };
        let job = pod.and_then(|pod| pod.says.job).filter(|job| cx.world.job(*job).is_some());
        let pipeline = job.and_then(|job| cx.world.home(job)).map(|facts| facts.pipeline.id);
        let objects = self.list.id().map_or_else(Vec::new, |id| objects_of(cx, id));
        Selection { jobs: job.into_iter().collect(), pipeline, objects, ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}

/// The frame, without its title.
fn panel<'a>(
    area: Rect,
    problem: Option<&'a (String, String)>,
    worst: Option<(&'static str, crate::console::fresh::Freshness)>,
) -> Panel<'a> {
    Panel {
        freshness: worst.map(|(_, fresh)| fresh),
        source: worst.map_or("", |(source, _)| source),
        problem: problem.map(|(what, remedy)| (what.as_str(), remedy.as_str())),
        is_focused: true,
        is_bare: area.height < 16,
        ..Panel::default()
    }
}

/// The rows, and the line about sources where there is room.
fn parts(cx: Cx<'_>, area: Rect) -> (Rect, Option<Rect>) {
    let problem = sources::problem(cx);
    let inside = panel(area, problem.as_ref(), None).inner(area);
    if inside.height < 6 || cx.world.fleet.sources.is_empty() {
        return (inside, None);
    }
    let rows = Rect { height: inside.height - 1, ..inside };
    (rows, Some(Rect { y: rows.bottom(), height: 1, ..inside }))
}
