//! Overview: what is wrong now, in one screen. Causes first, then queue, runners, pipelines and what this console itself is doing.

mod sections;

use std::sync::Arc;

use ratatui::layout::Rect;

use crate::ci::{Timestamp, short};
use crate::console::effect::Focus;
use crate::console::registry::{ActionId, Scope};
use crate::console::world::CauseRow;
use crate::tui::list::{List, jobs_for};
use crate::tui::screen::{Cx, Place, Reaction, Screen, Selection};
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Panel, Pen, Row, Table, Width, empty};

use sections::{FleetLine, Mirrors, Section};

const COLUMNS: &[Column] = &[
    Column::new("", Width::Fixed(1)),
    Column::new("CAUSE", Width::Grow { least: 20, weight: 2 }).cut_middle(),
    Column::new("JOBS", Width::Fixed(5)).right(),
    Column::new("BLOCKS", Width::Fixed(7)).right(),
    Column::new("SINCE", Width::Fixed(5)).right(),
    Column::new("TREND", Width::Fixed(10)).sacrifice(1),
    Column::new("WHERE", Width::Grow { least: 12, weight: 1 }).sacrifice(2),
];

/// What the cursor can be on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RowId {
    Cause(Arc<str>),
    Section(Section),
}

/// The screen.
#[derive(Debug, Default)]
pub struct OverviewScreen {
    list: List<RowId>,
    causes: Vec<CauseRow>,
    mirrors: Mirrors,
    fleet: Option<FleetLine>,
    worked_out: Option<u64>,
}

impl OverviewScreen {
    /// The filter that finds the jobs of a cause.
    fn filter_of(cause: &str) -> String {
        format!("state:failed cause=\"{cause}\"")
    }

    fn cause_rows(&self, area: Rect) -> usize {
        // Sections, the column titles and one line of air; at least three causes.
        let room = usize::from(area.height).saturating_sub(Section::ALL.len() + 3);
        self.causes.len().min(room.max(3))
    }

    fn draw_causes(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>, is_dim: bool) -> u16 {
        let shown = self.cause_rows(area);
        let height = (shown as u16 + 1).min(area.height);
        let cursor = match self.list.id() {
            Some(RowId::Cause(cause)) => self.causes.iter().take(shown).position(|row| row.cause == *cause),
            _ => None,
        };
        let table = Table { columns: COLUMNS, cursor, is_startled: self.list.is_startled(cx.now), is_dim };
        let place = Rect { height, ..area };
        let server_now = cx.server_now();
        table.draw(
            pen,
            place,
            self.causes.iter().take(shown).map(|row| Row {
                cells: vec![
                    Cell::new(cx.look.glyphs.state(crate::console::state::JobState::Fail), Role::StateFail),
                    Cell::new(&*row.cause, Role::TextStrong),
                    Cell::new(row.jobs.to_string(), Role::Text),
                    Cell::new(
                        if row.graph_unknown {
                            format!("{} {}", cx.look.glyphs.at_least, row.blocks)
                        } else {
                            row.blocks.to_string()
                        },
                        Role::Text,
                    ),
                    Cell::new(row.first.map_or("?".to_owned(), |at| short(server_now.since(at))), Role::TextDim),
                    Cell::new(trend_text(cx, row), Role::Plot1),
                    Cell::new(row.place(), Role::TextDim),
                ],
                ..Row::default()
            }),
        );
        let hidden = self.causes.iter().skip(shown);
        let (classes, jobs) = hidden.fold((0, 0), |(c, j), row| (c + 1, j + row.jobs));
        if classes > 0 && area.height > height {
            let text = format!("+ {classes} more causes, {jobs} jobs");
            pen.put(area.x + 2, area.y + height, area.width.saturating_sub(2), &text, Role::TextDim);
            return height + 1;
        }
        height
    }
}

/// Failures per 40 minutes of the last six hours and a half, as steps; a trend is told by shape, so it is text.
fn trend_text(cx: Cx<'_>, row: &CauseRow) -> String {
    let now = cx.server_now();
    let mut bins = [0_u32; 10];
    for at in &row.times {
        let age = now.since(*at).as_secs() / 2_400;
        if let Some(bin) =
            usize::try_from(age).ok().and_then(|age| 9_usize.checked_sub(age)).and_then(|i| bins.get_mut(i))
        {
            *bin += 1;
        }
    }
    let most = bins.iter().copied().max().unwrap_or(0).max(1);
    bins.iter()
        .map(|n| crate::tui::glyphs::Glyphs::step(cx.look.glyphs.spark, f64::from(*n) / f64::from(most)))
        .collect()
}

impl Screen for OverviewScreen {
    fn scope(&self) -> Scope {
        Scope::List
    }

    fn place(&self) -> Place {
        Place::Overview
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        if self.worked_out != Some(cx.world.revision) {
            self.causes = cx.world.causes();
            self.mirrors = Mirrors::of(&cx.world.caches);
            self.fleet = FleetLine::of(cx);
            self.worked_out = Some(cx.world.revision);
        }
        let shown = self.cause_rows(area);
        let causes = self.causes.iter().take(shown).map(|row| RowId::Cause(Arc::clone(&row.cause)));
        let ids = causes.chain(Section::ALL.into_iter().map(RowId::Section)).collect();
        self.list.settle(ids, area, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let pipelines = &cx.world.pipelines;
        let period = cx.world.polling.rules.periods.list;
        let problem = pipelines.error.as_ref().map(|f| (f.to_string(), f.remedy(cx.now)));
        let panel = Panel {
            title: "Overview",
            freshness: Some(pipelines.freshness(cx.now, period)),
            problem: problem.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        };
        let body = panel.draw(pen, area);
        let used = if self.causes.is_empty() {
            let (why, widen) = sections::calm(cx);
            empty(pen, body, &why, widen);
            3.min(body.height)
        } else {
            self.draw_causes(cx, body, pen, panel.is_dim())
        };
        let rest = Rect { y: body.y + used, height: body.height.saturating_sub(used), ..body };
        let chosen = match self.list.id() {
            Some(RowId::Section(section)) => Some(*section),
            _ => None,
        };
        sections::draw(cx, rest, pen, chosen, &self.mirrors, self.fleet.as_ref());
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        match (action, self.list.id()) {
            (ActionId::ListOpen | ActionId::ListRight | ActionId::JobsLog, Some(RowId::Cause(cause))) => {
                Reaction::Go(Place::Jobs { pipeline: None, filter: Self::filter_of(cause) })
            }
            (ActionId::ListOpen | ActionId::ListRight, Some(RowId::Section(section))) => {
                Reaction::Go(section.place(cx))
            }
            (ActionId::JobsDag, _) => {
                let worst = cx
                    .world
                    .parents()
                    .max_by_key(|f| cx.world.tree_counts(f.pipeline.id).get(crate::console::state::JobState::Fail));
                Reaction::Go(Place::Dag { pipeline: worst.map(|f| f.pipeline.id), job: None })
            }
            (ActionId::TroubleNext | ActionId::TroublePrev, _) => {
                let is_cause = |id: &RowId| matches!(id, RowId::Cause(_));
                self.list.seek(action == ActionId::TroubleNext, is_cause);
                Reaction::Done
            }
            _ => Reaction::Unhandled,
        }
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let Some(RowId::Cause(cause)) = self.list.id() else { return Selection::default() };
        let of_cause = |f: &crate::console::world::PipelineFacts| f.pipeline.id;
        let jobs = cx
            .world
            .parents()
            .map(of_cause)
            .flat_map(|root| jobs_for(ActionId::JobsRetry, cx.world, root))
            .filter(|id| cx.world.job(*id).and_then(|job| cx.world.cause(job)) == Some(cause))
            .collect();
        Selection { jobs, is_group: true, ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus::default()
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}
