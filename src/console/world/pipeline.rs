//! What is known about one pipeline: its jobs, its children, its graph.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use super::jobs::JobTable;
use crate::ci::{Job, JobId, Need, NeedsGraph, NodeState, Pipeline, PipelineId, SpecName, Status, Timestamp};
use crate::console::durations::Durations;
use crate::console::event::NeedsOrigin;
use crate::console::fault::Fault;
use crate::console::fresh::Fresh;
use crate::generation::report::Report;

/// Needs by job name.
pub type Edges = Vec<(Arc<str>, Vec<Need>)>;

/// The edges between a pipeline's jobs, if they are known.
#[derive(Debug, Default)]
pub enum Needs {
    /// Not read yet.
    #[default]
    Unknown,
    Known {
        graph: Box<NeedsGraph>,
        origin: NeedsOrigin,
        /// The edges as they were read; the graph is built anew when a job turns up that they do not name.
        edges: Edges,
    },
    /// Could not be read, and why.
    Absent(Fault),
}

impl Needs {
    /// The graph, when it is known.
    pub fn graph(&self) -> Option<&NeedsGraph> {
        match self {
            Self::Known { graph, .. } => Some(graph),
            _ => None,
        }
    }
}

/// All facts about one pipeline.
#[derive(Debug)]
pub struct PipelineFacts {
    pub pipeline: Pipeline,
    /// When the request that told of it began.
    pub seen_at: Timestamp,
    pub jobs: Fresh<JobTable>,
    pub needs: Needs,
    /// Why it is what it is: read when somebody asks.
    pub report: Fresh<Option<Arc<Report>>>,
    /// Child pipelines, by stack.
    pub children: Vec<PipelineId>,
    /// Set when a whole listing no longer held it.
    pub gone_at: Option<Timestamp>,
}

impl PipelineFacts {
    pub(super) fn new(pipeline: Pipeline, seen_at: Timestamp) -> Self {
        Self {
            pipeline,
            seen_at,
            jobs: Fresh::default(),
            needs: Needs::Unknown,
            report: Fresh::default(),
            children: Vec::new(),
            gone_at: None,
        }
    }

    /// Takes a newer description; keeps what this source left out.
    pub(super) fn describe(&mut self, mut newer: Pipeline, seen_at: Timestamp) {
        self.gone_at = None;
        if seen_at < self.seen_at {
            return;
        }
        let known = &mut self.pipeline;
        newer.parent = newer.parent.or(known.parent);
        newer.stack = newer.stack.or_else(|| known.stack.take());
        newer.iid = newer.iid.or(known.iid);
        newer.name = newer.name.or_else(|| known.name.take());
        newer.user = newer.user.or_else(|| known.user.take());
        newer.web_url = newer.web_url.or_else(|| known.web_url.take());
        newer.started_at = newer.started_at.or(known.started_at);
        newer.finished_at = newer.finished_at.or(known.finished_at);
        newer.created_at = newer.created_at.or(known.created_at);
        newer.updated_at = newer.updated_at.or(known.updated_at);
        newer.duration = newer.duration.or(known.duration);
        *known = newer;
        self.seen_at = seen_at;
    }

    /// `e4s` for a child, the ref for a parent.
    pub fn title(&self) -> &str {
        self.pipeline.stack.as_deref().unwrap_or(&self.pipeline.git_ref)
    }

    /// Whether a failed job, near or far, keeps this one waiting.
    pub fn is_blocked(&self, job: &Job) -> bool {
        self.needs.graph().is_some_and(|g| g.find(&job.name).is_some_and(|ix| g.is_blocked(ix)))
    }

    /// How many unfinished jobs wait for this one; `None` when the graph is not known.
    pub fn blocks(&self, job: &Job) -> Option<usize> {
        let graph = self.needs.graph()?;
        graph.find(&job.name).map(|ix| graph.blocks(ix))
    }

    /// `12 blocked`, as far as the graph is known; empty when nothing is.
    pub fn blocked_note(&self) -> String {
        match (&self.needs, self.blocked()) {
            (_, Some(0)) => String::new(),
            (_, Some(n)) => format!("{n} blocked"),
            (Needs::Absent(_), None) => "no graph".to_owned(),
            (_, None) => "?".to_owned(),
        }
    }

    /// Age by the server's clock.
    pub fn age(&self, server_now: Timestamp) -> Option<Duration> {
        self.pipeline.created_at.map(|at| server_now.since(at))
    }

    /// Builds the graph from edges and from the jobs that are known.
    pub(super) fn connect(&mut self, edges: Edges, origin: NeedsOrigin, durations: &Durations, server_now: Timestamp) {
        let named: HashSet<&str> = edges.iter().map(|(name, _)| &**name).collect();
        let alone: Vec<_> = self
            .jobs
            .value
            .iter()
            .filter(|j| !named.contains(&*j.name))
            .map(|j| (Arc::clone(&j.name), Vec::new()))
            .collect();
        let graph = Box::new(NeedsGraph::build(edges.iter().cloned().chain(alone)));
        self.needs = Needs::Known { graph, origin, edges };
        let all: Vec<JobId> = self.jobs.value.iter().map(|j| j.id).collect();
        self.colour(&all, durations, server_now);
    }

    /// Tells the graph how jobs are doing. False when one of them is not in it.
    pub(super) fn colour(&mut self, jobs: &[JobId], durations: &Durations, server_now: Timestamp) -> bool {
        let Needs::Known { graph, .. } = &mut self.needs else { return true };
        let mut all_found = true;
        let mut states = Vec::with_capacity(jobs.len());
        for job in jobs.iter().filter_map(|id| self.jobs.value.get(*id)).filter(|j| !j.retried) {
            let Some(ix) = graph.find(&job.name) else {
                all_found = false;
                continue;
            };
            let expected = durations.expected(SpecName::parse(&job.name).map_or(&*job.name, |n| n.package));
            let expected_remaining = match job.status {
                Status::Success => Duration::ZERO,
                Status::Running => expected.saturating_sub(job.run_time(server_now).unwrap_or_default()),
                _ => expected,
            };
            let state = NodeState { status: Some(job.status), allow_failure: job.allow_failure, expected_remaining };
            states.push((ix, state));
        }
        graph.set_all(states);
        all_found
    }

    /// How many jobs wait for failed ones, each counted once; `None` when the graph is not known.
    pub fn blocked(&self) -> Option<usize> {
        let graph = self.needs.graph()?;
        Some(graph.nodes().filter(|ix| graph.is_blocked(*ix)).count())
    }
}
