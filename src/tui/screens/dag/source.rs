//! Where the graph on the screen comes from: the jobs of one pipeline, or the stacks of a parent. Reads the world, changes nothing.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ci::{Job, JobKind, NeedsGraph, NodeIx, PipelineId, Status, Timestamp, stack_of};
use crate::console::dag::{Facts, Stack, stacks};
use crate::console::filter::Filter;
use crate::console::fresh::Freshness;
use crate::console::fuzzy::fuzzy;
use crate::console::world::{Needs, PipelineFacts, World};
use crate::tui::screen::Cx;

/// What can be drawn of a pipeline.
pub(super) struct Source<'a> {
    pub world: &'a World,
    pub pipeline: &'a PipelineFacts,
    pub graph: Cow<'a, NeedsGraph>,
    /// Only for a parent: what to show of each stack, and the children by name.
    level: Option<Level>,
}

struct Level {
    facts: Vec<Facts>,
    children: BTreeMap<Arc<str>, PipelineId>,
}

/// Why nothing can be drawn, and which key shows something instead.
pub(super) struct Absence<'a> {
    pub pipeline: Option<&'a PipelineFacts>,
    pub why: String,
    pub instead: (&'static str, &'static str),
    pub freshness: Freshness,
}

impl<'a> Source<'a> {
    /// Reads what is known of a pipeline; without one, of the newest parent.
    pub fn read(world: &'a World, pipeline: Option<PipelineId>) -> Result<Self, Absence<'a>> {
        let found = match pipeline {
            Some(id) => world.pipeline(id).ok_or_else(|| format!("pipeline {id} is not known yet")),
            None => world.parents().next().ok_or_else(|| "no pipeline is known yet".to_owned()),
        };
        let pipeline = found.map_err(|why| Absence {
            pipeline: None,
            why,
            instead: ("2", "lists the pipelines"),
            freshness: Freshness::Loading,
        })?;
        if let Some((graph, level)) = read_stacks(world, pipeline) {
            return Ok(Self { world, pipeline, graph: Cow::Owned(graph), level: Some(level) });
        }
        let (why, freshness) = match &pipeline.needs {
            Needs::Known { graph, .. } => {
                return Ok(Self { world, pipeline, graph: Cow::Borrowed(graph), level: None });
            }
            Needs::Absent(fault) => {
                (format!("the needs of {} could not be read: {fault}", pipeline.title()), Freshness::Failed)
            }
            Needs::Unknown => (format!("the needs of {} are not read yet", pipeline.title()), Freshness::Loading),
        };
        Err(Absence { pipeline: Some(pipeline), why, instead: ("4", "lists the jobs"), freshness })
    }

    /// What went wrong when its jobs were read last, and what to do about it.
    pub fn fault(&self, cx: Cx<'_>) -> Option<(String, String)> {
        self.pipeline.jobs.error.as_ref().map(|fault| (fault.to_string(), fault.remedy(cx.now)))
    }

    /// Whether the nodes are stacks.
    pub fn is_parent(&self) -> bool {
        self.level.is_some()
    }

    /// The newest try of a node's job.
    pub fn job(&self, name: &str) -> Option<&'a Job> {
        if self.is_parent() { None } else { self.pipeline.jobs.value.latest(name) }
    }

    /// The pipeline that a node leads to: a stack's, or the one that a trigger job started.
    pub fn child(&self, name: &str) -> Option<PipelineId> {
        match &self.level {
            Some(level) => level.children.get(name).copied(),
            None => self.job(name).and_then(|job| job.downstream),
        }
    }

    /// What the picture shows of a node.
    pub fn facts(&self, ix: NodeIx, server_now: Timestamp) -> Facts {
        if let Some(level) = &self.level {
            return level.facts.get(ix.index()).cloned().unwrap_or_default();
        }
        let Some(job) = self.job(self.graph.name(ix)) else { return Facts::default() };
        let ran = matches!(job.status, Status::Running | Status::Failed | Status::Canceling | Status::Canceled);
        Facts {
            time: job.run_time(server_now).filter(|_| ran),
            note: None,
            cause: self.cause(job).map(Into::into),
            starts_pipeline: job.downstream.is_some(),
        }
    }

    /// Why a job failed, and how often it was tried.
    pub fn cause(&self, job: &Job) -> Option<String> {
        let cause = self.world.cause(job)?;
        Some(match self.world.tries(job) {
            0 | 1 => cause.to_owned(),
            tries => format!("{cause}, try {tries}"),
        })
    }

    /// The nodes that a search finds: jobs by the filter, stacks by name.
    pub fn search(&self, text: &str, now: Timestamp) -> Result<Vec<Arc<str>>, String> {
        if self.is_parent() {
            let hits = self.graph.nodes().map(|ix| self.graph.name(ix)).filter(|name| fuzzy(text, name).is_some());
            return Ok(hits.cloned().collect());
        }
        let filter = Filter::parse(text).map_err(|error| error.to_string())?;
        let jobs = self.pipeline.jobs.value.iter();
        Ok(jobs.filter(|job| filter.matches(&self.world.subject(job, now), now)).map(|job| job.name.clone()).collect())
    }
}

/// The stacks of a parent: its children, and the trigger jobs that have not started one. `None` for a pipeline without either.
fn read_stacks(world: &World, parent: &PipelineFacts) -> Option<(NeedsGraph, Level)> {
    let mut found: BTreeMap<Arc<str>, Stack> = BTreeMap::new();
    for job in parent.jobs.value.iter().filter(|job| job.kind == JobKind::Bridge && job.downstream.is_none()) {
        let name: Arc<str> = stack_of(&job.name).map_or_else(|| job.name.clone(), Arc::from);
        found.insert(name.clone(), Stack { name, pipeline: None, status: None, counts: None });
    }
    // In order of id: when a stack was triggered twice, the newer child stands for it.
    let mut children: Vec<&PipelineFacts> = parent.children.iter().filter_map(|id| world.pipeline(*id)).collect();
    children.sort_by_key(|child| child.pipeline.id);
    for child in children {
        let name: Arc<str> = child.title().into();
        let counts = child.jobs.fetched_at.map(|_| *child.jobs.value.counts());
        let status = Some(child.pipeline.status);
        found.insert(name.clone(), Stack { name, pipeline: Some(child.pipeline.id), status, counts });
    }
    if found.is_empty() {
        return None;
    }
    let children = found.values().filter_map(|stack| Some((stack.name.clone(), stack.pipeline?))).collect();
    let list: Vec<Stack> = found.into_values().collect();
    let mut root = parent.pipeline.git_ref.clone();
    if list.iter().any(|stack| stack.name == root) {
        root = format!("{root} {}", parent.pipeline.id).into();
    }
    let (graph, facts) = stacks(&root, Some(parent.pipeline.status), &list);
    Some((graph, Level { facts, children }))
}
