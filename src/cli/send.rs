//! Sends a plan: confirms it, waits through the hold and the waves, and tells what became of each target.
//!
//! The core does the sending; this is the face that watches. An interrupt during the hold undoes the plan with nothing sent.

use std::sync::Arc;

use serde_json::{Value, json};

use super::act::word;
use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::out::{self, Out};
use super::session::{Replica, Session, Step, Turn};
use crate::console::actions::{Object, Outcome, Plan, PlanId, Run};
use crate::console::audit::AuditState;
use crate::console::event::Intent;
use crate::console::messages::Level;

/// Sends a plan and prints its outcomes.
pub async fn run(setup: &Setup, mut session: Session, plan: Arc<Plan>, as_json: bool) -> Result<Exit, Failure> {
    let ended = follow(setup, &mut session, &plan).await;
    let printed = match ended {
        Ok(()) => report(setup, &session.replica, &plan, as_json),
        Err(failure) => Err(failure),
    };
    session.close().await;
    printed
}

async fn follow(setup: &Setup, session: &mut Session, plan: &Arc<Plan>) -> Result<(), Failure> {
    let id = &plan.id;
    session.tell(Intent::Confirm { plan: Arc::clone(plan), who: Arc::clone(&setup.who) }).await?;
    session.settle(None, |replica| if replica.has_confirmed(id) { Step::Done } else { Step::Wait }).await?;
    if !is_held(&session.replica, id) {
        return Err(Failure::refused(last_error(&session.replica)));
    }
    let hold = setup.rules.hold;
    if !hold.is_zero() {
        setup.out.note(&format!("{} held for {}s; interrupt to undo", plan.summary(), hold.as_secs()));
    }
    let mut waits_on = false;
    loop {
        match session.next(None).await? {
            Turn::Event(stamped) => session.replica.take(*stamped),
            Turn::Stopped if is_held(&session.replica, id) => return undo(setup, session, id).await,
            Turn::Stopped if waits_on => return Err(Failure::interrupted()),
            Turn::Stopped | Turn::Late => {
                waits_on = true;
                setup.out.note("it is being sent; waiting for the answers, interrupt again to leave without them");
            }
        }
        let actions = &session.replica.world.actions;
        let is_on_road = is_held(&session.replica, id) || actions.running().any(|run| run.plan.id == *id);
        if is_on_road {
            continue;
        }
        if actions.done().any(|run| run.plan.id == *id) {
            break;
        }
        // It left the road unsent: its audit row could not be written.
        return Err(Failure::new(Exit::Failed, last_error(&session.replica)));
    }
    recorded(session, id, &[AuditState::Done, AuditState::Skipped, AuditState::Failed]).await
}

async fn undo(setup: &Setup, session: &mut Session, id: &PlanId) -> Result<(), Failure> {
    session.tell(Intent::Undo { plan: id.clone(), who: Arc::clone(&setup.who) }).await?;
    session.settle(None, |replica| if is_held(replica, id) { Step::Wait } else { Step::Done }).await?;
    recorded(session, id, &[AuditState::Undone, AuditState::Sent]).await?;
    let is_sent = session.replica.world.actions.running().any(|run| run.plan.id == *id);
    let message =
        if is_sent { "interrupted while it was being sent; see the audit" } else { "undone; nothing was sent" };
    Err(Failure::new(Exit::Interrupted, message))
}

/// Waits until the last row about a plan is on disk.
async fn recorded(session: &mut Session, id: &PlanId, states: &[AuditState]) -> Result<(), Failure> {
    let is_there = |replica: &Replica| {
        let audit = &replica.world.audit;
        audit.error.is_some() || audit.value.iter().any(|row| row.plan == *id && states.contains(&row.state))
    };
    session.settle(Some(PATIENCE), |replica| if is_there(replica) { Step::Done } else { Step::Wait }).await?;
    Ok(())
}

/// How long a row may take to reach the disk.
const PATIENCE: std::time::Duration = std::time::Duration::from_secs(10);

fn is_held(replica: &Replica, id: &PlanId) -> bool {
    replica.world.actions.held().iter().any(|held| held.plan.id == *id)
}

fn last_error(replica: &Replica) -> String {
    let mut messages = replica.world.messages.iter();
    messages
        .find(|message| message.level == Level::Error)
        .map_or_else(|| "nothing was sent".to_owned(), |m| m.text.clone())
}

fn report(setup: &Setup, replica: &Replica, plan: &Plan, as_json: bool) -> Result<Exit, Failure> {
    let Some(run) = replica.world.actions.done().find(|run| run.plan.id == plan.id) else {
        return Err(Failure::new(Exit::Failed, "what became of the plan is not known; see the audit"));
    };
    let [done, skipped, failed, uncertain] = run.tally();
    if as_json {
        out::json(&json!({
            "version": format!("stackhand.{}/1", word(plan.verb)),
            "project": plan.project,
            "plan": plan.id,
            "who": run.who,
            "tally": { "done": done, "skipped": skipped, "failed": failed, "uncertain": uncertain },
            "outcomes": outcomes(run).map(|(name, object, outcome)| describe(name, object, outcome)).collect::<Vec<_>>(),
            "skips": plan.skips,
        }))?;
    } else {
        tell(setup.out, run)?;
        setup.out.line(&format!("{}: {}", plan.summary(), run.report()))?;
    }
    Ok(match (skipped, failed + uncertain) {
        (_, 1..) => Exit::Failed,
        (1.., 0) => Exit::Changed,
        (0, 0) => Exit::Ok,
    })
}

fn outcomes(run: &Run) -> impl Iterator<Item = (&str, &Object, &Outcome)> {
    run.plan
        .targets
        .iter()
        .filter_map(|target| Some((&*target.name, &target.object, run.outcomes.get(&target.object)?)))
}

fn describe(name: &str, object: &Object, outcome: &Outcome) -> Value {
    let (new_job, reason) = match outcome {
        Outcome::Done { new_job } => (*new_job, None),
        Outcome::Skipped { reason } | Outcome::Failed { reason } | Outcome::Uncertain { reason } => {
            (None, Some(reason))
        }
    };
    json!({ "object": object, "name": name, "outcome": outcome.word(), "new_job": new_job, "reason": reason })
}

fn tell(out: Out, run: &Run) -> Result<(), Failure> {
    for (name, object, outcome) in outcomes(run) {
        let then = match outcome {
            Outcome::Done { new_job: Some(new) } => format!(" → job {new}"),
            Outcome::Done { new_job: None } => String::new(),
            Outcome::Skipped { reason } | Outcome::Failed { reason } | Outcome::Uncertain { reason } => {
                format!(": {reason}")
            }
        };
        out.line(&format!("{:<9}  {object} {name}{then}", outcome.word()))?;
    }
    Ok(())
}
