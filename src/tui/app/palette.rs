//! The palette: actions, places and objects by fuzzy name; or a command word with its argument.

use super::App;
use crate::ci::{JobId, PipelineId};
use crate::console::registry::{ACTIONS, ActionId, Argument};
use crate::tui::screen::Place;
use crate::tui::widgets::{Line, PaletteEntry, Ranked, rank};

/// What choosing an entry does.
#[derive(Debug, Clone)]
pub enum Choice {
    Run(ActionId),
    Go(Place),
}

/// An open palette.
#[derive(Debug)]
pub struct Palette {
    pub line: Line,
    pub entries: Vec<PaletteEntry>,
    choices: Vec<Choice>,
    pub chosen: usize,
}

/// The sign before the palette's line, and the name of its history.
pub const PALETTE: &str = ":";
/// Entries shown at most.
const MOST: usize = 50;
/// Objects offered beside actions; with more the list is no help.
const OBJECTS: usize = 4_000;

/// A command word with what follows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Typed {
    pub action: ActionId,
    pub argument: String,
}

impl Palette {
    /// The entries that fit what is typed.
    pub fn ranked(&self) -> Vec<Ranked> {
        rank(&self.entries, self.line.text(), MOST)
    }

    /// Whether a whole command is typed.
    pub fn is_command(&self) -> bool {
        command(self.line.text()).is_some()
    }

    /// What Enter does now: a command with its argument wins over the list.
    pub fn accept(&self) -> Option<Result<Typed, Choice>> {
        if let Some(typed) = command(self.line.text()) {
            return Some(Ok(typed));
        }
        let ranked = self.ranked();
        let entry = ranked.get(self.chosen.min(ranked.len().saturating_sub(1)))?.entry;
        self.choices.get(entry).cloned().map(Err)
    }
}

/// Reads `word argument`; `None` when the first word is no command, or takes no argument and got one.
fn command(text: &str) -> Option<Typed> {
    let text = text.trim();
    let (word, argument) = text.split_once(' ').unwrap_or((text, ""));
    let action = ACTIONS.iter().find(|a| a.command.is_some_and(|c| c.word == word))?;
    let takes = action.command.is_some_and(|c| c.argument != Argument::None);
    (takes || argument.is_empty()).then(|| Typed { action: action.id, argument: argument.trim().to_owned() })
}

impl App {
    /// Everything one can ask for, or with `objects_only` everything one can go to.
    pub(super) fn palette(&mut self, objects_only: bool) -> Palette {
        let mut line = self.lines.remove(PALETTE).unwrap_or_default();
        line.set("");
        let mut entries = Vec::new();
        let mut choices = Vec::new();
        let keymap = &self.setup.keymap;
        if !objects_only {
            let scope = self.screen.scope();
            for action in ACTIONS.iter().filter(|a| {
                a.command.is_some() || scope.chain().any(|s| s == a.scope) && a.name.split_once('.').is_some()
            }) {
                let chord = keymap.shortest(action.id).map_or(String::new(), |c| self.setup.glyphs.chord(c));
                let title = action.command.map_or(action.title.to_owned(), |c| c.word.to_owned());
                let name = action.name.to_owned();
                entries.push(PaletteEntry { title, name, note: action.help.to_owned(), chord });
                choices.push(Choice::Run(action.id));
            }
        }
        let mut add = |title: String, note: String, place: Place| {
            entries.push(PaletteEntry { title, note, ..PaletteEntry::default() });
            choices.push(Choice::Go(place));
        };
        for facts in self.world.parents() {
            let p = &facts.pipeline;
            add(format!("pipeline {} {}", p.id, p.git_ref), p.status.to_string(), dag(p.id));
            for child in facts.children.iter().filter_map(|c| self.world.pipeline(*c)) {
                let title = format!("stack {} {} {}", child.title(), child.pipeline.id, p.git_ref);
                add(title, child.pipeline.status.to_string(), dag(child.pipeline.id));
            }
        }
        for (root, facts) in self.world.caches.roots.value.iter().take(OBJECTS) {
            let title = format!("cache {}", facts.root);
            add(title, facts.url.to_string(), Place::Cache { root: *root, spec: None });
        }
        for job in self.world.jobs().take(OBJECTS) {
            let stack = self.world.home(job.id).map_or("", |f| f.title());
            add(format!("job {} {stack} {}", job.name, job.id), job.status.to_string(), Place::Job(job.id));
        }
        Palette { line, entries, choices, chosen: 0 }
    }
}

fn dag(id: PipelineId) -> Place {
    Place::Dag { pipeline: Some(id), job: None }
}

/// Reads the id that `:pipeline` or `:job` got.
pub fn job_or_pipeline(text: &str) -> Option<(JobId, PipelineId)> {
    let id: u64 = text.trim_start_matches('#').parse().ok()?;
    Some((JobId(id), PipelineId(id)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commands_take_their_arguments() {
        let typed = command(" jobs state:failed !cause:spot ").unwrap();
        assert_eq!((typed.action, typed.argument.as_str()), (ActionId::ScreenJobs, "state:failed !cause:spot"));
        assert_eq!(command("theme dusk").unwrap().argument, "dusk");
        assert_eq!(command("quit").unwrap().action, ActionId::AppQuit);
        assert_eq!(command("quit now"), None);
        assert_eq!(command("no such thing"), None);
    }
}
