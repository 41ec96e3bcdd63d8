//! A grid of characters with roles. The picture is drawn into one; the screen maps roles to styles, the text twin prints the characters.

use std::fmt;

use unicode_width::UnicodeWidthChar;

use crate::console::state::JobState;

/// What a character is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default)]
pub enum Role {
    #[default]
    Blank,
    /// A column's heading.
    Heading,
    /// A name.
    Label,
    /// Times, counts and causes beside a name.
    Detail,
    /// A glyph and a name in this state; `None` for ghosts.
    State(Option<JobState>),
    /// Jobs folded into one cell.
    Group,
    Edge,
    /// An edge of the selection.
    Linked,
    /// An edge of the critical path.
    Critical,
    /// The mark of the selection.
    Cursor,
}

/// One character of a canvas.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glyph {
    /// `None` is the right half of a wide character.
    pub symbol: Option<char>,
    pub role: Role,
}

impl Default for Glyph {
    fn default() -> Self {
        Self { symbol: Some(' '), role: Role::Blank }
    }
}

/// A grid of characters. Writing outside of it changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canvas {
    width: usize,
    glyphs: Vec<Glyph>,
}

impl Canvas {
    pub(super) fn new(width: usize, height: usize) -> Self {
        Self { width, glyphs: vec![Glyph::default(); width * height] }
    }

    /// Columns.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> usize {
        self.glyphs.len().checked_div(self.width).unwrap_or(0)
    }

    /// One row; empty when there is none.
    pub fn row(&self, y: usize) -> &[Glyph] {
        self.glyphs.get(y * self.width..(y + 1) * self.width).unwrap_or_default()
    }

    pub(super) fn put(&mut self, x: usize, y: usize, symbol: char, role: Role) {
        self.set(x, y, Glyph { symbol: Some(symbol), role });
    }

    /// Writes harmless text from `x` on; returns the column behind it.
    pub(super) fn write(&mut self, mut x: usize, y: usize, text: &str, role: Role) -> usize {
        for symbol in text.chars() {
            let width = symbol.width().unwrap_or(0);
            if width > 0 {
                self.set(x, y, Glyph { symbol: Some(symbol), role });
                (1..width).for_each(|half| self.set(x + half, y, Glyph { symbol: None, role }));
            }
            x += width;
        }
        x
    }

    fn set(&mut self, x: usize, y: usize, glyph: Glyph) {
        if let Some(slot) = self.glyphs.get_mut(y * self.width + x).filter(|_| x < self.width) {
            *slot = glyph;
        }
    }
}

impl fmt::Display for Canvas {
    /// The rows as lines, without spaces at their ends.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for y in 0..self.height() {
            let line: String = self.row(y).iter().filter_map(|glyph| glyph.symbol).collect();
            writeln!(f, "{}", line.trim_end())?;
        }
        Ok(())
    }
}
