//! Reads what the bridge of the project wrote down, whichever process it runs in.

use super::Hands;
use crate::adapters::store::StoreError;
use crate::bridge::{Board, Subject};
use crate::ci::Timestamp;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::controller::loops::bridge::board_key;
use crate::forge::PrNumber;

/// Decisions of one pull request that are told.
const MOST: u32 = 50;

impl Hands {
    pub(super) async fn read_board(&self, known: Option<Timestamp>) -> Result<(), Fault> {
        let store = self.outside.store.as_ref().map_err(Clone::clone)?;
        let what = "read what the bridge wrote down";
        let text = store.get_meta(&board_key(&self.outside.project)).await.map_err(|error| local(what, &error))?;
        let board = text.map(|text| serde_json::from_str::<Board>(&text)).transpose();
        let board = board.map_err(|_| {
            Fault::new(
                FaultKind::Local,
                what,
                "another version of stackhand wrote it; it is written anew with its next pass",
            )
        })?;
        if board.as_ref().map(|board| board.at) != known || known.is_none() {
            self.say(Event::BoardKnown(board.map(Into::into))).await;
        }
        Ok(())
    }

    pub(super) async fn read_story(&self, pr: PrNumber) -> Result<(), Fault> {
        let store = self.outside.store.as_ref().map_err(Clone::clone)?;
        let decisions = store.decisions(&Subject::Pr(pr).to_string(), MOST).await;
        let decisions = decisions.map_err(|error| local("read what the bridge decided", &error))?;
        let ours = decisions.into_iter().filter(|(bridge, _)| **bridge == *self.outside.project);
        self.say(Event::StoryKnown { pr, decisions: ours.map(|(_, decided)| decided).collect() }).await;
        Ok(())
    }
}

fn local(what: &str, error: &StoreError) -> Fault {
    Fault::new(FaultKind::Local, what, error.to_string())
}
