//! The practice world: pipelines, jobs and runners, and the clockwork that moves them.
//!
//! Pure and seeded: the same seed, scenario and size give the same ids, times and logs to the byte, however the time is cut into steps, and
//! an action moves only what it touches. The server is its only driver; it says how late it is and asks what there is to see.
//!
//! * `births`: which pipelines open when; `casting`: who in them will fail.
//! * `clockwork`: what happens by itself; `steps`: what of it runners did; `actions`: what API calls do; `inject`: what tests put in;
//!   `refs`: branches and tags, and what a push of them starts.

mod actions;
mod arena;
mod births;
mod casting;
mod clockwork;
mod inject;
mod refs;
mod steps;
mod tally;
#[cfg(test)]
mod tests;

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::sync::Arc;

use crate::ci::{Iid, JobId, PipelineId, Status, Timestamp};

use super::fleet::{Runner, runners};
use super::git::Trunk;
use super::mishaps::MishapId;
use super::people::{Commit, User};
use super::plan::{Access, Entry, Plan};
use super::{SandboxError, Scenario};

pub use actions::Refusal;
use arena::Arena;
use casting::Script;
use clockwork::Event;
pub use inject::LogBody;
pub use refs::{Known, Note, PushEvent, Refs};
pub use steps::{Step, What};
use tally::Tally;

/// The moment at which every world begins: 2026-03-14T01:50:00Z.
pub const EPOCH: Timestamp = Timestamp::from_millis(1_773_453_000_000);
/// The moment at which a server opens its doors: 03:00 in the night.
pub const OPENING: Timestamp = EPOCH.shifted(70 * 60_000);

/// One pipeline.
#[derive(Debug)]
pub struct Pipeline {
    pub id: PipelineId,
    pub iid: Iid,
    /// The pipeline and the trigger job that started this one.
    pub parent: Option<(PipelineId, JobId)>,
    pub git_ref: Arc<str>,
    /// The ref is a tag, not a branch.
    pub is_tag: bool,
    pub commit: Arc<Commit>,
    pub source: &'static str,
    pub name: Option<Arc<str>>,
    pub user: &'static User,
    pub access: Access,
    pub plan: Arc<Plan>,
    pub status: Status,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    /// The newest job of each entry.
    pub latest: Vec<JobId>,
    /// All jobs, retried ones too, oldest first.
    pub jobs: Vec<JobId>,
    /// Seeds everything that happens in it, so that ids do not.
    key: u64,
    script: Script,
    tally: Tally,
    /// Entries of each stage that have not come to an end.
    open: Vec<u32>,
}

/// One run of an entry.
#[derive(Debug)]
pub struct Job {
    pub id: JobId,
    pub pipeline: PipelineId,
    pub entry: u32,
    /// 0 for the first run.
    pub attempt: u32,
    pub status: Status,
    /// A newer run took its place.
    pub retried: bool,
    pub user: &'static User,
    pub created_at: Timestamp,
    pub queued_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub erased_at: Option<Timestamp>,
    /// Index of the runner that runs or ran it.
    pub runner: Option<usize>,
    /// The pipeline that a trigger job started.
    pub downstream: Option<PipelineId>,
    /// How it will fail or has failed.
    pub mishap: Option<MishapId>,
    /// When it will end if nobody interferes.
    pub planned_end: Option<Timestamp>,
    /// The slot that waits for its pod.
    reserved: Option<usize>,
}

impl Job {
    /// How it failed; `None` while that lies ahead.
    pub fn failure(&self) -> Option<MishapId> {
        self.mishap.filter(|_| self.status == Status::Failed)
    }
}

/// Jobs with the same tags that wait for a slot.
#[derive(Debug)]
struct Queue {
    /// Indices of the runners that take such jobs.
    runners: Vec<usize>,
    jobs: BTreeSet<Turn>,
}

/// A place in a queue: can it wait, since when does it wait, who is it. The smallest is served first.
type Turn = (bool, Option<Timestamp>, JobId);

impl Queue {
    fn served_by(runners: &[Runner], tags: &[&str]) -> Self {
        let takers = (0..).zip(runners).filter(|(_, r)| r.takes(tags)).map(|(i, _)| i).collect();
        Self { runners: takers, jobs: BTreeSet::new() }
    }
}

/// The whole practice world at one moment.
#[derive(Debug)]
pub struct World {
    seed: u64,
    scenario: Scenario,
    size: usize,
    now: Timestamp,
    pipelines: Arena<PipelineId, Pipeline>,
    jobs: Arena<JobId, Job>,
    runners: Vec<Runner>,
    /// Jobs without a slot, by tags.
    waiting: BTreeMap<Arc<[&'static str]>, Queue>,
    events: BinaryHeap<Reverse<(Timestamp, u64, Event)>>,
    event_count: u64,
    /// Entries that came to an end and whose dependents have not been told.
    ended: VecDeque<(PipelineId, u32)>,
    /// Pipelines whose status may have changed.
    touched: BTreeSet<PipelineId>,
    injected: inject::Injected,
    /// Jobs that have changed a build cache, in the order in which they ended.
    landed: Vec<JobId>,
    steps: Vec<Step>,
    trunk: Trunk,
    refs: Refs,
}

impl World {
    /// Makes the world as it is at [`EPOCH`]: the history lies behind, the nightly develop pipeline has just been started.
    pub fn new(seed: u64, scenario: Scenario, jobs: usize) -> Result<Self, SandboxError> {
        let trunk = Trunk::new(seed, EPOCH);
        let mut world = Self {
            refs: Refs::new(&trunk),
            trunk,
            seed,
            scenario,
            size: jobs,
            now: EPOCH,
            pipelines: Arena::starting_at(1_184_000),
            jobs: Arena::starting_at(19_620_000),
            runners: runners(seed, scenario, jobs, EPOCH),
            waiting: BTreeMap::new(),
            events: BinaryHeap::new(),
            event_count: 0,
            ended: VecDeque::new(),
            touched: BTreeSet::new(),
            injected: inject::Injected::default(),
            landed: Vec::new(),
            steps: Vec::new(),
        };
        world.write_history();
        world.populate()?;
        Ok(world)
    }

    /// How late it is.
    pub fn now(&self) -> Timestamp {
        self.now
    }

    pub fn seed(&self) -> u64 {
        self.seed
    }

    pub fn scenario(&self) -> Scenario {
        self.scenario
    }

    pub fn pipeline(&self, id: PipelineId) -> Option<&Pipeline> {
        self.pipelines.get(id)
    }

    /// All pipelines, oldest first.
    pub fn pipelines(&self) -> impl DoubleEndedIterator<Item = &Pipeline> {
        self.pipelines.iter()
    }

    pub fn job(&self, id: JobId) -> Option<&Job> {
        self.jobs.get(id)
    }

    /// All jobs, oldest first.
    pub fn jobs(&self) -> impl DoubleEndedIterator<Item = &Job> {
        self.jobs.iter()
    }

    pub fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// The history that GitHub and GitLab have in common when the world begins.
    pub fn trunk(&self) -> &Trunk {
        &self.trunk
    }

    /// Branches and tags of the GitLab.
    pub fn refs(&self) -> &Refs {
        &self.refs
    }

    /// The pipeline that a job belongs to.
    pub fn pipeline_of(&self, job: &Job) -> &Pipeline {
        self.pipelines.at(job.pipeline)
    }

    /// The entry of the plan that a job runs.
    pub fn entry_of(&self, job: &Job) -> &Entry {
        self.pipeline_of(job).plan.entry(job.entry)
    }

    /// The job's name.
    pub fn name_of(&self, job: &Job) -> &Arc<str> {
        self.injected.names.get(&job.id).unwrap_or_else(|| &self.entry_of(job).name)
    }

    /// The child's plan that a generate job has written or will write.
    pub fn generated(&self, job: &Job) -> Option<&Plan> {
        let parent = self.pipeline_of(job);
        let trigger = parent.plan.entry(job.entry).dependents.first()?;
        parent.script.children.get(trigger).map(|child| &*child.plan)
    }

    /// The jobs that have pushed, signed or indexed binaries, in the order in which they ended.
    pub fn landed(&self) -> &[JobId] {
        &self.landed
    }

    /// The log that a test put in place of the job's own.
    pub fn injected_log(&self, job: JobId) -> Option<&LogBody> {
        self.injected.logs.get(&job)
    }

    /// Everything there is, as text: two worlds are the same exactly when their dumps are.
    pub fn dump(&self) -> String {
        let head = format!("{} {:?} {} {}", self.seed, self.scenario, self.size, self.now);
        let pipelines = self.pipelines.iter().map(|p| format!("{p:?}"));
        let jobs = self.jobs.iter().map(|j| format!("{j:?}"));
        let mut events: Vec<_> = self.events.iter().collect();
        events.sort_unstable_by_key(|e| Reverse(*e));
        let rest = format!("{:?}\n{:?}\n{events:?}\n{:?}\n", self.runners, self.waiting, self.injected);
        [head].into_iter().chain(pipelines).chain(jobs).chain([rest]).collect::<Vec<_>>().join("\n")
    }
}
