//! All known facts, each with its freshness. Faces read it; only [`World::update`] changes it.

mod fetched;
mod fleet;
mod intended;
mod jobs;
mod pipeline;
mod subject;
#[cfg(test)]
mod tests;
mod update;
mod window;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use jobs::JobTable;
pub use pipeline::{Edges, Needs, PipelineFacts};
pub use subject::JobSubject;

use super::actions::{Actions, Asked, Rules};
use super::attach::Attachment;
use super::audit::AuditRow;
use super::caches::Caches;
use super::durations::Durations;
use super::failures::{Failures, History};
use super::fault::Fault;
use super::fleet::FleetFacts;
use super::fresh::{Completeness, Fresh};
use super::log::{LogDoc, PAGE_BUDGET};
use super::loops::Loops;
use super::messages::Messages;
use super::polling::{PollRules, Polling};
use super::state::{Counts, JobState};
use crate::bridge::{Board, Decided};
use crate::ci::{FailureReason, Job, JobId, JobKind, PipelineId, Status, Timestamp};
use crate::forge::PrNumber;
use crate::taxonomy::RuleSet;

/// What the server told about itself.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Server {
    /// Its clock minus ours.
    pub skew_ms: i64,
    pub requests: u64,
    pub limited_until: Option<Timestamp>,
}

/// One log that was opened.
#[derive(Debug, Default)]
pub struct LogFacts {
    pub doc: LogDoc,
    pub error: Option<Fault>,
    pub read_at: Option<Timestamp>,
}

/// Everything the console knows.
#[derive(Debug)]
pub struct World {
    /// Host and path: `gitlab.spack.io/spack/spack-packages`.
    pub project: Arc<str>,
    pub rules: Arc<Rules>,
    pub pipelines: Fresh<BTreeMap<PipelineId, PipelineFacts>>,
    pub server: Server,
    pub actions: Actions,
    pub audit: Fresh<VecDeque<AuditRow>>,
    pub messages: Messages,
    pub durations: Durations,
    pub failures: Failures,
    pub history: Fresh<Option<Arc<History>>>,
    pub caches: Caches,
    /// What goes from GitHub to GitLab and back, as the bridge wrote it down.
    pub board: Fresh<Option<Arc<Board>>>,
    /// What it decided about pull requests that somebody asked for, the newest first.
    pub stories: BTreeMap<PrNumber, Arc<[Decided]>>,
    /// Runners, pods, nodes, and what is wrong with them.
    pub fleet: Box<FleetFacts>,
    pub loops: Loops,
    /// The rules by which logs are judged.
    pub taxonomy: Arc<RuleSet>,
    pub polling: Polling,
    /// What was asked for to be retried without a person.
    pub(in crate::console) asked: Asked,
    logs: VecDeque<(JobId, LogFacts)>,
    /// Memory for the bytes of one log; none: a core without a face passes logs on and keeps none.
    pub log_budget: Option<usize>,
    homes: HashMap<JobId, PipelineId>,
    /// Details that arrived before their jobs, of the newest list only.
    early: HashMap<JobId, Job>,
    counts: Counts,
    /// Grows with every visible change; a face draws when it moved.
    pub revision: u64,
    /// How a console stands to the daemon that tells it all this; `None`: its core is in its own process.
    pub attachment: Option<Arc<Attachment>>,
}

/// Logs kept in memory; the one on the screen and those just left.
const LOGS_KEPT: usize = 3;

impl World {
    /// A world in which nothing is known yet.
    pub fn new(project: &str, rules: Rules, poll: PollRules) -> Self {
        Self {
            project: project.into(),
            rules: Arc::new(rules),
            pipelines: Fresh::default(),
            server: Server::default(),
            actions: Actions::default(),
            audit: Fresh::default(),
            messages: Messages::default(),
            durations: Durations::default(),
            failures: Failures::default(),
            history: Fresh::default(),
            caches: Caches::default(),
            board: Fresh::default(),
            stories: BTreeMap::new(),
            fleet: Box::default(),
            loops: Loops::default(),
            taxonomy: Arc::default(),
            polling: Polling::new(poll),
            asked: Asked::default(),
            logs: VecDeque::new(),
            log_budget: Some(PAGE_BUDGET),
            homes: HashMap::new(),
            early: HashMap::new(),
            counts: Counts::default(),
            revision: 0,
            attachment: None,
        }
    }

    /// The server's clock. Ages of remote things are counted by it, so that a wrong local clock does no harm.
    pub fn server_time(&self, now: Timestamp) -> Timestamp {
        now.shifted(self.server.skew_ms)
    }

    /// One pipeline.
    pub fn pipeline(&self, id: PipelineId) -> Option<&PipelineFacts> {
        self.pipelines.value.get(&id)
    }

    /// The pipeline that a job belongs to.
    pub fn home(&self, job: JobId) -> Option<&PipelineFacts> {
        self.homes.get(&job).and_then(|p| self.pipeline(*p))
    }

    /// One job, any try.
    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.home(id).and_then(|p| p.jobs.value.get(id))
    }

    /// The parent of a child, or the pipeline itself.
    pub fn root_of(&self, id: PipelineId) -> PipelineId {
        self.pipeline(id).and_then(|f| f.pipeline.parent).unwrap_or(id)
    }

    /// Parent pipelines, newest first.
    pub fn parents(&self) -> impl Iterator<Item = &PipelineFacts> {
        self.pipelines.value.values().rev().filter(|f| f.pipeline.parent.is_none())
    }

    /// A pipeline and its children, the parent first.
    pub fn tree(&self, root: PipelineId) -> impl Iterator<Item = &PipelineFacts> {
        let root = self.pipeline(root);
        root.into_iter().chain(root.into_iter().flat_map(|f| f.children.iter()).filter_map(|c| self.pipeline(*c)))
    }

    /// The newest parents, whatever is on the screen, and what plans are about, each with its children.
    pub fn followed(&self, limit: usize) -> impl Iterator<Item = &PipelineFacts> {
        let wanted = self.parents().filter(|f| self.polling.rules.follows(&f.pipeline.git_ref));
        let mut roots: BTreeSet<PipelineId> = wanted.take(limit).map(|f| f.pipeline.id).collect();
        let looked_at = self.polling.foci().filter_map(|focus| focus.pipeline);
        roots.extend(looked_at.chain(self.actions.pipelines_named()).map(|p| self.root_of(p)));
        roots.into_iter().rev().flat_map(|root| self.tree(root))
    }

    /// Counts over a pipeline and its children. Trigger jobs are left out: their children's jobs are counted.
    pub fn tree_counts(&self, root: PipelineId) -> Counts {
        let mut sum = Counts::default();
        for facts in self.tree(root) {
            sum.merge(facts.jobs.value.counts());
        }
        sum
    }

    /// Counts over everything that has been read; [`World::jobs_known`] tells how much that is.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }

    /// How much of the followed pipelines' jobs has been read.
    pub fn jobs_known(&self) -> Completeness {
        self.known(|facts| facts.jobs.completeness)
    }

    /// How many of the graphs of the followed stacks are known: what [`World::blocked`] is made of.
    pub fn graphs_known(&self) -> Completeness {
        self.known(|facts| match facts.needs {
            _ if facts.pipeline.parent.is_none() => facts.jobs.completeness,
            Needs::Known { .. } => Completeness::Whole,
            _ => Completeness::Unknown,
        })
    }

    /// How much is known where each followed pipeline is a part. What ended well is not read and not missed.
    fn known(&self, part: impl Fn(&PipelineFacts) -> Completeness) -> Completeness {
        let ended_well = |f: &&PipelineFacts| f.pipeline.status.is_terminal() && f.pipeline.status != Status::Failed;
        let followed = self.followed(self.polling.rules.followed).filter(|f| !ended_well(f));
        let parts: BTreeSet<Completeness> = followed.map(part).collect();
        let known = match (parts.first(), parts.last()) {
            (Some(least), Some(most)) if least < most => Completeness::Partial,
            (Some(all), _) => *all,
            (None, _) => Completeness::Whole,
        };
        known.min(self.pipelines.completeness)
    }

    /// Every job of a tree whose newest try it is; trigger jobs included.
    pub fn jobs_of(&self, root: PipelineId) -> impl Iterator<Item = &Job> {
        self.tree(root).flat_map(|f| f.jobs.value.iter())
    }

    /// Every newest try of every pipeline, newest pipeline first.
    pub fn jobs(&self) -> impl Iterator<Item = &Job> {
        self.pipelines.value.values().rev().flat_map(|f| f.jobs.value.iter())
    }

    /// Tries of a job that are known, itself included.
    pub fn tries(&self, job: &Job) -> u32 {
        self.home(job.id).map_or(1, |f| f.jobs.value.tries(&job.name).len().max(1) as u32)
    }

    /// The state a job is shown in.
    pub fn state(&self, job: &Job) -> JobState {
        let blocked = job.status == Status::Skipped && self.home(job.id).is_some_and(|f| f.is_blocked(job));
        JobState::of(job.status, job.allow_failure, blocked)
    }

    /// Why a job failed: the class that its log was judged to be, else GitLab's reason. `None` when it did not fail or nobody has read either.
    pub fn cause<'a>(&'a self, job: &'a Job) -> Option<&'a str> {
        if job.status != Status::Failed {
            return None;
        }
        let judged = self.failures.get(job.id).filter(|failure| failure.is_known());
        judged.map(|failure| &*failure.class).or_else(|| job.failure_reason.as_ref().map(FailureReason::as_str))
    }

    /// A newer parent pipeline of the same ref, if one is known: retrying in the older one would be wasted.
    pub fn newer_pipeline(&self, id: PipelineId) -> Option<PipelineId> {
        let root = self.pipeline(self.root_of(id))?;
        // A push only makes older pipelines of a pull request useless; develop runs beside develop.
        root.pipeline.pull_request()?;
        self.parents()
            .take_while(|f| f.pipeline.id > root.pipeline.id)
            .find(|f| f.pipeline.git_ref == root.pipeline.git_ref)
            .map(|f| f.pipeline.id)
    }

    /// How many jobs of a tree wait for failed ones, each counted once, as far as its graphs are known.
    pub fn blocked(&self, root: PipelineId) -> usize {
        self.tree(root).filter_map(PipelineFacts::blocked).sum()
    }

    /// Why nothing may be changed right now, if so.
    pub fn read_only(&self, _now: Timestamp) -> Option<String> {
        self.unheard().or_else(|| self.rules.read_only.clone())
    }

    /// Takes over what belongs to the console itself from the world in whose place this one comes.
    pub(super) fn keep_own(&mut self, before: &mut Self) {
        self.messages = std::mem::take(&mut before.messages);
        self.logs = std::mem::take(&mut before.logs);
        self.log_budget = before.log_budget;
        self.attachment = before.attachment.take();
        self.revision = before.revision;
    }

    /// The 95th percentile of how long pending jobs have waited.
    pub fn pending_p95(&self, now: Timestamp) -> Option<Duration> {
        let server_now = self.server_time(now);
        let mut waits: Vec<Duration> =
            self.jobs().filter(|j| j.status == Status::Pending).filter_map(|j| j.wait_time(server_now)).collect();
        if waits.is_empty() {
            return Some(Duration::ZERO);
        }
        waits.sort_unstable();
        waits.get((waits.len() * 95 / 100).min(waits.len() - 1)).copied()
    }

    /// A log that was opened.
    pub fn log(&self, job: JobId) -> Option<&LogFacts> {
        self.logs.iter().find(|(id, _)| *id == job).map(|(_, facts)| facts)
    }

    fn log_mut(&mut self, job: JobId) -> Option<&mut LogFacts> {
        self.logs.iter_mut().find(|(id, _)| *id == job).map(|(_, facts)| facts)
    }

    fn open_log(&mut self, job: JobId) {
        if let Some(place) = self.logs.iter().position(|(id, _)| *id == job) {
            if let Some(entry) = self.logs.remove(place) {
                self.logs.push_front(entry);
            }
        } else if let Some(budget) = self.log_budget {
            self.logs.push_front((job, LogFacts { doc: LogDoc::new(budget), ..LogFacts::default() }));
            self.logs.truncate(LOGS_KEPT);
        }
    }

    /// Whether a failed job's reason or a running job's runner has not been read: GraphQL lists leave both out.
    pub(super) fn lacks_details(&self) -> bool {
        self.counts.get(JobState::Fail) + self.counts.get(JobState::Run) > 0
            && self.jobs().any(|j| {
                j.kind == JobKind::Build
                    && match j.status {
                        Status::Failed => j.failure_reason.is_none(),
                        Status::Running => j.runner.is_none(),
                        _ => false,
                    }
            })
    }

    /// Failures by reason, most jobs first: reason, jobs, jobs that wait for them, the first one.
    pub fn causes(&self) -> Vec<CauseRow> {
        let mut rows: BTreeMap<Option<&str>, CauseRow> = BTreeMap::new();
        for facts in self.pipelines.value.values() {
            for job in facts.jobs.value.iter().filter(|j| j.is_failure() && j.downstream.is_none()) {
                let row = rows.entry(self.cause(job)).or_insert_with(|| CauseRow {
                    cause: self.cause(job).unwrap_or("reason not read yet").into(),
                    ..CauseRow::default()
                });
                row.jobs += 1;
                row.blocks += facts.blocks(job).unwrap_or(0);
                row.graph_unknown |= facts.needs.graph().is_none();
                row.first = [row.first, job.finished_at].into_iter().flatten().min();
                row.times.extend(job.finished_at);
                let place = facts.pipeline.stack.as_deref().unwrap_or(&facts.pipeline.git_ref);
                *row.stacks.entry(place.into()).or_insert(0) += 1;
                if let Some(runner) = &job.runner {
                    *row.runners.entry(Arc::clone(&runner.description)).or_insert(0) += 1;
                }
            }
        }
        let mut rows: Vec<_> = rows.into_values().collect();
        rows.sort_by(|a, b| (b.blocks, b.jobs).cmp(&(a.blocks, a.jobs)).then_with(|| a.cause.cmp(&b.cause)));
        rows
    }
}

/// Failures of one reason.
#[derive(Debug, Clone, Default)]
pub struct CauseRow {
    pub cause: Arc<str>,
    pub jobs: usize,
    pub blocks: usize,
    /// The graph of some pipeline is not known: `blocks` is a lower bound.
    pub graph_unknown: bool,
    pub first: Option<Timestamp>,
    pub times: Vec<Timestamp>,
    pub stacks: BTreeMap<Arc<str>, usize>,
    pub runners: BTreeMap<Arc<str>, usize>,
}

impl CauseRow {
    /// The place that explains most: `uo-19 only`, `e4s 8 of 12`, or empty when the failures are spread.
    pub fn place(&self) -> String {
        let top = |m: &BTreeMap<Arc<str>, usize>| m.iter().max_by_key(|(_, n)| **n).map(|(k, n)| (k.to_string(), *n));
        let best = [top(&self.runners), top(&self.stacks)].into_iter().flatten().max_by_key(|(_, n)| *n);
        match best {
            Some((place, 1)) if self.jobs == 1 => place,
            Some((place, n)) if n == self.jobs => format!("{place} only"),
            Some((place, n)) if n * 2 >= self.jobs => format!("{place} {n} of {}", self.jobs),
            _ => String::new(),
        }
    }
}
