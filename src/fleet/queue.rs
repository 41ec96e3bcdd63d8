//! The queue: jobs that wait for a runner, by the tags that they ask for, and who could take them.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use super::{Fleet, Runner};
use crate::ci::{Job, JobId, Status, Timestamp};

/// One job that waits for a runner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiting {
    pub job: JobId,
    pub tags: BTreeSet<Arc<str>>,
    /// `None` where nothing tells since when.
    pub since: Option<Timestamp>,
    /// Its ref is protected; `None` where that is not known.
    pub is_protected: Option<bool>,
}

/// A job that a runner took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    pub tags: BTreeSet<Arc<str>>,
    /// The class that took it.
    pub class: Option<Arc<str>>,
    pub at: Timestamp,
    /// How long it had waited.
    pub waited: Option<Duration>,
}

/// Who could take the jobs of a queue.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Takers {
    /// Classes with a runner at work that would.
    Classes(BTreeSet<Arc<str>>),
    /// Runners have the tags, and none of them is at work.
    NoneAtWork(BTreeSet<Arc<str>>),
    /// No runner has these tags, or none that takes jobs of this ref.
    Nobody,
    /// Runners, their tags or their states are not known well enough.
    Unknown,
}

/// All jobs that ask for the same tags on the same kind of ref.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    pub tags: BTreeSet<Arc<str>>,
    pub is_protected: Option<bool>,
    pub waiting: Vec<JobId>,
    /// How long the oldest has waited; `None` where nothing tells.
    pub oldest: Option<Duration>,
    /// Of jobs with these tags that started in the last hour.
    pub median: Option<Duration>,
    pub p95: Option<Duration>,
    /// How many those are.
    pub started: usize,
    pub takers: Takers,
}

impl Waiting {
    /// From a job that is pending; `None` for every other.
    pub fn of(job: &Job, is_protected: Option<bool>) -> Option<Self> {
        (job.status == Status::Pending).then(|| Self {
            job: job.id,
            tags: job.tags.iter().cloned().collect(),
            since: job.queued_at.or(job.created_at),
            is_protected,
        })
    }
}

impl Start {
    /// From a job that started.
    pub fn of(job: &Job) -> Option<Self> {
        Some(Self {
            tags: job.tags.iter().cloned().collect(),
            class: job.runner.as_ref().map(|runner| super::class_of(&runner.description)),
            at: job.started_at?,
            waited: job.queued_duration,
        })
    }
}

impl Takers {
    /// Nobody will take the jobs as things are: always an alarm.
    pub const fn is_nobody(&self) -> bool {
        matches!(self, Self::NoneAtWork(_) | Self::Nobody)
    }
}

/// The tags that a job asks for, and whether its ref is protected.
type Asked<'a> = (&'a BTreeSet<Arc<str>>, Option<bool>);

/// Sorts jobs that wait by what they ask for, the longest wait first.
pub fn queues(fleet: &Fleet, waiting: &[Waiting], starts: &[Start], now: Timestamp) -> Vec<Queue> {
    let mut by_tags: BTreeMap<Asked<'_>, Vec<&Waiting>> = BTreeMap::new();
    for job in waiting {
        by_tags.entry((&job.tags, job.is_protected)).or_default().push(job);
    }
    let hour = Duration::from_hours(1);
    let mut waits: BTreeMap<&BTreeSet<Arc<str>>, Vec<Duration>> = BTreeMap::new();
    for start in starts.iter().filter(|start| now.since(start.at) <= hour) {
        waits.entry(&start.tags).or_default().extend(start.waited);
    }
    for waits in waits.values_mut() {
        waits.sort_unstable();
    }
    let queue = |((tags, is_protected), jobs): (Asked<'_>, Vec<&Waiting>)| {
        let past = waits.get(tags).map_or(&[][..], Vec::as_slice);
        Queue {
            tags: tags.clone(),
            is_protected,
            oldest: jobs.iter().filter_map(|job| job.since).min().map(|since| now.since(since)),
            waiting: jobs.iter().map(|job| job.job).collect(),
            median: percentile(past, 50),
            p95: percentile(past, 95),
            started: past.len(),
            takers: takers(fleet, tags, is_protected),
        }
    };
    let mut queues: Vec<Queue> = by_tags.into_iter().map(queue).collect();
    queues.sort_by(|a, b| b.oldest.cmp(&a.oldest).then_with(|| a.tags.cmp(&b.tags)));
    queues
}

/// Who would take a job with these tags.
pub fn takers(fleet: &Fleet, tags: &BTreeSet<Arc<str>>, is_protected: Option<bool>) -> Takers {
    if !fleet.knows_runners() {
        return Takers::Unknown;
    }
    let (mut at_work, mut away, mut is_unsure) = (BTreeSet::new(), BTreeSet::new(), false);
    for runner in fleet.runners() {
        match (runner.takes(tags, is_protected), runner.is_at_work()) {
            (Some(true), Some(true)) => {
                at_work.insert(runner.class());
            }
            (Some(true), Some(false)) => {
                away.insert(runner.class());
            }
            (Some(false), _) => {}
            // One that is surely away takes nothing, whatever its tags are.
            (None, Some(false)) => {}
            (Some(true) | None, _) => is_unsure = true,
        }
    }
    match () {
        () if !at_work.is_empty() => Takers::Classes(at_work),
        () if is_unsure => Takers::Unknown,
        () if !away.is_empty() => Takers::NoneAtWork(away),
        () => Takers::Nobody,
    }
}

/// The queues that would have no taker if these runners were paused, by their place in the list.
pub fn orphaned_by_pause(fleet: &Fleet, queues: &[Queue], paused: &BTreeSet<crate::ci::RunnerId>) -> Vec<usize> {
    let others = |queue: &Queue| {
        let still = |runner: &&Runner| !paused.contains(&runner.id) && runner.is_at_work() == Some(true);
        fleet.runners().filter(still).any(|runner| runner.takes(&queue.tags, queue.is_protected) == Some(true))
    };
    let is_served = |queue: &Queue| matches!(queue.takers, Takers::Classes(_));
    queues.iter().enumerate().filter(|(_, queue)| is_served(queue) && !others(queue)).map(|(at, _)| at).collect()
}

/// The value at a rank of a sorted list, nearest rank; `None` of nothing.
fn percentile(sorted: &[Duration], percent: usize) -> Option<Duration> {
    let rank = (sorted.len() * percent).div_ceil(100).max(1);
    sorted.get(rank - 1).copied()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::RunnerId;
    use crate::fleet::RunnerStatus;

    fn tags(list: &[&str]) -> BTreeSet<Arc<str>> {
        list.iter().map(|tag| (*tag).into()).collect()
    }

    fn runner(id: u64, description: &str, list: &[&str], status: RunnerStatus, is_paused: bool) -> Runner {
        Runner {
            status,
            is_paused: Some(is_paused),
            tags: Some(tags(list)),
            runs_untagged: Some(false),
            is_protected: Some(false),
            ..Runner::new(RunnerId(id), description)
        }
    }

    fn now() -> Timestamp {
        Timestamp::from_millis(100_000_000)
    }

    fn waits(job: u64, list: &[&str], seconds: i64) -> Waiting {
        Waiting {
            job: JobId(job),
            tags: tags(list),
            since: Some(now().shifted(-seconds * 1_000)),
            is_protected: Some(false),
        }
    }

    #[test]
    fn jobs_are_matched_to_classes_whose_tags_hold_theirs() {
        let mut fleet = Fleet::default();
        let all = [
            waits(1, &["spack", "x"], 30),
            waits(2, &["spack", "x"], 90),
            waits(3, &["ppc64le"], 10),
            waits(4, &["mac"], 700),
        ];
        assert!(
            queues(&fleet, &all, &[], now()).iter().all(|queue| queue.takers == Takers::Unknown),
            "no list of runners, no alarm"
        );
        fleet.set_runners([
            runner(1, "runner-x-gitlab-runner-1-a", &["spack", "x", "small"], RunnerStatus::Online, false),
            runner(2, "runner-x-gitlab-runner-1-b", &["spack", "x", "small"], RunnerStatus::Offline, false),
            runner(3, "mac-1", &["mac"], RunnerStatus::Online, true),
        ]);
        let found = queues(&fleet, &all, &[], now());
        let told: Vec<(u64, usize, Takers)> =
            found.iter().map(|q| (q.oldest.unwrap().as_secs(), q.waiting.len(), q.takers.clone())).collect();
        let class = |name: &str| BTreeSet::from([Arc::from(name)]);
        assert_eq!(
            told,
            [
                (700, 1, Takers::NoneAtWork(class("mac-1"))),
                (90, 2, Takers::Classes(class("runner-x"))),
                (10, 1, Takers::Nobody)
            ]
        );
        assert_eq!(orphaned_by_pause(&fleet, &found, &BTreeSet::from([RunnerId(1)])), [1]);
        assert_eq!(orphaned_by_pause(&fleet, &found, &BTreeSet::from([RunnerId(2)])), Vec::<usize>::new());
    }

    #[test]
    fn a_runner_of_unknown_tags_leaves_the_answer_open() {
        let mut fleet = Fleet::default();
        fleet.set_runners([Runner { tags: None, ..runner(1, "a", &[], RunnerStatus::Online, false) }]);
        assert_eq!(takers(&fleet, &tags(&["x"]), Some(false)), Takers::Unknown);
        fleet.set_runners([Runner { tags: None, ..runner(1, "a", &[], RunnerStatus::Online, true) }]);
        assert_eq!(takers(&fleet, &tags(&["x"]), Some(false)), Takers::Nobody, "a paused one takes nothing");
    }

    #[test]
    fn protection_has_to_fit_the_ref() {
        let mut fleet = Fleet::default();
        fleet.set_runners([Runner { is_protected: Some(true), ..runner(1, "a", &["x"], RunnerStatus::Online, false) }]);
        assert_eq!(takers(&fleet, &tags(&["x"]), Some(false)), Takers::Nobody);
        assert!(matches!(takers(&fleet, &tags(&["x"]), Some(true)), Takers::Classes(_)));
        assert_eq!(takers(&fleet, &tags(&["x"]), None), Takers::Unknown);
    }

    #[test]
    fn waits_of_the_last_hour_have_percentiles() {
        let start = |minutes: i64, waited: u64| Start {
            tags: tags(&["x"]),
            class: None,
            at: now().shifted(-minutes * 60_000),
            waited: Some(Duration::from_secs(waited)),
        };
        let starts: Vec<Start> = (1..=20).map(|n| start(n, n as u64)).chain([start(61, 9_999)]).collect();
        let found = queues(&Fleet::default(), &[waits(1, &["x"], 5)], &starts, now());
        assert_eq!(
            (found[0].median, found[0].p95, found[0].started),
            (Some(Duration::from_secs(10)), Some(Duration::from_secs(19)), 20)
        );
        let none = queues(&Fleet::default(), &[waits(1, &["y"], 5)], &starts, now());
        assert_eq!((none[0].median, none[0].p95), (None, None));
    }

    #[test]
    fn only_pending_jobs_wait() {
        let mut job = Job::new(JobId(1), crate::ci::PipelineId(1), "a", Status::Created);
        assert_eq!(Waiting::of(&job, None), None);
        job.status = Status::Pending;
        assert_eq!(Waiting::of(&job, None).unwrap().since, None, "unknown, not now");
    }
}
