//! The jobs of one pipeline, merged from pages that arrive in any order.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use crate::ci::{Job, JobId, JobKind, Timestamp};
use crate::console::state::{Counts, JobState};

#[derive(Debug, Clone)]
struct Entry {
    job: Job,
    seen_at: Timestamp,
}

/// Jobs by id. The newest job of a name is the *latest* try; only latest tries are counted, and of trigger jobs only those that started
/// nothing: for the others the jobs of their child are counted.
#[derive(Debug, Clone, Default)]
pub struct JobTable {
    by_id: BTreeMap<JobId, Entry>,
    tries: HashMap<Arc<str>, Vec<JobId>>,
    counts: Counts,
}

impl JobTable {
    /// Merges jobs that were read at `seen_at`; returns those that changed. Merging a page twice, or two pages in either order, ends the same.
    pub fn merge(&mut self, jobs: impl IntoIterator<Item = Job>, seen_at: Timestamp) -> Vec<JobId> {
        let mut changed = Vec::new();
        for job in jobs {
            let id = job.id;
            if self.put(job, seen_at) {
                changed.push(id);
            }
        }
        changed
    }

    fn put(&mut self, mut job: Job, seen_at: Timestamp) -> bool {
        let id = job.id;
        if let Some(known) = self.by_id.get(&id) {
            if known.seen_at > seen_at {
                return false;
            }
            keep_what_the_source_left_out(&mut job, &known.job);
            job.retried |= known.job.retried;
            if known.job == job {
                if let Some(entry) = self.by_id.get_mut(&id) {
                    entry.seen_at = seen_at;
                }
                return false;
            }
        }
        let before = self.latest(&job.name).and_then(counted);
        let name = Arc::clone(&job.name);
        let renamed = self.by_id.get(&id).map(|e| Arc::clone(&e.job.name)).filter(|old| *old != name);
        if let Some(old) = renamed {
            self.remove(id, &old);
        }
        let tries = self.tries.entry(Arc::clone(&name)).or_default();
        if let Err(place) = tries.binary_search(&id) {
            tries.insert(place, id);
        }
        self.by_id.insert(id, Entry { job, seen_at });
        if let Some(state) = before {
            self.counts.sub(state);
        }
        if let Some((latest_id, state)) = self.latest(&name).map(|j| (j.id, counted(j))) {
            if let Some(state) = state {
                self.counts.add(state);
            }
            for older in self.tries.get(&name).into_iter().flatten().filter(|t| **t != latest_id) {
                if let Some(entry) = self.by_id.get_mut(older) {
                    entry.job.retried = true;
                }
            }
        }
        true
    }

    fn remove(&mut self, id: JobId, name: &Arc<str>) {
        let was_latest = self.latest(name).is_some_and(|j| j.id == id);
        if let Some(state) = self.latest(name).filter(|_| was_latest).and_then(counted) {
            self.counts.sub(state);
        }
        self.by_id.remove(&id);
        if let Some(tries) = self.tries.get_mut(name) {
            tries.retain(|t| *t != id);
            if tries.is_empty() {
                self.tries.remove(name);
            }
        }
        if was_latest && let Some(state) = self.latest(name).and_then(counted) {
            self.counts.add(state);
        }
    }

    /// Drops jobs that a whole listing, begun at `begun`, no longer holds. Older tries and trigger jobs stay: listings leave them out.
    pub fn retain_listed(&mut self, listed: &BTreeSet<JobId>, begun: Timestamp) -> Vec<JobId> {
        let gone: Vec<_> = self
            .by_id
            .values()
            .filter(|e| !e.job.retried && e.job.kind == JobKind::Build)
            .filter(|e| e.seen_at < begun && !listed.contains(&e.job.id))
            .map(|e| (e.job.id, Arc::clone(&e.job.name)))
            .collect();
        gone.into_iter()
            .map(|(id, name)| {
                self.remove(id, &name);
                id
            })
            .collect()
    }

    /// One job.
    pub fn get(&self, id: JobId) -> Option<&Job> {
        self.by_id.get(&id).map(|e| &e.job)
    }

    /// The newest try of a name.
    pub fn latest(&self, name: &str) -> Option<&Job> {
        self.tries.get(name).and_then(|tries| tries.last()).and_then(|id| self.get(*id))
    }

    /// The ids of all tries of a name that have been seen, oldest first.
    pub fn tries(&self, name: &str) -> &[JobId] {
        self.tries.get(name).map_or(&[], Vec::as_slice)
    }

    /// The newest try of every name, in order of id.
    pub fn iter(&self) -> impl Iterator<Item = &Job> {
        self.by_id.values().map(|e| &e.job).filter(|j| !j.retried)
    }

    /// Every try of every name, with the moment of the answer that told of it last.
    pub fn seen(&self) -> impl Iterator<Item = (&Job, Timestamp)> {
        self.by_id.values().map(|entry| (&entry.job, entry.seen_at))
    }

    /// How many jobs are in which state; older tries are not counted.
    pub fn counts(&self) -> &Counts {
        &self.counts
    }
}

/// The state in which a job is counted, if it is: what GitLab says, without the graph.
pub(super) fn counted(job: &Job) -> Option<JobState> {
    job.downstream.is_none().then(|| JobState::of(job.status, job.allow_failure, false))
}

/// A GraphQL list has no runner and no failure reason, REST has both: a fact stays until the job's status changes.
pub(super) fn keep_what_the_source_left_out(job: &mut Job, known: &Job) {
    if job.status == known.status {
        job.failure_reason = job.failure_reason.take().or_else(|| known.failure_reason.clone());
        job.runner = job.runner.take().or_else(|| known.runner.clone());
    }
    if job.tags.is_empty() {
        job.tags = Arc::clone(&known.tags);
    }
    job.queued_at = job.queued_at.or(known.queued_at);
    job.queued_duration = job.queued_duration.or(known.queued_duration);
    job.web_url = job.web_url.take().or_else(|| known.web_url.clone());
    job.downstream = job.downstream.or(known.downstream);
    if job.stage.is_empty() {
        job.stage = Arc::clone(&known.stage);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::ci::{PipelineId, Status};

    fn job(id: u64, name: &str, status: Status) -> Job {
        Job::new(JobId(id), PipelineId(1), name, status)
    }

    fn at(ms: i64) -> Timestamp {
        Timestamp::from_millis(ms)
    }

    #[test]
    fn a_retry_takes_the_place_of_its_job() {
        let mut t = JobTable::default();
        t.merge([job(1, "zlib", Status::Failed), job(2, "hdf5", Status::Skipped)], at(1));
        assert_eq!(t.counts().get(JobState::Fail), 1);
        t.merge([job(9, "zlib", Status::Pending)], at(2));
        assert_eq!((t.counts().get(JobState::Fail), t.counts().get(JobState::Wait), t.counts().total()), (0, 1, 2));
        assert!(t.get(JobId(1)).unwrap().retried);
        assert_eq!(t.latest("zlib").unwrap().id, JobId(9));
        assert_eq!(t.tries("zlib"), [JobId(1), JobId(9)]);
    }

    #[test]
    fn a_trigger_job_counts_until_its_child_does() {
        let mut t = JobTable::default();
        let mut trigger = job(1, "e4s-build", Status::Failed);
        trigger.kind = JobKind::Bridge;
        t.merge([trigger.clone()], at(1));
        assert_eq!(t.counts().get(JobState::Fail), 1, "it could not start its child");
        trigger.downstream = Some(PipelineId(2));
        t.merge([trigger.clone()], at(2));
        assert_eq!(t.counts().total(), 0);
        t.merge([job(3, "e4s-build", Status::Pending)], at(3));
        assert_eq!((t.counts().get(JobState::Wait), t.counts().total()), (1, 1));
        trigger.id = JobId(4);
        t.merge([trigger], at(4));
        assert_eq!(t.counts().total(), 0);
        t.retain_listed(&[].into(), at(5));
        assert_eq!(t.latest("e4s-build").unwrap().id, JobId(4), "lists of jobs leave trigger jobs out");
    }

    #[test]
    fn an_older_answer_never_overwrites_a_newer_one() {
        let mut t = JobTable::default();
        t.merge([job(1, "zlib", Status::Running)], at(10));
        assert!(t.merge([job(1, "zlib", Status::Pending)], at(5)).is_empty());
        assert_eq!(t.get(JobId(1)).unwrap().status, Status::Running);
    }

    #[test]
    fn a_whole_listing_removes_what_is_gone_but_keeps_older_tries() {
        let mut t = JobTable::default();
        t.merge([job(1, "a", Status::Failed), job(2, "b", Status::Success)], at(1));
        t.merge([job(3, "a", Status::Running)], at(2));
        let gone = t.retain_listed(&[JobId(3)].into(), at(2));
        assert_eq!(gone, [JobId(2)]);
        assert_eq!(t.tries("a").len(), 2);
        assert_eq!(t.counts().total(), 1);
    }

    proptest! {
        #[test]
        fn merging_is_idempotent_and_order_free(
            rows in prop::collection::vec((1u64..30, 0usize..8, 0usize..13, 0i64..5), 0..60),
            seed in any::<u64>(),
        ) {
            // One id has one name, as on a server; two answers of one moment agree.
            let rows: Vec<_> = rows.into_iter()
                .map(|(id, _, s, t)| (job(id, &format!("n{}", id % 8), Status::KNOWN[(s + t as usize + id as usize) % 13 * usize::from(t > 9) + (id as usize + t as usize) % 13]), at(t)))
                .collect();
            let mut shuffled = rows.clone();
            let mut x = seed | 1;
            for i in (1..shuffled.len()).rev() {
                x = x.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
                shuffled.swap(i, (x >> 33) as usize % (i + 1));
            }
            let mut a = JobTable::default();
            let mut b = JobTable::default();
            for (j, t) in &rows { a.merge([j.clone()], *t); }
            for (j, t) in shuffled.iter().chain(&shuffled) { b.merge([j.clone()], *t); }
            prop_assert_eq!(a.counts(), b.counts());
            let list = |t: &JobTable| t.iter().map(|j| (j.id, j.status)).collect::<Vec<_>>();
            prop_assert_eq!(list(&a), list(&b));
            let mut recount = Counts::default();
            a.iter().filter_map(counted).for_each(|state| recount.add(state));
            prop_assert_eq!(a.counts(), &recount);
        }
    }
}
