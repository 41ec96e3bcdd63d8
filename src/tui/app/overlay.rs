//! What lies over the screen: one thing at a time, and it takes the keys.

use super::palette::Palette;
use super::preview::Preview;
use super::teach::Teach;
use crate::tui::screen::{Ask, Explained};
use crate::tui::widgets::Line;

/// Something over the screen.
#[derive(Debug)]
pub enum Overlay {
    /// A line that the screen asked for.
    Prompt {
        what: Ask,
        line: Line,
        before: String,
        error: Option<String>,
    },
    Palette(Palette),
    Help {
        line: Line,
        chosen: usize,
    },
    Preview(Box<Preview>),
    /// A rule in the making.
    Teach(Box<Teach>),
    /// Asked only while plans are held or being sent.
    Quit,
    /// Why something is as it is.
    Explain {
        what: Explained,
        /// How many lines are scrolled away.
        top: usize,
    },
}

/// The sign before a line that is typed.
pub fn sigil(what: Ask) -> &'static str {
    match what {
        Ask::Filter | Ask::Search => "/",
        Ask::Only => "&",
        Ask::Without => "!&",
        Ask::Note => "note:",
        Ask::Silence => "silence:",
    }
}
