//! Statuses of jobs and pipelines, and reasons of failure, as GitLab names them.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// A short word that GitLab sent and this version does not know; kept so that the screen can show it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Word {
    len: u8,
    bytes: [u8; 23],
}

impl Word {
    fn new(text: &str) -> Self {
        let mut bytes = [0; 23];
        let mut len = 0;
        for c in text.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '_').take(bytes.len()) {
            if let Some(slot) = bytes.get_mut(len) {
                *slot = c as u8;
                len += 1;
            }
        }
        Self { len: len as u8, bytes }
    }

    /// The word, cut to 23 characters and stripped of everything but letters, digits and `_`.
    pub fn as_str(&self) -> &str {
        self.bytes.get(..self.len as usize).and_then(|b| std::str::from_utf8(b).ok()).unwrap_or("unknown")
    }
}

impl fmt::Debug for Word {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// The status of a job or a pipeline. GitLab uses one vocabulary for both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Status {
    /// Waits for its needs.
    Created,
    WaitingForResource,
    Preparing,
    WaitingForCallback,
    /// Waits for a runner.
    Pending,
    Running,
    Success,
    Failed,
    /// Was asked to stop and still runs its clean-up.
    Canceling,
    Canceled,
    /// Will not run because something it needs failed.
    Skipped,
    /// Waits for a person.
    Manual,
    Scheduled,
    /// A word this version does not know. Never treated as an end or as a success.
    Unknown(Word),
}

impl Status {
    /// Every status this version knows.
    pub const KNOWN: [Self; 13] = [
        Self::Created,
        Self::WaitingForResource,
        Self::Preparing,
        Self::WaitingForCallback,
        Self::Pending,
        Self::Running,
        Self::Success,
        Self::Failed,
        Self::Canceling,
        Self::Canceled,
        Self::Skipped,
        Self::Manual,
        Self::Scheduled,
    ];

    /// Reads the lower-case word of REST or the upper-case one of GraphQL.
    pub fn parse(text: &str) -> Self {
        Self::KNOWN
            .into_iter()
            .find(|s| s.as_str().eq_ignore_ascii_case(text))
            .unwrap_or_else(|| Self::Unknown(Word::new(text)))
    }

    /// The REST word.
    pub fn as_str(&self) -> &str {
        match self {
            Self::Created => "created",
            Self::WaitingForResource => "waiting_for_resource",
            Self::Preparing => "preparing",
            Self::WaitingForCallback => "waiting_for_callback",
            Self::Pending => "pending",
            Self::Running => "running",
            Self::Success => "success",
            Self::Failed => "failed",
            Self::Canceling => "canceling",
            Self::Canceled => "canceled",
            Self::Skipped => "skipped",
            Self::Manual => "manual",
            Self::Scheduled => "scheduled",
            Self::Unknown(word) => word.as_str(),
        }
    }

    /// Nothing more will happen unless somebody acts.
    pub fn is_terminal(self) -> bool {
        matches!(self, Self::Success | Self::Failed | Self::Canceled | Self::Skipped)
    }

    /// GitLab moves it on by itself.
    pub fn is_alive(self) -> bool {
        !self.is_terminal() && !matches!(self, Self::Manual | Self::Scheduled | Self::Unknown(_))
    }

    /// Holds a runner, or is about to.
    pub fn is_active(self) -> bool {
        self.is_alive() && self != Self::Created
    }

    /// GitLab accepts a cancel in this status.
    pub fn is_cancelable(self) -> bool {
        (self.is_alive() || self == Self::Scheduled) && self != Self::Canceling
    }

    /// GitLab accepts a retry of a build in this status.
    pub fn is_retryable(self) -> bool {
        matches!(self, Self::Failed | Self::Canceled | Self::Success)
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Serialize for Status {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Status {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        std::borrow::Cow::<'de, str>::deserialize(deserializer).map(|text| Self::parse(&text))
    }
}

/// Who has to look at a failure, as far as GitLab's own reason tells. Source: GitLab `ci/build failure_reason`, 17.x–19.5.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReasonFamily {
    /// The job's own script said no.
    Script,
    /// A runner, its node or its executor.
    Runner,
    /// Waited or ran for too long.
    Timeout,
    /// Something the job needs is not there.
    Dependency,
    /// The pipeline or the project is set up wrongly.
    Configuration,
    /// GitLab itself.
    Server,
    /// A reason this version does not know.
    Unknown,
}

/// GitLab's `failure_reason`: a known word or a newer one.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct FailureReason(Arc<str>);

/// Reasons by family. GitLab 19 split `stuck_or_timeout_failure` and `job_execution_timeout`; old and new words live side by side.
const FAMILIES: &[(ReasonFamily, &[&str])] = &[
    (ReasonFamily::Script, &["script_failure", "trace_size_exceeded"]),
    (
        ReasonFamily::Runner,
        &[
            "runner_system_failure",
            "runner_unsupported",
            "runner_configuration_error",
            "runner_external_dependency_failure",
            "runner_interrupted",
            "no_matching_runner",
            "stuck_pending_no_matching_runners",
            "stuck_pending_with_matching_runners",
            "job_router_failure",
        ],
    ),
    (
        ReasonFamily::Timeout,
        &[
            "stuck_or_timeout_failure",
            "job_execution_timeout",
            "job_execution_server_timeout",
            "no_updates_running",
            "no_updates_canceling",
            "server_timeout_running",
            "server_timeout_canceling",
            "stale_schedule",
        ],
    ),
    (
        ReasonFamily::Dependency,
        &["missing_dependency_failure", "unmet_prerequisites", "archived_failure", "environment_creation_failure"],
    ),
    (
        ReasonFamily::Configuration,
        &[
            "forward_deployment_failure",
            "failed_outdated_deployment_job",
            "deployment_rejected",
            "user_blocked",
            "project_deleted",
            "ci_quota_exceeded",
            "pipeline_loop_detected",
            "builds_disabled",
            "protected_environment_failure",
            "insufficient_bridge_permissions",
            "downstream_bridge_project_not_found",
            "invalid_bridge_trigger",
            "upstream_bridge_project_not_found",
            "insufficient_upstream_permissions",
            "bridge_pipeline_is_child_pipeline",
            "downstream_pipeline_creation_failed",
            "downstream_project_trigger_resolved_to_empty",
            "secrets_provider_not_found",
            "reached_max_descendant_pipelines_depth",
            "reached_max_pipeline_hierarchy_size",
            "reached_downstream_pipeline_trigger_rate_limit",
            "ip_restriction_failure",
            "duo_workflow_not_allowed",
            "job_token_expired",
            "id_token_burned_project_path",
        ],
    ),
    (ReasonFamily::Server, &["api_failure", "scheduler_failure", "data_integrity_failure", "unknown_failure"]),
];

impl FailureReason {
    /// Keeps GitLab's word.
    pub fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// GitLab's word.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The family of a known word; `Unknown` for one this version has not heard of.
    pub fn family(&self) -> ReasonFamily {
        FAMILIES
            .iter()
            .find(|(_, words)| words.contains(&self.as_str()))
            .map_or(ReasonFamily::Unknown, |(family, _)| *family)
    }
}

impl fmt::Display for FailureReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_parse_and_unknown_words_survive() {
        assert_eq!(Status::parse("WAITING_FOR_RESOURCE"), Status::WaitingForResource);
        let odd = Status::parse("quantum_\u{1b}[31mpending_and_a_very_long_tail");
        assert_eq!(odd.as_str(), "quantum_31mpending_and_");
        assert!(!odd.is_terminal() && !odd.is_alive() && !odd.is_cancelable());
    }

    #[test]
    fn life_cycle_predicates_follow_gitlab() {
        let names = |f: fn(Status) -> bool| {
            Status::KNOWN.into_iter().filter(|s| f(*s)).map(|s| s.to_string()).collect::<Vec<_>>().join(" ")
        };
        assert_eq!(names(Status::is_terminal), "success failed canceled skipped");
        assert_eq!(
            names(Status::is_cancelable),
            "created waiting_for_resource preparing waiting_for_callback pending running scheduled"
        );
    }

    #[test]
    fn reasons_old_and_new_have_a_family() {
        for (word, family) in [
            ("stuck_or_timeout_failure", ReasonFamily::Timeout),
            ("no_updates_running", ReasonFamily::Timeout),
            ("runner_interrupted", ReasonFamily::Runner),
            ("script_failure", ReasonFamily::Script),
            ("a_word_of_gitlab_21", ReasonFamily::Unknown),
        ] {
            assert_eq!(FailureReason::new(word).family(), family, "{word}");
        }
    }
}
