//! A scene: what is drawn of a graph, and where, before anybody chooses glyphs, colours or a file format.
//!
//! Made by `View`; read by the picture, the twins (text, JSON, Mermaid) and the DAG screen. Columns are layers, rows are screen rows of the
//! unzoomed picture. Cells are known by [`CellId`], never by number, to everybody outside this room.

use std::sync::Arc;
use std::time::Duration;

use crate::ci::{NeedsGraph, NodeIx, Problem, Status};
use crate::console::state::{Counts, JobState};

use super::minimap::Minimap;
use super::place::Trunk;
use super::route::Gutter;

/// Up to so many jobs, everything is drawn.
pub(super) const EVERYTHING: usize = 150;
/// Up to so many jobs, what a lens does not ask for is folded into groups; beyond, it is counts per layer.
pub(super) const FOLDED: usize = 1_500;
/// No lens draws more nodes.
pub(super) const MOST_NODES: usize = 300;

/// What a scene has to know of a job beyond its status and its needs.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Facts {
    /// How long it ran, runs, or will run.
    pub time: Option<Duration>,
    /// A short word where no time is shown, like the counts of a stack.
    pub note: Option<Arc<str>>,
    /// Why it failed, in a few words.
    pub cause: Option<Arc<str>>,
    /// It starts another pipeline.
    pub starts_pipeline: bool,
}

/// What a cell stands for. Survives new states and new topologies.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CellId {
    /// The job of this name.
    Node(Arc<str>),
    /// Jobs of one layer and state that wait for the same drawn jobs.
    Group { layer: usize, state: Option<JobState>, parents: Vec<Arc<str>> },
}

impl CellId {
    /// The job's name, for nodes.
    pub const fn job(&self) -> Option<&Arc<str>> {
        match self {
            Self::Node(name) => Some(name),
            Self::Group { .. } => None,
        }
    }
}

/// One thing in the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    pub id: CellId,
    pub column: usize,
    pub row: usize,
    /// Rows kept for it: two for a job that had a cause to show when the lens was opened.
    pub height: usize,
    /// `None` for ghosts.
    pub state: Option<JobState>,
    pub body: Body,
}

impl Cell {
    /// The node, unless it is a group.
    pub const fn node(&self) -> Option<&Node> {
        match &self.body {
            Body::Node(node) => Some(node),
            Body::Group { .. } => None,
        }
    }
}

/// What a cell shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Body {
    Node(Box<Node>),
    /// The names of its jobs, needs first.
    Group {
        jobs: Vec<Arc<str>>,
    },
}

/// A job in the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Node {
    /// Harmless and as short as it can be without meaning two nodes of this scene.
    pub label: String,
    pub status: Option<Status>,
    pub facts: Facts,
    pub blocks: usize,
    pub blocked_by: usize,
    pub is_critical: bool,
    /// How many unfinished jobs need it without being linked to it in the picture.
    pub beyond: usize,
}

/// A need in the picture; from and to are places in `Scene::cells`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Edge {
    pub from: usize,
    pub to: usize,
    pub is_optional: bool,
    pub is_critical: bool,
    /// Leads to a job that starts another pipeline.
    pub is_bridge: bool,
    /// Follows from other edges of the scene and is left out of the picture.
    pub is_implied: bool,
}

/// One layer in the picture.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Column {
    pub layer: usize,
    /// How many nodes are drawn.
    pub drawn: usize,
    /// Jobs of the layer that have a status, drawn or not.
    pub counts: Counts,
    pub ghosts: usize,
}

impl Column {
    /// How many jobs the layer has.
    pub fn total(&self) -> usize {
        self.counts.total() + self.ghosts
    }
}

/// What is drawn of a graph, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Scene {
    pub lens: &'static str,
    /// All jobs of the pipeline.
    pub total: usize,
    /// How many of them wait for a failure.
    pub blocked: usize,
    pub counts: Counts,
    pub ghosts: usize,
    pub columns: Vec<Column>,
    /// Sorted by column, then row.
    pub cells: Vec<Cell>,
    pub edges: Vec<Edge>,
    /// Rows of the picture.
    pub height: usize,
    /// Jobs that are neither drawn nor part of a group.
    pub hidden: usize,
    /// Those of the hidden that the lens is about, but has no room for.
    pub withheld: usize,
    pub problems: Vec<Problem>,
    /// The critical path, first job first, drawn or not.
    pub critical: Vec<Arc<str>>,
    /// How long that path takes from now.
    pub remaining: Duration,
    /// The place of the selected cell.
    pub selection: Option<usize>,
    pub minimap: Minimap,
    pub(super) trunks: Vec<Trunk>,
    pub(super) gutters: Vec<Gutter>,
}

impl Scene {
    /// Where a cell is, if it is in the scene.
    pub fn position(&self, id: &CellId) -> Option<usize> {
        self.cells.iter().position(|cell| cell.id == *id)
    }

    /// The selected cell.
    pub fn selected(&self) -> Option<&Cell> {
        self.cells.get(self.selection?)
    }

    /// Whether an edge touches the selection.
    pub(super) fn is_linked(&self, edge: &Edge) -> bool {
        self.selection.is_some_and(|at| edge.from == at || edge.to == at)
    }
}

/// The state that a job is shown in; `None` for a ghost.
pub(super) fn state_of(graph: &NeedsGraph, ix: NodeIx) -> Option<JobState> {
    let state = graph.state(ix);
    Some(JobState::of(state.status?, state.allow_failure, graph.is_blocked(ix)))
}
