//! The state of a pod in one word and a reason: the first that holds, from the end of its life to its beginning.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::pod::{BUILD, Container, Doing, Phase, Pod};
use crate::ci::{Timestamp, precise};

/// What to show of a pod. The variants stand in the order in which they win.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodState {
    /// It was asked to end; `over` is how long ago it should have.
    Terminating {
        over: Duration,
    },
    /// It ended as a whole: `Evicted`, `NodeLost`, `Terminated`, …
    Lost {
        reason: Arc<str>,
    },
    /// It was chosen to go: its node goes, or something more important came.
    Disrupted {
        reason: Arc<str>,
    },
    OutOfMemory,
    /// A container ended, not well.
    Ended {
        code: i64,
        container: Arc<str>,
        reason: Arc<str>,
    },
    /// A container waits: `ContainerCreating`, `ImagePullBackOff`, …
    Waiting {
        reason: Arc<str>,
    },
    Unschedulable,
    /// It has a node and no container says anything yet.
    Scheduled,
    /// Nothing was decided about it yet.
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

impl PodState {
    /// Tells the state.
    pub fn of(pod: &Pod, now: Timestamp) -> Self {
        if let Some(deadline) = pod.deleted {
            return Self::Terminating { over: now.since(deadline) };
        }
        if let Some(reason) = &pod.reason {
            return Self::Lost { reason: reason.clone() };
        }
        if let Some(target) = pod.condition("DisruptionTarget").filter(|condition| condition.status == Some(true)) {
            return Self::Disrupted { reason: target.reason.clone() };
        }
        if let Some(ended) = ended(pod) {
            return ended;
        }
        if !pod.phase.is_over()
            && let Some(reason) = waiting(pod)
        {
            return Self::Waiting { reason };
        }
        let scheduled = pod.condition("PodScheduled");
        if pod.phase == Phase::Pending
            && scheduled.is_some_and(|c| c.status == Some(false) && &*c.reason == "Unschedulable")
        {
            return Self::Unschedulable;
        }
        match pod.phase {
            Phase::Pending if pod.node.is_some() => Self::Scheduled,
            Phase::Pending => Self::Pending,
            Phase::Running => Self::Running,
            Phase::Succeeded => Self::Succeeded,
            Phase::Failed => Self::Failed,
            Phase::Unknown => Self::Unknown,
        }
    }

    /// One word, for filters, JSON and counts.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Terminating { .. } => "terminating",
            Self::Lost { .. } => "lost",
            Self::Disrupted { .. } => "disrupted",
            Self::OutOfMemory => "oom_killed",
            Self::Ended { .. } => "ended",
            Self::Waiting { .. } => "waiting",
            Self::Unschedulable => "unschedulable",
            Self::Scheduled => "scheduled",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

/// A container that ended badly, the script's first.
fn ended(pod: &Pod) -> Option<PodState> {
    let bad = |container: &Container| match &container.doing {
        Doing::Ended { reason, .. } if &**reason == "OOMKilled" && &*container.name == BUILD => {
            Some(PodState::OutOfMemory)
        }
        Doing::Ended { code, reason, .. } if *code != 0 => {
            Some(PodState::Ended { code: *code, container: container.name.clone(), reason: reason.clone() })
        }
        _ => None,
    };
    pod.build().and_then(bad).or_else(|| pod.containers.iter().find_map(bad))
}

/// What a container waits for; a real trouble before the usual creation.
fn waiting(pod: &Pod) -> Option<Arc<str>> {
    let reasons = pod.containers.iter().filter_map(|container| match &container.doing {
        Doing::Waiting { reason, .. } if !reason.is_empty() => Some(reason),
        _ => None,
    });
    reasons.min_by_key(|reason| matches!(&***reason, "ContainerCreating" | "PodInitializing")).cloned()
}

impl fmt::Display for PodState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Terminating { over } if over.is_zero() => f.write_str("terminating"),
            Self::Terminating { over } => write!(f, "terminating, {} over its grace", precise(*over)),
            Self::Lost { reason } | Self::Disrupted { reason } if reason.is_empty() => f.write_str(self.word()),
            Self::Lost { reason } => f.write_str(reason),
            Self::Disrupted { reason } => write!(f, "disrupted: {reason}"),
            Self::OutOfMemory => f.write_str("OOMKilled"),
            Self::Ended { code, container, .. } => write!(f, "{container} ended with {code}"),
            Self::Waiting { reason } => f.write_str(reason),
            _ => f.write_str(self.word()),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn told(metadata: Value, status: Value) -> String {
        let mut object = json!({"metadata": {"name": "p"}, "spec": {}, "status": status});
        object["metadata"].as_object_mut().unwrap().extend(metadata.as_object().unwrap().clone());
        if metadata.get("node").is_some() {
            object["spec"] = json!({"nodeName": "n"});
        }
        let now = Timestamp::parse("2026-08-20T14:30:00Z").unwrap();
        PodState::of(&Pod::read(&object).unwrap(), now).to_string()
    }

    #[test]
    fn the_first_that_holds_wins() {
        let status = |mut more: Value| {
            let base = json!({
                "phase": "Failed", "reason": "Evicted",
                "conditions": [{"type": "DisruptionTarget", "status": "True", "reason": "PreemptionByScheduler"}],
                "containerStatuses": [
                    {"name": "helper", "state": {"terminated": {"exitCode": 3, "reason": "Error"}}},
                    {"name": "build", "state": {"terminated": {"exitCode": 137, "reason": "OOMKilled"}}},
                ],
            });
            let mut all = base.as_object().unwrap().clone();
            all.append(more.as_object_mut().unwrap());
            all.retain(|_, value| !value.is_null());
            Value::Object(all)
        };
        let gone = json!({"deletionTimestamp": "2026-08-20T14:28:00Z"});
        assert_eq!(told(gone, status(json!({}))), "terminating, 2m00 over its grace");
        assert_eq!(told(json!({"deletionTimestamp": "2026-08-20T14:31:00Z"}), status(json!({}))), "terminating");
        assert_eq!(told(json!({}), status(json!({}))), "Evicted");
        assert_eq!(told(json!({}), status(json!({"reason": null}))), "disrupted: PreemptionByScheduler");
        assert_eq!(told(json!({}), status(json!({"reason": null, "conditions": null}))), "OOMKilled");
        let none = json!({"reason": null, "conditions": null, "containerStatuses": null});
        assert_eq!(told(json!({}), status(none)), "failed");
        let helper = json!([{"name": "helper", "state": {"terminated": {"exitCode": 3}}}]);
        assert_eq!(
            told(json!({}), status(json!({"reason": null, "conditions": null, "containerStatuses": helper}))),
            "helper ended with 3"
        );
    }

    #[test]
    fn what_does_not_run_yet_says_why() {
        let waits = |a: &str, b: &str| {
            json!({"phase": "Pending", "containerStatuses": [
                {"name": "build", "state": {"waiting": {"reason": a}}}, {"name": "helper", "state": {"waiting": {"reason": b}}}]})
        };
        let on = json!({"node": "n"});
        assert_eq!(told(on.clone(), waits("ContainerCreating", "ContainerCreating")), "ContainerCreating");
        for reason in ["ImagePullBackOff", "ErrImagePull", "CreateContainerConfigError", "CrashLoopBackOff"] {
            assert_eq!(told(on.clone(), waits("ContainerCreating", reason)), reason, "a trouble goes before the usual");
        }
        let unschedulable = json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]});
        assert_eq!(told(json!({}), unschedulable), "unschedulable");
        assert_eq!(told(on, json!({"phase": "Pending"})), "scheduled");
        assert_eq!(told(json!({}), json!({"phase": "Pending"})), "pending");
        assert_eq!(told(json!({}), json!({})), "unknown");
    }

    #[test]
    fn a_script_that_ended_well_while_the_helper_works_still_runs() {
        let status = json!({"phase": "Running", "containerStatuses": [{"name": "build", "state": {"terminated": {"exitCode": 0}}}]});
        assert_eq!(told(json!({}), status), "running");
    }
}
