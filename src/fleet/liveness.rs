//! Whether a runner lives, by the best evidence there is. GitLab writes `contacted_at` only every 40–55 min, so it is asked last.

use std::fmt;
use std::time::Duration;

use super::runner::{Host, HostNames};
use super::{Fleet, Kind, Knob, Phase, Pod, Runner, RunnerStatus, Thresholds};
use crate::ci::{Timestamp, precise};

/// What is known of the jobs of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct JobEvidence {
    /// A job runs on it now.
    pub is_running: bool,
    /// When a job on it ended last; `None` when none is known.
    pub ended: Option<Timestamp>,
}

/// What a judgement of life rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Evidence {
    JobRunning,
    JobEnded(Duration),
    /// The pod of its manager, and whether it is ready.
    ManagerPod {
        is_ready: bool,
    },
    /// No pod of this name is in the cluster, though its runner would be one.
    NoManagerPod,
    /// `contacted_at`, which may be 55 min late.
    Contacted(Duration),
    NeverContacted,
    None,
}

/// Whether a runner lives.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Alive {
    Yes,
    /// The last sign of life is older than it should be, and younger than proof.
    Doubtful,
    No,
    Unknown,
}

/// The judgement and what it rests on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Liveness {
    pub alive: Alive,
    pub evidence: Evidence,
}

impl Liveness {
    /// Judges one runner: by a job in the last minutes, then by its manager's pod, then by `contacted_at`.
    pub fn of(
        fleet: &Fleet,
        runner: &Runner,
        jobs: JobEvidence,
        hosts: &HostNames,
        thresholds: &Thresholds,
        now: Timestamp,
    ) -> Self {
        let says = |alive, evidence| Self { alive, evidence };
        if jobs.is_running {
            return says(Alive::Yes, Evidence::JobRunning);
        }
        if let Some(age) =
            jobs.ended.map(|ended| now.since(ended)).filter(|age| *age <= thresholds.time(Knob::JobEvidence))
        {
            return says(Alive::Yes, Evidence::JobEnded(age));
        }
        if hosts.host(&runner.description) == Host::Cluster {
            if let Some(pod) = fleet.pod_named(&runner.description) {
                let is_ready = is_ready(pod);
                return says(if is_ready { Alive::Yes } else { Alive::No }, Evidence::ManagerPod { is_ready });
            }
            // Only where managers are watched at all is the absence of one known.
            let watches_managers = fleet.knows(Kind::Pod)
                && (fleet.sees_every_namespace
                    || fleet.runners().any(|other| fleet.pod_named(&other.description).is_some()));
            if watches_managers {
                return says(Alive::No, Evidence::NoManagerPod);
            }
        }
        match runner.contacted_at {
            Some(at) => {
                let age = now.since(at);
                let alive = match () {
                    () if age <= thresholds.time(Knob::ContactSlack) => Alive::Yes,
                    () if age <= thresholds.time(Knob::ContactDead) => Alive::Doubtful,
                    () => Alive::No,
                };
                says(alive, Evidence::Contacted(age))
            }
            None if runner.status == RunnerStatus::NeverContacted => says(Alive::No, Evidence::NeverContacted),
            None => says(Alive::Unknown, Evidence::None),
        }
    }
}

fn is_ready(pod: &Pod) -> bool {
    pod.deleted.is_none()
        && pod.phase == Phase::Running
        && pod.condition("Ready").is_some_and(|condition| condition.status == Some(true))
}

impl Alive {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Yes => "alive",
            Self::Doubtful => "doubtful",
            Self::No => "silent",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::JobRunning => f.write_str("a job runs on it"),
            Self::JobEnded(age) => write!(f, "a job ended on it {} ago", precise(*age)),
            Self::ManagerPod { is_ready: true } => f.write_str("its manager's pod is ready"),
            Self::ManagerPod { is_ready: false } => f.write_str("its manager's pod is not ready"),
            Self::NoManagerPod => f.write_str("its manager's pod is gone"),
            Self::Contacted(age) => write!(f, "contacted GitLab {} ago (written up to 55m late)", precise(*age)),
            Self::NeverContacted => f.write_str("never contacted GitLab"),
            Self::None => f.write_str("nothing tells"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Condition, Object};
    use super::*;
    use crate::ci::RunnerId;

    const NAME: &str = "runner-a-gitlab-runner-1-2";

    fn now() -> Timestamp {
        Timestamp::from_millis(1_000_000_000)
    }

    fn ago(minutes: i64) -> Timestamp {
        now().shifted(-minutes * 60_000)
    }

    fn judge(fleet: &Fleet, runner: &Runner, jobs: JobEvidence) -> Liveness {
        Liveness::of(fleet, runner, jobs, &HostNames::default(), &Thresholds::default(), now())
    }

    fn manager(is_ready: bool) -> Fleet {
        let ready = Condition {
            kind: "Ready".into(),
            status: Some(is_ready),
            reason: "".into(),
            message: "".into(),
            since: None,
        };
        let mut fleet = Fleet::default();
        fleet.upsert(Object::Pod(std::sync::Arc::new(Pod {
            conditions: vec![ready],
            ..Pod::new("u", NAME, Phase::Running)
        })));
        fleet
    }

    #[test]
    fn evidence_is_taken_in_its_order() {
        let runner = Runner { contacted_at: Some(ago(100)), ..Runner::new(RunnerId(1), NAME) };
        let ended = |minutes| JobEvidence { is_running: false, ended: Some(ago(minutes)) };
        let running = JobEvidence { is_running: true, ended: Some(ago(3)) };
        let sick = manager(false);
        assert_eq!(judge(&sick, &runner, running).evidence, Evidence::JobRunning);
        assert_eq!(judge(&sick, &runner, ended(10)).evidence, Evidence::JobEnded(Duration::from_mins(10)));
        let by_pod = judge(&sick, &runner, ended(11));
        assert_eq!((by_pod.alive, by_pod.evidence), (Alive::No, Evidence::ManagerPod { is_ready: false }));
        assert_eq!(judge(&manager(true), &runner, JobEvidence::default()).alive, Alive::Yes);
        let by_contact = judge(&Fleet::default(), &runner, JobEvidence::default());
        assert_eq!(
            (by_contact.alive, by_contact.evidence),
            (Alive::Doubtful, Evidence::Contacted(Duration::from_mins(100)))
        );
    }

    #[test]
    fn a_runner_that_gitlab_calls_online_may_be_silent() {
        let at = |minutes| {
            let runner = Runner {
                status: RunnerStatus::Online,
                contacted_at: Some(ago(minutes)),
                ..Runner::new(RunnerId(1), "uo-19")
            };
            judge(&Fleet::default(), &runner, JobEvidence::default()).alive
        };
        assert_eq!([at(54), at(56), at(119), at(121)], [Alive::Yes, Alive::Doubtful, Alive::Doubtful, Alive::No]);
        let nothing = judge(&Fleet::default(), &Runner::new(RunnerId(1), "uo-19"), JobEvidence::default());
        assert_eq!((nothing.alive, nothing.evidence), (Alive::Unknown, Evidence::None));
    }

    #[test]
    fn a_manager_that_is_gone_is_told_only_where_managers_are_watched() {
        let mut fleet = manager(true);
        fleet.set_runners([Runner::new(RunnerId(1), NAME), Runner::new(RunnerId(2), "runner-a-gitlab-runner-1-3")]);
        let other = Runner::new(RunnerId(2), "runner-a-gitlab-runner-1-3");
        assert_eq!(judge(&fleet, &other, JobEvidence::default()).alive, Alive::Unknown, "pods were not listed yet");
        fleet.listed(Kind::Pod, &std::iter::once(super::super::Uid("u".into())).collect());
        assert_eq!(judge(&fleet, &other, JobEvidence::default()).evidence, Evidence::NoManagerPod);
    }
}
