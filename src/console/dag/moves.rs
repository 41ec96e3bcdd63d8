//! Steps of the selection through a scene: along edges, inside a layer, from failure to failure, to where a chain starts or ends.
//!
//! The DAG screen calls this with the id it has and gets the id to select. A step that leads nowhere gives `None`, and the selection stays.

use crate::console::state::JobState;

use super::scene::{Cell, CellId, Edge, Scene};

/// One step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Move {
    /// To what the job needs.
    Left,
    /// To what needs the job.
    Right,
    Up,
    Down,
    /// The next failure as one reads, around the end.
    NextFailed,
    PreviousFailed,
    /// To the start of the chain.
    Source,
    /// To the end of the chain.
    Sink,
}

impl Scene {
    /// The cell that a step from `from` leads to. Without a selection, any step leads to the first failure, or else to the first cell.
    pub fn step(&self, from: Option<&CellId>, step: Move) -> Option<&CellId> {
        let to = match from.and_then(|id| self.position(id)) {
            None => self.failures().next().or_else(|| (!self.cells.is_empty()).then_some(0)),
            Some(at) => match step {
                Move::Left => self.along(at, false).or_else(|| self.beside(at, false)),
                Move::Right => self.along(at, true).or_else(|| self.beside(at, true)),
                Move::Up => at.checked_sub(1).filter(|to| self.column_of(*to) == self.column_of(at)),
                Move::Down => Some(at + 1).filter(|to| self.column_of(*to) == self.column_of(at)),
                Move::NextFailed => self.failures().find(|to| *to > at).or_else(|| self.failures().find(|to| *to < at)),
                Move::PreviousFailed => {
                    let before = self.failures().filter(|to| *to < at).last();
                    before.or_else(|| self.failures().filter(|to| *to > at).last())
                }
                Move::Source => self.follow(at, false),
                Move::Sink => self.follow(at, true),
            },
        };
        to.and_then(|to| self.cells.get(to)).map(|cell| &cell.id)
    }

    /// Failed nodes in the order in which one reads: column by column, from the top.
    fn failures(&self) -> impl Iterator<Item = usize> + '_ {
        let failed = |(_, cell): &(usize, &Cell)| cell.state == Some(JobState::Fail) && cell.node().is_some();
        self.cells.iter().enumerate().filter(failed).map(|(at, _)| at)
    }

    fn column_of(&self, at: usize) -> Option<usize> {
        self.cells.get(at).map(|cell| cell.column)
    }

    /// Along the edge that matters most: to a failure, then on the critical path, then a drawn one, then to the nearest row.
    fn along(&self, at: usize, rightwards: bool) -> Option<usize> {
        let here = self.cells.get(at)?;
        let ends = |edge: &Edge| if rightwards { (edge.from, edge.to) } else { (edge.to, edge.from) };
        let choices = self.edges.iter().filter(|edge| ends(edge).0 == at);
        choices
            .filter_map(|edge| {
                let to = ends(edge).1;
                let cell = self.cells.get(to)?;
                let calm = cell.state != Some(JobState::Fail);
                let distance = (cell.column.abs_diff(here.column), cell.row.abs_diff(here.row));
                Some(((calm, !edge.is_critical, edge.is_implied, distance, to), to))
            })
            .min()
            .map(|(_, to)| to)
    }

    /// Without an edge: the nearest cell of the next column.
    fn beside(&self, at: usize, rightwards: bool) -> Option<usize> {
        let here = self.cells.get(at)?;
        let column = if rightwards { here.column + 1 } else { here.column.checked_sub(1)? };
        let beside = self.cells.iter().enumerate().filter(|(_, cell)| cell.column == column);
        beside.min_by_key(|(_, cell)| (cell.row.abs_diff(here.row), cell.row)).map(|(to, _)| to)
    }

    fn follow(&self, at: usize, rightwards: bool) -> Option<usize> {
        // Every step changes the column in one direction, so this ends.
        std::iter::successors(self.along(at, rightwards), |to| self.along(*to, rightwards)).last()
    }
}
