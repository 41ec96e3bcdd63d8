//! The needs graph of one pipeline: who waits for whom, how deep each job lies, what a failure holds up and how long the rest will take.
//!
//! `console` builds one per pipeline when the topology is known and then feeds it job states as they arrive; the DAG screen, the jobs list
//! and the filter read it. Two halves: [`Topology`] never changes after it is built, [`Flow`] holds the states and every answer that
//! follows from them, and repairs only the answers that a change can reach. Unknown stays unknown: a job without a status is a ghost.

mod build;
mod flow;
mod reach;
#[cfg(test)]
mod tests;

use serde::{Deserialize, Serialize};

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use petgraph::Direction;
use petgraph::stable_graph::{NodeIndex, StableDiGraph};

use super::Status;
use flow::Flow;

/// One entry of a job's `needs`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Need {
    /// The name of the job that is needed.
    pub name: Arc<str>,
    /// The pipeline is valid without that job. Once the job exists it is waited for like any other.
    pub optional: bool,
}

/// A job's place in one `NeedsGraph`. Means nothing in another graph: across rebuilds a job is known by its name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeIx(u32);

impl NodeIx {
    /// A dense number from zero, for tables beside the graph.
    pub const fn index(self) -> usize {
        self.0 as usize
    }

    fn raw(self) -> NodeIndex {
        NodeIndex::new(self.index())
    }
}

impl From<NodeIndex> for NodeIx {
    fn from(raw: NodeIndex) -> Self {
        Self(raw.index() as u32)
    }
}

/// What is wrong with the `needs` of a pipeline. The rest of the graph works without the edges concerned.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Problem {
    /// A job needs one that the pipeline does not have.
    Missing { job: Arc<str>, need: Arc<str> },
    /// These jobs need each other in a circle; sorted by name.
    Cycle { jobs: Vec<Arc<str>> },
}

/// What the graph has to know of a job. The default is a ghost: not created, or not loaded yet.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct NodeState {
    pub status: Option<Status>,
    pub allow_failure: bool,
    /// How long the job will still keep a runner: the expected run time before it starts and after a failure that needs another try.
    pub expected_remaining: Duration,
}

impl NodeState {
    /// Nobody waits for it any more: it succeeded, or ended badly and is allowed to.
    pub fn is_done(&self) -> bool {
        self.status == Some(Status::Success) || (self.allow_failure && self.ended_badly())
    }

    /// Ended in a way that stops everything that needs it.
    pub fn is_broken(&self) -> bool {
        !self.allow_failure && self.ended_badly()
    }

    /// Has not started because its needs may not be met. GitLab skips a job whose need failed and revives it when that need is retried,
    /// so a skipped job waits too; a word of a newer GitLab is neither an end nor a success.
    pub fn is_waiting(&self) -> bool {
        matches!(self.status, None | Some(Status::Created | Status::Skipped | Status::Unknown(_)))
    }

    fn ended_badly(&self) -> bool {
        matches!(self.status, Some(Status::Failed | Status::Canceled))
    }
}

/// Jobs and needs, sorted into layers. An edge points from the need to the job that needs it; its weight says whether it is optional.
#[derive(Debug, Clone)]
struct Topology {
    graph: StableDiGraph<Arc<str>, bool>,
    by_name: HashMap<Arc<str>, NodeIx>,
    layers: Vec<Vec<NodeIx>>,
    layer: Vec<u32>,
    /// All nodes so that needs come first: the layers, one after the other.
    order: Vec<NodeIx>,
    /// Where in `order` a node stands.
    position: Vec<u32>,
    fingerprint: u64,
}

impl Topology {
    fn needs(&self, ix: NodeIx) -> impl Iterator<Item = NodeIx> + '_ {
        self.graph.neighbors_directed(ix.raw(), Direction::Incoming).map(NodeIx::from)
    }

    fn dependents(&self, ix: NodeIx) -> impl Iterator<Item = NodeIx> + '_ {
        self.graph.neighbors_directed(ix.raw(), Direction::Outgoing).map(NodeIx::from)
    }

    fn position(&self, ix: NodeIx) -> usize {
        self.position.get(ix.index()).map_or(0, |p| *p as usize)
    }
}

/// The needs graph of one pipeline with the states of its jobs.
#[derive(Debug, Clone)]
pub struct NeedsGraph {
    topology: Topology,
    problems: Vec<Problem>,
    flow: Flow,
}

impl NeedsGraph {
    /// Builds the graph from each job's name and needs. A name that comes twice (a retried job) is one node with the needs of both.
    /// Needs that are missing or go in a circle are listed in `problems` and left out of the graph.
    pub fn build<I>(jobs: I) -> Self
    where
        I: IntoIterator<Item = (Arc<str>, Vec<Need>)>,
    {
        let (topology, problems) = build::build(jobs);
        let flow = Flow::new(&topology);
        Self { topology, problems, flow }
    }

    /// How many jobs there are.
    pub fn len(&self) -> usize {
        self.topology.order.len()
    }

    /// Whether there is no job at all.
    pub fn is_empty(&self) -> bool {
        self.topology.order.is_empty()
    }

    /// A number that two graphs share only if they have the same jobs in the same order with the same needs.
    pub fn fingerprint(&self) -> u64 {
        self.topology.fingerprint
    }

    /// What is wrong with the needs, sorted.
    pub fn problems(&self) -> &[Problem] {
        &self.problems
    }

    /// The job of this name.
    pub fn find(&self, name: &str) -> Option<NodeIx> {
        self.topology.by_name.get(name).copied()
    }

    /// A job's name.
    pub fn name(&self, ix: NodeIx) -> &Arc<str> {
        static NOBODY: std::sync::LazyLock<Arc<str>> = std::sync::LazyLock::new(|| "".into());
        self.topology.graph.node_weight(ix.raw()).unwrap_or(&NOBODY)
    }

    /// All jobs, layer by layer: needs before the jobs that need them.
    pub fn nodes(&self) -> impl DoubleEndedIterator<Item = NodeIx> + '_ {
        self.topology.order.iter().copied()
    }

    /// The jobs that this one needs, in the order the pipeline lists them.
    pub fn needs(&self, ix: NodeIx) -> impl Iterator<Item = NodeIx> + '_ {
        self.topology.needs(ix)
    }

    /// The jobs that need this one.
    pub fn dependents(&self, ix: NodeIx) -> impl Iterator<Item = NodeIx> + '_ {
        self.topology.dependents(ix)
    }

    /// Whether `job` lists `need` as optional.
    pub fn is_optional(&self, need: NodeIx, job: NodeIx) -> bool {
        let edge = self.topology.graph.find_edge(need.raw(), job.raw());
        edge.and_then(|e| self.topology.graph.edge_weight(e)).is_some_and(|optional| *optional)
    }

    /// The length of the longest chain of needs before a job; zero for a job without needs.
    pub fn layer(&self, ix: NodeIx) -> usize {
        self.topology.layer.get(ix.index()).map_or(0, |l| *l as usize)
    }

    /// The jobs of each layer.
    pub fn layers(&self) -> &[Vec<NodeIx>] {
        &self.topology.layers
    }

    /// A job's status; `None` for a ghost.
    pub fn status(&self, ix: NodeIx) -> Option<Status> {
        self.state(ix).status
    }

    /// What the graph was told of a job.
    pub fn state(&self, ix: NodeIx) -> NodeState {
        self.flow.state(ix)
    }

    /// Takes a job's new state; returns whether that changed anything.
    pub fn set(&mut self, ix: NodeIx, state: NodeState) -> bool {
        self.set_all([(ix, state)])
    }

    /// Takes many new states at once: a page of jobs costs one repair of the answers, not one per job.
    pub fn set_all(&mut self, states: impl IntoIterator<Item = (NodeIx, NodeState)>) -> bool {
        self.flow.apply(&self.topology, states)
    }

    /// Whether a job waits, directly or through other waiting jobs, for one that failed or was canceled.
    pub fn is_blocked(&self, ix: NodeIx) -> bool {
        self.flow.is_blocked(ix)
    }

    /// How many failed or canceled jobs keep this one waiting.
    pub fn blocked_by(&self, ix: NodeIx) -> usize {
        self.failed_roots(ix).len()
    }

    /// The failed or canceled jobs that keep this one waiting, needs first.
    pub fn failed_roots(&self, ix: NodeIx) -> Vec<NodeIx> {
        self.flow.failed_roots(&self.topology, ix)
    }

    /// How many jobs that have not started wait, directly or through other waiting jobs, for this one; zero once it is done.
    pub fn blocks(&self, ix: NodeIx) -> usize {
        self.flow.blocks(ix)
    }

    /// The chain of unfinished jobs that takes longest, first job first. Among equals the earlier layer wins, then the name. Empty when
    /// nothing is left or no duration is known.
    pub fn critical_path(&self) -> Vec<NodeIx> {
        let mut path = Vec::new();
        if self.remaining().is_zero() {
            return path;
        }
        let mut candidates: Vec<NodeIx> = self.nodes().collect();
        while let Some(next) = self.most_urgent(&candidates) {
            path.push(next);
            candidates = self.dependents(next).collect();
        }
        path
    }

    /// How long the unfinished rest takes if runners are never short: the length of the critical path.
    pub fn remaining(&self) -> Duration {
        self.nodes().map(|ix| self.flow.tail(ix)).max().unwrap_or_default()
    }

    /// How long it takes from the start (or, when it runs, from now) of this job to the end of the longest chain that waits for it.
    pub fn remaining_from(&self, ix: NodeIx) -> Duration {
        self.flow.tail(ix)
    }

    fn most_urgent(&self, candidates: &[NodeIx]) -> Option<NodeIx> {
        let open = candidates.iter().copied().filter(|ix| !self.state(*ix).is_done());
        open.min_by(|a, b| {
            let tails = self.flow.tail(*b).cmp(&self.flow.tail(*a));
            tails.then(self.layer(*a).cmp(&self.layer(*b))).then_with(|| self.name(*a).cmp(self.name(*b)))
        })
    }
}
