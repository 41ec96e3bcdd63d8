//! Messages: holds, errors and notes of this session. Toasts go; this keeps them.

use ratatui::layout::Rect;

use crate::ci::short;
use crate::console::effect::Focus;
use crate::console::messages::Level;
use crate::console::registry::{ActionId, Scope};
use crate::console::text::width;
use crate::tui::list::List;
use crate::tui::screen::{Cx, Place, Reaction, Screen, Selection};
use crate::tui::screens::told::{Lines, line, wrapped};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Panel, Pen, Row, Table, Width, empty};

const COLUMNS: &[Column] = &[
    Column::new("AGE", Width::Fixed(5)).right(),
    Column::new("", Width::Fixed(5)),
    Column::new("MESSAGE", Width::Grow { least: 20, weight: 1 }),
    Column::new("TIMES", Width::Fixed(5)).right().sacrifice(1),
];

/// The screen. Rows are known by their text: it is what makes two messages the same.
#[derive(Debug, Default)]
pub struct MessagesScreen {
    list: List<String>,
}

/// Lines at the bottom for the whole of a long message.
const FOOT: usize = 6;
/// What the other columns take of a row.
const BESIDE: usize = 23;

fn panel(area: Rect) -> Panel<'static> {
    Panel { title: "Messages", is_focused: true, is_bare: area.height < 16, ..Panel::default() }
}

impl MessagesScreen {
    /// The rows, and below them the chosen message where its row cannot hold it.
    fn parts(&self, inside: Rect) -> (Rect, Lines) {
        let room = usize::from(inside.width);
        let chosen = self.list.id().filter(|text| width(text) > room.saturating_sub(BESIDE));
        let mut foot = chosen.map_or_else(Lines::new, |text| wrapped(vec![line(text)], room));
        foot.truncate(FOOT.min(usize::from(inside.height / 2)));
        (Rect { height: inside.height - foot.len() as u16, ..inside }, foot)
    }
}

impl Screen for MessagesScreen {
    fn scope(&self) -> Scope {
        Scope::List
    }

    fn place(&self) -> Place {
        Place::Messages
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let held = cx.world.actions.held().into_iter().map(|h| format!("held: {} ({})", h.plan.summary(), h.plan.id));
        let running = cx.world.actions.running().map(|r| format!("sending: {}: {}", r.plan.summary(), r.report()));
        let said = cx.world.messages.iter().map(|m| m.text.clone());
        let (rows, _) = self.parts(panel(area).inner(area));
        self.list.settle(held.chain(running).chain(said).collect(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let inside = panel(area).draw(pen, area);
        if self.list.ids().is_empty() {
            return empty(pen, inside, "nothing was said in this session", None);
        }
        let (rows, foot) = self.parts(inside);
        for (nth, (text, _)) in foot.iter().enumerate() {
            pen.put(inside.x, rows.bottom() + nth as u16, inside.width, text, Role::TextStrong);
        }
        let table = Table {
            columns: COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: false,
        };
        let shown = self.list.visible().iter().map(|text| {
            let message = cx.world.messages.iter().find(|m| m.text == *text);
            let (age, word, role, times) = match message {
                None => (String::new(), "hold", Role::ActionHold, 1),
                Some(m) => {
                    let (word, role) = match m.level {
                        Level::Error => ("error", Role::FreshError),
                        Level::Info => ("info", Role::Text),
                    };
                    (short(cx.now.since(m.last)), word, role, m.times)
                }
            };
            Row {
                cells: vec![
                    Cell::new(age, Role::TextDim),
                    Cell::new(word, role),
                    Cell::new(text.as_str(), Role::Text),
                    Cell::new(if times > 1 { times.to_string() } else { String::new() }, Role::TextDim),
                ],
                ..Row::default()
            }
        });
        table.draw(pen, rows, shown);
    }

    fn act(&mut self, action: ActionId, _cx: Cx<'_>) -> Reaction {
        if self.list.act(action) { Reaction::Done } else { Reaction::Unhandled }
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let plan = cx.world.actions.held().first().map(|h| h.plan.id.clone());
        Selection { plan, ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }
}
