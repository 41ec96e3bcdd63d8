//! How pipelines come into the world: the history, the nightly develop pipeline, pull requests and merges.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::ci::{Iid, JobId, PipelineId, Status, Timestamp};

use super::super::SandboxError;
use super::super::git::{Made, TESTED};
use super::super::locks::Shelf;
use super::super::mishaps::MishapId;
use super::super::people::{BOT, Commit, PullRequest, User};
use super::super::plan::{Access, Plan, Role, choose_change, choose_stack};
use super::super::rng::{Rng, hash};
use super::super::stacks::STACKS;
use super::casting::{Child, Script, cast_change, cast_night};
use super::clockwork::Event;
use super::{EPOCH, Job, Pipeline, Tally, World};

/// Everything that a new pipeline is made from.
pub(super) struct Opening {
    pub parent: Option<(PipelineId, JobId)>,
    pub git_ref: Arc<str>,
    pub is_tag: bool,
    pub commit: Arc<Commit>,
    pub source: &'static str,
    pub name: Option<Arc<str>>,
    pub user: &'static User,
    pub access: Access,
    pub key: u64,
    pub plan: Arc<Plan>,
    pub script: Script,
    pub at: Timestamp,
}

impl Opening {
    /// A child of a pipeline, for one of its trigger jobs.
    pub fn below(parent: &Pipeline, trigger: JobId, key: u64, child: Child, at: Timestamp) -> Self {
        Self {
            parent: Some((parent.id, trigger)),
            git_ref: parent.git_ref.clone(),
            is_tag: parent.is_tag,
            commit: parent.commit.clone(),
            source: "parent_pipeline",
            name: None,
            user: parent.user,
            access: parent.access,
            key,
            plan: child.plan,
            script: child.script,
            at,
        }
    }
}

/// Pipelines that have ended before the world begins.
const HISTORY: u64 = 150;
const HOUR: i64 = 3_600_000;

impl World {
    /// Opens a pipeline with all its jobs and starts those that wait for nothing.
    pub(super) fn open(&mut self, opening: Opening) -> PipelineId {
        let id = self.lay_out(opening);
        for number in self.pipelines.at(id).plan.numbers() {
            self.consider(id, number);
        }
        id
    }

    pub(super) fn lay_out(&mut self, opening: Opening) -> PipelineId {
        let id = self.pipelines.next_id();
        let plan = opening.plan;
        let mut open = vec![0; plan.stages.len()];
        for entry in &plan.entries {
            if let Some(open) = open.get_mut(entry.stage) {
                *open += 1;
            }
        }
        self.pipelines.push(Pipeline {
            id,
            iid: Iid(88_000 + self.pipelines.len() as u64),
            parent: opening.parent,
            git_ref: opening.git_ref,
            is_tag: opening.is_tag,
            commit: opening.commit,
            source: opening.source,
            name: opening.name,
            user: opening.user,
            access: opening.access,
            status: Status::Created,
            created_at: opening.at,
            updated_at: opening.at,
            started_at: None,
            finished_at: None,
            latest: Vec::with_capacity(plan.entries.len()),
            jobs: Vec::with_capacity(plan.entries.len()),
            key: opening.key,
            script: opening.script,
            tally: Tally::default(),
            open,
            plan: plan.clone(),
        });
        for number in plan.numbers() {
            let job = self.add_job(id, number, 0, opening.user, opening.at);
            self.pipelines.at_mut(id).latest.push(job);
            self.pipelines.at_mut(id).tally.add(Status::Created, plan.entry(number).allow_failure);
        }
        self.touched.insert(id);
        id
    }

    fn add_job(&mut self, pipeline: PipelineId, entry: u32, attempt: u32, user: &'static User, at: Timestamp) -> JobId {
        let id = self.jobs.next_id();
        self.jobs.push(Job {
            id,
            pipeline,
            entry,
            attempt,
            status: Status::Created,
            retried: false,
            user,
            created_at: at,
            queued_at: None,
            started_at: None,
            finished_at: None,
            erased_at: None,
            runner: None,
            downstream: None,
            mishap: None,
            planned_end: None,
            reserved: None,
        });
        self.pipelines.at_mut(pipeline).jobs.push(id);
        id
    }

    /// Puts a new run in the place of an entry's newest one.
    pub(super) fn new_job(&mut self, pipeline: PipelineId, entry: u32, attempt: u32, user: &'static User) -> JobId {
        let new = self.add_job(pipeline, entry, attempt, user, self.now);
        let home = self.pipelines.at_mut(pipeline);
        let about = home.plan.entry(entry);
        if let Some(latest) = home.latest.get_mut(entry as usize) {
            let old = self.jobs.at_mut(std::mem::replace(latest, new));
            old.retried = true;
            home.tally.remove(old.status, about.allow_failure);
            home.tally.add(Status::Created, about.allow_failure);
            if let Some(open) = home.open.get_mut(about.stage) {
                *open += u32::from(old.status.is_terminal());
            }
        }
        self.touched.insert(pipeline);
        new
    }

    /// Opens what is there at the beginning and plans what will come.
    pub(super) fn populate(&mut self) -> Result<(), SandboxError> {
        for stack in STACKS {
            Shelf::embedded(stack.lock)?;
        }
        self.merge(0);
        let mut at = EPOCH;
        for n in 0..self.first_pushes() {
            at = at.shifted(60_000 + Rng::of(self.seed, "first push", n).below(10 * 60_000) as i64);
            self.plan_event(at, Event::Push(n));
        }
        self.settle();
        Ok(())
    }

    /// How many pull requests are opened while the world warms up.
    fn first_pushes(&self) -> u64 {
        (self.size as u64 / 80).clamp(2, 7)
    }

    /// The stacks of the nightly pipeline with their numbers of specs. A small world leaves the lighter stacks out, or it would consist of
    /// service jobs.
    fn shares(&self, whole: bool) -> Vec<(usize, usize)> {
        let mut stacks: Vec<(usize, usize)> = STACKS.iter().map(|s| s.weight as usize).enumerate().collect();
        stacks.sort_by_key(|(_, weight)| std::cmp::Reverse(*weight));
        stacks.truncate((self.size / 25).max(6));
        stacks.sort_unstable();
        let budget = (self.size * 85 / 100).saturating_sub(1 + stacks.len() * 4);
        let budget = if whole { budget } else { budget / 12 };
        let weights: usize = stacks.iter().map(|(_, weight)| weight).sum();
        stacks.into_iter().map(|(stack, weight)| (stack, (budget * weight / weights).max(2))).collect()
    }

    /// Develop is built again: the nightly pipeline rebuilds everything, later ones find most of it in the cache.
    pub(super) fn merge(&mut self, n: u64) {
        self.build_develop(n, if n == 0 { "schedule" } else { "web" });
        let later = 5 * HOUR + Rng::of(self.seed, "merge", n).below(2 * HOUR as u64) as i64;
        self.plan_event(self.now.shifted(later), Event::Merge(n + 1));
    }

    /// Opens a pipeline for the newest commit of develop.
    pub(super) fn build_develop(&mut self, n: u64, source: &'static str) {
        let Some(commit) = self.refs.tip("develop") else { return };
        let shares = self.shares(n == 0);
        let stacks: Vec<usize> = shares.iter().map(|(stack, _)| *stack).collect();
        let plan = Arc::new(Plan::parent(&stacks, Access::Protected));
        let mut children = BTreeMap::new();
        for (stack, count) in shares {
            let chosen = choose_stack(self.seed ^ n, stack, count).unwrap_or_default();
            if let Some(child) = child(stack, &chosen, Access::Protected) {
                children.insert(trigger_of(&plan, stack), child);
            }
        }
        cast_night(self.seed ^ n, self.scenario, &mut children);
        let opening = Opening {
            parent: None,
            git_ref: "develop".into(),
            is_tag: false,
            commit,
            source,
            name: None,
            user: &BOT,
            access: Access::Protected,
            key: hash("develop") ^ n,
            plan,
            script: Script { children, ..Script::default() },
            at: self.now,
        };
        self.open(opening);
    }

    /// A pull request is opened, or somebody pushes to an older one again and the bot cancels what still ran.
    pub(super) fn push(&mut self, n: u64) {
        if n + 1 >= self.first_pushes() {
            let gap = 6 * 60_000 + Rng::of(self.seed, "gap", n).below(12 * 60_000) as i64;
            self.plan_event(self.now.shifted(gap), Event::Push(n + 1));
        }
        self.push_once(n);
    }

    pub(super) fn push_once(&mut self, n: u64) {
        let mut rng = Rng::of(self.seed, "push", n);
        let again = n > 3 && rng.chance(0.2);
        let number = HISTORY + if again { n - 1 - rng.below(3) } else { n };
        let pr = PullRequest::nth(self.seed, number);
        if again {
            self.supersede(&pr.git_ref);
        }
        let stacks = if n > 2 && rng.chance(0.15) { Vec::new() } else { stacks_with(pr.package, &mut rng) };
        let plan = Arc::new(Plan::parent(&stacks, Access::Public));
        let mut children = BTreeMap::new();
        let count = (self.size * 15 / 100 / 14).clamp(3, 60);
        for stack in stacks {
            let chosen = choose_change(stack, pr.package, count).unwrap_or_default();
            if let Some(mut child) = child(stack, &chosen, Access::Public) {
                cast_change(self.seed, self.scenario, n << 8 | stack as u64, pr.package, &mut child);
                children.insert(trigger_of(&plan, stack), child);
            }
        }
        let opening = Opening {
            parent: None,
            git_ref: pr.git_ref.clone(),
            is_tag: false,
            commit: Arc::new(Commit::merge(self.seed, HISTORY + n, &pr)),
            source: "push",
            name: Some(pr.title),
            user: &BOT,
            access: Access::Public,
            key: hash("pull request") ^ n,
            plan,
            script: Script { children, ..Script::default() },
            at: self.now,
        };
        self.open(opening);
    }

    pub(super) fn supersede(&mut self, git_ref: &str) {
        let older: Vec<PipelineId> = self
            .pipelines
            .iter()
            .filter(|p| p.parent.is_none() && &*p.git_ref == git_ref && p.status.is_cancelable())
            .map(|p| p.id)
            .collect();
        for id in older {
            // The pipeline is there; a cancel that finds nothing to cancel is no failure.
            self.cancel_pipeline(id).ok();
        }
    }

    /// Writes the pipelines of the last day, all of them over: pull requests that touch nothing CI watches, failed generations, and
    /// pipelines that a newer push has canceled.
    pub(super) fn write_history(&mut self) {
        let mut at = EPOCH.shifted(-30 * HOUR);
        for n in 0..HISTORY {
            let mut rng = Rng::of(self.seed, "history", n);
            at = at.shifted(30 * HOUR / (HISTORY as i64 + 2) + rng.below(120_000) as i64 - 60_000);
            let pr = PullRequest::nth(self.seed, n);
            let fate = if n % 24 == 11 { 1.0 } else { rng.unit() };
            let on_develop = fate >= 1.0;
            let stacks = if fate < 0.7 { Vec::new() } else { stacks_with(pr.package, &mut rng) };
            let access = if on_develop { Access::Protected } else { Access::Public };
            let id = self.lay_out(Opening {
                parent: None,
                git_ref: if on_develop { "develop".into() } else { pr.git_ref.clone() },
                is_tag: false,
                commit: match self.trunk.of_pipeline(n).filter(|_| on_develop) {
                    Some(made) => made.about.clone(),
                    None => Arc::new(Commit::merge(self.seed, n, &pr)),
                },
                source: "push",
                name: (!on_develop).then(|| pr.title.clone()),
                user: &BOT,
                access,
                key: hash("history") ^ n,
                plan: Arc::new(Plan::parent(&stacks, access)),
                script: Script::default(),
                at,
            });
            // What was tested last on develop came to an end; others were canceled.
            let ended = fate < 0.86 || n == TESTED;
            self.live_through(id, if ended { Status::Failed } else { Status::Canceled });
        }
        self.touched.clear();
        self.ended.clear();
    }

    /// A pipeline of a branch that is over: the change touched nothing that CI watches.
    pub(super) fn past_pipeline(&mut self, name: &str, made: &Made) {
        let id = self.lay_out(Opening {
            parent: None,
            git_ref: name.into(),
            is_tag: false,
            commit: made.about.clone(),
            source: "push",
            name: None,
            user: &BOT,
            access: Access::Public,
            key: hash("bridged") ^ hash(name),
            plan: Arc::new(Plan::parent(&[], Access::Public)),
            script: Script::default(),
            at: self.now.shifted(-8 * 60_000),
        });
        self.live_through(id, Status::Success);
        self.touched.clear();
        self.ended.clear();
    }

    /// Lets an old pipeline run its course in one go; its generate jobs end as `generation`.
    fn live_through(&mut self, id: PipelineId, generation: Status) {
        let mut now = self.pipelines.at(id).created_at;
        for job in self.pipelines.at(id).latest.clone() {
            let entry = self.entry_of(self.jobs.at(job));
            let (role, seconds, tags) = (entry.role, entry.seconds, entry.tags.clone());
            let mut dice = self.dice("past", job);
            let takers: Vec<usize> = (0..).zip(&self.runners).filter(|(_, r)| r.takes(&tags)).map(|(i, _)| i).collect();
            let mishap = (role == Role::Generate && generation == Status::Failed)
                .then(|| MishapId::all(role, false))
                .and_then(|all| all.get(dice.below(all.len() as u64) as usize).copied());
            let status = match role {
                Role::Generate => generation,
                Role::Trigger if generation == Status::Canceled => Status::Canceled,
                Role::Trigger => Status::Skipped,
                _ => Status::Success,
            };
            if role != Role::Trigger {
                let queued = now;
                let started = queued.shifted(2_000 + dice.below(20_000) as i64);
                let ended = started.shifted(seconds as i64 * 700 + dice.below(60_000) as i64);
                let job = self.jobs.at_mut(job);
                job.queued_at = Some(queued);
                job.started_at = Some(started);
                job.planned_end = Some(ended);
                job.finished_at = Some(ended);
                job.runner = takers.get(dice.below(takers.len() as u64) as usize).copied();
                job.mishap = mishap;
                // Generate jobs run side by side; everything else one after the other.
                now = if role == Role::Generate { now } else { ended };
            }
            self.set(job, status);
        }
        let jobs = self.pipelines.at(id).latest.iter().map(|job| self.jobs.at(*job));
        let started = jobs.clone().filter_map(|j| j.started_at).min();
        let ended = jobs.filter_map(|j| j.finished_at).max();
        let pipeline = self.pipelines.at_mut(id);
        pipeline.status = pipeline.tally.composite();
        pipeline.started_at = started;
        pipeline.finished_at = ended;
        pipeline.updated_at = ended.unwrap_or(pipeline.created_at);
    }
}

/// At most three stacks that build the package.
pub(super) fn stacks_with(package: &str, rng: &mut Rng) -> Vec<usize> {
    let builds = |shelf: &Shelf| shelf.has(package);
    let mut all: Vec<usize> =
        (0..).zip(STACKS).filter(|(_, s)| Shelf::embedded(s.lock).is_ok_and(builds)).map(|(i, _)| i).collect();
    let wanted = rng.between(1, 3) as usize;
    while all.len() > wanted {
        all.remove(rng.below(all.len() as u64) as usize);
    }
    all
}

/// The child of a stack for these specs, with nothing cast yet.
pub(super) fn child(stack: usize, chosen: &std::collections::BTreeSet<u32>, access: Access) -> Option<Child> {
    let shelf = Shelf::embedded(STACKS.get(stack)?.lock).ok()?;
    let plan = Plan::child(stack, shelf, chosen, access)?;
    Some(Child { plan: Arc::new(plan), script: Script::default() })
}

/// The trigger entry of a stack in a parent's plan.
pub(super) fn trigger_of(parent: &Plan, stack: usize) -> u32 {
    let name = STACKS.get(stack).map_or("", |s| s.name);
    let is_trigger = |n: &u32| {
        let entry = parent.entry(*n);
        entry.role == Role::Trigger && entry.name.strip_suffix("-build") == Some(name)
    };
    parent.numbers().find(is_trigger).unwrap_or_default()
}
