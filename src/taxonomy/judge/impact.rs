//! What a group of failures costs: jobs that cannot start, branches that wait, and the time that runners spent for nothing.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::ci::{JobId, NeedsGraph, NodeIx, PipelineId};
use crate::taxonomy::Failure;

/// The cost of a group of failures.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Impact {
    /// Failed jobs, each once.
    pub failed: usize,
    /// Jobs that have not started and need one of them, directly or not; each once. Of the pipelines whose needs are known.
    pub blocked: usize,
    /// Pipelines concerned, and those of them about whose needs nothing is known: there may be more blocked jobs.
    pub pipelines: usize,
    pub pipelines_unknown: usize,
    /// Branches and pull requests concerned.
    pub refs: usize,
    /// What the failed jobs kept runners for, of those whose length is known.
    pub wasted: Duration,
    /// Failed jobs whose length is not known.
    pub lengths_unknown: usize,
}

/// Adds up what failures cost. `graph_of` knows the needs of a pipeline, `length_of` how long a job ran; both may not.
pub fn impact<'g>(
    failures: &[&Failure],
    graph_of: impl Fn(PipelineId) -> Option<&'g NeedsGraph>,
    length_of: impl Fn(JobId) -> Option<Duration>,
) -> Impact {
    let by_job: BTreeMap<JobId, &Failure> = failures.iter().map(|f| (f.job, *f)).collect();
    let mut found = Impact { failed: by_job.len(), ..Impact::default() };
    let mut names: BTreeMap<PipelineId, BTreeSet<&str>> = BTreeMap::new();
    let mut refs = BTreeSet::new();
    for failure in by_job.values() {
        names.entry(failure.pipeline).or_default().insert(&failure.name);
        refs.insert(&*failure.git_ref);
        match length_of(failure.job) {
            Some(length) => found.wasted = found.wasted.saturating_add(length),
            None => found.lengths_unknown += 1,
        }
    }
    found.refs = refs.len();
    found.pipelines = names.len();
    for (pipeline, names) in names {
        match graph_of(pipeline) {
            Some(graph) => found.blocked += blocked(graph, names.into_iter().filter_map(|name| graph.find(name))).len(),
            None => found.pipelines_unknown += 1,
        }
    }
    found
}

/// The jobs that wait, directly or through other waiting jobs, for one of these failed ones; needs first, each once.
///
/// A failed job that the graph knows as done by now (a retry succeeded, or it is allowed to fail) holds up nobody. A job that runs or
/// ran was not held up, and neither are those that wait for it.
pub fn blocked(graph: &NeedsGraph, failed: impl IntoIterator<Item = NodeIx>) -> Vec<NodeIx> {
    let mut seen = vec![false; graph.len()];
    let mut open: Vec<NodeIx> = failed.into_iter().filter(|ix| !graph.state(*ix).is_done()).collect();
    // Marked before the walk: a failed job that needs another one is not blocked, it failed.
    let failed: BTreeSet<NodeIx> = open.iter().copied().collect();
    let mut found = Vec::new();
    while let Some(ix) = open.pop() {
        for next in graph.dependents(ix) {
            let Some(seen) = seen.get_mut(next.index()).filter(|seen| !**seen) else { continue };
            *seen = true;
            if graph.state(next).is_waiting() && !failed.contains(&next) {
                found.push(next);
                open.push(next);
            }
        }
    }
    found.sort_by_key(|ix| (graph.layer(*ix), *ix));
    found
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::testing::failed;
    use super::*;
    use crate::ci::{Need, NodeState, Status};

    /// `a` is needed by `b` and `c`, both by `d`; `e` stands alone.
    fn diamond(states: &[(&str, Status)]) -> NeedsGraph {
        let jobs = [("a", ""), ("b", "a"), ("c", "a"), ("d", "b c"), ("e", "")];
        let need = |name: &str| Need { name: name.into(), optional: false };
        let mut graph =
            NeedsGraph::build(jobs.map(|(job, needs)| (Arc::from(job), needs.split_whitespace().map(need).collect())));
        for (name, status) in states {
            let ix = graph.find(name).unwrap();
            graph.set(ix, NodeState { status: Some(*status), ..NodeState::default() });
        }
        graph
    }

    fn names(graph: &NeedsGraph, failed: &[&str]) -> String {
        let found = blocked(graph, failed.iter().map(|name| graph.find(name).unwrap()));
        found.iter().map(|ix| &**graph.name(*ix)).collect::<Vec<_>>().join(" ")
    }

    #[test]
    fn each_waiting_job_counts_once() {
        let graph = diamond(&[]);
        assert_eq!(names(&graph, &["a"]), "b c d");
        assert_eq!(names(&graph, &["b", "c"]), "d");
        assert_eq!(names(&graph, &["a", "b", "a"]), "c d", "a failed job is not a blocked one");
        assert_eq!(names(&graph, &["e"]), "");
    }

    #[test]
    fn what_ran_was_not_held_up() {
        assert_eq!(names(&diamond(&[("b", Status::Success)]), &["a"]), "c d");
        assert_eq!(names(&diamond(&[("b", Status::Success), ("c", Status::Running)]), &["a"]), "");
        assert_eq!(names(&diamond(&[("a", Status::Success)]), &["a"]), "", "a retry succeeded");
        assert_eq!(names(&diamond(&[("a", Status::Failed), ("b", Status::Skipped)]), &["a"]), "b c d");
    }

    #[test]
    fn costs_add_up_over_pipelines_and_say_what_is_unknown() {
        let make = |job, pipeline, name: &str, git_ref: &str| {
            let (pipeline, name, git_ref) = (PipelineId(pipeline), name.into(), git_ref.into());
            Failure { pipeline, name, git_ref, ..failed(job, 0, "x") }
        };
        let failures = [make(1, 1, "a", "pr1"), make(2, 1, "b", "pr1"), make(3, 2, "a", "pr2"), make(4, 3, "a", "pr2")];
        let graph = diamond(&[]);
        let mut group: Vec<&Failure> = failures.iter().collect();
        group.push(&failures[0]);
        let found =
            impact(&group, |p| (p.0 < 3).then_some(&graph), |job| (job.0 != 2).then(|| Duration::from_secs(60)));
        let want = Impact {
            failed: 4,
            blocked: 2 + 3,
            pipelines: 3,
            pipelines_unknown: 1,
            refs: 2,
            wasted: Duration::from_secs(180),
            lengths_unknown: 1,
        };
        assert_eq!(found, want);
        group.reverse();
        assert_eq!(impact(&group, |_| None, |_| None).lengths_unknown, 4);
        assert_eq!(impact(&[], |_| None, |_| None), Impact::default());
    }
}
