//! The preview of a plan: what would be done, to what, and why not to the rest. Nothing is sent that did not stand here.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use ratatui::layout::{Position, Rect, Size};

use crate::ci::{SpecName, Timestamp};
use crate::console::actions::{Object, Plan, Target};
use crate::console::text::{plural, width};
use crate::console::world::World;
use crate::tui::theme::Role;
use crate::tui::widgets::{Line, Panel, Pen, Prompt, popup};

/// Keys typed ahead cannot confirm: the preview must have been on the screen for this long.
const SEEN_FOR: Duration = Duration::from_millis(500);

/// One open preview.
#[derive(Debug)]
pub struct Preview {
    plan: Arc<Plan>,
    /// When it was first drawn; `None` until then.
    shown_at: Option<Timestamp>,
    left_out: BTreeSet<Object>,
    /// Rows are listed, with a cursor.
    rows: Option<usize>,
    /// Only the targets of this cause.
    only: Option<Arc<str>>,
    typed: Line,
}

/// What pressing confirm leads to.
#[derive(Debug)]
pub enum Confirmed {
    /// This plan goes on.
    Plan(Arc<Plan>),
    /// Not yet, or never; the sentence says why.
    No(String),
    /// Typed ahead of the screen: ignored.
    TooSoon,
}

impl Preview {
    /// Opens on a plan.
    pub fn new(plan: Plan) -> Self {
        Self {
            plan: Arc::new(plan),
            shown_at: None,
            left_out: BTreeSet::new(),
            rows: None,
            only: None,
            typed: Line::default(),
        }
    }

    /// The plan as it would be sent: what was left out is a skip with that reason.
    fn effective(&self) -> Plan {
        let keeps = |target: &crate::console::actions::Target| {
            !self.left_out.contains(&target.object) && self.only.as_ref().is_none_or(|cause| *cause == target.cause)
        };
        (*self.plan).clone().narrow(keeps)
    }

    /// A word must be typed to confirm.
    pub fn wants_typing(&self) -> bool {
        self.plan.typed.is_some() && self.plan.refused.is_none() && self.rows.is_none()
    }

    /// The line being typed.
    pub fn line(&mut self) -> &mut Line {
        &mut self.typed
    }

    pub fn confirm(&self, now: Timestamp, world: &World) -> Confirmed {
        if !self.is_ready(now) {
            return Confirmed::TooSoon;
        }
        let plan = self.effective();
        if let Some(reason) = plan.refused.clone().or_else(|| world.read_only(now)) {
            return Confirmed::No(reason);
        }
        if plan.targets.is_empty() {
            return Confirmed::No("nothing is left to do".to_owned());
        }
        match &plan.typed {
            Some(word) if self.typed.text().trim() != word => {
                Confirmed::No(format!("type `{word}` to confirm, then Enter"))
            }
            _ => Confirmed::Plan(Arc::new(plan)),
        }
    }

    /// Lists every target, or goes back to the summary.
    pub fn toggle_rows(&mut self) {
        self.rows = if self.rows.is_some() { None } else { Some(0) };
    }

    pub fn step(&mut self, down: bool) {
        if let Some(row) = &mut self.rows {
            let last = self.plan.targets.len().saturating_sub(1);
            *row = if down { (*row + 1).min(last) } else { row.saturating_sub(1) };
        }
    }

    /// Leaves the target under the cursor out, or takes it in again.
    pub fn toggle(&mut self) {
        if let Some(target) = self.rows.and_then(|row| self.plan.targets.get(row))
            && !self.left_out.remove(&target.object)
        {
            self.left_out.insert(target.object.clone());
        }
        self.step(true);
    }

    /// Keeps the targets of the next cause only; after the last cause all are back.
    pub fn next_cause(&mut self) {
        let causes: Vec<Arc<str>> = self.plan.causes().into_iter().map(|(cause, _)| cause).collect();
        let next = match &self.only {
            None => 0,
            Some(now) => causes.iter().position(|c| c == now).map_or(0, |i| i + 1),
        };
        self.only = causes.get(next).cloned();
    }

    /// Notes that a frame showed it.
    pub fn seen(&mut self, now: Timestamp) {
        self.shown_at.get_or_insert(now);
    }

    /// It has been on the screen for long enough to be read.
    pub fn is_ready(&self, now: Timestamp) -> bool {
        self.shown_at.is_some_and(|at| now.since(at) >= SEEN_FOR)
    }

    /// Draws it over the screen; the text cursor stands in the line to type, if there is one.
    pub fn draw(&self, pen: &mut Pen<'_>, screen: Rect, world: &World, now: Timestamp) -> Option<Position> {
        let plan = self.effective();
        let title = format!(
            "{} preview  {} → {}",
            capital(plan.verb.word()),
            plural((self.plan.targets.len() + self.plan.skips.len()) as u64, "target"),
            plural(plan.targets.len() as u64, "request"),
        );
        let seen = format!("ids + states of {}", world.server_time(self.plan.made_at).clock());
        let panel = Panel { title: &title, progress: &seen, is_focused: true, ..Panel::default() };
        let (rows, lines) = if self.rows.is_some() {
            let all = self.plan.targets.len() + self.plan.skips.len();
            let rows = u16::try_from(all + 3).unwrap_or(u16::MAX).clamp(6, screen.height.saturating_sub(6).max(6));
            (rows, self.row_lines(&plan, usize::from(rows.min(screen.height)).saturating_sub(3)))
        } else {
            let lines = summary_lines(pen, &plan);
            (lines.len() as u16 + 3, lines)
        };
        let inner = popup(pen, screen, Size::new(98, rows), &panel);
        let foot = inner.bottom().saturating_sub(1);
        for ((role, text), y) in lines.into_iter().zip(inner.y..foot) {
            pen.put(inner.x, y, inner.width, &text, role);
        }
        let bottom = Rect { y: foot, height: inner.height.min(1), ..inner };
        self.draw_foot(pen, bottom, &plan, world.rules.hold, now)
    }

    fn draw_foot(&self, pen: &mut Pen<'_>, row: Rect, plan: &Plan, hold: Duration, now: Timestamp) -> Option<Position> {
        if row.height == 0 {
            return None;
        }
        if let Some(reason) = &plan.refused {
            pen.put(row.x, row.y, row.width, &format!("{reason}   Esc close"), Role::FreshStale);
            return None;
        }
        if self.wants_typing() {
            let word = plan.typed.as_deref().unwrap_or_default();
            let note = format!("type \"{word}\", Enter holds {}s, Esc cancels", hold.as_secs());
            return Some(Prompt { sigil: "> ", line: &self.typed, wrong: None, note: &note }.draw(pen, row));
        }
        let confirm = if self.is_ready(now) { Role::ActionSafe } else { Role::TextDim };
        let hold = format!("hold {}s, then send", hold.as_secs());
        let rows = if self.rows.is_some() { "back to the sums" } else { "choose rows" };
        let leave_out = if self.rows.is_some() { ("[Space]", "leave out") } else { ("[o]", "only one cause") };
        // What confirms and what cancels come first: the rest goes where there is no room.
        let mut x = row.x;
        for (key, role, words) in [
            ("[y]", confirm, &*hold),
            ("[n]", Role::TextStrong, "cancel"),
            ("[t]", Role::TextStrong, rows),
            (leave_out.0, Role::TextStrong, leave_out.1),
        ] {
            let wide = (width(key) + 1 + width(words)) as u16;
            if x + wide > row.right() {
                break;
            }
            x += 3 + pen.put_all(x, row.y, wide, [(key, role), (" ", Role::Text), (words, Role::Text)]);
        }
        None
    }

    fn row_lines(&self, plan: &Plan, height: usize) -> Vec<(Role, String)> {
        let cursor = self.rows.unwrap_or(0);
        let height = height.max(1);
        let top = (cursor + 1).saturating_sub(height);
        let goes = |object: &Object| plan.targets.iter().any(|t| t.object == *object);
        let targets = self.plan.targets.iter().enumerate().map(|(i, t)| {
            let mark = if goes(&t.object) { "[x]" } else { "[ ]" };
            let here = if i == cursor { ">" } else { " " };
            let role = if i == cursor { Role::Cursor } else { Role::Text };
            (role, format!("{here}{mark} {}  {}  {}{}  {}", t.object, short_name(&t.name), t.status, tries(t), t.cause))
        });
        let skips =
            self.plan.skips.iter().map(|s| (Role::TextDim, format!("  -  {}  {}", short_name(&s.name), s.reason)));
        targets.chain(skips).skip(top).take(height).collect()
    }
}

fn summary_lines(pen: &Pen<'_>, plan: &Plan) -> Vec<(Role, String)> {
    use crate::console::state::JobState;
    let glyphs = pen.look.glyphs;
    let causes: Vec<String> = plan
        .causes()
        .into_iter()
        .take(5)
        .map(|(cause, n)| if cause.is_empty() { n.to_string() } else { format!("{cause} {n}") })
        .collect();
    let dot = format!(" {} ", glyphs.dot);
    let mut lines =
        vec![(Role::TextStrong, format!("{} {}   {}", glyphs.state(JobState::Ok), plan.summary(), causes.join(&dot)))];
    if !plan.skips.is_empty() {
        let reasons: Vec<String> =
            plan.skip_reasons().into_iter().take(4).map(|(reason, n)| format!("{n} {reason}")).collect();
        lines.push((
            Role::StateSkip,
            format!("{} skip {}   {}", glyphs.state(JobState::Cancel), plan.skips.len(), reasons.join(&dot)),
        ));
    }
    lines.extend(plan.notes.iter().map(|note| (Role::Text, format!("! {note}"))));
    if let [only] = plan.targets.as_slice() {
        let name = short_name(&only.name);
        lines.push((Role::Text, format!("{}  {name}  {}{}", only.object, only.status, tries(only))));
    }
    lines.push((Role::TextDim, "each target is read again before it is sent; what changed is skipped".to_owned()));
    lines
}

/// The number of the try of what can be tried.
fn tries(target: &Target) -> String {
    if target.object.job().is_some() { format!("  try {}", target.tries) } else { String::new() }
}

/// A spec without the rest of its hash, which no person reads; the id beside it is exact.
fn short_name(name: &str) -> String {
    match SpecName::parse(name) {
        Some(spec) => format!("{}@{}/{}", spec.package, spec.version, spec.hash.get(..7).unwrap_or(spec.hash)),
        None => name.to_owned(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map_or(String::new(), |first| first.to_uppercase().chain(letters).collect())
}
