//! Pipelines: every parent with its trouble, its stacks one level below.

mod rows;

pub(super) use rows::cause;

use std::collections::BTreeSet;

use ratatui::layout::Rect;

use crate::ci::{PipelineId, Timestamp};
use crate::console::effect::Focus;
use crate::console::event::Intent;
use crate::console::fresh::Completeness;
use crate::console::registry::{ActionId, Scope};
use crate::console::state::JobState;
use crate::tui::list::{List, copy_pipeline};
use crate::tui::screen::{Ask, Cx, Place, Reaction, Screen, Selection};
use crate::tui::widgets::{Panel, Pen, Table, empty};

/// What parents are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// Failures, then blocked jobs, then the newest.
    Trouble,
    Newest,
    Ref,
}

/// The screen.
#[derive(Debug)]
pub struct PipelinesScreen {
    list: List<PipelineId>,
    open: BTreeSet<PipelineId>,
    sort: Sort,
    is_reversed: bool,
    needle: String,
}

impl Default for PipelinesScreen {
    fn default() -> Self {
        Self {
            list: List::default(),
            open: BTreeSet::new(),
            sort: Sort::Trouble,
            is_reversed: false,
            needle: String::new(),
        }
    }
}

impl PipelinesScreen {
    /// Puts the cursor on a pipeline; a child's parent is opened for it.
    pub fn choose(&mut self, cx: Cx<'_>, id: PipelineId) {
        let root = cx.world.root_of(id);
        if root != id {
            self.open.insert(root);
        }
        self.list.choose(id);
    }

    fn narrowed(&self) -> String {
        let sort = match self.sort {
            Sort::Trouble => "sort:trouble",
            Sort::Newest => "sort:newest",
            Sort::Ref => "sort:ref",
        };
        let reversed = if self.is_reversed { " reversed" } else { "" };
        if self.needle.is_empty() { format!("{sort}{reversed}") } else { format!("{sort}{reversed}  /{}", self.needle) }
    }

    /// Opens a parent's stacks; on a child it goes to the graph.
    fn enter(&mut self, cx: Cx<'_>) -> Reaction {
        let Some(id) = self.list.id().copied() else { return Reaction::Done };
        let Some(facts) = cx.world.pipeline(id) else { return Reaction::Done };
        if facts.pipeline.parent.is_some() {
            return Reaction::Go(Place::Dag { pipeline: Some(id), job: None });
        }
        if !self.open.remove(&id) {
            self.open.insert(id);
            if facts.children.is_empty() {
                return Reaction::All(vec![
                    Reaction::Intend(Intent::Refresh(Some(id))),
                    Reaction::say("its stacks are being read"),
                ]);
            }
        }
        Reaction::Done
    }

    fn leave(&mut self, cx: Cx<'_>) -> Reaction {
        let Some(id) = self.list.id().copied() else { return Reaction::Back };
        let root = cx.world.root_of(id);
        if root != id {
            self.list.choose(root);
        } else if !self.open.remove(&id) {
            return Reaction::Back;
        }
        Reaction::Done
    }
}

impl Screen for PipelinesScreen {
    fn scope(&self) -> Scope {
        Scope::List
    }

    fn place(&self) -> Place {
        Place::Pipelines
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let ids = rows::work_out(cx, &self.open, self.sort, self.is_reversed, &self.needle);
        let frame = if area.height < 16 { 1 } else { 2 };
        let rows = Rect { height: area.height.saturating_sub(frame), ..area };
        self.list.settle(ids, rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let pipelines = &cx.world.pipelines;
        let problem = pipelines.error.as_ref().map(|f| (f.to_string(), f.remedy(cx.now)));
        let narrowed = self.narrowed();
        let panel = Panel {
            title: &format!("Pipelines  {} shown", pipelines.count(self.list.ids().len())),
            narrowed: &narrowed,
            freshness: Some(pipelines.freshness(cx.now, cx.world.polling.rules.periods.list)),
            problem: problem.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        };
        let rows = panel.draw(pen, area);
        if self.list.ids().is_empty() {
            if self.needle.is_empty() {
                let why = match pipelines.completeness {
                    Completeness::Unknown => "pipelines are being read…",
                    _ => "this project has no pipeline",
                };
                empty(pen, rows, why, None);
            } else {
                empty(pen, rows, &format!("no pipeline fits `{}`", self.needle), Some(("Esc", "clears the filter")));
            }
            return;
        }
        let table = Table {
            columns: rows::COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: panel.is_dim(),
        };
        let shown = self.list.visible().iter().filter_map(|id| cx.world.pipeline(*id));
        table.draw(pen, rows, shown.map(|facts| rows::row(cx, facts, &self.open)));
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        let here = self.list.id().copied();
        match action {
            ActionId::ListOpen | ActionId::ListRight => self.enter(cx),
            ActionId::ListLeft => self.leave(cx),
            ActionId::JobsDag => Reaction::Go(Place::Dag { pipeline: here, job: None }),
            ActionId::JobsLog => Reaction::Go(Place::Jobs { pipeline: here, filter: "state:failed".to_owned() }),
            ActionId::ListFilter => Reaction::Ask { what: Ask::Filter, text: self.needle.clone() },
            ActionId::ViewBack | ActionId::ListFilterClear if !self.needle.is_empty() => {
                self.needle.clear();
                Reaction::Done
            }
            ActionId::ListSort => {
                self.sort = match self.sort {
                    Sort::Trouble => Sort::Newest,
                    Sort::Newest => Sort::Ref,
                    Sort::Ref => Sort::Trouble,
                };
                Reaction::Done
            }
            ActionId::ListReverse => {
                self.is_reversed = !self.is_reversed;
                Reaction::Done
            }
            ActionId::TroubleNext | ActionId::TroublePrev => {
                let bad = |id: &PipelineId| cx.world.tree_counts(*id).get(JobState::Fail) > 0;
                if self.list.seek(action == ActionId::TroubleNext, bad) {
                    Reaction::Done
                } else {
                    Reaction::say("no other pipeline has failed jobs")
                }
            }
            _ => here
                .and_then(|id| cx.world.pipeline(id))
                .and_then(|facts| copy_pipeline(action, cx, facts))
                .unwrap_or(Reaction::Unhandled),
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        text.clone_into(&mut self.needle);
        Ok(())
    }

    fn selection(&self, _cx: Cx<'_>) -> Selection {
        Selection { pipeline: self.list.id().copied(), ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus { pipeline: self.list.id().copied(), ..Focus::default() }
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}
