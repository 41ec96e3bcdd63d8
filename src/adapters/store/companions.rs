//! What the companions of bridges remember from pass to pass: what was asked for, how often, and what is still owed.
//!
//! Their notes lie beside those of the bridges, under a name of their own. A note is put in the place of the one that was read, or not at
//! all: of two processes that want to do the same, one writes it down first, and only that one does it.

use std::collections::BTreeMap;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::sql::{query, query_as};
use super::{Store, StoreError, StoreFault};
use crate::ci::Timestamp;

/// A note, with the text that it was read from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept<T> {
    pub note: T,
    text: String,
}

impl<T> Kept<T> {
    /// A note that is nowhere in the store.
    pub fn unwritten(note: T) -> Self {
        Self { note, text: String::new() }
    }
}

/// A note that takes the place of another.
#[derive(Debug)]
pub struct Swap<T> {
    pub subject: String,
    /// What was read; `None` where there was nothing.
    pub before: Option<Kept<T>>,
    /// `None` takes it away.
    pub after: Option<T>,
}

impl Store {
    /// The notes of a keeper, by subject. One that cannot be read fails everything: what was done before has to be known.
    pub async fn companion_notes<T: DeserializeOwned>(
        &self,
        keeper: &str,
    ) -> Result<BTreeMap<String, Kept<T>>, StoreError> {
        let rows: Vec<(String, String)> = query_as("SELECT subject, body FROM bridge_notes WHERE bridge = ?")
            .bind(keeper)
            .fetch_all(&self.db)
            .await
            .map_err(|error| self.failed(error))?;
        let mut notes = BTreeMap::new();
        for (subject, text) in rows {
            let note = serde_json::from_str(&text).map_err(|error| self.failed(StoreFault::garbled(error)))?;
            notes.insert(subject, Kept { note, text });
        }
        Ok(notes)
    }

    /// Puts each note in the place of the one that was read, or takes that away. Tells of each what is there now; `None` where somebody else
    /// was faster, and nothing was changed.
    pub async fn swap_companion_notes<T: Serialize>(
        &self,
        keeper: &str,
        swaps: Vec<Swap<T>>,
        now: Timestamp,
    ) -> Result<Vec<Option<Option<Kept<T>>>>, StoreError> {
        let write = async {
            let mut transaction = self.begin_as_leader().await?;
            let mut ends = Vec::with_capacity(swaps.len());
            for Swap { subject, before, after } in swaps {
                let after = after.map(Kept::of).transpose()?;
                let query = match (&before, &after) {
                    (None, None) => {
                        ends.push(Some(None));
                        continue;
                    }
                    (None, Some(after)) => query(
                        "INSERT INTO bridge_notes (bridge, subject, at, body) VALUES (?, ?, ?, ?) \
                         ON CONFLICT (bridge, subject) DO NOTHING",
                    )
                    .bind(keeper)
                    .bind(&subject)
                    .bind(now.millis())
                    .bind(&after.text),
                    (Some(before), Some(after)) => {
                        query("UPDATE bridge_notes SET at = ?, body = ? WHERE bridge = ? AND subject = ? AND body = ?")
                            .bind(now.millis())
                            .bind(&after.text)
                            .bind(keeper)
                            .bind(&subject)
                            .bind(&before.text)
                    }
                    (Some(before), None) => {
                        query("DELETE FROM bridge_notes WHERE bridge = ? AND subject = ? AND body = ?")
                            .bind(keeper)
                            .bind(&subject)
                            .bind(&before.text)
                    }
                };
                let changed = query.execute(&mut transaction).await?;
                ends.push((changed == 1).then_some(after));
            }
            transaction.commit().await?;
            Ok(ends)
        };
        write.await.map_err(|error| self.failed(error))
    }
}

impl<T: Serialize> Kept<T> {
    fn of(note: T) -> Result<Self, StoreFault> {
        let text = serde_json::to_string(&note).map_err(StoreFault::unwritable)?;
        Ok(Self { note, text })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::tests::{Ground, on_both};

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);

    async fn of_two_who_write_the_same_note_one_is_told_that_the_other_was_faster(ground: &Ground) {
        let store = ground.store().await;
        let swap = async |before: Option<&Kept<u32>>, after: Option<u32>| {
            let swap = Swap { subject: "pr1_x".to_owned(), before: before.cloned(), after };
            store.swap_companion_notes("p skipped", vec![swap], NOW).await.unwrap().pop().unwrap()
        };
        let first = swap(None, Some(1)).await.unwrap().unwrap();
        assert_eq!(swap(None, Some(1)).await, None);
        let second = swap(Some(&first), Some(2)).await.unwrap().unwrap();
        assert_eq!(swap(Some(&first), Some(2)).await, None);
        assert_eq!(swap(Some(&first), None).await, None);
        let read = store.companion_notes::<u32>("p skipped").await.unwrap();
        assert_eq!(read.get("pr1_x"), Some(&second));
        assert_eq!(store.companion_notes::<u32>("p").await.unwrap().len(), 0);
        assert_eq!(swap(Some(&second), None).await, Some(None));
        assert_eq!(swap(None, None).await, Some(None));
        assert!(store.companion_notes::<u32>("p skipped").await.unwrap().is_empty());
    }

    async fn a_note_that_cannot_be_read_is_an_error_and_not_forgotten(ground: &Ground) {
        let store = ground.store().await;
        let swap = Swap { subject: "1".to_owned(), before: None, after: Some("no number".to_owned()) };
        store.swap_companion_notes("p stuck", vec![swap], NOW).await.unwrap();
        assert!(store.companion_notes::<u32>("p stuck").await.is_err());
    }

    on_both! {
        of_two_who_write_the_same_note_one_is_told_that_the_other_was_faster
        a_note_that_cannot_be_read_is_an_error_and_not_forgotten
    }
}
