//! Plans: what an action would do, with the ids *and* the states that were on the screen when it was made.
//!
//! A plan is the only thing that can be confirmed, held and sent. It is plain data: the preview draws it, `--plan` prints it, `--apply` reads it
//! back, the executor compares each target with the server before it sends.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::group::Trial;
use super::rules::{Guard, GuardRule, Rules};
use crate::ci::{Job, JobId, JobKind, PipelineId, RunnerId, SpecName, Status, Timestamp};
use crate::console::fault::Count;
use crate::console::fresh::Completeness;
use crate::console::state::JobState;
use crate::console::world::World;
use crate::forge::PrNumber;

/// The shape of a plan's JSON.
pub const PLAN_VERSION: &str = "stackhand.plan/1";

/// What is asked of GitLab, of the cluster, or of Alertmanager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verb {
    /// A new try of a failed or canceled job.
    Retry,
    Cancel,
    /// Start a manual job.
    Play,
    /// All failed and canceled jobs of a pipeline, chosen by GitLab.
    RetryPipeline,
    /// A runner takes no more jobs; those that run go on.
    Pause,
    Resume,
    /// A node takes no more pods; those that run go on.
    Cordon,
    Uncordon,
    /// A pod whose job is over or hangs.
    Delete,
    /// An alert, for a while.
    Silence,
    /// A pull request goes to GitLab again, whatever held it up.
    Resync,
}

impl Verb {
    /// The action's id in the registry and in the audit.
    pub fn action(self) -> &'static str {
        match self {
            Self::Retry => "jobs.retry",
            Self::Cancel => "jobs.cancel",
            Self::Play => "jobs.play",
            Self::RetryPipeline => "pipelines.retry",
            Self::Pause => "runners.pause",
            Self::Resume => "runners.resume",
            Self::Cordon => "nodes.cordon",
            Self::Uncordon => "nodes.uncordon",
            Self::Delete => "pods.delete",
            Self::Silence => "alerts.silence",
            Self::Resync => "bridge.resync",
        }
    }

    /// The verb in a sentence: `retry 33 jobs`.
    pub fn word(self) -> &'static str {
        match self {
            Self::Retry | Self::RetryPipeline => "retry",
            Self::Cancel => "cancel",
            Self::Play => "play",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Cordon => "cordon",
            Self::Uncordon => "uncordon",
            Self::Delete => "delete",
            Self::Silence => "silence",
            Self::Resync => "resync",
        }
    }

    /// What it is done to.
    pub fn noun(self) -> &'static str {
        match self {
            Self::Retry | Self::Cancel | Self::Play => "job",
            Self::RetryPipeline => "pipeline",
            Self::Pause | Self::Resume => "runner",
            Self::Cordon | Self::Uncordon => "node",
            Self::Delete => "pod",
            Self::Silence => "alert",
            Self::Resync => "pull request",
        }
    }

    fn accepts(self, job: &Job) -> Result<(), String> {
        let fits = match self {
            Self::Retry => matches!(job.status, Status::Failed | Status::Canceled),
            Self::Cancel => job.status.is_cancelable(),
            Self::Play => job.status == Status::Manual,
            _ => return Err(format!("is nothing to {}", self.word())),
        };
        if fits { Ok(()) } else { Err(format!("{} cannot be {}", job.status, self.participle())) }
    }

    fn participle(self) -> &'static str {
        match self {
            Self::Cancel => "canceled",
            Self::Play => "played",
            _ => "retried",
        }
    }
}

/// Names a plan in holds, undo and audit.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PlanId(pub Arc<str>);

impl PlanId {
    /// The same action on the same objects at the same moment has the same id; nothing random is needed.
    pub fn of<'a>(action: &str, objects: impl IntoIterator<Item = &'a Object>, now: Timestamp) -> Self {
        let mut hash: u64 = 0xcbf2_9ce4_8422_2325;
        let mut mix = |bytes: &[u8]| {
            for byte in bytes {
                hash = (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3);
            }
        };
        mix(action.as_bytes());
        mix(&now.millis().to_le_bytes());
        for object in objects {
            mix(object.to_string().as_bytes());
        }
        Self(format!("p{:07x}", hash & 0x0fff_ffff).into())
    }
}

impl std::fmt::Display for PlanId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(&self.0)
    }
}

/// What a plan acts on.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind", content = "id")]
pub enum Object {
    Job(JobId),
    Pipeline(PipelineId),
    Runner(RunnerId),
    Node(InCluster),
    Pod(InCluster),
    Silence(Silence),
    /// A branch of the project, by its name.
    Branch(Arc<str>),
    PullRequest(PrNumber),
}

/// A thing of the cluster: its name may come back, its uid does not.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct InCluster {
    /// Empty for what lies in none.
    #[serde(default)]
    pub namespace: Arc<str>,
    pub name: Arc<str>,
    pub uid: Arc<str>,
}

/// A silence that is to be made.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Silence {
    /// Of the alert, as Alertmanager gives it.
    pub fingerprint: Arc<str>,
    /// By our own clock: Alertmanager's is not known.
    pub until: Timestamp,
    pub why: Arc<str>,
}

impl Object {
    /// The job, if it is one.
    pub const fn job(&self) -> Option<JobId> {
        match self {
            Self::Job(id) => Some(*id),
            _ => None,
        }
    }
}

impl std::fmt::Display for Object {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Job(id) => write!(f, "job {id}"),
            Self::Pipeline(id) => write!(f, "pipeline {id}"),
            Self::Runner(id) => write!(f, "runner {id}"),
            Self::Node(node) => write!(f, "node {}", node.name),
            Self::Pod(pod) => write!(f, "pod {}", pod.name),
            Self::Silence(silence) => write!(f, "alert {}", silence.fingerprint),
            Self::Branch(name) => write!(f, "branch {name}"),
            Self::PullRequest(number) => write!(f, "pull request {number}"),
        }
    }
}

/// One thing to act on, as it was shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Target {
    pub object: Object,
    /// Where it belongs; of what is no part of a pipeline there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pipeline: Option<PipelineId>,
    pub name: Arc<str>,
    /// The status that was shown, in the server's word; of a branch, its commit. Whoever sends does so only if the server still says the same.
    pub status: Arc<str>,
    /// Tries so far, this one included.
    pub tries: u32,
    /// The cause as far as it is known; summed up in the preview.
    pub cause: Arc<str>,
}

/// One thing that was asked for and will not be done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Skip {
    pub object: Object,
    pub name: Arc<str>,
    pub reason: String,
}

/// What an action would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Plan {
    pub version: Arc<str>,
    pub id: PlanId,
    pub verb: Verb,
    /// The project that the ids belong to, with its server.
    pub project: Arc<str>,
    pub made_at: Timestamp,
    pub targets: Vec<Target>,
    pub skips: Vec<Skip>,
    /// A word that must be typed to confirm, when a guardrail or the number of targets asks for it.
    pub typed: Option<String>,
    /// Why the plan as a whole may not be sent: read-only mode, a guardrail.
    pub refused: Option<String>,
    /// Things worth saying in the preview: rules that applied, estimates.
    pub notes: Vec<String>,
    /// Some go first, to see whether it helps.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
}

impl Plan {
    /// Makes a plan for jobs, marked or filtered, as the world shows them at `now`.
    pub fn for_jobs(world: &World, verb: Verb, jobs: impl IntoIterator<Item = JobId>, now: Timestamp) -> Self {
        let rules = &world.rules;
        let mut draft = Draft::default();
        let mut asked: Vec<JobId> = jobs.into_iter().collect();
        asked.sort_unstable();
        asked.dedup();
        for id in asked {
            match world.job(id) {
                Some(job) => draft.consider(world, verb, job, rules, now),
                None => draft.skip(Object::Job(id), "".into(), "no longer known"),
            }
        }
        draft.finish(world, verb, rules, now)
    }

    /// Makes a plan that has GitLab retry all failed and canceled jobs of a pipeline.
    pub fn for_pipeline(world: &World, id: PipelineId, now: Timestamp) -> Self {
        let mut draft = Draft::default();
        let object = Object::Pipeline(id);
        match world.pipeline(id) {
            None => draft.skip(object, "".into(), "no longer known"),
            Some(facts) => {
                let name: Arc<str> = facts.title().into();
                let failed =
                    facts.jobs.value.iter().filter(|j| matches!(j.status, Status::Failed | Status::Canceled)).count();
                if failed == 0 {
                    draft.skip(object, name, "has no failed or canceled job");
                } else {
                    draft.notes.push(format!(
                        "GitLab chooses the jobs: {} failed or canceled as far as known",
                        facts.jobs.count(failed)
                    ));
                    draft.targets.push(Target {
                        object,
                        pipeline: Some(id),
                        name,
                        status: facts.pipeline.status.as_str().into(),
                        tries: 1,
                        cause: "".into(),
                    });
                }
            }
        }
        draft.finish(world, Verb::RetryPipeline, &world.rules, now)
    }

    /// Leaves only the targets that `keep` accepts; the rest become skips with a reason.
    pub fn narrow(mut self, keep: impl Fn(&Target) -> bool) -> Self {
        let (kept, dropped): (Vec<_>, Vec<_>) = std::mem::take(&mut self.targets).into_iter().partition(keep);
        self.targets = kept;
        self.skips.extend(dropped.into_iter().map(|t| Skip {
            object: t.object,
            name: t.name,
            reason: "deselected".to_owned(),
        }));
        self
    }

    /// The reason of the first guardrail that lets fewer targets pass than the plan has.
    pub fn exceeds(&self, world: &World, now: Timestamp) -> Option<String> {
        let exceeded = world.rules.guards.iter().find(|guard| {
            let concerned = self.targets.iter().filter(|target| concerns(world, guard, &target.object, now)).count();
            allowed(world, guard, now).is_some_and(|allowed| concerned > allowed)
        })?;
        Some(exceeded.reason.clone())
    }

    /// `retry 33 jobs`.
    pub fn summary(&self) -> String {
        let n = self.targets.len();
        format!("{} {n} {}{}", self.verb.word(), self.verb.noun(), if n == 1 { "" } else { "s" })
    }

    /// Targets per cause, most first.
    pub fn causes(&self) -> Vec<(Arc<str>, usize)> {
        let mut sums: Vec<(Arc<str>, usize)> = Vec::new();
        for t in &self.targets {
            match sums.iter_mut().find(|(c, _)| *c == t.cause) {
                Some((_, n)) => *n += 1,
                None => sums.push((Arc::clone(&t.cause), 1)),
            }
        }
        sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        sums
    }

    /// Skips per reason, most first.
    pub fn skip_reasons(&self) -> Vec<(&str, usize)> {
        let mut sums: Vec<(&str, usize)> = Vec::new();
        for s in &self.skips {
            match sums.iter_mut().find(|(r, _)| *r == s.reason) {
                Some((_, n)) => *n += 1,
                None => sums.push((&s.reason, 1)),
            }
        }
        sums.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(b.0)));
        sums
    }
}

/// A plan that is being made.
#[derive(Default)]
pub(super) struct Draft {
    pub targets: Vec<Target>,
    pub skips: Vec<Skip>,
    pub notes: Vec<String>,
}

impl Draft {
    pub fn skip(&mut self, object: Object, name: Arc<str>, reason: impl Into<String>) {
        self.skips.push(Skip { object, name, reason: reason.into() });
    }

    fn consider(&mut self, world: &World, verb: Verb, job: &Job, rules: &Rules, now: Timestamp) {
        let object = Object::Job(job.id);
        let name = Arc::clone(&job.name);
        if job.retried {
            return self.skip(object, name, "a newer try exists");
        }
        if job.kind == JobKind::Bridge && verb != Verb::Retry {
            return self.skip(object, name, "is a trigger job");
        }
        if let Err(reason) = verb.accepts(job) {
            return self.skip(object, name, reason);
        }
        if let Some(plan) = world.actions.pending_for(&object) {
            return self.skip(object, name, format!("already part of {plan}"));
        }
        if verb == Verb::Retry
            && let Some(newer) = world.newer_pipeline(job.pipeline)
        {
            return self.skip(object, name, format!("newer pipeline {newer} of the same ref"));
        }
        let tries = world.tries(job);
        if let Some(reason) = rules.denies(verb, &world.subject(job, now), tries, world.server_time(now)) {
            return self.skip(object, name, format!("guardrail: {reason}"));
        }
        self.targets.push(Target {
            object,
            pipeline: Some(job.pipeline),
            name,
            status: job.status.as_str().into(),
            tries,
            cause: world.cause(job).unwrap_or_default().into(),
        });
    }

    pub fn finish(mut self, world: &World, verb: Verb, rules: &Rules, now: Timestamp) -> Plan {
        for guard in &rules.guards {
            let concerned = |object: &Object| concerns(world, guard, object, now);
            let Some(allowed) = allowed(world, guard, now) else { continue };
            let mut taken = 0;
            for target in std::mem::take(&mut self.targets) {
                taken += usize::from(concerned(&target.object));
                if taken > allowed && concerned(&target.object) {
                    self.skip(target.object, target.name, format!("guardrail: {}", guard.reason));
                } else {
                    self.targets.push(target);
                }
            }
        }
        let n = self.targets.len();
        let rule = rules.guards.iter().find(|guard| match guard.rule {
            GuardRule::Typed { over } => {
                self.targets.iter().filter(|t| concerns(world, guard, &t.object, now)).count() > over
            }
            _ => false,
        });
        let many = n > rules.typed_above;
        let typed = (many || rule.is_some()).then(|| format!("{} {n}", verb.word()));
        if let Some(guard) = rule {
            self.notes.push(format!("typed confirmation: {}", guard.reason));
        } else if many {
            self.notes.push(format!("typed confirmation: more than {} targets", rules.typed_above));
        }
        if verb == Verb::Retry && n > 0 {
            self.notes.push(cost(world, &self.targets));
        }
        if n > rules.wave {
            self.notes.push(format!("waves of {}; the next when the last is through", rules.wave));
        }
        let id = PlanId::of(verb.action(), self.targets.iter().map(|target| &target.object), now);
        Plan {
            version: PLAN_VERSION.into(),
            id,
            verb,
            project: Arc::clone(&world.project),
            made_at: now,
            targets: self.targets,
            skips: self.skips,
            typed,
            refused: world.read_only(now),
            notes: self.notes,
            trial: None,
        }
    }
}

/// How many objects that it concerns a guardrail still lets pass; `None`: it does not count them.
fn allowed(world: &World, guard: &Guard, now: Timestamp) -> Option<usize> {
    match guard.rule {
        GuardRule::MaxBulk { limit } => Some(limit),
        GuardRule::Rate { limit, per } => {
            let lately = world.actions.sent().filter(|(at, _)| now.since(*at) < per);
            Some(limit.saturating_sub(lately.filter(|(_, object)| concerns(world, guard, object, now)).count()))
        }
        _ => None,
    }
}

/// Whether a guardrail speaks about this object; what is no job is only meant by a guardrail about everything.
fn concerns(world: &World, guard: &Guard, object: &Object, now: Timestamp) -> bool {
    match object {
        Object::Job(id) => {
            world.job(*id).is_some_and(|job| guard.when.may_match(&world.subject(job, now), world.server_time(now)))
        }
        _ => guard.when.is_empty(),
    }
}

/// Estimated runner time and effect on the queue.
fn cost(world: &World, targets: &[Target]) -> String {
    let seconds: f64 = targets
        .iter()
        .map(|t| world.durations.expected(SpecName::parse(&t.name).map_or(&*t.name, |n| n.package)).as_secs_f64())
        .sum();
    let waiting = world.counts().get(JobState::Wait);
    let count = |jobs| match world.jobs_known() {
        Completeness::Whole => Count::Exact(jobs),
        Completeness::Partial => Count::AtLeast(jobs),
        Completeness::Unknown => Count::Unknown,
    };
    format!("est. {:.1} runner-h, queue {} → {}", seconds / 3_600.0, count(waiting), count(waiting + targets.len()))
}
