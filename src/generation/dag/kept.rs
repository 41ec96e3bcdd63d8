//! What is left after pruning: the nodes that become jobs, in order, with their needs.

use super::lists::{Lists, Sorted};
use super::sweep::{Needs, sweep};

/// The nodes that were kept. They have the places that they had before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    sorted: Sorted,
    levels: Vec<u32>,
    height: u32,
}

impl Kept {
    /// Sorts the nodes, which come in any order that has children before their parents.
    pub(super) fn new(children: Lists, nodes: impl Iterator<Item = u32>) -> Self {
        let mut levels = vec![0; children.len()];
        let mut groups: Vec<Vec<u32>> = Vec::new();
        for node in nodes {
            let below = children.of(node).iter().filter_map(|child| levels.get(*child as usize)).max();
            let level = below.map_or(0, |level| level + 1);
            if let Some(slot) = levels.get_mut(node as usize) {
                *slot = level;
            }
            match groups.get_mut(level as usize) {
                Some(group) => group.push(node),
                None => groups.push(vec![node]),
            }
        }
        let height = groups.len() as u32;
        Self { sorted: queued(children, groups), levels, height }
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.sorted.order.len()
    }

    /// Whether nothing is left.
    pub fn is_empty(&self) -> bool {
        self.sorted.order.is_empty()
    }

    /// How many needs there are, all nodes together.
    pub fn needs(&self) -> usize {
        self.sorted.children.total()
    }

    /// Whether a node was kept.
    pub fn contains(&self, node: u32) -> bool {
        self.sorted.rank(node) != Sorted::ABSENT
    }

    /// The nodes in the order of Kahn's algorithm, first in, first out, from the leaves up; what becomes ready at once is sorted by place.
    /// So levels never fall along it. Reduction does not change it: the child that a node waits for last is one that it keeps.
    pub fn order(&self) -> &[u32] {
        &self.sorted.order
    }

    /// What a node needs, sorted by place.
    pub fn children(&self, node: u32) -> &[u32] {
        self.sorted.children.of(node)
    }

    /// The length of the longest path from a node down to a leaf, over kept nodes. Zero for leaves, and for nodes that were not kept.
    pub fn level(&self, node: u32) -> u32 {
        self.levels.get(node as usize).copied().unwrap_or(0)
    }

    /// How many levels there are.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// The same nodes with the fewest needs that keep every wait: a need goes when another need waits for it already. Order and levels stay.
    pub fn reduced(&self) -> Self {
        let Sorted { children, order, ranks } = &self.sorted;
        let keep: Vec<bool> = ranks.iter().map(|rank| *rank != Sorted::ABSENT).collect();
        // Never more needs than there are, so never too many.
        let children = sweep(&self.sorted, &keep, Needs::Fewest).unwrap_or_else(|_| children.clone());
        let sorted = Sorted { children, order: order.clone(), ranks: ranks.clone() };
        Self { sorted, levels: self.levels.clone(), height: self.height }
    }
}

/// The order of Kahn's queue, without a list of parents. Level by level: a node enters when the last of its children leaves, after those
/// whose last child left sooner and, among those of the same child, by place.
fn queued(children: Lists, groups: Vec<Vec<u32>>) -> Sorted {
    let mut sorted = Sorted::new(children, Vec::new());
    for group in groups {
        let entry = |node: u32| {
            let last = sorted.children.of(node).iter().map(|child| sorted.rank(*child)).max();
            (last, node)
        };
        let mut entries: Vec<(Option<u32>, u32)> = group.into_iter().map(entry).collect();
        entries.sort_unstable();
        for (_, node) in entries {
            if let Some(rank) = sorted.ranks.get_mut(node as usize) {
                *rank = sorted.order.len() as u32;
            }
            sorted.order.push(node);
        }
    }
    sorted
}
