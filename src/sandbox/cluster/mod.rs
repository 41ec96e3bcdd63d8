//! The practice cluster: nodes, claims, pools, pods and events, derived from what runners do with the jobs of the world.
//!
//! Pure and seeded like the world: it follows from the world's [`steps`](super::world::Step) and from what somebody did to the cluster, however the
//! time is cut. A job on a runner of the cluster has one pod from the moment its runner takes it until shortly after its end; pods need nodes,
//! so nodes come and go. Jobs decide, pods follow: what will fail is known to the world alone, and the cluster arranges that its reason can be
//! seen (the machine is taken back, the disk is full, the image does not come).
//!
//! A job's time does not wait for its pod. So a machine that a short job needs comes faster than machines do, and what waits for a pool at its
//! limit gets a machine above the limit before its job would be over.
//!
//! * `pools`: what may be made; `machine`, `pod`: one of them; `jobs`: what steps do; `scheduling`: where pods go; `life`: how machines come and go;
//!   `acts`: what somebody does to them; `event`: what is said about it; `objects`: all of it with versions; `wire`: as JSON.

mod acts;
mod event;
mod jobs;
mod life;
mod machine;
mod objects;
mod pod;
mod pools;
mod scheduling;
#[cfg(test)]
mod tests;
mod wire;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::sync::Arc;

use super::Scenario;
use super::fleet::Host;
use super::rng::Rng;
use super::world::{EPOCH, What, World};
use crate::ci::{JobId, Timestamp};
use event::{About, Events, Saying};
use machine::{Machine, Stage};
pub use objects::{Change, Kind, Object, Objects};
use pod::JobPod;
pub use pod::Used;
use pools::{POOLS, Pool, Type};

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Timer {
    Reach(u32, Stage),
    /// The machine is empty since that moment.
    Idle(u32, Timestamp),
    /// The cloud says that it takes the machine back.
    Notice(u32),
    Doom(u32),
    Pressure(u32, bool),
    /// The machine is gone.
    Gone(u32),
    Run(JobId),
    /// The wait of that number for room is over.
    Force(JobId, u32),
    /// Say again why it waits.
    Repeat(JobId, u32),
    Remove(JobId),
    Expire(u64),
}

/// What has been counted since the beginning.
#[derive(Debug, Default)]
pub struct Tallies {
    /// Messages about machines, by their type.
    pub interrupted: Vec<(Timestamp, &'static str)>,
    /// By pool.
    pub ordered: BTreeMap<&'static str, u64>,
}

/// What the machines of a pool amount to.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct PoolAmounts {
    pub pool: &'static str,
    pub cores: u32,
    pub memory: u64,
    pub limit_cores: Option<u32>,
    /// USD an hour.
    pub cost: f64,
}

/// The whole cluster at one moment.
#[derive(Debug)]
pub struct Cluster {
    seed: u64,
    scenario: Scenario,
    /// How the GitLab is known to jobs.
    base: Arc<str>,
    now: Timestamp,
    /// How many of the world's steps are taken.
    taken: usize,
    timers: BinaryHeap<Reverse<(Timestamp, u64, Timer)>>,
    timer_count: u64,
    machines: BTreeMap<u32, Machine>,
    machine_count: u32,
    pods: BTreeMap<JobId, JobPod>,
    events: Events,
    objects: Objects,
    /// The pool that is short, and its limit of processors.
    short: Option<(&'static str, u32)>,
    tallies: Tallies,
}

impl Cluster {
    /// The cluster of a world, as late as the world is. `base` is the GitLab's address.
    pub fn of(world: &World, base: &str) -> Self {
        let mut cluster = Self {
            seed: world.seed(),
            scenario: world.scenario(),
            base: base.into(),
            now: EPOCH,
            taken: 0,
            timers: BinaryHeap::new(),
            timer_count: 0,
            machines: BTreeMap::new(),
            machine_count: 0,
            pods: BTreeMap::new(),
            events: Events::default(),
            objects: Objects::default(),
            short: short_pool(world),
            tallies: Tallies::default(),
        };
        cluster.found(world);
        cluster.catch_up(world);
        cluster
    }

    /// Lets happen what the world's runners have done since, and what follows from it.
    pub fn catch_up(&mut self, world: &World) {
        while let Some(step) = world.steps().get(self.taken).copied() {
            self.taken += 1;
            // Of one moment, the step comes first: what follows from it may be due at once.
            self.run_until(step.at.shifted(-1));
            self.now = self.now.max(step.at);
            match step.what {
                What::Picked(runner) => self.picked(world, step.job, runner),
                What::Started => self.started(world, step.job),
                What::Ended => self.ended(world, step.job),
            }
        }
        self.run_until(world.now());
    }

    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn objects(&self) -> &Objects {
        &self.objects
    }

    pub fn tallies(&self) -> &Tallies {
        &self.tallies
    }

    /// What every pod has used by a moment, by name.
    pub fn used_at(&self, at: Timestamp) -> impl Iterator<Item = (&str, Used)> {
        self.pods.values().filter_map(move |pod| Some((&*pod.name, pod.used_at(at)?)))
    }

    /// What a pool uses and may use of a resource, by pool: processors first, then bytes of memory.
    pub fn pool_amounts(&self) -> Vec<PoolAmounts> {
        let of = |pool: &'static Pool| {
            let mut amounts = PoolAmounts { pool: pool.name, cores: 0, memory: 0, limit_cores: None, cost: 0.0 };
            for machine in self.machines.values().filter(|machine| machine.pool == pool && machine.stage.is_some()) {
                amounts.cores += machine.made.cores;
                amounts.memory += machine.made.memory_kib() * 1_024;
                amounts.cost += machine.made.price(pool.is_spot, machine.zone);
            }
            amounts.limit_cores = self.limit_of(pool).or(pool.limit.map(|(cores, _)| cores));
            amounts
        };
        POOLS.iter().map(of).collect()
    }

    /// What machines cost: type, capacity type, zone, and USD an hour.
    pub fn prices() -> Vec<(String, &'static str, &'static str, f64)> {
        let mut all = std::collections::BTreeMap::new();
        for family in POOLS.iter().flat_map(|pool| pool.made) {
            for cores in [4, 8, 16, 32] {
                for (at, (zone, _)) in pools::ZONES.iter().enumerate() {
                    for (is_spot, capacity) in [(true, "spot"), (false, "on-demand")] {
                        let made = Type { family, cores };
                        all.insert((made.name(), capacity, *zone), made.price(is_spot, at));
                    }
                }
            }
        }
        all.into_iter().map(|((name, capacity, zone), price)| (name, capacity, zone, price)).collect()
    }

    /// Forgets all changes, so that every watch has to begin anew.
    pub fn compact(&mut self) {
        self.objects.compact();
    }

    fn run_until(&mut self, to: Timestamp) {
        while let Some(Reverse((at, _, timer))) = self.timers.peek().copied().filter(|Reverse((at, ..))| *at <= to) {
            self.timers.pop();
            self.now = self.now.max(at);
            self.happen(timer);
        }
        self.now = self.now.max(to);
    }

    fn plan(&mut self, at: Timestamp, timer: Timer) {
        self.timer_count += 1;
        self.timers.push(Reverse((at.max(self.now), self.timer_count, timer)));
    }

    fn happen(&mut self, timer: Timer) {
        match timer {
            Timer::Reach(machine, stage) => self.reach(machine, stage),
            Timer::Idle(machine, since) => self.idle(machine, since),
            Timer::Notice(machine) => self.notice(machine),
            Timer::Doom(machine) => self.doom(machine),
            Timer::Pressure(machine, is_on) => self.press(machine, is_on),
            Timer::Gone(machine) => self.gone(machine),
            Timer::Run(job) => self.run(job),
            Timer::Force(job, tries) => self.force(job, tries),
            Timer::Repeat(job, tries) => self.repeat(job, tries),
            Timer::Remove(job) => self.remove_pod(job),
            Timer::Expire(event) => {
                if let Some(again) = self.events.expire(&mut self.objects, self.now, event) {
                    self.plan(again, timer);
                }
            }
        }
    }

    /// What was there before the world began: namespaces, pools, the machines of services, and the runners' managers on them.
    fn found(&mut self, world: &World) {
        let made = EPOCH.shifted(-200 * 86_400_000);
        for name in ["default", "gitlab", "karpenter", "kube-system", "pipeline"] {
            self.objects.put(Kind::Namespace, wire::namespace(name, made));
        }
        for class in ["default", "windows"] {
            self.objects.put(Kind::NodeClass, wire::node_class(class, made));
        }
        let managers: Vec<_> = world
            .runners()
            .iter()
            .filter(|runner| matches!(runner.host, Host::Cluster | Host::WindowsCluster))
            .collect();
        // A manager asks for a gigabyte.
        let services = [("gitlab", "m6a", 8), ("base", "m4", 4), ("base", "m4", 4)];
        let more = managers.len().saturating_sub(24).div_ceil(12);
        let mut homes = Vec::new();
        for (name, family, cores) in services.into_iter().chain(std::iter::repeat_n(("base", "m4", 4), more)) {
            let Some(pool) = Pool::named(name) else { continue };
            self.machine_count += 1;
            let id = self.machine_count;
            let age = Rng::of(self.seed, "age of a service node", u64::from(id)).between(4, 25) as i64;
            let ordered = EPOCH.shifted(-age * 86_400_000);
            let machine = Machine::new(self.seed, id, pool, Type { family, cores }, ordered);
            let machine = Machine { takes_ms: 71_000, stage: Some(Stage::Initialized), is_fixed: true, ..machine };
            self.machines.insert(id, machine);
            self.tell_machine(id);
            if name == "base" {
                homes.push(id);
            }
        }
        for (runner, home) in managers.into_iter().zip(homes.iter().cycle()) {
            if let Some(machine) = self.machines.get(home) {
                self.objects.put(Kind::Pod, wire::manager(runner, machine));
            }
        }
        for pool in POOLS {
            self.tell_pool(pool);
        }
    }

    fn dice(&self, kind: &str, job: JobId) -> Rng {
        Rng::of(self.seed, kind, job.0)
    }

    fn say(&mut self, about: About, saying: Saying, host: &str) {
        if let Some(number) = self.events.say(&mut self.objects, self.now, about, saying, host) {
            self.plan(self.now.shifted(event::KEPT_MS), Timer::Expire(number));
        }
    }

    /// Shows a machine as it is now: its claim, its node, and what its pool amounts to.
    fn tell_machine(&mut self, id: u32) {
        let Some(machine) = self.machines.get(&id) else { return };
        let pool = machine.pool;
        self.objects.put(Kind::NodeClaim, wire::claim(machine, self.now));
        if let Some(node) = wire::node(machine, self.now) {
            self.objects.put(Kind::Node, node);
        }
        self.tell_pool(pool);
    }

    fn tell_pool(&mut self, pool: &'static Pool) {
        let mut used = wire::Used::default();
        for machine in self.machines.values().filter(|machine| machine.pool == pool && machine.stage.is_some()) {
            used.nodes += 1;
            used.cores += machine.made.cores;
            used.memory_kib += machine.made.memory_kib();
            used.pods += machine.made.pods();
        }
        let made = EPOCH.shifted(-90 * 86_400_000);
        self.objects.put(Kind::NodePool, wire::pool(pool, made, used, self.limit_of(pool)));
    }

    fn tell_pod(&mut self, job: JobId) {
        let Some(pod) = self.pods.get(&job) else { return };
        let machine = pod.machine.and_then(|id| self.machines.get(&id));
        self.objects.put(Kind::Pod, wire::pod(pod, machine));
    }

    /// The limit of processors where it is not the usual one.
    fn limit_of(&self, pool: &Pool) -> Option<u32> {
        self.short.filter(|(name, _)| *name == pool.name).map(|(_, cores)| cores)
    }
}

/// The pool whose limit is low tonight: one machine in an outage, so that most of its pods wait for long; and none in a calm night.
fn short_pool(world: &World) -> Option<(&'static str, u32)> {
    match world.scenario() {
        Scenario::Calm => None,
        Scenario::Busy => {
            let slots: u32 = world.runners().iter().filter(|r| r.class.contains("graviton3")).map(|r| r.slots).sum();
            Some(("glr-graviton3", (slots * 6).max(16).next_multiple_of(8)))
        }
        Scenario::Outage => Some(("glr-graviton4", 8)),
    }
}
