//! Where facts about the fleet come from, and how each source fares.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::ci::Timestamp;
use crate::console::fault::Fault;
use crate::console::fresh::Freshness;
use crate::fleet::Kind;

/// One source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Source {
    Pods,
    Nodes,
    Events,
    Claims,
    Pools,
    /// The pods of runner managers.
    Managers,
    Runners,
    Prices,
    Metrics,
    /// What the scripts of job pods use.
    Uses,
    Alerts,
}

/// Whom a source asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum System {
    Kubernetes,
    GitLab,
    Prometheus,
    Alertmanager,
}

impl System {
    pub const ALL: [Self; 4] = [Self::Kubernetes, Self::GitLab, Self::Prometheus, Self::Alertmanager];

    /// Its short name, in titles.
    pub const fn short(self) -> &'static str {
        match self {
            Self::Kubernetes => "k8s",
            Self::GitLab => "gl",
            Self::Prometheus => "prom",
            Self::Alertmanager => "am",
        }
    }
}

impl Source {
    pub const ALL: [Self; 11] = [
        Self::Pods,
        Self::Nodes,
        Self::Events,
        Self::Claims,
        Self::Pools,
        Self::Managers,
        Self::Runners,
        Self::Prices,
        Self::Metrics,
        Self::Uses,
        Self::Alerts,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Pods => "pods",
            Self::Nodes => "nodes",
            Self::Events => "events",
            Self::Claims => "node claims",
            Self::Pools => "node pools",
            Self::Managers => "runner managers",
            Self::Runners => "runners",
            Self::Prices => "prices",
            Self::Metrics => "metrics",
            Self::Uses => "use of pods",
            Self::Alerts => "alerts",
        }
    }

    pub const fn system(self) -> System {
        match self {
            Self::Pods | Self::Nodes | Self::Events | Self::Claims | Self::Pools | Self::Managers => System::Kubernetes,
            Self::Runners => System::GitLab,
            Self::Prices | Self::Metrics | Self::Uses => System::Prometheus,
            Self::Alerts => System::Alertmanager,
        }
    }

    /// What it tells of, if those are objects of a cluster.
    pub const fn kind(self) -> Option<Kind> {
        match self {
            Self::Pods | Self::Managers => Some(Kind::Pod),
            Self::Nodes => Some(Kind::Node),
            Self::Events => Some(Kind::Event),
            Self::Claims => Some(Kind::Claim),
            Self::Pools => Some(Kind::Pool),
            Self::Runners | Self::Prices | Self::Metrics | Self::Uses | Self::Alerts => None,
        }
    }

    /// How often it is asked; of a watch, how often it says at least that it lives.
    pub const fn period(self) -> Duration {
        match self {
            Self::Prices => Duration::from_mins(5),
            Self::Alerts => Duration::from_secs(30),
            _ => Duration::from_mins(1),
        }
    }
}

/// Whether what is known is true now.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub enum Phase {
    /// Nothing is known yet.
    #[default]
    Starting,
    /// Every change arrives as it happens, or the last answer was good.
    Live,
    /// Changes may be missing; it is tried again by itself.
    Stale,
    /// A right is missing; it is looked for again by itself.
    Denied { right: String },
    /// The cluster has no such thing.
    Absent,
}

/// How a source fares, as it says itself.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct SourceState {
    pub phase: Phase,
    /// When it last gave a good answer.
    pub heard: Option<Timestamp>,
    pub fault: Option<Fault>,
    /// Objects that came and could not be used.
    pub unreadable: usize,
}

/// What is known of a source.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct SourceFacts {
    pub state: SourceState,
    /// Since when it is awaited; `None` before the first tick.
    pub asked_since: Option<Timestamp>,
}

impl SourceFacts {
    /// The thing is not there, by the cluster's own word.
    pub const fn is_absent(&self) -> bool {
        matches!(self.state.phase, Phase::Absent)
    }

    /// How old the last good answer is.
    pub fn age(&self, now: Timestamp) -> Option<Duration> {
        self.state.heard.map(|heard| now.since(heard))
    }

    /// How to show it. A watch that lives and was heard of within two periods is of now.
    pub fn freshness(&self, source: Source, now: Timestamp) -> Freshness {
        let period = source.period();
        match (&self.state.phase, self.age(now)) {
            (Phase::Absent, _) => Freshness::Live(Duration::ZERO),
            (Phase::Live, Some(age)) if source.kind().is_some() && age <= period * 3 => Freshness::Live(Duration::ZERO),
            (Phase::Live, Some(age)) if age <= period * 2 => Freshness::Live(age),
            (_, Some(age)) => Freshness::Stale(age),
            (_, None) if self.state.fault.is_some() || matches!(self.state.phase, Phase::Denied { .. }) => {
                Freshness::Failed
            }
            (_, None) => Freshness::Loading,
        }
    }
}
