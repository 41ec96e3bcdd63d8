//! What the machines cost by the hour, pool by pool, and how much of it is idle.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::place::price_of;
use super::{Dollars, Fleet, Kind};

/// The label of nodes that are there for jobs.
const FOR_JOBS: (&str, &str) = ("spack.io/pipeline", "true");

/// What one pool costs by the hour.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Hourly {
    pub nodes: usize,
    /// The sum of the prices that are known.
    pub known: Dollars,
    /// Nodes of unknown price.
    pub unpriced: usize,
    /// What nodes without any job cost, where nodes are there for jobs; `None` while pods are not known.
    pub idle: Option<Dollars>,
}

/// Sums up all nodes by pool; nodes of no pool stand under `None`.
pub fn hourly(fleet: &Fleet) -> BTreeMap<Option<Arc<str>>, Hourly> {
    let mut pools: BTreeMap<Option<Arc<str>>, Hourly> = BTreeMap::new();
    for node in fleet.nodes() {
        let sum = pools.entry(node.pool().cloned()).or_default();
        sum.nodes += 1;
        let price = price_of(fleet, node).found().copied();
        match price {
            Some(price) => sum.known = sum.known.plus(price),
            None => sum.unpriced += 1,
        }
        if fleet.knows(Kind::Pod) {
            let is_for_jobs = node.labels.get(FOR_JOBS.0).is_some_and(|value| &**value == FOR_JOBS.1);
            let is_busy = || fleet.pods_on(&node.name).any(|pod| pod.is_job && !pod.phase.is_over());
            let wasted = if is_for_jobs && !is_busy() { price.unwrap_or_default() } else { Dollars::ZERO };
            sum.idle = Some(sum.idle.unwrap_or_default().plus(wasted));
        }
    }
    pools
}
