//! Pull requests.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{CheckRun, Items, Sha};
use crate::ci::Timestamp;

/// The number of a pull request in its repository.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PrNumber(pub u64);

impl fmt::Display for PrNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Whether it can still be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PrState {
    Open,
    Closed,
    Merged,
}

/// What GitHub found when it tried to merge it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mergeable {
    Yes,
    Conflicting,
    /// GitHub has not tried yet, or answered with a word that this version does not know.
    Unknown,
}

/// One pull request as GitHub last described it. Everything in it was written by strangers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PullRequest {
    pub number: PrNumber,
    /// For people; nothing is decided by it.
    #[serde(default)]
    pub title: Arc<str>,
    pub state: PrState,
    pub is_draft: bool,
    pub head: Sha,
    /// The branch in the author's repository; not yet known to be a name that git takes.
    pub head_ref: Arc<str>,
    /// None when the author's fork was deleted. Its commits remain under `refs/pull/<number>/head`.
    pub head_repo: Option<Arc<str>>,
    /// The branch that it is to be merged into.
    pub base_ref: Arc<str>,
    /// A check that ends does not touch it.
    pub updated_at: Timestamp,
    /// When the head came, as far as that is known.
    pub pushed_at: Option<Timestamp>,
    /// When a label was last added or taken away, as far as that is known.
    pub labelled_at: Option<Timestamp>,
    pub labels: Items<Arc<str>>,
    pub mergeable: Mergeable,
    /// GitHub's own merge into the base, `refs/pull/<number>/merge`.
    pub test_merge: Option<Sha>,
    /// The newest runs on the head, in GitHub's order.
    pub checks: Items<CheckRun>,
}

impl PullRequest {
    /// When something last happened to it: the request itself, its head, its labels or its checks.
    pub fn touched_at(&self) -> Timestamp {
        let checks = self.checks.listed.iter().filter_map(|run| run.completed_at);
        let known = [self.pushed_at, self.labelled_at].into_iter().flatten();
        checks.chain(known).fold(self.updated_at, Ord::max)
    }

    /// Whether it carries a label; `None` when not all of its labels were listed.
    pub fn has_label(&self, label: &str) -> Option<bool> {
        self.labels.has(|one| &**one == label)
    }
}
