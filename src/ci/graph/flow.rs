//! The states of the jobs and what follows from them: who is blocked, how many wait behind each job, how long the longest rest is.
//!
//! Three answers are kept per node and repaired after a change: `waiting` sets and `tail` times against the arrows (a job asks those that
//! need it), the `blocked` marks along them. A repair visits a node only when a neighbour's answer really changed, and each node at most
//! once per batch, because positions are taken in order. Called by `NeedsGraph` only.

use std::time::Duration;

use super::reach::{Agenda, Reach, count, join};
use super::{NodeIx, NodeState, Topology};

#[derive(Debug, Clone)]
pub(super) struct Flow {
    states: Vec<NodeState>,
    blocked: Vec<bool>,
    tails: Vec<Duration>,
    /// Per position: the waiting jobs behind a node, reached through waiting jobs only.
    waiting: Reach,
    blocks: Vec<u32>,
    sets_to_repair: Agenda,
    tails_to_repair: Agenda,
    marks_to_repair: Agenda,
    scratch: Vec<u64>,
}

impl Flow {
    /// Starts with ghosts only.
    pub(super) fn new(topology: &Topology) -> Self {
        let count = topology.order.len();
        let mut flow = Self {
            states: vec![NodeState::default(); count],
            blocked: vec![false; count],
            tails: vec![Duration::ZERO; count],
            waiting: Reach::new(count),
            blocks: vec![0; count],
            sets_to_repair: Agenda::new(count),
            tails_to_repair: Agenda::new(count),
            marks_to_repair: Agenda::new(count),
            scratch: Vec::new(),
        };
        (0..count).for_each(|position| flow.sets_to_repair.add(position));
        flow.repair(topology);
        flow
    }

    pub(super) fn state(&self, ix: NodeIx) -> NodeState {
        self.states.get(ix.index()).copied().unwrap_or_default()
    }

    pub(super) fn is_blocked(&self, ix: NodeIx) -> bool {
        self.blocked.get(ix.index()).is_some_and(|blocked| *blocked)
    }

    pub(super) fn blocks(&self, ix: NodeIx) -> usize {
        if self.state(ix).is_done() { 0 } else { self.blocks.get(ix.index()).map_or(0, |count| *count as usize) }
    }

    pub(super) fn tail(&self, ix: NodeIx) -> Duration {
        self.tails.get(ix.index()).copied().unwrap_or_default()
    }

    pub(super) fn failed_roots(&self, topology: &Topology, ix: NodeIx) -> Vec<NodeIx> {
        let mut roots = Vec::new();
        let mut seen = vec![false; self.states.len()];
        let mut stack = if self.is_blocked(ix) { vec![ix] } else { Vec::new() };
        while let Some(at) = stack.pop() {
            for need in topology.needs(at) {
                let first = seen.get_mut(need.index()).is_some_and(|seen| !std::mem::replace(seen, true));
                if first && self.state(need).is_broken() {
                    roots.push(need);
                } else if first && self.is_blocked(need) {
                    stack.push(need);
                }
            }
        }
        roots.sort_unstable_by_key(|root| topology.position(*root));
        roots
    }

    pub(super) fn apply(
        &mut self,
        topology: &Topology,
        changes: impl IntoIterator<Item = (NodeIx, NodeState)>,
    ) -> bool {
        let mut changed = false;
        for (ix, new) in changes {
            let Some(slot) = self.states.get_mut(ix.index()).filter(|old| **old != new) else { continue };
            let old = std::mem::replace(slot, new);
            changed = true;
            if old.is_waiting() != new.is_waiting() {
                topology.needs(ix).for_each(|need| self.sets_to_repair.add(topology.position(need)));
                self.marks_to_repair.add(topology.position(ix));
            }
            if old.is_broken() != new.is_broken() {
                topology.dependents(ix).for_each(|job| self.marks_to_repair.add(topology.position(job)));
            }
            if old.is_done() != new.is_done() || old.expected_remaining != new.expected_remaining {
                self.tails_to_repair.add(topology.position(ix));
            }
        }
        self.repair(topology);
        changed
    }

    fn repair(&mut self, topology: &Topology) {
        let at = |position: usize| topology.order.get(position).copied();
        while let Some((position, ix)) = self.sets_to_repair.take_last().and_then(|p| Some((p, at(p)?))) {
            self.repair_set(topology, position, ix);
        }
        while let Some(ix) = self.tails_to_repair.take_last().and_then(at) {
            self.repair_tail(topology, ix);
        }
        while let Some(ix) = self.marks_to_repair.take_first().and_then(at) {
            self.repair_mark(topology, ix);
        }
    }

    fn repair_set(&mut self, topology: &Topology, position: usize, ix: NodeIx) {
        self.scratch.clear();
        self.scratch.resize(self.waiting.row(position).len(), 0);
        for job in topology.dependents(ix) {
            if self.states.get(job.index()).is_some_and(NodeState::is_waiting) {
                let to = topology.position(job);
                join(&mut self.scratch, position, to, self.waiting.row(to));
            }
        }
        if self.waiting.replace(position, &self.scratch) {
            if let Some(slot) = self.blocks.get_mut(ix.index()) {
                *slot = count(&self.scratch);
            }
            if self.state(ix).is_waiting() {
                topology.needs(ix).for_each(|need| self.sets_to_repair.add(topology.position(need)));
            }
        }
    }

    fn repair_tail(&mut self, topology: &Topology, ix: NodeIx) {
        let state = self.state(ix);
        let tail = if state.is_done() {
            Duration::ZERO
        } else {
            let after = topology.dependents(ix).map(|job| self.tail(job)).max().unwrap_or_default();
            state.expected_remaining.saturating_add(after)
        };
        if let Some(slot) = self.tails.get_mut(ix.index()).filter(|old| **old != tail) {
            *slot = tail;
            topology.needs(ix).for_each(|need| self.tails_to_repair.add(topology.position(need)));
        }
    }

    fn repair_mark(&mut self, topology: &Topology, ix: NodeIx) {
        let held = |need: NodeIx| self.state(need).is_broken() || self.is_blocked(need);
        let blocked = self.state(ix).is_waiting() && topology.needs(ix).any(held);
        if let Some(slot) = self.blocked.get_mut(ix.index()).filter(|old| **old != blocked) {
            *slot = blocked;
            topology.dependents(ix).for_each(|job| self.marks_to_repair.add(topology.position(job)));
        }
    }
}
