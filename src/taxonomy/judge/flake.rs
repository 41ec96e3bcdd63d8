//! Whether trying again helped: flakes, and how often retries succeed.
//!
//! Two runs have equal inputs when they built the same DAG hash, or, for jobs without one, when job name and commit are the same. Such runs form
//! one history in order of time (then of job id). Nothing is said about runs whose inputs are unknown.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::figures::Share;
use crate::ci::{JobId, PipelineId, Timestamp};
use crate::taxonomy::{Failure, UNKNOWN};

/// Fewer retries are no history.
const FEWEST: u64 = 5;
/// A history is poor when retries surely fail more often than this.
const POOR: f64 = 0.5;

/// A job that succeeded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Success {
    pub job: JobId,
    pub pipeline: PipelineId,
    /// When it ended.
    pub at: Timestamp,
    pub name: Arc<str>,
    /// Of a build job: the DAG hash.
    pub hash: Option<Arc<str>>,
    pub sha: Option<Arc<str>>,
}

/// A failure that went away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flake {
    pub failed: JobId,
    /// The first success with equal inputs after it.
    pub succeeded: JobId,
    pub name: Arc<str>,
    pub class: Arc<str>,
    pub fingerprint: Option<Arc<str>>,
    /// From the end of the one to the end of the other.
    pub after: Duration,
}

/// What came of trying again.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Retries {
    /// By the failed job's id.
    pub flakes: Vec<Flake>,
    by_class: BTreeMap<Arc<str>, Share>,
    by_signature: BTreeMap<Arc<str>, Share>,
}

impl Retries {
    /// How many retries of failures of this class succeeded. A class that was never retried has a share of nothing, which has no rate.
    pub fn of_class(&self, class: &str) -> Share {
        self.by_class.get(class).copied().unwrap_or_default()
    }

    /// How many retries of failures with this fingerprint succeeded.
    pub fn of_signature(&self, fingerprint: &str) -> Share {
        self.by_signature.get(fingerprint).copied().unwrap_or_default()
    }

    /// Classes that were retried, by name.
    pub fn classes(&self) -> impl Iterator<Item = (&Arc<str>, Share)> {
        self.by_class.iter().map(|(class, share)| (class, *share))
    }

    /// Fingerprints that were retried, in order.
    pub fn signatures(&self) -> impl Iterator<Item = (&Arc<str>, Share)> {
        self.by_signature.iter().map(|(fingerprint, share)| (fingerprint, *share))
    }
}

impl Share {
    /// Read as retries that succeeded: whether retrying has a poor history. That takes at least five retries, and a share of failed ones
    /// whose lower Wilson bound (95 %) lies above one half; few tries are no proof, and no tries are none.
    pub fn has_poor_history(self) -> bool {
        let failed = Self { part: self.whole.saturating_sub(self.part), whole: self.whole };
        self.whole >= FEWEST && failed.at_least().is_some_and(|rate| rate > POOR)
    }
}

/// Judges failures by what came after them.
///
/// * A retry is the next run with equal inputs; its outcome counts for the class and the signature of the failure before it.
/// * A flake is a failure with a later success, unless the run before or after it failed in the same class: what fails twice alike and then
///   succeeds was mended. Of class `unknown`, only equal signatures are alike.
pub fn retries(failures: &[&Failure], successes: &[Success]) -> Retries {
    let mut histories: BTreeMap<Inputs<'_>, BTreeMap<(Timestamp, JobId), Option<&Failure>>> = BTreeMap::new();
    for success in successes {
        if let Some(inputs) = Inputs::of(&success.name, success.hash.as_ref(), success.sha.as_ref()) {
            histories.entry(inputs).or_default().entry((success.at, success.job)).or_insert(None);
        }
    }
    for failure in failures {
        if let Some(inputs) = Inputs::of(&failure.name, failure.hash.as_ref(), failure.sha.as_ref()) {
            histories.entry(inputs).or_default().insert((failure.at, failure.job), Some(failure));
        }
    }
    let mut found = Retries::default();
    for history in histories.into_values() {
        let runs: Vec<_> = history.into_iter().collect();
        let mut healed: Option<(Timestamp, JobId)> = None;
        let mut next: Option<Option<&Failure>> = None;
        for (index, ((at, job), run)) in runs.iter().enumerate().rev() {
            if let Some(failure) = run {
                if let Some(outcome) = next {
                    found.by_class.entry(failure.class.clone()).or_default().add(outcome.is_none());
                    if let Some(fingerprint) = &failure.fingerprint {
                        found.by_signature.entry(fingerprint.clone()).or_default().add(outcome.is_none());
                    }
                }
                let before = index.checked_sub(1).and_then(|i| runs.get(i)).and_then(|(_, run)| *run);
                let twice = [before, next.flatten()].into_iter().flatten().any(|other| alike(failure, other));
                if let Some((end, succeeded)) = healed.filter(|_| !twice) {
                    found.flakes.push(Flake {
                        failed: *job,
                        succeeded,
                        name: failure.name.clone(),
                        class: failure.class.clone(),
                        fingerprint: failure.fingerprint.clone(),
                        after: end.since(*at),
                    });
                }
            } else {
                healed = Some((*at, *job));
            }
            next = Some(*run);
        }
    }
    found.flakes.sort_by_key(|flake| flake.failed);
    found
}

fn alike(a: &Failure, b: &Failure) -> bool {
    a.class == b.class && (&*a.class != UNKNOWN || a.fingerprint == b.fingerprint)
}

/// What makes two runs comparable.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
enum Inputs<'a> {
    Built(&'a str),
    Ran { name: &'a str, sha: &'a str },
}

impl<'a> Inputs<'a> {
    fn of(name: &'a Arc<str>, hash: Option<&'a Arc<str>>, sha: Option<&'a Arc<str>>) -> Option<Self> {
        hash.map(|hash| Self::Built(hash)).or_else(|| sha.map(|sha| Self::Ran { name, sha }))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::testing::{each, failed, midnight};
    use super::*;

    fn same(job: u64, minute: i64, class: &str) -> Failure {
        Failure { hash: Some("h".into()), ..failed(job, minute, class) }
    }

    fn ok(job: u64, minute: i64) -> Success {
        Success {
            job: JobId(job),
            pipeline: PipelineId(2),
            at: midnight().shifted(minute * 60_000),
            name: "zlib".into(),
            hash: Some("h".into()),
            sha: None,
        }
    }

    fn flakes(failures: &[Failure], successes: &[Success]) -> Vec<u64> {
        retries(&each(failures), successes).flakes.iter().map(|f| f.failed.0).collect()
    }

    #[test]
    fn only_a_later_success_with_equal_inputs_counts() {
        assert_eq!(flakes(&[same(1, 10, "dns")], &[ok(2, 20)]), [1]);
        assert_eq!(flakes(&[same(3, 10, "dns")], &[ok(2, 5)]), [] as [u64; 0]);
        assert_eq!(flakes(&[failed(1, 10, "dns")], &[ok(2, 20)]), [] as [u64; 0], "another hash");
        assert_eq!(flakes(&[same(1, 10, "dns")], &[ok(2, 10)]), [1], "at the same moment the higher id is later");
        let flake = &retries(&[&same(1, 10, "dns")], &[ok(2, 20), ok(3, 30)]).flakes[0];
        assert_eq!((flake.succeeded, flake.after), (JobId(2), Duration::from_secs(600)));
    }

    #[test]
    fn without_a_hash_name_and_commit_decide() {
        let service = |job, minute| Failure { hash: None, name: "copy".into(), ..failed(job, minute, "dns") };
        let run = |sha: Option<&str>, name: &str| Success {
            hash: None,
            name: name.into(),
            sha: sha.map(Into::into),
            ..ok(9, 60)
        };
        assert_eq!(flakes(&[service(1, 0)], &[run(Some("c0ffee"), "copy")]), [1]);
        assert_eq!(flakes(&[service(1, 0)], &[run(Some("other"), "copy")]), [] as [u64; 0]);
        assert_eq!(flakes(&[service(1, 0)], &[run(Some("c0ffee"), "sign")]), [] as [u64; 0]);
        assert_eq!(flakes(&[service(1, 0)], &[run(None, "copy")]), [] as [u64; 0]);
    }

    #[test]
    fn the_same_class_twice_is_no_flake() {
        assert_eq!(flakes(&[same(1, 0, "oom"), same(2, 5, "oom")], &[ok(3, 9)]), [] as [u64; 0]);
        assert_eq!(flakes(&[same(1, 0, "dns"), same(2, 5, "oom")], &[ok(3, 9)]), [1, 2]);
        let mut unknown = [same(1, 0, "unknown"), same(2, 5, "unknown")];
        assert_eq!(flakes(&unknown, &[ok(3, 9)]), [] as [u64; 0]);
        unknown[1].fingerprint = Some("s1-other".into());
        assert_eq!(flakes(&unknown, &[ok(3, 9)]), [1, 2]);
        assert_eq!(flakes(&[same(1, 0, "oom"), same(3, 5, "oom")], &[ok(2, 2), ok(4, 9)]), [1, 3]);
    }

    #[test]
    fn rates_count_retries_and_nothing_is_not_zero() {
        let failures = [same(1, 0, "dns"), same(2, 5, "dns"), same(4, 20, "oom")];
        let found = retries(&each(&failures), &[ok(3, 9)]);
        assert_eq!(found.of_class("dns"), Share { part: 1, whole: 2 });
        assert_eq!(found.of_signature("s1-dns"), Share { part: 1, whole: 2 });
        assert_eq!(found.of_class("oom").rate(), None, "nobody tried again");
        assert_eq!(found.classes().count(), 1);
    }

    #[test]
    fn a_poor_history_needs_proof() {
        let poor = |part, whole| Share { part, whole }.has_poor_history();
        assert!(!poor(0, 0) && !poor(0, 4) && !poor(2, 5) && !poor(9, 10));
        assert!(poor(0, 5) && poor(1, 10));
    }

    proptest! {
        #[test]
        fn the_order_of_the_lists_does_not_matter(runs in proptest::collection::vec((0_i64..9, 0_u8..3), 0..14), turn in 0_usize..14) {
            let (mut failures, mut successes) = (Vec::new(), Vec::new());
            for (id, (minute, kind)) in runs.iter().enumerate() {
                match kind {
                    0 => successes.push(ok(id as u64, *minute)),
                    1 => failures.push(same(id as u64, *minute, "dns")),
                    _ => failures.push(same(id as u64, *minute, "oom")),
                }
            }
            let one = retries(&each(&failures), &successes);
            let mut turned = each(&failures);
            turned.rotate_left(turn.min(failures.len()));
            successes.reverse();
            prop_assert_eq!(&one, &retries(&turned, &successes));
            prop_assert!(one.flakes.len() <= failures.len());
            let tried: u64 = one.classes().map(|(_, share)| share.whole).sum();
            prop_assert!(tried <= failures.len() as u64 && tried + 1 >= failures.len() as u64);
        }
    }
}
