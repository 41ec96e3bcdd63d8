//! The DAG of a lock: what its roots reach, or the reason why that is no DAG.

use std::collections::{HashMap, VecDeque};

use petgraph::algo::toposort;
use petgraph::graph::{DiGraph, NodeIndex};

use super::{DepTypes, Hash, Lock, LockError, Root, Spec};

/// Specs with edges from dependent to dependency. Each spec is one node, each pair one edge that carries the union of its types.
pub type SpecGraph<'a> = DiGraph<&'a Spec, DepTypes>;

/// Follows every edge from the roots, breadth first, so that equal locks give equal node numbers.
pub fn reach<'a>(lock: &'a Lock, roots: impl IntoIterator<Item = &'a Root>) -> Result<SpecGraph<'a>, LockError> {
    let mut dag = SpecGraph::new();
    let mut nodes: HashMap<Hash, NodeIndex> = HashMap::new();
    for root in roots {
        let spec = lock
            .get(&root.hash)
            .ok_or_else(|| LockError::MissingRoot { spec: root.spec.to_string(), hash: root.hash })?;
        nodes.entry(root.hash).or_insert_with(|| dag.add_node(spec));
    }
    // Nodes are numbered in the order of discovery: the graph is its own queue.
    let mut next = 0;
    let mut edges = HashMap::new();
    while let Some(&parent) = dag.node_weight(NodeIndex::new(next)) {
        edges.clear();
        for dep in &parent.deps {
            let child = lock.get(&dep.hash).ok_or_else(|| LockError::MissingDependency {
                parent: parent.label(),
                name: dep.name.to_string(),
                hash: dep.hash,
            })?;
            let child = *nodes.entry(dep.hash).or_insert_with(|| dag.add_node(child));
            let edge =
                *edges.entry(child).or_insert_with(|| dag.add_edge(NodeIndex::new(next), child, DepTypes::default()));
            if let Some(types) = dag.edge_weight_mut(edge) {
                *types |= dep.types;
            }
        }
        next += 1;
    }
    match toposort(&dag, None) {
        Ok(_) => Ok(dag),
        Err(cycle) => Err(LockError::Cycle { path: circle_through(&dag, cycle.node_id()) }),
    }
}

/// The labels along the shortest circle through `node`, which is known to lie on one. (Breadth first: a hostile lock may be deep.)
fn circle_through(dag: &SpecGraph<'_>, node: NodeIndex) -> Vec<String> {
    let mut came_from: HashMap<NodeIndex, NodeIndex> = HashMap::new();
    let mut queue = VecDeque::from([node]);
    while let Some(at) = queue.pop_front()
        && !came_from.contains_key(&node)
    {
        for next in dag.neighbors(at) {
            came_from.entry(next).or_insert_with(|| {
                queue.push_back(next);
                at
            });
        }
    }
    let mut path = vec![node];
    while let Some(&before) = path.last().and_then(|at| came_from.get(at)) {
        path.push(before);
        if before == node {
            break;
        }
    }
    path.into_iter().rev().filter_map(|n| dag.node_weight(n)).map(|spec| spec.label()).collect()
}
