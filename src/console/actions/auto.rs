//! Retries that nobody asks for: off unless the configuration names a class. They take the one road, with its guardrails, hold, undo and audit.
//!
//! The world picks, the store grants (it counts what was spent, also by other processes), then a plan is confirmed in the name of [`WHO`].

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::plan::{Object, Plan};
use crate::ci::{JobId, Status, Timestamp};
use crate::console::effect::{Effect, Fetch, Wish};
use crate::console::failures::Allowance;
use crate::console::messages::Level;
use crate::console::world::World;
use crate::taxonomy::Transient;

/// Who confirms such plans, in the audit.
pub const WHO: &str = "auto-retry";
/// Most jobs of one plan: as many as a trial has, so that a class that does not recover is seen early.
const MOST: usize = 10;
/// How often is looked.
const PERIOD: Duration = Duration::from_secs(10);
/// A job whose class has spent its limit is asked for again after this time.
const PATIENCE: Duration = Duration::from_secs(300);
/// What failed longer ago is left to people.
const FRESH: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);

/// What may be retried of one class.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AutoRetry {
    pub class: Arc<str>,
    /// Most tries of one job, the first among them.
    pub tries: u32,
    /// At most so many jobs in a stretch of time.
    pub limit: u64,
    pub per: Duration,
    /// At most so many jobs in a day.
    pub budget: u64,
}

/// What was asked for already.
#[derive(Debug, Default)]
pub struct Asked {
    /// Not before this moment again.
    jobs: BTreeMap<JobId, Timestamp>,
    looked: Option<Timestamp>,
}

impl World {
    /// Failed jobs of classes that may be retried: the store is asked first.
    pub(in crate::console) fn wish(&mut self, now: Timestamp) -> Vec<Effect> {
        let rules = Arc::clone(&self.rules);
        if rules.auto.is_empty() || rules.dry_run || self.read_only(now).is_some() {
            return Vec::new();
        }
        if self.asked.looked.is_some_and(|at| now.since(at) < PERIOD) {
            return Vec::new();
        }
        self.asked.looked = Some(now);
        // Whether new tries help is told by the store; without it nothing is retried.
        if self.history.value.is_none() {
            self.polling.want(Fetch::History);
            return Vec::new();
        }
        let server_now = self.server_time(now);
        let wishes: Vec<Wish> = self
            .failures
            .iter()
            .rev()
            .take_while(|failure| server_now.since(failure.at) < FRESH * 24)
            .filter(|failure| server_now.since(failure.at) < FRESH && failure.transient != Transient::No)
            .filter_map(|failure| {
                let auto = rules.auto.iter().find(|auto| auto.class == failure.class)?;
                self.is_due(failure.job, auto, now).then(|| Wish {
                    job: failure.job,
                    class: Arc::clone(&failure.class),
                    at: server_now,
                    allowances: [(auto.limit, auto.per), (auto.budget, DAY)].map(|(most, span)| Allowance {
                        since: server_now.shifted(-i64::try_from(span.as_millis()).unwrap_or(i64::MAX)),
                        of_class: most,
                        in_all: u64::MAX,
                    }),
                })
            })
            .take(MOST)
            .collect();
        for wish in &wishes {
            self.asked.jobs.insert(wish.job, now.plus(PATIENCE));
        }
        if wishes.is_empty() { Vec::new() } else { vec![Effect::AskRetries(wishes)] }
    }

    fn is_due(&self, id: JobId, auto: &AutoRetry, now: Timestamp) -> bool {
        let Some(job) = self.job(id) else { return false };
        job.status == Status::Failed
            && !job.retried
            && self.tries(job) < auto.tries
            && self.newer_pipeline(job.pipeline).is_none()
            && self.actions.pending_for(&Object::Job(id)).is_none()
            && self.asked.jobs.get(&id).is_none_or(|again| *again <= now)
    }

    /// The store has granted these. A plan that a person would have to confirm by typing is not sent.
    pub(in crate::console) fn granted(&mut self, jobs: &[JobId], now: Timestamp) -> Vec<Effect> {
        for job in jobs {
            // Each job has one turn; the store says so as well.
            self.asked.jobs.insert(*job, now.plus(DAY));
        }
        let plan = Plan::retry_group(self, jobs.iter().copied(), now);
        let why = match (&plan.refused, &plan.typed, plan.targets.len()) {
            (Some(refused), ..) => refused.clone(),
            (_, _, 0) => plan.skips.first().map_or("nothing is left", |skip| &skip.reason).to_owned(),
            (_, Some(_), _) => plan.notes.join("; "),
            _ => return vec![Effect::Confirm { plan: Arc::new(plan), who: WHO.into() }],
        };
        self.messages.say(Level::Info, format!("not retried without being asked: {why}"), now);
        Vec::new()
    }
}
