//! The walk that finds the needs of kept nodes, for 512 of them at once.
//!
//! Used by `Dag` and `Kept` only. A block of kept parents marks its children; marks flow down from parent to child until they meet kept
//! nodes: those are the needs. One walk costs each edge once, however many parents of the block use it, and never touches a part of the
//! graph that the block does not reach, so long thin graphs stay cheap. Frontiers of pruned nodes are never stored: in a long pruned chain
//! they alone would be quadratic.

use super::DagError;
use super::lists::{Lists, Sorted, is_set, set};
use super::row::Row;

/// The most needs that are worked out, all jobs together. GitLab takes pipelines of 50 MiB at most, far below a million needs.
pub const MOST_NEEDS: usize = 1 << 24;

/// Which needs are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Needs {
    /// Every kept node to which a path leads over removed nodes only.
    All,
    /// Of those, the ones to which no path leads over another kept node: waiting for that one is enough.
    Fewest,
}

/// The children of each kept node among the kept nodes, sorted by place.
pub(super) fn sweep(graph: &Sorted, keep: &[bool], needs: Needs) -> Result<Lists, DagError> {
    let count = graph.children.len();
    let reduce = needs == Needs::Fewest;
    let mut sweep = Sweep {
        graph,
        children: graph.children.limited_to(&live(graph, keep)),
        keep,
        near: vec![Row::default(); count],
        far: if reduce { vec![Row::default(); count] } else { Vec::new() },
        first: 0,
        seen: vec![0; count],
        walk: 0,
        pruned: Vec::new(),
        hits: Vec::new(),
        below: Vec::new(),
    };
    let mut lists = Lists::empty(count);
    let parents: Vec<u32> = graph.order.iter().copied().filter(|node| is_set(keep, *node)).collect();
    for block in parents.chunks(Row::WIDTH) {
        sweep.go_near(block);
        if reduce {
            sweep.go_far(&lists);
        }
        sweep.write(block, &mut lists)?;
        sweep.forget();
    }
    lists.shrink();
    Ok(lists)
}

/// Which nodes are kept or have a kept node below them. The others lead nowhere: most of what a cache holds is like that.
fn live(graph: &Sorted, keep: &[bool]) -> Vec<bool> {
    let mut live = vec![false; graph.children.len()];
    for node in &graph.order {
        if is_set(keep, *node) || graph.children.of(*node).iter().any(|child| is_set(&live, *child)) {
            set(&mut live, *node);
        }
    }
    live
}

struct Sweep<'a> {
    graph: &'a Sorted,
    /// Those children below which anything was kept.
    children: Lists,
    keep: &'a [bool],
    /// Which parents of the block reach a node over removed nodes only.
    near: Vec<Row>,
    /// Which parents of the block reach a node over a kept node. Empty when nobody asks.
    far: Vec<Row>,
    /// The rank of the block's first parent. Kept nodes before it are done.
    first: u32,
    /// The last walk that came by.
    seen: Vec<u32>,
    walk: u32,
    /// The removed nodes that are near, as ranks.
    pruned: Vec<u32>,
    /// The kept nodes that are near.
    hits: Vec<u32>,
    /// The hits and all that lies below them, as ranks, as far as it was followed.
    below: Vec<u32>,
}

impl Sweep<'_> {
    /// Carries the marks of a block to the first kept nodes below it.
    fn go_near(&mut self, block: &[u32]) {
        self.first = block.first().map_or(0, |parent| self.graph.rank(*parent));
        let Self { graph, children, keep, near, seen, pruned, hits, .. } = self;
        self.walk += 1;
        let mut come = |node: u32, pruned: &mut Vec<u32>| {
            if is_first(seen, node, self.walk) {
                if is_set(keep, node) {
                    hits.push(node);
                } else {
                    pruned.push(graph.rank(node));
                }
            }
        };
        for (bit, parent) in block.iter().enumerate() {
            for child in children.of(*parent) {
                come(*child, pruned);
                if let Some(row) = near.get_mut(*child as usize) {
                    row.add(bit);
                }
            }
        }
        let mut next = 0;
        while let Some(&rank) = pruned.get(next) {
            next += 1;
            for child in children.of(graph.at(rank)) {
                come(*child, pruned);
            }
        }
        // From the top down: what comes to a node has come before it is carried on.
        pruned.sort_unstable();
        for rank in pruned.iter().rev() {
            let node = graph.at(*rank);
            let carried = get(near, node);
            join(near, children.of(node).iter(), &carried);
        }
        hits.sort_unstable();
    }

    /// Carries the marks on, beyond the first kept nodes. No path to a hit leads through a node of a lower rank than its own, so nothing
    /// below the lowest hit matters. A node of an earlier block has its own needs already, and what it reaches it reaches over them.
    fn go_far(&mut self, done: &Lists) {
        let Self { graph, children, keep, near, far, seen, hits, below, .. } = self;
        let Some(floor) = hits.iter().map(|hit| graph.rank(*hit)).min() else { return };
        let first = self.first;
        let down = |rank: u32, node: u32| {
            let all = children.of(node);
            let own = if rank < first && is_set(keep, node) { done.of(node) } else { all };
            let shorter = if own.len() < all.len() { own } else { all };
            shorter.iter().filter(|child| graph.rank(**child) >= floor)
        };
        self.walk += 1;
        let mut come = |node: u32, below: &mut Vec<u32>| {
            if is_first(seen, node, self.walk) {
                below.push(graph.rank(node));
            }
        };
        for hit in hits.iter() {
            come(*hit, below);
        }
        let mut next = 0;
        while let Some(&rank) = below.get(next) {
            next += 1;
            for child in down(rank, graph.at(rank)) {
                come(*child, below);
            }
        }
        below.sort_unstable();
        for rank in below.iter().rev() {
            let node = graph.at(*rank);
            let mut carried = get(far, node);
            if is_set(keep, node) {
                carried.join(&get(near, node));
            }
            join(far, down(*rank, node), &carried);
        }
    }

    /// Writes the needs of a block. The hits are sorted, so each list is.
    fn write(&self, block: &[u32], lists: &mut Lists) -> Result<(), DagError> {
        let needed = |hit: u32| get(&self.near, hit).without(&get(&self.far, hit));
        let mut lengths = vec![0; block.len()];
        for hit in &self.hits {
            needed(*hit).each(|bit| {
                if let Some(length) = lengths.get_mut(bit) {
                    *length += 1;
                }
            });
        }
        if lists.total() + lengths.iter().sum::<usize>() > MOST_NEEDS {
            return Err(DagError::TooManyNeeds { limit: MOST_NEEDS });
        }
        let mut ends = lists.extend(block, &lengths);
        for hit in &self.hits {
            needed(*hit).each(|bit| {
                if let Some(end) = ends.get_mut(bit) {
                    lists.put(*end, *hit);
                    *end += 1;
                }
            });
        }
        Ok(())
    }

    /// Makes ready for the next block.
    fn forget(&mut self) {
        let ranks = self.pruned.drain(..).chain(self.below.drain(..));
        for node in ranks.map(|rank| self.graph.at(rank)).chain(self.hits.drain(..)) {
            for rows in [&mut self.near, &mut self.far] {
                if let Some(row) = rows.get_mut(node as usize) {
                    *row = Row::default();
                }
            }
        }
    }
}

/// Whether a walk comes by for the first time.
fn is_first(seen: &mut [u32], node: u32, walk: u32) -> bool {
    seen.get_mut(node as usize).is_some_and(|seen| std::mem::replace(seen, walk) != walk)
}

fn get(rows: &[Row], node: u32) -> Row {
    rows.get(node as usize).copied().unwrap_or_default()
}

fn join<'a>(rows: &mut [Row], nodes: impl Iterator<Item = &'a u32>, carried: &Row) {
    for node in nodes {
        if let Some(row) = rows.get_mut(*node as usize) {
            row.join(carried);
        }
    }
}
