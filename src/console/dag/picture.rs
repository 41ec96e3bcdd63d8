//! Draws a scene into canvases: a heading row that stays when the body scrolls, and the body with cells and wires.
//!
//! The DAG screen and the text twin call it with a zoom and the choice of Unicode or ASCII. It decides characters only; where things stand
//! was decided by `place` and `route`, except that zoom sets the width of a cell.

use std::collections::{HashMap, HashSet};

use crate::ci::precise;
use crate::console::state::JobState;
use crate::console::text::{ascii, cut_middle, width};

use super::canvas::{Canvas, Role};
use super::place::Trunk;
use super::route::{Turn, steps};
use super::scene::{Body, Cell, Edge, Node, Scene};
use wires::{Weight, Wires};

mod wires;

/// A name is not cut shorter than this to make room for what stands beside it.
const LEAST_NAME: usize = 8;

/// How wide nodes are drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Zoom(usize);

impl Default for Zoom {
    fn default() -> Self {
        Self(2)
    }
}

impl Zoom {
    const WIDTHS: [usize; 4] = [1, 14, 18, 24];

    /// The zoom for a narrow screen.
    pub const NARROW: Self = Self(1);

    /// One step wider.
    pub fn wider(self) -> Self {
        Self((self.0 + 1).min(Self::WIDTHS.len() - 1))
    }

    /// One step narrower, down to one glyph per node.
    pub fn narrower(self) -> Self {
        Self(self.0.saturating_sub(1))
    }

    /// Columns of a node.
    pub fn cell_width(self) -> usize {
        Self::WIDTHS.get(self.0).copied().unwrap_or(1)
    }
}

/// How a scene is drawn.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Style {
    pub zoom: Zoom,
    pub ascii: bool,
}

/// The glyph of a state, narrow in every locale; `None` is a job that is not created or not loaded.
pub const fn glyph(state: Option<JobState>, ascii: bool) -> char {
    let (symbol, plain) = match state {
        Some(JobState::Ok) => ('✓', '+'),
        Some(JobState::Fail) => ('✗', 'X'),
        Some(JobState::Warn) => ('!', '!'),
        Some(JobState::Run) => ('▸', '>'),
        Some(JobState::Wait) => ('⋯', '.'),
        Some(JobState::Blocked) => ('∘', 'o'),
        Some(JobState::Cancel) => ('⊘', '-'),
        Some(JobState::Skip) => ('↷', 's'),
        Some(JobState::Manual) => ('⊡', 'm'),
        Some(JobState::Unknown) => ('?', '?'),
        None => ('·', '~'),
    };
    if ascii { plain } else { symbol }
}

/// What a group says of its jobs.
pub const fn group_word(state: Option<JobState>) -> &'static str {
    match state {
        Some(JobState::Ok) => "done",
        Some(JobState::Fail) => "failed",
        Some(JobState::Warn) => "allowed",
        Some(JobState::Run) => "running",
        Some(JobState::Wait) => "pending",
        Some(JobState::Blocked) => "blocked",
        Some(JobState::Cancel) => "canceled",
        Some(JobState::Skip) => "skipped",
        Some(JobState::Manual) => "manual",
        Some(JobState::Unknown) => "unknown",
        None => "not seen",
    }
}

/// A drawn scene.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Picture {
    /// One row: the name of each layer over its column.
    pub heading: Canvas,
    pub body: Canvas,
    /// Where each column of the scene starts.
    columns: Vec<usize>,
    cell_width: usize,
}

impl Picture {
    /// Draws a scene.
    pub fn of(scene: &Scene, style: Style) -> Self {
        let cell_width = style.zoom.cell_width();
        let mut columns = Vec::with_capacity(scene.columns.len());
        let mut x = 0;
        for at in 0..scene.columns.len() {
            columns.push(x);
            x += cell_width + scene.gutters.get(at).map_or(0, |gutter| gutter.width);
        }
        let mut picture = Self { heading: Canvas::new(x, 1), body: Canvas::new(x, scene.height), columns, cell_width };
        picture.write_heading(scene, style);
        picture.draw_wires(scene, style);
        picture.draw_cells(scene, style);
        picture
    }

    /// Where a cell of the scene was drawn: column and row in the body.
    pub fn place_of(&self, cell: &Cell) -> (usize, usize) {
        (self.columns.get(cell.column).copied().unwrap_or(0), cell.row)
    }

    /// The width that a node was drawn in.
    pub fn cell_width(&self) -> usize {
        self.cell_width
    }

    /// The start of the first column that begins at `x` or later; `x` itself behind the last one.
    pub fn column_from(&self, x: usize) -> usize {
        self.columns.iter().copied().find(|start| *start >= x).unwrap_or(x)
    }

    /// The scene's columns that lie, at least in part, in a window of the body.
    pub fn columns_in(&self, window: std::ops::Range<usize>) -> std::ops::Range<usize> {
        let first = self.columns.partition_point(|x| x + self.cell_width <= window.start);
        first..self.columns.partition_point(|x| *x < window.end).max(first)
    }

    fn write_heading(&mut self, scene: &Scene, style: Style) {
        for (at, (column, x)) in scene.columns.iter().zip(&self.columns).enumerate() {
            let room = self.cell_width + scene.gutters.get(at).map_or(0, |gutter| gutter.width.saturating_sub(1));
            let name = if self.cell_width > 1 { format!("stage-{}", column.layer) } else { column.layer.to_string() };
            let name = if self.cell_width > 1 && column.drawn < column.total() {
                format!("{name}  {} of {}", column.drawn, column.total())
            } else {
                name
            };
            self.heading.write(*x, 0, &cut(&name, room, style), Role::Heading);
        }
    }

    fn draw_wires(&mut self, scene: &Scene, style: Style) {
        let mut wires = Wires::new(self.body.width(), self.body.height());
        let trunks: HashMap<usize, &Trunk> = scene.trunks.iter().map(|trunk| (trunk.from, trunk)).collect();
        let mut edges: Vec<(&Edge, Weight, Role)> = scene
            .edges
            .iter()
            .filter(|edge| !edge.is_implied)
            .map(|edge| {
                let weight = match edge {
                    Edge { is_critical: true, .. } => Weight::Heavy,
                    Edge { is_bridge: true, .. } => Weight::Double,
                    Edge { is_optional: true, .. } => Weight::Dashed,
                    _ => Weight::Light,
                };
                let role = if scene.is_linked(edge) {
                    Role::Linked
                } else if edge.is_critical {
                    Role::Critical
                } else {
                    Role::Edge
                };
                (edge, weight, role)
            })
            .collect();
        edges.sort_by_key(|(_, weight, role)| (*role, *weight));
        for (edge, weight, role) in edges {
            self.draw_edge(scene, edge, trunks.get(&edge.from).copied(), weight, role, &mut wires);
        }
        wires.print(&mut self.body, style.ascii);
    }

    fn draw_edge(
        &self,
        scene: &Scene,
        edge: &Edge,
        trunk: Option<&Trunk>,
        weight: Weight,
        role: Role,
        wires: &mut Wires,
    ) {
        let in_bus = trunk.is_some_and(|trunk| trunk.is_bus);
        for (gutter, left, right) in steps(&scene.cells, edge, trunk) {
            let Some((column, next)) = self.columns.get(gutter).zip(self.columns.get(gutter + 1)) else { return };
            // The line starts at the left edge of the column, under the cell's text or along the row it passes on.
            let (start, begin) = (*column, column + self.cell_width);
            let is_last = scene.cells.get(edge.to).is_some_and(|cell| cell.column == gutter + 1);
            let end = if is_last { next.saturating_sub(2) } else { *next };
            let turn = scene.gutters.get(gutter).and_then(|gutter| gutter.turn(left, right));
            let lane_bus = in_bus && trunk.is_some_and(|trunk| trunk.row_in(gutter) == Some(left));
            match turn {
                None => wires.across(start, end, left, weight, role, lane_bus),
                Some(Turn { x, is_bus }) => {
                    wires.across(start, begin + x, left, weight, role, lane_bus);
                    wires.down(begin + x, left, right, weight, role, is_bus);
                    wires.across(begin + x, end, right, weight, role, false);
                }
            }
            if is_last {
                wires.arrow(end, right, role);
            }
        }
    }

    fn draw_cells(&mut self, scene: &Scene, style: Style) {
        let mut taken: HashSet<(usize, usize)> = HashSet::new();
        for cell in &scene.cells {
            taken.insert((cell.column, cell.row));
            taken.extend((1..cell.height).map(|more| (cell.column, cell.row + more)));
        }
        for trunk in &scene.trunks {
            taken.extend(trunk.rows.iter().enumerate().map(|(at, row)| (trunk.start + at, *row)));
        }
        for (at, cell) in scene.cells.iter().enumerate() {
            let is_selected = scene.selection == Some(at);
            self.draw_cell(cell, is_selected, style);
            let cause = cell.node().and_then(|node| node.facts.cause.as_deref());
            let is_told = is_selected || cell.state == Some(JobState::Fail);
            let has_room = cell.height > 1 || !taken.contains(&(cell.column, cell.row + 1));
            if let Some(cause) = cause.filter(|_| is_told && has_room && self.cell_width > 1) {
                let (x, y) = self.place_of(cell);
                let cause = cut(cause, self.cell_width - 2, style);
                self.body.write(x + 2, y + 1, &cause, Role::Detail);
            }
        }
    }

    /// Writes a cell over the line that starts under it. The line shows again after one space.
    fn draw_cell(&mut self, cell: &Cell, is_selected: bool, style: Style) {
        let (x, y) = self.place_of(cell);
        let symbol = glyph(cell.state, style.ascii);
        if self.cell_width == 1 {
            let role = if is_selected { Role::Cursor } else { Role::State(cell.state) };
            self.body.put(x, y, symbol, role);
            return;
        }
        let room = self.cell_width - if is_selected { 2 } else { 0 };
        let role = Role::State(cell.state);
        let mut end = match &cell.body {
            Body::Group { jobs } => {
                let text = cut(&format!("[{symbol} {} {}]", jobs.len(), group_word(cell.state)), room, style);
                let end = self.body.write(x, y, &text, Role::Group);
                self.body.put(x + 1, y, symbol, role);
                end
            }
            Body::Node(node) => {
                self.body.put(x, y, symbol, role);
                self.body.put(x + 1, y, ' ', role);
                let least = width(&node.label).min(LEAST_NAME);
                let side = side(node, style).filter(|side| width(side) + 3 + least <= room);
                let room = room - 2 - side.as_ref().map_or(0, |side| width(side) + 1);
                let role = if cell.state == Some(JobState::Fail) { role } else { Role::Label };
                let end = self.body.write(x + 2, y, &cut(&node.label, room, style), role);
                match side {
                    Some(side) => {
                        self.body.put(end, y, ' ', Role::Blank);
                        self.body.write(end + 1, y, &side, Role::Detail)
                    }
                    None => end,
                }
            }
        };
        if is_selected {
            self.body.put(end, y, ' ', Role::Blank);
            self.body.put(end + 1, y, if style.ascii { '<' } else { '▌' }, Role::Cursor);
            end += 2;
        }
        if end < x + self.cell_width {
            self.body.put(end, y, ' ', Role::Blank);
        }
    }
}

/// What stands beside the name: the time, else the caller's note, else how many more wait for it.
fn side(node: &Node, style: Style) -> Option<String> {
    let arrow = if style.ascii { '>' } else { '▸' };
    let beyond = || (node.beyond > 0).then(|| format!("{arrow}+{}", node.beyond));
    let note = || node.facts.note.as_deref().map(|note| harmless(note, style));
    node.facts.time.map(precise).or_else(note).or_else(beyond)
}

fn harmless(text: &str, style: Style) -> String {
    if style.ascii { ascii(text).into_owned() } else { crate::console::text::clean(text).into_owned() }
}

/// Makes foreign text harmless and short enough.
fn cut(text: &str, room: usize, style: Style) -> String {
    let short = cut_middle(&harmless(text, style), room).into_owned();
    if style.ascii { ascii(&short).into_owned() } else { short }
}
