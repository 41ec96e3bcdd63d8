//! What the store holds of earlier passes.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use super::push::Pushed;
use super::{Outside, local};
use crate::adapters::store::BridgeMemory;
use crate::bridge::{
    Board, Budget, Note, PassInput, PassOutput, PrDecision, PushRecord, RefKind, Resync, Subject, Trouble, Watermark,
};
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{PrNumber, Sha};

/// What a pass recalls, and what of it changed.
pub(super) struct Memory {
    pub kept: BridgeMemory,
    pub watermark: Option<Watermark>,
    /// What somebody wants pushed again.
    pub resyncs: Vec<Resync>,
    /// As it is in the store.
    stored: BTreeMap<String, Note>,
}

impl Memory {
    pub async fn read(outside: &Outside) -> Result<Self, Fault> {
        let kept = outside.store.bridge_memory(&outside.name).await.map_err(|error| local(&error))?;
        let mark = outside.store.get_meta(&mark_key(outside)).await.map_err(|error| local(&error))?;
        let watermark = mark.and_then(|text| text.parse().ok()).map(|ms| Watermark(Timestamp::from_millis(ms)));
        let resyncs = outside.store.resyncs(&outside.name).await.map_err(|error| local(&error))?;
        let stored = kept.notes.clone();
        Ok(Self { kept, watermark, resyncs, stored })
    }

    pub fn note_of(&self, subject: &Subject) -> Note {
        self.kept.notes.get(&subject.to_string()).cloned().unwrap_or_default()
    }

    /// Pushes by their commits on GitLab.
    pub fn pushes(&self) -> HashMap<&Sha, &PushRecord> {
        self.kept.pushes.iter().map(|push| (&push.commit, push)).collect()
    }

    /// Remembers what was found out, and forgets what is about nothing that is there, where everything that is there was listed.
    pub async fn note(&mut self, outside: &Outside, input: &PassInput, is_listed: bool) -> Result<(), Fault> {
        let prs = input.prs.iter().map(|one| (Subject::Pr(one.pr.number).to_string(), Note::of(one)));
        let of_ref = |kind, name: &std::sync::Arc<str>, trouble: &Option<Trouble>| {
            (Subject::Ref(kind, name.clone()).to_string(), Note { trouble: trouble.clone(), ..Note::default() })
        };
        let branches = input.branches.iter().map(|one| of_ref(RefKind::Branch, &one.name, &one.trouble));
        let tags = input.tags.iter().map(|one| of_ref(RefKind::Tag, &one.name, &one.trouble));
        let mut notes = if is_listed { BTreeMap::new() } else { self.stored.clone() };
        notes.extend(prs.chain(branches).chain(tags).filter(|(_, note)| !note.is_empty()));
        self.put(outside, notes, input.now).await
    }

    /// Forgets what was asked for and done. What is left comes back.
    pub async fn settle_resyncs(
        self,
        outside: &Outside,
        output: &PassOutput,
        pushed: &Pushed,
        is_listed: bool,
    ) -> Result<Vec<Resync>, Fault> {
        /// Whoever asked has looked elsewhere by then.
        const LONG: Duration = Duration::from_hours(24);
        let decided: HashMap<PrNumber, &PrDecision> = output.prs.iter().map(|one| (one.pr, one)).collect();
        let settled = [&pushed.names[..], &pushed.refused[..]].concat();
        let is_done = |resync: &Resync| match decided.get(&resync.pr) {
            None if !is_listed => false,
            decided => resync.is_done(decided.copied(), &settled),
        };
        let is_old = |resync: &Resync| outside.clock.now().since(resync.at) > LONG;
        let (done, left): (Vec<_>, Vec<_>) = self.resyncs.into_iter().partition(|one| is_done(one) || is_old(one));
        if !done.is_empty() {
            outside.store.forget_resyncs(&outside.name, &done).await.map_err(|error| local(&error))?;
        }
        Ok(left)
    }

    /// Remembers how something failed, or that it no longer does.
    pub async fn put_trouble(
        &mut self,
        outside: &Outside,
        subject: &Subject,
        trouble: Option<Trouble>,
        now: Timestamp,
    ) -> Result<(), Fault> {
        let mut notes = self.stored.clone();
        notes.entry(subject.to_string()).or_default().trouble = trouble;
        self.put(outside, notes, now).await
    }

    async fn put(&mut self, outside: &Outside, notes: BTreeMap<String, Note>, now: Timestamp) -> Result<(), Fault> {
        let nothing = Note::default();
        let gone =
            self.stored.keys().filter(|subject| !notes.contains_key(*subject)).map(|subject| (subject, &nothing));
        let changed = notes.iter().filter(|(subject, note)| self.stored.get(*subject) != Some(note)).chain(gone);
        let changed: Vec<(&String, &Note)> = changed.collect();
        if !changed.is_empty() {
            outside.store.put_notes(&outside.name, changed, now).await.map_err(|error| local(&error))?;
        }
        self.stored = notes;
        Ok(())
    }
}

pub(super) async fn put_watermark(outside: &Outside, mark: Option<Watermark>) -> Result<(), Fault> {
    let Some(Watermark(at)) = mark else { return Ok(()) };
    let text = at.millis().to_string();
    outside.store.put_meta_as_leader(&mark_key(outside), &text).await.map_err(|error| local(&error))
}

/// Writes down how everything stands after a pass, for people.
pub(super) async fn put_board(
    outside: &Outside,
    input: &PassInput,
    output: &PassOutput,
    is_whole: bool,
) -> Result<Board, Fault> {
    let key = board_key(&outside.name);
    let before = outside.store.get_meta(&key).await.map_err(|error| local(&error))?;
    // One of another version is made anew.
    let before: Option<Board> = before.as_deref().and_then(|text| serde_json::from_str(text).ok());
    let kept = outside.store.bridge_memory(&outside.name).await.map_err(|error| local(&error))?;
    let posted: Vec<_> = kept.statuses.iter().filter(|one| !one.is_uncertain).map(|one| &one.posted).collect();
    let board = Board::after(before.as_ref(), input, output, (&kept.pushes, &posted), is_whole);
    // A pass may write twice.
    let quotas = outside.github.quotas().into_iter().flatten();
    let quota = quotas.map(|quota| Budget { left: quota.remaining, of: quota.limit }).min_by_key(|quota| quota.left);
    let board = Board { at: outside.now(), quota, ..board };
    let text = serde_json::to_string(&board)
        .map_err(|error| Fault::new(FaultKind::Local, "write down the bridge's board", error.to_string()))?;
    outside.store.put_meta_as_leader(&key, &text).await.map_err(|error| local(&error))?;
    Ok(board)
}

/// Where the store has the board of a bridge.
pub fn board_key(bridge: &str) -> String {
    format!("bridge.board {bridge}")
}

fn mark_key(outside: &Outside) -> String {
    format!("bridge.watermark {}", outside.name)
}
