//! Keymap files: reads them, follows `inherits`, and refuses what would surprise a tired person, naming file and line. Pure: texts in, a
//! [`Keymap`] or a complaint out.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use toml::de::DeTable;

use super::chord::{Chord, key_name};
use super::keymap::{Binding, Keymap, Origin};
use crate::console::input::{Code, Key};
use crate::console::registry::{ACTIONS, ActionId, Kind, Scope};
use crate::tui::files::{Doc, Find, LoadError, Source, did_you_mean, lineage};

/// The keymaps inside the binary, by name; the first is the default.
pub const BUILT_IN: &[(&str, &str)] =
    &[("vim", include_str!("../../../../keymaps/vim.toml")), ("emacs", include_str!("../../../../keymaps/emacs.toml"))];

/// Single keys that fingers press by habit elsewhere; people lost machines to a mutation on one of them.
const NEVER_MUTATE: [char; 6] = ['c', 'd', 'k', 's', 'z', 'w'];

impl Keymap {
    /// Loads a keymap by name: the user's file if `find` has one, else the built-in one.
    pub fn load(name: &str, find: Find<'_>) -> Result<Self, LoadError> {
        let sources = lineage(name, find, &built_in)?;
        let mut keymap = Self { name: name.to_owned(), scopes: BTreeMap::new() };
        for source in &sources {
            keymap.apply(&Doc::parse(source)?)?;
        }
        keymap.check_shadows(sources.last().map_or("", Source::file))?;
        Ok(keymap)
    }

    /// A keymap as shipped.
    pub fn shipped(name: &str) -> Result<Self, LoadError> {
        Self::load(name, &|_| None)
    }

    fn apply(&mut self, doc: &Doc<'_>) -> Result<(), LoadError> {
        doc.only(&doc.root, &["inherits", "unbind", "bind"])?;
        for (entry, at) in doc.tables("unbind")? {
            doc.only(entry, &["on", "scope"])?;
            let (chord, on) = chord_of(doc, entry, &at)?;
            let (scope, _) = scope_of(doc, entry, &at)?;
            if self.scopes.get_mut(&scope).and_then(|chords| chords.remove(&chord)).is_none() {
                return Err(
                    doc.error(&on, format!("`{chord}` is not bound in scope `{}`; remove this entry", scope.name()))
                );
            }
        }
        let file: Arc<str> = doc.file().into();
        for (entry, at) in doc.tables("bind")? {
            doc.only(entry, &["on", "run", "scope", "desc"])?;
            let (chord, on) = chord_of(doc, entry, &at)?;
            let (scope, scope_at) = scope_of(doc, entry, &at)?;
            let (name, run) = required(doc, entry, "run", &at)?;
            let action = ActionId::named(name).ok_or_else(|| {
                let near = did_you_mean(name, ACTIONS.iter().map(|action| action.name));
                doc.error(&run, format!("unknown action `{name}`{near}"))
            })?;
            allow(action, &chord, scope).map_err(|refusal| match refusal {
                Refusal::Scope(what) => doc.error(&scope_at, what),
                Refusal::Key(what) => doc.error(&on, what),
            })?;
            let desc = doc.string(entry, "desc")?.map(|(text, _)| text.to_owned());
            let origin = Origin { file: file.clone(), line: doc.line(&on), is_shipped: doc.is_shipped() };
            let chords = self.scopes.entry(scope).or_default();
            if let Some(first) = chords.get(&chord).filter(|first| first.origin.file == file) {
                let (name, line) = (scope.name(), first.origin.line);
                return Err(doc.error(&on, format!("`{chord}` is bound twice in scope `{name}`; first on line {line}")));
            }
            chords.insert(chord, Binding { action, desc, origin });
        }
        Ok(())
    }

    /// A chord that is the start of another one would have to wait for a key that may never come, or hide the longer one.
    fn check_shadows(&self, file: &str) -> Result<(), LoadError> {
        for (inner, chords) in &self.scopes {
            for (chord, binding) in chords {
                for outer in inner.chain() {
                    let Some(others) = self.scopes.get(&outer) else { continue };
                    for (other, other_binding) in others {
                        let (short, long) = if chord.keys().len() < other.keys().len() {
                            ((chord, *inner, binding), (other, outer, other_binding))
                        } else {
                            ((other, outer, other_binding), (chord, *inner, binding))
                        };
                        if short.0 != long.0 && long.0.keys().starts_with(short.0.keys()) {
                            return Err(shadow(short, long, file));
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

type Placed<'a> = (&'a Chord, Scope, &'a Binding);

/// Names the line that the reader can change: in their own file before an inherited one, the later before the earlier.
fn shadow(short: Placed<'_>, long: Placed<'_>, file: &str) -> LoadError {
    let rank = |placed: &Placed<'_>| (placed.2.origin.file.as_ref() == file, placed.2.origin.line);
    let ((chord, scope, binding), other, does) =
        if rank(&short) > rank(&long) { (short, long, "hides") } else { (long, short, "is hidden by") };
    let (other, other_scope, at) = (other.0, other.1, &other.2.origin);
    LoadError {
        file: binding.origin.file.as_ref().to_owned(),
        line: binding.origin.line,
        what: format!(
            "`{chord}` in scope `{}` {does} `{other}` in scope `{}` ({}:{}); unbind one of them",
            scope.name(),
            other_scope.name(),
            at.file,
            at.line
        ),
    }
}

enum Refusal {
    Scope(String),
    Key(String),
}

/// The rules of which key may run what where.
fn allow(action: ActionId, chord: &Chord, scope: Scope) -> Result<(), Refusal> {
    let row = action.action();
    let first = chord.keys().first().copied();
    if !scope.chain().any(|outer| outer == row.scope) {
        let (home, here) = (row.scope.name(), scope.name());
        return Err(Refusal::Scope(format!("`{action}` belongs to scope `{home}` and does nothing in scope `{here}`")));
    }
    if row.kind == Kind::Mutate
        && let [only] = chord.keys()
        && never_mutates(*only)
    {
        return Err(Refusal::Key(format!(
            "`{action}` changes things and may not sit on `{chord}`, which fingers press by habit; choose another key"
        )));
    }
    // A prompt takes printable keys as text before anything else could.
    if matches!(scope, Scope::Prompt | Scope::Always)
        && let Some(c) = first.and_then(Key::text)
    {
        let key = key_name(Key::plain(Code::Char(c)), false);
        return Err(Refusal::Key(format!("`{key}` is text in a prompt; begin with control, alt or a named key")));
    }
    Ok(())
}

fn never_mutates(key: Key) -> bool {
    match key.code() {
        Code::Char(c) => key.has_ctrl() && !key.has_alt() && NEVER_MUTATE.contains(&c),
        Code::Esc | Code::Backspace => true,
        _ => false,
    }
}

fn built_in(name: &str) -> Option<Source> {
    let (name, text) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name)?;
    Some(Source::shipped(name, text))
}

fn required<'t>(
    doc: &Doc<'_>,
    entry: &'t DeTable<'_>,
    key: &str,
    at: &Range<usize>,
) -> Result<(&'t str, Range<usize>), LoadError> {
    doc.string(entry, key)?.ok_or_else(|| doc.error(at, format!("this entry has no `{key}`")))
}

fn chord_of(doc: &Doc<'_>, entry: &DeTable<'_>, at: &Range<usize>) -> Result<(Chord, Range<usize>), LoadError> {
    let (text, on) = required(doc, entry, "on", at)?;
    match Chord::parse(text) {
        Ok(chord) => Ok((chord, on)),
        Err(error) => Err(doc.error(&on, error.to_string())),
    }
}

fn scope_of(doc: &Doc<'_>, entry: &DeTable<'_>, at: &Range<usize>) -> Result<(Scope, Range<usize>), LoadError> {
    let (name, span) = required(doc, entry, "scope", at)?;
    match Scope::named(name) {
        Some(scope) => Ok((scope, span)),
        None => {
            let near = did_you_mean(name, Scope::ALL.map(Scope::name));
            Err(doc.error(&span, format!("unknown scope `{name}`{near}")))
        }
    }
}

#[cfg(test)]
mod tests;
