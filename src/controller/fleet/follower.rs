//! How a follower speaks: what it read, and how it fares.

use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::mpsc;

use super::Unheard;
use crate::adapters::clock::Clock;
use crate::console::fault::Fault;
use crate::console::fleet::{News, Phase, Source, SourceState};

/// The voice of one source. Clones speak for the same source and know the same.
#[derive(Clone)]
pub(super) struct Teller {
    source: Source,
    out: mpsc::Sender<News>,
    clock: Arc<dyn Clock>,
    state: Arc<Mutex<SourceState>>,
}

impl Teller {
    pub fn new(source: Source, out: mpsc::Sender<News>, clock: Arc<dyn Clock>) -> Self {
        Self { source, out, clock, state: Arc::default() }
    }

    pub const fn source(&self) -> Source {
        self.source
    }

    pub async fn say(&self, news: News) -> Result<(), Unheard> {
        self.out.send(news).await.map_err(|_| Unheard)
    }

    /// The last answer was good.
    pub async fn good(&self) -> Result<(), Unheard> {
        let now = self.clock.now();
        self.fares(|state| {
            (state.phase, state.heard, state.fault) = (Phase::Live, Some(now), None);
        })
        .await
    }

    /// It was not; what was known before stays, with its age.
    pub async fn bad(&self, phase: Phase, fault: Fault) -> Result<(), Unheard> {
        self.fares(|state| (state.phase, state.fault) = (phase, Some(fault))).await
    }

    /// The follower itself failed.
    pub async fn failed(&self, fault: Fault) -> Result<(), Unheard> {
        self.bad(Phase::Stale, fault).await
    }

    /// Changes how it fares, and tells.
    pub async fn fares(&self, change: impl FnOnce(&mut SourceState)) -> Result<(), Unheard> {
        let state = {
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut state);
            state.clone()
        };
        self.say(News::Seen { source: self.source, state }).await
    }
}
