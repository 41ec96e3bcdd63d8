//! The fleet as the console knows it: the objects of [`crate::fleet`] with how fresh each source of them is, how jobs ended where, what
//! metrics say, and all alerts, ours and those of others.
//!
//! [`News`] is the only way anything in here changes. The core and every face hold a copy each; they share the objects themselves.

mod alarms;
mod intervals;
mod news;
mod outcomes;
mod source;
mod subject;
mod sums;
mod tree;
mod update;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::Duration;

pub use alarms::{Alarm, AlarmId, AlarmState, Loudness, Silence, ToldAlert, ToldState};
pub use news::{Change, Metrics, News, PoolUse};
pub use outcomes::{Outcome, Outcomes, Seat};
pub use source::{Phase, Source, SourceFacts, SourceState, System};
pub use subject::{NodeSubject, PodSubject, RunnerSubject, node_state, pod_state};
pub use sums::{ClassTrend, Counts};
pub use tree::{GroupRow, NodeRow, RunnerRow, Sums, Tree, WINDOW, architecture};

use crate::ci::Timestamp;
use crate::fleet::{Busy, Findings, Fleet, HostNames, Interruptions, Ledger, Place, Pod, Stuck, Thresholds, Uid, Uses};

/// What the fleet is judged and counted by: configuration.
#[derive(Debug, Clone, Default)]
pub struct FleetRules {
    pub hosts: HostNames,
    pub thresholds: Thresholds,
    /// Jobs that a class of runners takes at once.
    pub slots: BTreeMap<Arc<str>, u64>,
    /// The namespace of job pods, and that of runner managers.
    pub namespace: Arc<str>,
    pub manager_namespace: Arc<str>,
}

/// Everything about the fleet.
#[derive(Debug, Default)]
pub struct FleetFacts {
    pub rules: Arc<FleetRules>,
    pub objects: Fleet,
    /// The sources that are configured. Nothing else is asked, and of nothing else anything is known.
    pub sources: BTreeMap<Source, SourceFacts>,
    pub metrics: Metrics,
    /// What pods of the jobs' namespace used lately, by name: series may be told before their pods.
    uses: BTreeMap<Arc<str>, Uses>,
    pub ledger: Ledger,
    pub interruptions: Interruptions,
    pub outcomes: Outcomes,
    /// Our own alerts.
    pub findings: Findings,
    /// Alertmanager's.
    pub told: Vec<Arc<ToldAlert>>,
    pub silences: Vec<Arc<Silence>>,
    pub counts: Counts,
    /// Jobs that ran, class by class, the newest last.
    pub trends: BTreeMap<Arc<str>, ClassTrend>,
    /// Grows with every change of the fleet.
    pub revision: u64,
    looked: Looked,
    /// Alerts of our own that ceased a short while ago.
    resolved: VecDeque<(crate::fleet::Finding, Timestamp)>,
}

/// When what is looked at in intervals was looked at last.
#[derive(Debug, Clone, Copy, Default)]
struct Looked {
    judged: Option<Timestamp>,
    sampled: Option<Timestamp>,
    trended: Option<Timestamp>,
}

impl FleetFacts {
    /// A fleet of which these sources tell; each is awaited from now on.
    pub fn of(rules: FleetRules, sources: impl IntoIterator<Item = Source>) -> Self {
        let sources = sources.into_iter().map(|source| (source, SourceFacts::default())).collect();
        Self { rules: Arc::new(rules), sources, ..Self::default() }
    }

    /// Whether anything is configured that tells of the cluster.
    pub fn is_configured(&self, system: System) -> bool {
        self.sources.keys().any(|source| source.system() == system)
    }

    /// The sources of one system.
    pub fn of_system(&self, system: System) -> impl Iterator<Item = (Source, &SourceFacts)> {
        self.sources.iter().filter(move |(source, _)| source.system() == system).map(|(source, facts)| (*source, facts))
    }

    /// What is known of how busy runners are, besides pods.
    pub fn busy(&self) -> Busy {
        Busy { running: None, slots_of_runner: self.metrics.slots.clone(), slots_of_class: self.rules.slots.clone() }
    }

    /// Whether a pod does nothing, by what it used.
    pub fn stillness_of(&self, pod: &Pod, server_now: Timestamp) -> Stuck {
        let uses = self.uses.get(&pod.name).filter(|_| pod.is_job && pod.namespace == self.rules.namespace);
        uses.map_or(Stuck::Unknown, |uses| uses.judge(&self.rules.thresholds, server_now))
    }

    /// What pods used lately, in the order of time for each.
    pub(in crate::console) fn all_uses(&self) -> impl Iterator<Item = (&Arc<str>, &crate::fleet::Usage)> {
        self.uses.iter().flat_map(|(pod, uses)| uses.iter().map(move |usage| (pod, usage)))
    }

    /// The same of every job pod; `None` while no use was told, though pods run.
    pub(in crate::console) fn stillness(&self, server_now: Timestamp) -> Option<Vec<(Uid, Stuck)>> {
        self.sources.get(&Source::Uses)?.state.heard?;
        let is_told = !self.uses.is_empty() || self.counts.busy == 0;
        let judged = |pod: &Pod| (pod.uid.clone(), self.stillness_of(pod, server_now));
        is_told.then(|| self.objects.pods().filter(|pod| pod.is_job).map(judged).collect())
    }

    /// The place of a pod's job.
    pub fn place_of_pod<'a>(&'a self, pod: &'a crate::fleet::Pod) -> Place<'a> {
        Place::of_pod(&self.objects, pod)
    }

    /// How old what is known of a system is, the oldest of its sources; `None` while one of them never answered.
    pub fn age(&self, system: System, now: Timestamp) -> Option<Duration> {
        let ages: Option<Vec<Duration>> =
            self.of_system(system).filter(|(_, facts)| !facts.is_absent()).map(|(_, facts)| facts.age(now)).collect();
        ages?.into_iter().max()
    }
}
