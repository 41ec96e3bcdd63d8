//! Loops: is the machinery itself alive? What runs by itself, how its last rounds went and when the next is due; its rounds one key away.

mod rows;

use std::sync::Arc;

use ratatui::layout::Rect;

use self::rows::{COLUMNS, ROUNDS, order, round_row, row};
use crate::ci::short;
use crate::console::effect::Focus;
use crate::console::loops::{DAEMON_CHOOSES, LoopState, OF_THE_CORE, Phase, Role as Lead};
use crate::console::registry::{ActionId, Scope};
use crate::tui::list::List;
use crate::tui::screen::{Cx, Place, Reaction, Screen, Selection};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, Table, empty};

/// The screen.
#[derive(Debug, Default)]
pub struct LoopsScreen {
    list: List<Arc<str>>,
    /// Worked out when it settles: drawing reads them.
    loops: Vec<LoopState>,
    is_open: bool,
}

impl LoopsScreen {
    fn chosen(&self) -> Option<&LoopState> {
        let name = self.list.id()?;
        self.loops.iter().find(|state| state.name == *name)
    }

    /// The rounds of a loop, the newest first.
    fn rounds(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let Some(state) = self.chosen() else { return };
        let title = format!("{}: last rounds", state.name);
        let inner = Panel { title: &title, ..Panel::default() }.draw(pen, area);
        if state.rounds.is_empty() {
            let why = match (&state.why_stopped, state.phase) {
                (Some(why), Phase::Stopped) => why,
                // A loop that follows has no rounds unless one of its sources breaks.
                _ => "no round has ended",
            };
            return empty(pen, inner, why, None);
        }
        let table = Table { columns: ROUNDS, cursor: None, is_startled: false, is_dim: false };
        let height = Table::height(inner);
        table.draw(pen, inner, state.rounds.iter().take(height).map(|round| round_row(cx, round)));
    }
}

/// Who runs the loops.
fn runner(cx: Cx<'_>) -> String {
    let Some(controller) = &cx.world.loops.controller else { return "in this console".to_owned() };
    let role = match &controller.role {
        Lead::Leader => "leader".to_owned(),
        Lead::StandingBy { .. } => "stands by".to_owned(),
    };
    format!("daemon {} up {}  {role}", controller.host, short(cx.now.since(controller.since)))
}

impl Screen for LoopsScreen {
    fn scope(&self) -> Scope {
        Scope::Controller
    }

    fn place(&self) -> Place {
        Place::Loops
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        self.loops = cx.world.loops(cx.now);
        self.loops.sort_by(|a, b| order(a, b, cx.now));
        let height = if self.is_open { area.height / 2 } else { area.height };
        let rows = Rect { height: height.saturating_sub(2), ..area };
        self.list.settle(self.loops.iter().map(|state| Arc::clone(&state.name)).collect(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let (top, bottom) = if self.is_open && area.height > 10 {
            let half = area.height / 2;
            (Rect { height: half, ..area }, Rect { y: area.y + half, height: area.height - half, ..area })
        } else {
            (area, Rect { height: 0, ..area })
        };
        let runner = runner(cx);
        let lost = cx.world.attachment.as_ref().and_then(|attachment| {
            let (since, why) = attachment.lost.as_ref()?;
            let ago = short(cx.now.since(*since));
            let what = format!("daemon pid {} was last seen {ago} ago: {why}", attachment.pid);
            Some((what, "nobody knows how its loops fare; it is looked for"))
        });
        let died = self.loops.iter().find(|state| state.has_died).map(|state| {
            let why = state.why_stopped.as_deref().unwrap_or_default();
            (format!("{} died: {why}", state.name), "start it again; the log of whoever ran it tells more")
        });
        let problem = lost.or(died);
        let panel = Panel {
            title: "Controller loops",
            progress: &runner,
            problem: problem.as_ref().map(|(what, remedy)| (what.as_str(), *remedy)),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        };
        let rows = panel.draw(pen, top);
        let table = Table {
            columns: COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: false,
        };
        let shown = self.list.visible().iter();
        let shown = shown.filter_map(|name| self.loops.iter().find(|state| state.name == *name));
        table.draw(pen, rows, shown.map(|state| row(cx, state)));
        if bottom.height > 0 {
            self.rounds(cx, bottom, pen);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        match action {
            ActionId::ListOpen | ActionId::ListRight | ActionId::ListPreviewPane => {
                self.is_open = !self.is_open;
                Reaction::Done
            }
            ActionId::ViewBack | ActionId::ListLeft if self.is_open => {
                self.is_open = false;
                Reaction::Done
            }
            ActionId::LoopsSwitch if cx.world.attachment.is_some() => Reaction::complain(DAEMON_CHOOSES),
            ActionId::LoopsRun | ActionId::LoopsSwitch => self.chosen().map_or(Reaction::Done, |state| {
                let verb = match (action, state.phase) {
                    _ if OF_THE_CORE.contains(&&*state.name) => {
                        return Reaction::complain(format!(
                            "{} runs wherever it is configured; nothing starts or stops it",
                            state.name
                        ));
                    }
                    (ActionId::LoopsRun, _) => "run",
                    (_, Phase::Stopped) => "start",
                    _ => "stop",
                };
                Reaction::Command(format!("loops {verb} {}", state.name))
            }),
            ActionId::TroubleNext | ActionId::TroublePrev => {
                let is_bad = |name: &Arc<str>| {
                    let state = self.loops.iter().find(|state| state.name == *name);
                    state.is_some_and(|state| state.has_died || state.phase == Phase::BackingOff)
                };
                if !self.list.seek(action == ActionId::TroubleNext, is_bad) {
                    return Reaction::say("no other loop is in trouble");
                }
                Reaction::Done
            }
            ActionId::CopyId => self.chosen().map_or(Reaction::Done, |state| Reaction::Copy {
                text: crate::console::text::clean(&rows::note(cx, state)).into_owned(),
                what: format!("note of {}", state.name),
            }),
            _ => Reaction::Unhandled,
        }
    }

    fn selection(&self, _cx: Cx<'_>) -> Selection {
        Selection::default()
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }

    fn is_startled(&self, now: crate::ci::Timestamp) -> bool {
        self.list.is_startled(now)
    }
}

/// The role of a phase.
const fn role_of(state: &LoopState) -> Role {
    match state.phase {
        _ if state.has_died => Role::StateFail,
        Phase::BackingOff => Role::StateFail,
        Phase::Starting => Role::StateWait,
        Phase::Running => Role::StateRun,
        Phase::Waiting => Role::StateOk,
        Phase::StandingBy | Phase::Stopped => Role::StateSkip,
    }
}
