//! Statuses of commits: the line that GitHub shows beside a pull request.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// GitHub takes no longer description.
const MOST: usize = 140;

/// The state of a commit status.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CommitState {
    Pending,
    Success,
    /// What was tested is wrong.
    Failure,
    /// The test itself failed.
    Error,
}

impl CommitState {
    /// GitHub's word.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }

    /// Nothing further is expected.
    pub const fn is_end(self) -> bool {
        !matches!(self, Self::Pending)
    }
}

impl fmt::Display for CommitState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What one context says about a commit.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CommitStatus {
    /// GitHub does not tell upper from lower case in it.
    pub context: Arc<str>,
    pub state: CommitState,
    pub description: Arc<str>,
    /// None and the empty text are the same.
    pub target_url: Option<Arc<str>>,
}

impl CommitStatus {
    /// A status that GitHub accepts: a description that is too long ends in an ellipsis.
    pub fn new(context: &str, state: CommitState, description: &str, target_url: Option<&str>) -> Self {
        let description = match description.char_indices().nth(MOST) {
            None => description.into(),
            Some(_) => description.chars().take(MOST - 1).chain(['…']).collect::<String>().into(),
        };
        let target_url = target_url.filter(|url| !url.is_empty()).map(Arc::from);
        Self { context: context.into(), state, description, target_url }
    }

    fn url(&self) -> &str {
        self.target_url.as_deref().unwrap_or_default()
    }
}

impl PartialEq for CommitStatus {
    /// As GitHub compares them.
    fn eq(&self, other: &Self) -> bool {
        self.context.eq_ignore_ascii_case(&other.context)
            && (self.state, &self.description, self.url()) == (other.state, &other.description, other.url())
    }
}

impl Eq for CommitStatus {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_empty_url_is_none_and_case_of_the_context_is_nothing() {
        let status = |context, url| CommitStatus::new(context, CommitState::Pending, "x", url);
        assert_eq!(status("ci/gitlab-ci", None), status("CI/GitLab-CI", Some("")));
        assert_ne!(status("ci/gitlab-ci", None), status("ci/gitlab-ci", Some("https://gitlab.spack.io/1")));
        let stored: CommitStatus =
            serde_json::from_str(r#"{"context":"a","state":"pending","description":"x","target_url":""}"#).unwrap();
        assert_eq!(stored, status("a", None));
    }

    #[test]
    fn a_long_description_is_cut_between_characters() {
        let of = |text: &str| CommitStatus::new("a", CommitState::Error, text, None).description.to_string();
        assert_eq!(of(&"ü".repeat(140)), "ü".repeat(140));
        assert_eq!(of(&"ü".repeat(141)), format!("{}…", "ü".repeat(139)));
    }
}
