//! The frame around a panel and the truth about its data: how old, how complete, and what went wrong.

use ratatui::layout::Rect;

use super::pen::Pen;
use crate::ci::short;
use crate::console::fresh::Freshness;
use crate::console::text;
use crate::tui::theme::{Depth, Role};

/// A framed area with a title line.
#[derive(Debug, Clone, Copy, Default)]
pub struct Panel<'a> {
    pub title: &'a str,
    /// What narrows the rows: filter, sort, group.
    pub narrowed: &'a str,
    pub freshness: Option<Freshness>,
    /// Whose freshness it is, where several tell: `k8s`.
    pub source: &'a str,
    /// What is under way, for panels that load or are partial: `p3`, `61 %`.
    pub progress: &'a str,
    /// What failed, in words, and what to do about it.
    pub problem: Option<(&'a str, &'a str)>,
    pub is_focused: bool,
    /// Low screens have no room for frames: the title becomes a rule.
    pub is_bare: bool,
}

impl Panel<'_> {
    /// Draws frame, title and problem. Returns what is left for the rows.
    pub fn draw(&self, pen: &mut Pen<'_>, area: Rect) -> Rect {
        if area.is_empty() {
            return area;
        }
        let role = match (self.problem, self.is_focused) {
            (Some(_), _) => Role::FreshError,
            (None, true) => Role::BorderFocus,
            (None, false) => Role::Border,
        };
        if self.has_frame(area) {
            frame(pen, area, role);
        } else {
            pen.repeat(area.x, area.y, area.width, pen.look.glyphs.lines.horizontal, role);
        }
        self.title_line(pen, area);
        let inside = self.inside(area);
        for (text, y) in self.problem_lines().zip(inside.y..inside.bottom()) {
            let role = if y == inside.y { Role::FreshError } else { Role::Text };
            pen.put(inside.x, y, inside.width, text, role);
        }
        self.inner(area)
    }

    /// What [`Panel::draw`] leaves for the rows.
    pub fn inner(&self, area: Rect) -> Rect {
        let inside = self.inside(area);
        let taken = (self.problem_lines().count() as u16).min(inside.height);
        Rect { y: inside.y + taken, height: inside.height - taken, ..inside }
    }

    fn inside(&self, area: Rect) -> Rect {
        if area.is_empty() {
            area
        } else if self.has_frame(area) {
            Rect::new(area.x + 2, area.y + 1, area.width.saturating_sub(4), area.height - 2)
        } else {
            Rect { y: area.y + 1, height: area.height - 1, ..area }
        }
    }

    fn has_frame(&self, area: Rect) -> bool {
        !self.is_bare && area.height >= 3 && area.width >= 4
    }

    fn problem_lines(&self) -> impl Iterator<Item = &str> {
        self.problem.into_iter().flat_map(|(what, remedy)| [what, remedy]).filter(|text| !text.is_empty())
    }

    /// Whether values should be dim because they are old or not all there yet.
    pub fn is_dim(&self) -> bool {
        matches!(self.freshness, Some(Freshness::Stale(_) | Freshness::Loading | Freshness::Failed))
    }

    fn title_line(&self, pen: &mut Pen<'_>, area: Rect) {
        // A corner and a blank on either side stay as they are.
        let room = Rect::new(area.x + 1, area.y, area.width.saturating_sub(2), 1);
        let (state, role) = self.state(pen);
        let state = if self.source.is_empty() || state.is_empty() { state } else { format!("{} {state}", self.source) };
        let state = if state.is_empty() { state } else { format!(" {state} ") };
        let state_width = (text::width(&state) as u16).min(room.width);
        if !state.is_empty() {
            pen.put_right(room.x, room.y, room.width, &state, role);
        }
        let left = room.width.saturating_sub(state_width);
        let used =
            pen.put_all(room.x, room.y, left, [(" ", Role::Title), (self.title, Role::Title), (" ", Role::Title)]);
        if !self.narrowed.is_empty() && used < left {
            pen.put_all(
                room.x + used,
                room.y,
                left - used,
                [(" ", Role::TextDim), (self.narrowed, Role::TextDim), (" ", Role::TextDim)],
            );
        }
    }

    /// The right end of the title. Old data says so in words and, where there is no colour, with a mark.
    fn state(&self, pen: &Pen<'_>) -> (String, Role) {
        let worded =
            |word: &str| [word, self.progress].iter().filter(|w| !w.is_empty()).copied().collect::<Vec<_>>().join(" ");
        match self.freshness {
            None => (self.progress.to_owned(), Role::FreshLive),
            Some(Freshness::Live(age)) => (worded(&format!("age {}", short(age))), Role::FreshLive),
            Some(Freshness::Loading) => (worded("loading"), Role::FreshPartial),
            Some(Freshness::Partial) => (worded(pen.look.glyphs.at_least), Role::FreshPartial),
            Some(Freshness::Failed) => (worded("ERROR"), Role::FreshError),
            Some(Freshness::Stale(age)) => {
                let mark = if pen.look.theme.depth() == Depth::Mono { "~" } else { "" };
                (format!("{mark}STALE {}", short(age)), Role::FreshStale)
            }
        }
    }
}

/// Draws a frame on the edge of an area.
pub(super) fn frame(pen: &mut Pen<'_>, area: Rect, role: Role) {
    let lines = pen.look.glyphs.lines;
    let (right, bottom) = (area.right().saturating_sub(1), area.bottom().saturating_sub(1));
    for y in [area.y, bottom] {
        pen.repeat(area.x, y, area.width, lines.horizontal, role);
    }
    for y in area.y..=bottom {
        pen.glyph(area.x, y, lines.vertical, role);
        pen.glyph(right, y, lines.vertical, role);
    }
    pen.glyph(area.x, area.y, lines.top_left, role);
    pen.glyph(right, area.y, lines.top_right, role);
    pen.glyph(area.x, bottom, lines.bottom_left, role);
    pen.glyph(right, bottom, lines.bottom_right, role);
}

/// Says why there are no rows, and which key widens the view. Never leaves a panel blank.
pub fn empty(pen: &mut Pen<'_>, area: Rect, why: &str, widen: Option<(&str, &str)>) {
    pen.put(area.x, area.y, area.width, why, Role::TextDim);
    if let (Some((chord, does)), true) = (widen, area.height > 1) {
        pen.put_all(
            area.x,
            area.y + 1,
            area.width,
            [(chord, Role::TextStrong), (" ", Role::TextDim), (does, Role::TextDim)],
        );
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::tui::glyphs::Glyphs;
    use crate::tui::testing::{drawn, snapshot};

    fn panel(freshness: Freshness) -> Panel<'static> {
        Panel {
            title: "Pipelines",
            narrowed: "ref:develop|pr  sort:trouble",
            freshness: Some(freshness),
            ..Panel::default()
        }
    }

    #[test]
    fn every_state_of_a_panel_says_what_it_is() {
        let age = Duration::from_secs(190);
        let buf = drawn(60, 21, &Glyphs::UNICODE, Depth::True, |pen, _| {
            let mut y = 0;
            let mut next = |height| {
                y += height;
                Rect::new(0, y - height, 60, height)
            };
            Panel { is_focused: true, ..panel(Freshness::Live(Duration::from_secs(4))) }.draw(pen, next(3));
            let inner = panel(Freshness::Stale(age)).draw(pen, next(4));
            empty(pen, inner, "no pipeline matches ref:develop|pr", Some(("Esc", "clears the filter")));
            Panel { progress: "p3", ..panel(Freshness::Loading) }.draw(pen, next(3));
            Panel { progress: "61 %", ..panel(Freshness::Partial) }.draw(pen, next(3));
            let problem = Some(("GitLab answers 429: too many requests", "waits until 03:31"));
            let inner = Panel { problem, ..panel(Freshness::Failed) }.draw(pen, next(5));
            assert_eq!(inner, Rect::new(2, 16, 56, 1));
            let inner = Panel { is_bare: true, ..panel(Freshness::Live(age)) }.draw(pen, next(2));
            assert_eq!(inner, Rect::new(0, 19, 60, 1));
        });
        snapshot("widget-panel-states-60x21", &buf);
    }

    #[test]
    fn where_there_is_no_colour_old_data_carries_a_mark() {
        let buf = drawn(60, 3, &Glyphs::ASCII, Depth::Mono, |pen, area| {
            panel(Freshness::Stale(Duration::from_secs(190))).draw(pen, area);
        });
        snapshot("widget-panel-stale-60x3-mono-ascii", &buf);
    }

    #[test]
    fn a_panel_of_any_size_is_drawn() {
        for width in 0..12 {
            for height in 0..6 {
                drawn(width, height, &Glyphs::UNICODE, Depth::True, |pen, area| {
                    let problem = Some(("what", "remedy"));
                    let inner = Panel { problem, ..panel(Freshness::Loading) }.draw(pen, area);
                    assert_eq!(inner.intersection(area), inner);
                });
            }
        }
    }
}
