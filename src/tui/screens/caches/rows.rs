//! Which mirrors and roots are shown, in which order, and what a row says.

use std::cmp::{Ordering, Reverse};
use std::collections::BTreeSet;
use std::time::Duration;

use super::Sort;
use super::words::{growth, index, severity, some};
use crate::cache::Severity;
use crate::console::caches::{MirrorRow, RootId, RootRow, RootSubject, rows};
use crate::console::filter::Filter;
use crate::console::fresh::Completeness;
use crate::console::text::{count, size};
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub const COLUMNS: &[Column] = &[
    Column::new("MIRROR / STACK", Width::Grow { least: 18, weight: 1 }).cut_middle(),
    Column::new("SIZE", Width::Fixed(9)).right(),
    Column::new("SPECS", Width::Fixed(11)).right().sacrifice(5),
    Column::new("+24h", Width::Fixed(8)).right().sacrifice(2),
    Column::new("INDEX", Width::Fixed(7)).right().sacrifice(1),
    Column::new("UNREF", Width::Fixed(9)).right().sacrifice(4),
    Column::new("HOLES", Width::Fixed(7)).right().sacrifice(3),
    Column::new("ST", Width::Fixed(2)),
];

/// What an earlier look inside found is told dim after so long.
const LOOKED: Duration = Duration::from_hours(24);

/// Every mirror with its roots, in order, and the roots that pass the filter.
pub fn work_out(cx: Cx<'_>, filter: &Filter, sort: Sort, is_reversed: bool) -> (Vec<MirrorRow>, BTreeSet<RootId>) {
    let mut rows = rows(&cx.world.caches);
    let server_now = cx.server_now();
    let mut passed = BTreeSet::new();
    if !filter.is_empty() {
        for mirror in &rows {
            let subject = |row| RootSubject { mirror: &mirror.name, row };
            let found = mirror.roots.iter().filter(|row| filter.matches(&subject(row), server_now));
            passed.extend(found.map(|row| row.id));
        }
        rows.retain(|mirror| mirror.roots.iter().any(|row| passed.contains(&row.id)));
    }
    // The order in which they come, and by name below that, is the tie-break.
    for mirror in &mut rows {
        mirror.roots.sort_by(|a, b| sort.order(&Key::of(a), &Key::of(b)));
    }
    rows.sort_by(|a, b| sort.order(&Key::of_mirror(a), &Key::of_mirror(b)));
    if is_reversed {
        rows.reverse();
        for mirror in &mut rows {
            mirror.roots.reverse();
        }
    }
    (rows, passed)
}

/// What rows are ordered by.
struct Key {
    state: Option<Severity>,
    bytes: u64,
    growth: Option<i64>,
    /// When the index was written; the oldest comes first, and what has none before all.
    index: Option<crate::ci::Timestamp>,
    specs: u64,
}

impl Key {
    fn of(row: &RootRow) -> Self {
        Self { state: row.state, bytes: row.total.bytes, growth: row.growth, index: row.index, specs: row.specs }
    }

    fn of_mirror(row: &MirrorRow) -> Self {
        Self { state: row.state, bytes: row.total.bytes, growth: row.growth, index: row.index, specs: row.specs }
    }
}

impl Sort {
    fn order(self, a: &Key, b: &Key) -> Ordering {
        let trouble = |key: &Key| key.state.filter(|state| *state < Severity::Info).unwrap_or(Severity::Ok);
        match self {
            Self::State => trouble(a).cmp(&trouble(b)).then(b.bytes.cmp(&a.bytes)),
            Self::Size => b.bytes.cmp(&a.bytes),
            // What is not known comes last.
            Self::Growth => Reverse(a.growth).cmp(&Reverse(b.growth)),
            Self::Index => a.index.cmp(&b.index),
            Self::Specs => b.specs.cmp(&a.specs),
        }
    }
}

/// A mirror: the sums over its roots.
pub fn mirror<'a>(cx: Cx<'a>, row: &'a MirrorRow, is_unfolded: bool) -> Row<'a> {
    let (open, closed) = cx.look.glyphs.fold;
    let fold = if is_unfolded { open } else { closed };
    let all = if &*row.name == "pr" { " (all)" } else { "" };
    // Until all mirrors were listed once, there may be more.
    let is_part = cx.world.caches.roots.completeness == Completeness::Partial;
    let unseen = |told: fn(&RootRow) -> bool| row.roots.iter().any(|root| !told(root));
    // Nothing in some of them says nothing about all.
    let part = |sum: Option<u64>, is_part: bool, words: fn(u64) -> String| {
        some(cx, sum.filter(|sum| !is_part || *sum > 0).map(words), is_part)
    };
    let name = format!("{fold} {}{all}", row.name);
    let sums = Sums {
        size: some(cx, Some(size(row.total.bytes)), is_part),
        specs: some(cx, Some(count(row.specs)), is_part),
        orphans: part(row.orphans.map(|amount| amount.bytes), unseen(|root| root.orphans.is_some()), size),
        holes: part(row.holes, unseen(|root| root.holes.is_some()), count),
        is_old: false,
    };
    let index = index(cx, row.index, row.has_index(), row.index_state());
    let cells = cells(cx, name, Role::TextStrong, sums, row.growth, index, row.known_state());
    Row { cells, ..Row::default() }
}

/// One root inside its mirror.
pub fn root<'a>(cx: Cx<'a>, row: &'a RootRow, filter: &Filter) -> Row<'a> {
    let is_old = row.looked_at.is_some_and(|at| cx.server_now().since(at) > LOOKED);
    let sums = Sums {
        size: size(row.total.bytes),
        specs: count(row.specs),
        orphans: some(cx, row.orphans.map(|amount| size(amount.bytes)), false),
        holes: some(cx, row.holes.map(count), false),
        is_old,
    };
    let index = index(cx, row.index, row.has_index, row.index_state);
    let name = format!("    {}", row.name);
    let matched = filter.highlights(&name);
    let mut cells = cells(cx, name, Role::Text, sums, row.growth, index, row.state);
    if let Some(cell) = cells.first_mut() {
        cell.matched = matched;
    }
    Row { cells, ..Row::default() }
}

/// Numbers as they are shown.
struct Sums {
    size: String,
    specs: String,
    orphans: String,
    holes: String,
    /// What the look inside told is old.
    is_old: bool,
}

fn cells(
    cx: Cx<'_>,
    name: String,
    role: Role,
    sums: Sums,
    grown: Option<i64>,
    (index, index_role): (String, Role),
    state: Option<Severity>,
) -> Vec<Cell<'_>> {
    let (glyph, state_role) = severity(cx, state);
    let looked = if sums.is_old { Role::TextDim } else { Role::Text };
    let holes = if sums.holes == "0" || sums.holes == "?" || sums.is_old { Role::TextDim } else { Role::StateFail };
    vec![
        Cell::new(name, role),
        Cell::new(sums.size, Role::Text),
        Cell::new(sums.specs, Role::TextDim),
        Cell::new(growth(grown), if grown.is_some_and(|grown| grown != 0) { Role::Text } else { Role::TextDim }),
        Cell::new(index, index_role),
        Cell::new(sums.orphans, looked),
        Cell::new(sums.holes, holes),
        Cell::new(glyph, if sums.is_old { Role::TextDim } else { state_role }),
    ]
}
