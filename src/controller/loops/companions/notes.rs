//! What a duty remembers from pass to pass.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, PoisonError};

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Duty, Outside, local};
use crate::adapters::store::{Kept, Swap};
use crate::ci::Timestamp;
use crate::console::fault::Fault;

/// What passes remember that write nothing: by keeper and subject, as JSON. It goes with the process.
#[derive(Debug, Default)]
pub struct DryNotes(Mutex<BTreeMap<String, BTreeMap<String, serde_json::Value>>>);

impl DryNotes {
    fn of<R>(&self, keeper: &str, act: impl FnOnce(&mut BTreeMap<String, serde_json::Value>) -> R) -> R {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        act(all.entry(keeper.to_owned()).or_default())
    }
}

/// The notes of one duty, as they were read or written last.
pub(super) struct Notes<'a, T> {
    outside: &'a Outside,
    keeper: String,
    kept: BTreeMap<String, Kept<T>>,
    is_dry: bool,
}

impl<'a, T: Serialize + DeserializeOwned + Clone + PartialEq> Notes<'a, T> {
    /// Those of a dry pass are read and never written; whoever acts knows better than what it remembers itself.
    pub async fn read(outside: &'a Outside, duty: Duty, is_dry: bool) -> Result<Self, Fault> {
        // Names of projects hold no blanks: this is none of a bridge's.
        let keeper = format!("{} {duty}", outside.name);
        let mut kept: BTreeMap<String, Kept<T>> =
            outside.store.companion_notes(&keeper).await.map_err(|error| local(&error))?;
        if is_dry {
            for (subject, note) in outside.dry.of(&keeper, |notes| notes.clone()) {
                if let Ok(note) = serde_json::from_value(note) {
                    kept.entry(subject).or_insert_with(|| Kept::unwritten(note));
                }
            }
        }
        Ok(Self { outside, keeper, kept, is_dry })
    }

    pub fn get(&self, subject: &str) -> Option<&T> {
        self.kept.get(subject).map(|kept| &kept.note)
    }

    pub fn all(&self) -> Vec<(String, T)> {
        self.kept.iter().map(|(subject, kept)| (subject.clone(), kept.note.clone())).collect()
    }

    /// Writes a note down, or takes it away. False when another process did something with it since it was read.
    pub async fn put(&mut self, subject: &str, note: Option<T>, now: Timestamp) -> Result<bool, Fault> {
        Ok(self.put_all(vec![(subject.to_owned(), note)], now).await? == 0)
    }

    /// Writes down those that are new, and forgets those that are about nothing that is there; of what another process has written since,
    /// nothing.
    pub async fn settle(
        &mut self,
        notes: BTreeMap<String, T>,
        is_there: Option<&BTreeSet<String>>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let gone = self.kept.keys().filter(|subject| is_there.is_some_and(|there| !there.contains(*subject)));
        let mut changes: Vec<(String, Option<T>)> = gone.map(|subject| (subject.clone(), None)).collect();
        let is_new = |(subject, note): &(String, T)| self.get(subject) != Some(note);
        changes.extend(notes.into_iter().filter(is_new).map(|(subject, note)| (subject, Some(note))));
        self.put_all(changes, now).await.map(drop)
    }

    /// What a dry pass would write.
    fn remember(&mut self, changes: Vec<(String, Option<T>)>) {
        for (subject, note) in changes {
            let value = note.as_ref().and_then(|note| serde_json::to_value(note).ok());
            self.outside.dry.of(&self.keeper, |notes| match value {
                Some(value) => drop(notes.insert(subject.clone(), value)),
                None => drop(notes.remove(&subject)),
            });
            match note {
                Some(note) => drop(self.kept.insert(subject, Kept::unwritten(note))),
                None => drop(self.kept.remove(&subject)),
            }
        }
    }

    /// Tells how many were not written because somebody else was faster.
    async fn put_all(&mut self, changes: Vec<(String, Option<T>)>, now: Timestamp) -> Result<usize, Fault> {
        if self.is_dry {
            self.remember(changes);
            return Ok(0);
        }
        if changes.is_empty() {
            return Ok(0);
        }
        let swap = |(subject, after): &(String, Option<T>)| Swap {
            subject: subject.clone(),
            before: self.kept.get(subject).cloned(),
            after: after.clone(),
        };
        let swaps = changes.iter().map(swap).collect();
        let store = &self.outside.store;
        let ends = store.swap_companion_notes(&self.keeper, swaps, now).await.map_err(|error| local(&error))?;
        let mut lost = 0;
        for ((subject, _), end) in changes.into_iter().zip(ends) {
            match end {
                Some(Some(kept)) => drop(self.kept.insert(subject, kept)),
                Some(None) => drop(self.kept.remove(&subject)),
                None => lost += 1,
            }
        }
        Ok(lost)
    }
}
