//! Retrying many jobs of one cause: only what a new try can help, a few of them first, and a stop when those fail again.

use serde::{Deserialize, Serialize};

use super::plan::{Object, Plan, Skip, Verb};
use crate::ci::{JobId, Status, Timestamp};
use crate::console::text::plural;
use crate::console::world::World;
use crate::taxonomy::Transient;

/// Fewer targets than this are sent without a trial.
const TRIAL: usize = 10;
/// With so many ends known, and fewer successes than this in a hundred, a class has a poor history.
const KNOWN_ENDS: u64 = 10;
const POOR: u8 = 10;

/// The first targets go alone; the others follow only when at most half of the new tries failed again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Trial {
    pub first: usize,
}

/// What is known of the new tries of a trial.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TrialState {
    /// Too few have ended.
    Open,
    Passed,
    /// So many of so many failed again.
    Failed {
        failed: usize,
        ended: usize,
    },
}

impl Plan {
    /// A plan to retry failures of one or more classes: what would fail in the same way is left out, many targets get a trial, and a class that
    /// retries rarely helped must be confirmed by typing.
    pub fn retry_group(world: &World, jobs: impl IntoIterator<Item = JobId>, now: Timestamp) -> Self {
        let lasting = |id: &JobId| world.failures.get(*id).is_some_and(|f| f.transient == Transient::No);
        let (lasting, wanted): (Vec<JobId>, Vec<JobId>) = jobs.into_iter().partition(lasting);
        let mut plan = Self::for_jobs(world, Verb::Retry, wanted, now);
        plan.skips.extend(lasting.into_iter().map(|id| {
            let class = world.failures.get(id).map_or("", |failure| &failure.class);
            Skip {
                object: Object::Job(id),
                name: world.job(id).map_or_else(|| "".into(), |job| job.name.clone()),
                reason: format!(
                    "a new try would fail the same way ({class}); name the job itself to retry it nevertheless"
                ),
            }
        }));
        if plan.targets.len() > TRIAL {
            plan.trial = Some(Trial { first: TRIAL });
            plan.notes.push(format!("the first {TRIAL} go alone; the rest only when at most half of them fail again"));
        }
        for (class, _) in plan.causes() {
            let retries = world.history.value.as_ref().and_then(|history| history.retries.get(&class).copied());
            let Some(retries) = retries.filter(|r| r.tried() >= KNOWN_ENDS) else { continue };
            if retries.ok_percent().is_some_and(|percent| percent < POOR) {
                plan.notes.push(format!(
                    "of {} of {class} in 7 days {} succeeded: look for its cause first",
                    plural(retries.tried(), "new try").replace("trys", "tries"),
                    retries.succeeded
                ));
                plan.typed.get_or_insert_with(|| format!("retry {} anyway", plan.targets.len()));
            }
        }
        plan
    }
}

impl World {
    /// What became of the jobs that a trial made.
    pub(in crate::console) fn trial(&self, made: &[JobId]) -> TrialState {
        let statuses: Vec<Status> = made.iter().filter_map(|id| self.job(*id)).map(|job| job.status).collect();
        let ended = statuses.iter().filter(|status| status.is_terminal()).count();
        let failed = statuses.iter().filter(|status| **status == Status::Failed).count();
        match made.len() {
            all if failed * 2 > all => TrialState::Failed { failed, ended },
            all if ended == all || (ended - failed) * 2 >= all => TrialState::Passed,
            _ => TrialState::Open,
        }
    }
}
