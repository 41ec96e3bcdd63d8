//! Pushes what was decided, a few refs at a time, after one more look at each pull request.

use std::collections::HashMap;

use super::memory::Memory;
use super::report::name_of;
use super::{Outside, local};
use crate::adapters::git::mirror::{Landed, MirrorError, Wanted};
use crate::bridge::{
    PassInput, PassOutput, PrDecision, PrInput, PushBatch, PushRecord, RefKind, RefUpdate, Subject, Trouble,
};
use crate::console::fault::Fault;
use crate::forge::{BranchName, Sha};

/// What arrived, and what GitLab refused. Of the rest nothing is known, or it was not its turn before a stop.
#[derive(Default)]
pub(super) struct Pushed {
    pub names: Vec<String>,
    pub refused: Vec<String>,
}

/// Pushes everything, and tells what arrived. What is refused is left alone for a while; the rest goes on.
pub(super) async fn push(
    outside: &Outside,
    memory: &mut Memory,
    input: &PassInput,
    output: &PassOutput,
    troubles: &mut Vec<String>,
    is_asked_to_stop: &(dyn Fn() -> bool + Sync),
) -> Result<Pushed, Fault> {
    let decisions: HashMap<(RefKind, &BranchName), &PrDecision> =
        output.prs.iter().filter_map(|one| Some((key(one.update.as_ref()?), one))).collect();
    let mut unhad = bring(outside, output).await;
    let mut pushed = Pushed::default();
    for batch in &output.pushes {
        if is_asked_to_stop() {
            break;
        }
        let (mut refs, mut landings) = (Vec::new(), Vec::new());
        for update in &batch.refs {
            match (decisions.get(&key(update)), unhad.remove(&update.full_name())) {
                (Some(decision), _) if !is_still_so(outside, decision, troubles).await => {}
                (_, Some(error)) => landings.push((update.clone(), Landed::Failed(error))),
                _ => refs.push(update.clone()),
            }
        }
        if !refs.is_empty() {
            outside.store.check_lead().await.map_err(|error| local(&error))?;
            landings.extend(outside.mirror.push(&PushBatch { refs }).await);
        }
        for (update, landed) in landings {
            let now = outside.now();
            let decision = decisions.get(&key(&update)).copied();
            let subject = match decision {
                Some(decision) => Subject::Pr(decision.pr),
                None => Subject::Ref(update.kind, update.name.as_str().into()),
            };
            let before = memory.note_of(&subject).trouble;
            let about = decision.map_or(&update.commit, |decision| &decision.head);
            let why = match landed {
                Landed::Accepted | Landed::There => {
                    if let Some(record) = decision.and_then(|decision| record(input, decision, &update, now)) {
                        outside.store.put_push(&outside.name, &record).await.map_err(|error| local(&error))?;
                    }
                    if before.is_some() {
                        memory.put_trouble(outside, &subject, None, now).await?;
                    }
                    pushed.names.push(name_of(&update));
                    continue;
                }
                Landed::Refused(_, why) => {
                    pushed.refused.push(name_of(&update));
                    why
                }
                Landed::Failed(error) => error.to_string(),
            };
            troubles.push(format!("{}: {why}", update.full_name()));
            let trouble = Trouble::again(before.as_ref(), about, &why, now);
            memory.put_trouble(outside, &subject, Some(trouble), now).await?;
        }
    }
    Ok(pushed)
}

/// Brings branches and tags that are to be pushed and are not here. Those that cannot be had, by their full names.
async fn bring(outside: &Outside, output: &PassOutput) -> HashMap<String, MirrorError> {
    let updates: Vec<&RefUpdate> =
        output.branches.iter().chain(&output.tags).filter_map(|one| one.update.as_ref()).collect();
    let commits: Vec<&Sha> = updates.iter().map(|update| &update.commit).collect();
    let lacking = async || outside.mirror.lacking(&commits).await.unwrap_or_else(|_| commits.clone());
    let lost = lacking().await;
    let wanted = |update: &&RefUpdate| match update.kind {
        RefKind::Branch => Wanted::Branch(update.name.clone()),
        RefKind::Tag => Wanted::Tag(update.name.clone()),
    };
    let missing: Vec<Wanted> = updates.iter().filter(|update| lost.contains(&&update.commit)).map(wanted).collect();
    if missing.is_empty() {
        return HashMap::new();
    }
    let mut fetched: HashMap<Wanted, Result<Sha, MirrorError>> =
        outside.mirror.fetch(missing).await.into_iter().collect();
    // A ref that was moved since it was listed may have brought something else.
    let still = lacking().await;
    let unhad = updates.iter().filter(|update| still.contains(&&update.commit)).map(|update| {
        let error = fetched.remove(&wanted(update)).and_then(Result::err);
        (update.full_name(), error.unwrap_or_else(|| MirrorError::Missing(update.commit.clone())))
    });
    unhad.collect()
}

const fn key(update: &RefUpdate) -> (RefKind, &BranchName) {
    (update.kind, &update.name)
}

/// Whether the pull request is as it was decided about. What cannot be read is not pushed.
async fn is_still_so(outside: &Outside, decision: &PrDecision, troubles: &mut Vec<String>) -> bool {
    let changed = match outside.github.pr(decision.pr).await {
        Ok(pr) => match decision.still(&pr, &outside.rules) {
            Ok(()) => return true,
            Err(reason) => format!("pull request {} is not pushed: {reason}", decision.pr),
        },
        Err(fault) => fault.to_string(),
    };
    troubles.push(changed);
    false
}

fn record(
    input: &PassInput,
    decision: &PrDecision,
    update: &RefUpdate,
    at: crate::ci::Timestamp,
) -> Option<PushRecord> {
    let known: &PrInput = input.prs.iter().find(|one| one.pr.number == decision.pr && one.pr.head == decision.head)?;
    let merge = known.merge.found().filter(|merge| merge.commit.as_ref() == Some(&update.commit));
    let test = known.test_merge.found().filter(|merge| merge.fetched == update.commit);
    let onto = merge.map(|merge| &merge.onto).or(test.map(|merge| &merge.onto))?;
    Some(PushRecord {
        pr: decision.pr,
        head: decision.head.clone(),
        base_ref: decision.base_ref.clone(),
        onto: onto.clone(),
        commit: update.commit.clone(),
        at,
    })
}
