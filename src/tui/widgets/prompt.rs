//! A line being typed: the text with its cursor and history, and the row that shows it. Pasted text is text; it never runs.

use std::ops::Range;

use ratatui::layout::{Position, Rect};

use super::pen::{Cut, Pen};
use crate::console::registry::ActionId;
use crate::console::text;
use crate::tui::theme::Role;

/// How many lines a history keeps.
const HISTORY: usize = 100;

/// Text, the cursor in it, and the lines typed before.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Line {
    text: String,
    /// A byte offset on a character boundary.
    cursor: usize,
    /// Oldest first.
    history: Vec<String>,
    /// Which line of the history is shown, and what was typed before it was.
    recalled: Option<(usize, String)>,
}

impl Line {
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The text before the cursor.
    pub fn before(&self) -> &str {
        self.text.get(..self.cursor).unwrap_or_default()
    }

    /// Starts over with some text, the cursor at its end.
    pub fn set(&mut self, text: &str) {
        self.text = one_line(text);
        self.cursor = self.text.len();
        self.recalled = None;
    }

    /// Types text at the cursor, from a key or a paste.
    pub fn insert(&mut self, text: &str) {
        let text = one_line(text);
        self.text.insert_str(self.cursor, &text);
        self.cursor += text.len();
    }

    /// Replaces a byte range of the text, as a completion does; the cursor goes behind it.
    pub fn replace(&mut self, range: Range<usize>, with: &str) {
        if self.text.get(range.clone()).is_some() {
            self.cursor = range.start;
            self.text.replace_range(range, "");
            self.insert(with);
        }
    }

    /// Takes the line away and remembers it.
    pub fn accept(&mut self) -> String {
        let text = std::mem::take(&mut self.text);
        if !text.trim().is_empty() {
            self.history.retain(|old| *old != text);
            self.history.push(text.clone());
            let surplus = self.history.len().saturating_sub(HISTORY);
            self.history.drain(..surplus);
        }
        self.set("");
        text
    }

    /// Does what an editing action asks. `false` when the action is not one of these: accept, cancel and complete are for the prompt's owner,
    /// and so are up and down where there is a list to move in.
    pub fn edit(&mut self, action: ActionId) -> bool {
        match action {
            ActionId::PromptLeft => self.cursor = self.left(),
            ActionId::PromptRight => self.cursor = self.right(),
            ActionId::PromptHome => self.cursor = 0,
            ActionId::PromptEnd => self.cursor = self.text.len(),
            ActionId::PromptBackspace => self.delete(self.left()..self.cursor),
            ActionId::PromptDelete => self.delete(self.cursor..self.right()),
            ActionId::PromptDeleteWord => self.delete(self.word_start()..self.cursor),
            ActionId::PromptDeleteToStart => self.delete(0..self.cursor),
            ActionId::PromptDeleteToEnd => self.delete(self.cursor..self.text.len()),
            ActionId::PromptUp => self.recall(false),
            ActionId::PromptDown => self.recall(true),
            _ => return false,
        }
        true
    }

    fn delete(&mut self, range: Range<usize>) {
        self.cursor = range.start;
        self.text.replace_range(range, "");
    }

    /// Marks stay with the letter before them.
    fn left(&self) -> usize {
        self.before().char_indices().rev().find(|(_, c)| is_letter(*c)).map_or(0, |(at, _)| at)
    }

    fn right(&self) -> usize {
        let after = self.text.get(self.cursor..).unwrap_or_default();
        after.char_indices().skip(1).find(|(_, c)| is_letter(*c)).map_or(self.text.len(), |(at, _)| self.cursor + at)
    }

    fn word_start(&self) -> usize {
        let word = self.before().trim_end();
        word.char_indices().rev().find(|(_, c)| c.is_whitespace()).map_or(0, |(at, c)| at + c.len_utf8())
    }

    fn recall(&mut self, newer: bool) {
        let last = self.history.len();
        let (at, draft) = self.recalled.take().unwrap_or_else(|| (last, self.text.clone()));
        let at = if newer { (at + 1).min(last) } else { at.saturating_sub(1) };
        let shown = self.history.get(at).unwrap_or(&draft).clone();
        self.set(&shown);
        self.recalled = (at < last).then_some((at, draft));
    }
}

fn is_letter(c: char) -> bool {
    text::width(c.encode_utf8(&mut [0; 4])) > 0
}

/// Line breaks become blanks and controls go: nothing pasted can do more than typing.
fn one_line(text: &str) -> String {
    text.trim_end_matches(['\r', '\n'])
        .chars()
        .map(|c| if matches!(c, '\r' | '\n' | '\t') { ' ' } else { c })
        .filter(|c| !c.is_control())
        .collect()
}

/// The row that shows a line.
#[derive(Debug, Clone)]
pub struct Prompt<'a> {
    /// What the line is for: `/`, `:`.
    pub sigil: &'a str,
    pub line: &'a Line,
    /// The bytes that are wrong, underlined.
    pub wrong: Option<Range<usize>>,
    /// Why, or what would come next; at the right end.
    pub note: &'a str,
}

impl Prompt<'_> {
    /// Draws the row and says where the text cursor stands.
    pub fn draw(&self, pen: &mut Pen<'_>, area: Rect) -> Position {
        pen.wipe(area);
        let sigil = pen.put(area.x, area.y, area.width, self.sigil, Role::TextStrong);
        let (x, room) = (area.x + sigil, area.width.saturating_sub(sigil));
        let column = text::width(self.line.before()) as u16;
        // A long line slides so that the cursor stays inside.
        let slide = column.saturating_sub(room.saturating_sub(1));
        let from = text::head(self.line.text(), usize::from(slide)).len();
        let shown = self.line.text().get(from..).unwrap_or_default();
        let used = pen.put_cut(x, area.y, room, shown, Role::Text, Cut::Clip);
        if let Some(wrong) = &self.wrong {
            let columns = |to: usize| {
                let before = self.line.text().get(..to).map_or(column, |before| text::width(before) as u16);
                before.saturating_sub(slide).min(used)
            };
            let (start, end) = (columns(wrong.start), columns(wrong.end));
            pen.paint(Rect::new(x + start, area.y, end.saturating_sub(start), 1), Role::StateWarn);
        }
        if !self.note.is_empty() && used + 2 < room {
            pen.put_right(x + used + 2, area.y, room - used - 2, self.note, Role::TextDim);
        }
        Position::new(x + (column - slide).min(room.saturating_sub(1)), area.y)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::testing::{drawn, picture};
    use crate::tui::theme::Depth;

    fn typed(keys: &[ActionId], text: &str) -> String {
        let mut line = Line::default();
        line.insert(text);
        for key in keys {
            assert!(line.edit(*key));
        }
        let (before, after) = line.text().split_at(line.before().len());
        format!("{before}|{after}")
    }

    #[test]
    fn editing_does_what_fingers_expect() {
        use ActionId::{
            PromptBackspace as Back, PromptDelete as Del, PromptDeleteToEnd as Kill, PromptDeleteToStart as Wipe,
            PromptDeleteWord as Word, PromptEnd as End, PromptHome as Home, PromptLeft as Left, PromptRight as Right,
        };
        for (keys, want) in [
            (&[][..], "pkg=hdf5 blocks>10|"),
            (&[Home, Right, Right][..], "pk|g=hdf5 blocks>10"),
            (&[Left, Left, Kill][..], "pkg=hdf5 blocks>|"),
            (&[Word][..], "pkg=hdf5 |"),
            (&[Word, Word][..], "|"),
            (&[Back, Left, Del][..], "pkg=hdf5 blocks>|"),
            (&[Left, Wipe, End][..], "0|"),
            (&[Home, Left, Back, End, Right, Del][..], "pkg=hdf5 blocks>10|"),
        ] {
            assert_eq!(typed(keys, "pkg=hdf5 blocks>10"), want, "{keys:?}");
        }
        // A letter and its mark are one thing; a wide letter is one thing.
        assert_eq!(typed(&[Left, Back], "ae\u{301}日"), "a|日");
        assert!(!Line::default().edit(ActionId::PromptAccept));
    }

    #[test]
    fn a_paste_is_one_harmless_line() {
        assert_eq!(typed(&[], "rm\t-rf\r\n/\x1b[31m\n"), "rm -rf  /[31m|");
    }

    #[test]
    fn history_keeps_the_draft() {
        let mut line = Line::default();
        for text in ["state:failed", "@mine", "state:failed", "  "] {
            line.insert(text);
            line.accept();
        }
        line.insert("pkg");
        let mut seen = Vec::new();
        for action in [
            ActionId::PromptUp,
            ActionId::PromptUp,
            ActionId::PromptUp,
            ActionId::PromptDown,
            ActionId::PromptDown,
            ActionId::PromptDown,
        ] {
            line.edit(action);
            seen.push(line.text().to_owned());
        }
        assert_eq!(seen, ["state:failed", "@mine", "@mine", "state:failed", "pkg", "pkg"]);
    }

    #[test]
    fn the_row_slides_with_the_cursor_and_shows_what_is_wrong() {
        let mut line = Line::default();
        line.insert("state:fial pkg=hdf5");
        let mut at = Position::ORIGIN;
        let mut show = |line: &Line, width| {
            let buf = drawn(width, 1, &Glyphs::UNICODE, Depth::True, |pen, area| {
                at = Prompt { sigil: "/", line, wrong: Some(6..10), note: "no state `fial`" }.draw(pen, area);
            });
            (picture(&buf), at.x)
        };
        let (shown, x) = show(&line, 40);
        assert_eq!(
            shown,
            "/state:fial pkg=hdf5     no state `fial`\n-- roles\n0: text.strong 0..1, text 1..7, state.warn 7..11, text 12..20, text.dim 25..40\n"
        );
        assert_eq!(x, 20);
        let (shown, x) = show(&line, 12);
        assert!(shown.starts_with("/l pkg=hdf5\n"), "{shown}");
        assert_eq!(x, 11);
        line.edit(ActionId::PromptHome);
        assert_eq!(show(&line, 12).1, 1);
        show(&line, 1);
        show(&line, 0);
    }

    proptest! {
        #[test]
        fn no_sequence_of_edits_breaks_the_line(
            steps in proptest::collection::vec((0..12_usize, "[a é日\u{301}]{0,3}"), 0..40),
        ) {
            use ActionId::*;
            let actions = [PromptLeft, PromptRight, PromptHome, PromptEnd, PromptBackspace, PromptDelete, PromptDeleteWord,
                PromptDeleteToStart, PromptDeleteToEnd, PromptUp, PromptDown];
            let mut line = Line::default();
            for (n, text) in steps {
                match actions.get(n) {
                    Some(action) => prop_assert!(line.edit(*action)),
                    None => drop(line.accept()),
                }
                line.insert(&text);
                prop_assert!(line.text().is_char_boundary(line.cursor));
                drawn(7, 1, &Glyphs::UNICODE, Depth::True, |pen, area| {
                    let at = Prompt { sigil: ":", line: &line, wrong: None, note: "" }.draw(pen, area);
                    assert!(area.contains(at), "{at:?}");
                });
            }
        }
    }
}
