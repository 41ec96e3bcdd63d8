//! Judges failed jobs: the log goes through the rules as it arrives, and only the verdict is kept.

use std::sync::Arc;

use super::Hands;
use crate::console::event::Event;
use crate::console::fault::{Fault, FaultKind};
use crate::taxonomy::{Classifier, Failure, JobFacts};

impl Hands {
    /// Reads a log once and tells the verdict.
    pub(super) async fn judge(&self, failure: &Failure, facts: &JobFacts, web_url: Option<&str>) -> Result<(), Fault> {
        let mut classifier = Classifier::new(Arc::clone(&self.outside.rules.borrow()));
        match self.outside.gitlab.trace(failure.job, web_url).await {
            Ok(Some(mut trace)) => {
                while let Some(piece) = trace.next().await? {
                    classifier.feed(&piece);
                }
            }
            // What was erased will not come back: the verdict says that there is no log.
            Err(fault) if fault.kind != FaultKind::NotFound => return Err(fault),
            Ok(None) | Err(_) => {}
        }
        let failure = failure.clone().judged(&classifier.finish(facts));
        if let Ok(store) = &self.outside.store
            && let Err(error) = store.put_failures(std::slice::from_ref(&failure)).await
        {
            tracing::warn!(%error, "failure not stored");
        }
        self.say(Event::Judged(Arc::new(failure))).await;
        Ok(())
    }
}
