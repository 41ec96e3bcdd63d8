//! What the end of a read means for the facts that it was about: how fresh they are, and what went wrong.

use super::{LogFacts, Needs, World};
use crate::ci::Timestamp;
use crate::console::effect::Fetch;
use crate::console::fault::{Fault, FaultKind};
use crate::console::fresh::Completeness;
use crate::console::log::LogState;
use crate::console::messages::Level;

impl World {
    pub(super) fn fetched(&mut self, fetch: Fetch, at: Timestamp, result: Result<(), Fault>, now: Timestamp) {
        self.polling.ended(fetch, at, result.as_ref().copied(), now);
        self.note_round(fetch, at, result.as_ref().copied(), now);
        if fetch == Fetch::Caches {
            self.caches.listing = None;
        }
        let Err(fault) = result else {
            if fetch == Fetch::Caches {
                self.caches.roots.read(at, Completeness::Whole);
            }
            if let Fetch::Log(job) = fetch {
                let over = self.job(job).is_some_and(|j| j.status.is_terminal());
                if let Some(log) = self.log_mut(job) {
                    log.error = None;
                    log.read_at = Some(at);
                    log.doc.set_state(if over { LogState::Complete } else { LogState::Growing });
                }
            }
            return;
        };
        let news = match fetch {
            Fetch::Pipelines => {
                let news = self.pipelines.error.as_ref().map(|e| &e.kind) != Some(&fault.kind);
                self.pipelines.failed(fault.clone());
                news
            }
            Fetch::TriggerJobs(id) | Fetch::Jobs(id) => {
                if let Some(facts) = self.pipelines.value.get_mut(&id) {
                    facts.jobs.failed(fault.clone());
                    if fault.kind == FaultKind::NotFound {
                        facts.gone_at = Some(now);
                    }
                }
                false
            }
            Fetch::Needs(id) => {
                if let Some(facts) = self.pipelines.value.get_mut(&id)
                    && !matches!(facts.needs, Needs::Known { .. })
                {
                    facts.needs = Needs::Absent(fault.clone());
                }
                false
            }
            Fetch::Report(id) => {
                if let Some(facts) = self.pipelines.value.get_mut(&id) {
                    facts.report.failed(fault.clone());
                }
                false
            }
            Fetch::FailureReasons | Fetch::Verdict(_) => true,
            Fetch::Caches => {
                let news = self.caches.roots.error.as_ref() != Some(&fault);
                self.caches.roots.failed(fault.clone());
                news
            }
            Fetch::Cache(root) => {
                if let Some(facts) = self.caches.roots.value.get_mut(&root) {
                    facts.inside.failed(fault.clone());
                }
                false
            }
            Fetch::Signature(root, hash) => {
                if let Some(facts) = self.caches.roots.value.get_mut(&root) {
                    facts.signatures.entry(hash).or_default().failed(fault.clone());
                }
                false
            }
            Fetch::History => {
                self.history.failed(fault.clone());
                false
            }
            Fetch::Board | Fetch::Story(_) => {
                self.board.failed(fault.clone());
                false
            }
            Fetch::Log(job) => match self.log_mut(job) {
                Some(LogFacts { doc, error, .. }) => {
                    if fault.kind == FaultKind::NotFound {
                        doc.set_state(LogState::Gone);
                    }
                    error.replace(fault.clone()).is_none()
                }
                None => false,
            },
        };
        if news {
            self.messages.say(Level::Error, format!("{fault}; {}", fault.remedy(now)), now);
        }
    }
}
