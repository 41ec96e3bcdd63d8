//! Audit: who did what, newest first; the rows on disk, with exact ids, states seen and answers one key away.

use ratatui::layout::Rect;

use crate::ci::Timestamp;
use crate::console::actions::PlanId;
use crate::console::audit::{AuditRow, AuditState};
use crate::console::effect::Focus;
use crate::console::fresh::Completeness;
use crate::console::registry::{ActionId, Scope};
use crate::tui::list::List;
use crate::tui::screen::{Cx, Place, Reaction, Screen, Selection};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Panel, Pen, Row, Table, Width, empty};

const COLUMNS: &[Column] = &[
    Column::new("WHEN", Width::Fixed(8)),
    Column::new("WHO", Width::Fixed(8)).sacrifice(3),
    Column::new("WHAT", Width::Grow { least: 16, weight: 1 }),
    Column::new("PLAN", Width::Fixed(9)).sacrifice(4),
    Column::new("TARGETS", Width::Fixed(7)).right().sacrifice(2),
    Column::new("STATE", Width::Fixed(8)),
    Column::new("RESULT / REASON", Width::Grow { least: 16, weight: 3 }).sacrifice(1),
];

/// A row by identity: rows are never changed, so plan, state and moment name one.
type RowId = (PlanId, AuditState, Timestamp);

/// The screen.
#[derive(Debug, Default)]
pub struct AuditScreen {
    list: List<RowId>,
    is_open: bool,
}

fn id_of(row: &AuditRow) -> RowId {
    (row.plan.clone(), row.state, row.at)
}

impl AuditScreen {
    fn row<'a>(&self, cx: Cx<'a>) -> Option<&'a AuditRow> {
        let id = self.list.id()?;
        cx.world.audit.value.iter().find(|row| id_of(row) == *id)
    }

    fn detail(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let Some(row) = self.row(cx) else { return };
        let title = format!("{} {} {}", row.plan, row.action, row.state.word());
        let inner = Panel { title: &title, ..Panel::default() }.draw(pen, area);
        let answers = row.detail.answers.iter();
        let lines = row.detail.targets.iter().map(|target| {
            let answer = answers.clone().find(|(object, _)| *object == target.object).map_or(
                "not answered".to_owned(),
                |(_, outcome)| match outcome {
                    crate::console::actions::Outcome::Done { new_job: Some(job) } => format!("done, new job {job}"),
                    crate::console::actions::Outcome::Done { new_job: None } => "done".to_owned(),
                    crate::console::actions::Outcome::Skipped { reason }
                    | crate::console::actions::Outcome::Failed { reason }
                    | crate::console::actions::Outcome::Uncertain { reason } => {
                        format!("{}: {reason}", outcome.word())
                    }
                },
            );
            format!("{}  {answer}  was {}  {}", target.object, target.status, target.name)
        });
        let skips = row.detail.skips.iter().map(|skip| format!("skipped {skip}"));
        for (y, line) in (inner.y..inner.bottom()).zip(lines.chain(skips)) {
            pen.put(inner.x, y, inner.width, &line, Role::Text);
        }
    }
}

impl Screen for AuditScreen {
    fn scope(&self) -> Scope {
        Scope::List
    }

    fn place(&self) -> Place {
        Place::Audit
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let height = if self.is_open { area.height / 2 } else { area.height };
        let rows = Rect { height: height.saturating_sub(2), ..area };
        self.list.settle(cx.world.audit.value.iter().map(id_of).collect(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let audit = &cx.world.audit;
        let (top, bottom) = if self.is_open && area.height > 10 {
            let half = area.height / 2;
            (Rect { height: half, ..area }, Rect { y: area.y + half, height: area.height - half, ..area })
        } else {
            (area, Rect { height: 0, ..area })
        };
        let is_read = audit.completeness != Completeness::Unknown;
        let problem = audit.error.as_ref().map(|f| (f.to_string(), f.remedy(cx.now)));
        let panel = Panel {
            title: "Audit",
            progress: if is_read && audit.error.is_none() { "journal on disk ok" } else { "" },
            problem: problem.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        };
        let rows = panel.draw(pen, top);
        if self.list.ids().is_empty() {
            if is_read {
                empty(pen, rows, "nothing was done yet", Some(("r", "on a failed job plans a retry")));
            } else {
                empty(pen, rows, "the journal has not been read", None);
            }
            return;
        }
        let table = Table {
            columns: COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: false,
        };
        let found = self.list.visible().iter().filter_map(|id| audit.value.iter().find(|row| id_of(row) == *id));
        table.draw(
            pen,
            rows,
            found.map(|row| {
                let role = match row.state {
                    AuditState::Held | AuditState::Sent => Role::ActionHold,
                    AuditState::Done => Role::StateOk,
                    AuditState::Undone | AuditState::Skipped => Role::StateSkip,
                    AuditState::Failed | AuditState::Refused => Role::StateFail,
                };
                Row {
                    cells: vec![
                        Cell::new(row.at.clock(), Role::TextDim),
                        Cell::new(&*row.who, Role::Text),
                        Cell::new(&*row.action, Role::Text),
                        Cell::new(row.plan.to_string(), Role::TextDim),
                        Cell::new(row.targets.to_string(), Role::Text),
                        Cell::new(row.state.word(), role),
                        Cell::new(&*row.summary, Role::Text),
                    ],
                    ..Row::default()
                }
            }),
        );
        self.detail(cx, bottom, pen);
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
            ActionId::CopyId => self.row(cx).map_or(Reaction::Done, |row| Reaction::Copy {
                text: row.plan.to_string(),
                what: "plan id".to_owned(),
            }),
            _ => Reaction::Unhandled,
        }
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        Selection { plan: self.row(cx).map(|row| row.plan.clone()), ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }
}
