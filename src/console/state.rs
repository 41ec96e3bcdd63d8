//! The ten states a job can be shown in, and counts of them.
//!
//! GitLab has more statuses than a person wants to tell apart; this is the one place that folds them. Screens, text mode, JSON and the
//! filter all speak these states. Glyphs and colours belong to the faces, not here.

use crate::ci::Status;

/// What a job is, to the person who looks at it. The order is the order of lists: what wants attention first, what is done last.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum JobState {
    Fail,
    /// Failed, but was allowed to.
    Warn,
    /// A status this version does not know: neither good nor bad, and so never sorted among the good.
    Unknown,
    /// Was stopped, or is being stopped.
    Cancel,
    Run,
    /// Nothing but a runner or GitLab's own preparation is missing.
    Wait,
    /// Other jobs have to succeed first.
    Blocked,
    /// Waits for a person.
    Manual,
    Skip,
    Ok,
}

impl JobState {
    /// Every state, in the order of lists.
    pub const ALL: [Self; 10] = [
        Self::Fail,
        Self::Warn,
        Self::Unknown,
        Self::Cancel,
        Self::Run,
        Self::Wait,
        Self::Blocked,
        Self::Manual,
        Self::Skip,
        Self::Ok,
    ];

    /// Folds GitLab's status; `blocked` says that something this job needs has failed.
    pub fn of(status: Status, allow_failure: bool, blocked: bool) -> Self {
        match status {
            Status::Success => Self::Ok,
            Status::Failed if allow_failure => Self::Warn,
            Status::Failed => Self::Fail,
            Status::Running => Self::Run,
            Status::Pending
            | Status::Preparing
            | Status::WaitingForResource
            | Status::WaitingForCallback
            | Status::Scheduled => Self::Wait,
            Status::Created => Self::Blocked,
            // GitLab skips what can no longer run: the cause is the failed need, and that is what the person looks for.
            Status::Skipped if blocked => Self::Blocked,
            Status::Skipped => Self::Skip,
            Status::Canceling | Status::Canceled => Self::Cancel,
            Status::Manual => Self::Manual,
            Status::Unknown(_) => Self::Unknown,
        }
    }

    /// The word of wide columns and of text mode: at most four letters, failures in capitals.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Fail => "FAIL",
            Self::Warn => "warn",
            Self::Unknown => "?",
            Self::Cancel => "cncl",
            Self::Run => "run",
            Self::Wait => "pend",
            Self::Blocked => "blkd",
            Self::Manual => "man",
            Self::Skip => "skip",
            Self::Ok => "ok",
        }
    }

    /// The name that theme roles, JSON and completion use.
    pub fn name(self) -> &'static str {
        self.aliases().first().copied().unwrap_or_default()
    }

    /// Every word a filter understands for this state, its name first: what screens show and what GitLab says.
    pub const fn aliases(self) -> &'static [&'static str] {
        match self {
            Self::Fail => &["fail", "failed", "failing"],
            Self::Warn => &["warn", "warning", "allowed"],
            Self::Unknown => &["unknown"],
            Self::Cancel => &["cancel", "canceled", "cancelled", "canceling", "cncl"],
            Self::Run => &["run", "running"],
            Self::Wait => &[
                "wait",
                "waiting",
                "pend",
                "pending",
                "queued",
                "preparing",
                "scheduled",
                "waiting_for_resource",
                "waiting_for_callback",
            ],
            Self::Blocked => &["blocked", "blkd", "created"],
            Self::Manual => &["manual", "man"],
            Self::Skip => &["skip", "skipped"],
            Self::Ok => &["ok", "success", "succeeded", "passed", "done"],
        }
    }

    /// Finds the state that a person means, in any case.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.aliases().iter().any(|alias| alias.eq_ignore_ascii_case(word)))
    }
}

/// How many jobs are in each state. Small and `Copy`: a pipeline keeps one and changes it with each job that changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Counts([u32; JobState::ALL.len()]);

impl Counts {
    /// How many jobs are in `state`.
    pub fn get(&self, state: JobState) -> usize {
        self.0.get(state as usize).map_or(0, |n| *n as usize)
    }

    /// Counts one job more.
    pub fn add(&mut self, state: JobState) {
        self.change(state, |n| n.saturating_add(1));
    }

    /// Counts one job less. A job that was never added changes nothing.
    pub fn sub(&mut self, state: JobState) {
        self.change(state, |n| n.saturating_sub(1));
    }

    /// Adds the jobs of another count, as a parent pipeline does with its children.
    pub fn merge(&mut self, other: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(other.0) {
            *mine = mine.saturating_add(theirs);
        }
    }

    /// Takes a part of this count away again.
    pub fn unmerge(&mut self, part: &Self) {
        for (mine, theirs) in self.0.iter_mut().zip(part.0) {
            *mine = mine.saturating_sub(theirs);
        }
    }

    /// All jobs.
    pub fn total(&self) -> usize {
        self.0.iter().map(|n| *n as usize).sum()
    }

    /// Every state with its count, zeros included, in the order of lists.
    pub fn iter(&self) -> impl Iterator<Item = (JobState, usize)> + '_ {
        JobState::ALL.into_iter().zip(self.0.iter().map(|n| *n as usize))
    }

    /// The state that wants attention first, of those that occur.
    pub fn worst(&self) -> Option<JobState> {
        self.iter().find(|(_, n)| *n > 0).map(|(state, _)| state)
    }

    fn change(&mut self, state: JobState, by: impl Fn(u32) -> u32) {
        if let Some(n) = self.0.get_mut(state as usize) {
            *n = by(*n);
        }
    }
}

impl FromIterator<JobState> for Counts {
    fn from_iter<I: IntoIterator<Item = JobState>>(states: I) -> Self {
        let mut counts = Self::default();
        states.into_iter().for_each(|state| counts.add(state));
        counts
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn every_gitlab_status_has_one_state() {
        use JobState::{Blocked, Cancel, Fail, Manual, Ok, Run, Skip, Unknown, Wait, Warn};
        for (status, want) in [
            ("success", Ok),
            ("failed", Fail),
            ("running", Run),
            ("pending", Wait),
            ("preparing", Wait),
            ("waiting_for_resource", Wait),
            ("waiting_for_callback", Wait),
            ("scheduled", Wait),
            ("created", Blocked),
            ("skipped", Skip),
            ("canceling", Cancel),
            ("canceled", Cancel),
            ("manual", Manual),
            ("a_status_of_gitlab_21", Unknown),
        ] {
            assert_eq!(JobState::of(Status::parse(status), false, false), want, "{status}");
        }
        assert_eq!(JobState::of(Status::Failed, true, true), Warn);
        assert_eq!(JobState::of(Status::Skipped, false, true), Blocked);
        assert_eq!(JobState::of(Status::Success, true, true), Ok);
    }

    #[test]
    fn what_screens_and_gitlab_say_is_understood_and_means_one_state() {
        for state in JobState::ALL {
            for alias in state.aliases() {
                assert_eq!(JobState::parse(alias), Some(state), "{alias}");
            }
            // `?` asks for what is unknown and is the filter's own business.
            if state != JobState::Unknown {
                assert_eq!(JobState::parse(state.word()), Some(state));
            }
        }
        for status in Status::KNOWN {
            assert_eq!(JobState::parse(status.as_str()), Some(JobState::of(status, false, false)), "{status}");
        }
        assert_eq!(JobState::parse("faild"), None);
    }

    #[test]
    fn words_fit_four_columns_and_trouble_sorts_first() {
        let words = JobState::ALL.map(JobState::word).join(" ");
        assert_eq!(words, "FAIL warn ? cncl run pend blkd man skip ok");
        assert!(JobState::ALL.is_sorted());
        assert!(JobState::Fail < JobState::Unknown && JobState::Unknown < JobState::Ok);
        assert_eq!(Counts::from_iter([JobState::Ok, JobState::Run, JobState::Skip]).worst(), Some(JobState::Run));
        assert_eq!(Counts::default().worst(), None);
    }

    fn any_state() -> impl Strategy<Value = JobState> {
        proptest::sample::select(JobState::ALL.to_vec())
    }

    proptest! {
        #[test]
        fn counts_kept_job_by_job_equal_counts_made_anew(
            before in proptest::collection::vec(any_state(), 0..60),
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any_state()), 0..60),
        ) {
            let mut jobs = before;
            let mut kept: Counts = jobs.iter().copied().collect();
            for (index, state) in changes {
                if jobs.is_empty() {
                    continue;
                }
                let at = index.index(jobs.len());
                kept.sub(jobs[at]);
                kept.add(state);
                jobs[at] = state;
            }
            prop_assert_eq!(kept, jobs.iter().copied().collect());
            prop_assert_eq!(kept.total(), jobs.len());
            for (state, n) in kept.iter() {
                prop_assert_eq!(n, jobs.iter().filter(|j| **j == state).count());
                prop_assert_eq!(n, kept.get(state));
            }
            let (left, right) = jobs.split_at(jobs.len() / 2);
            let mut merged: Counts = left.iter().copied().collect();
            merged.merge(&right.iter().copied().collect());
            prop_assert_eq!(merged, kept);
        }
    }
}
