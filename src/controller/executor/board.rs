//! Reads what the bridge of the project wrote down, whichever process it runs in.

use std::sync::Arc;

use super::Hands;
use crate::adapters::store::{Store, StoreError};
use crate::bridge::{Board, Resync, Subject};
use crate::ci::Timestamp;
use crate::console::actions::{Outcome, Target};
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::controller::loops::bridge::board_key;
use crate::forge::PrNumber;

/// Decisions of one pull request that are told.
const MOST: u32 = 50;

impl Hands {
    pub(super) async fn read_board(&self, known: Option<Timestamp>) -> Result<(), Fault> {
        let store = self.outside.store.as_ref().map_err(Clone::clone)?;
        let board = recall_board(store, &self.outside.project).await?;
        if board.as_ref().map(|board| board.at) != known || known.is_none() {
            self.say(Event::BoardKnown(board.map(Into::into))).await;
        }
        Ok(())
    }

    /// Has the bridge take up a pull request anew, wherever it runs: it looks for such wishes in the store. What it then does is judged by what it finds.
    pub(super) async fn resync(&self, number: PrNumber, target: &Target, who: &Arc<str>) -> Outcome {
        let failed = |fault: Fault| Outcome::Failed { reason: format!("not asked for: {fault}") };
        let store = match self.outside.store.as_ref() {
            Ok(store) => store,
            Err(fault) => return failed(fault.clone()),
        };
        let board = match recall_board(store, &self.outside.project).await {
            Ok(board) => board,
            Err(fault) => return failed(fault),
        };
        let Some(row) = board.as_ref().and_then(|board| board.row(number)) else {
            return Outcome::Skipped { reason: "changed under you: it is not open any more".to_owned() };
        };
        if row.head.as_str() != &*target.status {
            let reason = format!("changed under you: its head is {} now", row.head.short());
            return Outcome::Skipped { reason };
        }
        let resync = Resync { pr: number, head: row.head.clone(), who: Arc::clone(who), at: self.clock.now() };
        match store.put_resync(&self.outside.project, &resync).await {
            Ok(()) => Outcome::Done { new_job: None },
            Err(error) => failed(local("write down what the bridge is asked for", &error)),
        }
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

/// What the bridge of a project wrote down with its last pass; `None`: none has.
pub async fn recall_board(store: &Store, project: &str) -> Result<Option<Board>, Fault> {
    let what = "read what the bridge wrote down";
    let text = store.get_meta(&board_key(project)).await.map_err(|error| local(what, &error))?;
    let board = text.map(|text| serde_json::from_str::<Board>(&text)).transpose();
    board.map_err(|_| {
        let why = "another version of stackhand wrote it; it is written anew with its next pass";
        Fault::new(FaultKind::Local, what, why)
    })
}

fn local(what: &str, error: &StoreError) -> Fault {
    Fault::new(FaultKind::Local, what, error.to_string())
}
