//! Pipelines that are no longer as they were, for whoever shows them. Kept in memory only: a screen that missed one reads it again in its turn.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::Notify;

use crate::ci::PipelineId;
use crate::console::event::Intent;

/// Beyond so many it is simpler to read everything.
const MOST: usize = 64;

#[derive(Default)]
struct Changed {
    pipelines: Mutex<BTreeSet<PipelineId>>,
    bell: Notify,
}

/// Where changes are noted.
#[derive(Clone)]
pub(super) struct Noted(Arc<Changed>);

/// What changed. Several deliveries about one pipeline are one change.
pub(super) struct Changes(Arc<Changed>);

pub(super) fn channel() -> (Noted, Changes) {
    let shared = Arc::new(Changed::default());
    (Noted(Arc::clone(&shared)), Changes(shared))
}

impl Noted {
    pub fn add(&self, pipelines: impl IntoIterator<Item = PipelineId>) {
        let mut known = self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner);
        for pipeline in pipelines {
            // One too many says that there are too many.
            if known.len() <= MOST {
                known.insert(pipeline);
            }
        }
        if !known.is_empty() {
            self.0.bell.notify_one();
        }
    }
}

impl Changes {
    /// Waits until something changed, and tells the core. Whoever calls this decides how often: what changes meanwhile is added up.
    pub async fn next(&self) -> Vec<Intent> {
        loop {
            let changed = std::mem::take(&mut *self.0.pipelines.lock().unwrap_or_else(PoisonError::into_inner));
            match changed.len() {
                0 => self.0.bell.notified().await,
                1..=MOST => return changed.into_iter().map(|id| Intent::Hint(Some(id))).collect(),
                _ => return vec![Intent::Hint(None)],
            }
        }
    }
}
