//! The DAG screen: the needs graph of a pipeline through a lens, or the stacks of a parent pipeline.
//!
//! Holds what is presentation: lens, zoom, selection, window. Scene and picture come from `console::dag`; this screen asks for them in
//! `settle`, maps their roles to the theme's, and turns actions into moves and lenses.

mod draw;
mod footer;
mod source;
#[cfg(test)]
mod tests;
mod window;

use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::{Rect, Size};

use crate::ci::{JobId, PipelineId, Timestamp};
use crate::console::dag::{Body, Cell, CellId, Lens, Move, Picture, Scene, Style, View, Zoom};
use crate::console::effect::Focus;
use crate::console::registry::{ActionId, Scope};
use crate::console::text::clean;
use crate::tui::list::{copy_job, copy_pipeline};
use crate::tui::screen::{Ask, Cx, Place, Reaction, Screen, Selection};
use crate::tui::widgets::Pen;

use source::Source;
use window::Window;

/// How long after the selection vanished mutating keys are ignored.
const STARTLED: Duration = Duration::from_millis(300);
/// Below this width nodes are drawn narrow, unless the viewer chose a zoom.
const ROOMY: u16 = 100;

/// The screen of one graph.
#[derive(Debug)]
pub struct DagScreen {
    /// `None`: the newest parent, whichever that is when there is one.
    pipeline: Option<PipelineId>,
    /// To be selected as soon as it is known.
    wanted: Option<JobId>,
    view: View,
    /// The lens to return to from a search or a neighbourhood; `None` until the graph was seen.
    base: Option<Lens>,
    searched: String,
    /// What the viewer chose; else what suits the width.
    zoom: Option<Zoom>,
    usual_zoom: Zoom,
    selection: Option<CellId>,
    /// The job that is selected, as it was when last settled.
    selected_id: Option<JobId>,
    /// Where the selection was, for the case that it vanishes.
    stood: (usize, usize),
    startled: Option<Timestamp>,
    window: Window,
    /// What the graph had on the screen when it was last settled.
    room: Size,
    /// The arrows move the window on the minimap.
    on_map: bool,
    shown: Option<(Scene, Picture)>,
}

impl DagScreen {
    /// The graph of a pipeline, or of the newest parent, with a job selected.
    pub fn new(pipeline: Option<PipelineId>, job: Option<JobId>) -> Self {
        Self {
            pipeline,
            wanted: job,
            view: View::new(Lens::All),
            base: None,
            searched: String::new(),
            zoom: None,
            usual_zoom: Zoom::default(),
            selection: None,
            selected_id: None,
            stood: (0, 0),
            startled: None,
            window: Window::default(),
            room: Size::default(),
            on_map: false,
            shown: None,
        }
    }

    fn scene(&self) -> Option<&Scene> {
        self.shown.as_ref().map(|(scene, _)| scene)
    }

    fn selected_job(&self) -> Option<&Arc<str>> {
        self.selection.as_ref().and_then(CellId::job)
    }

    fn go(&mut self, step: Move) -> Reaction {
        let to = self.scene().and_then(|scene| scene.step(self.selection.as_ref(), step)).cloned();
        match (to, step) {
            (Some(to), _) => self.selection = Some(to),
            (None, Move::NextFailed | Move::PreviousFailed) => return Reaction::say("no other failure in the picture"),
            (None, _) => {}
        }
        Reaction::Done
    }

    fn go_far(&mut self, step: Move, times: usize) -> Reaction {
        for _ in 0..times {
            self.go(step);
        }
        Reaction::Done
    }

    fn open(&mut self, lens: Lens) -> Reaction {
        if !matches!(lens, Lens::Neighbours { .. } | Lens::Search { .. }) {
            self.base = Some(lens.clone());
            self.searched.clear();
        }
        self.view.open(lens);
        self.window = Window::default();
        Reaction::Done
    }

    fn open_neighbours(&mut self, change: i8) -> Reaction {
        let lens = match (self.view.lens(), self.selected_job()) {
            (Lens::Neighbours { of, up, down }, _) if change != 0 => {
                let hops = |n: u8| n.saturating_add_signed(change).clamp(1, 9);
                Lens::Neighbours { of: of.clone(), up: hops(*up), down: hops(*down) }
            }
            (_, Some(job)) => Lens::Neighbours { of: job.clone(), up: 1, down: 1 },
            (_, None) => return Reaction::say("select a job first: a neighbourhood needs a middle"),
        };
        self.open(lens)
    }

    /// Back to the lens before a search or a neighbourhood; false when none of those is open.
    fn leave_lens(&mut self) -> bool {
        let is_passing = matches!(self.view.lens(), Lens::Neighbours { .. } | Lens::Search { .. });
        if is_passing {
            self.open(self.base.clone().unwrap_or(Lens::All));
        }
        is_passing
    }

    /// Moves the window by half its size and selects the cell nearest to its middle.
    fn jump(&mut self, across: isize, along: isize) -> Reaction {
        self.on_map = true;
        let room = self.room;
        let Some((scene, picture)) = &self.shown else { return Reaction::Done };
        let half = |length: u16, by: isize| by * (isize::try_from(length / 2).unwrap_or(1).max(1));
        let x = self.window.x.saturating_add_signed(half(room.width, across)) + usize::from(room.width / 2);
        let y = self.window.y.saturating_add_signed(half(room.height, along)) + usize::from(room.height / 2);
        let distance = |cell: &&Cell| {
            let (column, row) = picture.place_of(cell);
            // A row of a terminal is about two columns high.
            (column + picture.cell_width() / 2).abs_diff(x) + 2 * row.abs_diff(y)
        };
        if let Some(cell) = scene.cells.iter().min_by_key(distance) {
            self.selection = Some(cell.id.clone());
        }
        Reaction::Done
    }

    fn enter(&self, cx: Cx<'_>) -> Reaction {
        let Ok(source) = Source::read(cx.world, self.pipeline) else { return Reaction::Done };
        match self.scene().and_then(Scene::selected).map(|cell| (&cell.id, cell.state)) {
            Some((CellId::Node(name), _)) => match (source.child(name), source.job(name)) {
                (Some(child), _) => Reaction::Go(Place::Dag { pipeline: Some(child), job: None }),
                (None, Some(job)) => Reaction::Go(Place::Job(job.id)),
                (None, None) => Reaction::say(format!("{} is not there yet", clean(name))),
            },
            Some((CellId::Group { .. }, Some(state))) => Reaction::Go(Place::Jobs {
                pipeline: Some(source.pipeline.pipeline.id),
                filter: format!("state:{}", state.name()),
            }),
            _ => Reaction::Done,
        }
    }

    fn up(&mut self, cx: Cx<'_>) -> Reaction {
        if self.leave_lens() {
            return Reaction::Done;
        }
        let parent = self.pipeline.and_then(|id| cx.world.pipeline(id)).and_then(|facts| facts.pipeline.parent);
        parent.map_or(Reaction::Back, |parent| Reaction::Go(Place::Dag { pipeline: Some(parent), job: None }))
    }

    fn explain(&self, cx: Cx<'_>) -> Reaction {
        let Ok(source) = Source::read(cx.world, self.pipeline) else { return Reaction::Done };
        let Some(ix) = self.selected_job().and_then(|name| source.graph.find(name)) else {
            return Reaction::say("a group: open it to see its jobs");
        };
        if source.job(source.graph.name(ix)).is_some() {
            // The app explains jobs that exist.
            return Reaction::Unhandled;
        }
        let name = clean(source.graph.name(ix));
        let roots: Vec<_> = source.graph.failed_roots(ix).into_iter().map(|root| source.graph.name(root)).collect();
        Reaction::say(match roots.as_slice() {
            [first, rest @ ..] => {
                let more = if rest.is_empty() { String::new() } else { format!(" and {} more", rest.len()) };
                format!("{name} waits for {}{more} to succeed", clean(first))
            }
            [] => format!("{name} was not seen yet"),
        })
    }

    fn copy(&self, action: ActionId, cx: Cx<'_>) -> Reaction {
        let Ok(source) = Source::read(cx.world, self.pipeline) else { return Reaction::Unhandled };
        let name = self.selected_job();
        let copied = match name.and_then(|name| source.job(name)) {
            Some(job) => copy_job(action, cx, job),
            None => {
                let child = name.and_then(|name| cx.world.pipeline(source.child(name)?));
                copy_pipeline(action, cx, child.unwrap_or(source.pipeline))
            }
        };
        copied.unwrap_or(Reaction::Unhandled)
    }

    /// The jobs that a cell stands for.
    fn jobs_of(&self, id: &CellId, source: &Source<'_>) -> Vec<JobId> {
        let job = |name: &Arc<str>| source.job(name).map(|job| job.id);
        match id {
            CellId::Node(name) => job(name).into_iter().collect(),
            CellId::Group { .. } => {
                let cell = self.scene().and_then(|scene| scene.cells.get(scene.position(id)?));
                match cell.map(|cell| &cell.body) {
                    Some(Body::Group { jobs }) => jobs.iter().filter_map(job).collect(),
                    _ => Vec::new(),
                }
            }
        }
    }

    fn mark(&self, cx: Cx<'_>, all: bool) -> Reaction {
        let Ok(source) = Source::read(cx.world, self.pipeline) else { return Reaction::Done };
        let jobs: Vec<JobId> = if all {
            let cells = self.scene().into_iter().flat_map(|scene| &scene.cells);
            cells.filter(|cell| cell.node().is_some()).flat_map(|cell| self.jobs_of(&cell.id, &source)).collect()
        } else {
            self.selection.iter().flat_map(|id| self.jobs_of(id, &source)).collect()
        };
        if jobs.is_empty() {
            return Reaction::say("nothing here can be marked");
        }
        let on = all || !jobs.iter().all(|job| cx.marks.contains(job));
        Reaction::Mark { jobs, on }
    }

    /// Chooses lens and selection the first time the graph is there, and again for a job that was asked for.
    fn begin(&mut self, source: &Source<'_>) {
        let wanted = self.wanted.and_then(|job| source.pipeline.jobs.value.get(job)).map(|job| job.name.clone());
        if let Some(name) = wanted {
            self.wanted = None;
            let broken = source.graph.find(&name).is_some_and(|ix| source.graph.state(ix).is_broken());
            self.selection = Some(CellId::Node(name.clone()));
            self.base = Some(Lens::opening(&source.graph));
            // The failing lens shows a failure anyway; any other job is shown among its neighbours.
            self.view.open(if broken { Lens::Failing } else { Lens::Neighbours { of: name, up: 1, down: 1 } });
        } else if self.base.is_none() && !source.graph.is_empty() {
            self.open(if source.is_parent() { Lens::All } else { Lens::opening(&source.graph) });
            // The worst trouble first: the failure that most jobs wait for.
            let broken = source.graph.nodes().filter(|ix| source.graph.state(*ix).is_broken());
            let worst = broken.max_by_key(|ix| (source.graph.blocks(*ix), std::cmp::Reverse(ix.index())));
            self.selection = worst.map(|ix| CellId::Node(source.graph.name(ix).clone()));
        }
    }

    /// Keeps the selection on something that is drawn.
    fn keep_selection(&mut self, scene: &mut Scene, now: Timestamp) {
        if let Some(cell) = scene.selected() {
            self.stood = (cell.column, cell.row);
            return;
        }
        let (column, row) = self.stood;
        let next = if self.selection.is_some() {
            self.startled = Some(now);
            let distance = |cell: &&Cell| (cell.column.abs_diff(column), cell.row.abs_diff(row));
            scene.cells.iter().min_by_key(distance).map(|cell| cell.id.clone())
        } else {
            scene.step(None, Move::Down).cloned()
        };
        scene.selection = next.as_ref().and_then(|id| scene.position(id));
        self.selection = next;
    }
}

impl Screen for DagScreen {
    fn scope(&self) -> Scope {
        Scope::Dag
    }

    fn place(&self) -> Place {
        Place::Dag { pipeline: self.pipeline, job: self.wanted.or(self.selected_id) }
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let Ok(source) = Source::read(cx.world, self.pipeline) else {
            self.shown = None;
            return;
        };
        self.pipeline = Some(source.pipeline.pipeline.id);
        self.begin(&source);
        let server_now = cx.server_now();
        let mut scene = self.view.scene(&source.graph, &|ix| source.facts(ix, server_now), self.selection.as_ref());
        self.keep_selection(&mut scene, cx.now);
        self.usual_zoom = match (source.is_parent(), area.width < ROOMY) {
            // There are two columns only, and counts to show.
            (true, _) => Zoom::default().wider(),
            (false, true) => Zoom::NARROW,
            (false, false) => Zoom::default(),
        };
        let zoom = self.zoom.unwrap_or(self.usual_zoom);
        let picture = Picture::of(&scene, Style { zoom, ascii: cx.look.glyphs.is_ascii() });
        let selected = scene.selected().map(|cell| {
            let (x, y) = picture.place_of(cell);
            Rect::new(x as u16, y as u16, picture.cell_width() as u16, cell.height as u16)
        });
        self.room = draw::graph_room(cx, area, &source, &scene);
        self.window.follow(selected, &picture, self.room);
        self.selected_id = self.selected_job().and_then(|name| source.job(name)).map(|job| job.id);
        self.shown = Some((scene, picture));
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        draw::draw(self, cx, area, pen);
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        let page = usize::from(self.room.height).max(2);
        let on_map = std::mem::take(&mut self.on_map);
        match action {
            ActionId::ListLeft if on_map => self.jump(-1, 0),
            ActionId::ListRight if on_map => self.jump(1, 0),
            ActionId::ListUp if on_map => self.jump(0, -1),
            ActionId::ListDown if on_map => self.jump(0, 1),
            ActionId::ViewBack if on_map => Reaction::Done,
            ActionId::ListLeft => self.go(Move::Left),
            ActionId::ListRight => self.go(Move::Right),
            ActionId::ListUp => self.go(Move::Up),
            ActionId::ListDown => self.go(Move::Down),
            ActionId::ListHalfUp => self.go_far(Move::Up, page / 2),
            ActionId::ListHalfDown => self.go_far(Move::Down, page / 2),
            ActionId::ListPageUp => self.go_far(Move::Up, page),
            ActionId::ListPageDown => self.go_far(Move::Down, page),
            ActionId::ListTop => self.go_far(Move::Up, usize::from(u16::MAX)),
            ActionId::ListBottom => self.go_far(Move::Down, usize::from(u16::MAX)),
            ActionId::TroubleNext => self.go(Move::NextFailed),
            ActionId::TroublePrev => self.go(Move::PreviousFailed),
            ActionId::DagSource => self.go(Move::Source),
            ActionId::DagSink => self.go(Move::Sink),
            ActionId::DagFailing => self.open(Lens::Failing),
            ActionId::DagCritical => self.open(Lens::Critical),
            ActionId::DagRunning => self.open(Lens::Running),
            ActionId::DagAll => self.open(Lens::All),
            ActionId::DagNeighbours | ActionId::JobsDag => self.open_neighbours(0),
            ActionId::DagFewerHops => self.open_neighbours(-1),
            ActionId::DagMoreHops => self.open_neighbours(1),
            ActionId::DagHits | ActionId::ListFilter => {
                Reaction::Ask { what: Ask::Filter, text: self.searched.clone() }
            }
            ActionId::ListFilterClear => {
                self.leave_lens();
                Reaction::Done
            }
            ActionId::DagZoomIn | ActionId::DagZoomOut => {
                let zoom = self.zoom.unwrap_or(self.usual_zoom);
                self.zoom = Some(if action == ActionId::DagZoomIn { zoom.wider() } else { zoom.narrower() });
                Reaction::Done
            }
            ActionId::DagMinimap => {
                self.on_map = !on_map;
                Reaction::Done
            }
            ActionId::ListOpen | ActionId::JobsLog => self.enter(cx),
            ActionId::JobsExplain => self.explain(cx),
            ActionId::ListMark => self.mark(cx, false),
            ActionId::ListMarkVisible => self.mark(cx, true),
            ActionId::ViewBack => self.up(cx),
            // Already here; the app would go to the pipeline with the most trouble.
            ActionId::ScreenDag => Reaction::Done,
            _ => self.copy(action, cx),
        }
    }

    fn typed(&mut self, what: Ask, text: &str, done: bool, cx: Cx<'_>) -> Result<(), String> {
        if what != Ask::Filter {
            return Ok(());
        }
        text.clone_into(&mut self.searched);
        if text.trim().is_empty() {
            self.leave_lens();
            return Ok(());
        }
        let Ok(source) = Source::read(cx.world, self.pipeline) else { return Ok(()) };
        let hits = source.search(text, cx.now)?;
        if hits.is_empty() {
            return Err("no job of this graph matches".to_owned());
        }
        if done || hits.len() < source.graph.len() {
            self.selection = hits.first().cloned().map(CellId::Node);
            self.open(Lens::Search { hits });
        }
        Ok(())
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let Ok(source) = Source::read(cx.world, self.pipeline) else { return Selection::default() };
        let here = source.pipeline.pipeline.id;
        let jobs: Vec<JobId> = self.selection.iter().flat_map(|id| self.jobs_of(id, &source)).collect();
        let child = self.selected_job().filter(|_| source.is_parent()).and_then(|name| source.child(name));
        // Without a job, an action on the pipeline would mean all its failures: only a stack is meant that way.
        let pipeline = if source.is_parent() { Some(child.unwrap_or(here)) } else { None };
        Selection { jobs, pipeline, ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus { pipeline: self.pipeline, ..Focus::default() }
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.startled.is_some_and(|at| now.since(at) < STARTLED)
    }
}
