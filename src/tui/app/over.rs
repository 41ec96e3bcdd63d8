//! Keys for what lies over the screen: a line being typed, the palette, the help, a preview.

use std::sync::Arc;
use std::time::Duration;

use super::overlay::{Overlay, sigil};
use super::palette::{Choice, PALETTE, Palette, Typed};
use super::preview::Confirmed;
use super::{App, Wish};
use crate::ci::Timestamp;
use crate::console::actions::{Object, Silence, Verb};
use crate::console::event::Intent;
use crate::console::failures::Ack;
use crate::console::registry::ActionId;
use crate::tui::screen::{Ask, Cx};
use crate::tui::widgets::{Line, Look, help_lines};

/// How long an acknowledgement holds when nobody says.
const ACK: Duration = Duration::from_hours(1);

/// Reads `2h looks at uo-19`: how long it holds, and the note.
fn note(text: &str) -> Result<(Duration, String), String> {
    let (first, rest) = text.trim().split_once(' ').unwrap_or((text.trim(), ""));
    let number = |suffix| first.strip_suffix(suffix).and_then(|digits| digits.parse::<u64>().ok());
    let (length, note) = match (number("h"), number("m")) {
        (Some(hours @ 1..=168), _) => (Duration::from_hours(hours), rest),
        (_, Some(minutes @ 1..=10_080)) => (Duration::from_mins(minutes), rest),
        _ => (ACK, text.trim()),
    };
    if note.trim().is_empty() {
        Err("say what you look at; begin with a time such as 2h if not 1h".to_owned())
    } else {
        Ok((length, note.trim().to_owned()))
    }
}

impl App {
    /// Takes the failures under the cursor, with a note.
    fn acknowledged(&mut self, length: Duration, note: &str, now: Timestamp) -> Vec<Wish> {
        let Some((class, fingerprint)) = self.screen.failures(self.cx(now)) else { return Vec::new() };
        let created = self.world.server_time(now);
        let who = Arc::clone(&self.setup.who);
        let ack = Ack { class, fingerprint, who, note: note.into(), until: Some(created.plus(length)), created };
        vec![Wish::Intend(Intent::Acknowledge(ack))]
    }

    /// Plans to silence the alert under the cursor, with a note.
    fn silenced(&mut self, length: Duration, note: &str, now: Timestamp) -> Vec<Wish> {
        let until = now.plus(length);
        let silence = |object| match object {
            Object::Silence(silence) => Some(Object::Silence(Silence { until, why: note.into(), ..silence })),
            _ => None,
        };
        let objects = self.screen.selection(self.cx(now)).objects.into_iter().filter_map(silence).collect();
        self.preview_fleet(Verb::Silence, objects, now)
    }

    /// The line that is being typed, wherever it is.
    pub(super) fn line(&mut self) -> Option<&mut Line> {
        match &mut self.overlay {
            Some(Overlay::Prompt { line, .. } | Overlay::Help { line, .. }) => Some(line),
            Some(Overlay::Palette(palette)) => Some(&mut palette.line),
            Some(Overlay::Teach(teach)) => Some(teach.line()),
            Some(Overlay::Preview(preview)) if preview.wants_typing() => Some(preview.line()),
            _ => None,
        }
    }

    /// Lets the screen see what is being typed, at once.
    pub(super) fn line_changed(&mut self, now: Timestamp) {
        match &mut self.overlay {
            Some(Overlay::Teach(teach)) => teach.changed(&self.world.failures),
            Some(Overlay::Prompt { what: Ask::Note | Ask::Silence, line, error, .. }) => {
                *error = note(line.text()).err();
            }
            Some(Overlay::Prompt { what, line, error, .. }) => {
                let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
                let cx = Cx { world: &self.world, look, now, marks: &self.marks };
                *error = self.screen.typed(*what, line.text(), false, cx).err();
            }
            Some(Overlay::Help { chosen, .. }) => *chosen = 0,
            Some(Overlay::Palette(palette)) => palette.chosen = 0,
            _ => {}
        }
    }

    /// What an action means to the thing over the screen; `None` when nothing is there or it does not care.
    pub(super) fn overlay_action(&mut self, action: ActionId, now: Timestamp) -> Option<Vec<Wish>> {
        self.overlay.as_ref()?;
        if matches!(action, ActionId::PromptCancel | ActionId::PreviewCancel | ActionId::ViewBack) {
            return Some(self.dismiss(now));
        }
        let is_preview = matches!(self.overlay, Some(Overlay::Preview(_)));
        if is_preview && let Some(wishes) = self.preview_action(action, now) {
            return Some(wishes);
        }
        match action {
            ActionId::PromptAccept => return Some(self.accept(now)),
            ActionId::PromptUp | ActionId::PromptDown => {
                let step = if action == ActionId::PromptDown { 1 } else { -1 };
                let scope = self.screen.scope();
                let moved = match &mut self.overlay {
                    Some(Overlay::Palette(palette)) => {
                        let last = palette.ranked().len().saturating_sub(1);
                        palette.chosen = palette.chosen.saturating_add_signed(step).min(last);
                        true
                    }
                    Some(Overlay::Help { line, chosen }) => {
                        let lines = help_lines(&self.setup.keymap, scope, &self.setup.glyphs, line.text());
                        *chosen = chosen.saturating_add_signed(step).min(lines.len().saturating_sub(1));
                        true
                    }
                    _ => false,
                };
                if moved {
                    return Some(Vec::new());
                }
            }
            ActionId::ListDown | ActionId::ListUp => {
                if let Some(Overlay::Explain { top, .. }) = &mut self.overlay {
                    // The end is known when it is drawn.
                    *top = if action == ActionId::ListDown { *top + 1 } else { top.saturating_sub(1) };
                    return Some(Vec::new());
                }
            }
            ActionId::AppQuit if matches!(self.overlay, Some(Overlay::Quit)) => return Some(vec![Wish::Quit]),
            ActionId::HoldUndo if matches!(self.overlay, Some(Overlay::Quit)) => {
                self.overlay = None;
                return None;
            }
            ActionId::AppRedraw | ActionId::AppSuspend => return None,
            _ => {}
        }
        if let Some(line) = self.line()
            && line.edit(action)
        {
            self.line_changed(now);
        } else if matches!(self.overlay, Some(Overlay::Quit | Overlay::Explain { .. })) {
            self.overlay = None;
        }
        Some(Vec::new())
    }

    fn preview_action(&mut self, action: ActionId, now: Timestamp) -> Option<Vec<Wish>> {
        let Some(Overlay::Preview(preview)) = &mut self.overlay else { return None };
        match action {
            ActionId::PreviewConfirm | ActionId::PromptAccept => {
                return Some(match preview.confirm(now, &self.world) {
                    Confirmed::TooSoon => Vec::new(),
                    Confirmed::No(reason) => {
                        self.say(true, reason, now);
                        Vec::new()
                    }
                    Confirmed::Plan(plan) => {
                        self.overlay = None;
                        self.marks.clear();
                        self.confirmed.insert(plan.id.clone());
                        vec![Wish::Intend(Intent::Confirm { plan, who: Arc::clone(&self.setup.who) })]
                    }
                });
            }
            ActionId::PreviewRows => preview.toggle_rows(),
            ActionId::PreviewOnly => preview.next_cause(),
            ActionId::PreviewToggle => preview.toggle(),
            ActionId::PreviewDown => preview.step(true),
            ActionId::PreviewUp => preview.step(false),
            _ => return None,
        }
        Some(Vec::new())
    }

    /// Closes what lies over the screen; a filter goes back to what it was.
    fn dismiss(&mut self, now: Timestamp) -> Vec<Wish> {
        if let Some(Overlay::Prompt { what, before, .. }) = self.overlay.take()
            && !matches!(what, Ask::Note | Ask::Silence)
        {
            let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
            let cx = Cx { world: &self.world, look, now, marks: &self.marks };
            // It was good before, or empty.
            let _ = self.screen.typed(what, &before, true, cx);
        }
        Vec::new()
    }

    /// What the palette's Enter means; the line is remembered.
    fn chosen(&mut self, mut palette: Palette) -> Option<Result<Typed, Choice>> {
        let choice = palette.accept();
        palette.line.accept();
        self.lines.insert(PALETTE, palette.line);
        choice
    }

    fn accept(&mut self, now: Timestamp) -> Vec<Wish> {
        match self.overlay.take() {
            Some(Overlay::Teach(teach)) => self.taught(teach),
            Some(Overlay::Prompt { what: what @ (Ask::Note | Ask::Silence), line, before, .. }) => {
                match note(line.text()) {
                    Ok((length, text)) if what == Ask::Silence => self.silenced(length, &text, now),
                    Ok((length, text)) => self.acknowledged(length, &text, now),
                    Err(error) => {
                        self.overlay = Some(Overlay::Prompt { what, line, before, error: Some(error) });
                        Vec::new()
                    }
                }
            }
            Some(Overlay::Prompt { what, mut line, before, .. }) => {
                let look = Look { theme: &self.setup.theme, glyphs: &self.setup.glyphs };
                let cx = Cx { world: &self.world, look, now, marks: &self.marks };
                if let Err(error) = self.screen.typed(what, line.text(), true, cx) {
                    self.overlay = Some(Overlay::Prompt { what, line, before, error: Some(error) });
                } else {
                    // It comes back with `up` when the same kind of line is typed again.
                    line.accept();
                    self.lines.insert(sigil(what), line);
                }
                Vec::new()
            }
            Some(Overlay::Palette(palette)) => match self.chosen(palette) {
                None => {
                    self.say(true, "nothing fits what was typed", now);
                    Vec::new()
                }
                Some(Ok(typed)) => self.command(typed, now),
                Some(Err(Choice::Go(place))) => self.go(place, now),
                Some(Err(Choice::Run(action))) => self.command(Typed { action, argument: String::new() }, now),
            },
            Some(Overlay::Help { line, chosen }) => {
                let lines = help_lines(&self.setup.keymap, self.screen.scope(), &self.setup.glyphs, line.text());
                lines.get(chosen).map_or_else(Vec::new, |found| self.run_action(found.action, now))
            }
            _ => Vec::new(),
        }
    }
}
