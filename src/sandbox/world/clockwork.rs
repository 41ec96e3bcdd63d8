//! What happens by itself: jobs become ready, wait for a slot, run, end; children start; statuses climb to the parents.
//!
//! Time is a queue of events. Everything that follows from an event at once happens in [`World::settle`], in a fixed order.

use std::cmp::Reverse;

use crate::ci::{JobId, PipelineId, Status, Timestamp};

use super::super::fleet::{BAD_HOST, Host, Runner, SHORT_CLASSES, SICK_CLASSES};
use super::super::mishaps::MishapId;
use super::super::plan::Role;
use super::super::rng::Rng;
use super::births::Opening;
use super::casting::Part;
use super::{EPOCH, Note, Queue, Scenario, Turn, What, World};

/// Something that will happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Event {
    /// A slot's pod is up: the job starts.
    Starts(JobId),
    /// A job comes to its end.
    Ends(JobId),
    /// A canceled job has cleaned up.
    Stops(JobId),
    /// A trigger job starts its child.
    Triggers(JobId),
    /// The pull request of that running number is opened or pushed to.
    Push(u64),
    /// A merge reaches develop.
    Merge(u64),
}

/// When the bad machine of the outage turns bad.
const OUTAGE: Timestamp = EPOCH.shifted(32 * 60_000);
/// How many jobs of its class the sick node of the outage gets.
const SICK: f64 = 0.15;
/// How many jobs on spot machines lose them in the outage.
const RECLAIMED: f64 = 0.05;

impl World {
    /// Lets time pass until `to`. Cutting the way into steps changes nothing; going back does nothing.
    pub fn advance_to(&mut self, to: Timestamp) {
        while let Some(Reverse((at, _, event))) = self.events.peek().copied().filter(|Reverse((at, ..))| *at <= to) {
            self.events.pop();
            self.now = self.now.max(at);
            self.happen(event);
            self.settle();
        }
        self.now = self.now.max(to);
    }

    pub(super) fn plan_event(&mut self, at: Timestamp, event: Event) {
        self.event_count += 1;
        self.events.push(Reverse((at, self.event_count, event)));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Starts(job) => self.start(job),
            Event::Ends(job) => self.end(job),
            Event::Stops(job) => {
                if self.jobs.at(job).status == Status::Canceling {
                    self.finish(job, Status::Canceled);
                }
            }
            Event::Triggers(job) => self.trigger(job),
            Event::Push(n) => self.push(n),
            Event::Merge(n) => self.merge(n),
        }
    }

    /// Changes a job's status and keeps the counts of its pipeline right.
    pub(super) fn set(&mut self, id: JobId, status: Status) {
        let job = self.jobs.at_mut(id);
        let old = std::mem::replace(&mut job.status, status);
        if job.retried || old == status {
            return;
        }
        let pipeline = self.pipelines.at_mut(job.pipeline);
        let entry = pipeline.plan.entry(job.entry);
        pipeline.tally.remove(old, entry.allow_failure);
        pipeline.tally.add(status, entry.allow_failure);
        if let Some(open) = pipeline.open.get_mut(entry.stage) {
            *open = *open + u32::from(old.is_terminal()) - u32::from(status.is_terminal());
        }
        let pipeline = job.pipeline;
        if status.is_terminal() {
            self.ended.push_back((pipeline, job.entry));
        }
        self.refs.note(Note::Job(id));
        self.touched.insert(pipeline);
    }

    /// Tells dependents and parents until nothing more follows.
    pub(super) fn settle(&mut self) {
        loop {
            if let Some((pipeline, entry)) = self.ended.pop_front() {
                let plan = self.pipelines.at(pipeline).plan.clone();
                for dependent in &plan.entry(entry).dependents {
                    self.consider(pipeline, *dependent);
                }
                for next in &plan.in_stage_order {
                    self.consider(pipeline, *next);
                }
            } else if let Some(pipeline) = self.touched.pop_last() {
                // The youngest first: children are younger than their parents.
                self.refresh(pipeline);
            } else {
                break;
            }
        }
        self.hand_out();
    }

    /// Moves a waiting entry on when what it waits for has come to an end.
    pub(super) fn consider(&mut self, id: PipelineId, number: u32) {
        let pipeline = self.pipelines.at(id);
        let Some(job) = pipeline.latest.get(number as usize).copied() else { return };
        if self.jobs.at(job).status != Status::Created {
            return;
        }
        let entry = pipeline.plan.entry(number);
        let before: Vec<u32> = match &entry.needs {
            Some(needs) => needs.clone(),
            None if pipeline.open.iter().take(entry.stage).any(|open| *open > 0) => return,
            None if entry.runs_always() => Vec::new(),
            None => pipeline.plan.numbers().filter(|n| pipeline.plan.entry(*n).stage < entry.stage).collect(),
        };
        let mut held_back = false;
        for need in before {
            let status = pipeline.latest.get(need as usize).map_or(Status::Created, |j| self.jobs.at(*j).status);
            if !status.is_terminal() {
                return;
            }
            held_back |= status != Status::Success && !pipeline.plan.entry(need).allow_failure;
        }
        if held_back {
            self.set(job, Status::Skipped);
        } else {
            self.enqueue(job);
        }
    }

    pub(super) fn enqueue(&mut self, id: JobId) {
        let now = self.now;
        self.jobs.at_mut(id).queued_at = Some(now);
        self.set(id, Status::Pending);
        let entry = self.entry_of(self.jobs.at(id));
        if entry.role == Role::Trigger {
            let delay = 1_500 + self.dice("trigger", id).below(2_500) as i64;
            self.plan_event(now.shifted(delay), Event::Triggers(id));
        } else {
            let tags = entry.tags.clone();
            let turn = self.turn(id);
            let runners = &self.runners;
            let queue = self.waiting.entry(tags).or_insert_with_key(|tags| Queue::served_by(runners, tags));
            queue.jobs.insert(turn);
        }
    }

    /// A job's place in the queue: retried and hurried ones first, then who has waited longest. (GitLab goes by id, so a big pipeline that came first would
    /// hold up all others.)
    fn turn(&self, id: JobId) -> Turn {
        let job = self.jobs.at(id);
        let hurried = job.attempt > 0 || self.pipelines.at(job.pipeline).script.hurried.contains(&job.entry);
        (!hurried, job.queued_at, id)
    }

    /// Takes a job out of the queue and gives a reserved slot back.
    pub(super) fn leave_queue(&mut self, id: JobId) {
        let tags = self.entry_of(self.jobs.at(id)).tags.clone();
        let turn = self.turn(id);
        if let Some(queue) = self.waiting.get_mut(&tags) {
            queue.jobs.remove(&turn);
        }
        if let Some(runner) = self.jobs.at_mut(id).reserved.take() {
            self.release(runner);
        }
    }

    fn release(&mut self, runner: usize) {
        if let Some(runner) = self.runners.get_mut(runner) {
            runner.busy = runner.busy.saturating_sub(1);
        }
    }

    /// Gives free slots to waiting jobs: retried jobs first, then the oldest; the emptiest runner takes it.
    fn hand_out(&mut self) {
        while let Some((runner, id)) = self.next_match() {
            self.leave_queue(id);
            if let Some(runner) = self.runners.get_mut(runner) {
                runner.busy += 1;
            }
            self.jobs.at_mut(id).reserved = Some(runner);
            self.note_step(id, What::Picked(runner));
            let delay = 1_500 + self.dice("pod", id).below(6_000) as i64;
            self.plan_event(self.now.shifted(delay), Event::Starts(id));
        }
    }

    fn next_match(&self) -> Option<(usize, JobId)> {
        self.waiting
            .values()
            .filter_map(|queue| {
                let first = queue.jobs.first()?;
                let free = |i: &usize| self.runners.get(*i).map_or(0, Runner::free);
                let runner =
                    queue.runners.iter().copied().max_by_key(|i| (free(i), Reverse(*i))).filter(|i| free(i) > 0)?;
                Some((*first, runner))
            })
            .min()
            .map(|((.., job), runner)| (runner, job))
    }

    fn start(&mut self, id: JobId) {
        let Some(runner) = self.jobs.at(id).reserved else { return };
        if self.jobs.at(id).status != Status::Pending {
            return;
        }
        let mishap = self.verdict(id, runner);
        let length = self.length(id, mishap);
        let now = self.now;
        let job = self.jobs.at_mut(id);
        job.started_at = Some(now);
        job.runner = Some(runner);
        job.mishap = mishap;
        job.planned_end = Some(now.shifted(length));
        self.note_step(id, What::Started);
        self.set(id, Status::Running);
        self.plan_event(now.shifted(length), Event::Ends(id));
    }

    /// Decides, when a job starts, whether and how it will fail.
    fn verdict(&mut self, id: JobId, runner: usize) -> Option<MishapId> {
        if self.scenario == Scenario::Calm {
            return None;
        }
        let job = self.jobs.at(id);
        let (number, attempt) = (job.entry, job.attempt);
        let pipeline = self.pipelines.at(job.pipeline);
        let entry = pipeline.plan.entry(number);
        if self.scenario == Scenario::Outage && self.now >= OUTAGE && entry.role == Role::Build {
            let (class, is_on_spot) =
                self.runners.get(runner).map_or(("", false), |r| (r.class, r.host == Host::Cluster));
            if class == BAD_HOST {
                return MishapId::of_cause("no_space");
            }
            if !pipeline.script.cast.contains_key(&number) {
                if class.contains(SICK_CLASSES) && self.dice("disk", id).chance(SICK) {
                    return MishapId::of_cause("ephemeral_storage");
                }
                if is_on_spot && self.dice("reclaim", id).chance(RECLAIMED) {
                    return MishapId::of_cause("spot_reclamation");
                }
            }
        }
        if let Some(part) = pipeline.script.cast.get(&number) {
            return (part.lasting || attempt == 0).then_some(part.mishap);
        }
        let mut dice = self.dice("mishap", id);
        let rate = if attempt == 0 { pipeline.script.rate } else { 0.01 };
        if entry.blocks > pipeline.script.spare || !dice.chance(rate) {
            return None;
        }
        let transient = attempt > 0 || dice.chance(0.6);
        let choices = MishapId::all(entry.role, transient);
        let mishap = choices.get(dice.below(choices.len() as u64) as usize).copied()?;
        if !transient {
            // What is wrong with the package will be wrong the next time.
            let pipeline = self.jobs.at(id).pipeline;
            self.pipelines.at_mut(pipeline).script.cast.insert(number, Part::lasting(mishap));
        }
        Some(mishap)
    }

    fn length(&self, id: JobId, mishap: Option<MishapId>) -> i64 {
        let job = self.jobs.at(id);
        let pipeline = self.pipelines.at(job.pipeline);
        let mut dice = self.dice("length", id);
        let usual = pipeline.plan.entry(job.entry).seconds as f64 * dice.log_normal(0.25);
        let waits = self.scenario == Scenario::Outage
            && self.now >= OUTAGE
            && job.reserved.and_then(|at| self.runners.get(at)).is_some_and(|r| r.class.contains(SHORT_CLASSES));
        // Their pods wait for a pool at its limit.
        let wait = if waits { self.dice("full pool", id).between(540, 620) as f64 } else { 0.0 };
        let seconds = match (mishap, pipeline.script.cast.get(&job.entry).and_then(|part| part.seconds)) {
            (_, Some(scripted)) => scripted as f64,
            (Some(_), None) => (usual * (0.3 + 0.5 * dice.unit())).clamp(25.0, 1_500.0),
            (None, None) => usual.max(12.0),
        };
        ((seconds + wait) * 1_000.0) as i64 + dice.below(1_000) as i64
    }

    /// The dice of one run of one entry. They depend on no id, so that actions elsewhere do not change them.
    pub fn dice(&self, kind: &str, id: JobId) -> Rng {
        let job = self.jobs.at(id);
        let key = self.pipelines.at(job.pipeline).key;
        Rng::of(self.seed ^ key, kind, u64::from(job.entry) << 32 | u64::from(job.attempt))
    }

    fn end(&mut self, id: JobId) {
        if self.jobs.at(id).status == Status::Running {
            let status = if self.jobs.at(id).mishap.is_some() { Status::Failed } else { Status::Success };
            self.finish(id, status);
        }
    }

    /// Ends a job that holds a slot, or one that never got one.
    pub(super) fn finish(&mut self, id: JobId, status: Status) {
        if self.jobs.at(id).reserved.is_some() {
            self.note_step(id, What::Ended);
        }
        self.leave_queue(id);
        self.jobs.at_mut(id).finished_at = Some(self.now);
        let leaves_binaries = matches!(self.entry_of(self.jobs.at(id)).role, Role::Build | Role::Sign | Role::Reindex);
        if status == Status::Success && leaves_binaries {
            self.landed.push(id);
        }
        self.set(id, status);
    }

    fn trigger(&mut self, id: JobId) {
        if self.jobs.at(id).status != Status::Pending {
            return;
        }
        let parent = self.pipelines.at(self.jobs.at(id).pipeline);
        let Some(child) = parent.script.children.get(&self.jobs.at(id).entry).cloned() else {
            self.finish(id, Status::Failed);
            return;
        };
        let job = self.jobs.at(id);
        let rolled = Rng::of(0, "child", u64::from(job.entry) << 32 | u64::from(job.attempt)).next();
        let opening = Opening::below(parent, id, parent.key ^ rolled, child, self.now);
        self.jobs.at_mut(id).started_at = Some(self.now);
        self.set(id, Status::Running);
        let child = self.open(opening);
        self.jobs.at_mut(id).downstream = Some(child);
    }

    /// Gives a pipeline the status that its jobs make, and lets the trigger job that started it follow.
    fn refresh(&mut self, id: PipelineId) {
        let now = self.now;
        let pipeline = self.pipelines.at_mut(id);
        let status = pipeline.tally.composite();
        if status == pipeline.status {
            return;
        }
        pipeline.status = status;
        pipeline.updated_at = now;
        self.refs.note(Note::Pipeline(id));
        pipeline.finished_at = status.is_terminal().then_some(now);
        if status == Status::Running {
            pipeline.started_at.get_or_insert(now);
        }
        let Some((_, bridge)) = pipeline.parent else { return };
        let mirrored = match status {
            Status::Skipped => Status::Success,
            terminal if terminal.is_terminal() => terminal,
            _ => Status::Running,
        };
        self.jobs.at_mut(bridge).finished_at = mirrored.is_terminal().then_some(now);
        self.set(bridge, mirrored);
    }
}
