//! A room that is planned and not furnished: it says so, and what there is instead. Never a blank screen, never made-up numbers.

use ratatui::layout::Rect;

use crate::console::effect::Focus;
use crate::console::registry::{ActionId, Scope};
use crate::tui::screen::{Cx, Place, Reaction, Screen, Selection};
use crate::tui::widgets::{Panel, Pen, empty};

/// The screen.
#[derive(Debug)]
pub struct LaterScreen {
    place: Place,
    title: &'static str,
    why: &'static str,
    instead: Option<(&'static str, &'static str)>,
}

impl LaterScreen {
    /// A screen whose room is not furnished in this version.
    pub fn room(title: &'static str) -> Self {
        Self {
            place: Place::Later(title),
            title,
            why: "this version does not have this screen yet",
            instead: Some(("1", "shows what is wrong now")),
        }
    }
}

impl Screen for LaterScreen {
    fn scope(&self) -> Scope {
        Scope::Global
    }

    fn place(&self) -> Place {
        self.place.clone()
    }

    fn settle(&mut self, _cx: Cx<'_>, _area: Rect) {}

    fn draw(&self, _cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let panel = Panel { title: self.title, is_focused: true, is_bare: area.height < 16, ..Panel::default() };
        let rows = panel.draw(pen, area);
        empty(pen, rows, self.why, self.instead);
    }

    fn act(&mut self, _action: ActionId, _cx: Cx<'_>) -> Reaction {
        Reaction::Unhandled
    }

    fn selection(&self, _cx: Cx<'_>) -> Selection {
        Selection::default()
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }
}
