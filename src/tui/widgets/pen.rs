//! The one way from text to cells. Everything that is drawn passes here and is made harmless here, whoever wrote it.

use std::borrow::Cow;
use std::ops::Range;

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Modifier, Style};

use crate::ci::log::AnsiStyle;
use crate::console::text;
use crate::tui::glyphs::Glyphs;
use crate::tui::theme::{Role, Theme};

/// What everything on screen has in common.
#[derive(Debug, Clone, Copy)]
pub struct Look<'a> {
    pub theme: &'a Theme,
    pub glyphs: &'a Glyphs,
}

/// How text that does not fit is shortened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Cut {
    /// The end goes, without a trace.
    Clip,
    #[default]
    End,
    /// For names that differ at both ends.
    Middle,
}

/// Draws into a buffer in one look.
pub struct Pen<'a> {
    buf: &'a mut Buffer,
    pub look: Look<'a>,
}

impl<'a> Pen<'a> {
    pub fn new(buf: &'a mut Buffer, look: Look<'a>) -> Self {
        Self { buf, look }
    }

    /// Writes text from (`x`, `y`), cut at its end to `width` columns. Returns how many it took.
    pub fn put(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        self.put_cut(x, y, width, text, role, Cut::End)
    }

    /// Writes text, shortened the way `cut` says. Returns how many columns it took.
    pub fn put_cut(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role, cut: Cut) -> u16 {
        let shown = self.shown(text, width, cut);
        self.write(x, y, width, &shown, self.look.theme.style(role))
    }

    /// Writes text that ends at the right edge of `width` columns. Returns the column it starts in.
    pub fn put_right(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role) -> u16 {
        let shown = self.shown(text, width, Cut::End);
        let start = x + width.saturating_sub(text::width(&shown) as u16);
        self.write(start, y, width, &shown, self.look.theme.style(role));
        start
    }

    /// Writes parts one after the other. Returns how many columns they took.
    pub fn put_all<'t>(&mut self, x: u16, y: u16, width: u16, parts: impl IntoIterator<Item = (&'t str, Role)>) -> u16 {
        let mut used = 0;
        for (part, role) in parts {
            if used < width {
                used += self.put(x + used, y, width - used, part, role);
            }
        }
        used
    }

    /// Writes text and lays the match role over byte ranges of it. Ranges of text that is not harmless as it stands are left out, because
    /// they no longer fit. Returns how many columns it took.
    pub fn put_matched(&mut self, x: u16, y: u16, width: u16, text: &str, role: Role, matched: &[Range<usize>]) -> u16 {
        let used = self.put(x, y, width, text, role);
        if matches!(text::clean(text), Cow::Borrowed(_)) {
            for range in matched {
                let columns = |to: usize| text.get(..to).map_or(usize::from(u16::MAX), text::width) as u16;
                let (from, to) = (columns(range.start).min(used), columns(range.end).min(used));
                self.paint(Rect::new(x + from, y, to - from, 1), Role::Match);
            }
        }
        used
    }

    /// Writes one of the console's own glyphs.
    pub fn glyph(&mut self, x: u16, y: u16, glyph: &'static str, role: Role) {
        self.write(x, y, 1, glyph, self.look.theme.style(role));
    }

    /// Repeats one of the console's own glyphs.
    pub fn repeat(&mut self, x: u16, y: u16, times: u16, glyph: &'static str, role: Role) {
        (0..times).for_each(|i| self.glyph(x.saturating_add(i), y, glyph, role));
    }

    /// Lays a role over what is drawn already; colours it does not have stay.
    pub fn paint(&mut self, area: Rect, role: Role) {
        self.buf.set_style(area, self.look.theme.style(role));
    }

    /// Lays the colours that a log asked for over what is drawn already.
    pub fn dye(&mut self, area: Rect, asked: AnsiStyle) {
        self.buf.set_style(area, self.look.theme.log_style(asked));
    }

    /// Adds an attribute to what is drawn already.
    pub fn modify(&mut self, area: Rect, attribute: Modifier) {
        self.buf.set_style(area, Style::new().add_modifier(attribute));
    }

    /// Wipes an area back to blank text.
    pub fn wipe(&mut self, area: Rect) {
        let area = area.intersection(self.buf.area);
        for position in area.positions() {
            if let Some(cell) = self.buf.cell_mut(position) {
                cell.reset();
            }
        }
        self.paint(area, Role::Text);
    }

    fn shown<'t>(&self, text: &'t str, width: u16, cut: Cut) -> Cow<'t, str> {
        let width = usize::from(width);
        let shorten = |text: &str| match cut {
            Cut::Clip => text::head(text, width).to_owned(),
            Cut::End => text::cut_end(text, width).into_owned(),
            Cut::Middle => text::cut_middle(text, width).into_owned(),
        };
        let clean = text::clean(text);
        let fitting = if text::width(&clean) <= width { clean } else { Cow::Owned(shorten(&clean)) };
        if !self.look.glyphs.is_ascii() {
            return fitting;
        }
        match text::ascii(&fitting) {
            Cow::Borrowed(_) => fitting,
            Cow::Owned(ascii) => Cow::Owned(ascii),
        }
    }

    fn write(&mut self, x: u16, y: u16, width: u16, shown: &str, style: Style) -> u16 {
        let area = self.buf.area;
        if x >= area.right() || y < area.y || y >= area.bottom() || x < area.x {
            return 0;
        }
        let (end, _) = self.buf.set_stringn(x, y, shown, usize::from(width), style);
        end - x
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::{drawn, picture};
    use crate::tui::theme::Depth;

    fn line(glyphs: &Glyphs, draw: impl FnOnce(&mut Pen<'_>)) -> String {
        picture(&drawn(16, 1, glyphs, Depth::True, |pen, _| draw(pen)))
    }

    #[test]
    fn hostile_text_is_shown_not_obeyed() {
        let shown = line(&Glyphs::UNICODE, |pen| {
            pen.put(0, 0, 16, "a\x1b[31mb\r\u{202e}c", Role::Text);
        });
        assert!(shown.starts_with('a') && !shown.contains('\x1b') && !shown.contains('\u{202e}'), "{shown}");
    }

    #[test]
    fn text_is_cut_as_asked_and_ascii_stays_ascii() {
        let cut = |glyphs, cut| {
            line(glyphs, |pen| {
                pen.put_cut(0, 0, 9, "py-scikit-learn/k3x2f", Role::Text, cut);
            })
        };
        assert!(cut(&Glyphs::UNICODE, Cut::End).starts_with("py-sciki…\n"));
        assert!(cut(&Glyphs::UNICODE, Cut::Middle).starts_with("py-s…3x2f\n"));
        assert!(cut(&Glyphs::UNICODE, Cut::Clip).starts_with("py-scikit\n"));
        assert!(cut(&Glyphs::ASCII, Cut::End).is_ascii());
    }

    #[test]
    fn nothing_is_drawn_outside_and_nothing_panics() {
        let shown = line(&Glyphs::UNICODE, |pen| {
            pen.put(15, 0, 9, "日本", Role::Text);
            pen.put(16, 0, 9, "x", Role::Text);
            pen.put(0, 1, 9, "x", Role::Text);
            pen.put(0, 0, 0, "x", Role::Text);
            pen.paint(Rect::new(9, 0, 900, 900), Role::Cursor);
            assert_eq!(pen.put_right(4, 0, 4, "ab", Role::Title), 6);
        });
        assert_eq!(shown, "      ab\n-- roles\n0: title 6..8, +cursor 9..16\n");
    }

    #[test]
    fn matches_are_painted_where_they_are_seen() {
        let shown = line(&Glyphs::UNICODE, |pen| {
            pen.put_matched(1, 0, 6, "日hdf5-mpi", Role::Text, &[3..6, 8..11]);
        });
        assert_eq!(shown, " 日hdf…\n-- roles\n0: text 1..3, match 3..6, text 6..7\n".replace("text 1..3", "text 1..2"));
    }
}
