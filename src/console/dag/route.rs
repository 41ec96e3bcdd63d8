//! Wires: in which track of a gutter the edges between two columns turn.
//!
//! Edges with the same targets share one net, so that ten needs of one job are one line with ten feet. Nets get tracks so that no two overlap
//! and lines that enter a row on the left turn off before another line comes in on that row, where that is possible. What does not fit into
//! six tracks shares the last one as a bus. Called by `build`; the picture draws what is decided here.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::place::{Placement, Trunk};
use super::scene::{Cell, Column, Edge};

const NARROWEST: usize = 4;
const WIDEST: usize = 8;
/// Room for the arrow and a space before the next column.
const ENTRY: usize = 2;

/// The space between two columns.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Gutter {
    pub width: usize,
    nets: Vec<Net>,
}

/// Lines that end in the same rows.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Net {
    left: Vec<usize>,
    right: Vec<usize>,
    turn: Option<Turn>,
}

/// Where a line changes its row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Turn {
    /// Distance from the left edge of the gutter.
    pub x: usize,
    /// Several nets share this track.
    pub is_bus: bool,
}

impl Gutter {
    /// Where the line from one row to another turns; `None` when it goes straight on.
    pub fn turn(&self, left: usize, right: usize) -> Option<Turn> {
        let net = self.nets.iter().find(|net| net.left.contains(&left) && net.right.contains(&right));
        net.and_then(|net| net.turn).filter(|_| left != right)
    }
}

/// Decides the tracks of all gutters.
pub(super) fn route(
    cells: &[Cell],
    edges: &[Edge],
    columns: &[Column],
    trunks: &[Trunk],
    placement: &mut Placement,
) -> Vec<Gutter> {
    let trunk_of: HashMap<usize, &Trunk> = trunks.iter().map(|trunk| (trunk.from, trunk)).collect();
    let mut pins: Vec<BTreeMap<usize, BTreeSet<usize>>> = vec![BTreeMap::new(); columns.len().saturating_sub(1)];
    for edge in edges.iter().filter(|edge| !edge.is_implied) {
        for (gutter, left, right) in steps(cells, edge, trunk_of.get(&edge.from).copied()) {
            if let Some(pins) = pins.get_mut(gutter) {
                pins.entry(left).or_default().insert(right);
            }
        }
    }
    let layers: Vec<usize> = columns.iter().map(|column| column.layer).collect();
    let between = layers.iter().copied().zip(layers.iter().copied().skip(1));
    pins.into_iter()
        .zip(between)
        .map(|(pins, sides)| {
            let known = placement.gutters.get(&sides).copied();
            let gutter = Gutter::lay(pins, known);
            placement.gutters.insert(sides, gutter.width);
            gutter
        })
        .collect()
}

/// The way of one edge: in each gutter that it passes, the row on the left and the row on the right.
pub(super) fn steps(cells: &[Cell], edge: &Edge, trunk: Option<&Trunk>) -> Vec<(usize, usize, usize)> {
    let Some((from, to)) = cells.get(edge.from).zip(cells.get(edge.to)) else { return Vec::new() };
    let row_at = |column: usize| {
        if column == from.column {
            Some(from.row)
        } else if column == to.column {
            Some(to.row)
        } else {
            trunk?.row_in(column)
        }
    };
    (from.column..to.column).filter_map(|column| Some((column, row_at(column)?, row_at(column + 1)?))).collect()
}

impl Gutter {
    fn lay(pins: BTreeMap<usize, BTreeSet<usize>>, known_width: Option<usize>) -> Self {
        let mut by_target: BTreeMap<BTreeSet<usize>, Vec<usize>> = BTreeMap::new();
        for (left, right) in pins {
            by_target.entry(right).or_default().push(left);
        }
        let mut nets: Vec<Net> = by_target
            .into_iter()
            .map(|(right, left)| Net { left, right: right.into_iter().collect(), turn: None })
            .collect();
        nets.sort_by_key(|net| (net.span(), net.left.clone()));
        let most = known_width.unwrap_or(WIDEST) - ENTRY;
        let tracks = assign(&nets, most);
        let used = tracks.iter().flatten().map(|(track, _)| track + 1).max().unwrap_or(0);
        let width = known_width.unwrap_or((used + ENTRY).clamp(NARROWEST, WIDEST));
        for (net, track) in nets.iter_mut().zip(tracks) {
            net.turn = track.map(|(track, is_bus)| Turn { x: width - ENTRY - used + track, is_bus });
        }
        Self { width, nets }
    }
}

impl Net {
    fn span(&self) -> (usize, usize) {
        let rows = || self.left.iter().chain(&self.right).copied();
        (rows().min().unwrap_or(0), rows().max().unwrap_or(0))
    }

    /// Must turn before `other` does: a line of `other` comes into a row that this net leaves.
    fn precedes(&self, other: &Self) -> bool {
        self.left.iter().any(|row| other.right.contains(row) && !self.right.contains(row))
    }
}

/// A track and whether it is shared, per net; `None` for nets that go straight on.
fn assign(nets: &[Net], most: usize) -> Vec<Option<(usize, bool)>> {
    let mut tracks: Vec<Option<(usize, bool)>> = vec![None; nets.len()];
    let mut open: Vec<usize> =
        nets.iter().enumerate().filter(|(_, net)| net.span().0 != net.span().1).map(|(at, _)| at).collect();
    while !open.is_empty() {
        let precedes = |a: usize, b: usize| nets.get(a).zip(nets.get(b)).is_some_and(|(a, b)| a.precedes(b));
        // In a circle of wishes one of them has to give way: the first.
        let ready = open.iter().position(|at| !open.iter().any(|other| other != at && precedes(*other, *at)));
        let at = open.remove(ready.unwrap_or(0));
        let Some(net) = nets.get(at) else { continue };
        let placed = || tracks.iter().enumerate().filter_map(|(other, track)| Some((other, (*track)?.0)));
        let first = placed().filter(|(other, _)| precedes(*other, at)).map(|(_, track)| track + 1).max().unwrap_or(0);
        let (top, bottom) = net.span();
        let is_free = |track: usize| {
            !placed().filter(|(_, other)| *other == track).any(|(other, _)| {
                nets.get(other).is_some_and(|other| other.span().0 <= bottom && top <= other.span().1)
            })
        };
        let track = (first..most).find(|track| is_free(*track)).or_else(|| (0..most).find(|track| is_free(*track)));
        let choice = track.map_or((most - 1, true), |track| (track, false));
        if choice.1 {
            for other in tracks.iter_mut().flatten().filter(|(track, _)| *track == most - 1) {
                other.1 = true;
            }
        }
        if let Some(slot) = tracks.get_mut(at) {
            *slot = Some(choice);
        }
    }
    tracks
}
