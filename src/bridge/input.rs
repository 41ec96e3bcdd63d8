//! What is known about one pull request, one protected branch, one tag, when it is decided about.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{Looked, Trouble};
use crate::ci::Timestamp;
use crate::forge::{PrNumber, PullRequest, Sha};

/// A pull request with everything that its decision rests on. Facts about git are asked for one after the other, as decisions want them.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PrInput {
    pub pr: PullRequest,
    /// Its branch on GitLab; `Found(None)`: there is none.
    pub branch: Looked<Option<OnGitLab>>,
    pub ancestry: Looked<Ancestry>,
    pub merge: Looked<Merge>,
    pub test_merge: Looked<TestMerge>,
    /// How pushing its head failed before.
    pub trouble: Option<Trouble>,
    /// Somebody asked for this head to be pushed, whatever held it up and even if it was.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub asked: bool,
}

impl PrInput {
    /// A pull request about which git was not asked anything.
    pub fn new(pr: PullRequest, branch: Looked<Option<OnGitLab>>) -> Self {
        let (ancestry, merge, test_merge) = (Looked::NotYet, Looked::NotYet, Looked::NotYet);
        Self { pr, branch, ancestry, merge, test_merge, trouble: None, asked: false }
    }
}

/// What a branch on GitLab points to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnGitLab {
    pub commit: Sha,
    /// None when it is no UTF-8, and so not one of ours.
    pub subject: Option<Arc<str>>,
}

/// How a head lies to the tested commit of main. It may be kept for later passes, unless another head was fetched than was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Ancestry {
    /// The head that the API told.
    pub asked: Sha,
    /// The head that git has.
    pub fetched: Sha,
    /// The tested commit that it was compared with.
    pub onto: Sha,
    /// Where the head branched off main; none without common history.
    pub merge_base: Option<Sha>,
    /// The tested commit has the merge base in its history.
    pub base_is_tested: bool,
}

/// What merging a head into a commit came to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Merge {
    pub head: Sha,
    pub onto: Sha,
    /// None: they conflict. That is an answer, not a failure, and is not asked for again.
    pub commit: Option<Sha>,
}

/// GitHub's own merge, as it was fetched. It may be kept for later passes, unless it is another one than was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestMerge {
    /// The one that the API told.
    pub asked: Sha,
    /// The one that git has.
    pub fetched: Sha,
    /// Its second parent.
    pub head: Sha,
    /// Its first parent.
    pub onto: Sha,
}

/// A push of a pull request that GitLab accepted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushRecord {
    pub pr: PrNumber,
    pub head: Sha,
    /// The branch that it was to be merged into.
    pub base_ref: Arc<str>,
    /// What it was merged into.
    pub onto: Sha,
    /// The merge, which GitLab tests.
    pub commit: Sha,
    pub at: Timestamp,
}

/// A protected branch of GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchInput {
    pub name: Arc<str>,
    pub head: Sha,
    /// Where it is on GitLab; `Found(None)`: there is none.
    pub on_gitlab: Looked<Option<Sha>>,
    /// Whether GitHub's history has GitLab's commit. Asked for only when they differ.
    pub is_ahead: Looked<bool>,
    pub trouble: Option<Trouble>,
}

/// A tag of GitHub.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TagInput {
    pub name: Arc<str>,
    /// The tag object, or the commit of a light-weight tag.
    pub target: Sha,
    pub on_gitlab: Looked<Option<Sha>>,
    pub trouble: Option<Trouble>,
}
