//! Pictures of buffers for snapshots: the characters as a person sees them, and below them which role coloured what. A theme may change
//! without touching a snapshot; a colour that got lost does not.

use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier};

use super::glyphs::Glyphs;
use super::theme::{Depth, Role, Theme};
use super::widgets::{Look, Pen};

/// Draws with the theme in which every role can be told apart.
pub fn drawn(width: u16, height: u16, glyphs: &Glyphs, depth: Depth, draw: impl FnOnce(&mut Pen<'_>, Rect)) -> Buffer {
    let area = Rect::new(0, 0, width, height);
    let theme = Theme::distinct(depth);
    let mut buf = Buffer::empty(area);
    draw(&mut Pen::new(&mut buf, Look { theme: &theme, glyphs }), area);
    buf
}

/// The characters of a buffer, then its runs of roles row by row: `state.fail 2..8`, with `+cursor` where the cursor row lies behind.
pub fn picture(buf: &Buffer) -> String {
    let width = usize::from(buf.area.width).max(1);
    let rows: Vec<&[Cell]> = buf.content.chunks(width).collect();
    let mut out = String::new();
    for row in &rows {
        let mut hidden = 0;
        let mut line = String::new();
        for cell in *row {
            if hidden == 0 {
                line.push_str(cell.symbol());
                hidden = crate::console::text::width(cell.symbol());
            }
            hidden = hidden.saturating_sub(1);
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out.push_str("-- roles\n");
    let runs: Vec<String> = rows.iter().map(|row| runs(row)).collect();
    let mut from = 0;
    while let Some(row) = runs.get(from) {
        let same = runs.iter().skip(from).take_while(|other| *other == row).count();
        if !row.is_empty() {
            let rows = if same > 1 { format!("{from}-{}", from + same - 1) } else { from.to_string() };
            out.extend([&rows, ": ", row, "\n"]);
        }
        from += same;
    }
    out
}

fn runs(row: &[Cell]) -> String {
    let mut names: Vec<String> = row.iter().map(name).collect();
    // One blank between two words does not end a run.
    for at in 1..names.len().saturating_sub(1) {
        let is_blank = row.get(at).is_some_and(|cell| cell.symbol() == " " && cell.modifier.is_empty());
        if let [before, blank, after] = &mut names[at - 1..=at + 1]
            && is_blank
            && before == after
        {
            blank.clone_from(before);
        }
    }
    let mut runs = Vec::new();
    let mut from = 0;
    while let Some(name) = names.get(from) {
        let same = names.iter().skip(from).take_while(|other| *other == name).count();
        if !name.is_empty() {
            runs.push(format!("{name} {from}..{}", from + same));
        }
        from += same;
    }
    runs.join(", ")
}

fn name(cell: &Cell) -> String {
    let role = |color: Color| match color {
        Color::Indexed(i) => i.checked_sub(16).and_then(|i| Role::ALL.get(usize::from(i))).map(|role| role.name()),
        _ => None,
    };
    let ink = role(cell.fg).filter(|_| cell.symbol() != " ");
    let attributes = cell.modifier.difference(Modifier::empty());
    let mut name = ink.unwrap_or_default().to_owned();
    if let Some(behind) = role(cell.bg) {
        name = format!("{name}+{behind}");
    }
    if !attributes.is_empty() {
        name = format!("{name}!{attributes:?}");
    }
    name
}

/// Compares a buffer with `snapshots/<name>.snap`.
#[track_caller]
pub fn snapshot(name: &str, buf: &Buffer) {
    let mut settings = insta::Settings::clone_current();
    settings.set_snapshot_path(concat!(env!("CARGO_MANIFEST_DIR"), "/snapshots"));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.bind(|| insta::assert_snapshot!(name, picture(buf)));
}
