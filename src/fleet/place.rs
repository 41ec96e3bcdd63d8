//! The join: from a job to its pod, node, claim, pool, price, spec and runner; whatever is missing says why.

use std::fmt;
use std::sync::Arc;

use super::index::{Fleet, Kind};
use super::pending::promise;
use super::price::{Dollars, Offer};
use super::runner::{Host, HostNames};
use super::{Claim, Node, Pod, Pool, Runner};
use crate::ci::{Job, JobId};

/// One link of the join.
#[derive(Debug, Clone, PartialEq)]
pub enum Link<T> {
    Found(T),
    /// Found by a value that may have been rewritten or cut off, or by a promise that may be broken.
    Inexact(T),
    Missing(Gap),
}

/// Why a link is missing.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Gap {
    /// Nobody listed objects of this kind yet, or may not.
    NotListed(&'static str),
    /// The pod names no job.
    PodNamesNoJob,
    /// The pod's labels and annotations name different jobs.
    PodNamesTwoJobs,
    /// The job has no runner yet.
    NotStarted,
    /// The job's runner makes no pods: a shell on a host of its own.
    NoPods,
    /// No pod says that it is of this job: not made yet, or removed.
    NoPod(JobId),
    /// The pod was not given a node.
    NotScheduled,
    /// The pod's node is not in the cluster any more.
    NodeGone(Arc<str>),
    /// No claim has this node's machine: it was not made by Karpenter, or the claim is gone.
    NoClaim(Arc<str>),
    /// The node does not say which pool it is of.
    NoPoolNamed(Arc<str>),
    PoolGone(Arc<str>),
    /// The node does not say its type, how it was bought, or its zone.
    NotPriceable(&'static str),
    NoPrice(Offer),
    /// The job is of no package: generate, index, sign.
    NoPackage,
    /// The package is named, its hash is not.
    NoHash,
    /// The pod does not name its runner.
    NoRunnerNamed,
    /// GitLab's list of runners has none of this name.
    RunnerGone(Arc<str>),
    /// What stands before it in the chain is missing.
    Behind(&'static str),
}

/// The spec that a job builds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BuiltSpec {
    pub package: Arc<str>,
    pub version: Option<Arc<str>>,
    pub hash: Arc<str>,
}

/// One job with everything that it stands on.
#[derive(Debug, Clone)]
pub struct Place<'a> {
    pub job: Link<JobId>,
    pub pod: Link<&'a Pod>,
    pub node: Link<&'a Node>,
    pub claim: Link<&'a Claim>,
    pub pool: Link<&'a Pool>,
    /// Of the node, by the hour.
    pub price: Link<Dollars>,
    pub spec: Link<BuiltSpec>,
    pub runner: Link<&'a Runner>,
}

impl<T> Link<T> {
    pub const fn found(&self) -> Option<&T> {
        match self {
            Self::Found(value) | Self::Inexact(value) => Some(value),
            Self::Missing(_) => None,
        }
    }

    pub const fn gap(&self) -> Option<&Gap> {
        match self {
            Self::Missing(gap) => Some(gap),
            Self::Found(_) | Self::Inexact(_) => None,
        }
    }

    fn of(found: Option<T>, gap: impl FnOnce() -> Gap) -> Self {
        found.map_or_else(|| Self::Missing(gap()), Self::Found)
    }
}

impl<'a> Place<'a> {
    /// Joins from a pod.
    pub fn of_pod(fleet: &'a Fleet, pod: &'a Pod) -> Self {
        let says = &pod.says;
        let job = match says.job {
            Some(_) if says.has_two_jobs => Link::Missing(Gap::PodNamesTwoJobs),
            Some(job) => Link::Found(job),
            None => Link::Missing(Gap::PodNamesNoJob),
        };
        let (node, claim, pool, price) = match &pod.node {
            Some(name) => Self::node_links(fleet, name),
            None => {
                let (claim, pool) = Self::promised_links(fleet, pod);
                (Link::Missing(Gap::NotScheduled), claim, pool, Link::Missing(Gap::Behind("node")))
            }
        };
        let spec = match (&says.package, &says.hash) {
            (None, _) => Link::Missing(Gap::NoPackage),
            (Some(_), None) => Link::Missing(Gap::NoHash),
            (Some(package), Some(hash)) => {
                let spec =
                    BuiltSpec { package: package.value.clone(), version: says.version.clone(), hash: hash.clone() };
                if package.is_exact { Link::Found(spec) } else { Link::Inexact(spec) }
            }
        };
        let runner = match &says.runner {
            None => Link::Missing(Gap::NoRunnerNamed),
            Some(_) if !fleet.knows_runners() => Link::Missing(Gap::NotListed("runners")),
            Some(name) => Link::of(fleet.runner_named(name), || Gap::RunnerGone(name.clone())),
        };
        Self { job, pod: Link::Found(pod), node, claim, pool, price, spec, runner }
    }

    /// Joins from a job, to the newest pod that says it is of that job.
    pub fn of_job(fleet: &'a Fleet, job: &Job, hosts: &HostNames) -> Self {
        if let Some(pod) = fleet.pods_of_job(job.id).first() {
            return Self { job: Link::Found(job.id), ..Self::of_pod(fleet, pod) };
        }
        let runner = match &job.runner {
            None => Link::Missing(Gap::NotStarted),
            Some(_) if !fleet.knows_runners() => Link::Missing(Gap::NotListed("runners")),
            Some(named) => Link::of(fleet.runner(named.id), || Gap::RunnerGone(named.description.clone())),
        };
        let is_elsewhere = job.runner.as_ref().is_some_and(|runner| hosts.host(&runner.description) != Host::Cluster);
        let no_pod = match () {
            () if job.runner.is_none() => Gap::NotStarted,
            () if is_elsewhere => Gap::NoPods,
            () if !fleet.knows(Kind::Pod) => Gap::NotListed("pods"),
            () => Gap::NoPod(job.id),
        };
        let spec = crate::ci::SpecName::parse(&job.name).map(|name| BuiltSpec {
            package: name.package.into(),
            version: Some(name.version.into()),
            hash: name.hash.into(),
        });
        Self {
            job: Link::Found(job.id),
            pod: Link::Missing(no_pod),
            node: Link::Missing(Gap::Behind("pod")),
            claim: Link::Missing(Gap::Behind("pod")),
            pool: Link::Missing(Gap::Behind("pod")),
            price: Link::Missing(Gap::Behind("pod")),
            spec: Link::of(spec, || Gap::NoPackage),
            runner,
        }
    }

    /// Every missing link with its name, in the order of the chain. What is missing only because something before it is, is left out.
    pub fn missing(&self) -> Vec<(&'static str, &Gap)> {
        let links = [
            ("job", self.job.gap()),
            ("pod", self.pod.gap()),
            ("node", self.node.gap()),
            ("claim", self.claim.gap()),
            ("pool", self.pool.gap()),
            ("price", self.price.gap()),
            ("spec", self.spec.gap()),
            ("runner", self.runner.gap()),
        ];
        let told = links.into_iter().filter_map(|(name, gap)| Some((name, gap?)));
        told.filter(|(_, gap)| !matches!(gap, Gap::Behind(_))).collect()
    }

    /// What Karpenter promised a pod without a node. It may still break its word.
    fn promised_links(fleet: &'a Fleet, pod: &Pod) -> (Link<&'a Claim>, Link<&'a Pool>) {
        let named = || {
            let (_, promised) = promise(&fleet.events_of_pod(pod))?;
            let by_node = || fleet.claim_of(fleet.node(promised.node.as_ref()?)?);
            promised.claim.as_ref().and_then(|name| fleet.claim(name)).or_else(by_node)
        };
        let claim = named();
        let pool = claim.and_then(|claim| fleet.pool(claim.pool.as_ref()?));
        let behind = || Gap::Behind("node");
        (
            claim.map_or_else(|| Link::Missing(behind()), Link::Inexact),
            pool.map_or_else(|| Link::Missing(behind()), Link::Inexact),
        )
    }

    fn node_links(
        fleet: &'a Fleet,
        name: &Arc<str>,
    ) -> (Link<&'a Node>, Link<&'a Claim>, Link<&'a Pool>, Link<Dollars>) {
        let Some(node) = fleet.node(name) else {
            let gap = if fleet.knows(Kind::Node) { Gap::NodeGone(name.clone()) } else { Gap::NotListed("nodes") };
            // The claim may still be there, and knows its pool.
            let behind = || Link::Missing(Gap::Behind("node"));
            return (
                Link::Missing(gap),
                behind(),
                Link::Missing(Gap::Behind("node")),
                Link::Missing(Gap::Behind("node")),
            );
        };
        (Link::Found(node), claim_of(fleet, node), pool_of(fleet, node), price_of(fleet, node))
    }
}

/// The claim that made a node.
pub fn claim_of<'a>(fleet: &'a Fleet, node: &Node) -> Link<&'a Claim> {
    match fleet.claim_of(node) {
        Some(claim) => Link::Found(claim),
        None if !fleet.knows(Kind::Claim) => Link::Missing(Gap::NotListed("node claims")),
        None => Link::Missing(Gap::NoClaim(node.name.clone())),
    }
}

/// The pool of a node.
pub fn pool_of<'a>(fleet: &'a Fleet, node: &Node) -> Link<&'a Pool> {
    let claimed = || fleet.claim_of(node).and_then(|claim| claim.pool.as_ref());
    match node.pool().or_else(claimed) {
        None => Link::Missing(Gap::NoPoolNamed(node.name.clone())),
        Some(_) if !fleet.knows(Kind::Pool) => Link::Missing(Gap::NotListed("node pools")),
        Some(name) => Link::of(fleet.pool(name), || Gap::PoolGone(name.clone())),
    }
}

/// What a node costs by the hour.
pub fn price_of(fleet: &Fleet, node: &Node) -> Link<Dollars> {
    let Some(instance_type) = node.instance_type() else { return Link::Missing(Gap::NotPriceable("its type")) };
    let Some(capacity_type) = node.capacity_type() else {
        return Link::Missing(Gap::NotPriceable("how it was bought"));
    };
    let Some(zone) = node.zone() else { return Link::Missing(Gap::NotPriceable("its zone")) };
    let offer =
        Offer { instance_type: instance_type.clone(), capacity_type: capacity_type.clone(), zone: zone.clone() };
    Link::of(fleet.prices.get(&offer), || Gap::NoPrice(offer))
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotListed(what) => write!(f, "no {what} were listed yet"),
            Self::PodNamesNoJob => f.write_str("the pod names no job"),
            Self::PodNamesTwoJobs => f.write_str("the pod's labels and annotations name different jobs"),
            Self::NotStarted => f.write_str("no runner took the job yet"),
            Self::NoPods => f.write_str("its runner stands outside the cluster and makes no pods"),
            Self::NoPod(job) => write!(f, "no pod says that it is of job {job}: not made yet, or removed"),
            Self::NotScheduled => f.write_str("the pod has no node yet"),
            Self::NodeGone(node) => write!(f, "node {node} is not in the cluster any more"),
            Self::NoClaim(node) => {
                write!(f, "no node claim has the machine of {node}: Karpenter did not make it, or its claim is gone")
            }
            Self::NoPoolNamed(node) => write!(f, "node {node} names no pool"),
            Self::PoolGone(pool) => write!(f, "there is no node pool {pool}"),
            Self::NotPriceable(what) => write!(f, "the node does not say {what}"),
            Self::NoPrice(offer) => write!(f, "no price is known for {offer}"),
            Self::NoPackage => f.write_str("the job builds no package"),
            Self::NoHash => f.write_str("the pod names a package and no hash"),
            Self::NoRunnerNamed => f.write_str("the pod does not name its runner"),
            Self::RunnerGone(runner) => write!(f, "GitLab lists no runner {runner}"),
            Self::Behind(what) => write!(f, "its {what} is missing"),
        }
    }
}
