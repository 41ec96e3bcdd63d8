//! Nodes: what they can hold, what keeps pods away from them, and what is wrong with them.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::wire::{self, Meta, ReadError, Uid};
use super::{Condition, Quantity, Resources, Taint, condition};
use crate::ci::{Timestamp, precise};

/// The taint with which a node starts until its certificate is approved.
pub const CERTIFICATE_PENDING: &str = "node.spack.io/certificate-pending";
pub(super) const POOL_LABEL: &str = "karpenter.sh/nodepool";

/// One node as the cluster last described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Node {
    pub uid: Uid,
    pub name: Arc<str>,
    pub created: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Somebody closed it for new pods.
    pub is_cordoned: bool,
    pub taints: Vec<Taint>,
    /// The machine at the cloud; the claim has the same.
    pub provider_id: Option<Arc<str>>,
    pub capacity: Resources,
    /// What pods may have of it.
    pub allocatable: Resources,
    pub conditions: Vec<Condition>,
}

/// What is wrong with a node, the worst first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum NodeTrouble {
    /// The node controller hears nothing of it.
    Unreachable,
    /// It says itself that it is not ready.
    NotReady,
    /// Nothing says whether it is ready.
    Unheard,
    /// It is being drained, and will go.
    Draining,
    /// A pressure condition or taint by its name.
    Pressure(Arc<str>),
    /// It was not registered with Karpenter.
    Unregistered,
    /// The taint with which it starts is still on.
    CertificatePending(Option<Duration>),
    /// Karpenter has not found it ready for pods yet.
    NotInitialized,
    /// Closed for new pods.
    Cordoned,
}

impl Node {
    /// Reads a Kubernetes `Node`.
    pub fn read(object: &Value) -> Result<Self, ReadError> {
        let meta = Meta::read(object, "Node")?;
        let (spec, status) = (wire::at(object, &["spec"]), wire::at(object, &["status"]));
        Ok(Self {
            uid: meta.uid,
            name: meta.name,
            created: meta.created,
            deleted: meta.deleted,
            labels: meta.labels,
            is_cordoned: spec.get("unschedulable").and_then(Value::as_bool).unwrap_or(false),
            taints: Taint::read_all(spec, "taints"),
            provider_id: wire::text(spec, "providerID").filter(|id| !id.is_empty()),
            capacity: wire::resources(wire::at(status, &["capacity"]), None),
            allocatable: wire::resources(wire::at(status, &["allocatable"]), None),
            conditions: wire::conditions(status),
        })
    }

    fn label(&self, key: &str) -> Option<&Arc<str>> {
        self.labels.get(key).filter(|value| !value.is_empty())
    }

    /// The pool that made it.
    pub fn pool(&self) -> Option<&Arc<str>> {
        self.label(POOL_LABEL)
    }

    /// `spot` or `on-demand`.
    pub fn capacity_type(&self) -> Option<&Arc<str>> {
        self.label("karpenter.sh/capacity-type")
    }

    pub fn instance_type(&self) -> Option<&Arc<str>> {
        self.label("node.kubernetes.io/instance-type").or_else(|| self.label("beta.kubernetes.io/instance-type"))
    }

    pub fn zone(&self) -> Option<&Arc<str>> {
        self.label("topology.kubernetes.io/zone")
    }

    /// What its machine has: what it says, or what Karpenter's labels say (memory in MiB).
    pub fn machine(&self) -> Resources {
        let number = |key: &str| self.label(key).and_then(|text| text.parse::<u32>().ok());
        let memory = number("karpenter.k8s.aws/instance-memory").map(|mib| Quantity::of(i64::from(mib) << 20));
        let cpu = number("karpenter.k8s.aws/instance-cpu").map(|cpu| Quantity::of(cpu.into()));
        Resources { cpu: self.capacity.cpu.or(cpu), memory: self.capacity.memory.or(memory), ..self.capacity }
    }

    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }

    pub fn has_taint(&self, key: &str) -> bool {
        self.taints.iter().any(|taint| &*taint.key == key)
    }

    /// Everything that is wrong with it, the worst first.
    pub fn troubles(&self, now: Timestamp) -> Vec<NodeTrouble> {
        let mut found = Vec::new();
        match self.condition("Ready").map(|ready| ready.status) {
            Some(Some(true)) => {}
            Some(Some(false)) => found.push(NodeTrouble::NotReady),
            Some(None) => found.push(NodeTrouble::Unreachable),
            None => found.push(NodeTrouble::Unheard),
        }
        let pressures = self.conditions.iter().filter(|c| c.kind.ends_with("Pressure") && c.status == Some(true));
        found.extend(pressures.map(|c| NodeTrouble::Pressure(c.kind.clone())));
        for taint in &self.taints {
            found.extend(match &*taint.key {
                "karpenter.sh/disrupted" => Some(NodeTrouble::Draining),
                "karpenter.sh/unregistered" => Some(NodeTrouble::Unregistered),
                CERTIFICATE_PENDING => Some(NodeTrouble::CertificatePending(self.created.map(|at| now.since(at)))),
                "node.kubernetes.io/not-ready" => Some(NodeTrouble::NotReady),
                "node.kubernetes.io/unreachable" => Some(NodeTrouble::Unreachable),
                "node.kubernetes.io/unschedulable" => Some(NodeTrouble::Cordoned),
                "node.kubernetes.io/disk-pressure" => Some(NodeTrouble::Pressure("DiskPressure".into())),
                "node.kubernetes.io/memory-pressure" => Some(NodeTrouble::Pressure("MemoryPressure".into())),
                "node.kubernetes.io/pid-pressure" => Some(NodeTrouble::Pressure("PIDPressure".into())),
                _ => None,
            });
        }
        if self.deleted.is_some() {
            found.push(NodeTrouble::Draining);
        }
        if self.is_cordoned {
            found.push(NodeTrouble::Cordoned);
        }
        // Only Karpenter's nodes get the label.
        if self.pool().is_some() && self.label("karpenter.sh/initialized").is_none() {
            found.push(NodeTrouble::NotInitialized);
        }
        found.sort();
        found.dedup();
        found
    }
}

impl fmt::Display for NodeTrouble {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable => f.write_str("unreachable"),
            Self::NotReady => f.write_str("not ready"),
            Self::Unheard => f.write_str("nothing says whether it is ready"),
            Self::Draining => f.write_str("being drained"),
            Self::Pressure(kind) => f.write_str(kind),
            Self::Unregistered => f.write_str("not registered"),
            Self::CertificatePending(Some(age)) => write!(f, "certificate pending for {}", precise(*age)),
            Self::CertificatePending(None) => f.write_str("certificate pending"),
            Self::NotInitialized => f.write_str("not initialized"),
            Self::Cordoned => f.write_str("cordoned"),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn troubles(spec: Value, status: Value) -> Vec<String> {
        let object = json!({"metadata": {"name": "n", "creationTimestamp": "2026-08-20T14:20:00Z"}, "spec": spec, "status": status});
        let now = Timestamp::parse("2026-08-20T14:30:00Z").unwrap();
        Node::read(&object).unwrap().troubles(now).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn taints_and_conditions_have_names() {
        let ready =
            json!({"conditions": [{"type": "Ready", "status": "True"}, {"type": "DiskPressure", "status": "False"}]});
        let taint = |key: &str| json!({"taints": [{"key": key, "effect": "NoSchedule"}]});
        assert_eq!(troubles(json!({}), ready.clone()), Vec::<String>::new());
        for (key, want) in [
            ("karpenter.sh/disrupted", "being drained"),
            ("karpenter.sh/unregistered", "not registered"),
            ("node.kubernetes.io/not-ready", "not ready"),
            ("node.kubernetes.io/unreachable", "unreachable"),
            ("node.kubernetes.io/unschedulable", "cordoned"),
            ("node.kubernetes.io/disk-pressure", "DiskPressure"),
            ("node.kubernetes.io/memory-pressure", "MemoryPressure"),
            ("node.spack.io/certificate-pending", "certificate pending for 10m00"),
        ] {
            assert_eq!(troubles(taint(key), ready.clone()), [want], "{key}");
        }
        assert_eq!(
            troubles(taint("spack.io/runner-taint"), ready),
            Vec::<String>::new(),
            "a runner's own taint is no trouble"
        );
    }

    #[test]
    fn silence_is_not_readiness() {
        assert_eq!(troubles(json!({}), json!({})), ["nothing says whether it is ready"]);
        assert_eq!(
            troubles(json!({}), json!({"conditions": [{"type": "Ready", "status": "Unknown"}]})),
            ["unreachable"]
        );
    }
}
