//! Rows: where each cell stands in its column, and on which free rows the long edges pass.
//!
//! A cell that has a row keeps it as long as the lens is open, whatever happens to its job; a cell that comes later goes to the end of its
//! column. Only the first picture after a lens was opened is composed freely: cells in layout order, pushed down to the rows of what they
//! need where the column has room for that. Called by `build`.

use std::collections::HashMap;

use super::scene::{Cell, CellId, Column, Edge};

/// So many long edges pass a column on rows of their own; all further ones share one row below everything.
const MOST_LANES: usize = 6;

/// The rows and widths that a picture has given away, to be kept by the next one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Placement {
    /// By layer: rows (and how many) of everything that ever stood there, also when it is gone.
    rows: HashMap<usize, HashMap<Slot, (usize, usize)>>,
    /// Widths of the gutters, by the layers on both sides.
    pub(super) gutters: HashMap<(usize, usize), usize>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Slot {
    Cell(CellId),
    /// A row on which the long edges of one cell pass.
    Lane(CellId),
}

/// The common way of all edges of one cell that reach further than the next column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trunk {
    /// The cell that the edges come from.
    pub from: usize,
    /// The first column that is passed.
    pub start: usize,
    /// The row in each passed column.
    pub rows: Vec<usize>,
    /// Shares the lowest row with others.
    pub is_bus: bool,
}

impl Trunk {
    /// The row in one column, if the trunk passes it.
    pub fn row_in(&self, column: usize) -> Option<usize> {
        self.rows.get(column.checked_sub(self.start)?).copied()
    }
}

/// Gives every cell its row and every long edge its trunk; returns the trunks and the height of the picture.
pub(super) fn place(
    cells: &mut [Cell],
    edges: &[Edge],
    columns: &[Column],
    placement: &mut Placement,
) -> (Vec<Trunk>, usize) {
    let mut trunks = lay_trunks(cells, edges, columns.len());
    let trunk_of: HashMap<usize, usize> = trunks.iter().enumerate().map(|(at, trunk)| (trunk.from, at)).collect();
    let mut members: Vec<Vec<usize>> = vec![Vec::new(); columns.len()];
    for (at, cell) in cells.iter().enumerate() {
        if let Some(list) = members.get_mut(cell.column) {
            list.push(at);
        }
    }
    let mut parents: Vec<Vec<usize>> = vec![Vec::new(); cells.len()];
    for edge in edges.iter().filter(|edge| !edge.is_implied) {
        if let Some(list) = parents.get_mut(edge.to) {
            list.push(edge.from);
        }
    }
    let lanes_in = |trunks: &[Trunk], column: usize| -> Vec<usize> {
        let passes = |trunk: &Trunk| !trunk.is_bus && trunk.row_in(column).is_some();
        trunks.iter().enumerate().filter(|(_, trunk)| passes(trunk)).map(|(at, _)| at).collect()
    };
    let need = |column: usize| {
        let cells_need: usize =
            members.get(column).into_iter().flatten().filter_map(|at| Some(cells.get(*at)?.height)).sum();
        cells_need + lanes_in(&trunks, column).len()
    };
    let tallest = (0..columns.len()).map(need).max().unwrap_or(0);

    for (at, column) in columns.iter().enumerate() {
        let row_before = |from: usize, cells: &[Cell], trunks: &[Trunk]| {
            let cell = cells.get(from)?;
            let trunk = trunk_of.get(&from).and_then(|t| trunks.get(*t));
            if cell.column + 1 == at { Some(cell.row) } else { trunk.filter(|t| !t.is_bus)?.row_in(at.checked_sub(1)?) }
        };
        let mut items: Vec<Item> = Vec::new();
        for cell in members.get(at).into_iter().flatten() {
            let rows = parents.get(*cell).into_iter().flatten().filter_map(|from| row_before(*from, cells, &trunks));
            let height = cells.get(*cell).map_or(1, |cell| cell.height);
            items.push(Item { what: What::Cell(*cell), wish: median(rows.collect()), height });
        }
        for lane in lanes_in(&trunks, at) {
            let wish = trunks.get(lane).and_then(|trunk| row_before(trunk.from, cells, &trunks));
            items.push(Item { what: What::Lane(lane), wish, height: 1 });
        }
        let slots = items.iter().map(|item| item.slot(cells, &trunks)).collect::<Vec<_>>();
        let rows = match placement.rows.get(&column.layer) {
            Some(known) => join_known(&items, &slots, known),
            None => compose(&items, tallest),
        };
        let known = placement.rows.entry(column.layer).or_default();
        for ((item, slot), (row, height)) in items.iter().zip(slots).zip(rows) {
            known.insert(slot, (row, height));
            match item.what {
                What::Cell(at) => {
                    if let Some(cell) = cells.get_mut(at) {
                        (cell.row, cell.height) = (row, height);
                    }
                }
                What::Lane(lane) => {
                    let trunk = trunks.get_mut(lane);
                    if let Some(slot) = trunk.and_then(|t| t.rows.get_mut(at.checked_sub(t.start)?)) {
                        *slot = row;
                    }
                }
            }
        }
    }

    let lanes = trunks.iter().filter(|trunk| !trunk.is_bus).flat_map(|trunk| trunk.rows.iter().map(|row| row + 1));
    let mut height = cells.iter().map(|cell| cell.row + cell.height).chain(lanes).max().unwrap_or(0);
    if trunks.iter().any(|trunk| trunk.is_bus) {
        for trunk in trunks.iter_mut().filter(|trunk| trunk.is_bus) {
            trunk.rows.fill(height);
        }
        height += 1;
    }
    (trunks, height)
}

#[derive(Clone, Copy)]
enum What {
    Cell(usize),
    Lane(usize),
}

struct Item {
    what: What,
    /// The row it would like to stand on.
    wish: Option<usize>,
    height: usize,
}

impl Item {
    fn slot(&self, cells: &[Cell], trunks: &[Trunk]) -> Slot {
        let id = |at: usize| cells.get(at).map_or_else(|| CellId::Node("".into()), |cell| cell.id.clone());
        match self.what {
            What::Cell(at) => Slot::Cell(id(at)),
            What::Lane(lane) => Slot::Lane(id(trunks.get(lane).map_or(0, |trunk| trunk.from))),
        }
    }
}

/// Finds the cells with edges to farther columns and gives the shorter ways rows of their own, the rest the common one.
fn lay_trunks(cells: &[Cell], edges: &[Edge], columns: usize) -> Vec<Trunk> {
    let mut ends: HashMap<usize, usize> = HashMap::new();
    for edge in edges.iter().filter(|edge| !edge.is_implied) {
        if let Some((from, to)) = cells.get(edge.from).zip(cells.get(edge.to))
            && from.column + 1 < to.column
        {
            let end = ends.entry(edge.from).or_default();
            *end = (*end).max(to.column);
        }
    }
    let mut spans: Vec<(usize, usize, usize)> =
        ends.into_iter().filter_map(|(from, end)| Some((from, cells.get(from)?.column + 1, end))).collect();
    spans.sort_by_key(|(from, start, end)| (end - start, *from));
    let mut used = vec![0; columns];
    spans
        .into_iter()
        .map(|(from, start, end)| {
            let mut passed = used.iter_mut().take(end).skip(start);
            let is_bus = !passed.all(|lanes| *lanes < MOST_LANES);
            if !is_bus {
                used.iter_mut().take(end).skip(start).for_each(|lanes| *lanes += 1);
            }
            Trunk { from, start, rows: vec![0; end - start], is_bus }
        })
        .collect()
}

/// Composes a column freely: cells in their order, lanes where they fit best between them, everything as low as its wish asks and as high as
/// it must for the rest to fit into the height of the tallest column.
fn compose(items: &[Item], tallest: usize) -> Vec<(usize, usize)> {
    let mut left: usize = items.iter().map(|item| item.height).sum();
    let mut rows = vec![(0, 1); items.len()];
    let is_lane = |item: &Item| matches!(item.what, What::Lane(_));
    let mut cells = items.iter().enumerate().filter(|(_, item)| !is_lane(item)).peekable();
    let mut lanes: Vec<(usize, &Item)> = items.iter().enumerate().filter(|(_, item)| is_lane(item)).collect();
    lanes.sort_by_key(|(at, item)| (item.wish.unwrap_or(usize::MAX), *at));
    let mut lanes = lanes.into_iter().peekable();
    let mut free = 0;
    loop {
        let lowest = tallest.saturating_sub(left).max(free);
        let row_of = |item: &Item| item.wish.unwrap_or(free).clamp(free, lowest);
        let lane_first = match (lanes.peek(), cells.peek()) {
            (Some((_, lane)), Some((_, cell))) => lane.wish.unwrap_or(usize::MAX) <= row_of(cell),
            (Some(_), None) => true,
            (None, _) => false,
        };
        let Some((at, item)) = (if lane_first { lanes.next() } else { cells.next() }) else { return rows };
        let row = row_of(item);
        if let Some(slot) = rows.get_mut(at) {
            *slot = (row, item.height);
        }
        free = row + item.height;
        left -= item.height;
    }
}

/// Keeps what has a row; new cells go to the end of the column, new lanes to the free row that is nearest to their wish.
fn join_known(items: &[Item], slots: &[Slot], known: &HashMap<Slot, (usize, usize)>) -> Vec<(usize, usize)> {
    let mut taken: Vec<(usize, usize)> = Vec::new();
    for (slot, place) in known {
        if matches!(slot, Slot::Cell(_)) || slots.contains(slot) {
            taken.push(*place);
        }
    }
    let place = |(item, slot): (&Item, &Slot)| {
        if let Some(place) = known.get(slot) {
            return *place;
        }
        let end = taken.iter().map(|(row, height)| row + height).max().unwrap_or(0);
        let is_free = |row: usize| !taken.iter().any(|(top, height)| (*top..top + height).contains(&row));
        let row = match (item.what, item.wish) {
            (What::Lane(_), Some(wish)) => (0..=end).filter(|row| is_free(*row)).min_by_key(|row| row.abs_diff(wish)),
            _ => None,
        };
        let row = row.unwrap_or(end);
        taken.push((row, item.height));
        (row, item.height)
    };
    items.iter().zip(slots).map(place).collect()
}

/// The middle of some rows, the upper one of two.
fn median(mut rows: Vec<usize>) -> Option<usize> {
    rows.sort_unstable();
    rows.get(rows.len().saturating_sub(1) / 2).copied()
}
