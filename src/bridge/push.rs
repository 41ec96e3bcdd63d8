//! Refspecs, and which of them go in one push.

use std::collections::HashSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::forge::{BranchName, Sha};

/// Branches or tags: both can start pipelines.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefKind {
    Branch,
    Tag,
}

impl RefKind {
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Branch => "refs/heads/",
            Self::Tag => "refs/tags/",
        }
    }
}

/// Where a ref has to be on GitLab for it to be pushed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Expects {
    /// Nowhere.
    Absent,
    /// Exactly there; it is overwritten.
    At(Sha),
    /// At an ancestor; git refuses everything else, and so nothing is overwritten.
    Ancestor,
}

/// One ref that is to be moved on GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefUpdate {
    pub kind: RefKind,
    pub name: BranchName,
    pub commit: Sha,
    pub expects: Expects,
}

impl RefUpdate {
    pub fn branch(name: &BranchName, commit: Sha, expects: Expects) -> Self {
        Self { kind: RefKind::Branch, name: name.clone(), commit, expects }
    }

    pub fn tag(name: &BranchName, target: Sha, expects: Expects) -> Self {
        Self { kind: RefKind::Tag, name: name.clone(), commit: target, expects }
    }

    /// The full name, the same in our repository and on GitLab.
    pub fn full_name(&self) -> String {
        format!("{}{}", self.kind.folder(), self.name)
    }

    /// Full names on both sides: nothing in a name can be an option, and nothing is ambiguous. Never with `+`: only the lease allows
    /// overwriting.
    pub fn refspec(&self) -> String {
        let name = self.full_name();
        format!("{name}:{name}")
    }

    /// The argument by which git compares before it overwrites; `None` where it may not overwrite at all.
    pub fn lease(&self) -> Option<String> {
        let name = self.full_name();
        match &self.expects {
            Expects::Absent => Some(format!("--force-with-lease={name}:")),
            Expects::At(sha) => Some(format!("--force-with-lease={name}:{sha}")),
            Expects::Ancestor => None,
        }
    }
}

impl fmt::Display for RefUpdate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} to {}", self.full_name(), self.commit.short())
    }
}

/// Fetches a protected branch from GitHub.
pub fn fetch_branch(name: &BranchName) -> String {
    format!("+refs/heads/{name}:refs/remotes/{name}")
}

/// Fetches a tag from GitHub.
pub fn fetch_tag(name: &BranchName) -> String {
    format!("+refs/tags/{name}:refs/tags/{name}")
}

/// What goes to GitLab in one command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PushBatch {
    pub refs: Vec<RefUpdate>,
}

impl PushBatch {
    /// Cuts updates into pushes, in their order, none with more refs than GitLab starts pipelines for. A ref that comes twice goes once.
    pub fn plan(updates: impl IntoIterator<Item = RefUpdate>, most: usize) -> Vec<Self> {
        let mut seen = HashSet::new();
        let updates: Vec<RefUpdate> =
            updates.into_iter().filter(|update| seen.insert((update.kind, update.name.clone()))).collect();
        updates.chunks(most.max(1)).map(|refs| Self { refs: refs.to_vec() }).collect()
    }

    /// Each ref in a push of its own: how to go on when git refused the whole command because of one of them.
    pub fn split(self) -> Vec<Self> {
        self.refs.into_iter().map(|update| Self { refs: vec![update] }).collect()
    }

    /// What `git push --porcelain` is told: options before the remote, refspecs after it.
    pub fn arguments(&self) -> (Vec<String>, Vec<String>) {
        (self.refs.iter().filter_map(RefUpdate::lease).collect(), self.refs.iter().map(RefUpdate::refspec).collect())
    }
}
