//! The toast row: the one line that says what is held, what went wrong, or what was just done.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::console::text;
use crate::tui::theme::Role;

/// Something worth a line, in the order in which they win the row.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Toast {
    /// A plan that is sent soon: what, seconds left, and how to take it back.
    Hold {
        what: String,
        seconds: u64,
        undo: String,
    },
    /// What failed and what to do about it. Stays until a key is pressed.
    Error {
        what: String,
        times: u32,
    },
    Info {
        what: String,
        times: u32,
    },
}

/// Draws the most important of the toasts. How many more there are is said at the end.
pub fn toast(pen: &mut Pen<'_>, area: Rect, toasts: &[Toast]) {
    let Some(first) = toasts.iter().min() else { return };
    let glyphs = pen.look.glyphs;
    let more = match toasts.len() {
        1 => String::new(),
        n => format!("  +{} :messages", n - 1),
    };
    let right = text::width(&more) as u16;
    let room = area.width.saturating_sub(right);
    let times = |times: u32| if times > 1 { format!(" x{times}") } else { String::new() };
    let (glyph, role, what, tail) = match first {
        Toast::Hold { what, seconds, undo } => {
            (glyphs.hold, Role::ActionHold, format!("{what} in {seconds}s"), format!("  {undo} undo"))
        }
        Toast::Error { what, times: n } => ("!", Role::FreshError, what.clone(), times(*n)),
        Toast::Info { what, times: n } => (glyphs.dot, Role::Text, what.clone(), times(*n)),
    };
    // The tail says how to undo; it is the last thing to be cut.
    let tail_width = text::width(&tail) as u16;
    let mut x = area.x + pen.put_all(area.x, area.y, room, [(glyph, role), (" ", role)]);
    x += pen.put(x, area.y, room.saturating_sub(x - area.x).saturating_sub(tail_width), &what, role);
    pen.put(x, area.y, room.saturating_sub(x - area.x), &tail, Role::TextStrong);
    pen.put_right(area.x, area.y, area.width, &more, Role::TextDim);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::testing::{drawn, snapshot};
    use crate::tui::theme::Depth;

    #[test]
    fn holds_win_over_errors_and_errors_over_notes() {
        let info = Toast::Info { what: "copied 15201234".to_owned(), times: 1 };
        let error = Toast::Error {
            what: "GitLab answers 403: the token may not retry jobs; `:login` with another one".to_owned(),
            times: 12,
        };
        let hold = Toast::Hold { what: "retry 33 jobs".to_owned(), seconds: 4, undo: "u".to_owned() };
        let buf = drawn(60, 4, &Glyphs::UNICODE, Depth::True, |pen, _| {
            let row = |y| Rect::new(0, y, 60, 1);
            toast(pen, row(0), &[info.clone(), error.clone(), hold.clone()]);
            toast(pen, row(1), &[info.clone(), error]);
            toast(pen, row(2), &[info]);
            toast(pen, Rect::new(0, 3, 18, 1), &[hold]);
        });
        snapshot("widget-toasts-60x4", &buf);
    }
}
