//! Does what the core asks of the outside, each request in a task of its own, and answers with events. Holds no facts and judges nothing.

mod act;
mod board;
mod caches;
mod fetch;
mod judge;

pub use board::recall_board;

use std::collections::{BTreeSet, HashMap};
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt as _;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, JoinSet};

use super::fleet::{self, FleetOutside};
use super::rulebook::Rulebook;
use super::signers::Signers;
use super::spill::Spill;
use super::supervisor::words;
use crate::adapters::clock::Clock;
use crate::adapters::gitlab::GitLab;
use crate::adapters::mirror::Reader;
use crate::adapters::store::Store;
use crate::cache::HealthRules;
use crate::ci::{JobId, Timestamp};
use crate::console::actions::{Object, Outcome, PlanId};
use crate::console::audit::AuditRow;
use crate::console::durations::Took;
use crate::console::effect::{Effect, Fetch, Order};
use crate::console::event::{Event, Intent};
use crate::console::fault::{Fault, FaultKind};
use crate::console::fleet::Source;
use crate::console::log::PageNo;
use crate::console::loops::{DAEMON_CHOOSES, LoopOrder};

/// Everything outside that the core may touch.
#[derive(Clone)]
pub struct Outside {
    /// Host and path: what is kept on disk is kept for this project.
    pub project: Arc<str>,
    pub gitlab: GitLab,
    /// `None`: it could not be opened, and the reason. Actions are refused then, because nothing may happen without its audit row.
    pub store: Result<Store, Fault>,
    pub spill: Spill,
    /// Reads binary caches.
    pub mirrors: Arc<Reader>,
    /// Whose signatures count.
    pub signers: Arc<Signers>,
    /// What the health of a cache is judged by.
    pub health: HealthLimits,
    /// How long failures are remembered.
    pub keep: Duration,
    /// The rules by which logs are judged.
    pub rules: Arc<Rulebook>,
    /// What tells of the fleet.
    pub fleet: FleetOutside,
    /// What starts and stops loops; `None`: whoever runs this core decided which run.
    pub desk: Option<mpsc::Sender<LoopOrder>>,
}

/// What the health of a binary cache is judged by.
#[derive(Debug, Clone, Copy)]
pub struct HealthLimits {
    /// The age from which an index is called old.
    pub index_age: Duration,
    /// How far clocks may differ.
    pub skew: Duration,
}

impl HealthLimits {
    /// The rules at a moment of our clock.
    pub const fn at(self, now: Timestamp) -> HealthRules {
        HealthRules { now, max_index_age: Some(self.index_age), max_skew: self.skew }
    }
}

/// For the rows of the audit that are still to be written at the end.
const LAST_WORDS: Duration = Duration::from_secs(3);

/// Audit rows read at the start; the store keeps all.
const AUDIT_ROWS: u32 = 500;

/// The executor.
pub struct Executor {
    hands: Hands,
    tasks: JoinSet<()>,
    /// One writer, so that the rows of a plan lie on disk in the order in which they happened.
    journal: mpsc::UnboundedSender<AuditRow>,
    writer: JoinHandle<()>,
}

/// What each task holds.
#[derive(Clone)]
struct Hands {
    outside: Outside,
    answers: mpsc::Sender<Event>,
    clock: Arc<dyn Clock>,
}

impl Hands {
    async fn switch_loop(&self, order: LoopOrder) {
        let (desk, name) = (self.outside.desk.as_ref(), Arc::clone(&order.name));
        let is_taken = match desk {
            Some(desk) => desk.send(order).await.is_ok(),
            None => false,
        };
        if !is_taken {
            self.say(Event::Said { error: true, text: format!("loop {name}: {DAEMON_CHOOSES}").into() }).await;
        }
    }
}

impl Executor {
    /// Makes an executor that answers into `answers`.
    pub fn new(outside: Outside, answers: mpsc::Sender<Event>, clock: Arc<dyn Clock>) -> Self {
        let hands = Hands { outside, answers, clock };
        // Unbounded, but each confirmed plan adds three rows at most.
        let (journal, mut rows) = mpsc::unbounded_channel();
        let pen = hands.clone();
        let writer = tokio::spawn(async move {
            while let Some(row) = rows.recv().await {
                pen.store_audit(row).await;
            }
        });
        Self { hands, tasks: JoinSet::new(), journal, writer }
    }

    /// Reads what is kept on disk, and what the token may do; follows those sources of the fleet.
    pub fn begin(&mut self, judges: bool, sources: &BTreeSet<Source>) {
        let Hands { outside, answers, clock } = &self.hands;
        fleet::start(&mut self.tasks, &outside.fleet, &outside.gitlab, sources, answers.clone(), clock);
        if judges {
            let rules = self.hands.clone();
            self.tasks.spawn(async move { rules.read_rules().await });
        }
        let (project, disk) = (self.hands.clone(), self.hands.clone());
        self.tasks.spawn(async move { project.read_access().await });
        self.tasks.spawn(async move { disk.recall().await });
    }

    /// Begins one effect.
    pub fn execute(&mut self, effect: Effect) {
        if let Effect::StoreAudit(row) = effect {
            // The writer lives as long as the executor.
            let _ = self.journal.send(row);
            return;
        }
        while self.tasks.try_join_next().is_some() {}
        let hands = self.hands.clone();
        let unanswered = unanswered(&effect);
        let work = async move {
            match effect {
                Effect::Fetch(order) => hands.fetch(order).await,
                Effect::Act { plan, who, verb, target } => hands.act(plan, who, verb, target).await,
                Effect::StoreDurations(rows) => hands.store_durations(rows).await,
                Effect::SaveRule(draft) => hands.save_rule(draft).await,
                Effect::ReadRules => hands.reread_rules().await,
                Effect::AskRetries(wishes) => hands.ask_retries(wishes).await,
                Effect::Confirm { plan, who } => {
                    hands.say(Event::Intended(Intent::Confirm { plan, who })).await;
                }
                Effect::StoreAck(ack) => hands.store_ack(&ack).await,
                Effect::StoreLaterTries(tries) => hands.store_later_tries(&tries).await,
                Effect::StorePipelineEnds(ends) => hands.store_pipeline_ends(&ends).await,
                Effect::ReadLogPage { job, page } => hands.read_log_page(job, page).await,
                Effect::SwitchLoop(order) => hands.switch_loop(order).await,
                Effect::StoreAudit(_) | Effect::Refresh(_) => {}
            }
        };
        let hands = self.hands.clone();
        self.tasks.spawn(async move {
            if let Err(panic) = AssertUnwindSafe(work).catch_unwind().await {
                hands.answer_for(unanswered, &words(&*panic)).await;
            }
        });
    }

    /// Lets the audit be written to its end, then cuts off what is in flight and removes the logs of this session.
    pub async fn end(mut self) {
        drop(self.journal);
        if tokio::time::timeout(LAST_WORDS, &mut self.writer).await.is_err() {
            tracing::error!("the audit was not written to its end: the store does not answer");
            self.writer.abort();
        }
        self.tasks.abort_all();
        if let Err(error) = self.hands.outside.spill.clear() {
            tracing::warn!(%error, "could not remove the logs of this session");
        }
    }
}

/// What waits for an answer while an effect is at work.
enum Unanswered {
    Reads(Vec<Fetch>),
    Act { plan: PlanId, object: Object },
    Nothing,
}

fn unanswered(effect: &Effect) -> Unanswered {
    match effect {
        Effect::Fetch(order) => Unanswered::Reads(order.fetches()),
        Effect::Act { plan, target, .. } => Unanswered::Act { plan: plan.clone(), object: target.object.clone() },
        _ => Unanswered::Nothing,
    }
}

impl Hands {
    /// Answers in the place of something that broke: what is never answered is in flight for ever.
    async fn answer_for(&self, unanswered: Unanswered, why: &str) {
        tracing::error!(%why, "a task of the core broke");
        let what = format!("it broke: {why}; report this as a bug");
        match unanswered {
            Unanswered::Reads(fetches) => {
                for fetch in fetches {
                    // Read again later, like a damaged answer, and held up by it is no other.
                    let result = Err(Fault::new(FaultKind::Garbled, format!("{fetch:?}"), what.clone()));
                    self.say(Event::Fetched { fetch, at: self.clock.now(), result }).await;
                }
            }
            Unanswered::Act { plan, object } => {
                let outcome = Outcome::Uncertain { reason: what };
                self.say(Event::TargetFinished { plan, object, outcome }).await;
            }
            Unanswered::Nothing => self.complain(what).await,
        }
    }

    async fn say(&self, event: Event) {
        // The dispatcher is gone only when the program ends; there is nobody left to tell.
        let _ = self.answers.send(event).await;
    }

    async fn read_access(&self) {
        if self.outside.gitlab.has_token() {
            // Only guardrails about roles need it, and they fail closed without it.
            if let Ok(project) = self.outside.gitlab.project().await
                && let Some(level) = project.access_level
            {
                self.say(Event::AccessKnown(level)).await;
            }
        }
    }

    /// Reads the rules before the first log is there to be judged.
    async fn read_rules(&self) {
        match self.outside.rules.get().await {
            Ok(rules) => self.say(Event::TaxonomyChanged(Arc::new(rules.rules().clone()))).await,
            Err(fault) => self.complain(fault.to_string()).await,
        }
    }

    async fn recall(&self) {
        match &self.outside.store {
            Ok(store) => {
                match store.median_durations().await {
                    Ok(medians) => self.say(Event::DurationsKnown(by_package(medians))).await,
                    Err(error) => self.complain(format!("durations not read: {error}")).await,
                }
                self.recall_failures(store).await;
                self.recall_caches(store).await;
                match store.list(AUDIT_ROWS, None).await {
                    Ok(rows) => self.say(Event::AuditListed(rows.into_iter().map(|(_, row)| row).collect())).await,
                    Err(error) => self.complain(format!("audit not read: {error}")).await,
                }
            }
            Err(fault) => {
                self.complain(format!("{fault}; actions are refused until it can be written")).await;
                self.say(Event::FailuresKnown(Vec::new())).await;
            }
        }
    }

    async fn complain(&self, text: String) {
        self.say(Event::Said { error: true, text: text.into() }).await;
    }

    async fn store_audit(&self, row: AuditRow) {
        let result = match &self.outside.store {
            Ok(store) => store
                .append(&row)
                .await
                .map(|_| ())
                .map_err(|e| Fault::new(FaultKind::Local, "write the audit", e.to_string())),
            Err(fault) => Err(fault.clone()),
        };
        self.say(Event::AuditStored { row, result }).await;
    }

    async fn store_durations(&self, rows: Vec<Took>) {
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.record_durations(&rows).await
        {
            tracing::warn!(%error, "durations not stored");
        }
    }

    async fn read_log_page(&self, job: JobId, page: PageNo) {
        let spill = self.outside.spill.clone();
        let read = tokio::task::spawn_blocking(move || spill.read(job, page.bytes())).await;
        match read {
            Ok(Ok(bytes)) => self.say(Event::LogPageRead { job, page, bytes: bytes.into() }).await,
            Ok(Err(error)) => self.complain(format!("log of job {job} not read back: {error}")).await,
            Err(_) => {}
        }
    }

    /// Runs an order and reports, for each fetch in it, how it ended.
    async fn fetch(&self, order: Order) {
        let at = self.clock.now();
        let results = self.read(&order, at).await;
        for (fetch, result) in results {
            self.say(Event::Fetched { fetch, at, result }).await;
        }
        let stats = self.outside.gitlab.stats();
        self.say(Event::ServerSeen {
            skew_ms: stats.skew_ms,
            requests: stats.requests,
            limited_until: stats.limited_until,
        })
        .await;
    }
}

/// A package takes about as long in every stack; its expectation is the mean of the stacks' medians.
fn by_package(medians: HashMap<(Arc<str>, Arc<str>), Duration>) -> Vec<(Arc<str>, Duration)> {
    let mut sums: HashMap<Arc<str>, (Duration, u32)> = HashMap::new();
    for ((package, _), median) in medians {
        let (sum, stacks) = sums.entry(package).or_default();
        *sum += median;
        *stacks += 1;
    }
    sums.into_iter().map(|(package, (sum, stacks))| (package, sum / stacks.max(1))).collect()
}
