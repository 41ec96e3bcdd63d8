//! What stays while somebody looks: the lens, the layout, the jobs once drawn and their rows.
//!
//! The DAG screen owns one per pipeline; `stackhand dag` makes one for a single scene. As long as a lens is open, a job that was drawn stays
//! drawn in its place, also when the lens would no longer choose it: a failure that is retried does not vanish from under the cursor.

use std::collections::HashSet;
use std::sync::Arc;

use crate::ci::{NeedsGraph, NodeIx};

use super::build::{Plan, alone, build};
use super::layout::Layout;
use super::lens::Lens;
use super::place::Placement;
use super::scene::{CellId, Facts, MOST_NODES, Scene};

/// The way one pipeline is being looked at.
#[derive(Debug, Clone)]
pub struct View {
    lens: Lens,
    layout: Option<Layout>,
    /// The jobs drawn so far through this lens.
    drawn: Vec<Arc<str>>,
    placement: Placement,
}

impl View {
    /// Opens a lens.
    pub fn new(lens: Lens) -> Self {
        Self { lens, layout: None, drawn: Vec::new(), placement: Placement::default() }
    }

    /// The lens that is open.
    pub const fn lens(&self) -> &Lens {
        &self.lens
    }

    /// Opens a lens, the same one too: the picture is composed anew.
    pub fn open(&mut self, lens: Lens) {
        self.lens = lens;
        self.forget();
    }

    /// The scene of this moment. The selected job is drawn even if the lens would not choose it.
    pub fn scene(&mut self, graph: &NeedsGraph, facts: &dyn Fn(NodeIx) -> Facts, selection: Option<&CellId>) -> Scene {
        let layout = match self.layout.take() {
            Some(layout) if layout.fits(graph) => layout,
            previous => {
                let layout = Layout::of(graph, previous.as_ref());
                if !layout.is_settled() {
                    self.forget();
                }
                layout
            }
        };
        let chosen = self.lens.select(graph, &layout);
        let selected = selection.and_then(CellId::job).and_then(|name| graph.find(name));
        let drawn = self.drawn.iter().filter_map(|name| graph.find(name));
        let mut members = unique(selected.into_iter().chain(drawn).chain(chosen.iter().copied()));
        if self.drawn.is_empty() && !self.lens.is_exact() {
            members = unique(members.iter().copied().chain(alone(graph, &members)));
        }
        if members.len() > MOST_NODES {
            members = unique(selected.into_iter().chain(chosen.iter().copied()).chain(members));
            members.truncate(MOST_NODES);
            if !self.drawn.iter().all(|name| graph.find(name).is_some_and(|ix| members.contains(&ix))) {
                self.forget();
            }
        }
        let drawn: HashSet<NodeIx> = members.iter().copied().collect();
        self.drawn = members.iter().map(|ix| graph.name(*ix).clone()).collect();
        let withheld = chosen.iter().filter(|ix| !drawn.contains(ix)).count();
        let plan = Plan { graph, layout: &layout, lens: self.lens.name(), members, withheld, facts, selection };
        let scene = build(plan, &mut self.placement);
        self.layout = Some(layout);
        scene
    }

    fn forget(&mut self) {
        self.drawn.clear();
        self.placement = Placement::default();
    }
}

fn unique(nodes: impl Iterator<Item = NodeIx>) -> Vec<NodeIx> {
    let mut seen = HashSet::new();
    nodes.filter(|ix| seen.insert(*ix)).collect()
}
