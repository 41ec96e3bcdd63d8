//! What sources tell.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::alarms::{Silence, ToldAlert};
use super::source::{Source, SourceState};
use crate::fleet::{Kind, LaunchFailures, Object, Offer, Runner, Uid, Usage};

/// One thing that a source tells.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum News {
    /// Objects of a cluster came, changed or went.
    Changed {
        source: Source,
        changes: Vec<Change>,
    },
    /// How a source fares.
    Seen {
        source: Source,
        state: SourceState,
    },
    /// The whole list of runners.
    Runners(Vec<Arc<Runner>>),
    /// What machines cost by the hour.
    Prices(#[serde(deserialize_with = "prices")] Vec<(Offer, f64)>),
    Metrics(Metrics),
    /// What pods have used, by name, each in the order of time.
    Uses(Vec<(Arc<str>, Usage)>),
    /// Everything that Alertmanager holds.
    Alerts {
        alerts: Vec<Arc<ToldAlert>>,
        silences: Vec<Arc<Silence>>,
    },
}

/// Prices may be no numbers, for which JSON has no other word than `null`.
fn prices<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<(Offer, f64)>, D::Error> {
    let told = Vec::<(Offer, Option<f64>)>::deserialize(deserializer)?;
    Ok(told.into_iter().map(|(offer, price)| (offer, price.unwrap_or(f64::NAN))).collect())
}

/// What became of an object.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Change {
    Put(Object),
    Gone(Kind, Uid),
    /// A list came to its end with these on it.
    Listed {
        seen: Arc<HashSet<Uid>>,
    },
    /// After a list: whether some objects of this source cannot be used. Then, what is not here need not be absent.
    Unreadable(bool),
}

/// What Prometheus tells of Karpenter and of runners. `None`: there is no such series, or it was not answered.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub struct Metrics {
    pub launch_failures: Option<Vec<LaunchFailures>>,
    /// Reclaims of the last 15 min.
    pub reclaims: Option<f64>,
    /// Karpenter's view of the cluster is in step: 1, or 0.
    pub synced: Option<f64>,
    /// Used and allowed CPU by pool.
    pub pools: Option<BTreeMap<Arc<str>, PoolUse>>,
    /// Jobs that a runner takes at once, by its description.
    pub slots: BTreeMap<Arc<str>, u64>,
}

/// CPU of one pool.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
pub struct PoolUse {
    pub used: Option<f64>,
    pub limit: Option<f64>,
}
