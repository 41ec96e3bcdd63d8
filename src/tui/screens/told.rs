//! Explanations: lines that fit into their box.

use crate::console::text::{clean, width};
use crate::tui::theme::Role;

/// What is told.
pub type Lines = Vec<(String, Role)>;

/// What fits into the box of an explanation.
pub const BOX: usize = 92;

/// Breaks long lines between words; what goes on stands further in.
pub fn wrapped(lines: Lines, room: usize) -> Lines {
    let mut out = Vec::with_capacity(lines.len());
    for (text, role) in lines {
        let indent = text.len() - text.trim_start().len();
        let mut shown = String::new();
        for word in text.split_inclusive(' ') {
            let is_begun = shown.len() > indent + 4;
            if is_begun && width(&shown) + width(word.trim_end()) > room {
                out.push((std::mem::replace(&mut shown, " ".repeat(indent + 4)), role));
            }
            shown.push_str(word);
        }
        out.push((shown, role));
    }
    out
}

/// A line of text; what strangers wrote is made harmless.
pub fn line(text: impl AsRef<str>) -> (String, Role) {
    (clean(text.as_ref()).into_owned(), Role::Text)
}

/// The same, louder.
pub fn title(text: impl AsRef<str>) -> (String, Role) {
    (clean(text.as_ref()).into_owned(), Role::TextStrong)
}
