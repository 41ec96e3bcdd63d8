//! The past of failures: since when a signature is known and by whose job, where it is seen, and which failures went away by themselves.
//!
//! The judgements are the taxonomy's; here lies what they are asked about: the failures in memory or in the store, the jobs that succeeded, and
//! which times were read at all.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;
use std::sync::Arc;
use std::time::Duration;

use crate::ci::{Job, JobId, SpecName, Status, Timestamp};
use crate::console::world::{PipelineFacts, World};
use crate::taxonomy::Failure;
use crate::taxonomy::judge::{Count, Covered, Flake, NoveltyQuestion, Reach, Success, Zone, novelties, retries};

/// For so long a signature must not have been seen to be called new.
pub const QUIET: Duration = Duration::from_hours(21 * 24);

/// What is known of a signature's past.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Past {
    pub first_seen: Timestamp,
    /// Where it was seen first. `None`: that failure has been forgotten.
    pub first: Option<First>,
    /// Not seen in the quiet time before the moment that was asked for. `None`: not all of that time was read, and what was read shows none.
    pub is_new: Option<bool>,
    /// In seven days, today included.
    pub week: Count,
    pub reach: Reach,
}

/// The failure that showed a signature first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct First {
    pub job: JobId,
    pub git_ref: Arc<str>,
    pub sha: Option<Arc<str>>,
}

/// What judgements about the past are made from.
#[derive(Debug, Default)]
pub struct Memory<'a> {
    pub failures: Vec<&'a Failure>,
    pub successes: Vec<Success>,
    /// Which times were read.
    pub covered: Vec<Range<Timestamp>>,
    /// Since when signatures are known, also by failures that have been forgotten.
    pub first_seen: BTreeMap<Arc<str>, Timestamp>,
}

impl<'a> Memory<'a> {
    /// What the console knows that concerns these failures: others of their signatures, and other runs with their inputs.
    pub fn about(world: &'a World, some: &[&Failure]) -> Self {
        let signatures: BTreeSet<&str> = some.iter().filter_map(|failure| failure.fingerprint.as_deref()).collect();
        let hashes: BTreeSet<&str> = some.iter().filter_map(|failure| failure.hash.as_deref()).collect();
        let names: BTreeSet<&str> = some.iter().map(|failure| &*failure.name).collect();
        let is_run = |name: &str, hash: Option<&str>| hash.map_or(names.contains(name), |hash| hashes.contains(hash));
        let concerns = |failure: &&Failure| {
            failure.fingerprint.as_deref().is_some_and(|key| signatures.contains(key))
                || is_run(&failure.name, failure.hash.as_deref())
        };
        let good = world.pipelines.value.values().flat_map(|home| home.jobs.value.iter().map(move |job| (home, job)));
        let good = good.filter(|(_, job)| {
            job.status == Status::Success && is_run(&job.name, SpecName::parse(&job.name).map(|spec| spec.hash))
        });
        let mut successes: Vec<Success> = good.filter_map(|(home, job)| success(home, job)).collect();
        let history = world.history.value.as_ref();
        let kept = history.iter().flat_map(|history| &history.successes);
        successes.extend(kept.filter(|success| is_run(&success.name, success.hash.as_deref())).cloned());
        let first_seen = history.iter().flat_map(|history| &history.first_seen);
        // What was dropped to stay within bounds was read, but cannot be asked any more.
        let floor = world.failures.reaches_back_to();
        let covered = history.iter().flat_map(|history| &history.covered);
        Self {
            failures: world.failures.iter().map(|failure| &**failure).filter(concerns).collect(),
            successes,
            covered: covered.map(|read| floor.map_or(read.start, |floor| read.start.max(floor))..read.end).collect(),
            first_seen: first_seen
                .filter(|(key, _)| signatures.contains(&***key))
                .map(|(key, at)| (Arc::clone(key), *at))
                .collect(),
        }
    }

    /// The past of every signature. It is new when it was first seen since that moment.
    pub fn pasts(&self, since: Timestamp, now: Timestamp) -> BTreeMap<Arc<str>, Past> {
        let covered = Covered::of(&self.covered);
        let quiet = since.shifted(-i64::try_from(QUIET.as_millis()).unwrap_or(i64::MAX));
        let question =
            NoveltyQuestion { since, quiet: QUIET, days: 0, ..NoveltyQuestion::today(now, Zone::UTC, &covered) };
        let by_job: BTreeMap<JobId, &Failure> = self.failures.iter().map(|failure| (failure.job, *failure)).collect();
        let past = |(key, novelty): (Arc<str>, crate::taxonomy::judge::Novelty)| {
            let earlier = self.first_seen.get(&key).copied().filter(|stored| *stored < novelty.first_seen);
            let first = by_job.get(&novelty.first_job).filter(|_| earlier.is_none());
            let past = Past {
                first_seen: earlier.unwrap_or(novelty.first_seen),
                first: first.map(|failure| First {
                    job: failure.job,
                    git_ref: Arc::clone(&failure.git_ref),
                    sha: failure.sha.clone(),
                }),
                is_new: match earlier {
                    // It was seen in the quiet time, or before it and nobody can tell whether it was quiet then.
                    Some(earlier) if earlier < since && (earlier >= quiet || novelty.is_new.is_none()) => Some(false),
                    _ => novelty.is_new,
                },
                week: novelty.week,
                reach: novelty.reach,
            };
            (key, past)
        };
        novelties(&self.failures, &question).into_iter().map(past).collect()
    }

    /// Failures that went away by themselves: the same inputs succeeded later.
    pub fn flakes(&self) -> BTreeMap<JobId, Flake> {
        retries(&self.failures, &self.successes).flakes.into_iter().map(|flake| (flake.failed, flake)).collect()
    }
}

/// A job that succeeded; `None` while its end is not known.
fn success(home: &PipelineFacts, job: &Job) -> Option<Success> {
    Some(Success {
        job: job.id,
        pipeline: job.pipeline,
        at: job.finished_at?,
        name: Arc::clone(&job.name),
        hash: SpecName::parse(&job.name).map(|spec| spec.hash.into()),
        sha: Some(Arc::clone(&home.pipeline.sha)).filter(|sha| !sha.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ci::{Job, Pipeline, PipelineId};

    const DAY: i64 = 86_400_000;
    const NOW: Timestamp = Timestamp::from_millis(1_779_235_200_000);

    fn failure(job: u64, days_ago: i64, git_ref: &str) -> Failure {
        let hash = char::from(b'a' + (job % 10) as u8).to_string().repeat(32);
        let name = format!("zlib@1.3.1 /{hash} Spack CI");
        let (mut job, mut home) = (
            Job::new(JobId(job), PipelineId(1), &name, Status::Failed),
            Pipeline::new(PipelineId(1), git_ref, Status::Failed),
        );
        (job.finished_at, home.sha) = (Some(NOW.shifted(-days_ago * DAY)), "c0ffee".into());
        Failure { fingerprint: Some("s1-a".into()), class: "oom".into(), ..Failure::of(&job, &home, NOW) }
    }

    fn past(failures: &[Failure], read_days: i64, stored_days: Option<i64>) -> Past {
        let memory = Memory {
            failures: failures.iter().collect(),
            covered: vec![NOW.shifted(-read_days * DAY)..NOW],
            first_seen: stored_days.map(|days| ("s1-a".into(), NOW.shifted(-days * DAY))).into_iter().collect(),
            ..Memory::default()
        };
        memory.pasts(NOW.shifted(-DAY), NOW).remove("s1-a").unwrap()
    }

    #[test]
    fn what_was_never_seen_in_a_time_that_was_read_is_new_and_has_somebody_who_showed_it_first() {
        let found = past(&[failure(7, 0, "pr51234_hdf5")], 30, None);
        assert_eq!(found.is_new, Some(true));
        assert_eq!(found.reach, Reach::One("pr51234_hdf5".into()));
        let first = found.first.unwrap();
        assert_eq!((first.job, &*first.git_ref, first.sha.as_deref()), (JobId(7), "pr51234_hdf5", Some("c0ffee")));
    }

    #[test]
    fn a_short_memory_does_not_say_new() {
        assert_eq!(past(&[failure(7, 0, "pr1_a")], 3, None).is_new, None);
        assert_eq!(past(&[failure(7, 0, "pr1_a"), failure(5, 2, "develop")], 3, None).is_new, Some(false));
    }

    #[test]
    fn what_the_store_knew_before_is_not_new_and_nobody_is_blamed() {
        let found = past(&[failure(7, 0, "pr1_a")], 3, Some(40));
        assert_eq!((found.is_new, found.first), (Some(false), None));
        assert_eq!(found.first_seen, NOW.shifted(-40 * DAY));
        assert_eq!(past(&[failure(7, 0, "pr1_a")], 30, Some(9)).is_new, Some(false), "nine days are no quiet time");
        // Read whole and quiet for three weeks: it is back.
        assert_eq!(past(&[failure(7, 0, "pr1_a")], 30, Some(40)).is_new, Some(true));
    }

    #[test]
    fn a_later_success_with_the_same_hash_makes_a_flake() {
        let (failed, other) = (failure(7, 1, "pr1_a"), failure(8, 1, "pr1_a"));
        let good = Success {
            job: JobId(99),
            pipeline: PipelineId(2),
            at: NOW,
            name: Arc::clone(&failed.name),
            hash: failed.hash.clone(),
            sha: None,
        };
        let memory = Memory { failures: vec![&failed, &other], successes: vec![good], ..Memory::default() };
        assert_eq!(memory.flakes().into_keys().collect::<Vec<_>>(), [JobId(7)]);
    }
}
