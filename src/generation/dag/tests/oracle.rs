//! The same answers in the plainest way: sets, one node at a time, closures by brute force.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use proptest::prelude::*;

/// A graph with what is to be done to it.
#[derive(Debug, Clone)]
pub struct Made {
    pub nodes: usize,
    pub edges: Vec<(u32, u32)>,
    pub keep: Vec<bool>,
    /// The pruned nodes in some order.
    pub prune: Vec<u32>,
}

/// Graphs of up to so many nodes. Places are shuffled: children are found before and behind their parents.
pub fn made(most: usize) -> impl Strategy<Value = Made> {
    let parts = (1..=most).prop_flat_map(|nodes| {
        let places = Just((0..nodes as u32).collect::<Vec<_>>()).prop_shuffle();
        let order = Just((0..nodes as u32).collect::<Vec<_>>()).prop_shuffle();
        let edges = prop::collection::vec((0..nodes, 0..nodes), 0..nodes * 4);
        let keep = prop_oneof![
            prop::collection::vec(any::<bool>(), nodes),
            prop::collection::vec(prop::bool::weighted(0.15), nodes),
            prop::collection::vec(prop::bool::weighted(0.85), nodes),
        ];
        (places, order, edges, keep)
    });
    parts.prop_map(|(places, order, edges, keep)| {
        let falls = edges.into_iter().filter(|(a, b)| a != b).map(|(a, b)| (a.min(b), a.max(b)));
        Made {
            nodes: places.len(),
            edges: falls.map(|(parent, child)| (places[parent], places[child])).collect(),
            prune: order.into_iter().filter(|node| !keep[*node as usize]).collect(),
            keep,
        }
    })
}

pub type Edges = BTreeMap<u32, BTreeSet<u32>>;

/// §4 to the letter: every parent gains the children, every child gains the parents, the node disappears.
pub fn spliced(made: &Made) -> Edges {
    let mut children: Edges = (0..made.nodes as u32).map(|node| (node, BTreeSet::new())).collect();
    let mut parents = children.clone();
    for (parent, child) in &made.edges {
        children.get_mut(parent).unwrap().insert(*child);
        parents.get_mut(child).unwrap().insert(*parent);
    }
    for node in &made.prune {
        let (above, below) = (parents.remove(node).unwrap(), children.remove(node).unwrap());
        for parent in &above {
            let set = children.get_mut(parent).unwrap();
            set.remove(node);
            set.extend(&below);
        }
        for child in &below {
            let set = parents.get_mut(child).unwrap();
            set.remove(node);
            set.extend(&above);
        }
    }
    children
}

/// Which node reaches which, over at least one edge.
pub fn closure(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Vec<Vec<bool>> {
    let mut reach = vec![vec![false; nodes]; nodes];
    for (parent, child) in edges {
        reach[parent as usize][child as usize] = true;
    }
    for over in 0..nodes {
        for from in 0..nodes {
            for to in 0..nodes {
                reach[from][to] |= reach[from][over] && reach[over][to];
            }
        }
    }
    reach
}

pub fn pairs(edges: &Edges) -> impl Iterator<Item = (u32, u32)> {
    edges.iter().flat_map(|(parent, children)| children.iter().map(|child| (*parent, *child)))
}

/// Drops each edge for which there is a way round.
pub fn reduced(nodes: usize, edges: &Edges) -> Edges {
    let reach = closure(nodes, pairs(edges));
    let stays = |others: &BTreeSet<u32>, child: u32| !others.iter().any(|other| reach[*other as usize][child as usize]);
    edges
        .iter()
        .map(|(parent, children)| (*parent, children.iter().copied().filter(|child| stays(children, *child)).collect()))
        .collect()
}

/// The longest path from each node to a leaf: levels are raised until nothing changes.
pub fn levels(edges: &Edges) -> BTreeMap<u32, u32> {
    let mut levels: BTreeMap<u32, u32> = edges.keys().map(|node| (*node, 0)).collect();
    loop {
        let before = levels.clone();
        for (parent, child) in pairs(edges) {
            let level = before[&child] + 1;
            levels.entry(parent).and_modify(|old| *old = level.max(*old));
        }
        if levels == before {
            return levels;
        }
    }
}

/// Kahn's algorithm as every book has it, from the leaves, with a queue.
pub fn queue_order(edges: &Edges) -> Vec<u32> {
    let mut missing: BTreeMap<u32, usize> = edges.iter().map(|(node, children)| (*node, children.len())).collect();
    let mut queue: VecDeque<u32> = missing.iter().filter(|(_, count)| **count == 0).map(|(node, _)| *node).collect();
    let mut order = Vec::new();
    while let Some(node) = queue.pop_front() {
        order.push(node);
        for (parent, children) in edges {
            if children.contains(&node) {
                let count = missing.get_mut(parent).unwrap();
                *count -= 1;
                if *count == 0 {
                    queue.push_back(*parent);
                }
            }
        }
    }
    order
}
