//! Who did what: rows that are only ever added.

use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize};

use super::actions::{Object, Outcome, Plan, PlanId, Run, Target};
use crate::ci::{JobId, Timestamp};

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
    #[serde(default, deserialize_with = "answers")]
    pub answers: Vec<(Object, Outcome)>,
    #[serde(default)]
    pub skips: Vec<String>,
}

/// Rows of older versions name jobs by their number alone.
fn answers<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Vec<(Object, Outcome)>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Whose {
        Object(Object),
        Job(JobId),
    }
    let object = |whose| match whose {
        Whose::Object(object) => object,
        Whose::Job(id) => Object::Job(id),
    };
    let read = Vec::<(Whose, Outcome)>::deserialize(deserializer)?;
    Ok(read.into_iter().map(|(whose, outcome)| (object(whose), outcome)).collect())
}

/// One row.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
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
        detail.answers = run.outcomes.iter().map(|(object, outcome)| (object.clone(), outcome.clone())).collect();
        self.detail = Arc::new(detail);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_of_older_versions_name_jobs_by_number_and_are_still_read() {
        let old = r#"{"targets": [], "answers": [[5, {"outcome": "done", "new_job": 6}]], "skips": []}"#;
        let new = r#"{"targets": [], "answers": [[{"kind": "job", "id": 5}, {"outcome": "done", "new_job": 6}]]}"#;
        let read: AuditDetail = serde_json::from_str(old).unwrap();
        assert_eq!(read.answers, [(Object::Job(JobId(5)), Outcome::Done { new_job: Some(JobId(6)) })]);
        assert_eq!(serde_json::from_str::<AuditDetail>(new).unwrap(), read);
        assert_eq!(serde_json::from_str::<AuditDetail>(&serde_json::to_string(&read).unwrap()).unwrap(), read);
    }
}
