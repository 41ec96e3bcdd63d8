//! The palette: one list of everything that can be run or opened, narrowed while a name is typed. The chord stands beside each entry, so
//! that the palette teaches the keys.

use std::ops::Range;

use ratatui::layout::{Position, Rect, Size};

use super::panel::Panel;
use super::pen::Pen;
use super::popup::popup;
use super::prompt::{Line, Prompt};
use crate::console::fuzzy::Fuzzy;
use crate::console::text;
use crate::tui::theme::Role;

/// One thing to choose.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PaletteEntry {
    pub title: String,
    /// Another name that finds it: `log.fold_all`.
    pub name: String,
    /// What it does or is.
    pub note: String,
    pub chord: String,
}

/// An entry that fits what was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ranked {
    /// Its place among the entries.
    pub entry: usize,
    /// Bytes of its title that fit.
    pub matched: Vec<Range<usize>>,
    score: i32,
}

/// How many fits are aligned letter by letter. Typing one letter fits nearly everything, and the best are then among those that hold it
/// in one piece and are short.
const CLOSE: usize = 1_000;

/// How much worse it is to fit by the other name than by the title.
const OTHER_NAME: i32 = 24;

/// The entries that fit `typed`, best first, at most `most` of them; all in their order when nothing is typed.
pub fn rank(entries: &[PaletteEntry], typed: &str, most: usize) -> Vec<Ranked> {
    if typed.trim().is_empty() {
        let all = 0..entries.len().min(most);
        return all.map(|entry| Ranked { entry, matched: Vec::new(), score: 0 }).collect();
    }
    let fuzzy = Fuzzy::new(typed);
    let fits = |entry: &PaletteEntry| fuzzy.matches(&entry.title) || fuzzy.matches(&entry.name);
    let mut close: Vec<_> = entries.iter().enumerate().filter(|(_, entry)| fits(entry)).collect();
    if close.len() > CLOSE {
        let whole = typed.to_lowercase();
        let mut keyed: Vec<_> = close
            .iter()
            .map(|(at, entry)| (!entry.title.to_lowercase().contains(&whole), entry.title.len(), *at, *entry))
            .collect();
        keyed.select_nth_unstable_by_key(CLOSE, |(is_scattered, length, at, _)| (*is_scattered, *length, *at));
        close = keyed.into_iter().take(CLOSE).map(|(_, _, at, entry)| (at, entry)).collect();
    }
    let fit = |(entry, of): (usize, &PaletteEntry)| match fuzzy.find(&of.title) {
        Some(found) => Some(Ranked { entry, matched: found.ranges(&of.title), score: found.score }),
        None => {
            fuzzy.find(&of.name).map(|found| Ranked { entry, matched: Vec::new(), score: found.score - OTHER_NAME })
        }
    };
    let mut found: Vec<Ranked> = close.into_iter().filter_map(fit).collect();
    let by_fit = |a: &Ranked, b: &Ranked| b.score.cmp(&a.score).then(a.entry.cmp(&b.entry));
    if found.len() > most && most > 0 {
        found.select_nth_unstable_by(most - 1, by_fit);
    }
    found.truncate(most);
    found.sort_by(by_fit);
    found
}

/// Draws the palette over the screen and says where the text cursor stands. `is_command`: what is typed is a whole command, whatever the list says.
pub fn palette(
    pen: &mut Pen<'_>,
    screen: Rect,
    line: &Line,
    entries: &[PaletteEntry],
    ranked: &[Ranked],
    chosen: usize,
    is_command: bool,
) -> Position {
    let rows = (ranked.len() as u16).clamp(1, 14);
    let inner = popup(pen, screen, Size::new(78, rows + 3), &Panel { title: "Command", ..Panel::default() });
    let cursor =
        Prompt { sigil: ":", line, wrong: None, note: "" }.draw(pen, Rect { height: inner.height.min(1), ..inner });
    let list = Rect { y: inner.y + 1, height: inner.height.saturating_sub(1), ..inner };
    if ranked.is_empty() {
        let hint = if is_command { "Enter runs this command" } else { "nothing fits; shorten what you typed" };
        pen.put(list.x, list.y, list.width, hint, Role::TextDim);
    }
    let chosen = chosen.min(ranked.len().saturating_sub(1));
    let top = (chosen + 1).saturating_sub(usize::from(list.height));
    for (nth, found) in ranked.iter().enumerate().skip(top).take(usize::from(list.height)) {
        let Some(entry) = entries.get(found.entry) else { continue };
        let y = list.y + (nth - top) as u16;
        let left = list.x + 2;
        let room = list.width.saturating_sub(2);
        if nth == chosen {
            pen.glyph(list.x, y, pen.look.glyphs.cursor, Role::BorderFocus);
            pen.paint(Rect::new(left, y, room, 1), Role::Cursor);
        }
        let chord = text::width(&entry.chord) as u16;
        pen.put_right(left, y, room, &entry.chord, Role::TextStrong);
        let room = room.saturating_sub(chord + 1);
        let used = pen.put_matched(left, y, room, &entry.title, Role::Text, &found.matched);
        let note = used.max(22) + 1;
        pen.put(left + note, y, room.saturating_sub(note), &entry.note, Role::TextDim);
    }
    cursor
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::console::registry::{ACTIONS, Scope};
    use crate::tui::glyphs::Glyphs;
    use crate::tui::keys::Keymap;
    use crate::tui::testing::{drawn, snapshot};
    use crate::tui::theme::Depth;

    fn entries() -> Vec<PaletteEntry> {
        let vim = Keymap::shipped("vim").unwrap();
        ACTIONS
            .iter()
            .filter(|action| !matches!(action.scope, Scope::Prompt | Scope::Preview))
            .map(|action| PaletteEntry {
                title: action.title.to_owned(),
                name: action.name.to_owned(),
                note: action.help.to_owned(),
                chord: vim.shortest(action.id).map(ToString::to_string).unwrap_or_default(),
            })
            .collect()
    }

    fn named(titles: &[&str]) -> Vec<PaletteEntry> {
        titles.iter().map(|title| PaletteEntry { title: (*title).to_owned(), ..PaletteEntry::default() }).collect()
    }

    #[test]
    fn the_best_fit_comes_first() {
        let entries = entries();
        let titles = |typed: &str| -> Vec<&str> {
            rank(&entries, typed, 3).iter().map(|ranked| entries[ranked.entry].title.as_str()).collect()
        };
        assert_eq!(titles("retry")[0], "Retry…");
        assert_eq!(titles("crit")[0], "Lens: critical path");
        assert_eq!(titles("DAG")[0], "DAG");
        assert_eq!(titles("log"), ["Log", "Follow", "Wrap"]);
        assert_eq!(titles("zzz"), [""; 0]);
        assert_eq!(titles("").len(), 3);
        let order: Vec<_> = rank(&named(&["b", "aab", "ab"]), "ab", 9).iter().map(|r| r.entry).collect();
        assert_eq!(order, [2, 1]);
    }

    #[test]
    fn among_thousands_the_best_is_still_found() {
        let mut titles: Vec<String> = (0..5_000).map(|n| format!("p-{n}-y package of no interest")).collect();
        titles[4_321] = "py-numpy".to_owned();
        let entries = named(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        assert_eq!(rank(&entries, "py", 5).first().map(|r| r.entry), Some(4_321));
    }

    #[test]
    fn ranking_a_part_is_the_start_of_ranking_all() {
        let titles: Vec<String> = (0..300).map(|n| format!("job {} of {}", n * 7919 % 1000, n % 17)).collect();
        let entries = named(&titles.iter().map(String::as_str).collect::<Vec<_>>());
        let all = rank(&entries, "j1", usize::MAX);
        for most in [0, 1, 7, 299] {
            assert_eq!(rank(&entries, "j1", most), all[..most.min(all.len())], "{most}");
        }
    }

    #[test]
    fn the_palette_teaches_chords() {
        let entries = entries();
        for (name, width, height, typed, chosen) in [
            ("widget-palette-100x20", 100, 20, "log", 1),
            ("widget-palette-60x20", 60, 20, "", 40),
            ("widget-palette-nothing-100x20", 100, 20, "qqq", 0),
            ("widget-palette-command-60x20", 60, 20, "loops run bridge", 0),
        ] {
            let mut line = Line::default();
            line.insert(typed);
            let found = rank(&entries, typed, 60);
            let buf = drawn(width, height, &Glyphs::UNICODE, Depth::True, |pen, area| {
                palette(pen, area, &line, &entries, &found, chosen, typed == "loops run bridge");
            });
            snapshot(name, &buf);
        }
    }
}
