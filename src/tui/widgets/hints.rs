//! What can be pressed now: the hint row, and the box that lists how a chord that was begun may go on.

use ratatui::layout::Rect;

use super::panel::Panel;
use super::pen::Pen;
use crate::console::text;
use crate::tui::keys::{Branch, Continuation};
use crate::tui::theme::Role;

/// Draws pairs of chord and word, as many as fit whole, and a note at the right end.
pub fn hints<'t>(pen: &mut Pen<'_>, area: Rect, pairs: impl IntoIterator<Item = (&'t str, &'t str)>, right: &str) {
    let note = text::width(right) as u16;
    let room = area.width.saturating_sub(if note > 0 { note + 2 } else { 0 });
    let mut used = 0;
    for (chord, word) in pairs {
        let wide = (text::width(chord) + 1 + text::width(word)) as u16;
        if used + wide > room {
            break;
        }
        used += pen.put_all(
            area.x + used,
            area.y,
            wide,
            [(chord, Role::TextStrong), (" ", Role::Text), (word, Role::TextDim)],
        ) + 2;
    }
    pen.put_right(area.x, area.y, area.width, right, Role::Mark);
}

/// The width of one entry of the which-key box.
const ENTRY: u16 = 28;

/// Draws the continuations of a chord in columns at the bottom of `screen`.
pub fn which_key(pen: &mut Pen<'_>, screen: Rect, begun: &str, continuations: &[Continuation<'_>]) {
    let columns = (screen.width.saturating_sub(4) / ENTRY).max(1);
    let rows = (continuations.len() as u16).div_ceil(columns);
    let height = (rows + 2).min(screen.height);
    let area = Rect { y: screen.bottom().saturating_sub(height), height, ..screen };
    pen.wipe(area);
    let inner = Panel { title: begun, is_focused: true, ..Panel::default() }.draw(pen, area);
    // Down the columns, as one reads a list.
    for (nth, next) in continuations.iter().enumerate() {
        let nth = nth as u16;
        let (column, row) = (nth / rows.max(1), nth % rows.max(1));
        if row >= inner.height {
            continue;
        }
        let key = pen.look.glyphs.key(next.key);
        let (x, y) = (inner.x + column * ENTRY, inner.y + row);
        let used = pen.put(x, y, inner.right().saturating_sub(x), &format!("{key:>5}  "), Role::TextStrong);
        let room = ENTRY.saturating_sub(used + 1).min(inner.right().saturating_sub(x + used));
        match &next.leads_to {
            Branch::Action(binding) => pen.put(x + used, y, room, binding.title(), Role::Text),
            Branch::More(count) => pen.put(x + used, y, room, &format!("+{count}"), Role::GraphGroup),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::input::{Code, Key};
    use crate::console::registry::Scope;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::keys::{Keymap, Pending};
    use crate::tui::testing::{drawn, picture, snapshot};
    use crate::tui::theme::Depth;

    #[test]
    fn hints_are_whole_or_left_out() {
        let row = |width| {
            picture(&drawn(width, 1, &Glyphs::UNICODE, Depth::True, |pen, area| {
                hints(pen, area, [("⏎", "open"), ("d", "dag"), ("r", "retry…"), ("?", "help")], "37 marked");
            }))
            .lines()
            .next()
            .map(str::to_owned)
            .unwrap()
        };
        assert_eq!(row(50), "⏎ open  d dag  r retry…  ? help          37 marked");
        assert_eq!(row(30), "⏎ open  d dag        37 marked");
        assert_eq!(row(9), "37 marked");
    }

    #[test]
    fn the_box_lists_how_a_chord_goes_on() {
        let vim = Keymap::shipped("vim").unwrap();
        for (name, width, glyphs) in
            [("widget-which-key-100x8", 100, Glyphs::UNICODE), ("widget-which-key-40x8-ascii", 40, Glyphs::ASCII)]
        {
            let mut pending = Pending::default();
            vim.step(Scope::Dag, &mut pending, Key::plain(Code::Char('z')));
            let next = vim.continuations(Scope::Dag, &pending);
            snapshot(name, &drawn(width, 8, &glyphs, Depth::True, |pen, area| which_key(pen, area, "z", &next)));
        }
    }
}
