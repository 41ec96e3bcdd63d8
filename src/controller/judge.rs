//! Judges one failed job by its log. The log goes through the rules as it arrives; only the verdict is kept.

use std::sync::Arc;

use crate::adapters::gitlab::GitLab;
use crate::console::fault::{Fault, FaultKind};
use crate::taxonomy::{Classifier, Compiled, Failure, JobFacts};

/// Reads a log once and says why the job failed. A log that was erased is judged as one that is missing.
pub async fn judge(
    gitlab: &GitLab,
    rules: &Arc<Compiled>,
    failure: Failure,
    facts: &JobFacts,
    web_url: Option<&str>,
) -> Result<Failure, Fault> {
    let mut classifier = Classifier::new(Arc::clone(rules));
    match gitlab.trace(failure.job, web_url).await {
        Ok(Some(mut trace)) => {
            while let Some(piece) = trace.next().await? {
                classifier.feed(&piece);
            }
        }
        Err(fault) if fault.kind != FaultKind::NotFound => return Err(fault),
        Ok(None) | Err(_) => {}
    }
    Ok(failure.judged(&classifier.finish(facts)))
}
