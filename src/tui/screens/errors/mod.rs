//! Errors: failures grouped by cause until they are few rows. Class ▸ signature, what waits for them, and what helped so far.

mod rows;
mod week;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::Rect;

use crate::ci::{JobId, Timestamp};
use crate::console::effect::Focus;
use crate::console::failures::{self, ClassRow, SignatureRow, Sum};
use crate::console::registry::{ActionId, Scope};
use crate::tui::list::List;
use crate::tui::screen::{Cx, Place, Reaction, Screen, Selection};
use crate::tui::widgets::{Panel, Pen, Table, empty};

/// What the cursor can be on.
#[derive(Debug, Clone, PartialEq, Eq)]
enum RowId {
    Class(Arc<str>),
    /// Class and fingerprint.
    Signature(Arc<str>, Option<Arc<str>>),
}

/// What the rows are ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sort {
    Blocks,
    Jobs,
    New,
}

impl Sort {
    const ALL: [Self; 3] = [Self::Blocks, Self::Jobs, Self::New];

    fn word(self) -> &'static str {
        match self {
            Self::Blocks => "blocks",
            Self::Jobs => "jobs",
            Self::New => "new",
        }
    }

    fn of(self, sum: &Sum) -> usize {
        match self {
            Self::Blocks => sum.blocks.unwrap_or(0),
            Self::Jobs => sum.jobs,
            Self::New => sum.new,
        }
    }
}

/// Windows of time, in hours, with what is called new in each.
const WINDOWS: [(u64, &str, Duration); 4] = [
    (6, "last 6 h", Duration::from_hours(1)),
    (24, "last 24 h", Duration::from_hours(4)),
    (168, "last 7 d", Duration::from_hours(24)),
    (1, "last hour", Duration::from_mins(10)),
];

/// The screen.
#[derive(Debug)]
pub struct ErrorsScreen {
    window: usize,
    sort: Sort,
    rows: Vec<ClassRow>,
    unfolded: BTreeSet<Arc<str>>,
    has_week: bool,
    list: List<RowId>,
    /// Rows are worked out anew when one of these moved: world, window, order.
    worked_out: Option<(u64, usize, Sort)>,
}

impl Default for ErrorsScreen {
    fn default() -> Self {
        Self {
            window: 0,
            sort: Sort::Blocks,
            rows: Vec::new(),
            unfolded: BTreeSet::new(),
            has_week: true,
            list: List::default(),
            worked_out: None,
        }
    }
}

/// Rows of the body that the week takes, when there is room for it.
const WEEK: u16 = 10;

impl ErrorsScreen {
    fn work_out(&mut self, cx: Cx<'_>) {
        let now = (cx.world.revision, self.window, self.sort);
        if self.worked_out == Some(now) {
            return;
        }
        let (hours, _, new) = WINDOWS.get(self.window).copied().unwrap_or_default();
        let server_now = cx.server_now();
        let back = |length: Duration| server_now.shifted(-i64::try_from(length.as_millis()).unwrap_or(i64::MAX));
        self.rows = failures::rows(cx.world, server_now, back(Duration::from_hours(hours)), back(new));
        let sort = self.sort;
        // The order of the rows is the tie-break.
        self.rows.sort_by_key(|row| std::cmp::Reverse(sort.of(&row.sum)));
        self.rows.iter_mut().for_each(|row| row.signatures.sort_by_key(|row| std::cmp::Reverse(sort.of(&row.sum))));
        self.worked_out = Some(now);
    }

    fn ids(&self) -> Vec<RowId> {
        let class = |row: &ClassRow| {
            let own = RowId::Class(Arc::clone(&row.class));
            let inside = row.signatures.iter().filter(|_| self.unfolded.contains(&row.class));
            let inside = inside.map(|sig| RowId::Signature(Arc::clone(&row.class), sig.fingerprint.clone()));
            std::iter::once(own).chain(inside).collect::<Vec<_>>()
        };
        self.rows.iter().flat_map(class).collect()
    }

    fn class(&self, name: &str) -> Option<&ClassRow> {
        self.rows.iter().find(|row| &*row.class == name)
    }

    /// What the row under the cursor counts.
    fn sum(&self) -> Option<&Sum> {
        match self.list.id()? {
            RowId::Class(class) => Some(&self.class(class)?.sum),
            RowId::Signature(class, fingerprint) => {
                let row = self.class(class)?;
                row.signatures.iter().find(|sig| sig.fingerprint == *fingerprint).map(|sig| &sig.sum)
            }
        }
    }

    /// Above the rows and below them: the table, and the week when there is room.
    fn parts(&self, area: Rect) -> (Rect, Option<Rect>) {
        if !self.has_week || area.height < WEEK + 10 {
            return (area, None);
        }
        let rows = Rect { height: area.height - WEEK, ..area };
        (rows, Some(Rect { y: rows.bottom(), height: WEEK, ..area }))
    }

    fn title(&self, cx: Cx<'_>) -> String {
        let due = cx.world.failures.due_count();
        let window = WINDOWS.get(self.window).map_or("", |(_, name, _)| name);
        match due {
            0 => format!("Errors  {window}"),
            due => format!("Errors  {window}  {due} logs still to be read"),
        }
    }

    /// The newest job of the row, of those that still fail.
    fn example(&self) -> Option<JobId> {
        self.sum()?.live.last().copied()
    }
}

impl Screen for ErrorsScreen {
    fn scope(&self) -> Scope {
        Scope::List
    }

    fn place(&self) -> Place {
        Place::Errors
    }

    fn settle(&mut self, cx: Cx<'_>, area: Rect) {
        self.work_out(cx);
        let (rows, _) = self.parts(inner(area));
        self.list.settle(self.ids(), rows, cx.now);
    }

    fn draw(&self, cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
        let pipelines = &cx.world.pipelines;
        let period = cx.world.polling.rules.periods.list;
        let problem = pipelines.error.as_ref().map(|f| (f.to_string(), f.remedy(cx.now)));
        let title = self.title(cx);
        let narrowed = format!("sort:{}", self.sort.word());
        let panel = Panel {
            title: &title,
            narrowed: &narrowed,
            freshness: Some(pipelines.freshness(cx.now, period)),
            problem: problem.as_ref().map(|(what, remedy)| (what.as_str(), remedy.as_str())),
            is_focused: true,
            is_bare: area.height < 16,
            ..Panel::default()
        };
        let body = panel.draw(pen, area);
        let (place, week) = self.parts(body);
        if self.rows.is_empty() {
            let (why, widen) = rows::calm(cx);
            empty(pen, place, &why, widen);
        } else {
            let table = Table {
                columns: rows::COLUMNS,
                cursor: self.list.cursor_on_screen(),
                is_startled: self.list.is_startled(cx.now),
                is_dim: panel.is_dim(),
            };
            let shown = self.list.visible().iter().filter_map(|id| {
                let (RowId::Class(class) | RowId::Signature(class, _)) = id;
                let row = self.class(class)?;
                match id {
                    RowId::Class(_) => Some(rows::class(cx, row, self.unfolded.contains(class))),
                    RowId::Signature(_, fingerprint) => {
                        let signature = row.signatures.iter().find(|sig| sig.fingerprint == *fingerprint)?;
                        Some(rows::signature(cx, row, signature))
                    }
                }
            });
            table.draw(pen, place, shown);
        }
        if let Some(week) = week {
            week::draw(cx, week, pen);
        }
    }

    fn act(&mut self, action: ActionId, cx: Cx<'_>) -> Reaction {
        if self.list.act(action) {
            return Reaction::Done;
        }
        match (action, self.list.id().cloned()) {
            (ActionId::ListRight, Some(RowId::Class(class))) if !self.unfolded.contains(&class) => {
                self.unfolded.insert(class);
                Reaction::Done
            }
            (ActionId::ListLeft, Some(RowId::Class(class) | RowId::Signature(class, _)))
                if self.unfolded.remove(&class) =>
            {
                self.list.choose(RowId::Class(class));
                Reaction::Done
            }
            (ActionId::ListOpen | ActionId::ListRight, Some(id)) => {
                Reaction::Go(Place::Jobs { pipeline: None, filter: filter_of(&id) })
            }
            (ActionId::JobsLog, Some(_)) => match self.example() {
                Some(job) => Reaction::Go(Place::Job(job)),
                None => Reaction::say("none of these jobs fails any more; Enter lists what is left of them"),
            },
            (ActionId::JobsDag, Some(_)) => match self.example() {
                Some(job) => {
                    let pipeline = cx.world.home(job).map(|facts| facts.pipeline.id);
                    Reaction::Go(Place::Dag { pipeline, job: Some(job) })
                }
                None => Reaction::say("none of these jobs fails any more"),
            },
            (ActionId::ListMark, Some(_)) => {
                let jobs = self.sum().map(|sum| sum.live.clone()).unwrap_or_default();
                let on = !jobs.iter().all(|job| cx.marks.contains(job));
                self.list.act(ActionId::ListDown);
                Reaction::Mark { jobs, on }
            }
            (ActionId::ErrorsWindow, _) => {
                self.window = (self.window + 1) % WINDOWS.len();
                Reaction::Done
            }
            (ActionId::ListPreviewPane, _) => {
                self.has_week = !self.has_week;
                Reaction::Done
            }
            (ActionId::ListSort, _) => {
                let next = Sort::ALL.iter().position(|sort| *sort == self.sort).map_or(0, |at| (at + 1) % 3);
                self.sort = Sort::ALL.get(next).copied().unwrap_or(Sort::Blocks);
                Reaction::Done
            }
            (ActionId::TroubleNext | ActionId::TroublePrev, _) => {
                self.list.seek(action == ActionId::TroubleNext, |id| matches!(id, RowId::Class(_)));
                Reaction::Done
            }
            _ => Reaction::Unhandled,
        }
    }

    fn selection(&self, _cx: Cx<'_>) -> Selection {
        let jobs = self.sum().map(|sum| sum.live.clone()).unwrap_or_default();
        Selection { jobs, is_group: true, ..Selection::default() }
    }

    fn lines(&self, _cx: Cx<'_>) -> Vec<String> {
        let text = |sig: &SignatureRow| (sig.fingerprint.is_some()).then(|| sig.text.to_string());
        match self.list.id() {
            Some(RowId::Signature(class, fingerprint)) => {
                let row = self.class(class);
                let found = row.and_then(|row| row.signatures.iter().find(|sig| sig.fingerprint == *fingerprint));
                found.and_then(text).into_iter().collect()
            }
            // Several signatures have little in common; the greatest one stands for the class.
            Some(RowId::Class(class)) => {
                self.class(class).and_then(|row| row.signatures.iter().find_map(text)).into_iter().collect()
            }
            None => Vec::new(),
        }
    }

    fn failures(&self, _cx: Cx<'_>) -> Option<(Arc<str>, Option<Arc<str>>)> {
        match self.list.id()?.clone() {
            RowId::Class(class) => Some((class, None)),
            RowId::Signature(class, fingerprint) => Some((class, fingerprint)),
        }
    }

    fn focus(&self, _cx: Cx<'_>) -> Focus {
        Focus { history: true, ..Focus::default() }
    }

    fn is_startled(&self, now: Timestamp) -> bool {
        self.list.is_startled(now)
    }
}

/// The filter that finds the jobs of a row.
fn filter_of(id: &RowId) -> String {
    match id {
        RowId::Class(class) => format!("state:failed cause=\"{class}\""),
        RowId::Signature(_, Some(fingerprint)) => format!("state:failed sig={fingerprint}"),
        RowId::Signature(class, None) => format!("state:failed cause=\"{class}\" sig:?"),
    }
}

/// The area of the rows inside the panel's frame.
fn inner(area: Rect) -> Rect {
    let frame = if area.height < 16 { 1 } else { 2 };
    Rect { height: area.height.saturating_sub(frame), ..area }
}
