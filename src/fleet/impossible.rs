//! What can never work as things are: tags that no runner serves, pods that no machine holds, pods that no pool suits.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use super::queue::{Queue, Takers};
use super::{Fleet, Pending, PendingClass, Phase, Thresholds, Uid};
use crate::ci::{JobId, Timestamp};

/// Something that no waiting will change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Impossible {
    /// No runner has these tags, or none that takes such refs.
    NobodyServes { tags: BTreeSet<Arc<str>>, jobs: Vec<JobId> },
    /// Runners have the tags, and none is at work.
    NoneAtWork { tags: BTreeSet<Arc<str>>, classes: BTreeSet<Arc<str>>, jobs: Vec<JobId> },
    /// The pod asks for more than any machine has.
    NeverFits { pod: Uid, job: Option<JobId>, why: String },
    /// No pool makes a node that the pod may go to.
    Unsuited { pod: Uid, job: Option<JobId>, why: String },
}

/// Finds them among the queues and the pending pods.
pub fn impossibilities(fleet: &Fleet, queues: &[Queue], thresholds: &Thresholds, now: Timestamp) -> Vec<Impossible> {
    let queue = |queue: &Queue| match &queue.takers {
        Takers::Nobody => Some(Impossible::NobodyServes { tags: queue.tags.clone(), jobs: queue.waiting.clone() }),
        Takers::NoneAtWork(classes) => Some(Impossible::NoneAtWork {
            tags: queue.tags.clone(),
            classes: classes.clone(),
            jobs: queue.waiting.clone(),
        }),
        Takers::Classes(_) | Takers::Unknown => None,
    };
    let pods = fleet.job_pods().filter(|pod| pod.phase == Phase::Pending).filter_map(|pod| {
        let Pending { class, words: why, .. } = Pending::of(fleet, pod, thresholds, now)?;
        let (pod, job) = (pod.uid.clone(), pod.says.job);
        match class {
            PendingClass::NeverFits => Some(Impossible::NeverFits { pod, job, why }),
            PendingClass::TaintOrAffinity => Some(Impossible::Unsuited { pod, job, why }),
            _ => None,
        }
    });
    let mut found: Vec<Impossible> = pods.collect();
    found.sort_by_key(Impossible::job);
    queues.iter().filter_map(queue).chain(found).collect()
}

impl Impossible {
    fn job(&self) -> Option<JobId> {
        match self {
            Self::NobodyServes { jobs, .. } | Self::NoneAtWork { jobs, .. } => jobs.first().copied(),
            Self::NeverFits { job, .. } | Self::Unsuited { job, .. } => *job,
        }
    }
}

impl fmt::Display for Impossible {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |set: &BTreeSet<Arc<str>>| set.iter().map(|text| &**text).collect::<Vec<_>>().join(",");
        match self {
            Self::NobodyServes { tags, .. } => write!(f, "no runner serves the tags {}", list(tags)),
            Self::NoneAtWork { tags, classes, .. } => {
                write!(f, "no runner at work serves the tags {}; {} would", list(tags), list(classes))
            }
            Self::NeverFits { why, .. } | Self::Unsuited { why, .. } => f.write_str(why),
        }
    }
}
