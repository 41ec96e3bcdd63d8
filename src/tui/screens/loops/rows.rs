//! What a row of a loop says, and one of its rounds.

use std::cmp::{Ordering, Reverse};
use std::time::Duration;

use super::role_of;
use crate::ci::{Timestamp, precise, short};
use crate::console::loops::{FLEET, LoopState, Phase, Role as Lead, Round};
use crate::console::state::JobState;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

const HOUR: i64 = 3_600_000;
/// From so much lag on, it is worth a colour.
const LATE: Duration = Duration::from_secs(60);

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub(super) const COLUMNS: &[Column] = &[
    Column::new("LOOP", Width::Fixed(10)),
    Column::new("STATE", Width::Fixed(9)),
    Column::new("LAST OK", Width::Fixed(7)).right(),
    Column::new("EVERY", Width::Fixed(5)).right().sacrifice(4),
    Column::new("NEXT", Width::Fixed(5)).right().sacrifice(3),
    Column::new("LAG", Width::Fixed(5)).right().sacrifice(2),
    Column::new("ERR/1h", Width::Fixed(6)).right(),
    Column::new("QUEUE", Width::Fixed(5)).right().sacrifice(5),
    Column::new("P95", Width::Fixed(5)).right().sacrifice(6),
    Column::new("NOTE", Width::Grow { least: 16, weight: 1 }),
];

/// The columns of rounds.
pub(super) const ROUNDS: &[Column] = &[
    Column::new("BEGAN", Width::Fixed(8)),
    Column::new("TOOK", Width::Fixed(6)).right(),
    Column::new("END", Width::Fixed(8)),
    Column::new("WHAT", Width::Grow { least: 16, weight: 1 }),
];

/// What is in trouble goes first, then what is late.
pub(super) fn order(a: &LoopState, b: &LoopState, now: Timestamp) -> Ordering {
    let rank = |state: &LoopState| match state.phase {
        _ if state.has_died => 0,
        Phase::BackingOff => 1,
        Phase::Starting => 2,
        Phase::Running | Phase::Waiting => 3,
        Phase::StandingBy => 4,
        Phase::Stopped => 5,
    };
    let key = |state: &LoopState| (rank(state), Reverse(state.lag(now).map_or(0, |lag| lag.as_secs())));
    key(a).cmp(&key(b)).then_with(|| a.name.cmp(&b.name))
}

pub(super) fn row<'a>(cx: Cx<'a>, state: &LoopState) -> Row<'a> {
    let now = cx.now;
    let role = role_of(state);
    let glyph = cx.look.glyphs.state(match state.phase {
        _ if state.has_died => JobState::Fail,
        Phase::BackingOff => JobState::Fail,
        Phase::Starting => JobState::Wait,
        Phase::Running => JobState::Run,
        Phase::Waiting => JobState::Ok,
        Phase::StandingBy | Phase::Stopped => JobState::Skip,
    });
    let word = if state.has_died { "died" } else { state.phase.word() };
    let runs = !matches!(state.phase, Phase::StandingBy | Phase::Stopped);
    let dash = || "-".to_owned();
    let lag = state.lag(now).filter(|_| runs);
    let errors = state.errors_since(now.shifted(-HOUR));
    let has_errors = errors.to_string() != "0";
    Row {
        cells: vec![
            Cell::new(state.name.to_string(), if runs { Role::TextStrong } else { Role::TextDim }),
            Cell::new(format!("{glyph} {word}"), role),
            Cell::new(state.last_ok.map_or_else(|| "never".to_owned(), |at| short(now.since(at))), Role::Text),
            Cell::new(state.period.map_or_else(dash, short), Role::TextDim),
            Cell::new(state.next.filter(|_| runs).map_or_else(dash, |at| precise(at.since(now))), Role::TextDim),
            Cell::new(
                lag.map_or_else(dash, short),
                if lag.is_some_and(|lag| lag >= LATE) { Role::StateWarn } else { Role::TextDim },
            ),
            Cell::new(errors.to_string(), if has_errors { Role::StateFail } else { Role::TextDim }),
            Cell::new(state.queue.map_or_else(dash, |queue| queue.to_string()), Role::Text),
            Cell::new(state.p95().map_or_else(dash, took), Role::TextDim),
            Cell::new(note(cx, state), if runs { Role::Text } else { Role::TextDim }),
        ],
        ..Row::default()
    }
}

/// Why it does not run, what went wrong, or what it did last.
pub(super) fn note(cx: Cx<'_>, state: &LoopState) -> String {
    let behind = cx.world.loops.controller.as_ref().and_then(|controller| match &controller.role {
        Lead::StandingBy { behind } => Some(behind),
        Lead::Leader => None,
    });
    let text = match (&state.why_stopped, state.phase) {
        (Some(why), Phase::Stopped) => why.to_string(),
        (_, Phase::StandingBy) => behind.map_or_else(String::new, |behind| format!("{behind} leads")),
        (_, Phase::BackingOff | Phase::Starting) if &*state.name == FLEET => cx.world.silent_sources(cx.now).join(", "),
        _ => match state.last().map(|round| &round.result) {
            Some(Err(fault)) if state.phase != Phase::Waiting => fault.to_string(),
            Some(Ok(summary)) => summary.to_string(),
            Some(Err(_)) | None => String::new(),
        },
    };
    match (state.is_dry_run, text.is_empty()) {
        (true, true) => "dry run".to_owned(),
        (true, false) => format!("dry run: {text}"),
        (false, _) => text,
    }
}

pub(super) fn round_row<'a>(cx: Cx<'a>, round: &Round) -> Row<'a> {
    let counts: Vec<String> = round.counts.iter().map(|(name, count)| format!("{name} {count}")).collect();
    let (state, word, role, text) = match &round.result {
        Ok(summary) => (JobState::Ok, "ok", Role::StateOk, summary.to_string()),
        Err(fault) => (JobState::Fail, fault.word(), Role::StateFail, fault.to_string()),
    };
    let text = if counts.is_empty() { text } else { format!("{text} ({})", counts.join(", ")) };
    Row {
        cells: vec![
            Cell::new(round.at.clock(), Role::TextDim),
            Cell::new(took(round.took), Role::Text),
            Cell::new(format!("{} {word}", cx.look.glyphs.state(state)), role),
            Cell::new(text, Role::Text),
        ],
        ..Row::default()
    }
}

/// A length of time with tenths of seconds while they matter.
fn took(length: Duration) -> String {
    if length < Duration::from_secs(10) { format!("{:.1}s", length.as_secs_f64()) } else { precise(length) }
}
