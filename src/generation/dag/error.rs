//! Why a graph cannot become a pipeline.

use thiserror::Error;

/// What is wrong with a graph, in places. Whoever knows the names of the places says it with names.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum DagError {
    /// Nodes that wait for each other.
    #[error("the graph has a circle of places: {}; run `spack concretize --force`", circle(places))]
    Cycle {
        /// The places along one circle, from parent to child; the first one is repeated at the end.
        places: Vec<u32>,
    },
    /// An edge that leads out of the list.
    #[error(
        "the graph has an edge from place {parent} to place {child}, but only {nodes} nodes; give every spec a place"
    )]
    Outside { parent: u32, child: u32, nodes: usize },
    /// More needs than any pipeline could carry.
    #[error(
        "what is left after pruning has more than {limit} needs; prune fewer of the specs that many others depend on, \
         or reduce the needs"
    )]
    TooManyNeeds { limit: usize },
    /// Lists so short that no number of joins makes them fit.
    #[error("a job has {needs} needs, and lists of at most {limit} cannot be joined; allow at least 2 needs per job")]
    NoJoin { needs: usize, limit: usize },
}

/// The circle as text; a damaged lock may have one through all of its specs.
fn circle(places: &[u32]) -> String {
    const SHOWN: usize = 12;
    let text = |places: &[u32]| places.iter().map(ToString::to_string).collect::<Vec<_>>().join(" → ");
    match places.get(..SHOWN) {
        Some(shown) if places.len() > SHOWN => format!("{} → … ({} places in all)", text(shown), places.len() - 1),
        _ => text(places),
    }
}
