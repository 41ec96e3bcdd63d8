//! What each piece of news changes. A change of an object costs in proportion to that change.

use std::sync::Arc;
use std::time::Duration;

use super::{Change, FleetFacts, News, Source};
use crate::ci::Timestamp;
use crate::fleet::{Kind, Object, Uid, Usage};

/// Uses that nothing was added to for so long are of the past.
const PASSED: Duration = Duration::from_mins(15);

impl FleetFacts {
    /// Takes in what a source tells. Objects carry the time of their server.
    pub(in crate::console) fn take(&mut self, news: &News, now: Timestamp, server_now: Timestamp) {
        self.revision += 1;
        match news {
            News::Changed { source, changes } => {
                for change in changes {
                    self.change(*source, change);
                }
                if *source == Source::Events {
                    self.objects.forget_events(server_now);
                    self.interruptions.note(&self.objects, &self.ledger, server_now);
                }
            }
            News::Seen { source, state } => {
                // What is not configured here is told by mistake.
                if let Some(facts) = self.sources.get_mut(source) {
                    facts.state = state.clone();
                    facts.asked_since.get_or_insert(now);
                }
            }
            News::Runners(runners) => self.objects.set_runners(runners.iter().cloned()),
            News::Prices(prices) => {
                for (offer, price) in prices {
                    self.objects.prices.set(offer.clone(), *price);
                }
            }
            News::Metrics(metrics) => self.metrics = metrics.clone(),
            News::Uses(told) => self.take_uses(told),
            News::Alerts { alerts, silences } => {
                self.told.clone_from(alerts);
                self.silences.clone_from(silences);
            }
        }
    }

    fn change(&mut self, source: Source, change: &Change) {
        match change {
            Change::Put(object) => {
                if let Object::Pod(pod) = object {
                    self.uncount(&pod.uid);
                    self.counts.add(pod);
                    self.outcomes.note_pod(pod);
                }
                self.objects.upsert(object.clone());
            }
            Change::Gone(kind, uid) => self.forget(*kind, uid),
            Change::Listed { seen } => {
                let Some(kind) = source.kind() else { return };
                let namespace = match source {
                    Source::Pods => Some(Arc::clone(&self.rules.namespace)),
                    Source::Managers => Some(Arc::clone(&self.rules.manager_namespace)),
                    _ => None,
                };
                for uid in self.objects.not_among(kind, namespace.as_deref(), seen) {
                    self.forget(kind, &uid);
                }
                // Of managers nothing follows for the pods of jobs.
                if source != Source::Managers {
                    self.objects.set_known(kind, true);
                }
            }
            Change::Unreadable(is_some) => {
                if let Some(kind) = source.kind().filter(|_| source != Source::Managers) {
                    self.objects.set_known(kind, !is_some);
                }
            }
        }
    }

    fn forget(&mut self, kind: Kind, uid: &Uid) {
        if kind == Kind::Pod {
            self.uncount(uid);
            if let Some(pod) = self.objects.pod(uid) {
                self.uses.remove(&pod.name);
            }
        }
        self.objects.delete(kind, uid);
    }

    fn take_uses(&mut self, told: &[(Arc<str>, Usage)]) {
        for (pod, usage) in told {
            self.uses.entry(pod.clone()).or_default().push(*usage);
        }
        // Series of pods that are gone end.
        let Some(newest) = told.iter().map(|(_, usage)| usage.at).max() else { return };
        self.uses.retain(|_, uses| uses.last().is_some_and(|last| newest.since(last.at) <= PASSED));
    }

    fn uncount(&mut self, uid: &Uid) {
        if let Some(pod) = self.objects.pod(uid) {
            self.counts.remove(pod);
        }
    }
}
