//! A table whose columns go by priority as it gets narrower. It draws the rows it is given, which are the visible ones only: its cost does
//! not depend on how long the list is.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::layout::Rect;
use ratatui::style::Modifier;

use super::pen::{Cut, Pen};
use crate::tui::theme::Role;

/// How wide a column is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Width {
    Fixed(u16),
    /// At least so wide; what is left over is shared by weight.
    Grow {
        least: u16,
        weight: u16,
    },
}

impl Width {
    const fn least(self) -> u16 {
        match self {
            Self::Fixed(width) => width,
            Self::Grow { least, .. } => least,
        }
    }

    const fn weight(self) -> u16 {
        match self {
            Self::Fixed(_) => 0,
            Self::Grow { weight, .. } => weight,
        }
    }
}

/// On which side of its column a cell stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Align {
    #[default]
    Left,
    Right,
}

/// One column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Column {
    pub title: &'static str,
    pub width: Width,
    pub align: Align,
    pub cut: Cut,
    /// Columns with the highest number go first when there is no room; those with 0 never go.
    pub sacrifice: u8,
}

impl Column {
    /// A column that stands left, is cut at its end and never goes.
    pub const fn new(title: &'static str, width: Width) -> Self {
        Self { title, width, align: Align::Left, cut: Cut::End, sacrifice: 0 }
    }

    /// The same, standing right.
    pub const fn right(self) -> Self {
        Self { align: Align::Right, ..self }
    }

    /// The same, cut in the middle.
    pub const fn cut_middle(self) -> Self {
        Self { cut: Cut::Middle, ..self }
    }

    /// The same, and it may go.
    pub const fn sacrifice(self, order: u8) -> Self {
        Self { sacrifice: order, ..self }
    }
}

/// One cell. Unknown values say `?` or `-`; a table never makes up a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell<'a> {
    pub text: Cow<'a, str>,
    pub role: Role,
    /// Byte ranges of the text that a search found.
    pub matched: Vec<Range<usize>>,
}

impl<'a> Cell<'a> {
    pub fn new(text: impl Into<Cow<'a, str>>, role: Role) -> Self {
        Self { text: text.into(), role, matched: Vec::new() }
    }
}

/// One visible row.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Row<'a> {
    /// As many as the table has columns.
    pub cells: Vec<Cell<'a>>,
    pub is_marked: bool,
    /// No longer there, and shown for a while so that nobody wonders.
    pub is_gone: bool,
}

/// Columns, and what is known about the rows below them.
#[derive(Debug, Clone, Copy)]
pub struct Table<'a> {
    pub columns: &'a [Column],
    /// The visible row under the cursor.
    pub cursor: Option<usize>,
    /// The cursor was moved by the list: show it.
    pub is_startled: bool,
    /// Old or unfinished data is dim.
    pub is_dim: bool,
}

/// Before each row: the cursor and the mark.
const GUTTER: u16 = 2;
const GAP: u16 = 2;

impl Table<'_> {
    /// How many rows fit below the titles.
    pub fn height(area: Rect) -> usize {
        usize::from(area.height.saturating_sub(1))
    }

    /// Whether there is room for the column with a title.
    pub fn shows(title: &str, columns: &[Column], area: Rect) -> bool {
        let places = fit(columns, area.width.saturating_sub(GUTTER));
        places.iter().any(|(at, _, _)| columns.get(*at).is_some_and(|column| column.title == title))
    }

    /// Draws titles and rows.
    pub fn draw<'r>(&self, pen: &mut Pen<'_>, area: Rect, rows: impl IntoIterator<Item = Row<'r>>) {
        if area.is_empty() {
            return;
        }
        let places = fit(self.columns, area.width.saturating_sub(GUTTER));
        let left = area.x + GUTTER;
        for (index, x, width) in &places {
            if let Some(column) = self.columns.get(*index) {
                let cell = Cell::new(column.title, Role::TextDim);
                draw_cell(pen, left + x, area.y, *width, column, &cell, cell.role);
            }
        }
        for (nth, row) in rows.into_iter().take(Self::height(area)).enumerate() {
            let y = area.y + 1 + nth as u16;
            let line = Rect::new(left, y, area.width.saturating_sub(GUTTER), 1);
            let is_cursor = self.cursor == Some(nth);
            if is_cursor {
                pen.glyph(
                    area.x,
                    y,
                    pen.look.glyphs.cursor,
                    if self.is_startled { Role::ActionHold } else { Role::BorderFocus },
                );
                pen.paint(line, Role::Cursor);
            }
            if row.is_marked {
                pen.glyph(area.x + 1, y, pen.look.glyphs.mark, Role::Mark);
            }
            for (index, x, width) in &places {
                if let (Some(column), Some(cell)) = (self.columns.get(*index), row.cells.get(*index)) {
                    let role = if row.is_gone || self.is_dim { Role::TextDim } else { cell.role };
                    draw_cell(pen, left + x, y, *width, column, cell, role);
                }
            }
            if row.is_gone {
                pen.modify(line, Modifier::CROSSED_OUT);
            }
        }
    }
}

fn draw_cell(pen: &mut Pen<'_>, x: u16, y: u16, width: u16, column: &Column, cell: &Cell<'_>, role: Role) {
    match column.align {
        Align::Right => {
            pen.put_right(x, y, width, &cell.text, role);
        }
        Align::Left if cell.matched.is_empty() => {
            pen.put_cut(x, y, width, &cell.text, role, column.cut);
        }
        // A match has to stay where it is in the text, so the text may only be cut behind it.
        Align::Left => {
            pen.put_matched(x, y, width, &cell.text, role, &cell.matched);
        }
    }
}

/// Which columns stay in so many cells: index, start and width of each.
fn fit(columns: &[Column], room: u16) -> Vec<(usize, u16, u16)> {
    let mut kept: Vec<(usize, &Column)> = columns.iter().enumerate().collect();
    let needs = |kept: &[(usize, &Column)]| {
        kept.iter().map(|(_, c)| c.width.least()).sum::<u16>() + GAP * (kept.len().saturating_sub(1)) as u16
    };
    while needs(&kept) > room {
        // Of equals the rightmost goes first.
        match kept
            .iter()
            .enumerate()
            .filter(|(_, (_, c))| c.sacrifice > 0)
            .max_by_key(|(at, (_, c))| (c.sacrifice, *at))
        {
            Some((at, _)) => drop(kept.remove(at)),
            None => break,
        }
    }
    let mut spare = room.saturating_sub(needs(&kept));
    let mut weights: u16 = kept.iter().map(|(_, c)| c.width.weight()).sum();
    let mut x = 0;
    let mut places = Vec::with_capacity(kept.len());
    for (index, column) in kept {
        let weight = column.width.weight();
        // Shares are taken off one by one, so that rounding never leaves a gap at the end.
        let share = if weights == 0 { 0 } else { (u32::from(spare) * u32::from(weight) / u32::from(weights)) as u16 };
        spare -= share;
        weights -= weight;
        let width = (column.width.least() + share).min(room.saturating_sub(x));
        if width > 0 {
            places.push((index, x, width));
        }
        x = x.saturating_add(width + GAP);
    }
    places
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::console::state::JobState;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::testing::{drawn, snapshot};
    use crate::tui::theme::Depth;

    const COLUMNS: [Column; 6] = [
        Column::new("ST", Width::Fixed(2)),
        Column::new("ID", Width::Fixed(9)).sacrifice(2),
        Column::new("REF", Width::Grow { least: 12, weight: 1 }).cut_middle(),
        Column::new("COUNTS", Width::Fixed(16)),
        Column::new("AGE", Width::Fixed(5)).right(),
        Column::new("AUTHOR", Width::Grow { least: 10, weight: 1 }).sacrifice(1),
    ];

    fn rows(glyphs: &Glyphs) -> Vec<Row<'static>> {
        let row = |state, id, name, counts, age, author| Row {
            cells: vec![
                Cell::new(glyphs.state(state), Role::of(state)),
                Cell::new(id, Role::TextDim),
                Cell::new(name, Role::Text),
                Cell::new(counts, Role::Text),
                Cell::new(age, Role::Text),
                Cell::new(author, Role::TextDim),
            ],
            ..Row::default()
        };
        let mut rows = vec![
            row(JobState::Fail, "1082341", "develop", "4k/38/1240/512", "1h12", "schedule"),
            row(JobState::Fail, "1082310", "pr51234_hdf5_add_1.14.4_and_fix_h5public", "610/1/0/0", "3h40", "gtanaka"),
            row(JobState::Run, "1082377", "pr51301_llvm", "90/0/201/330", "12m", "hmercer"),
            row(JobState::Wait, "1082380", "pr51302_docs", "?", "2m", "abeckst\x1b[2J"),
        ];
        rows[1].is_marked = true;
        rows[2].cells[2].matched.push(8..12);
        rows[3].is_gone = true;
        rows
    }

    fn table(width: u16) -> ratatui::buffer::Buffer {
        drawn(width, 6, &Glyphs::UNICODE, Depth::True, |pen, area| {
            Table { columns: &COLUMNS, cursor: Some(1), is_startled: false, is_dim: false }.draw(
                pen,
                area,
                rows(&Glyphs::UNICODE),
            );
        })
    }

    #[test]
    fn columns_go_by_priority() {
        snapshot("widget-table-90x6", &table(90));
        snapshot("widget-table-58x6", &table(58));
        snapshot("widget-table-20x6", &table(20));
    }

    #[test]
    fn old_rows_are_dim_and_a_startled_cursor_shows() {
        let buf = drawn(60, 6, &Glyphs::ASCII, Depth::Mono, |pen, area| {
            Table { columns: &COLUMNS, cursor: Some(0), is_startled: true, is_dim: true }.draw(
                pen,
                area,
                rows(&Glyphs::ASCII),
            );
        });
        snapshot("widget-table-stale-60x6-ascii", &buf);
    }

    proptest! {
        #[test]
        fn places_never_overlap_or_leave_the_table(room in 0_u16..120) {
            let mut end = 0;
            for (index, x, width) in fit(&COLUMNS, room) {
                prop_assert!(x >= end, "column {index} starts inside its neighbour");
                end = x + width;
                prop_assert!(end <= room);
            }
            if room >= 80 {
                prop_assert_eq!(end, room, "what is left over is shared");
            }
        }
    }
}
