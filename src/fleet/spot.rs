//! Spot reclaims: when the cloud took a machine back, which jobs ran on it, and what they had cost by then.
//!
//! Only `SpotInterrupted` is a reclaim. Machines also stop, end and fail for other reasons, far more often.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use super::pod::{Phase, Pod};
use super::{Dollars, Fleet, Kind, KubeEvent, Ledger, Uid};
use crate::ci::{JobId, Timestamp};

/// What the cloud gives between its word and the end.
const NOTICE: Duration = Duration::from_mins(2);
/// Events about one machine within this are about the same interruption.
const SAME: Duration = Duration::from_mins(10);
/// Interruptions that are remembered.
const MOST: usize = 1_000;

/// What happened to a machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Interruption {
    /// The cloud takes a spot machine back.
    Reclaim,
    /// It may do so soon; nothing happens yet.
    Rebalance,
    Stopping,
    Terminating,
    Unhealthy,
}

impl Interruption {
    /// What happened, behind "was".
    pub const fn words(self) -> &'static str {
        match self {
            Self::Reclaim => "reclaimed by the cloud",
            Self::Rebalance => "named as one that may be reclaimed",
            Self::Stopping => "stopped",
            Self::Terminating => "terminated",
            Self::Unhealthy => "found unhealthy and ended",
        }
    }
}

/// A job that ran on a machine that was interrupted.
#[derive(Debug, Clone, PartialEq)]
pub struct Hit {
    pub job: Option<JobId>,
    pub package: Option<Arc<str>>,
    /// How long it had run by its end, or by now.
    pub ran: Option<Duration>,
    /// It ended well all the same.
    pub is_saved: bool,
    /// It has not ended yet.
    pub is_running: bool,
    /// What it had cost; `None` where that is unknown.
    pub cost: Option<Dollars>,
    /// Its job was started again; `None` while nobody said.
    pub is_retried: Option<bool>,
}

/// One interruption of one machine.
#[derive(Debug, Clone, PartialEq)]
pub struct Interrupted {
    pub kind: Interruption,
    pub at: Timestamp,
    pub node: Option<Arc<str>>,
    pub claim: Option<Arc<str>>,
    pub pool: Option<Arc<str>>,
    /// When Karpenter began to drain it.
    pub drained_at: Option<Timestamp>,
    pub hits: BTreeMap<Uid, Hit>,
}

impl Interrupted {
    /// When a reclaimed machine goes.
    pub fn gone_at(&self) -> Option<Timestamp> {
        (self.kind == Interruption::Reclaim).then(|| self.at.plus(NOTICE))
    }

    /// What was lost: the cost of all jobs that did not end well, and how many of them have no known cost.
    pub fn lost(&self) -> (Dollars, usize) {
        let lost = self.hits.values().filter(|hit| !hit.is_saved && !hit.is_running);
        lost.fold((Dollars::ZERO, 0), |(sum, unknown), hit| match hit.cost {
            Some(cost) => (sum.plus(cost), unknown),
            None => (sum, unknown + 1),
        })
    }
}

/// The interruptions that were seen. Pods, nodes and events go; this stays.
#[derive(Debug, Clone, Default)]
pub struct Interruptions {
    /// The oldest first.
    seen: VecDeque<Interrupted>,
}

impl Interruptions {
    /// Takes in what the fleet's events tell now, and how the jobs that were hit are. Asking twice changes nothing.
    pub fn note(&mut self, fleet: &Fleet, ledger: &Ledger, now: Timestamp) {
        let mut events: Vec<&KubeEvent> =
            fleet.events().filter(|event| matches!(&*event.about.kind, "Node" | "NodeClaim")).collect();
        events.sort_by_key(|event| event.first);
        for event in events {
            self.note_event(fleet, event);
        }
        for interrupted in &mut self.seen {
            hit(interrupted, fleet, ledger, now);
        }
        while self.seen.len() > MOST {
            self.seen.pop_front();
        }
    }

    /// Says whether a job that was hit was started again.
    pub fn know_retried(&mut self, job: JobId, is_retried: bool) {
        let hits = self.seen.iter_mut().flat_map(|seen| seen.hits.values_mut());
        for hit in hits.filter(|hit| hit.job == Some(job)) {
            hit.is_retried = Some(is_retried);
        }
    }

    /// All of them, the newest first.
    pub fn timeline(&self) -> impl Iterator<Item = &Interrupted> {
        self.seen.iter().rev()
    }

    /// How many reclaims there were since a moment.
    pub fn reclaims_since(&self, since: Timestamp) -> usize {
        self.seen.iter().filter(|seen| seen.kind == Interruption::Reclaim && seen.at >= since).count()
    }

    fn note_event(&mut self, fleet: &Fleet, event: &KubeEvent) {
        let kind = match &*event.reason {
            "SpotInterrupted" => Some(Interruption::Reclaim),
            "SpotRebalanceRecommendation" => Some(Interruption::Rebalance),
            "InstanceStopping" => Some(Interruption::Stopping),
            "InstanceTerminating" => Some(Interruption::Terminating),
            "InstanceUnhealthy" => Some(Interruption::Unhealthy),
            _ => None,
        };
        let is_drain = &*event.reason == "TerminatingOnInterruption";
        if kind.is_none() && !is_drain {
            return;
        }
        let (node, claim) = if &*event.about.kind == "Node" {
            let node = fleet.node(&event.about.name);
            (Some(event.about.name.clone()), node.and_then(|node| fleet.claim_of(node)).map(|claim| claim.name.clone()))
        } else {
            let claim = fleet.claim(&event.about.name);
            (claim.and_then(|claim| claim.node.clone()), Some(event.about.name.clone()))
        };
        let is_same = |seen: &Interrupted| {
            let is_machine = (node.is_some() && seen.node == node) || (claim.is_some() && seen.claim == claim);
            let apart = if event.first > seen.at { event.first.since(seen.at) } else { seen.at.since(event.first) };
            is_machine && apart <= SAME && (is_drain || Some(seen.kind) == kind)
        };
        if let Some(seen) = self.seen.iter_mut().rev().find(|seen| is_same(seen)) {
            seen.node = seen.node.take().or(node);
            seen.claim = seen.claim.take().or(claim);
            if is_drain {
                seen.drained_at = seen.drained_at.or(Some(event.first));
            }
            return;
        }
        let Some(kind) = kind else { return };
        let pool = node.as_ref().and_then(|name| fleet.node(name)?.pool().cloned());
        let pool = pool.or_else(|| fleet.claim(claim.as_ref()?)?.pool.clone());
        self.seen.push_back(Interrupted {
            kind,
            at: event.first,
            node,
            claim,
            pool,
            drained_at: None,
            hits: BTreeMap::new(),
        });
    }
}

/// Looks at the jobs on an interrupted machine. Those that ended before are not hit.
fn hit(interrupted: &mut Interrupted, fleet: &Fleet, ledger: &Ledger, now: Timestamp) {
    let node = interrupted.node.clone();
    let is_hit = |pod: &&Pod| {
        pod.is_job
            && end_of(pod).is_none_or(|end| end >= interrupted.at)
            && pod.created.is_none_or(|at| at <= interrupted.at)
    };
    let on_node: Vec<&Pod> = node.iter().flat_map(|node| fleet.pods_on(node)).filter(is_hit).collect();
    for pod in on_node {
        let is_retried = interrupted.hits.get(&pod.uid).and_then(|hit| hit.is_retried);
        let begin = pod.ran().map(|(start, _)| start).or(pod.started);
        let hit = Hit {
            job: pod.says.job,
            package: pod.says.package.as_ref().map(|said| said.value.clone()),
            ran: begin.map(|begin| end_of(pod).unwrap_or(now).since(begin)),
            is_saved: pod.phase == Phase::Succeeded,
            is_running: !pod.phase.is_over(),
            cost: ledger.charge(&pod.uid).and_then(|charge| charge.cost.clone().ok()),
            is_retried,
        };
        interrupted.hits.insert(pod.uid.clone(), hit);
    }
    // A pod that went without a last word ended with its machine.
    if fleet.knows(Kind::Pod) {
        for (_, hit) in interrupted.hits.iter_mut().filter(|(uid, _)| fleet.pod(uid).is_none()) {
            hit.is_running = false;
        }
    }
}

/// When a pod ended, by its script or by the word of the kubelet.
fn end_of(pod: &Pod) -> Option<Timestamp> {
    if !pod.phase.is_over() {
        return None;
    }
    pod.ran().and_then(|(_, end)| end).or_else(|| pod.condition("DisruptionTarget")?.since)
}
