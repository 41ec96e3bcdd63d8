//! Graphs of the shape of Spack's: thirty layers, five specs of the toolchain below nearly everything, some popular tools, and for the rest
//! dependencies in the layer below or anywhere. And two shapes that nobody would write by chance.

use std::collections::{BTreeSet, HashSet};

use super::dice::Dice;

const LAYERS: usize = 30;
const TOOLCHAIN: usize = 5;

/// Places and edges. As in a lock that is read from its roots, dependencies come last.
pub struct Stack {
    pub nodes: usize,
    pub edges: Vec<(u32, u32)>,
}

impl Stack {
    /// So many specs with so many edges.
    pub fn layered(nodes: usize, edges: usize) -> Self {
        let mut dice = Dice::new(3);
        let width = nodes.div_ceil(LAYERS);
        let place = |height: usize| (nodes - 1 - height) as u32;
        let mut list = Vec::with_capacity(edges);
        for height in TOOLCHAIN..nodes {
            list.extend((0..TOOLCHAIN).map(|tool| (place(height), place(tool))));
        }
        // The lowest layer depends on the toolchain only. Equal edges are drawn again.
        let mut drawn: HashSet<(u32, u32)> = list.iter().copied().collect();
        while list.len() < edges {
            let height = width + dice.below(nodes - width);
            let start = height / width * width;
            let below = match dice.below(3) {
                0 => start - width + dice.below(width),
                1 => (0..4).map(|_| dice.below(start)).min().unwrap_or_default(),
                _ => dice.below(start),
            };
            let edge = (place(height), place(below));
            if drawn.insert(edge) {
                list.push(edge);
            }
        }
        Self { nodes, edges: list }
    }

    /// What is left to build, in percent, when a cache holds closures, as caches do: with a spec it holds all that the spec depends on.
    pub fn uncached(&self, percent: usize) -> Vec<bool> {
        let mut dice = Dice::new(9);
        let mut children = vec![Vec::new(); self.nodes];
        for (parent, child) in &self.edges {
            if let Some(children) = children.get_mut(*parent as usize) {
                children.push(*child as usize);
            }
        }
        let mut keep = vec![true; self.nodes];
        let mut left = self.nodes * (100 - percent) / 100;
        while left > 0 {
            let mut closure = BTreeSet::new();
            let mut open = vec![dice.below(self.nodes)];
            while let Some(node) = open.pop() {
                if keep.get(node) == Some(&true) && closure.insert(node) {
                    open.extend(children.get(node).into_iter().flatten());
                }
            }
            // Dependencies first, so that the cache is whole when the percentage is reached in the middle.
            for node in closure.into_iter().rev().take(left) {
                if let Some(mark) = keep.get_mut(node) {
                    *mark = false;
                    left -= 1;
                }
            }
        }
        keep
    }

    /// So many percent, wherever they are.
    pub fn scattered(&self, percent: usize) -> Vec<bool> {
        let mut dice = Dice::new(11);
        (0..self.nodes).map(|_| dice.below(100) < percent).collect()
    }
}

/// So many parents above one spec above so many children; that one is pruned.
pub fn hub(arms: u32) -> (Stack, Vec<bool>) {
    let middle = 2 * arms;
    let edges = (0..arms).flat_map(|arm| [(arm, middle), (middle, arms + arm)]).collect();
    (Stack { nodes: middle as usize + 1, edges }, (0..=middle).map(|node| node != middle).collect())
}

/// Each spec needs the next one.
pub fn chain(nodes: u32) -> Stack {
    Stack { nodes: nodes as usize, edges: (1..nodes).map(|child| (child - 1, child)).collect() }
}
