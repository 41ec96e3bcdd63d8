//! The specs of a root: thousands of rows, of which only the visible ones are put into words.

use std::cmp::{Ordering, Reverse};

use ratatui::layout::Rect;

use super::words::spec_state;
use crate::ci::short;
use crate::console::caches::{Inside, Signed, SpecId, SpecRow, SpecState};
use crate::console::registry::ActionId;
use crate::console::text::size;
use crate::tui::list::List;
use crate::tui::screen::Cx;
use crate::tui::screens::filtered::{Filtered, Order};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Pen, Row, Table, Width, empty};

const COLUMNS: &[Column] = &[
    Column::new("", Width::Fixed(1)),
    Column::new("SPEC", Width::Grow { least: 22, weight: 1 }).cut_middle(),
    Column::new("STATE", Width::Fixed(9)),
    Column::new("SIZE", Width::Fixed(7)).right().sacrifice(1),
    Column::new("SIGNED", Width::Fixed(11)).sacrifice(2),
    Column::new("WRITTEN", Width::Fixed(7)).right().sacrifice(3),
];

/// What the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sort {
    /// The worst first, then by name.
    #[default]
    State,
    Name,
    Size,
    /// The newest first.
    Written,
    Signed,
}

impl Order for Sort {
    const ALL: &'static [Self] = &[Self::State, Self::Name, Self::Size, Self::Written, Self::Signed];

    fn word(self) -> &'static str {
        match self {
            Self::State => "state",
            Self::Name => "name",
            Self::Size => "size",
            Self::Written => "written",
            Self::Signed => "signed",
        }
    }
}

impl Sort {
    /// Of equals the name decides, which is the order in which they come.
    fn order(self, a: &SpecRow, b: &SpecRow) -> Ordering {
        match self {
            Self::State => a.state.cmp(&b.state),
            Self::Name => Ordering::Equal,
            Self::Size => Reverse(a.bytes).cmp(&Reverse(b.bytes)),
            Self::Written => Reverse(a.written).cmp(&Reverse(b.written)),
            Self::Signed => a.signed.cmp(&b.signed),
        }
    }
}

/// The list of specs.
#[derive(Debug, Default)]
pub struct SpecList {
    pub filtered: Filtered<Sort>,
    pub list: List<SpecId>,
    worked_out: Option<u64>,
}

impl SpecList {
    /// Brings the rows in line with what was read, `is_new` when that changed.
    pub fn settle(&mut self, cx: Cx<'_>, inside: &Inside, is_new: bool, rows: Rect) {
        let now = self.filtered.changes();
        if !is_new && self.worked_out == Some(now) {
            self.list.resettle(rows, cx.now);
            return;
        }
        let (specs, filter, server_now) = (&inside.specs, self.filtered.filter(), cx.server_now());
        let passes = |row: &&SpecRow| filter.is_empty() || filter.matches(&specs.subject(row), server_now);
        let mut shown: Vec<&SpecRow> = specs.rows().iter().filter(passes).collect();
        let sort = self.filtered.sort;
        if sort != Sort::Name {
            shown.sort_by(|a, b| sort.order(a, b));
        }
        if self.filtered.is_reversed {
            shown.reverse();
        }
        self.list.settle(shown.into_iter().map(|row| row.id.clone()).collect(), rows, cx.now);
        self.worked_out = Some(now);
    }

    /// Draws the rows that are visible.
    pub fn draw(&self, cx: Cx<'_>, inside: &Inside, area: Rect, pen: &mut Pen<'_>, is_dim: bool) {
        if self.list.ids().is_empty() {
            if self.filtered.text().is_empty() {
                let why = match (inside.health.specs, inside.contents.v2.objects) {
                    (Some(0), 0) => "no spec lies here".to_owned(),
                    (Some(0), _) => "no spec lies here in layout 3, only files of layout 2".to_owned(),
                    _ => "no spec is known: neither manifests nor an index could be read".to_owned(),
                };
                empty(pen, area, &why, Some(("Tab", "shows what was found")));
            } else {
                let why = format!("no spec passes `{}`", self.filtered.text());
                empty(pen, area, &why, Some(("Esc", "clears the filter")));
            }
            return;
        }
        let table = Table {
            columns: COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim,
        };
        let specs = &inside.specs;
        let shown = self.list.visible().iter().filter_map(|id| specs.row(specs.find(id)?));
        table.draw(pen, area, shown.map(|row| self.row(cx, inside, row)));
    }

    fn row<'a>(&self, cx: Cx<'a>, inside: &'a Inside, row: &'a SpecRow) -> Row<'a> {
        let (glyph, role) = spec_state(cx, row.state);
        let text = inside.specs.text(row);
        let matched = self.filtered.filter().highlights(text);
        let or = |known: Option<String>, other: &str| known.unwrap_or_else(|| other.to_owned());
        // Nothing lies there whose size and date could be unknown.
        let none = if matches!(row.state, SpecState::Absent) { "-" } else { "?" };
        let name = if matches!(row.state, SpecState::Ok | SpecState::Absent) { Role::Text } else { Role::TextStrong };
        Row {
            cells: vec![
                Cell::new(glyph, role),
                Cell { matched, ..Cell::new(text, name) },
                Cell::new(row.state.word(), role),
                Cell::new(or(row.bytes.map(size), none), Role::Text),
                Cell::new(row.signed.word(), signed_role(row.signed)),
                Cell::new(or(row.written.map(|at| short(cx.server_now().since(at))), none), Role::TextDim),
            ],
            ..Row::default()
        }
    }

    /// Goes to the next spec that is not as it should be.
    pub fn seek(&mut self, action: ActionId, inside: &Inside) -> bool {
        let specs = &inside.specs;
        let is_bad = |row: &SpecRow| row.state < SpecState::Absent;
        // A healthy root is looked through once and not row by row.
        if !specs.rows().iter().any(is_bad) {
            return false;
        }
        let is_trouble = |id: &SpecId| specs.find(id).and_then(|place| specs.row(place)).is_some_and(is_bad);
        self.list.seek(action == ActionId::TroubleNext, is_trouble)
    }
}

/// How a signature is coloured.
pub const fn signed_role(signed: Signed) -> Role {
    use crate::cache::SignatureState;
    match signed {
        Signed::Verified(SignatureState::Good) => Role::StateOk,
        Signed::Verified(SignatureState::Bad) => Role::StateFail,
        Signed::Verified(SignatureState::UnknownKey) => Role::StateWarn,
        Signed::Verified(SignatureState::Unsigned) | Signed::No => Role::Text,
        Signed::Yes => Role::Text,
        Signed::Unknown => Role::TextDim,
    }
}
