//! Where jobs ran, and how they ended there.
//!
//! Pods go, and lists of jobs leave runners out. So the seat of a job is noted while it runs, and only jobs that were seen running are
//! counted: those whose runner is told only because they failed would make every runner look sick.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::sync::Arc;

use crate::ci::{Job, JobId, Status, Timestamp};
use crate::fleet::{Pod, Tally, class_of};

/// Seats and ends that are remembered.
const MOST: usize = 20_000;

/// Where a job runs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seat {
    /// The runner's description.
    pub runner: Arc<str>,
    /// `None`: its runner makes no pods, or the pod was not seen on a node.
    pub node: Option<Arc<str>>,
}

/// How a job ended that was seen running.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    pub job: JobId,
    pub at: Timestamp,
    pub is_good: bool,
    pub seat: Seat,
}

/// What is remembered.
#[derive(Debug, Clone, Default)]
pub struct Outcomes {
    seats: HashMap<JobId, Seat>,
    /// Jobs that were seen running, the longest known first.
    order: VecDeque<JobId>,
    seen_running: HashSet<JobId>,
    /// The oldest first.
    ended: VecDeque<Outcome>,
}

impl Outcomes {
    /// Notes where a pod's job runs.
    pub(super) fn note_pod(&mut self, pod: &Pod) {
        let (Some(job), Some(runner)) = (pod.says.job, &pod.says.runner) else { return };
        if pod.is_job && !pod.says.has_two_jobs && !pod.phase.is_over() {
            self.seat(job, Seat { runner: runner.clone(), node: pod.node.clone() });
        }
    }

    /// Notes where a job runs, or how it ended.
    pub(in crate::console) fn note_job(&mut self, job: &Job, server_now: Timestamp) {
        match job.status {
            Status::Running => {
                if let Some(runner) = &job.runner {
                    let node = self.seats.get(&job.id).and_then(|seat| seat.node.clone());
                    self.seat(job.id, Seat { runner: runner.description.clone(), node });
                }
            }
            Status::Success | Status::Failed if self.seen_running.remove(&job.id) => {
                let Some(seat) = self.seats.get(&job.id).cloned() else { return };
                if self.ended.len() >= MOST {
                    self.ended.pop_front();
                }
                let at = job.finished_at.unwrap_or(server_now);
                self.ended.push_back(Outcome { job: job.id, at, is_good: job.status == Status::Success, seat });
            }
            _ => {}
        }
    }

    /// Where a job ran or runs, if that was seen.
    pub fn seat_of(&self, job: JobId) -> Option<&Seat> {
        self.seats.get(&job)
    }

    /// How jobs ended, the newest first.
    pub fn newest(&self) -> impl Iterator<Item = &Outcome> {
        self.ended.iter().rev()
    }

    /// Jobs and failures by runner since a moment.
    pub fn by_runner(&self, since: Timestamp) -> Vec<Tally> {
        self.tallies(since, |seat| Some((seat.runner.clone(), class_of(&seat.runner))))
    }

    /// The same by node; `class` says what a node is compared within.
    pub fn by_node(&self, since: Timestamp, class: impl Fn(&str) -> Option<Arc<str>>) -> Vec<Tally> {
        self.tallies(since, |seat| {
            let node = seat.node.clone()?;
            let class = class(&node)?;
            Some((node, class))
        })
    }

    fn tallies(&self, since: Timestamp, key: impl Fn(&Seat) -> Option<(Arc<str>, Arc<str>)>) -> Vec<Tally> {
        let mut sums: BTreeMap<Arc<str>, Tally> = BTreeMap::new();
        for outcome in self.ended.iter().filter(|outcome| outcome.at >= since) {
            let Some((member, class)) = key(&outcome.seat) else { continue };
            let tally = sums.entry(member.clone()).or_insert(Tally { member, class, ended: 0, failed: 0 });
            tally.ended += 1;
            tally.failed += u64::from(!outcome.is_good);
        }
        sums.into_values().collect()
    }

    fn seat(&mut self, job: JobId, seat: Seat) {
        if self.seats.insert(job, seat).is_none() {
            self.order.push_back(job);
            if self.order.len() > MOST
                && let Some(oldest) = self.order.pop_front()
            {
                self.seats.remove(&oldest);
                self.seen_running.remove(&oldest);
            }
            self.seen_running.insert(job);
        }
    }
}
