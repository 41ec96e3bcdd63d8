//! What is decided about a pull request, and why: every reason with its word, its sentence and what GitHub is told.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Rules;
use crate::ci::Timestamp;
use crate::forge::{BadName, CommitState, CommitStatus, Sha};

/// What happens to something on GitHub.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It goes to GitLab.
    Push,
    /// GitLab has it already.
    Pushed,
    /// Not now; it is looked at again in every pass.
    Wait,
    /// It cannot go, until somebody changes it.
    Refuse,
    /// Git or an API has to be asked first.
    Look,
}

impl Verdict {
    /// A word for JSON and for filters.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Pushed => "pushed",
            Self::Wait => "wait",
            Self::Refuse => "refuse",
            Self::Look => "look",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// A fact that a decision has to wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Want {
    /// Fetch the head, and find out how it lies to the tested commit.
    Ancestry { head: Sha, onto: Sha },
    /// Merge the head into the tested commit.
    Merge { head: Sha, onto: Sha },
    /// Fetch GitHub's own merge.
    TestMerge { commit: Sha },
    /// Whether the newer commit has the older one in its history.
    FastForward { old: Sha, new: Sha },
}

/// Why a pull request goes to GitLab, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// GitLab has no branch for it.
    FirstPush,
    /// GitLab has another head of it.
    NewHead,
    /// The same head is now to be merged into another branch.
    Retargeted {
        from: Arc<str>,
        to: Arc<str>,
    },
    /// The same head is merged into a newer tested commit.
    Refresh {
        onto: Sha,
    },
    AlreadyPushed,
    Draft,
    Stale {
        since: Timestamp,
    },
    /// A prerequisite has not succeeded, or has not run at all.
    Check(Arc<str>),
    MissingLabel(Arc<str>),
    /// Git has another head than the API told: somebody pushed in between.
    OutOfSync {
        fetched: Sha,
        told: Sha,
    },
    /// It branched off main after the last commit that GitLab tested.
    BaseTooNew {
        main: Arc<str>,
        tested: Sha,
    },
    NothingTested {
        main: Arc<str>,
    },
    /// GitHub's own merge is not the one that the API told of.
    OldTestMerge {
        fetched: Sha,
        told: Sha,
    },
    /// GitHub has not found out yet whether it can be merged.
    MergeabilityUnknown,
    ChecksUnknown(Arc<str>),
    LabelsUnknown,
    GitLabUnknown(Arc<str>),
    MainUnknown(Arc<str>),
    /// Git failed in a way that passes.
    GitFailed(Arc<str>),
    /// Pushing it failed, and it is left alone for a while.
    BackOff {
        until: Timestamp,
        tries: u32,
        why: Arc<str>,
    },
    /// It conflicts with the tested commit of main.
    Conflict {
        with: Arc<str>,
    },
    /// It has no history in common with main.
    Unrelated {
        with: Arc<str>,
    },
    /// It conflicts with the branch that it is to be merged into, says GitHub.
    GitHubConflict,
    CheckoutFailed(Arc<str>),
    BadName(BadName),
    /// A branch of its name would be a protected one on GitLab.
    ProtectedName(Arc<str>),
    Closed,
    Merged,
    Look(Want),
}

impl Reason {
    /// What follows from it.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::FirstPush | Self::NewHead | Self::Retargeted { .. } | Self::Refresh { .. } => Verdict::Push,
            Self::AlreadyPushed => Verdict::Pushed,
            Self::Conflict { .. }
            | Self::Unrelated { .. }
            | Self::GitHubConflict
            | Self::CheckoutFailed(_)
            | Self::BadName(_)
            | Self::ProtectedName(_)
            | Self::Closed
            | Self::Merged => Verdict::Refuse,
            Self::Look(_) => Verdict::Look,
            _ => Verdict::Wait,
        }
    }

    /// Whether nothing is expected of the bridge until its author goes on.
    pub const fn is_idle(&self) -> bool {
        matches!(self, Self::Draft | Self::Stale { .. } | Self::MissingLabel(_))
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::FirstPush => "first_push",
            Self::NewHead => "new_head",
            Self::Retargeted { .. } => "retargeted",
            Self::Refresh { .. } => "refresh",
            Self::AlreadyPushed => "already_pushed",
            Self::Draft => "draft",
            Self::Stale { .. } => "stale",
            Self::Check(_) => "check",
            Self::MissingLabel(_) => "missing_label",
            Self::OutOfSync { .. } => "out_of_sync",
            Self::BaseTooNew { .. } => "base_too_new",
            Self::NothingTested { .. } => "nothing_tested",
            Self::OldTestMerge { .. } => "old_test_merge",
            Self::MergeabilityUnknown => "mergeability_unknown",
            Self::ChecksUnknown(_) => "checks_unknown",
            Self::LabelsUnknown => "labels_unknown",
            Self::GitLabUnknown(_) => "gitlab_unknown",
            Self::MainUnknown(_) => "main_unknown",
            Self::GitFailed(_) => "git_failed",
            Self::BackOff { .. } => "back_off",
            Self::Conflict { .. } => "conflict",
            Self::Unrelated { .. } => "unrelated",
            Self::GitHubConflict => "github_conflict",
            Self::CheckoutFailed(_) => "checkout_failed",
            Self::BadName(_) => "bad_name",
            Self::ProtectedName(_) => "protected_name",
            Self::Closed => "closed",
            Self::Merged => "merged",
            Self::Look(_) => "look",
        }
    }

    /// What GitHub is told about the head; `None` where nothing is, on purpose or because it would be no news.
    pub fn status(&self, rules: &Rules) -> Option<CommitStatus> {
        let (state, url) = match self {
            Self::Draft | Self::Check(_) | Self::OutOfSync { .. } | Self::NothingTested { .. } => {
                (CommitState::Pending, None)
            }
            Self::BaseTooNew { .. } => (CommitState::Pending, Some(&*rules.deferral_document)),
            Self::Conflict { .. } | Self::Unrelated { .. } | Self::GitHubConflict | Self::CheckoutFailed(_) => {
                (CommitState::Error, None)
            }
            _ => return None,
        };
        let description = match self {
            // Why exactly is for the people who run the bridge.
            Self::CheckoutFailed(_) => "GitLab failed to checkout this branch".to_owned(),
            told => told.to_string(),
        };
        Some(CommitStatus::new(&rules.status_context, state, &description, url))
    }
}

impl fmt::Display for Reason {
    /// One sentence; where GitHub is told something, the very text.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::FirstPush => f.write_str("GitLab has no branch for it"),
            Self::NewHead => f.write_str("it has a new head"),
            Self::Retargeted { from, to } => write!(f, "it is to be merged into {to}, no longer into {from}"),
            Self::Refresh { onto } => write!(f, "its head is merged again, into {}", onto.short()),
            Self::AlreadyPushed => f.write_str("GitLab has this head"),
            Self::Draft => f.write_str("GitLab CI is disabled for draft PRs"),
            Self::Stale { since } => write!(f, "nothing has happened since {since}"),
            Self::Check(name) => write!(f, "waiting for {name} check to succeed"),
            Self::MissingLabel(label) => write!(f, "it does not carry the label {label}"),
            Self::OutOfSync { fetched, told } => {
                write!(f, "GitHub HEAD shas out of sync (repo={}, API={})", fetched.short(), told.short())
            }
            Self::BaseTooNew { main, .. } => {
                write!(f, "This branch's merge-base with {main} is newer than the latest commit tested by GitLab")
            }
            Self::NothingTested { main } => write!(f, "No commit of {main} has been tested by GitLab yet"),
            Self::OldTestMerge { fetched, told } => {
                write!(f, "GitHub's own merge is {}, but the API tells of {}", fetched.short(), told.short())
            }
            Self::MergeabilityUnknown => f.write_str("GitHub has not found out yet whether it can be merged"),
            Self::ChecksUnknown(name) => write!(f, "not all of its checks were listed, and {name} is not among them"),
            Self::LabelsUnknown => f.write_str("not all of its labels were listed"),
            Self::GitLabUnknown(why) => write!(f, "what GitLab has of it is not known: {why}"),
            Self::MainUnknown(why) => write!(f, "which commit of main GitLab tested is not known: {why}"),
            Self::GitFailed(why) => write!(f, "git failed, and is tried again: {why}"),
            Self::BackOff { until, tries, why } => {
                write!(f, "it failed {tries} times and is left alone until {until}: {why}")
            }
            Self::Conflict { with } => write!(f, "PR could not be merged with {with}"),
            Self::Unrelated { with } => write!(f, "PR has no history in common with {with}"),
            Self::GitHubConflict => f.write_str("merge conflicts with target branch"),
            Self::CheckoutFailed(why) => write!(f, "GitLab failed to checkout this branch: {why}"),
            Self::BadName(why) => write!(f, "git takes no branch of its name: {why}"),
            Self::ProtectedName(pattern) => write!(f, "its branch would be protected on GitLab by `{pattern}`"),
            Self::Closed => f.write_str("it was closed"),
            Self::Merged => f.write_str("it was merged"),
            Self::Look(want) => want.fmt(f),
        }
    }
}

impl fmt::Display for Want {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ancestry { head, onto } => {
                write!(f, "how {} lies to {} has to be looked up", head.short(), onto.short())
            }
            Self::Merge { head, onto } => write!(f, "{} has to be merged into {}", head.short(), onto.short()),
            Self::TestMerge { commit } => write!(f, "GitHub's own merge {} has to be fetched", commit.short()),
            Self::FastForward { old, new } => {
                write!(f, "whether {} follows {} has to be looked up", new.short(), old.short())
            }
        }
    }
}
