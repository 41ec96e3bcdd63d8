//! What stands above the list inside a root: what it is, its numbers, and how its size went.

use std::time::Duration;

use ratatui::layout::Rect;

use super::words::{growth, index, severity};
use crate::cache::{growth as grown, history};
use crate::ci::{Timestamp, short};
use crate::console::caches::{Inside, RootFacts};
use crate::console::text::{count, size, width};
use crate::tui::glyphs::Glyphs;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::{Pen, curve, curve_values};

/// Writes parts one after the other, on as many lines as there are; a part that does not fit begins the next line, and what is left over is
/// not shown.
pub fn flow(pen: &mut Pen<'_>, area: Rect, parts: &[(String, Role)]) {
    let (mut x, mut y) = (area.x, area.y);
    for (text, role) in parts {
        let wide = width(text) as u16;
        if x > area.x && x + wide > area.right() {
            (x, y) = (area.x, y + 1);
        }
        if y >= area.bottom() {
            return;
        }
        x += pen.put(x, y, area.right().saturating_sub(x), text, *role) + 3;
    }
}

/// The kind of a root and its address, then what is known of it in numbers.
pub fn told(cx: Cx<'_>, facts: &RootFacts) -> (String, Vec<(String, Role)>) {
    let first = format!("{}  {}", facts.root.kind.word(), facts.url);
    let or_unknown = |known: Option<String>| known.unwrap_or_else(|| "?".to_owned());
    let newest = facts.newest();
    let inside = facts.inside.value.as_deref();
    let health = inside.map(|inside| &inside.health);
    let mut parts = Vec::new();
    if let Some(health) = health {
        let (glyph, role) = severity(cx, Some(health.state()));
        let worst = health.tally().into_iter().min_by_key(|(kind, _)| (kind.severity(), *kind));
        let text = match worst {
            Some((kind, n)) => format!("{glyph} {}: {} {}", kind.severity().word(), count(n as u64), kind.word()),
            None => format!("{glyph} ok"),
        };
        parts.push((text, role));
    }
    let written = newest.and_then(|sample| sample.sizes.index.as_ref());
    let index_state = inside.and_then(Inside::index_state);
    let (text, role) = index(cx, written.and_then(|(at, _)| *at), written.is_some(), index_state);
    parts.push((format!("index {text}"), role));
    let bytes = health.and_then(|health| health.bytes).or(newest.map(|sample| sample.sizes.total().bytes));
    parts.push((or_unknown(bytes.map(size)), Role::TextStrong));
    let a_day = grown(&facts.samples, Duration::from_hours(24));
    parts.push((format!("{} a day", growth(a_day)), Role::Text));
    let numbers = match health {
        Some(health) => (health.specs, health.blobs),
        None => (newest.map(|s| s.sizes.specs.objects), newest.map(|s| s.sizes.blobs.objects)),
    };
    parts.push((format!("{} specs", or_unknown(numbers.0.map(count))), Role::Text));
    parts.push((format!("{} blobs", or_unknown(numbers.1.map(count))), Role::Text));
    if let Some(bytes) = health.and_then(|health| health.orphan_bytes).filter(|bytes| *bytes > 0) {
        parts.push((format!("{} of them unreferenced", size(bytes)), Role::Text));
    }
    parts.push(match (facts.inside.age(cx.now), newest) {
        (Some(age), _) => (format!("read {} ago", short(age)), Role::TextDim),
        (None, Some(sample)) => (format!("sizes of {} ago", short(cx.server_now().since(sample.at))), Role::TextDim),
        (None, None) => ("never listed".to_owned(), Role::StateUnknown),
    });
    (first, parts)
}

/// The sizes of a root over time, fit to a width: worked out when samples or the width change.
#[derive(Debug, Default, PartialEq)]
pub struct Plot {
    values: Vec<Option<u64>>,
    low: u64,
    high: u64,
    from: Option<Timestamp>,
    until: Option<Timestamp>,
}

/// Columns before the curve, for the scale.
const SCALE: u16 = 9;
/// At least so long a time is shown: a minute of samples is no history.
const LEAST: Duration = Duration::from_hours(24);

impl Plot {
    /// Of the samples of a root, for an area so wide.
    pub fn of(facts: &RootFacts, glyphs: &Glyphs, width: u16) -> Self {
        let (Some(first), Some(last)) = (facts.samples.first(), facts.samples.last()) else { return Self::default() };
        let steps = curve_values(glyphs, width.saturating_sub(SCALE)).max(2);
        let span = last.at.since(first.at).max(LEAST);
        let step = span / (steps as u32 - 1).max(1);
        let values = history(&facts.samples, last.at, step.max(Duration::from_millis(1)), steps);
        let known = || values.iter().flatten().copied();
        let (low, high) = (known().min().unwrap_or_default(), known().max().unwrap_or_default());
        let from = last.at.shifted(-i64::try_from(span.as_millis()).unwrap_or(i64::MAX));
        Self { low, high, from: Some(from), until: Some(last.at), values }
    }

    /// Draws scale, curve, and when it begins and ends.
    pub fn draw(&self, cx: Cx<'_>, pen: &mut Pen<'_>, area: Rect) {
        let Some((from, until)) = self.from.zip(self.until) else {
            pen.put(area.x, area.y, area.width, "no sample of its size is known yet", Role::TextDim);
            return;
        };
        let plot = Rect {
            x: area.x + SCALE,
            width: area.width.saturating_sub(SCALE),
            height: area.height.saturating_sub(1),
            ..area
        };
        curve(pen, plot, &self.values, self.low..=self.high, Role::Plot1);
        if self.high > self.low {
            pen.put_right(area.x, plot.y, SCALE - 1, &size(self.high), Role::TextDim);
        }
        let low = if self.high > self.low { plot.bottom().saturating_sub(1) } else { plot.y + plot.height / 2 };
        pen.put_right(area.x, low, SCALE - 1, &size(self.low), Role::TextDim);
        let ago = |at: Timestamp| format!("{} ago", short(cx.server_now().since(at)));
        let y = plot.bottom();
        let used = pen.put(plot.x, y, plot.width, &ago(from), Role::TextDim);
        pen.put_right(plot.x + used + 1, y, plot.width.saturating_sub(used + 1), &ago(until), Role::TextDim);
    }
}
