//! Tests of the graph algebra: the cases of the behaviour, properties against a naive oracle, and what Spack itself made of real locks.

mod cases;
mod golden;
mod oracle;
mod properties;

use super::{Dag, Kept};

/// One mark per place.
fn marks(count: usize, places: &[u32]) -> Vec<bool> {
    (0..count as u32).map(|place| places.contains(&place)).collect()
}

/// The needs of every kept node, in order.
fn needs(kept: &Kept) -> Vec<(u32, Vec<u32>)> {
    kept.order().iter().map(|node| (*node, kept.children(*node).to_vec())).collect()
}

fn dag(nodes: usize, edges: &[(u32, u32)]) -> Dag {
    Dag::new(nodes, edges.iter().copied()).unwrap()
}
