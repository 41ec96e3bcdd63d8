//! One thing that is done, between its two rows of the audit.

use std::sync::Arc;

use super::{Outside, local};
use crate::ci::PipelineId;
use crate::console::actions::{Object, Outcome, PlanId, Target};
use crate::console::audit::{AuditDetail, AuditRow, AuditState};
use crate::console::fault::Fault;
use crate::console::text::clean;

/// What is about to be done.
pub(super) struct Deed {
    /// The duty that does it: who acts, in the audit.
    pub who: &'static str,
    /// As in the registry: `pipelines.start`.
    pub action: &'static str,
    pub object: Object,
    pub pipeline: Option<PipelineId>,
    pub name: Arc<str>,
    /// As it was seen just now.
    pub status: Arc<str>,
    pub tries: u32,
    /// What is done and why, in a line.
    pub summary: String,
    /// The plan that it is part of, if people made one.
    pub plan: Option<PlanId>,
}

impl Outside {
    /// Does it. Its row is on disk before anything is sent; another one tells what it came to.
    pub(super) async fn perform(&self, deed: Deed, send: impl Future<Output = Outcome>) -> Result<Outcome, Fault> {
        let at = self.gitlab.server_now().await?;
        let plan = deed.plan.unwrap_or_else(|| PlanId::of(deed.action, [&deed.object], at));
        let target = Target {
            object: deed.object.clone(),
            pipeline: deed.pipeline,
            name: deed.name,
            status: deed.status,
            tries: deed.tries,
            cause: "".into(),
        };
        let mut row = AuditRow {
            at,
            who: deed.who.into(),
            action: deed.action.into(),
            plan,
            targets: 1,
            state: AuditState::Sent,
            summary: clean(&deed.summary).into(),
            detail: Arc::new(AuditDetail { targets: vec![target.clone()], ..AuditDetail::default() }),
        };
        self.store.append(&row).await.map_err(|error| local(&error))?;
        let outcome = send.await;
        tracing::info!(who = deed.who, action = deed.action, object = %deed.object, outcome = outcome.word(), "acted");
        row.at = self.gitlab.server_now().await?;
        row.state = match &outcome {
            Outcome::Done { .. } => AuditState::Done,
            Outcome::Skipped { .. } => AuditState::Skipped,
            Outcome::Failed { .. } | Outcome::Uncertain { .. } => AuditState::Failed,
        };
        let answers = vec![(deed.object, outcome.clone())];
        row.detail = Arc::new(AuditDetail { targets: vec![target], answers, skips: Vec::new() });
        self.store.append(&row).await.map_err(|error| local(&error))?;
        Ok(outcome)
    }
}
