//! Reads the failures of the last days from GitLab, page by page, and judges those that nobody has judged yet. What was read is kept, so that
//! the next time goes on from there.

use std::sync::Arc;

use crate::adapters::gitlab::GitLab;
use crate::adapters::store::{Store, StoreError};
use crate::ci::JobId;
use crate::console::backfill::{Answer, Backfill, Stalled, Step, Wanted};
use crate::console::failures::LIST;
use crate::console::fault::Fault;
use crate::taxonomy::{Compiled, Failure, JobFacts};

use super::judge;

/// What a reading came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Filled {
    pub pages: u32,
    /// Jobs whose logs were judged.
    pub judged: u32,
    /// All that was wanted is known.
    pub whole: bool,
}

/// Why a reading ended early. What was read by then is kept.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    #[error(transparent)]
    Remote(#[from] Fault),
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Stalled(#[from] Stalled),
}

/// Reads what is not known yet, with at most so many requests; each page and each log is one. `told` hears how far it is.
pub async fn fill(
    gitlab: &GitLab,
    store: &Store,
    rules: &Arc<Compiled>,
    wanted: Wanted,
    requests: u32,
    mut told: impl FnMut(Filled, &Backfill),
) -> Result<Filled, FillError> {
    let mut plan = Backfill::new(store.covered(LIST).await?, wanted, requests);
    let mut filled = Filled::default();
    let mut left = requests;
    loop {
        told(filled, &plan);
        let ask = match plan.step() {
            Step::Ask(ask) => ask,
            Step::OutOfBudget => return Ok(filled),
            Step::Done => return Ok(Filled { whole: true, ..filled }),
        };
        left = left.saturating_sub(1);
        let page = gitlab.failed_jobs_page(ask.page.as_deref()).await?;
        filled.pages += 1;
        let ids: Vec<JobId> = page.jobs.iter().map(|(job, _)| job.id).collect();
        let judged = store.judged(&ids).await?;
        let created = page.jobs.iter().filter_map(|(job, _)| job.created_at);
        let oldest = created.min();
        for (job, home) in page.jobs.iter().filter(|(job, _)| !judged.contains_key(&job.id)) {
            let inside = job.created_at.is_none_or(|at| ask.from <= at && at < ask.to);
            if !inside {
                continue;
            }
            let Some(rest) = left.checked_sub(1) else { return Ok(filled) };
            left = rest;
            let failure = Failure::of(job, home, wanted.now);
            let failure = judge(gitlab, rules, failure, &JobFacts::of(job), job.web_url.as_deref()).await?;
            store.put_failures(&[failure]).await?;
            filled.judged += 1;
            told(filled, &plan);
        }
        if let Some(covered) = plan.answered(&ask, Answer { oldest, next: page.next })? {
            store.add_covered(LIST, covered).await?;
        }
    }
}
