//! What one bridge is told to do: every number and name that its decisions depend on.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::forge::BranchName;

/// The settings of the bridge between one GitHub repository and one GitLab project.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rules {
    /// Pull requests into this branch wait until GitLab has tested what they branched off. None: nothing waits.
    pub main: Option<BranchName>,
    pub sync_drafts: bool,
    pub sync_protected: bool,
    pub sync_tags: bool,
    /// Check runs that must have succeeded, by name.
    pub prerequisites: Vec<Arc<str>>,
    /// Without this label nothing is pushed, and nothing is said about it.
    pub required_label: Option<Arc<str>>,
    /// With this label a pull request does not wait for main.
    pub urgent_label: Arc<str>,
    /// What nothing has happened to for longer is left alone.
    pub stale_after: Duration,
    pub post_statuses: bool,
    pub status_context: Arc<str>,
    /// Where it is explained why a pull request waits for main.
    pub deferral_document: Arc<str>,
    /// Merges a head again when main has moved on.
    pub refresh: bool,
    /// Protected branches whose history was rewritten on GitHub are rewritten on GitLab.
    pub force_protected: bool,
    /// Tags that were moved on GitHub are moved on GitLab.
    pub force_tags: bool,
    /// GitLab starts no pipeline for what one push brings beyond 4 branches, and tells nobody.
    pub refs_per_push: usize,
}

impl Default for Rules {
    /// As Spack's bridge for packages is set up.
    fn default() -> Self {
        Self {
            main: BranchName::parse("develop").ok(),
            sync_drafts: false,
            sync_protected: true,
            sync_tags: true,
            prerequisites: vec!["all-prechecks".into()],
            required_label: None,
            urgent_label: "pipelines:urgent".into(),
            stale_after: Duration::from_secs(48 * 3_600),
            post_statuses: true,
            status_context: "ci/gitlab-ci".into(),
            deferral_document: "https://github.com/spack/spack-infrastructure/blob/main/docs/deferred_pipelines.md"
                .into(),
            refresh: false,
            force_protected: false,
            force_tags: false,
            refs_per_push: 4,
        }
    }
}
