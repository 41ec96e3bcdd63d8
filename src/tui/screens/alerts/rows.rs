//! What a row of the alerts says.

use crate::ci::short;
use crate::console::failures::Ack;
use crate::console::filter::{Field, Filter, Subject, Value};
use crate::console::fleet::{Alarm, AlarmState, Loudness};
use crate::console::state::JobState;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Cell, Column, Row, Width};

/// The columns, in order; the highest sacrifice goes first when it gets narrow.
pub const COLUMNS: &[Column] = &[
    Column::new("SEV", Width::Fixed(4)),
    Column::new("ALERT", Width::Grow { least: 24, weight: 2 }).cut_middle(),
    Column::new("FOR", Width::Fixed(4)).right().sacrifice(2),
    Column::new("SINCE", Width::Fixed(5)).right(),
    Column::new("VALUE", Width::Grow { least: 16, weight: 3 }).sacrifice(1),
    Column::new("STATE", Width::Fixed(10)),
    Column::new("BY", Width::Fixed(10)).sacrifice(3),
];

/// How the filter reads an alert.
pub struct AlarmSubject<'a, 'b>(pub &'a Alarm<'b>);

impl Subject for AlarmSubject<'_, '_> {
    fn words(&self, visit: &mut dyn FnMut(&str)) {
        let alarm = self.0;
        for word in [alarm.name(), alarm.subject(), alarm.words(), alarm.state().word(), alarm.loudness().word()] {
            visit(word);
        }
    }

    fn field(&self, field: Field) -> Value<'_> {
        match field {
            Field::Class => Value::Text(self.0.name()),
            Field::Cause => Value::Text(self.0.words()),
            Field::Since | Field::Age => Value::Time(self.0.since()),
            _ => Value::Absent,
        }
    }
}

/// One row.
pub fn row<'a>(cx: Cx<'a>, alarm: &Alarm<'_>, filter: &Filter) -> Row<'a> {
    let name = format!("{} {}", alarm.name(), alarm.subject());
    let matched = filter.highlights(&name);
    let loudness = alarm.loudness();
    let state = alarm.state();
    let role = match (state, loudness) {
        (AlarmState::Resolved | AlarmState::Quiet, _) => Role::TextDim,
        (_, Loudness::Page) => Role::SevPage,
        (_, Loudness::Warn) => Role::SevWarn,
        (_, Loudness::Info) => Role::SevInfo,
        (_, Loudness::Unknown) => Role::StateUnknown,
    };
    let glyph = cx.look.glyphs.state(match state {
        AlarmState::Firing if loudness == Loudness::Page => JobState::Fail,
        AlarmState::Firing => JobState::Warn,
        AlarmState::Pending => JobState::Wait,
        AlarmState::Quiet => JobState::Skip,
        AlarmState::Resolved => JobState::Ok,
    });
    // What could not be judged again is as it was then.
    let old = if alarm.is_fresh() { "" } else { " ?" };
    let text = if state == AlarmState::Firing { Role::TextStrong } else { Role::Text };
    let text = if matches!(state, AlarmState::Resolved | AlarmState::Quiet) { Role::TextDim } else { text };
    Row {
        cells: vec![
            Cell::new(loudness.word(), role),
            Cell { matched, ..Cell::new(name, text) },
            Cell::new(alarm.hold().map_or_else(|| "-".to_owned(), short), Role::TextDim),
            Cell::new(short(cx.server_now().since(alarm.since())), Role::Text),
            Cell::new(alarm.words().to_owned(), Role::Text),
            Cell::new(format!("{glyph} {}{old}", state.word()), role),
            Cell::new(by(cx, alarm), Role::TextDim),
        ],
        ..Row::default()
    }
}

/// Who looks after it.
pub fn ack<'a>(cx: Cx<'a>, alarm: &Alarm<'_>) -> Option<&'a Ack> {
    cx.world.history.value.as_ref()?.ack(alarm.name(), Some(alarm.subject()), cx.server_now())
}

/// Who looks after it, or silenced it, or else raises it.
fn by(cx: Cx<'_>, alarm: &Alarm<'_>) -> String {
    if let Some(ack) = ack(cx, alarm) {
        return format!("{} ack", ack.who);
    }
    match alarm {
        Alarm::Own { .. } => "own".to_owned(),
        Alarm::Told(told) => {
            let silence = told.silenced_by.first().and_then(|id| cx.world.fleet.silence(id));
            silence.map_or_else(|| "am".to_owned(), |silence| silence.author.to_string())
        }
    }
}
