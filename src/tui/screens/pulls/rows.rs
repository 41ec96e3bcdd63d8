//! What a row of a pull request says, and a line of its story.

use std::cmp::Ordering;

use super::Sort;
use crate::bridge::{BoardRow, Decided, Step, Verdict};
use crate::ci::{Status, Timestamp, short};
use crate::console::filter::{Field, Filter, Subject, Value};
use crate::console::state::JobState;
use crate::forge::CommitState;
use crate::tui::screen::Cx;
use crate::tui::screens::pipelines::cause;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub(super) const COLUMNS: &[Column] = &[
    Column::new("PR", Width::Fixed(7)),
    Column::new("TITLE", Width::Grow { least: 14, weight: 2 }),
    Column::new("HEAD", Width::Fixed(8)).sacrifice(3),
    Column::new("SYNC", Width::Fixed(7)),
    Column::new("PIPELINE", Width::Fixed(10)),
    Column::new("GH STATUS", Width::Fixed(10)),
    Column::new("AGE", Width::Fixed(5)).right(),
    Column::new("WHY", Width::Grow { least: 16, weight: 3 }).sacrifice(1),
];

/// The columns of a story.
pub(super) const STORY: &[Column] = &[
    Column::new("WHEN", Width::Fixed(8)),
    Column::new("STEP", Width::Fixed(10)),
    Column::new("ID", Width::Fixed(10)),
    Column::new("WHAT", Width::Grow { least: 16, weight: 1 }),
];

/// How the filter reads a pull request.
pub(super) struct PullSubject<'a>(pub &'a BoardRow);

impl Subject for PullSubject<'_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        let row = self.0;
        for word in [&*row.title, row.head.as_str(), row.verdict.word(), &*row.reason, &*row.told] {
            visit(word);
        }
        if let Some(branch) = &row.branch {
            visit(branch);
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::Cause => Value::Text(&self.0.reason),
            Field::Ref => self.0.branch.as_deref().map_or(Value::Absent, Value::Text),
            Field::Since | Field::Age => Value::Time(self.0.step().1),
            _ => Value::Absent,
        }
    }
}

pub(super) fn order(sort: Sort, a: &BoardRow, b: &BoardRow, now: Timestamp) -> Ordering {
    let ordered = match sort {
        // What waits for nothing comes last.
        Sort::Stuck => b.stuck(now).cmp(&a.stuck(now)).then_with(|| a.step().0.cmp(&b.step().0)),
        Sort::Step => a.step().cmp(&b.step()),
        Sort::Number => Ordering::Equal,
    };
    ordered.then_with(|| b.pr.cmp(&a.pr))
}

/// Whether somebody should look: it could go and does not, or its pipeline went wrong.
pub(super) fn is_trouble(row: &BoardRow) -> bool {
    let failed = row.pipeline.as_ref().is_some_and(|pipeline| pipeline.status == Some(Status::Failed));
    failed || row.verdict == Verdict::Refuse
}

pub(super) fn row<'a>(cx: Cx<'a>, row: &BoardRow, filter: &Filter) -> Row<'a> {
    let now = cx.server_now();
    let (step, since) = row.step();
    let ago = |at: Timestamp| short(now.since(at));
    let glyph = |state| cx.look.glyphs.state(state);
    let (sync, sync_role) = match (row.verdict, &row.pushed) {
        (Verdict::Refuse, _) => (glyph(JobState::Skip).to_owned(), Role::TextDim),
        _ if step == Step::Idle => (glyph(JobState::Skip).to_owned(), Role::TextDim),
        (Verdict::Push | Verdict::Pushed, Some(push)) => {
            (format!("{} {}", glyph(JobState::Ok), ago(push.at)), Role::StateOk)
        }
        // Somebody else pushed it, before this bridge kept records.
        (Verdict::Pushed, None) => (glyph(JobState::Ok).to_owned(), Role::StateOk),
        _ => (format!("{} {}", glyph(JobState::Wait), ago(row.since)), Role::StateWarn),
    };
    let (pipeline, pipeline_role) = match &row.pipeline {
        None => ("-".to_owned(), Role::TextDim),
        Some(pipeline) => {
            let state = pipeline.status.map_or(JobState::Unknown, |status| JobState::of(status, false, false));
            (format!("{} {}", glyph(state), pipeline.id.0), Role::of(state))
        }
    };
    let (status, status_role) = match (row.shown, row.is_untold) {
        (_, true) => (format!("{} waiting", glyph(JobState::Wait)), Role::StateWarn),
        (None, false) => ("-".to_owned(), Role::TextDim),
        (Some(state), false) => {
            let (mark, role) = match state {
                CommitState::Pending => (JobState::Run, Role::StateRun),
                CommitState::Success => (JobState::Ok, Role::StateOk),
                CommitState::Failure | CommitState::Error => (JobState::Fail, Role::StateFail),
            };
            (format!("{} {}", glyph(mark), state.word()), role)
        }
    };
    let matched = filter.highlights(&row.title);
    let text = if matches!(step, Step::Refused | Step::Idle | Step::Done) { Role::TextDim } else { Role::Text };
    let is_late = row.stuck(now).is_some_and(|times| times > 2_000);
    Row {
        cells: vec![
            Cell::new(format!("#{}", row.pr), if is_trouble(row) { Role::TextStrong } else { text }),
            Cell { matched, ..Cell::new(row.title.to_string(), text) },
            Cell::new(row.head.short().to_owned(), Role::TextDim),
            Cell::new(sync, sync_role),
            Cell::new(pipeline, pipeline_role),
            Cell::new(status, status_role),
            Cell::new(ago(since), if is_late { Role::StateWarn } else { text }),
            Cell::new(why(cx, row), text),
        ],
        ..Row::default()
    }
}

/// Why it goes no further: what broke in its pipeline, where that is known, or what was decided.
pub(super) fn why(cx: Cx<'_>, row: &BoardRow) -> String {
    let failed = row.pipeline.as_ref().filter(|pipeline| pipeline.status == Some(Status::Failed));
    let cause = failed.and_then(|failed| cx.world.pipeline(failed.id)).map(|facts| cause(cx, facts));
    match (cause.filter(|cause| cause != "-"), failed) {
        (Some(cause), _) => cause,
        (None, Some(_)) => "its pipeline failed".to_owned(),
        (None, None) => row.told.to_string(),
    }
}

/// The story of a pull request, the newest first: its decisions, its push, its pipeline, what GitHub shows.
pub(super) fn story(row: &BoardRow, decisions: &[Decided]) -> Vec<Row<'static>> {
    let line = |at: Option<Timestamp>, step: &str, id: String, what: String, role| {
        let when = at.map_or_else(|| "-".to_owned(), Timestamp::clock);
        let cells = [(when, Role::TextDim), (step.to_owned(), role), (id, Role::TextDim), (what, Role::Text)];
        (at, Row { cells: cells.map(|(text, role)| Cell::new(text, role)).into(), ..Row::default() })
    };
    let mut lines = Vec::new();
    if let Some(shown) = row.shown {
        let what = format!("GitHub shows {}", shown.word());
        lines.push(line(None, "status", row.head.short().to_owned(), what, Role::Text));
    }
    if let Some(pipeline) = &row.pipeline {
        let word = pipeline.status.map_or_else(|| "its status was not told".to_owned(), |status| status.to_string());
        lines.push(line(pipeline.updated_at, "pipeline", pipeline.id.0.to_string(), word, Role::Text));
    }
    if let Some(push) = &row.pushed {
        let what = format!("{} merged into {} of {}", row.head.short(), push.onto.short(), push.base);
        lines.push(line(Some(push.at), "push", push.commit.short().to_owned(), what, Role::StateOk));
    }
    for one in decisions {
        let role = if &*one.verdict == Verdict::Refuse.word() { Role::StateWarn } else { Role::Text };
        lines.push(line(Some(one.at), &one.verdict, one.head.short().to_owned(), one.told.to_string(), role));
    }
    // What has no time is how it is now.
    lines.sort_by_key(|(at, _)| std::cmp::Reverse(at.map_or(i64::MAX, Timestamp::millis)));
    lines.into_iter().map(|(_, row)| row).collect()
}
