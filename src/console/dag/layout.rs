//! The order of the jobs inside their layers, chosen so that needs cross little.
//!
//! Depends on the topology and on the layout before it, never on states: a job that starts, fails or ends stays where it is. Called by `View`
//! when the topology changed. Jobs that were there keep their order and new ones go to the end of their layer; only when so much is new that
//! the old order means little is everything sorted again, starting from that order.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ci::{NeedsGraph, NodeIx};

/// Sweeps down and up; more of them change next to nothing.
const SWEEPS: usize = 4;
/// When more than one job in this many is new, the old order is a starting point only.
const FEW: usize = 5;
/// The span of one layer, in the fixed-point numbers that positions are compared in.
const SPAN: u64 = 1 << 24;

/// Where each job stands inside its layer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layout {
    fingerprint: u64,
    order: Vec<Vec<NodeIx>>,
    names: Vec<Vec<Arc<str>>>,
    rank: Vec<u32>,
    /// Ranks scaled to `SPAN`, so that layers of different size can be compared.
    spots: Vec<u64>,
    settled: bool,
}

impl Layout {
    /// Orders the jobs of a graph, close to the order they had before.
    pub fn of(graph: &NeedsGraph, previous: Option<&Self>) -> Self {
        let mut layout = Self {
            fingerprint: graph.fingerprint(),
            order: graph.layers().to_vec(),
            names: Vec::with_capacity(graph.layers().len()),
            rank: vec![0; graph.len()],
            spots: vec![0; graph.len()],
            settled: false,
        };
        let known = previous.map(Self::memory).unwrap_or_default();
        let place = |ix: NodeIx| known.get(graph.name(ix)).filter(|(layer, _)| *layer == graph.layer(ix)).map(|p| p.1);
        let newcomers = graph.nodes().filter(|ix| place(*ix).is_none()).count();
        layout.settled = previous.is_some() && newcomers * FEW <= graph.len();

        for layer in 0..layout.order.len() {
            let mut members = layout.order.get_mut(layer).map(std::mem::take).unwrap_or_default();
            if layout.settled {
                let pull = |ix: NodeIx| layout.pull(graph.needs(ix)).unwrap_or(SPAN);
                members.sort_by_cached_key(|ix| {
                    let place = place(*ix);
                    (place.unwrap_or(usize::MAX), place.map_or_else(|| pull(*ix), |_| 0), graph.name(*ix).clone())
                });
            } else {
                members.sort_by_cached_key(|ix| (place(*ix).unwrap_or(usize::MAX), graph.name(*ix).clone()));
            }
            layout.seat(layer, members);
        }
        if !layout.settled {
            for sweep in 0..SWEEPS {
                layout.sweep(graph, sweep % 2 == 0);
            }
        }
        let names = layout.order.iter().map(|layer| layer.iter().map(|ix| graph.name(*ix).clone()).collect()).collect();
        Self { names, ..layout }
    }

    /// Whether this is the layout of exactly this topology.
    pub fn fits(&self, graph: &NeedsGraph) -> bool {
        self.fingerprint == graph.fingerprint()
    }

    /// Whether the order before it was kept; rows on a screen then still mean something.
    pub(super) const fn is_settled(&self) -> bool {
        self.settled
    }

    /// A job's place in its layer, from zero.
    pub fn rank(&self, ix: NodeIx) -> usize {
        self.rank.get(ix.index()).map_or(0, |rank| *rank as usize)
    }

    /// The jobs of each layer, in order.
    pub fn layers(&self) -> &[Vec<NodeIx>] {
        &self.order
    }

    fn memory(&self) -> HashMap<Arc<str>, (usize, usize)> {
        let named = |(layer, names): (usize, &Vec<Arc<str>>)| {
            names.iter().enumerate().map(|(rank, name)| (name.clone(), (layer, rank))).collect::<Vec<_>>()
        };
        self.names.iter().enumerate().flat_map(named).collect()
    }

    /// Writes down the order of one layer.
    fn seat(&mut self, layer: usize, members: Vec<NodeIx>) {
        let count = members.len() as u64;
        for (rank, ix) in members.iter().enumerate() {
            if let Some((slot, spot)) = self.rank.get_mut(ix.index()).zip(self.spots.get_mut(ix.index())) {
                *slot = rank as u32;
                *spot = (2 * rank as u64 + 1) * SPAN / (2 * count);
            }
        }
        if let Some(slot) = self.order.get_mut(layer) {
            *slot = members;
        }
    }

    /// The mean spot of some neighbours; `None` when there is none.
    fn pull(&self, neighbours: impl Iterator<Item = NodeIx>) -> Option<u64> {
        let spots = neighbours.filter_map(|ix| self.spots.get(ix.index()));
        let (sum, count) = spots.fold((0, 0), |(sum, count), spot| (sum + spot, count + 1));
        (count > 0).then(|| sum / count)
    }

    /// Sorts each layer by what its jobs need (downwards) or by who needs them (upwards). The sort is stable: equals keep their order,
    /// which began as the previous order and then the name.
    fn sweep(&mut self, graph: &NeedsGraph, downwards: bool) {
        let depth = self.order.len();
        for step in 0..depth {
            let layer = if downwards { step } else { depth - 1 - step };
            let members = self.order.get_mut(layer).map(std::mem::take).unwrap_or_default();
            let mut pulled: Vec<(u64, NodeIx)> = members
                .into_iter()
                .map(|ix| {
                    let pull = if downwards { self.pull(graph.needs(ix)) } else { self.pull(graph.dependents(ix)) };
                    (pull.or_else(|| self.spots.get(ix.index()).copied()).unwrap_or_default(), ix)
                })
                .collect();
            pulled.sort_by_key(|(pull, _)| *pull);
            self.seat(layer, pulled.into_iter().map(|(_, ix)| ix).collect());
        }
    }
}
