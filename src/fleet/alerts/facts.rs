//! What alerts are judged by. `None`: that source does not answer, and nothing is said about what hangs on it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ci::{RunnerId, Timestamp};
use crate::fleet::{Fleet, HostNames, JobEvidence, Queue, RunnerClass, Stuck, Uid};

/// Machines that could not be launched in the last 15 min.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LaunchFailures {
    pub zone: Arc<str>,
    pub reason: Arc<str>,
    #[serde(deserialize_with = "crate::fleet::number")]
    pub count: f64,
}

/// How the jobs of the last hour ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct InfraFigures {
    /// Failures whose cause is infrastructure.
    pub failures: u64,
    /// Jobs that succeeded or failed.
    pub ended: u64,
}

/// How old the last good answer of a source is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceAge {
    pub name: Arc<str>,
    /// When it was asked first.
    pub asked_since: Timestamp,
    pub last_good: Option<Timestamp>,
    /// How often it is asked.
    pub interval: Duration,
}

/// Everything that alerts are judged by.
#[derive(Debug, Clone, Copy)]
pub struct Facts<'a> {
    pub fleet: &'a Fleet,
    pub hosts: &'a HostNames,
    pub classes: Option<&'a [RunnerClass]>,
    pub queues: Option<&'a [Queue]>,
    /// The last jobs by runner.
    pub jobs: Option<&'a BTreeMap<RunnerId, JobEvidence>>,
    pub launch_failures: Option<&'a [LaunchFailures]>,
    /// Spot interruptions of the last 15 min.
    pub spot_interruptions: Option<f64>,
    /// `karpenter_cluster_state_synced`.
    pub synced: Option<f64>,
    pub stuck: Option<&'a [(Uid, Stuck)]>,
    pub infra: Option<InfraFigures>,
    pub sources: &'a [SourceAge],
}

impl<'a> Facts<'a> {
    /// Nothing but the fleet is known.
    pub const fn of(fleet: &'a Fleet, hosts: &'a HostNames) -> Self {
        Self {
            fleet,
            hosts,
            classes: None,
            queues: None,
            jobs: None,
            launch_failures: None,
            spot_interruptions: None,
            synced: None,
            stuck: None,
            infra: None,
            sources: &[],
        }
    }
}
