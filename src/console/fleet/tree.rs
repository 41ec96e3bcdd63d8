//! The fleet as a tree: architecture ▸ runner ▸ node ▸ pod, with what each level sums up to. What is not known is `None`, never zero.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use super::FleetFacts;
use crate::ci::{RunnerId, Status, Timestamp};
use crate::console::fresh::Completeness;
use crate::console::world::World;
use crate::fleet::{
    Dollars, Fleet, Host, HostNames, Kind, Node, Outlier, Phase, Pod, RunnerClass, Takers, Tally, Uid, class_of,
    outliers, price_of,
};

/// The window in which ends of jobs are counted.
pub const WINDOW: Duration = Duration::from_hours(6);
const HOUR: i64 = 3_600_000;

/// What a row sums up.
#[derive(Debug, Clone, Default)]
pub struct Sums {
    /// Jobs that run; `None` where nothing tells.
    pub busy: Option<u64>,
    /// `busy` is a lower bound: only the pipelines that are followed were counted.
    pub is_part: bool,
    pub slots: Option<u64>,
    /// Runners that take no jobs: paused or gone.
    pub off: Option<usize>,
    /// Jobs that could go here and wait.
    pub queued: Option<usize>,
    pub oldest: Option<Duration>,
    /// Of the waits of jobs that it started in the last hour.
    pub p95: Option<Duration>,
    /// Pods that do not run yet, and how old the oldest is.
    pub pending: u64,
    pub pending_oldest: Option<Duration>,
    /// Nodes, and how many of them are spot.
    pub nodes: usize,
    pub spot: usize,
    /// By the hour, of the prices that are known.
    pub cost: Option<Dollars>,
    /// Some node has no known price.
    pub is_cost_part: bool,
    /// Jobs that ended within the window and were seen running, and those of them that failed.
    pub ended: u64,
    pub failed: u64,
}

/// One architecture.
#[derive(Debug, Clone)]
pub struct GroupRow {
    pub name: Arc<str>,
    pub sums: Sums,
    pub classes: BTreeSet<Arc<str>>,
    pub runners: Vec<RunnerRow>,
    /// Runners and nodes in it that fail far more than their like.
    pub outliers: usize,
}

/// One runner.
#[derive(Debug, Clone)]
pub struct RunnerRow {
    /// Its description; empty for pods that name none.
    pub name: Arc<str>,
    pub id: Option<RunnerId>,
    pub sums: Sums,
    pub outlier: Option<Outlier>,
    /// Pods without a node.
    pub unplaced: Vec<Uid>,
    pub nodes: Vec<NodeRow>,
}

/// One node, under one runner.
#[derive(Debug, Clone)]
pub struct NodeRow {
    pub name: Arc<str>,
    pub pods: Vec<Uid>,
    pub outlier: Option<Outlier>,
}

/// Everything, in no order yet.
#[derive(Debug, Clone, Default)]
pub struct Tree {
    pub groups: Vec<GroupRow>,
    /// Nodes without any job, the sick ones first; `None` while pods are not known.
    pub idle: Option<Vec<Arc<str>>>,
    /// What idle nodes cost by the hour.
    pub idle_cost: Option<Dollars>,
}

impl Sums {
    /// The part that failed; `None` of nothing.
    pub fn fail_rate(&self) -> Option<f64> {
        (self.ended > 0).then(|| self.failed as f64 / self.ended as f64)
    }

    /// How full it is.
    pub fn saturation(&self) -> Option<f64> {
        let slots = self.slots.filter(|slots| *slots > 0)?;
        Some(self.busy? as f64 / slots as f64)
    }

    /// Slots that are free.
    pub fn free(&self) -> Option<u64> {
        self.slots?.checked_sub(self.busy?).filter(|_| !self.is_part)
    }

    /// Wait times queue.
    pub fn pressure(&self) -> f64 {
        let wait = self.p95.max(self.oldest).unwrap_or_default().as_secs_f64();
        wait * (self.queued.unwrap_or(0) as f64 + self.pending as f64) + self.saturation().unwrap_or(0.0)
    }

    fn tally(&mut self, tally: &Tally) {
        self.ended += tally.ended;
        self.failed += tally.failed;
    }
}

/// The architecture of a class of runners: by the machine of hosts outside the cluster, else by its name without the usual ends.
pub fn architecture(class: &RunnerClass, hosts: &HostNames) -> Arc<str> {
    match (class.machine, class.host) {
        (Some(machine), Host::Site | Host::Unknown) => machine.into(),
        (None, Host::Site) => {
            let prefix = hosts.sites.iter().find(|prefix| class.name.starts_with(&***prefix));
            prefix.map_or_else(|| Arc::clone(&class.name), |prefix| format!("{prefix}* on-prem").into())
        }
        (_, Host::Cluster) => {
            let prefix = hosts.cluster.iter().find(|prefix| class.name.starts_with(&***prefix));
            let rest = class.name.get(prefix.map_or(0, |prefix| prefix.len())..).unwrap_or(&class.name);
            let told: Vec<&str> = rest.split('-').filter(|part| !matches!(*part, "pub" | "prot")).collect();
            if told.is_empty() { Arc::clone(&class.name) } else { told.join("-").into() }
        }
        (None, Host::Unknown) if class.name.is_empty() => "no runner named".into(),
        (None, Host::Unknown) => Arc::clone(&class.name),
    }
}

/// Pods by runner and node, and how many jobs each node has.
#[derive(Default)]
struct Sorted<'a> {
    by_runner: HashMap<&'a str, HashMap<Option<&'a Arc<str>>, Vec<&'a Pod>>>,
    on_node: HashMap<&'a str, u64>,
}

impl<'a> Sorted<'a> {
    fn of(fleet: &'a Fleet) -> Self {
        let mut sorted = Self::default();
        // One that went well is of no interest any more.
        for pod in fleet.job_pods().filter(|pod| pod.phase != Phase::Succeeded) {
            let runner = pod.says.runner.as_deref().unwrap_or_default();
            sorted.by_runner.entry(runner).or_default().entry(pod.node.as_ref()).or_default().push(pod);
            if let Some(node) = pod.node.as_deref().filter(|_| !pod.phase.is_over()) {
                *sorted.on_node.entry(node).or_default() += 1;
            }
        }
        sorted
    }
}

impl Tree {
    /// Sums everything up.
    pub fn of(world: &World, now: Timestamp) -> Self {
        let facts = &world.fleet;
        let (fleet, server_now) = (&facts.objects, world.server_time(now));
        let since = server_now.shifted(-i64::try_from(WINDOW.as_millis()).unwrap_or(i64::MAX));
        let sorted = Sorted::of(fleet);
        let classes = world.runner_classes();
        let tallies = facts.outcomes.by_runner(since);
        let node_tallies = facts.outcomes.by_node(since, |name| fleet.node(name)?.pool().cloned());
        let thresholds = &facts.rules.thresholds;
        let sick: HashMap<Arc<str>, Outlier> = [&tallies, &node_tallies]
            .into_iter()
            .flat_map(|tallies| outliers(tallies, thresholds))
            .map(by_member)
            .collect();
        let look = Look {
            world,
            facts,
            server_now,
            sorted: &sorted,
            tallies: tallies.iter().map(|tally| (&*tally.member, tally)).collect(),
            sick: &sick,
            running: (world.jobs_known() != Completeness::Unknown).then(|| world.running_by_runner()),
            known: fleet.knows(Kind::Pod),
        };
        let mut groups: BTreeMap<Arc<str>, GroupRow> = BTreeMap::new();
        for class in &classes {
            let name = architecture(class, &facts.rules.hosts);
            let group = groups.entry(name.clone()).or_insert_with(|| GroupRow {
                name,
                sums: Sums::default(),
                classes: BTreeSet::new(),
                runners: Vec::new(),
                outliers: 0,
            });
            group.classes.insert(class.name.clone());
            look.runners(class, group);
        }
        if sorted.by_runner.contains_key("") {
            let name: Arc<str> = "no runner named".into();
            let mut group = GroupRow {
                name: name.clone(),
                sums: Sums::default(),
                classes: BTreeSet::new(),
                runners: Vec::new(),
                outliers: 0,
            };
            group.runners.push(look.runner("".into(), None));
            groups.insert(name, group);
        }
        look.waits(&mut groups, now);
        for group in groups.values_mut() {
            look.sum_up(group, &classes);
        }
        let (idle, idle_cost) = look.idle();
        Self { groups: groups.into_values().collect(), idle, idle_cost }
    }
}

fn by_member(outlier: Outlier) -> (Arc<str>, Outlier) {
    (outlier.tally.member.clone(), outlier)
}

struct Look<'a> {
    world: &'a World,
    facts: &'a FleetFacts,
    server_now: Timestamp,
    sorted: &'a Sorted<'a>,
    tallies: HashMap<&'a str, &'a Tally>,
    sick: &'a HashMap<Arc<str>, Outlier>,
    /// Jobs by runner; `None` while no jobs are known.
    running: Option<BTreeMap<RunnerId, u64>>,
    /// The pods of jobs are known.
    known: bool,
}

impl Look<'_> {
    /// Every runner of a class, and those that only pods name.
    fn runners(&self, class: &RunnerClass, group: &mut GroupRow) {
        let mut names: BTreeMap<Arc<str>, Option<RunnerId>> = BTreeMap::new();
        for id in &class.runners {
            if let Some(runner) = self.facts.objects.runner(*id) {
                names.insert(runner.description.clone(), Some(*id));
            }
        }
        for name in self.sorted.by_runner.keys().filter(|name| !name.is_empty() && class_of(name) == class.name) {
            names.entry((*name).into()).or_insert(None);
        }
        group.runners.extend(names.into_iter().map(|(name, id)| self.runner(name, id)));
    }

    fn runner(&self, name: Arc<str>, id: Option<RunnerId>) -> RunnerRow {
        let mut row = RunnerRow {
            id,
            sums: Sums::default(),
            outlier: self.sick.get(&name).cloned(),
            unplaced: Vec::new(),
            nodes: Vec::new(),
            name,
        };
        let sums = &mut row.sums;
        let is_cluster = self.facts.rules.hosts.host(&row.name) == Host::Cluster;
        if is_cluster || row.name.is_empty() {
            sums.busy = self.known.then_some(0);
        } else {
            // Other projects' jobs are not seen.
            sums.busy = self.running.as_ref().zip(id).map(|(running, id)| running.get(&id).copied().unwrap_or(0));
            sums.is_part = sums.busy.is_some();
        }
        for (node, pods) in self.sorted.by_runner.get(&*row.name).into_iter().flatten() {
            let mut mine = 0_u64;
            for pod in pods {
                match pod.phase {
                    Phase::Running => sums.busy = sums.busy.map(|busy| busy + 1),
                    Phase::Pending => {
                        sums.pending += 1;
                        let age = pod.created.map(|at| self.server_now.since(at));
                        sums.pending_oldest = sums.pending_oldest.max(age);
                    }
                    _ => {}
                }
                mine += u64::from(!pod.phase.is_over());
            }
            let mut uids: Vec<Uid> = pods.iter().map(|pod| pod.uid.clone()).collect();
            uids.sort_unstable();
            match node {
                None => row.unplaced = uids,
                Some(name) => {
                    self.charge(sums, name, mine);
                    row.nodes.push(NodeRow {
                        name: (*name).clone(),
                        pods: uids,
                        outlier: self.sick.get(&***name).cloned(),
                    });
                }
            }
        }
        row.nodes.sort_by(|a, b| a.name.cmp(&b.name));
        if let Some(tally) = self.tallies.get(&*row.name) {
            sums.tally(tally);
        }
        sums.slots = self.facts.metrics.slots.get(&row.name).copied();
        if let Some(runner) = id.and_then(|id| self.facts.objects.runner(id)) {
            sums.off = runner.is_at_work().map(|is| usize::from(!is));
        }
        row
    }

    /// A runner's part of what a node costs: by its part of the jobs there.
    fn charge(&self, sums: &mut Sums, name: &str, mine: u64) {
        let Some(node) = self.facts.objects.node(name) else { return };
        sums.nodes += 1;
        sums.spot += usize::from(node.capacity_type().is_some_and(|kind| &**kind == "spot"));
        let all = self.sorted.on_node.get(name).copied().unwrap_or(0);
        if all == 0 {
            return;
        }
        match price_of(&self.facts.objects, node).found().and_then(|price| price.times(mine as f64 / all as f64)) {
            Some(part) => sums.cost = Some(sums.cost.unwrap_or_default().plus(part)),
            None => sums.is_cost_part = true,
        }
    }

    /// Who waits for which group, and how long those waited that it took.
    fn waits(&self, groups: &mut BTreeMap<Arc<str>, GroupRow>, now: Timestamp) {
        let Some(queues) = self.world.queues(now) else { return };
        let has_tags = self.facts.objects.runners().any(|runner| runner.tags.is_some());
        let hour_ago = self.server_now.shifted(-HOUR);
        let mut waited: BTreeMap<Arc<str>, Vec<Duration>> = BTreeMap::new();
        let started = self.world.jobs().filter(|job| {
            job.status != Status::Pending
                && job.started_at.is_some_and(|at| at >= hour_ago)
                && job.queued_duration.is_some()
        });
        for start in started.filter_map(|job| self.world.start_of(job)) {
            if let (Some(class), Some(wait)) = (start.class, start.waited) {
                waited.entry(class).or_default().push(wait);
            }
        }
        for group in groups.values_mut() {
            let mut waits: Vec<Duration> =
                group.classes.iter().filter_map(|class| waited.get(class)).flatten().copied().collect();
            waits.sort_unstable();
            group.sums.p95 = waits.get((waits.len() * 95).div_ceil(100).saturating_sub(1)).copied();
            // Without tags nobody knows who could take what.
            group.sums.queued = has_tags.then_some(0);
            for queue in &queues {
                let takes = match &queue.takers {
                    Takers::Classes(classes) | Takers::NoneAtWork(classes) => {
                        classes.iter().any(|class| group.classes.contains(class))
                    }
                    Takers::Nobody | Takers::Unknown => false,
                };
                if takes {
                    group.sums.queued = Some(group.sums.queued.unwrap_or(0) + queue.waiting.len());
                    group.sums.oldest = group.sums.oldest.max(queue.oldest);
                }
            }
        }
    }

    fn sum_up(&self, group: &mut GroupRow, classes: &[RunnerClass]) {
        let sums = &mut group.sums;
        let mut nodes: BTreeSet<&Arc<str>> = BTreeSet::new();
        let is_known = !group.runners.is_empty() && group.runners.iter().all(|runner| runner.sums.busy.is_some());
        sums.busy = is_known.then_some(0);
        sums.off = self.facts.objects.knows_runners().then_some(0);
        for runner in &group.runners {
            let own = &runner.sums;
            sums.busy = sums.busy.zip(own.busy).map(|(sum, own)| sum + own);
            sums.is_part |= own.is_part;
            sums.off = match (sums.off, own.off, runner.id) {
                (Some(sum), Some(own), _) => Some(sum + own),
                // One that only its pods name is at work, whoever lists it.
                (sum, None, None) => sum,
                _ => None,
            };
            sums.pending += own.pending;
            sums.pending_oldest = sums.pending_oldest.max(own.pending_oldest);
            if let Some(cost) = own.cost {
                sums.cost = Some(sums.cost.unwrap_or_default().plus(cost));
            }
            sums.is_cost_part |= own.is_cost_part;
            sums.ended += own.ended;
            sums.failed += own.failed;
            nodes.extend(runner.nodes.iter().map(|node| &node.name));
            group.outliers += usize::from(runner.outlier.is_some());
        }
        let known: Vec<&Node> = nodes.iter().filter_map(|name| self.facts.objects.node(name)).collect();
        group.outliers += nodes.iter().filter(|name| self.sick.contains_key(&****name)).count();
        sums.nodes = known.len();
        sums.spot = known.iter().filter(|node| node.capacity_type().is_some_and(|kind| &**kind == "spot")).count();
        let mine = classes.iter().filter(|class| group.classes.contains(&class.name));
        sums.slots =
            mine.map(|class| class.slots).try_fold(0, |sum: u64, slots| Some(sum + slots?)).filter(|slots| *slots > 0);
    }

    /// Nodes without jobs, the sick ones first.
    fn idle(&self) -> (Option<Vec<Arc<str>>>, Option<Dollars>) {
        if !self.known || !self.facts.objects.knows(Kind::Node) {
            return (None, None);
        }
        let on_node = &self.sorted.on_node;
        let mut idle: Vec<&Node> =
            self.facts.objects.nodes().filter(|node| !on_node.contains_key(&*node.name)).collect();
        idle.sort_by_cached_key(|node| (node.troubles(self.server_now).is_empty(), node.name.clone()));
        let prices = idle.iter().filter_map(|node| price_of(&self.facts.objects, node).found().copied());
        let cost = prices.reduce(Dollars::plus);
        (Some(idle.into_iter().map(|node| node.name.clone()).collect()), cost)
    }
}
