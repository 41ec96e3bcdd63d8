//! A face without a screen: follows the core's events into a world of its own, waits until enough is known, and passes intents on.
//!
//! The verbs judge what the replica knows, exactly as the console's screens do; they read nothing by themselves but what is named by its id
//! (see `find`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use tokio::time::{Instant, sleep_until};

use super::assemble::Setup;
use super::exit::{Exit, Failure};
use super::out::Progress;
use super::stop::Stop;
use crate::adapters::gitlab::GitLab;
use crate::ci::{JobKind, PipelineId, Status, Timestamp};
use crate::console::actions::PlanId;
use crate::console::effect::{Fetch, Focus};
use crate::console::event::{Event, Intent, Stamped};
use crate::console::fault::Fault;
use crate::console::fleet::FleetFacts;
use crate::console::fresh::Completeness;
use crate::console::polling::PollRules;
use crate::console::world::{Needs, PipelineFacts, World};
use crate::controller::{Core, Link};

/// What has been learned, and what was tried.
pub struct Replica {
    pub world: World,
    /// The moment of the last event.
    pub now: Timestamp,
    ended: BTreeMap<Fetch, Result<(), Fault>>,
    confirmed: BTreeSet<PlanId>,
}

impl Replica {
    /// Takes an event as the core took it.
    pub fn take(&mut self, Stamped { event, now }: Stamped) {
        self.now = now;
        match &event {
            Event::Fetched { fetch, result, .. } => drop(self.ended.insert(*fetch, result.clone())),
            Event::Intended(Intent::Confirm { plan, .. }) => drop(self.confirmed.insert(plan.id.clone())),
            _ => {}
        }
        // The core does what follows.
        self.world.update(event, now);
    }

    /// How the last try of a read ended, if one did.
    pub fn ended(&self, fetch: Fetch) -> Option<&Result<(), Fault>> {
        self.ended.get(&fetch)
    }

    /// Whether the core has answered the confirmation of a plan.
    pub fn has_confirmed(&self, plan: &PlanId) -> bool {
        self.confirmed.contains(plan)
    }

    /// The server's clock.
    pub fn server_now(&self) -> Timestamp {
        self.world.server_time(self.now)
    }

    /// Whether all jobs of a pipeline and its children have been read.
    pub fn completeness(&self, root: PipelineId) -> Completeness {
        let mut parts = self.world.tree(root).map(|facts| facts.jobs.completeness);
        let is_parent = self.world.pipeline(root).is_some_and(|facts| facts.pipeline.parent.is_none());
        let all_children = !is_parent || matches!(self.ended(Fetch::TriggerJobs(root)), Some(Ok(())));
        let Some(first) = parts.next() else { return Completeness::Unknown };
        match (parts.fold(first, |all, part| if all == part { all } else { Completeness::Partial }), all_children) {
            (Completeness::Whole, false) => Completeness::Partial,
            (all, _) => all,
        }
    }
}

/// What must have been read before a command may judge.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish {
    /// One pipeline with its parent and children; without one, the followed pipelines.
    pub root: Option<PipelineId>,
    pub followed: usize,
    /// The edges between jobs.
    pub graphs: bool,
    /// Why jobs failed.
    pub reasons: bool,
}

/// Whether to go on waiting.
pub enum Step {
    Wait,
    Done,
    /// Waiting longer is of no use.
    Hopeless(Fault),
}

impl Wish {
    /// Whether enough is known.
    pub fn judge(&self, replica: &Replica) -> Step {
        let world = &replica.world;
        if !world.failures.is_recalled() {
            return Step::Wait;
        }
        match replica.ended(Fetch::Pipelines) {
            None => return Step::Wait,
            Some(Err(fault)) if world.pipelines.completeness == Completeness::Unknown => {
                return Step::Hopeless(fault.clone());
            }
            Some(_) => {}
        }
        let focus = self.root.map(|root| world.root_of(root));
        for root in self.roots(world) {
            for facts in world.tree(root) {
                if focus.is_none() && !is_worth_reading(facts.pipeline.status) {
                    continue;
                }
                if facts.pipeline.parent.is_none() {
                    match replica.ended(Fetch::TriggerJobs(root)) {
                        None => return Step::Wait,
                        Some(Err(fault)) if focus.is_some() => return Step::Hopeless(fault.clone()),
                        Some(_) => {}
                    }
                }
                if self.is_open(replica, facts) {
                    return Step::Wait;
                }
                let is_named = self.root == Some(facts.pipeline.id) && facts.jobs.completeness == Completeness::Unknown;
                if let (true, Some(Err(fault))) = (is_named, replica.ended(Fetch::Jobs(facts.pipeline.id))) {
                    return Step::Hopeless(fault.clone());
                }
            }
        }
        if self.reasons && world.polling.rules.token && replica.ended(Fetch::FailureReasons).is_none() {
            let mut jobs = world.jobs();
            if jobs.any(|j| j.status == Status::Failed && j.failure_reason.is_none() && j.kind == JobKind::Build) {
                return Step::Wait;
            }
        }
        Step::Done
    }

    /// Whether a read of this pipeline is still to come.
    fn is_open(&self, replica: &Replica, facts: &PipelineFacts) -> bool {
        let id = facts.pipeline.id;
        let jobs_known = facts.jobs.completeness == Completeness::Whole;
        if !jobs_known && !matches!(replica.ended(Fetch::Jobs(id)), Some(Err(_))) {
            return true;
        }
        // Edges are asked for once the parent's generate jobs are known.
        let parent = facts.pipeline.parent.and_then(|parent| replica.world.pipeline(parent));
        let parent_known = parent.is_some_and(|parent| parent.jobs.completeness == Completeness::Whole);
        self.graphs && jobs_known && parent_known && matches!(facts.needs, Needs::Unknown)
    }

    fn roots(&self, world: &World) -> Vec<PipelineId> {
        match self.root {
            Some(root) => vec![world.root_of(root)],
            None => world.parents().take(self.followed).map(|facts| facts.pipeline.id).collect(),
        }
    }

    /// The reads that failed, of those that were wished for: what is known is incomplete by these.
    pub fn troubles<'a>(&self, replica: &'a Replica) -> Vec<&'a Fault> {
        let wished: BTreeSet<PipelineId> = self
            .roots(&replica.world)
            .into_iter()
            .flat_map(|root| replica.world.tree(root).map(|facts| facts.pipeline.id))
            .collect();
        let concerns = |fetch: &Fetch| match fetch {
            Fetch::Pipelines => true,
            Fetch::TriggerJobs(id) | Fetch::Jobs(id) => wished.contains(id),
            Fetch::Needs(id) => self.graphs && wished.contains(id),
            Fetch::FailureReasons => self.reasons,
            Fetch::Log(_) | Fetch::Report(_) | Fetch::Verdict(_) | Fetch::History | Fetch::Board | Fetch::Story(_) => {
                false
            }
            Fetch::Caches | Fetch::Cache(_) | Fetch::Signature(..) => false,
        };
        replica.ended.iter().filter(|(fetch, _)| concerns(fetch)).filter_map(|(_, end)| end.as_ref().err()).collect()
    }
}

/// What the core reads by itself: a pipeline that is over and good tells nothing by its jobs.
pub fn is_worth_reading(status: Status) -> bool {
    status.is_alive() || matches!(status, Status::Failed | Status::Unknown(_))
}

/// What happened while somebody waited.
pub enum Turn {
    Event(Box<Stamped>),
    /// A signal asks to end.
    Stopped,
    Late,
}

/// A running core with a replica beside it.
pub struct Session {
    pub replica: Replica,
    pub gitlab: GitLab,
    core: Core,
    link: Link,
    stop: Stop,
}

impl Session {
    /// Starts a core that follows the newest pipelines.
    pub fn open(setup: &Setup) -> Result<Self, Failure> {
        Self::begin(setup, &setup.poll, &[], FleetFacts::default)
    }

    /// Starts a core that knows what was named by its id, and follows nothing else.
    pub fn open_on(setup: &Setup, seeds: &[Event]) -> Result<Self, Failure> {
        Self::begin(setup, &PollRules { followed: 0, ..setup.poll.clone() }, seeds, FleetFacts::default)
    }

    /// As [`Session::open_on`], and follows the fleet as far as it is configured.
    pub fn open_on_with_fleet(setup: &Setup, seeds: &[Event]) -> Result<Self, Failure> {
        Self::begin(setup, &PollRules { followed: 0, ..setup.poll.clone() }, seeds, || setup.fleet())
    }

    fn begin(
        setup: &Setup,
        poll: &PollRules,
        seeds: &[Event],
        fleet: impl Fn() -> FleetFacts,
    ) -> Result<Self, Failure> {
        let stop = Stop::listen()?;
        let now = setup.clock.now();
        let make = || {
            let mut world = World::new(&setup.project, setup.rules.clone(), poll.clone());
            world.fleet = Box::new(fleet());
            world
        };
        let (mut world, mut own) = (make(), make());
        for event in seeds {
            world.update(event.clone(), now);
            own.update(event.clone(), now);
        }
        // One copy of a log is enough.
        world.log_budget = None;
        let (core, link) = setup.start(world);
        let replica = Replica { world: own, now, ended: BTreeMap::new(), confirmed: BTreeSet::new() };
        Ok(Self { replica, gitlab: setup.outside.gitlab.clone(), core, link, stop })
    }

    /// Passes an intent on to the core.
    pub async fn tell(&self, intent: Intent) -> Result<(), Failure> {
        self.link.intents.send(intent).await.map_err(|_| core_died())
    }

    /// Looks at one pipeline, or log.
    pub async fn focus(&self, focus: Focus) -> Result<(), Failure> {
        self.tell(Intent::Focus(focus)).await
    }

    /// The next event, which the caller passes on to the replica.
    pub async fn next(&mut self, deadline: Option<Instant>) -> Result<Turn, Failure> {
        let late = async {
            match deadline {
                Some(deadline) => sleep_until(deadline).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            biased;
            () = self.stop.asked() => Ok(Turn::Stopped),
            stamped = self.link.events.recv() => stamped.map(|s| Turn::Event(Box::new(s))).ok_or_else(core_died),
            () = late => Ok(Turn::Late),
        }
    }

    /// Follows events until the judge is content; false when that took too long.
    pub async fn settle(
        &mut self,
        within: Option<Duration>,
        mut judge: impl FnMut(&Replica) -> Step,
    ) -> Result<bool, Failure> {
        let begun = Instant::now();
        let deadline = within.map(|length| begun + length);
        let mut progress = Progress::new();
        loop {
            while let Ok(stamped) = self.link.events.try_recv() {
                self.replica.take(stamped);
            }
            match judge(&self.replica) {
                Step::Done => return Ok(true),
                Step::Hopeless(fault) => return Err(Failure::remote(&fault, self.replica.now)),
                Step::Wait => {}
            }
            // The core ticks, so there is always a next event soon.
            match self.next(deadline).await? {
                Turn::Event(stamped) => self.replica.take(*stamped),
                Turn::Stopped => return Err(Failure::interrupted()),
                Turn::Late => return Ok(false),
            }
            if begun.elapsed() >= Progress::PATIENCE {
                progress.say(&self.doing(begun.elapsed()));
            }
        }
    }

    fn doing(&self, elapsed: Duration) -> String {
        let world = &self.replica.world;
        format!(
            "{}s: {} pipelines, {} jobs, {} requests",
            elapsed.as_secs(),
            world.pipelines.value.len(),
            world.counts().total(),
            self.gitlab.stats().requests,
        )
    }

    /// Stops the core; nothing that is held is sent.
    pub async fn close(self) {
        drop(self.link);
        self.core.stop().await;
    }
}

fn core_died() -> Failure {
    Failure::new(
        Exit::Failed,
        "the core ended by itself; look into stackhand.log of the state folder, and report this as a bug",
    )
}
