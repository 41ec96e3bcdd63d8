//! From a list of jobs with their needs to a [`Topology`]: names become nodes, circles are taken out, layers are counted.
//!
//! Called once per topology by `NeedsGraph::build`. Must accept whatever a pipeline says: self-needs, circles, needs that do not exist,
//! chains of any length (nothing here recurses).

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use petgraph::algo::{kosaraju_scc, toposort};
use petgraph::stable_graph::StableDiGraph;
use petgraph::visit::{EdgeRef, IntoEdgeReferences};

use super::{Need, NodeIx, Problem, Topology};

pub(super) fn build<I>(jobs: I) -> (Topology, Vec<Problem>)
where
    I: IntoIterator<Item = (Arc<str>, Vec<Need>)>,
{
    let mut graph: StableDiGraph<Arc<str>, bool> = StableDiGraph::new();
    let mut by_name: HashMap<Arc<str>, NodeIx> = HashMap::new();
    let mut wanted = Vec::new();
    for (name, needs) in jobs {
        let ix = match by_name.entry(name) {
            Entry::Occupied(known) => *known.get(),
            Entry::Vacant(free) => {
                let ix = graph.add_node(free.key().clone()).into();
                *free.insert(ix)
            }
        };
        wanted.push((ix, needs));
    }

    let mut problems = Vec::new();
    for (job, needs) in wanted {
        // petgraph walks the newest edge first; added backwards, needs come out in the order they were listed.
        for need in needs.into_iter().rev() {
            match by_name.get(&need.name) {
                Some(from) => match graph.find_edge(from.raw(), job.raw()) {
                    Some(twin) => {
                        if let Some(optional) = graph.edge_weight_mut(twin) {
                            *optional &= need.optional;
                        }
                    }
                    None => {
                        graph.add_edge(from.raw(), job.raw(), need.optional);
                    }
                },
                None if need.optional => {}
                None => {
                    let job = graph.node_weight(job.raw()).cloned().unwrap_or_default();
                    problems.push(Problem::Missing { job, need: need.name });
                }
            }
        }
    }
    problems.extend(cut_circles(&mut graph));
    problems.sort();
    problems.dedup();
    (lay(graph, by_name), problems)
}

/// Takes out every edge inside a circle, so that what is left has an order, and names the circles.
fn cut_circles(graph: &mut StableDiGraph<Arc<str>, bool>) -> Vec<Problem> {
    let mut circle_of = vec![u32::MAX; graph.node_count()];
    let mut circles = Vec::new();
    for component in kosaraju_scc(&*graph) {
        let circular = component.len() > 1 || component.first().is_some_and(|ix| graph.contains_edge(*ix, *ix));
        if !circular {
            continue;
        }
        for ix in &component {
            if let Some(slot) = circle_of.get_mut(ix.index()) {
                *slot = circles.len() as u32;
            }
        }
        let mut jobs: Vec<Arc<str>> = component.iter().filter_map(|ix| graph.node_weight(*ix).cloned()).collect();
        jobs.sort();
        circles.push(Problem::Cycle { jobs });
    }
    if !circles.is_empty() {
        graph.retain_edges(|graph, edge| {
            let ends = graph.edge_endpoints(edge).and_then(|(a, b)| {
                let circle = |ix: petgraph::graph::NodeIndex| circle_of.get(ix.index()).copied();
                Some((circle(a)?, circle(b)?))
            });
            ends.is_none_or(|(a, b)| a != b || a == u32::MAX)
        });
    }
    circles
}

fn lay(graph: StableDiGraph<Arc<str>, bool>, by_name: HashMap<Arc<str>, NodeIx>) -> Topology {
    let count = graph.node_count();
    let mut topology = Topology {
        graph,
        by_name,
        layers: Vec::new(),
        layer: vec![0; count],
        order: Vec::with_capacity(count),
        position: vec![0; count],
        fingerprint: 0,
    };
    // Without circles a topological order always exists; were one left, its jobs would share layer zero instead of being lost.
    let sorted = toposort(&topology.graph, None).unwrap_or_else(|_| topology.graph.node_indices().collect());
    for ix in sorted.into_iter().map(NodeIx::from) {
        let layers = topology.needs(ix).filter_map(|need| topology.layer.get(need.index()));
        let layer = layers.max().map_or(0, |deepest| deepest + 1);
        if let Some(slot) = topology.layer.get_mut(ix.index()) {
            *slot = layer;
        }
    }
    let depth = topology.layer.iter().max().map_or(0, |deepest| *deepest as usize + 1);
    topology.layers = vec![Vec::new(); depth];
    for (index, layer) in topology.layer.iter().enumerate() {
        if let Some(members) = topology.layers.get_mut(*layer as usize) {
            members.push(NodeIx(index as u32));
        }
    }
    topology.order.extend(topology.layers.iter().flatten());
    for (position, ix) in topology.order.iter().enumerate() {
        if let Some(slot) = topology.position.get_mut(ix.index()) {
            *slot = position as u32;
        }
    }
    topology.fingerprint = fingerprint(&topology.graph);
    topology
}

fn fingerprint(graph: &StableDiGraph<Arc<str>, bool>) -> u64 {
    // The default keys are constants: the same pipeline gives the same number in every process.
    let mut hasher = DefaultHasher::new();
    graph.node_weights().for_each(|name| name.hash(&mut hasher));
    for edge in graph.edge_references() {
        (edge.source().index(), edge.target().index(), *edge.weight()).hash(&mut hasher);
    }
    hasher.finish()
}
