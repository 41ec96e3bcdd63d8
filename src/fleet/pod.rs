//! Pods: of jobs, of runner managers, and whatever else runs on a node.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::says::{JOB_POD, Says};
use super::wire::{self, Meta, ReadError, Uid};
use super::{Condition, Quantity, Resources, Wants, condition};
use crate::ci::Timestamp;

/// The container in which a job's script runs.
pub const BUILD: &str = "build";

/// Where a pod is in its life, as Kubernetes names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Phase {
    Pending,
    Running,
    Succeeded,
    Failed,
    Unknown,
}

impl Phase {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }

    /// It holds its resources no more.
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Succeeded | Self::Failed)
    }
}

/// What a container does.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Doing {
    Waiting { reason: Arc<str>, message: Arc<str> },
    Running { since: Option<Timestamp> },
    Ended { code: i64, reason: Arc<str>, since: Option<Timestamp>, at: Option<Timestamp> },
    Unknown,
}

/// One container of a pod.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Container {
    pub name: Arc<str>,
    pub doing: Doing,
    /// It prepares the others.
    pub is_init: bool,
}

/// One pod as the cluster last described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pod {
    pub uid: Uid,
    pub name: Arc<str>,
    pub namespace: Arc<str>,
    pub created: Option<Timestamp>,
    /// When its time to end peacefully is over; set when somebody asked for its end.
    pub deleted: Option<Timestamp>,
    /// The job of a runner.
    pub is_job: bool,
    pub is_daemon: bool,
    pub node: Option<Arc<str>>,
    pub phase: Phase,
    /// Why it ended, for the pod as a whole: `Evicted`, `Terminated`, …
    pub reason: Option<Arc<str>>,
    pub message: Option<Arc<str>>,
    pub started: Option<Timestamp>,
    pub conditions: Vec<Condition>,
    pub containers: Vec<Container>,
    /// What the scheduler reserves for it. An amount that could not be read is unknown.
    pub requests: Resources,
    pub wants: Wants,
    pub says: Says,
}

impl Pod {
    /// A pod about which only identity and phase are known.
    pub fn new(uid: &str, name: &str, phase: Phase) -> Self {
        Self {
            uid: Uid(uid.into()),
            name: name.into(),
            namespace: "".into(),
            created: None,
            deleted: None,
            is_job: false,
            is_daemon: false,
            node: None,
            phase,
            reason: None,
            message: None,
            started: None,
            conditions: Vec::new(),
            containers: Vec::new(),
            requests: Resources::default(),
            wants: Wants::default(),
            says: Says::default(),
        }
    }

    /// Reads a Kubernetes `Pod`.
    pub fn read(object: &Value) -> Result<Self, ReadError> {
        let meta = Meta::read(object, "Pod")?;
        let (spec, status) = (wire::at(object, &["spec"]), wire::at(object, &["status"]));
        let owner = wire::list(wire::at(object, &["metadata"]), "ownerReferences");
        let says = Says::of(&meta.labels, &meta.annotations);
        let statuses = |key: &'static str, is_init: bool| {
            wire::list(status, key).filter_map(move |value| container(value, is_init))
        };
        Ok(Self {
            is_job: meta.labels.get(JOB_POD.0).is_some_and(|value| &**value == JOB_POD.1),
            is_daemon: owner.filter_map(|owner| owner.get("kind")?.as_str()).any(|kind| kind == "DaemonSet"),
            uid: meta.uid,
            name: meta.name,
            namespace: meta.namespace,
            created: meta.created,
            deleted: meta.deleted,
            node: wire::text(spec, "nodeName").filter(|name| !name.is_empty()),
            phase: match status.get("phase").and_then(Value::as_str) {
                Some("Pending") => Phase::Pending,
                Some("Running") => Phase::Running,
                Some("Succeeded") => Phase::Succeeded,
                Some("Failed") => Phase::Failed,
                _ => Phase::Unknown,
            },
            reason: wire::text(status, "reason").filter(|reason| !reason.is_empty()),
            message: wire::message(status, "message"),
            started: wire::time(status, "startTime"),
            conditions: wire::conditions(status),
            containers: statuses("initContainerStatuses", true).chain(statuses("containerStatuses", false)).collect(),
            requests: requests(spec),
            wants: Wants::read(spec),
            says,
        })
    }

    /// The condition of that type.
    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }

    /// The container in which the script runs.
    pub fn build(&self) -> Option<&Container> {
        self.containers.iter().find(|container| &*container.name == BUILD)
    }

    /// From when to when the script ran; the end is `None` while it does.
    pub fn ran(&self) -> Option<(Timestamp, Option<Timestamp>)> {
        match self.build()?.doing {
            Doing::Running { since } => Some((since?, None)),
            Doing::Ended { since, at, .. } => Some((since?, Some(at?))),
            Doing::Waiting { .. } | Doing::Unknown => None,
        }
    }

    /// How long its script has run.
    pub fn run_time(&self, now: Timestamp) -> Option<Duration> {
        self.ran().map(|(start, end)| end.unwrap_or(now).since(start))
    }

    /// How much longer its script has run than its job may: stuck or leaked.
    pub fn overrun(&self, now: Timestamp) -> Option<Duration> {
        let over = self.run_time(now)?.checked_sub(self.says.timeout?)?;
        (!over.is_zero() && !self.phase.is_over()).then_some(over)
    }

    /// The script was killed for want of memory. Such a pod never restarts, so nothing else shows it.
    pub fn is_out_of_memory(&self) -> bool {
        self.build()
            .is_some_and(|build| matches!(&build.doing, Doing::Ended { reason, .. } if &**reason == "OOMKilled"))
    }

    /// The script runs now.
    pub fn is_building(&self) -> bool {
        !self.phase.is_over() && self.build().is_some_and(|build| matches!(build.doing, Doing::Running { .. }))
    }
}

fn container(value: &Value, is_init: bool) -> Option<Container> {
    let state = wire::at(value, &["state"]);
    let text = |state: &Value, key: &str| wire::text(state, key).unwrap_or_else(|| "".into());
    let doing = if let Some(waiting) = state.get("waiting") {
        Doing::Waiting {
            reason: text(waiting, "reason"),
            message: wire::message(waiting, "message").unwrap_or_else(|| "".into()),
        }
    } else if let Some(running) = state.get("running") {
        Doing::Running { since: wire::time(running, "startedAt") }
    } else if let Some(ended) = state.get("terminated") {
        Doing::Ended {
            // Without a code nothing says that it went well.
            code: ended.get("exitCode").and_then(Value::as_i64).unwrap_or(-1),
            reason: text(ended, "reason"),
            since: wire::time(ended, "startedAt"),
            at: wire::time(ended, "finishedAt"),
        }
    } else {
        Doing::Unknown
    };
    Some(Container { name: wire::text(value, "name")?, doing, is_init })
}

/// The larger of all containers together and the largest that prepares them, plus the overhead of the pod.
fn requests(spec: &Value) -> Resources {
    let of = |container: &Value| wire::resources(wire::at(container, &["resources", "requests"]), Some(Quantity::ZERO));
    if !spec.is_object() {
        return Resources::default();
    }
    let mut running = wire::list(spec, "containers").fold(Resources::NONE, |sum, container| sum.plus(&of(container)));
    let (mut beside, mut largest) = (Resources::NONE, Resources::NONE);
    for init in wire::list(spec, "initContainers") {
        if init.get("restartPolicy").and_then(Value::as_str) == Some("Always") {
            // It starts with the preparations and stays.
            beside = beside.plus(&of(init));
            running = running.plus(&of(init));
            largest = largest.max(&beside);
        } else {
            largest = largest.max(&beside.plus(&of(init)));
        }
    }
    let overhead = wire::resources(wire::at(spec, &["overhead"]), Some(Quantity::ZERO));
    Resources { pods: Some(Quantity::of(1)), ..running.max(&largest).plus(&overhead) }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn cpu(spec: Value) -> Option<Quantity> {
        requests(&spec).cpu
    }

    #[test]
    fn requests_are_the_larger_of_containers_and_preparations_plus_overhead() {
        let with = |cpu: &str| json!({"resources": {"requests": {"cpu": cpu}}});
        let sidecar = json!({"restartPolicy": "Always", "resources": {"requests": {"cpu": "1"}}});
        assert_eq!(cpu(json!({"containers": [with("500m"), with("250m"), {}]})), Some(Quantity::millis(750)));
        assert_eq!(
            cpu(json!({"containers": [with("1")], "initContainers": [with("3"), with("2")]})),
            Some(Quantity::of(3))
        );
        assert_eq!(cpu(json!({"containers": [with("1")], "overhead": {"cpu": "250m"}})), Some(Quantity::millis(1_250)));
        assert_eq!(
            cpu(json!({"containers": [with("1")], "initContainers": [sidecar, with("3")]})),
            Some(Quantity::of(4))
        );
        assert_eq!(cpu(json!({"containers": [with("lots"), with("1")]})), None, "unknown, not one");
        assert_eq!(cpu(json!(null)), None);
    }

    #[test]
    fn a_pod_without_a_status_is_read_and_nothing_is_made_up() {
        let pod = Pod::read(&json!({"metadata": {"name": "a"}, "spec": 7, "status": []})).unwrap();
        assert_eq!((pod.phase, pod.node.clone(), pod.requests), (Phase::Unknown, None, Resources::default()));
        assert_eq!((pod.is_building(), pod.is_out_of_memory(), pod.ran()), (false, false, None));
    }

    #[test]
    fn an_end_without_a_code_is_no_success() {
        let status =
            json!({"containerStatuses": [{"name": "build", "state": {"terminated": {"reason": "OOMKilled"}}}]});
        let pod = Pod::read(&json!({"metadata": {"name": "a"}, "status": status})).unwrap();
        assert!(pod.is_out_of_memory());
        assert!(matches!(pod.build().unwrap().doing, Doing::Ended { code: -1, at: None, .. }));
    }
}
