//! Reads a cluster once, into one fleet.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Instant;

use crate::adapters::clock::{Clock, SystemClock};
use crate::adapters::kube::{self, Access, Cluster, Settings};
use crate::ci::Timestamp;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::Progress;
use crate::console::fault::Fault;
use crate::fleet::{Fleet, Kind, Load, Node, Object, Pending, Pod, RunnerClass, Thresholds, Uid};

/// What there was to see.
pub struct Seen {
    pub fleet: Fleet,
    pub at: Timestamp,
    /// `None`: the cluster did not say.
    pub has_karpenter: Option<bool>,
    pub sources: Vec<Source>,
    pub thresholds: Thresholds,
}

/// One kind of objects, and how reading it went.
pub struct Source {
    pub what: &'static str,
    pub outcome: Result<Read, Fault>,
}

/// What was read.
pub struct Read {
    pub objects: usize,
    /// Objects that could not be used.
    pub unreadable: usize,
}

impl Seen {
    /// Whether everything could be read.
    pub fn is_complete(&self) -> bool {
        self.sources.iter().all(|source| matches!(source.outcome, Ok(Read { unreadable: 0, .. })))
    }

    /// Nodes, by name.
    pub fn nodes(&self) -> Vec<&Node> {
        let mut nodes: Vec<&Node> = self.fleet.nodes().collect();
        nodes.sort_by(|a, b| a.name.cmp(&b.name));
        nodes
    }

    /// Pods of jobs, by name.
    pub fn pods(&self) -> Vec<&Pod> {
        let mut pods: Vec<&Pod> = self.fleet.job_pods().collect();
        pods.sort_by(|a, b| (&a.namespace, &a.name).cmp(&(&b.namespace, &b.name)));
        pods
    }

    /// What a node carries; `None` while pods are not known.
    pub fn load(&self, node: &Node) -> Option<Load> {
        self.fleet.knows(Kind::Pod).then(|| Load::of(&self.fleet, node))
    }

    /// Pods of a class that wait for a node or for their containers.
    pub fn pending_of(&self, class: &RunnerClass) -> usize {
        let pods = self.fleet.pods_of_class(&class.name);
        pods.filter(|pod| Pending::of(&self.fleet, pod, &self.thresholds, self.at).is_some()).count()
    }
}

/// Reads nodes, pods, events, and what Karpenter made. What cannot be read is named and does not spoil the rest, unless that is everything.
pub async fn gather(access: Access, may_run_login: bool, namespace: &str) -> Result<Seen, Failure> {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let settings = Settings { may_run_login, ..Settings::new(access) };
    let cluster = Cluster::new(settings, Arc::clone(&clock)).await.map_err(|fault| told(&fault, clock.now()))?;
    let pods = kube::Kind::Pods { namespace: namespace.to_owned(), labels: None };
    let mut wanted = vec![
        ("nodes", kube::Kind::Nodes, Kind::Node),
        ("pods", pods, Kind::Pod),
        ("events", kube::Kind::Events, Kind::Event),
    ];
    let mut seen = Seen {
        fleet: Fleet::default(),
        at: clock.now(),
        has_karpenter: None,
        sources: Vec::new(),
        thresholds: Thresholds::default(),
    };
    match cluster.has_karpenter().await {
        Ok(is_there) => seen.has_karpenter = Some(is_there),
        Err(fault) => seen.sources.push(Source { what: "API groups", outcome: Err(fault) }),
    }
    if seen.has_karpenter == Some(true) {
        wanted.push(("node pools", kube::Kind::NodePools, Kind::Pool));
        wanted.push(("node claims", kube::Kind::NodeClaims, Kind::Claim));
    }
    let (begun, mut progress) = (Instant::now(), Progress::new());
    for (what, asked, kind) in wanted {
        if begun.elapsed() >= Progress::PATIENCE {
            progress.say(&format!("reading {what} …"));
        }
        let outcome = cluster.list(&asked).await.map(|objects| take(&mut seen.fleet, kind, &objects));
        seen.sources.push(Source { what, outcome });
    }
    drop(progress);
    seen.at = cluster.server_now();
    match seen.sources.first() {
        Some(Source { outcome: Err(fault), .. }) if seen.sources.iter().all(|source| source.outcome.is_err()) => {
            Err(told(fault, seen.at))
        }
        _ => Ok(seen),
    }
}

/// Takes a whole list in.
fn take(fleet: &mut Fleet, kind: Kind, objects: &[kube::Object]) -> Read {
    let mut seen: HashSet<Uid> = HashSet::new();
    let mut unreadable = 0;
    for object in objects {
        match Object::read(kind, &object.json()) {
            Ok(read) => {
                seen.insert(read.uid().clone());
                fleet.upsert(read);
            }
            Err(_) => unreadable += 1,
        }
    }
    // What could not be used may be what somebody looks for: it is not known to be absent.
    if unreadable == 0 {
        fleet.listed(kind, &seen);
    }
    Read { objects: objects.len(), unreadable }
}

fn told(fault: &Fault, now: Timestamp) -> Failure {
    let exit = Failure::remote(fault, now).exit();
    let remedy =
        if exit == Exit::Unreachable { "; check the kubeconfig and the network, then run it again" } else { "" };
    Failure::new(exit, format!("{fault}{remedy}"))
}
