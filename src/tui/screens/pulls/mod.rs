//! PRs / bridge: what goes from GitHub to GitLab and back, how far each pull request is and why it goes no further.

mod rows;

use ratatui::layout::Rect;

use self::rows::{COLUMNS, PullSubject, STORY, is_trouble, order, row, story, why};
use crate::bridge::{BoardRow, Budget};
use crate::console::actions::Object;
use crate::console::effect::Focus;
use crate::console::fresh::Freshness;
use crate::console::loops::Phase;
use crate::console::registry::{ActionId, Scope};
use crate::forge::PrNumber;
use crate::tui::list::List;
use crate::tui::screen::{Ask, Cx, Place, Reaction, Screen, Selection};
use crate::tui::screens::filtered::{Filtered, Order};
use crate::tui::theme::Role;
use crate::tui::widgets::{Panel, Pen, Table, empty};

/// What the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
enum Sort {
    /// How long the step lasts already against how long it takes as a rule.
    #[default]
    Stuck,
    Step,
    Number,
}

impl Order for Sort {
    const ALL: &'static [Self] = &[Self::Stuck, Self::Step, Self::Number];

    fn word(self) -> &'static str {
        match self {
            Self::Stuck => "stuck",
            Self::Step => "step",
            Self::Number => "number",
        }
    }
}

/// The screen.
#[derive(Debug, Default)]
pub struct PullsScreen {
    filtered: Filtered<Sort>,
    list: List<PrNumber>,
    worked_out: Option<(u64, u64)>,
    is_open: bool,
}

impl PullsScreen {
    fn chosen<'a>(&self, cx: Cx<'a>) -> Option<&'a BoardRow> {
        cx.world.board.value.as_ref()?.row(*self.list.id()?)
    }

    /// The list, and the story below it where one is open.
    fn parts(&self, area: Rect) -> (Rect, Option<Rect>) {
        if !self.is_open || area.height <= 10 {
            return (area, None);
        }
        let half = area.height / 2;
        (Rect { height: half, ..area }, Some(Rect { y: area.y + half, height: area.height - half, ..area }))
    }

    fn story(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let Some(chosen) = self.chosen(cx) else { return };
        let title = format!("#{} {}", chosen.pr, chosen.title);
        let inner = Panel { title: &title, ..Panel::default() }.draw(pen, area);
        let known = cx.world.stories.get(&chosen.pr);
        let rows = story(chosen, known.map_or(&[], |decisions| &**decisions));
        let table = Table { columns: STORY, cursor: None, is_startled: false, is_dim: known.is_none() };
        table.draw(pen, inner, rows.into_iter().take(Table::height(inner)));
    }
}

/// How old the board is, what is wrong with it, and how many rows need somebody.
fn panel<'a>(cx: Cx<'_>, area: Rect, problem: Option<&'a (String, String)>, quota: &'a str) -> Panel<'a> {
    let board = cx.world.board.value.as_ref();
    let freshness = board.map(|board| match board.silence(cx.server_now()) {
        Some(age) => Freshness::Stale(age),
        None if !board.is_whole => Freshness::Partial,
        None => Freshness::Live(cx.server_now().since(board.at)),
    });
    Panel {
        freshness,
        progress: quota,
        source: if freshness.is_some() { "bridge" } else { "" },
        problem: problem.map(|(what, remedy)| (what.as_str(), remedy.as_str())),
        is_focused: true,
        is_bare: area.height < 16,
        ..Panel::default()
    }
}

/// What GitHub still answers this hour.
fn quota(cx: Cx<'_>) -> String {
    let quota = cx.world.board.value.as_ref().and_then(|board| board.quota);
    quota.map_or_else(String::new, |Budget { left, of }| format!("quota {left}/{of}"))
}

/// The rows, and where the column WHY has no room a line for what it would say of the chosen one.
fn with_foot(inside: Rect) -> (Rect, Option<Rect>) {
    if Table::shows("WHY", COLUMNS, inside) || inside.height < 6 {
        return (inside, None);
    }
    let height = inside.height - 1;
    (Rect { height, ..inside }, Some(Rect { y: inside.y + height, height: 1, ..inside }))
}

/// Whether a bridge runs that has not come to an end with anything yet.
fn is_bridging(cx: Cx<'_>) -> bool {
    cx.world.loops.told.get("bridge").is_some_and(|state| matches!(state.phase, Phase::Starting | Phase::Running))
}

fn problem(cx: Cx<'_>) -> Option<(String, String)> {
    let fault = cx.world.board.error.as_ref()?;
    Some((fault.to_string(), fault.remedy(cx.now)))
}

impl Screen for PullsScreen {
    fn scope(&self) -> Scope {
        Scope::Controller
    }

    fn place(&self) -> Place {
        Place::Pulls
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let (top, _) = self.parts(area);
        let rows = with_foot(panel(cx, top, problem(cx).as_ref(), "").inner(top)).0;
        let now = (cx.world.revision, self.filtered.changes());
        if self.worked_out == Some(now) {
            self.list.resettle(rows, cx.now);
            return;
        }
        self.worked_out = Some(now);
        let (filter, server_now) = (self.filtered.filter(), cx.server_now());
        let board = cx.world.board.value.as_ref();
        let mut shown: Vec<&BoardRow> = board
            .iter()
            .flat_map(|board| &board.rows)
            .filter(|row| filter.is_empty() || filter.matches(&PullSubject(row), server_now))
            .collect();
        shown.sort_by(|a, b| order(self.filtered.sort, a, b, server_now));
        if self.filtered.is_reversed {
            shown.reverse();
        }
        self.list.settle(shown.into_iter().map(|row| row.pr).collect(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let (top, bottom) = self.parts(area);
        let (problem, narrowed, quota) = (problem(cx), self.filtered.narrowed(), quota(cx));
        let panel = Panel { title: "PRs / bridge", narrowed: &narrowed, ..panel(cx, top, problem.as_ref(), &quota) };
        let (inside, foot) = with_foot(panel.draw(pen, top));
        if let (Some(foot), Some(chosen)) = (foot, self.chosen(cx)) {
            pen.put(foot.x, foot.y, foot.width, &format!("#{}: {}", chosen.pr, why(cx, chosen)), Role::TextStrong);
        }
        if self.list.ids().is_empty() {
            let (why, widen) = match (&cx.world.board.value, cx.world.board.fetched_at) {
                (Some(_), _) if !self.filtered.text().is_empty() => {
                    (format!("no pull request passes `{}`", self.filtered.text()), Some(("Esc", "clears the filter")))
                }
                (Some(_), _) => ("no pull request is open".to_owned(), None),
                (None, Some(_)) if is_bridging(cx) => {
                    ("the first pass of the bridge is under way".to_owned(), Some(("0", "shows how it fares")))
                }
                (None, Some(_)) => (
                    "no bridge has written anything down here".to_owned(),
                    Some((":loops start bridge", "starts one, as a daemon does")),
                ),
                (None, None) => ("what the bridge does is not known yet".to_owned(), None),
            };
            empty(pen, inside, &why, widen);
        } else {
            let table = Table {
                columns: COLUMNS,
                cursor: self.list.cursor_on_screen(),
                is_startled: self.list.is_startled(cx.now),
                is_dim: panel.is_dim(),
            };
            let board = cx.world.board.value.as_ref();
            let shown = self.list.visible().iter().filter_map(|pr| board.and_then(|board| board.row(*pr)));
            table.draw(pen, inside, shown.map(|one| row(cx, one, self.filtered.filter())));
        }
        if let Some(bottom) = bottom {
            self.story(cx, bottom, pen);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        match action {
            ActionId::ViewBack | ActionId::ListLeft if self.is_open => {
                self.is_open = false;
                self.worked_out = None;
                return Reaction::Done;
            }
            _ if self.filtered.act(action) => return Reaction::Done,
            _ => {}
        }
        match (action, self.chosen(cx)) {
            (ActionId::ListFilter, _) => self.filtered.ask(),
            (ActionId::ListOpen | ActionId::ListRight | ActionId::ListPreviewPane | ActionId::JobsExplain, Some(_)) => {
                self.is_open = !self.is_open;
                self.worked_out = None;
                Reaction::Done
            }
            (ActionId::ListLeft, _) => Reaction::Back,
            (ActionId::TroubleNext | ActionId::TroublePrev, _) => {
                let board = cx.world.board.value.as_ref();
                let is_bad = |pr: &PrNumber| board.and_then(|board| board.row(*pr)).is_some_and(is_trouble);
                if self.list.seek(action == ActionId::TroubleNext, is_bad) {
                    Reaction::Done
                } else {
                    Reaction::say("no other pull request is in trouble")
                }
            }
            (ActionId::CopyId, Some(chosen)) => {
                Reaction::Copy { text: chosen.pr.to_string(), what: "pull request".to_owned() }
            }
            _ => Reaction::Unhandled,
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        self.filtered.typed(text)
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let pipeline = self.chosen(cx).and_then(|row| row.pipeline.as_ref()).map(|pipeline| pipeline.id);
        // Only one that is followed can be gone to.
        Selection {
            pipeline: pipeline.filter(|id| cx.world.pipeline(*id).is_some()),
            objects: self.chosen(cx).map(|row| Object::PullRequest(row.pr)).into_iter().collect(),
            ..Selection::default()
        }
    }

    fn focus(&self, cx: Cx<'_>) -> Focus {
        let story = self.chosen(cx).filter(|_| self.is_open).map(|row| row.pr);
        Focus { board: true, story, ..Focus::default() }
    }
}
