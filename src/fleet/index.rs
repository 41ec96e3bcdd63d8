//! Everything that is known of the fleet, object by object. One change costs in proportion to that change.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::event::KubeEvent;
use super::events::Events;
use super::runner::class_of;
use super::shelf::{Named, Shelf};
use super::wire::{ReadError, Uid};
use super::{Claim, Node, Pod, Pool, Prices, Resources, Runner};
use crate::ci::{JobId, RunnerId, Timestamp};

/// The kinds of objects that are watched.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Kind {
    Pod,
    Node,
    Claim,
    Pool,
    Event,
}

/// One object of any kind, shared by all who hold it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum Object {
    Pod(Arc<Pod>),
    Node(Arc<Node>),
    Claim(Arc<Claim>),
    Pool(Arc<Pool>),
    Event(Arc<KubeEvent>),
}

impl Object {
    /// Reads the object of a list or of a line of a watch.
    pub fn read(kind: Kind, object: &Value) -> Result<Self, ReadError> {
        Ok(match kind {
            Kind::Pod => Self::Pod(Arc::new(Pod::read(object)?)),
            Kind::Node => Self::Node(Arc::new(Node::read(object)?)),
            Kind::Claim => Self::Claim(Arc::new(Claim::read(object)?)),
            Kind::Pool => Self::Pool(Arc::new(Pool::read(object)?)),
            Kind::Event => Self::Event(Arc::new(KubeEvent::read(object)?)),
        })
    }

    /// What identifies it.
    pub fn uid(&self) -> &Uid {
        match self {
            Self::Pod(pod) => &pod.uid,
            Self::Node(node) => &node.uid,
            Self::Claim(claim) => &claim.uid,
            Self::Pool(pool) => &pool.uid,
            Self::Event(event) => &event.uid,
        }
    }
}

macro_rules! named {
    ($($kind:ty),*) => { $(
        impl Named for $kind {
            fn uid(&self) -> &Uid { &self.uid }
            fn name(&self) -> &Arc<str> { &self.name }
        }
    )* };
}
named!(Pod, Node, Claim, Pool);

/// Who is known: all objects, and the ways from one to another.
#[derive(Debug, Clone, Default)]
pub struct Fleet {
    pods: Shelf<Pod>,
    nodes: Shelf<Node>,
    claims: Shelf<Claim>,
    pools: Shelf<Pool>,
    events: Events,
    runners: BTreeMap<RunnerId, Arc<Runner>>,
    runner_names: HashMap<Arc<str>, RunnerId>,
    by_job: HashMap<JobId, BTreeSet<Uid>>,
    by_node: HashMap<Arc<str>, BTreeSet<Uid>>,
    by_class: BTreeMap<Arc<str>, BTreeSet<Uid>>,
    claim_of_machine: HashMap<Arc<str>, Uid>,
    claim_of_node: HashMap<Arc<str>, Uid>,
    types: HashMap<Arc<str>, Resources>,
    daemons: HashMap<Arc<str>, Resources>,
    listed: BTreeSet<Kind>,
    knows_runners: bool,
    /// The pods of every namespace are watched, so that what a node carries is known whole.
    pub sees_every_namespace: bool,
    pub prices: Prices,
}

impl Fleet {
    /// Takes an object in, in the place of what had its uid.
    pub fn upsert(&mut self, object: Object) {
        match object {
            Object::Pod(pod) => self.put_pod(pod),
            Object::Node(node) => {
                if let Some(name) = node.instance_type() {
                    self.know_type(name.clone(), node.machine());
                }
                self.nodes.put(node);
            }
            Object::Claim(claim) => {
                self.unlink_claim(&claim.uid);
                if let Some(machine) = &claim.provider_id {
                    self.claim_of_machine.insert(machine.clone(), claim.uid.clone());
                }
                if let Some(node) = &claim.node {
                    self.claim_of_node.insert(node.clone(), claim.uid.clone());
                }
                self.claims.put(claim);
            }
            Object::Pool(pool) => {
                self.pools.put(pool);
            }
            Object::Event(event) => self.events.put(event),
        }
    }

    /// Forgets an object. A uid that is not known changes nothing.
    pub fn delete(&mut self, kind: Kind, uid: &Uid) {
        match kind {
            Kind::Pod => {
                self.unlink_pod(uid);
                self.pods.take(uid);
            }
            Kind::Node => {
                self.nodes.take(uid);
            }
            Kind::Claim => {
                self.unlink_claim(uid);
                self.claims.take(uid);
            }
            Kind::Pool => {
                self.pools.take(uid);
            }
            Kind::Event => self.events.take(uid),
        }
    }

    /// A list came to its end, and these were on it: forgets what was not. Returns the uids of what went.
    pub fn listed(&mut self, kind: Kind, seen: &HashSet<Uid>) -> Vec<Uid> {
        self.listed.insert(kind);
        let gone = self.not_among(kind, None, seen);
        for uid in &gone {
            self.delete(kind, uid);
        }
        gone
    }

    /// Says whether all objects of a kind are known, so that what is not here is absent.
    pub fn set_known(&mut self, kind: Kind, is_known: bool) {
        if is_known {
            self.listed.insert(kind);
        } else {
            self.listed.remove(&kind);
        }
    }

    /// The objects of a kind that are not among these; of pods, only those of a namespace where one is given.
    pub fn not_among(&self, kind: Kind, namespace: Option<&str>, seen: &HashSet<Uid>) -> Vec<Uid> {
        let is_there = |pod: &&Pod| namespace.is_none_or(|namespace| &*pod.namespace == namespace);
        let gone = |uid: &&Uid| !seen.contains(*uid);
        match kind {
            Kind::Pod => self.pods.iter().filter(is_there).map(|pod| &pod.uid).filter(gone).cloned().collect(),
            Kind::Node => self.nodes.uids().filter(gone).cloned().collect(),
            Kind::Claim => self.claims.uids().filter(gone).cloned().collect(),
            Kind::Pool => self.pools.uids().filter(gone).cloned().collect(),
            Kind::Event => self.events.uids().filter(gone).cloned().collect(),
        }
    }

    /// Whether this kind was listed once: only then is what is not here known to be absent.
    pub fn knows(&self, kind: Kind) -> bool {
        self.listed.contains(&kind)
    }

    /// The whole list of runners, in the place of the one before.
    pub fn set_runners(&mut self, runners: impl IntoIterator<Item: Into<Arc<Runner>>>) {
        self.knows_runners = true;
        self.runners = runners.into_iter().map(Into::into).map(|runner| (runner.id, runner)).collect();
        self.runner_names = self.runners.values().map(|runner| (runner.description.clone(), runner.id)).collect();
    }

    /// Whether the list of runners is known.
    pub const fn knows_runners(&self) -> bool {
        self.knows_runners
    }

    /// What machines of a type have; learned from nodes, too. The larger is believed, since labels and nodes leave parts out.
    pub fn know_type(&mut self, name: Arc<str>, machine: Resources) {
        let known = self.types.entry(name).or_insert(machine);
        let larger = |a: Option<super::Quantity>, b| a.max(b);
        known.cpu = larger(known.cpu, machine.cpu);
        known.memory = larger(known.memory, machine.memory);
    }

    /// What daemons ask for on each node, by Karpenter's metrics; in the place of what was told before.
    pub fn set_daemons(&mut self, by_node: HashMap<Arc<str>, Resources>) {
        self.daemons = by_node;
    }

    /// What daemons ask for on a node, where metrics told.
    pub fn daemons_on(&self, node: &str) -> Option<&Resources> {
        self.daemons.get(node)
    }

    /// Forgets events of more than an hour ago.
    pub fn forget_events(&mut self, now: Timestamp) {
        self.events.forget(now);
    }

    pub fn pod(&self, uid: &Uid) -> Option<&Pod> {
        self.pods.get(uid)
    }

    pub fn pod_named(&self, name: &str) -> Option<&Pod> {
        self.pods.named(name)
    }

    pub fn node(&self, name: &str) -> Option<&Node> {
        self.nodes.named(name)
    }

    pub fn claim(&self, name: &str) -> Option<&Claim> {
        self.claims.named(name)
    }

    pub fn pool(&self, name: &str) -> Option<&Pool> {
        self.pools.named(name)
    }

    pub fn runner(&self, id: RunnerId) -> Option<&Runner> {
        self.runners.get(&id).map(|runner| &**runner)
    }

    pub fn runner_named(&self, description: &str) -> Option<&Runner> {
        self.runner(*self.runner_names.get(description)?)
    }

    pub fn machine_type(&self, name: &str) -> Option<&Resources> {
        self.types.get(name)
    }

    /// The claim of a node: by the machine, then by the name.
    pub fn claim_of(&self, node: &Node) -> Option<&Claim> {
        let by_machine = node.provider_id.as_ref().and_then(|id| self.claim_of_machine.get(id));
        self.claims.get(by_machine.or_else(|| self.claim_of_node.get(&node.name))?)
    }

    /// Every pod that says it is of this job, the newest first: a job that starts again has a new id, but a pod may be made twice.
    pub fn pods_of_job(&self, job: JobId) -> Vec<&Pod> {
        let mut pods: Vec<&Pod> =
            self.by_job.get(&job).into_iter().flatten().filter_map(|uid| self.pods.get(uid)).collect();
        pods.sort_by(|a, b| b.created.cmp(&a.created).then_with(|| a.uid.cmp(&b.uid)));
        pods
    }

    /// The pods that are bound to a node.
    pub fn pods_on(&self, node: &str) -> impl Iterator<Item = &Pod> {
        self.by_node.get(node).into_iter().flatten().filter_map(|uid| self.pods.get(uid))
    }

    /// The job pods that managers of a class made.
    pub fn pods_of_class(&self, class: &str) -> impl Iterator<Item = &Pod> {
        self.by_class.get(class).into_iter().flatten().filter_map(|uid| self.pods.get(uid))
    }

    pub fn pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter()
    }

    /// The pods of jobs.
    pub fn job_pods(&self) -> impl Iterator<Item = &Pod> {
        self.pods.iter().filter(|pod| pod.is_job)
    }

    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.iter()
    }

    pub fn claims(&self) -> impl Iterator<Item = &Claim> {
        self.claims.iter()
    }

    /// All pools by name.
    pub fn pools(&self) -> Vec<&Pool> {
        let mut pools: Vec<&Pool> = self.pools.iter().collect();
        pools.sort_by(|a, b| a.name.cmp(&b.name));
        pools
    }

    pub fn runners(&self) -> impl Iterator<Item = &Runner> {
        self.runners.values().map(|runner| &**runner)
    }

    /// The newest event first.
    pub fn events(&self) -> impl Iterator<Item = &KubeEvent> {
        self.events.iter()
    }

    /// The events about a pod, the newest first.
    pub fn events_of_pod(&self, pod: &Pod) -> Vec<&KubeEvent> {
        self.events.about("Pod", &pod.name, Some(&pod.uid))
    }

    /// The events about a claim, the newest first.
    pub fn events_of_claim(&self, claim: &Claim) -> Vec<&KubeEvent> {
        self.events.about("NodeClaim", &claim.name, Some(&claim.uid))
    }

    /// Events about a claim that is not known (any more), the newest first.
    pub fn events_of_claim_named(&self, name: &Arc<str>) -> Vec<&KubeEvent> {
        self.events.about("NodeClaim", name, None)
    }

    /// How many objects of a kind there are; `None` while none were listed.
    pub fn count(&self, kind: Kind) -> Option<usize> {
        let count = match kind {
            Kind::Pod => self.pods.len(),
            Kind::Node => self.nodes.len(),
            Kind::Claim => self.claims.len(),
            Kind::Pool => self.pools.len(),
            Kind::Event => self.events.len(),
        };
        self.knows(kind).then_some(count)
    }

    fn put_pod(&mut self, pod: Arc<Pod>) {
        self.unlink_pod(&pod.uid);
        if let Some(job) = pod.says.job {
            self.by_job.entry(job).or_default().insert(pod.uid.clone());
        }
        if let Some(node) = &pod.node {
            self.by_node.entry(node.clone()).or_default().insert(pod.uid.clone());
        }
        if let Some(runner) = pod.says.runner.as_ref().filter(|_| pod.is_job) {
            self.by_class.entry(class_of(runner)).or_default().insert(pod.uid.clone());
        }
        self.pods.put(pod);
    }

    fn unlink_pod(&mut self, uid: &Uid) {
        let Some(pod) = self.pods.get(uid) else { return };
        if let Some(job) = pod.says.job
            && let Some(pods) = self.by_job.get_mut(&job)
        {
            pods.remove(uid);
            if pods.is_empty() {
                self.by_job.remove(&job);
            }
        }
        if let Some(node) = &pod.node
            && let Some(pods) = self.by_node.get_mut(node)
        {
            pods.remove(uid);
            if pods.is_empty() {
                self.by_node.remove(node);
            }
        }
        if let Some(class) = pod.says.runner.as_ref().map(|runner| class_of(runner))
            && let Some(pods) = self.by_class.get_mut(&class)
        {
            pods.remove(uid);
            if pods.is_empty() {
                self.by_class.remove(&class);
            }
        }
    }

    fn unlink_claim(&mut self, uid: &Uid) {
        let Some(claim) = self.claims.get(uid) else { return };
        let (machine, node) = (claim.provider_id.clone(), claim.node.clone());
        if let Some(machine) = machine.filter(|machine| self.claim_of_machine.get(machine) == Some(uid)) {
            self.claim_of_machine.remove(&machine);
        }
        if let Some(node) = node.filter(|node| self.claim_of_node.get(node) == Some(uid)) {
            self.claim_of_node.remove(&node);
        }
    }
}
