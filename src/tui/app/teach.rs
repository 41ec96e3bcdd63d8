//! Teaching a rule: from picked lines to a pattern, to what it would match, to a class, to the user's rules file.

use std::collections::BTreeMap;
use std::sync::Arc;

use ratatui::layout::{Position, Rect, Size};
use regex::bytes::RegexBuilder;

use super::overlay::Overlay;
use super::{App, Wish};
use crate::ci::Timestamp;
use crate::console::event::Intent;
use crate::console::failures::Failures;
use crate::console::text::plural;
use crate::taxonomy::{Draft, draft};
use crate::tui::theme::Role;
use crate::tui::widgets::{Line, Panel, Pen, Prompt, popup};

/// Patterns that compile to more than this are not tried.
const LARGEST: usize = 1 << 20;
const ROWS: u16 = 9;
const WEEK_MS: i64 = 7 * 24 * 3_600_000;

/// A rule in the making.
#[derive(Debug)]
pub struct Teach {
    draft: Draft,
    picked: Vec<String>,
    pattern: Line,
    id: Line,
    /// The id is being typed; before that, the pattern.
    is_naming: bool,
    told: Result<String, String>,
    /// Failures before this moment are not counted.
    since: Timestamp,
}

impl Teach {
    fn new(draft: Draft, picked: Vec<String>, failures: &Failures, server_now: Timestamp) -> Self {
        let mut teach = Self {
            pattern: Line::default(),
            id: Line::default(),
            picked,
            draft,
            is_naming: false,
            told: Ok(String::new()),
            since: server_now.shifted(-WEEK_MS),
        };
        teach.pattern.set(&teach.draft.pattern);
        teach.id.set(&teach.draft.id);
        teach.changed(failures);
        teach
    }

    /// The line that is being typed.
    pub fn line(&mut self) -> &mut Line {
        if self.is_naming { &mut self.id } else { &mut self.pattern }
    }

    /// Counts anew what the pattern fits.
    pub fn changed(&mut self, failures: &Failures) {
        let made = self.draft.with(self.pattern.text(), self.id.text());
        self.told = made.map(|_| fits(self.pattern.text(), failures, self.since));
    }

    /// One step on; the rule when it was the last one.
    fn accept(&mut self) -> Option<Draft> {
        let made = self.draft.with(self.pattern.text(), self.id.text()).ok()?;
        if self.is_naming {
            return Some(made);
        }
        self.is_naming = true;
        None
    }

    /// Draws it; returns where the text cursor stands.
    pub fn draw(&self, pen: &mut Pen<'_>, screen: Rect) -> Option<Position> {
        let panel = Panel { title: "Teach a rule", is_focused: true, ..Panel::default() };
        let inner = popup(pen, screen, Size::new(96, ROWS), &panel);
        if inner.height < 5 {
            return None;
        }
        let first = self.picked.first().map_or("", |line| line.trim());
        let more = if self.picked.len() > 1 { format!(" (+{} more)", self.picked.len() - 1) } else { String::new() };
        let row = |nth: u16| Rect { y: inner.y + nth, height: 1, ..inner };
        pen.put(inner.x, inner.y, inner.width, &format!("line     {first}{more}"), Role::TextDim);
        let mut cursor = None;
        for (nth, label, line, is_here) in
            [(1, "pattern ", &self.pattern, !self.is_naming), (2, "class   ", &self.id, self.is_naming)]
        {
            if is_here {
                cursor = Some(Prompt { sigil: label, line, wrong: None, note: "" }.draw(pen, row(nth)));
            } else {
                pen.put_all(
                    inner.x,
                    inner.y + nth,
                    inner.width,
                    [(label, Role::TextDim), (" ", Role::Text), (line.text(), Role::Text)],
                );
            }
        }
        let (text, role) = match &self.told {
            Ok(text) => (text, Role::Text),
            Err(error) => (error, Role::StateFail),
        };
        pen.put(inner.x, inner.y + 4, inner.width, text, role);
        let next = if self.is_naming { "Enter saves it in your rules" } else { "Enter goes on to the class" };
        pen.put(inner.x, inner.y + 6, inner.width, &format!("{next}   Esc leaves everything as it is"), Role::TextDim);
        cursor
    }
}

/// `fits the evidence of 5 of 24 failures of the last 7 days: 4 unknown, 1 build_error`. It is held against their evidence, not against whole logs.
fn fits(pattern: &str, failures: &Failures, since: Timestamp) -> String {
    let Ok(regex) = RegexBuilder::new(pattern).size_limit(LARGEST).build() else { return String::new() };
    let mut classes: BTreeMap<&str, u64> = BTreeMap::new();
    let (mut all, mut found) = (0_u64, 0_u64);
    for failure in failures.iter().filter(|failure| failure.at >= since && failure.evidence.is_some()) {
        all += 1;
        if failure.evidence.as_ref().is_some_and(|evidence| regex.is_match(evidence.as_bytes())) {
            found += 1;
            *classes.entry(&failure.class).or_default() += 1;
        }
    }
    let classes: Vec<String> = classes.into_iter().map(|(class, n)| format!("{n} {class}")).collect();
    let told = if classes.is_empty() { String::new() } else { format!(": {}", classes.join(", ")) };
    format!("fits the evidence of {found} of {} of the last 7 days{told}", plural(all, "failure"))
}

impl App {
    /// Makes a rule of the line under the cursor, or of the marked lines of a log.
    pub(super) fn teach(&mut self, now: Timestamp) {
        let picked = self.screen.lines(self.cx(now));
        let lines: Vec<&str> = picked.iter().map(String::as_str).collect();
        match draft(&lines) {
            Some(draft) => {
                let teach = Teach::new(draft, picked, &self.world.failures, self.world.server_time(now));
                self.overlay = Some(Overlay::Teach(Box::new(teach)));
            }
            None => self.say(false, "put the cursor on a line of a log, or on a signature in Errors", now),
        }
    }

    /// Enter in a rule in the making.
    pub(super) fn taught(&mut self, mut teach: Box<Teach>) -> Vec<Wish> {
        match teach.accept() {
            Some(draft) => vec![Wish::Intend(Intent::SaveRule(Arc::new(draft)))],
            None => {
                self.overlay = Some(Overlay::Teach(teach));
                Vec::new()
            }
        }
    }
}
