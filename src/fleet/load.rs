//! What a node carries: requested of allocatable, and the part that is every node's own.

use super::{Fleet, Node, Resources};

/// What pods ask of a node.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Load {
    /// Asked for by the pods on it that are known and not over.
    pub requested: Resources,
    /// What daemons ask for, by their pods or else by metrics; `None` where neither is known.
    pub daemons: Option<Resources>,
    /// The pods of every namespace are known. Else `requested` is a lower bound.
    pub is_whole: bool,
    /// What it has for pods.
    pub allocatable: Resources,
    /// Pods of jobs that are not over.
    pub jobs: usize,
    /// Scripts that run now.
    pub builds: usize,
}

impl Load {
    /// Sums up one node.
    pub fn of(fleet: &Fleet, node: &Node) -> Self {
        let mut load = Self {
            requested: Resources::NONE,
            daemons: fleet.sees_every_namespace.then_some(Resources::NONE),
            is_whole: fleet.sees_every_namespace,
            allocatable: node.allocatable,
            jobs: 0,
            builds: 0,
        };
        for pod in fleet.pods_on(&node.name).filter(|pod| !pod.phase.is_over()) {
            load.requested = load.requested.plus(&pod.requests);
            if pod.is_daemon {
                load.daemons = load.daemons.map(|sum| sum.plus(&pod.requests));
            }
            load.jobs += usize::from(pod.is_job);
            load.builds += usize::from(pod.is_job && pod.is_building());
        }
        load.daemons = load.daemons.or_else(|| fleet.daemons_on(&node.name).copied());
        load
    }

    /// The requested part of the allocatable CPU; a lower bound unless the load is whole.
    pub fn cpu_share(&self) -> Option<f64> {
        self.requested.cpu?.share_of(self.allocatable.cpu?)
    }

    pub fn memory_share(&self) -> Option<f64> {
        self.requested.memory?.share_of(self.allocatable.memory?)
    }

    /// It carries nothing but daemons; `None` where pods of other namespaces may be on it.
    pub fn is_idle(&self) -> Option<bool> {
        if self.jobs > 0 {
            return Some(false);
        }
        self.daemons.filter(|_| self.is_whole).map(|daemons| daemons == self.requested)
    }
}
