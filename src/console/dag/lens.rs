//! Lenses: which jobs of a pipeline are worth a node of their own right now.
//!
//! A lens gives the jobs it is about, the most important first; `View` draws as many as fit and says how many it left out. What no lens asks
//! for is folded into groups or counts, never lost.

use std::cmp::Reverse;
use std::sync::Arc;

use crate::ci::{NeedsGraph, NodeIx, Status};

use super::layout::Layout;
use super::scene::{EVERYTHING, state_of};
use crate::console::state::JobState;

/// How many of the jobs that wait directly for a failure are drawn by name; the others are counted.
const NAMED_WAITERS: usize = 3;

/// What the viewer wants to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Lens {
    /// Failures, what they need and what they block.
    Failing,
    /// The chain that takes longest from now on.
    Critical,
    /// What is a few needs away from one job.
    Neighbours { of: Arc<str>, up: u8, down: u8 },
    /// Search hits and every job on a way between two of them.
    Search { hits: Vec<Arc<str>> },
    /// What runs or is about to, and what it opens up.
    Running,
    /// Everything; where that is too much, what is neither finished nor waiting.
    All,
}

impl Lens {
    /// The lens that a pipeline opens with: failures if there are any, else what runs, else everything.
    pub fn opening(graph: &NeedsGraph) -> Self {
        let any = |f: fn(Status) -> bool| graph.nodes().any(|ix| graph.status(ix).is_some_and(f));
        if graph.nodes().any(|ix| graph.state(ix).is_broken()) {
            Self::Failing
        } else if graph.len() > EVERYTHING && any(Status::is_active) {
            Self::Running
        } else {
            Self::All
        }
    }

    /// The word on the screen's title and on the command line.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Failing => "failing",
            Self::Critical => "critical",
            Self::Neighbours { .. } => "neighbours",
            Self::Search { .. } => "search",
            Self::Running => "running",
            Self::All => "all",
        }
    }

    /// The lens of a word, for those that need nothing but their name.
    pub fn named(word: &str) -> Option<Self> {
        [Self::Failing, Self::Critical, Self::Running, Self::All].into_iter().find(|lens| lens.name() == word)
    }

    /// Whether the viewer named what is to be seen, so that nothing else is drawn by name.
    pub(super) const fn is_exact(&self) -> bool {
        matches!(self, Self::Critical | Self::Neighbours { .. } | Self::Search { .. })
    }

    /// The jobs that the lens is about, the most important first, each once.
    pub(super) fn select(&self, graph: &NeedsGraph, layout: &Layout) -> Vec<NodeIx> {
        let mut picked = Picked::new(graph.len());
        match self {
            Self::Failing => failing(graph, layout, &mut picked),
            Self::Critical => picked.extend(graph.critical_path()),
            Self::Neighbours { of, up, down } => {
                if let Some(center) = graph.find(of) {
                    picked.add(center);
                    spread(center, *up, |ix| graph.needs(ix).collect(), &mut picked);
                    spread(center, *down, |ix| graph.dependents(ix).collect(), &mut picked);
                }
            }
            Self::Search { hits } => {
                let hits: Vec<NodeIx> = hits.iter().filter_map(|name| graph.find(name)).collect();
                let after = closure(graph.len(), &hits, |ix| graph.dependents(ix).collect());
                let before = closure(graph.len(), &hits, |ix| graph.needs(ix).collect());
                picked.extend(hits);
                picked.extend(graph.nodes().filter(|ix| after.has(*ix) && before.has(*ix)));
            }
            Self::Running => {
                let running = |ix: &NodeIx| matches!(state_of(graph, *ix), Some(JobState::Run));
                picked.extend(graph.nodes().filter(running));
                picked.extend(graph.nodes().filter(|ix| graph.status(*ix).is_some_and(Status::is_active)));
                let front = picked.list.clone();
                for ix in front {
                    picked.extend(graph.dependents(ix).filter(|job| graph.state(*job).is_waiting()));
                }
            }
            Self::All if graph.len() <= EVERYTHING => picked.extend(graph.nodes()),
            Self::All => {
                let mut loud: Vec<(Option<JobState>, NodeIx)> =
                    graph.nodes().map(|ix| (state_of(graph, ix), ix)).filter(|(state, _)| !is_quiet(*state)).collect();
                loud.sort_by_key(|(state, ix)| {
                    (*state, Reverse(graph.blocks(*ix)), graph.layer(*ix), layout.rank(*ix))
                });
                picked.extend(loud.into_iter().map(|(_, ix)| ix));
            }
        }
        picked.list
    }
}

/// Finished or waiting: states that say more as a count than by name.
const fn is_quiet(state: Option<JobState>) -> bool {
    matches!(state, None | Some(JobState::Ok | JobState::Blocked | JobState::Skip))
}

fn failing(graph: &NeedsGraph, layout: &Layout, picked: &mut Picked) {
    let mut broken: Vec<NodeIx> = graph.nodes().filter(|ix| graph.state(*ix).is_broken()).collect();
    broken.sort_by_key(|ix| {
        let canceled = graph.status(*ix) != Some(Status::Failed);
        (canceled, Reverse(graph.blocks(*ix)), graph.layer(*ix), layout.rank(*ix))
    });
    picked.extend(broken.iter().copied());
    for ix in &broken {
        picked.extend(graph.needs(*ix));
    }
    for ix in broken {
        let mut held: Vec<NodeIx> = graph.dependents(ix).filter(|job| graph.is_blocked(*job)).collect();
        held.sort_by_key(|job| (Reverse(graph.blocks(*job)), graph.layer(*job), layout.rank(*job)));
        picked.extend(held.into_iter().take(NAMED_WAITERS));
    }
}

/// Adds everything up to `hops` steps away, nearest first.
fn spread(center: NodeIx, hops: u8, next: impl Fn(NodeIx) -> Vec<NodeIx>, picked: &mut Picked) {
    let mut seen = Picked::new(picked.seen.len());
    seen.add(center);
    let mut front = vec![center];
    for _ in 0..hops {
        let found: Vec<NodeIx> = front.into_iter().flat_map(&next).filter(|ix| seen.add(*ix)).collect();
        picked.extend(found.iter().copied());
        front = found;
    }
}

/// Everything that can be reached from `starts`, and the starts.
fn closure(count: usize, starts: &[NodeIx], next: impl Fn(NodeIx) -> Vec<NodeIx>) -> Picked {
    let mut reached = Picked::new(count);
    reached.extend(starts.iter().copied());
    let mut at = 0;
    while let Some(ix) = reached.list.get(at).copied() {
        reached.extend(next(ix));
        at += 1;
    }
    reached
}

/// A list of nodes, each once.
struct Picked {
    seen: Vec<bool>,
    list: Vec<NodeIx>,
}

impl Picked {
    fn new(count: usize) -> Self {
        Self { seen: vec![false; count], list: Vec::new() }
    }

    fn add(&mut self, ix: NodeIx) -> bool {
        let new = self.seen.get_mut(ix.index()).is_some_and(|seen| !std::mem::replace(seen, true));
        if new {
            self.list.push(ix);
        }
        new
    }

    fn has(&self, ix: NodeIx) -> bool {
        self.seen.get(ix.index()).is_some_and(|seen| *seen)
    }

    fn extend(&mut self, nodes: impl IntoIterator<Item = NodeIx>) {
        for ix in nodes {
            self.add(ix);
        }
    }
}
