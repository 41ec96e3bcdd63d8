//! The help overlay: the keys of the scope on screen first, then the outer ones; searchable, and each line can be run.

use ratatui::layout::{Position, Rect};

use super::panel::Panel;
use super::pen::Pen;
use super::popup::popup;
use super::prompt::{Line, Prompt};
use crate::console::fuzzy::Fuzzy;
use crate::console::registry::{ActionId, Scope};
use crate::tui::glyphs::Glyphs;
use crate::tui::keys::Keymap;
use crate::tui::theme::Role;

/// One action with all its chords in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HelpLine {
    pub scope: Scope,
    pub action: ActionId,
    pub chords: String,
    pub title: String,
    /// Where the binding was written, when it was not in the keymap as shipped.
    pub origin: Option<String>,
}

/// The lines for `scope` that fit what was typed, in the order of the registry, inner scopes first.
pub fn help_lines(keymap: &Keymap, scope: Scope, glyphs: &Glyphs, typed: &str) -> Vec<HelpLine> {
    let depth = |line: &HelpLine| scope.chain().position(|outer| outer == line.scope);
    let mut lines: Vec<HelpLine> = Vec::new();
    for (scope, chord, binding) in keymap.bindings(scope) {
        let written = glyphs.chord(chord);
        let origin = (!binding.origin.is_shipped).then(|| format!("{}:{}", binding.origin.file, binding.origin.line));
        match lines.iter_mut().find(|line| line.action == binding.action && line.scope == scope) {
            Some(line) => {
                line.chords = format!("{} {} {written}", line.chords, glyphs.dot);
                line.origin = line.origin.take().or(origin);
            }
            None => lines.push(HelpLine {
                scope,
                action: binding.action,
                chords: written,
                title: binding.title().to_owned(),
                origin,
            }),
        }
    }
    let fuzzy = Fuzzy::new(typed);
    lines.retain(|line| {
        let help = line.action.action().help;
        fuzzy.matches(&line.title)
            || fuzzy.matches(line.action.name())
            || (typed.chars().count() > 2 && help.contains(typed))
            || line.chords == typed
    });
    lines.sort_by_key(|line| (depth(line), line.action));
    lines
}

/// Draws the overlay over the screen and says where the text cursor stands.
pub fn help(pen: &mut Pen<'_>, screen: Rect, line: &Line, lines: &[HelpLine], chosen: usize) -> Position {
    let size =
        ratatui::layout::Size::new(screen.width.saturating_sub(8).max(60), screen.height.saturating_sub(4).max(6));
    let inner =
        popup(pen, screen, size, &Panel { title: "Help", narrowed: "type to search, RET runs", ..Panel::default() });
    let cursor =
        Prompt { sigil: "/", line, wrong: None, note: "" }.draw(pen, Rect { height: inner.height.min(1), ..inner });
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if lines.is_empty() {
        pen.put(list.x, list.y, list.width, "no key does that here; the palette knows more", Role::TextDim);
    }
    // A line for each scope's name goes between the lines.
    let mut rows: Vec<Result<(usize, &HelpLine), Scope>> = Vec::with_capacity(lines.len() + 4);
    let mut last = None;
    for (nth, help) in lines.iter().enumerate() {
        if last.replace(help.scope) != Some(help.scope) {
            rows.push(Err(help.scope));
        }
        rows.push(Ok((nth, help)));
    }
    let at = rows.iter().position(|row| matches!(row, Ok((nth, _)) if *nth == chosen)).unwrap_or(0);
    let top = (at + 1).saturating_sub(usize::from(list.height));
    for (y, row) in (list.y..list.bottom()).zip(rows.iter().skip(top)) {
        match row {
            Err(scope) => {
                pen.put(list.x, y, list.width, scope.name(), Role::LogSection);
            }
            Ok((nth, help)) => draw_line(pen, Rect { y, height: 1, ..list }, help, *nth == chosen),
        }
    }
    cursor
}

/// Columns for chords and for titles.
const CHORDS: u16 = 14;
const TITLE: u16 = 22;

fn draw_line(pen: &mut Pen<'_>, row: Rect, help: &HelpLine, is_chosen: bool) {
    let (left, room) = (row.x + 2, row.width.saturating_sub(2));
    if is_chosen {
        pen.glyph(row.x, row.y, pen.look.glyphs.cursor, Role::BorderFocus);
        pen.paint(Rect { x: left, width: room, ..row }, Role::Cursor);
    }
    pen.put(left, row.y, room.min(CHORDS), &help.chords, Role::TextStrong);
    let room = room.saturating_sub(CHORDS + 1);
    let x = left + CHORDS + 1;
    pen.put(x, row.y, room.min(TITLE), &help.title, Role::Text);
    let (x, room) = (x + TITLE + 1, room.saturating_sub(TITLE + 1));
    match &help.origin {
        Some(origin) => pen.put(x, row.y, room, origin, Role::Mark),
        None => pen.put(x, row.y, room, help.action.action().help, Role::TextDim),
    };
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::files::Source;
    use crate::tui::testing::{drawn, snapshot};
    use crate::tui::theme::Depth;

    fn keymap() -> Keymap {
        let text = "inherits = \"vim\"\n[[bind]]\non = \"C-t\"\nrun = \"dag.source\"\nscope = \"dag\"\n";
        let find = |name: &str| (name == "mine").then(|| Source::new("mine.toml", text));
        Keymap::load("mine", &find).unwrap()
    }

    #[test]
    fn inner_scopes_come_first_and_chords_are_gathered() {
        let lines = help_lines(&keymap(), Scope::Dag, &Glyphs::UNICODE, "");
        assert_eq!(lines[0].action, ActionId::DagFailing);
        let down = lines.iter().find(|line| line.action == ActionId::ListDown).unwrap();
        assert_eq!((down.chords.as_str(), down.origin.as_deref()), ("j · ↓", None));
        let source = lines.iter().find(|line| line.action == ActionId::DagSource).unwrap();
        assert_eq!((source.chords.as_str(), source.origin.as_deref()), ("g s · C-t", Some("mine.toml:3")));
        assert!(lines.is_sorted_by_key(|line| Scope::Dag.chain().position(|s| s == line.scope)));
        let found = help_lines(&keymap(), Scope::Dag, &Glyphs::UNICODE, "lens");
        assert!(found.iter().take(6).all(|line| line.title.starts_with("Lens")), "{found:#?}");
    }

    #[test]
    fn the_overlay_is_searchable() {
        for (name, width, height, typed, chosen) in [
            ("widget-help-100x24", 100, 24, "", 2),
            ("widget-help-search-80x24", 80, 24, "trouble", 0),
            ("widget-help-60x12", 60, 12, "", 30),
        ] {
            let mut line = Line::default();
            line.insert(typed);
            let lines = help_lines(&keymap(), Scope::Dag, &Glyphs::UNICODE, typed);
            let buf = drawn(width, height, &Glyphs::UNICODE, Depth::True, |pen, area| {
                help(pen, area, &line, &lines, chosen);
            });
            snapshot(name, &buf);
        }
    }
}
