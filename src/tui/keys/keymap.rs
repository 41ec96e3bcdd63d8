//! The walk from keys to an action. An ordered map of chords per scope is the trie: the chords that continue a prefix lie next to each
//! other. The loader has made sure that no chord is a prefix of another one that the same key press could mean.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::chord::{Chord, cancels};
use crate::console::input::Key;
use crate::console::registry::{ActionId, Scope};

/// Where a binding was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin {
    pub file: Arc<str>,
    pub line: usize,
    /// The file is part of the binary.
    pub is_shipped: bool,
}

/// A chord's meaning in one scope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    pub action: ActionId,
    /// What the keymap file says instead of the registry's title.
    pub desc: Option<String>,
    pub origin: Origin,
}

impl Binding {
    /// What hints and help call this binding.
    pub fn title(&self) -> &str {
        self.desc.as_deref().unwrap_or(self.action.action().title)
    }
}

/// Keys pressed so far that are the start of a chord. Never times out.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pending(Vec<Key>);

impl Pending {
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn keys(&self) -> &[Key] {
        &self.0
    }

    /// Forgets the keys, as when the screen under them goes away.
    pub fn clear(&mut self) {
        self.0.clear();
    }
}

/// What one key led to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Run(ActionId),
    /// The chord goes on; more keys must come.
    Pending,
    /// Nothing is bound to these keys.
    Unbound,
    /// A chord that was begun is taken back.
    Cancelled,
}

/// One way to go on from the keys pressed so far.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Continuation<'a> {
    pub key: Key,
    pub leads_to: Branch<'a>,
}

/// What a continuation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Branch<'a> {
    Action(&'a Binding),
    /// So many chords begin with it.
    More(usize),
}

/// Which chords run which actions, by scope.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Keymap {
    pub(super) name: String,
    pub(super) scopes: BTreeMap<Scope, BTreeMap<Chord, Binding>>,
}

impl Keymap {
    /// The name under which it was loaded.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Takes one key where `scope` is the innermost scope on screen.
    pub fn step(&self, scope: Scope, pending: &mut Pending, key: Key) -> Step {
        if !pending.is_empty() && cancels(key) {
            pending.clear();
            return Step::Cancelled;
        }
        pending.0.push(key);
        let mut goes_on = false;
        for (chord, binding) in scope.chain().filter_map(|scope| self.first_from(scope, &pending.0)) {
            if chord.keys().len() == pending.0.len() {
                let action = binding.action;
                pending.clear();
                return Step::Run(action);
            }
            goes_on = true;
        }
        if goes_on {
            return Step::Pending;
        }
        pending.clear();
        Step::Unbound
    }

    /// What may follow the keys pressed so far, inner scopes first where they disagree, in the order of keys.
    pub fn continuations(&self, scope: Scope, pending: &Pending) -> Vec<Continuation<'_>> {
        let depth = pending.0.len();
        let mut found: BTreeMap<Key, Branch<'_>> = BTreeMap::new();
        let reachable = scope.chain().flat_map(|scope| self.from(scope, &pending.0));
        for (chord, binding) in reachable {
            let Some(key) = chord.keys().get(depth) else { continue };
            if chord.keys().len() == depth + 1 {
                found.entry(*key).or_insert(Branch::Action(binding));
            } else if let Branch::More(count) = found.entry(*key).or_insert(Branch::More(0)) {
                *count += 1;
            }
        }
        found.into_iter().map(|(key, leads_to)| Continuation { key, leads_to }).collect()
    }

    /// The chords that run `action` where `scope` is innermost, shortest first; those an inner scope took over are left out.
    pub fn chords(&self, action: ActionId, scope: Scope) -> Vec<&Chord> {
        let mut chords: Vec<&Chord> = self
            .bindings(scope)
            .filter(|(_, _, binding)| binding.action == action)
            .map(|(_, chord, _)| chord)
            .collect();
        chords.sort_by_key(|chord| chord.keys().len());
        chords
    }

    /// The shortest chord for `action`, for the palette and hints, wherever it is bound. Of equals, one without modifiers.
    pub fn shortest(&self, action: ActionId) -> Option<&Chord> {
        self.scopes
            .values()
            .flatten()
            .filter(|(_, binding)| binding.action == action)
            .map(|(chord, _)| chord)
            .min_by_key(|chord| (chord.keys().len(), chord.keys().iter().any(|key| key.has_ctrl() || key.has_alt())))
    }

    /// Every binding that counts where `scope` is innermost, inner scopes first, for the help.
    pub fn bindings(&self, scope: Scope) -> impl Iterator<Item = (Scope, &Chord, &Binding)> {
        scope.chain().enumerate().flat_map(move |(depth, outer)| {
            self.scopes
                .get(&outer)
                .into_iter()
                .flatten()
                .filter(move |(chord, _)| !scope.chain().take(depth).any(|inner| self.get(inner, chord).is_some()))
                .map(move |(chord, binding)| (outer, chord, binding))
        })
    }

    /// The binding of exactly this chord in exactly this scope.
    pub fn get(&self, scope: Scope, chord: &Chord) -> Option<&Binding> {
        self.scopes.get(&scope)?.get(chord)
    }

    /// The chords of one scope that begin with `keys`.
    fn from<'m>(&'m self, scope: Scope, keys: &[Key]) -> impl Iterator<Item = (&'m Chord, &'m Binding)> {
        // Slices order like the chords that hold them, so the range starts at the prefix itself.
        self.scopes
            .get(&scope)
            .into_iter()
            .flat_map(move |chords| {
                chords.range::<[Key], _>((std::ops::Bound::Included(keys), std::ops::Bound::Unbounded))
            })
            .take_while(move |(chord, _)| chord.keys().starts_with(keys))
    }

    fn first_from(&self, scope: Scope, keys: &[Key]) -> Option<(&Chord, &Binding)> {
        self.from(scope, keys).next()
    }
}

impl std::borrow::Borrow<[Key]> for Chord {
    fn borrow(&self) -> &[Key] {
        self.keys()
    }
}
