//! The week below the rows: failures by day as bars, stacked by class, and how many pipelines succeeded.
//!
//! A class is told by its letter, which also fills its part of the bars; colour only adds to it. A day that was not read whole says so.

use ratatui::layout::Rect;

use crate::ci::Timestamp;
use crate::taxonomy::judge::{ClassTrend, Count, Trend};
use crate::tui::glyphs::Glyphs;
use crate::tui::screen::Cx;
use crate::tui::theme::Role;
use crate::tui::widgets::Pen;

/// Classes with a letter of their own; the rest is drawn as `.`.
const LETTERS: [(&str, Role); 4] = [("a", Role::Plot1), ("b", Role::Plot2), ("c", Role::Plot3), ("d", Role::Plot4)];
const OTHER: (&str, Role) = (".", Role::TextDim);
/// Columns of a day, its gap included.
const DAY: u16 = 7;
const DAYS: u16 = 7;

/// Draws the week; the first line is a rule with its title.
pub fn draw(cx: Cx<'_>, area: Rect, pen: &mut Pen<'_>) {
    let Some(history) = &cx.world.history.value else {
        let why = match &cx.world.history.error {
            Some(fault) => format!("the last days are not known: {fault}"),
            None => "reading the last days…".to_owned(),
        };
        pen.put(area.x + 2, area.y + 1, area.width.saturating_sub(4), &why, Role::TextDim);
        return;
    };
    let lines = cx.look.glyphs.lines;
    pen.repeat(area.x, area.y, area.width, lines.horizontal, Role::Border);
    pen.put(area.x + 2, area.y, area.width.saturating_sub(4), " 7 days, failed jobs per day ", Role::TextDim);
    let bars = Rect { x: area.x + 2, y: area.y + 1, width: DAY * DAYS, height: area.height.saturating_sub(4) };
    draw_bars(&history.trend, bars, pen);
    let days = Rect { y: bars.bottom(), height: 2, ..bars };
    draw_days(&history.trend, days, pen);
    let success = Rect { y: days.bottom(), height: 1, ..bars };
    for (at, day) in (0_u16..).zip(&history.success) {
        let text = match day.share.rate() {
            Some(rate) if day.whole => format!("{:.0} %", rate * 100.0),
            Some(rate) => format!("{:.0} %?", rate * 100.0),
            None => "-".to_owned(),
        };
        let steps = cx.look.glyphs.spark;
        let step = day.share.rate().map_or(" ", |rate| Glyphs::step(steps, rate));
        let x = success.x + at * DAY;
        let used = pen.put(x, success.y, DAY - 1, step, Role::StateOk);
        pen.put(x + used, success.y, DAY - 1 - used, &text, Role::Text);
    }
    let legend = Rect {
        x: bars.right() + 2,
        y: area.y + 1,
        width: area.right().saturating_sub(bars.right() + 3),
        height: area.height - 1,
    };
    draw_legend(&history.trend, legend, pen);
}

/// Failures of a class, or of all, on one day; and whether there may be more.
fn counted(count: Option<&Count>) -> (u64, bool) {
    count.map_or((0, false), |count| (count.seen(), count.exact().is_some()))
}

fn draw_bars(trend: &Trend, area: Rect, pen: &mut Pen<'_>) {
    let most = trend.total.iter().map(|count| counted(Some(count)).0).max().unwrap_or(0).max(1);
    let height = u64::from(area.height);
    for (at, total) in (0_u16..).zip(&trend.total) {
        let total = counted(Some(total)).0;
        let x = area.x + at * DAY;
        // Ends of the parts, from the bottom, in rows; rounding the ends and not the parts keeps the whole right.
        let mut below = 0;
        let parts = LETTERS.iter().copied().zip(&trend.classes).map(|(letter, class)| {
            below += counted(class.by_day.get(usize::from(at))).0;
            (letter, below)
        });
        let parts: Vec<_> = parts.collect();
        let parts = parts.into_iter().chain([(OTHER, total)]);
        let mut row = 0;
        for ((letter, role), end) in parts {
            let end = (end * height).div_ceil(most).min(height);
            for y in row..end {
                let y = area.bottom().saturating_sub(1 + y as u16);
                pen.repeat(x, y, DAY - 2, letter, role);
            }
            row = row.max(end);
        }
    }
}

fn draw_days(trend: &Trend, area: Rect, pen: &mut Pen<'_>) {
    for (at, (day, total)) in (0_u16..).zip(trend.days.iter().zip(&trend.total)) {
        let x = area.x + at * DAY;
        let (count, is_whole) = counted(Some(total));
        let text = match (count, is_whole) {
            (0, false) => "?".to_owned(),
            (n, false) => format!("{}{n}", pen.look.glyphs.at_least),
            (n, true) => n.to_string(),
        };
        pen.put(x, area.y, DAY - 1, &text, Role::Text);
        pen.put(x, area.y + 1, DAY - 1, &date(*day), Role::TextDim);
    }
}

fn draw_legend(trend: &Trend, area: Rect, pen: &mut Pen<'_>) {
    let mut y = area.y;
    for ((letter, role), class) in LETTERS.iter().copied().zip(&trend.classes) {
        if y >= area.bottom() {
            return;
        }
        pen.put(area.x, y, 1, letter, role);
        pen.put(area.x + 2, y, area.width.saturating_sub(2), &told(class), Role::Text);
        y += 1;
    }
    let others = trend.classes.len().saturating_sub(LETTERS.len());
    let percent = |share: crate::taxonomy::judge::Share| {
        share.rate().map_or("?".to_owned(), |rate| format!("{:.0} %", rate * 100.0))
    };
    let mut lines = Vec::new();
    if others > 0 {
        lines.push(format!("{} {others} more classes", OTHER.0));
    }
    lines.push(format!("transient {}, unknown {}", percent(trend.transient), percent(trend.unknown)));
    for change in &trend.rule_changes {
        lines.push(format!("rules {} since {}", change.rules, date(change.at)));
    }
    for line in lines {
        if y >= area.bottom().saturating_sub(1) {
            break;
        }
        pen.put(area.x, y, area.width, &line, Role::TextDim);
        y += 1;
    }
    pen.put(area.x, area.bottom().saturating_sub(1), area.width, "pipelines that succeeded", Role::TextDim);
}

/// `no_space 214, 1.4 times the week before`.
fn told(class: &ClassTrend) -> String {
    let growth = class.growth().map_or(String::new(), |times| format!(", {times:.1} times the week before"));
    format!("{} {}{growth}", class.class, class.seen)
}

/// `11-24`.
fn date(at: Timestamp) -> String {
    let text = at.to_string();
    text.get(5..10).map_or(text.clone(), str::to_owned)
}
