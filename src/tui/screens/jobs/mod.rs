//! Jobs: every job of one tree, or of all, that passes a filter.

mod rows;

use ratatui::layout::Rect;

use crate::ci::{JobId, PipelineId, Timestamp};
use crate::console::effect::Focus;
use crate::console::filter::{Filter, Typing};
use crate::console::fresh::Completeness;
use crate::console::registry::{ActionId, Scope};
use crate::console::state::JobState;
use crate::tui::list::{List, copy_job};
use crate::tui::screen::{Ask, Cx, Place, Reaction, Screen, Selection};
use crate::tui::widgets::{Panel, Pen, Table, empty};

/// What the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// State, then how many jobs wait for it.
    Trouble,
    Age,
    Duration,
    Wait,
    Name,
}

impl Sort {
    const ALL: [Self; 5] = [Self::Trouble, Self::Age, Self::Duration, Self::Wait, Self::Name];

    fn word(self) -> &'static str {
        match self {
            Self::Trouble => "trouble",
            Self::Age => "age",
            Self::Duration => "dur",
            Self::Wait => "wait",
            Self::Name => "name",
        }
    }
}

/// The screen.
#[derive(Debug)]
pub struct JobsScreen {
    pipeline: Option<PipelineId>,
    filter: Typing,
    sort: Sort,
    is_reversed: bool,
    list: List<JobId>,
    /// Rows are worked out anew when one of these moved: world, filter text, order.
    worked_out: Option<(u64, String, Sort, bool)>,
    range_from: Option<JobId>,
}

impl JobsScreen {
    /// Opens the list with a filter that is known to be good, or shows all.
    pub fn new(pipeline: Option<PipelineId>, filter: &str) -> Self {
        let mut typing = Typing::default();
        typing.update(filter, &|_| None);
        Self {
            pipeline,
            filter: typing,
            sort: Sort::Trouble,
            is_reversed: false,
            list: List::default(),
            worked_out: None,
            range_from: None,
        }
    }

    fn filter(&self) -> &Filter {
        self.filter.filter()
    }

    /// Puts the cursor on a job.
    pub fn choose(&mut self, job: JobId) {
        self.list.choose(job);
    }

    fn title(&self, cx: Cx<'_>) -> String {
        let place = self
            .pipeline
            .and_then(|p| cx.world.pipeline(p))
            .map_or("all".to_owned(), |f| format!("{} {}", f.pipeline.id, f.title()));
        let known = match self.pipeline.and_then(|p| cx.world.pipeline(p)) {
            Some(facts) if facts.children.is_empty() => facts.jobs.completeness,
            _ => cx.world.jobs_known(),
        };
        format!("Jobs  {place}  {} shown", known.count(self.list.ids().len()))
    }

    fn narrowed(&self) -> String {
        let reversed = if self.is_reversed { " reversed" } else { "" };
        let sort = format!("sort:{}{reversed}", self.sort.word());
        if self.filter.text().is_empty() { sort } else { format!("{sort}  /{}", self.filter.text()) }
    }

    /// A job's log; for a trigger job, which has none, the failures of what it started.
    fn inside(cx: Cx<'_>, job: JobId) -> Place {
        match cx.world.job(job).and_then(|job| job.downstream) {
            Some(child) => Place::Jobs { pipeline: Some(child), filter: "state:failed".to_owned() },
            None => Place::Job(job),
        }
    }

    fn mark(&mut self, jobs: Vec<JobId>, on: bool) -> Reaction {
        self.list.act(ActionId::ListDown);
        Reaction::Mark { jobs, on }
    }

    fn mark_range(&mut self) -> Reaction {
        let Some(here) = self.list.id().copied() else { return Reaction::Done };
        let Some(from) = self.range_from.take() else {
            self.range_from = Some(here);
            return Reaction::say("range begins here; move, then press the key again");
        };
        let place = |id| self.list.ids().iter().position(|other| *other == id);
        let (Some(a), Some(b)) = (place(from), place(here)) else {
            return Reaction::complain("the row where the range began is gone; nothing was marked");
        };
        let jobs = self.list.ids().get(a.min(b)..=a.max(b)).unwrap_or_default().to_vec();
        Reaction::Mark { jobs, on: true }
    }
}

impl Screen for JobsScreen {
    fn scope(&self) -> Scope {
        Scope::List
    }

    fn place(&self) -> Place {
        Place::Jobs { pipeline: self.pipeline, filter: self.filter.text().to_owned() }
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        let now = (cx.world.revision, self.filter.text().to_owned(), self.sort, self.is_reversed);
        let rows = inner(area);
        if self.worked_out.as_ref() == Some(&now) {
            self.list.resettle(rows, cx.now);
        } else {
            let ids = rows::work_out(cx, self.pipeline, self.filter(), self.sort, self.is_reversed);
            self.list.settle(ids, rows, cx.now);
            self.worked_out = Some(now);
        }
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let facts = self.pipeline.and_then(|p| cx.world.pipeline(p));
        let period = cx.world.polling.rules.periods.background;
        let (fresh, fault) = match facts {
            Some(facts) => (facts.jobs.freshness(cx.now, period), facts.jobs.error.as_ref()),
            None => (cx.world.pipelines.freshness(cx.now, period), cx.world.pipelines.error.as_ref()),
        };
        let problem = fault.map(|f| (f.to_string(), f.remedy(cx.now)));
        let title = self.title(cx);
        let narrowed = self.narrowed();
        let panel = Panel {
            title: &title,
            narrowed: &narrowed,
            freshness: Some(fresh),
            problem: problem.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        };
        let rows = panel.draw(pen, area);
        if self.list.ids().is_empty() {
            if self.filter.text().is_empty() {
                let why = match cx.world.jobs_known() {
                    Completeness::Unknown => "jobs are being read…",
                    Completeness::Partial => "no job in the pipelines that were read so far",
                    Completeness::Whole => "no job in the pipelines that are followed",
                };
                empty(pen, rows, why, Some(("2", "shows the pipelines")));
            } else {
                let why = format!("no job passes `{}`", self.filter.text());
                empty(pen, rows, &why, Some(("Esc", "clears the filter")));
            }
            return;
        }
        let table = Table {
            columns: rows::COLUMNS,
            cursor: self.list.cursor_on_screen(),
            is_startled: self.list.is_startled(cx.now),
            is_dim: panel.is_dim(),
        };
        let jobs = self.list.visible().iter().filter_map(|id| cx.world.job(*id));
        table.draw(pen, rows, jobs.map(|job| rows::row(cx, job, self.filter())));
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        let here = self.list.id().copied();
        match action {
            ActionId::ListOpen | ActionId::ListRight | ActionId::JobsLog => {
                here.map_or(Reaction::Done, |job| Reaction::Go(Self::inside(cx, job)))
            }
            ActionId::JobsDag => here.map_or(Reaction::Done, |job| {
                Reaction::Go(Place::Dag { pipeline: cx.world.home(job).map(|f| f.pipeline.id), job: Some(job) })
            }),
            ActionId::ListLeft => Reaction::Back,
            ActionId::ViewBack if !self.filter.text().is_empty() => {
                self.filter.update("", &|_| None);
                Reaction::Done
            }
            ActionId::ListFilter => Reaction::Ask { what: Ask::Filter, text: self.filter.text().to_owned() },
            ActionId::ListFilterClear => {
                self.filter.update("", &|_| None);
                Reaction::Done
            }
            ActionId::ListMark => match here {
                Some(job) => {
                    let on = !cx.marks.contains(&job);
                    self.mark(vec![job], on)
                }
                None => Reaction::Done,
            },
            ActionId::ListMarkRange => self.mark_range(),
            ActionId::ListMarkVisible => Reaction::Mark { jobs: self.list.ids().to_vec(), on: true },
            ActionId::ListSort => {
                let next = Sort::ALL.iter().position(|s| *s == self.sort).map_or(0, |i| (i + 1) % Sort::ALL.len());
                self.sort = Sort::ALL.get(next).copied().unwrap_or(Sort::Trouble);
                Reaction::Done
            }
            ActionId::ListReverse => {
                self.is_reversed = !self.is_reversed;
                Reaction::Done
            }
            ActionId::TroubleNext | ActionId::TroublePrev => {
                let bad = |id: &JobId| {
                    cx.world.job(*id).is_some_and(|j| matches!(cx.world.state(j), JobState::Fail | JobState::Warn))
                };
                if self.list.seek(action == ActionId::TroubleNext, bad) {
                    Reaction::Done
                } else {
                    Reaction::say("no other failed job in this list")
                }
            }
            _ => here
                .and_then(|id| cx.world.job(id))
                .and_then(|job| copy_job(action, cx, job))
                .unwrap_or(Reaction::Unhandled),
        }
    }

    fn typed(&mut self, _what: Ask, text: &str, _done: bool, _cx: Cx<'_>) -> Result<(), String> {
        self.filter.update(text, &|_| None);
        match self.filter.error() {
            Some(error) => Err(error.to_string()),
            None => Ok(()),
        }
    }

    fn selection(&self, cx: Cx<'_>) -> Selection {
        let job = self.list.id().copied();
        let pipeline = job.and_then(|j| cx.world.home(j)).map(|f| f.pipeline.id).or(self.pipeline);
        Selection { jobs: job.into_iter().collect(), pipeline, ..Selection::default() }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus { pipeline: self.pipeline, ..Focus::default() }
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}

/// The area of the rows inside the panel's frame.
fn inner(area: Rect) -> Rect {
    let frame = if area.height < 16 { 1 } else { 2 };
    Rect { height: area.height.saturating_sub(frame), ..area }
}
