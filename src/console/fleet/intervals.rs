//! What is looked at in intervals: charges, trends, our own alerts.

use std::collections::BTreeMap;
use std::time::Duration;

use super::alarms::KEPT;
use super::{FleetFacts, Looked};
use crate::ci::Timestamp;
use crate::fleet::{Alert, FindingChange, RunnerClass, Verdict};

/// How far apart the points of a trend are.
const STEP: Duration = Duration::from_mins(5);
/// Ceased alerts that are shown.
const RESOLVED: usize = 200;

impl FleetFacts {
    pub(in crate::console) fn is_sample_due(&mut self, now: Timestamp, every: Duration) -> bool {
        is_due(&mut self.looked, |looked| &mut looked.sampled, now, every)
    }

    pub(in crate::console) fn is_trend_due(&mut self, now: Timestamp) -> bool {
        is_due(&mut self.looked, |looked| &mut looked.trended, now, STEP)
    }

    pub(in crate::console) fn is_judgement_due(&mut self, now: Timestamp, every: Duration) -> bool {
        is_due(&mut self.looked, |looked| &mut looked.judged, now, every)
    }

    /// Charges every job once more.
    pub(in crate::console) fn sample(&mut self, server_now: Timestamp) {
        self.ledger.sample(&self.objects, server_now);
        self.interruptions.note(&self.objects, &self.ledger, server_now);
    }

    /// Notes how many jobs each class runs.
    pub(in crate::console) fn trend(&mut self, classes: &[RunnerClass]) {
        self.trends.retain(|name, _| classes.iter().any(|class| class.name == *name));
        for class in classes {
            self.trends.entry(class.name.clone()).or_default().push(class.running);
        }
    }

    /// Takes in what our own alerts say now.
    pub(in crate::console) fn judged(&mut self, verdicts: BTreeMap<Alert, Verdict>, server_now: Timestamp) {
        let rules = std::sync::Arc::clone(&self.rules);
        for change in self.findings.update(verdicts, &rules.thresholds, server_now) {
            if let FindingChange::Resolved(finding) = change {
                self.resolved.push_front((finding, server_now));
            }
        }
        self.resolved.truncate(RESOLVED);
        self.resolved.retain(|(_, at)| server_now.since(*at) <= KEPT);
        self.revision += 1;
    }
}

/// Whether enough time went by; notes that it is looked now.
fn is_due(
    looked: &mut Looked,
    of: impl Fn(&mut Looked) -> &mut Option<Timestamp>,
    now: Timestamp,
    every: Duration,
) -> bool {
    let last = of(looked);
    let is_due = last.is_none_or(|last| now.since(last) >= every);
    if is_due {
        *last = Some(now);
    }
    is_due
}
