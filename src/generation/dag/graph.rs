//! All specs of a stack as places, with their edges.

use super::lists::{Lists, Sorted, is_set, set};
use super::sweep::{Needs, sweep};
use super::{DagError, Kept};
use crate::spack::SpecGraph;

/// A graph without circles. Edges lead from parent (dependent) to child (dependency); each pair counts once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Dag {
    sorted: Sorted,
    parents: Lists,
}

impl Dag {
    /// Builds the graph of so many nodes from its edges, `(parent, child)`, in any order and as often as they come.
    pub fn new(nodes: usize, edges: impl IntoIterator<Item = (u32, u32)>) -> Result<Self, DagError> {
        let mut edges: Vec<(u32, u32)> = edges.into_iter().collect();
        let outside = edges.iter().find(|(parent, child)| *parent.max(child) as usize >= nodes);
        if let Some(&(parent, child)) = outside {
            return Err(DagError::Outside { parent, child, nodes });
        }
        edges.sort_unstable();
        edges.dedup();
        let children = Lists::grouped(nodes, edges.iter().copied());
        let parents = Lists::grouped(nodes, edges.iter().map(|(parent, child)| (*child, *parent)));
        drop(edges);
        let order = order_of(&children, &parents)?;
        Ok(Self { sorted: Sorted::new(children, order), parents })
    }

    /// The graph of a lock: place `n` is its node of index `n`, and dependency types do not count.
    pub fn of(graph: &SpecGraph<'_>) -> Result<Self, DagError> {
        let edges = graph.raw_edges().iter();
        Self::new(graph.node_count(), edges.map(|edge| (edge.source().index() as u32, edge.target().index() as u32)))
    }

    /// How many nodes there are.
    pub fn len(&self) -> usize {
        self.sorted.order.len()
    }

    /// Whether there is no node at all.
    pub fn is_empty(&self) -> bool {
        self.sorted.order.is_empty()
    }

    /// How many edges there are.
    pub fn edges(&self) -> usize {
        self.parents.total()
    }

    /// What a node depends on directly, sorted.
    pub fn children(&self, node: u32) -> &[u32] {
        self.sorted.children.of(node)
    }

    /// What depends directly on a node, sorted.
    pub fn parents(&self, node: u32) -> &[u32] {
        self.parents.of(node)
    }

    /// All nodes, children before their parents.
    pub fn order(&self) -> &[u32] {
        &self.sorted.order
    }

    /// Removes every node that is not marked in `keep`, and lets its parents inherit its children. The result does not depend on the
    /// order in which one would do that: a kept node needs every kept node to which a path leads over removed ones.
    pub fn pruned(&self, keep: &[bool]) -> Result<Kept, DagError> {
        self.kept(keep, Needs::All)
    }

    /// [`Self::pruned`] and then [`Kept::reduced`], without ever holding the needs that the reduction drops.
    pub fn reduced(&self, keep: &[bool]) -> Result<Kept, DagError> {
        self.kept(keep, Needs::Fewest)
    }

    fn kept(&self, keep: &[bool], needs: Needs) -> Result<Kept, DagError> {
        let children = sweep(&self.sorted, keep, needs)?;
        Ok(Kept::new(children, self.order().iter().copied().filter(|node| is_set(keep, *node))))
    }

    /// The nodes at each distance above the given ones, breadth first over parents: `from` itself, then what depends on it directly, and
    /// so on up to `depth` (without one, up to the roots; a negative one allows nothing). A node counts at its least distance.
    pub fn within(&self, from: impl IntoIterator<Item = u32>, depth: Option<i64>) -> Vec<Vec<u32>> {
        let mut seen = vec![false; self.len()];
        let mut levels = Vec::new();
        let mut level: Vec<u32> = from.into_iter().filter(|node| set(&mut seen, *node)).collect();
        while !level.is_empty() && depth.is_none_or(|depth| i64::try_from(levels.len()).is_ok_and(|at| at <= depth)) {
            level.sort_unstable();
            let above = level.iter().flat_map(|node| self.parents(*node)).copied();
            let next = above.filter(|node| set(&mut seen, *node)).collect();
            levels.push(std::mem::replace(&mut level, next));
        }
        levels
    }
}

/// All nodes, children first, as Kahn's algorithm finds them; or a circle.
fn order_of(children: &Lists, parents: &Lists) -> Result<Vec<u32>, DagError> {
    let places = 0..children.len() as u32;
    let mut missing: Vec<usize> = places.clone().map(|node| children.of(node).len()).collect();
    let mut order: Vec<u32> = places.clone().filter(|node| children.of(*node).is_empty()).collect();
    let mut next = 0;
    while let Some(&node) = order.get(next) {
        next += 1;
        for parent in parents.of(node) {
            if let Some(count) = missing.get_mut(*parent as usize) {
                *count -= 1;
                if *count == 0 {
                    order.push(*parent);
                }
            }
        }
    }
    let is_stuck = |node: &u32| missing.get(*node as usize).is_some_and(|count| *count > 0);
    match places.clone().find(is_stuck) {
        None => Ok(order),
        Some(first) => Err(DagError::Cycle { places: circle_below(first, children, is_stuck) }),
    }
}

/// A circle that a stuck node leads to: every stuck node has a stuck child, so a walk over those comes back sooner or later.
fn circle_below(first: u32, children: &Lists, is_stuck: impl Fn(&u32) -> bool) -> Vec<u32> {
    let mut steps = vec![None; children.len()];
    let mut walk = vec![first];
    while let Some(&node) = walk.last() {
        let step = steps.get_mut(node as usize).and_then(|step| step.replace(walk.len() - 1));
        if let Some(begin) = step {
            return walk.split_off(begin);
        }
        match children.of(node).iter().find(|child| is_stuck(child)) {
            Some(child) => walk.push(*child),
            None => break,
        }
    }
    walk
}
