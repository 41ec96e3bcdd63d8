//! The level above the jobs: a parent pipeline and its stacks, as a graph like any other, so that lenses, moves and pictures work there too.

use std::sync::Arc;

use crate::ci::{Need, NeedsGraph, NodeIx, NodeState, PipelineId, Status};
use crate::console::state::{Counts, JobState};

use super::scene::Facts;

/// One stack of a parent pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stack {
    pub name: Arc<str>,
    /// The child pipeline, once it exists.
    pub pipeline: Option<PipelineId>,
    /// `None` until GitLab told it.
    pub status: Option<Status>,
    /// `None` until its jobs are counted.
    pub counts: Option<Counts>,
}

/// The graph of a parent pipeline (`root`) with its stacks, and what to show of each: how many failed, else how many are done.
pub fn stacks(root: &Arc<str>, status: Option<Status>, stacks: &[Stack]) -> (NeedsGraph, Vec<Facts>) {
    let needs_root = || vec![Need { name: root.clone(), optional: false }];
    let jobs = stacks.iter().map(|stack| (stack.name.clone(), needs_root()));
    let mut graph = NeedsGraph::build(std::iter::once((root.clone(), Vec::new())).chain(jobs));
    let mut facts = vec![Facts::default(); graph.len()];
    // The root stands for the generate jobs: its stacks have been triggered and wait for nothing, whatever becomes of the parent.
    let root_status = status.map(|status| if status.is_terminal() { status } else { Status::Running });
    let mut states = vec![(graph.find(root), NodeState { status: root_status, ..NodeState::default() })];
    for stack in stacks {
        let ix = graph.find(&stack.name);
        states.push((ix, NodeState { status: stack.status, ..NodeState::default() }));
        if let Some(slot) = ix.and_then(|ix| facts.get_mut(ix.index())) {
            *slot = Facts { note: stack.counts.as_ref().map(note), starts_pipeline: true, ..Facts::default() };
        }
    }
    let states: Vec<(NodeIx, NodeState)> = states.into_iter().filter_map(|(ix, state)| Some((ix?, state))).collect();
    graph.set_all(states);
    (graph, facts)
}

fn note(counts: &Counts) -> Arc<str> {
    match (counts.get(JobState::Fail), counts.get(JobState::Ok), counts.total()) {
        (0, done, total) if done == total => format!("{total}").into(),
        (0, done, total) => format!("{done}/{total}").into(),
        (failed, ..) => format!("{failed} failed").into(),
    }
}
