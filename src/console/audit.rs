//! Who did what: rows that are only ever added.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::actions::{Outcome, Plan, PlanId, Run, Target};
use crate::ci::Timestamp;

/// Where an action stands in one audit row.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AuditState {
    Held,
    Undone,
    Sent,
    Done,
    Skipped,
    Failed,
    Refused,
}

impl AuditState {
    /// Its word on screens and on disk.
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::Undone => "undone",
            Self::Sent => "sent",
            Self::Done => "done",
            Self::Skipped => "skipped",
            Self::Failed => "failed",
            Self::Refused => "refused",
        }
    }

    /// Reads the word back; `None` for a word of a newer version.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Held, Self::Undone, Self::Sent, Self::Done, Self::Skipped, Self::Failed, Self::Refused]
            .into_iter()
            .find(|s| s.word() == word)
    }
}

/// The exact ids, states seen and answers of an action.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct AuditDetail {
    pub targets: Vec<Target>,
    #[serde(default)]
    pub answers: Vec<(u64, Outcome)>,
    #[serde(default)]
    pub skips: Vec<String>,
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct AuditRow {
    /// By the server's clock.
    pub at: Timestamp,
    pub who: Arc<str>,
    /// The action's id in the registry: `jobs.retry`.
    pub action: Arc<str>,
    pub plan: PlanId,
    pub targets: usize,
    pub state: AuditState,
    pub summary: Arc<str>,
    pub detail: Arc<AuditDetail>,
}

impl AuditRow {
    /// A row about a plan.
    pub fn of(plan: &Plan, who: &Arc<str>, state: AuditState, summary: String, server_now: Timestamp) -> Self {
        let skips = plan.skip_reasons().into_iter().map(|(reason, n)| format!("{n} × {reason}")).collect();
        Self {
            at: server_now,
            who: Arc::clone(who),
            action: plan.verb.action().into(),
            plan: plan.id.clone(),
            targets: plan.targets.len(),
            state,
            summary: summary.into(),
            detail: Arc::new(AuditDetail { targets: plan.targets.clone(), answers: Vec::new(), skips }),
        }
    }

    /// Adds what became of each target.
    pub fn with_outcomes(mut self, run: &Run) -> Self {
        let mut detail = (*self.detail).clone();
        detail.answers = run
            .outcomes
            .iter()
            .map(|(object, outcome)| {
                let id = match object {
                    super::actions::Object::Job(id) => id.0,
                    super::actions::Object::Pipeline(id) => id.0,
                };
                (id, outcome.clone())
            })
            .collect();
        self.detail = Arc::new(detail);
        self
    }
}
