//! Node claims: Karpenter's orders of machines, from launch to the end.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::node::POOL_LABEL;
use super::wire::{self, Meta, ReadError, Uid};
use super::{Condition, Resources, condition};
use crate::ci::{Timestamp, precise};

/// Karpenter gives up on a claim without a machine after this.
const LAUNCH_LIMIT: Duration = Duration::from_mins(5);
/// And on one whose machine did not come up.
const REGISTER_LIMIT: Duration = Duration::from_mins(15);

/// One node claim as the cluster last described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Claim {
    pub uid: Uid,
    pub name: Arc<str>,
    pub created: Option<Timestamp>,
    pub deleted: Option<Timestamp>,
    pub pool: Option<Arc<str>>,
    pub capacity_type: Option<Arc<str>>,
    pub instance_type: Option<Arc<str>>,
    pub zone: Option<Arc<str>>,
    pub node: Option<Arc<str>>,
    pub provider_id: Option<Arc<str>>,
    /// What the pods that it was made for ask for, daemons included.
    pub requests: Resources,
    pub allocatable: Resources,
    pub conditions: Vec<Condition>,
}

/// Where a claim is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClaimState {
    /// No machine yet; the reason says why, when a launch failed.
    Launching {
        failed: Option<Arc<str>>,
        overdue: bool,
    },
    /// The machine runs and has not joined the cluster.
    Registering {
        overdue: bool,
    },
    /// It joined and is not ready for pods.
    Initializing {
        why: Arc<str>,
    },
    /// It is interrupted, drained or taken back.
    Disrupted {
        why: Arc<str>,
    },
    Terminating,
    Ready,
    /// It says nothing about itself.
    Unknown,
}

impl Claim {
    /// Reads a Karpenter `NodeClaim`.
    pub fn read(object: &Value) -> Result<Self, ReadError> {
        let meta = Meta::read(object, "NodeClaim")?;
        let (spec, status) = (wire::at(object, &["spec"]), wire::at(object, &["status"]));
        let label = |key: &str| meta.labels.get(key).filter(|value| !value.is_empty()).cloned();
        let filled = |key: &str| wire::text(status, key).filter(|text| !text.is_empty());
        Ok(Self {
            pool: label(POOL_LABEL),
            capacity_type: label("karpenter.sh/capacity-type"),
            instance_type: label("node.kubernetes.io/instance-type"),
            zone: label("topology.kubernetes.io/zone"),
            uid: meta.uid,
            name: meta.name,
            created: meta.created,
            deleted: meta.deleted,
            node: filled("nodeName"),
            provider_id: filled("providerID"),
            requests: wire::resources(wire::at(spec, &["resources", "requests"]), None),
            allocatable: wire::resources(wire::at(status, &["allocatable"]), None),
            conditions: wire::conditions(status),
        })
    }

    pub fn condition(&self, kind: &str) -> Option<&Condition> {
        condition(&self.conditions, kind)
    }

    fn holds(&self, kind: &str) -> bool {
        self.condition(kind).is_some_and(|condition| condition.status == Some(true))
    }

    /// Where it is, by its conditions in the order of its life.
    pub fn state(&self, now: Timestamp) -> ClaimState {
        let is_late = |limit: Duration| self.created.is_some_and(|at| now.since(at) > limit);
        if self.deleted.is_some() || self.holds("InstanceTerminating") {
            return ClaimState::Terminating;
        }
        if let Some(why) = self.condition("DisruptionReason").filter(|condition| condition.status == Some(true)) {
            return ClaimState::Disrupted { why: why.reason.clone() };
        }
        if self.conditions.is_empty() {
            return ClaimState::Unknown;
        }
        if !self.holds("Launched") {
            // A claim that nobody looked at yet says so in a message, too.
            let told =
                self.condition("Launched").filter(|c| !c.message.is_empty() && &*c.reason != "AwaitingReconciliation");
            let failed = told.map(|launched| launched.message.clone());
            return ClaimState::Launching { failed, overdue: is_late(LAUNCH_LIMIT) };
        }
        if !self.holds("Registered") {
            return ClaimState::Registering { overdue: is_late(REGISTER_LIMIT) };
        }
        if !self.holds("Initialized") {
            let why = self.condition("Initialized").map(|condition| condition.message.clone());
            return ClaimState::Initializing { why: why.unwrap_or_else(|| "".into()) };
        }
        ClaimState::Ready
    }

    /// Its machine is no longer what its pool would make today.
    pub fn is_drifted(&self) -> bool {
        self.holds("Drifted")
    }

    /// It could go: nothing needs it.
    pub fn is_consolidatable(&self) -> bool {
        self.holds("Consolidatable")
    }

    /// Its machine could not be had at the cloud.
    pub fn lacks_capacity(&self) -> bool {
        let says_so = |text: &str| {
            let text = text.to_ascii_lowercase();
            ["insufficient capacity", "insufficientcapacity", "unfulfillablecapacity", "maxspotinstancecountexceeded"]
                .iter()
                .any(|word| text.contains(word))
        };
        self.condition("Launched").is_some_and(|launched| {
            launched.status != Some(true) && (says_so(&launched.reason) || says_so(&launched.message))
        })
    }

    /// Its age, for people.
    pub fn age_text(&self, now: Timestamp) -> String {
        self.created.map_or_else(|| "of unknown age".to_owned(), |at| precise(now.since(at)))
    }
}

impl fmt::Display for ClaimState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Launching { failed: Some(why), .. } => write!(f, "launch failed: {why}"),
            Self::Launching { failed: None, overdue: false } => f.write_str("launching"),
            Self::Launching { failed: None, overdue: true } => f.write_str("not launched in 5 min"),
            Self::Registering { overdue: false } => f.write_str("registering"),
            Self::Registering { overdue: true } => f.write_str("not registered in 15 min"),
            Self::Initializing { why } if why.is_empty() => f.write_str("initializing"),
            Self::Initializing { why } => write!(f, "initializing: {why}"),
            Self::Disrupted { why } => write!(f, "disrupted: {why}"),
            Self::Terminating => f.write_str("terminating"),
            Self::Ready => f.write_str("ready"),
            Self::Unknown => f.write_str("unknown"),
        }
    }
}
