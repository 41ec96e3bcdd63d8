//! What is read when: the schedule of all reads, as a pure function of what is known and what is on the screen.
//!
//! Never-read before re-read, visible before the rest, failures back off. The executor's rate budget is the brake below this; here only the
//! number of orders in flight is bounded.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::caches::RootId;
use super::effect::{Effect, Fetch, Focus, Order};
use super::fault::{Fault, FaultKind};
use super::fresh::Completeness;
use super::world::{Needs, PipelineFacts, World};
use crate::ci::{JobId, PipelineId, Status, Timestamp, stack_of};
use crate::spack::Hash;
use crate::taxonomy::{Failure, JobFacts};

/// How often things are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Periods {
    pub list: Duration,
    /// What is on the screen.
    pub visible: Duration,
    pub background: Duration,
}

impl Default for Periods {
    fn default() -> Self {
        Self { list: Duration::from_secs(30), visible: Duration::from_secs(10), background: Duration::from_secs(60) }
    }
}

/// Settings of the schedule.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PollRules {
    pub periods: Periods,
    /// Orders in flight at once.
    pub slots: usize,
    /// How many of the newest parent pipelines are followed.
    pub followed: usize,
    /// Only pipelines of these refs are followed, `*` standing for anything; all when it is empty.
    pub refs: Arc<[Arc<str>]>,
    /// A token is there: GraphQL batches, project-wide lists.
    pub token: bool,
    /// How often mirrors of binary caches are listed; `None`: only when somebody asks.
    pub caches: Option<Duration>,
    /// Orders in flight at once while attached consoles look, where those are more than without them.
    pub watched_slots: usize,
    /// Logs of failed jobs that are read at once, to be judged; none: causes are what GitLab says and what the store remembers.
    pub verdicts: usize,
}

impl PollRules {
    /// Whether pipelines of this ref are followed.
    pub fn follows(&self, git_ref: &str) -> bool {
        self.refs.is_empty() || self.refs.iter().any(|pattern| fits(pattern, git_ref))
    }
}

/// Whether a text is what a pattern says; `*` stands for any text, also none.
fn fits(pattern: &str, text: &str) -> bool {
    let Some((head, tail)) = pattern.split_once('*') else { return pattern == text };
    let Some(rest) = text.strip_prefix(head) else { return false };
    rest.char_indices().map(|(i, _)| i).chain([rest.len()]).any(|i| rest.get(i..).is_some_and(|rest| fits(tail, rest)))
}

impl Default for PollRules {
    fn default() -> Self {
        Self {
            periods: Periods::default(),
            slots: 4,
            followed: 20,
            refs: Arc::new([]),
            token: false,
            caches: None,
            watched_slots: 0,
            verdicts: 0,
        }
    }
}

/// Children per GraphQL order.
const BATCH: usize = 8;
/// Failed jobs that are looked at for the next log to judge; others wait until these are through or were put off.
const LOOKED_AT: usize = 64;
/// How long no log is read to be judged after one was refused.
const VERDICTS_PAUSE: Duration = Duration::from_mins(10);
/// From one read to the next, however often a webhook says that something has changed.
const HINTED: Duration = Duration::from_secs(5);
const BACKOFF_FIRST: Duration = Duration::from_secs(2);
const BACKOFF_MOST: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
struct Turn {
    /// The number of the order that is on its way.
    in_flight: Option<u64>,
    /// When the last good read began, and the pipeline's status at that moment.
    read_at: Option<Timestamp>,
    status_then: Option<Status>,
    status_now: Option<Status>,
    failures: u32,
    not_before: Option<Timestamp>,
    /// Somebody asked for it.
    wanted: bool,
    /// Something has changed, by the word of a webhook.
    hinted: bool,
}

/// The schedule's memory.
#[derive(Debug, Clone, Default)]
pub struct Polling {
    pub rules: PollRules,
    pub focus: Focus,
    /// What attached consoles look at.
    pub watched: Arc<[Focus]>,
    turns: BTreeMap<Fetch, Turn>,
    orders_made: u64,
    /// No log is judged before: it was refused, and the next one would be, too.
    verdicts_not_before: Option<Timestamp>,
    /// Logs that a face wants from their beginning.
    replays: BTreeSet<JobId>,
}

/// Lower goes first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Urgency {
    Asked,
    First,
    FirstVisible,
    FirstJobs,
    Visible,
    FirstNeeds,
    Again,
    /// Logs to be judged: whatever else is due goes first.
    Verdict,
}

impl Polling {
    /// A schedule in which nothing has been read yet.
    pub fn new(rules: PollRules) -> Self {
        Self { rules, ..Self::default() }
    }

    /// Everything that somebody looks at.
    pub fn foci(&self) -> impl Iterator<Item = &Focus> {
        std::iter::once(&self.focus).chain(self.watched.iter())
    }

    /// A read is wanted now, whatever its period says.
    pub fn want(&mut self, fetch: Fetch) {
        let turn = self.turns.entry(fetch).or_default();
        turn.wanted = true;
        turn.not_before = None;
    }

    /// Something has changed: a read is due before its period, but not before the server has had its rest.
    pub fn hint(&mut self, fetch: Fetch) {
        self.turns.entry(fetch).or_default().hinted = true;
    }

    /// Forgets when pipelines were read that are not there any more.
    pub fn forget(&mut self, is_known: impl Fn(PipelineId) -> bool) {
        self.turns.retain(|fetch, turn| match fetch {
            Fetch::Jobs(id) | Fetch::TriggerJobs(id) | Fetch::Needs(id) | Fetch::Report(id) => {
                turn.in_flight.is_some() || is_known(*id)
            }
            _ => true,
        });
    }

    /// A face opened a log: it wants all of it, also what was read before.
    pub fn want_log(&mut self, job: JobId) {
        self.replays.insert(job);
        self.want(Fetch::Log(job));
    }

    /// Notes the end of a read that began at `at`.
    pub fn ended(&mut self, fetch: Fetch, at: Timestamp, result: Result<(), &Fault>, now: Timestamp) {
        if let Fetch::Verdict(_) = fetch {
            match result {
                Ok(()) => {
                    self.turns.remove(&fetch);
                    return;
                }
                Err(fault) if !fault.is_transient() => self.verdicts_not_before = Some(now.plus(VERDICTS_PAUSE)),
                Err(_) => {}
            }
        }
        let turn = self.turns.entry(fetch).or_default();
        turn.in_flight = None;
        match result {
            Ok(()) => {
                turn.read_at = Some(at);
                turn.status_then = turn.status_now;
                turn.failures = 0;
                turn.not_before = None;
            }
            Err(fault) => {
                turn.failures = turn.failures.saturating_add(1);
                let wait = BACKOFF_FIRST.saturating_mul(1 << turn.failures.min(6)).min(BACKOFF_MOST);
                // What is absent or forbidden will be so in a minute as well.
                let wait = if fault.is_transient() { wait } else { BACKOFF_MOST };
                let until = match fault.kind {
                    FaultKind::RateLimited { until: Some(until) } => until.max(now.plus(BACKOFF_FIRST)),
                    _ => now.plus(wait),
                };
                turn.not_before = Some(until);
            }
        }
    }

    /// Whether a read is on its way.
    pub fn is_in_flight(&self, fetch: Fetch) -> bool {
        self.turns.get(&fetch).is_some_and(|t| t.in_flight.is_some())
    }

    /// Whether a log is being read to be judged.
    pub fn is_judging(&self) -> bool {
        self.turns.iter().any(|(fetch, turn)| matches!(fetch, Fetch::Verdict(_)) && turn.in_flight.is_some())
    }

    fn in_flight(&self) -> usize {
        // Mirrors are other servers: however long they take, GitLab is asked meanwhile.
        let is_gitlab = |fetch: &Fetch| !matches!(fetch, Fetch::Caches | Fetch::Cache(_) | Fetch::Signature(..));
        let turns = self.turns.iter().filter(|(fetch, _)| is_gitlab(fetch));
        turns.filter_map(|(_, turn)| turn.in_flight).collect::<BTreeSet<_>>().len()
    }

    fn open(&self, fetch: Fetch, now: Timestamp) -> bool {
        self.turns.get(&fetch).is_none_or(|t| t.in_flight.is_none() && t.not_before.is_none_or(|at| at <= now))
    }

    /// `None`: not due. A read with no period happens once.
    fn due(&self, fetch: Fetch, period: Option<Duration>, first: Urgency, now: Timestamp) -> Option<Urgency> {
        if !self.open(fetch, now) {
            return None;
        }
        let Some(turn) = self.turns.get(&fetch) else { return Some(first) };
        if turn.wanted {
            return Some(Urgency::Asked);
        }
        let Some(read_at) = turn.read_at else { return Some(first) };
        if turn.hinted && now.since(read_at) >= HINTED {
            return Some(Urgency::Visible);
        }
        // One that was read in the future was read before a clock was set back.
        (now.since(read_at) >= period? || read_at > now).then_some(Urgency::Again)
    }

    /// The reads to begin now.
    pub fn orders(world: &mut World, now: Timestamp) -> Vec<Effect> {
        let mut orders = Self::mirror_orders(world, now);
        orders.extend(Self::gitlab_orders(world, now));
        let statuses: Vec<Option<Status>> =
            orders.iter().flat_map(Order::fetches).map(|f| status_of(world, f)).collect();
        world.polling.begin(&orders, statuses);
        orders.into_iter().map(Effect::Fetch).collect()
    }

    /// Reads of binary caches: each kind at most once at a time.
    fn mirror_orders(world: &World, now: Timestamp) -> Vec<Order> {
        let (polling, caches) = (&world.polling, &world.caches);
        let is_due = |fetch: Fetch, by_itself: bool| {
            let wanted = by_itself || polling.turns.get(&fetch).is_some_and(|turn| turn.wanted);
            wanted && polling.due(fetch, polling.rules.caches, Urgency::First, now).is_some()
        };
        let mut orders = Vec::new();
        if !caches.mirrors.is_empty() && is_due(Fetch::Caches, polling.rules.caches.is_some()) {
            orders.push(Order::Caches { mirrors: caches.mirrors.clone() });
        }
        let roots: BTreeSet<RootId> = polling.foci().filter_map(|focus| focus.cache).collect();
        for (root, facts) in roots.into_iter().filter_map(|root| Some((root, caches.root(root)?))) {
            if is_due(Fetch::Cache(root), true) {
                orders.push(Order::Cache { root, url: Arc::clone(&facts.url) });
            }
        }
        let binaries: BTreeSet<(RootId, Hash)> = polling.foci().filter_map(|focus| focus.binary).collect();
        for (root, hash) in binaries {
            if polling.due(Fetch::Signature(root, hash), None, Urgency::First, now).is_some()
                && let Some(facts) = caches.root(root)
                && let Some((path, layout)) = facts.binary(&hash)
            {
                orders.push(Order::Signature { root, url: Arc::clone(&facts.url), hash, path, layout });
            }
        }
        orders
    }

    fn gitlab_orders(world: &World, now: Timestamp) -> Vec<Order> {
        let polling = &world.polling;
        let slots = if polling.watched.is_empty() {
            polling.rules.slots
        } else {
            polling.rules.slots.max(polling.rules.watched_slots)
        };
        let free = slots.saturating_sub(polling.in_flight());
        if free == 0 {
            return Vec::new();
        }
        let mut due: Vec<(Urgency, Reverse<PipelineId>, Fetch)> = Vec::new();
        let mut consider = |fetch, period, first, id: PipelineId| {
            if let Some(urgency) = polling.due(fetch, period, first, now) {
                due.push((urgency, Reverse(id), fetch));
            }
        };
        let newest = PipelineId(u64::MAX);
        let periods = polling.rules.periods;
        consider(Fetch::Pipelines, Some(periods.list), Urgency::First, newest);
        let logs: BTreeSet<JobId> = polling.foci().filter_map(|focus| focus.log).collect();
        for job in logs {
            // Once more after the job has ended: its last lines come then.
            let fetch = Fetch::Log(job);
            let settled = polling.turns.get(&fetch).is_some_and(|t| t.status_then.is_some_and(Status::is_terminal));
            consider(fetch, (!settled).then_some(periods.visible), Urgency::Asked, newest);
        }
        let reports: BTreeSet<PipelineId> = polling.foci().filter_map(|focus| focus.report).collect();
        for id in reports.into_iter().filter(|id| world.pipeline(*id).is_some_and(|facts| facts.report.value.is_none()))
        {
            consider(Fetch::Report(id), Some(BACKOFF_MOST), Urgency::Asked, newest);
        }
        if polling.foci().any(|focus| focus.history) {
            consider(Fetch::History, Some(periods.list), Urgency::Visible, newest);
        }
        if polling.foci().any(|focus| focus.board) {
            consider(Fetch::Board, Some(periods.visible), Urgency::Visible, newest);
        }
        for pr in polling.foci().filter_map(|focus| focus.story).collect::<BTreeSet<_>>() {
            consider(Fetch::Story(pr), Some(periods.visible), Urgency::Asked, newest);
        }
        if polling.rules.token && world.lacks_details() {
            consider(Fetch::FailureReasons, Some(periods.visible), Urgency::FirstNeeds, newest);
        }
        let seen_roots: BTreeSet<PipelineId> =
            polling.foci().filter_map(|focus| focus.pipeline).map(|p| world.root_of(p)).collect();
        for facts in world.followed(polling.rules.followed) {
            let id = facts.pipeline.id;
            let seen = seen_roots.contains(&world.root_of(id));
            let worth = seen
                || facts.pipeline.status.is_alive()
                || matches!(facts.pipeline.status, Status::Failed | Status::Unknown(_));
            if !worth {
                continue;
            }
            let first = if seen { Urgency::FirstVisible } else { Urgency::FirstJobs };
            let pace = |fetch| {
                let settled = polling.turns.get(&fetch).is_some_and(|t| {
                    t.status_then.is_some_and(Status::is_terminal) && t.status_then == Some(facts.pipeline.status)
                });
                match (settled, seen) {
                    (true, _) => None,
                    (false, true) => Some(periods.visible),
                    (false, false) => Some(periods.background),
                }
            };
            if facts.pipeline.parent.is_none() {
                let fetch = Fetch::TriggerJobs(id);
                consider(fetch, pace(fetch), if seen { Urgency::First } else { Urgency::FirstVisible }, id);
            }
            let fetch = Fetch::Jobs(id);
            consider(fetch, pace(fetch), first, id);
            // The parent's jobs tell which generate job left the child pipeline file.
            let parent = facts.pipeline.parent.and_then(|p| world.pipeline(p));
            if parent.is_some_and(|p| p.jobs.completeness == Completeness::Whole)
                && !matches!(facts.needs, Needs::Known { .. })
            {
                let first = if seen { Urgency::Visible } else { Urgency::FirstNeeds };
                consider(Fetch::Needs(id), Some(BACKOFF_MOST), first, id);
            }
        }
        let begun =
            polling.turns.iter().filter(|(fetch, turn)| matches!(fetch, Fetch::Verdict(_)) && turn.in_flight.is_some());
        let free_verdicts = polling.rules.verdicts.saturating_sub(begun.count());
        let open = polling.verdicts_not_before.is_none_or(|at| at <= now);
        let judged = world.failures.due().take(LOOKED_AT).filter(|_| open).map(Fetch::Verdict);
        let judged = judged.filter_map(|fetch| Some((polling.due(fetch, None, Urgency::Verdict, now)?, fetch)));
        due.extend(judged.take(free_verdicts).map(|(urgency, fetch)| (urgency, Reverse(newest), fetch)));
        due.sort_unstable();
        assemble(world, &due, free, now)
    }

    fn begin(&mut self, orders: &[Order], statuses: Vec<Option<Status>>) {
        let mut statuses = statuses.into_iter();
        for order in orders {
            if let Order::Log { job, .. } = order {
                self.replays.remove(job);
            }
            self.orders_made += 1;
            for fetch in order.fetches() {
                let turn = self.turns.entry(fetch).or_default();
                turn.in_flight = Some(self.orders_made);
                turn.wanted = false;
                turn.hinted = false;
                turn.status_now = statuses.next().flatten();
            }
        }
    }
}

/// The status of what is read, as it was known when the read began: what was over then need not be read again.
fn status_of(world: &World, fetch: Fetch) -> Option<Status> {
    match fetch {
        Fetch::Jobs(id) | Fetch::TriggerJobs(id) => world.pipeline(id).map(|f| f.pipeline.status),
        Fetch::Log(job) => world.job(job).map(|j| j.status),
        _ => None,
    }
}

/// The job of the parent that made a child pipeline.
fn generate_job(world: &World, child: &PipelineFacts) -> Option<JobId> {
    let parent = world.pipeline(child.pipeline.parent?)?;
    let stack = child.pipeline.stack.as_deref();
    let mut jobs = parent.jobs.value.iter();
    jobs.find(|job| job.name.ends_with("-generate") && stack_of(&job.name) == stack).map(|job| job.id)
}

fn assemble(world: &World, due: &[(Urgency, Reverse<PipelineId>, Fetch)], free: usize, now: Timestamp) -> Vec<Order> {
    let mut orders: Vec<Order> = Vec::new();
    let per_order = if world.polling.rules.token { BATCH } else { 1 };
    for (_, _, fetch) in due {
        let full = orders.len() >= free;
        match *fetch {
            Fetch::Jobs(id) => {
                let entry = (id, world.pipeline(id).and_then(|f| f.pipeline.iid));
                let open = orders.iter_mut().find_map(|o| match o {
                    Order::Jobs { batch } if batch.len() < per_order => Some(batch),
                    _ => None,
                });
                match open {
                    Some(batch) => batch.push(entry),
                    None if !full => orders.push(Order::Jobs { batch: vec![entry] }),
                    None => {}
                }
            }
            _ if full => {}
            Fetch::Pipelines => orders.push(Order::Pipelines { limit: world.polling.rules.followed }),
            Fetch::TriggerJobs(parent) => orders.push(Order::TriggerJobs { parent }),
            Fetch::Needs(pipeline) => {
                let Some(facts) = world.pipeline(pipeline) else { continue };
                let (generate, stack) = (generate_job(world, facts), facts.pipeline.stack.clone());
                orders.push(Order::Needs { pipeline, iid: facts.pipeline.iid, generate, stack });
            }
            Fetch::Report(pipeline) => {
                let Some(facts) = world.pipeline(pipeline) else { continue };
                let (generate, stack) = (generate_job(world, facts), facts.pipeline.stack.clone());
                orders.push(Order::Report { pipeline, generate, stack });
            }
            Fetch::FailureReasons => orders.push(Order::FailureReasons),
            // Mirrors have orders of their own.
            Fetch::Caches | Fetch::Cache(_) | Fetch::Signature(..) => {}
            Fetch::Board => {
                // After a fault it is told again, so that everybody hears that it is over.
                let known = world.board.value.as_ref().filter(|_| world.board.error.is_none());
                orders.push(Order::Board { known: known.map(|board| board.at) });
            }
            Fetch::Story(pr) => orders.push(Order::Story(pr)),
            Fetch::History => orders.push(Order::History { until: world.server_time(now) }),
            Fetch::Log(job) => {
                let web_url = world.job(job).and_then(|j| j.web_url.clone());
                let replay = world.polling.replays.contains(&job);
                orders.push(Order::Log { job, web_url, replay });
            }
            Fetch::Verdict(id) => {
                let Some((job, home)) = world.job(id).zip(world.home(id)) else { continue };
                let failure = Failure::of(job, &home.pipeline, now);
                let web_url = job.web_url.clone();
                orders.push(Order::Verdict { web_url, facts: JobFacts::of(job), failure: Box::new(failure) });
            }
        }
    }
    orders
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refs_are_followed_by_pattern() {
        let rules =
            |refs: &[&str]| PollRules { refs: refs.iter().map(|r| Arc::from(*r)).collect(), ..PollRules::default() };
        assert!(rules(&[]).follows("anything"));
        let some = rules(&["develop", "releases/*", "pr*_llvm*"]);
        for (git_ref, want) in [
            ("develop", true),
            ("develop2", false),
            ("releases/v1.1", true),
            ("pr12_llvm-18", true),
            ("pr12_hdf5", false),
            ("releases", false),
        ] {
            assert_eq!(some.follows(git_ref), want, "{git_ref}");
        }
    }
}
