//! Branches and commits of the repository on GitLab.

use std::sync::Arc;

use serde::Deserialize;

use super::super::client::GitLab;
use super::super::route::Route;
use super::super::wire::moment;
use super::Read;
use crate::bridge::OnGitLab;
use crate::bridge::companions::stale::GitLabBranch;
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{BranchName, Sha};

/// From this length on GitLab cuts titles.
const TITLE: usize = 100;

/// A branch with the commit that it points to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BranchSeen {
    pub name: Arc<str>,
    pub commit: Sha,
    /// The first line of its message; none when GitLab told none.
    pub subject: Option<Arc<str>>,
    pub committed_at: Option<Timestamp>,
    /// None when GitLab did not tell.
    pub is_protected: Option<bool>,
}

impl BranchSeen {
    /// As decisions about pull requests want it.
    pub fn on_gitlab(&self) -> OnGitLab {
        OnGitLab { commit: self.commit.clone(), subject: self.subject.clone() }
    }

    /// As plans about old branches want it.
    pub fn for_stale(&self) -> GitLabBranch {
        GitLabBranch {
            name: self.name.clone(),
            commit: self.commit.clone(),
            committed_at: self.committed_at,
            is_protected: self.is_protected,
        }
    }
}

#[derive(Deserialize)]
struct WireBranch {
    name: Option<String>,
    commit: Option<WireCommit>,
    protected: Option<bool>,
}

#[derive(Deserialize)]
struct WireCommit {
    id: Option<String>,
    title: Option<String>,
    message: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    committed_date: Option<Timestamp>,
}

#[derive(Deserialize)]
struct WireProtected {
    name: Option<String>,
}

impl WireCommit {
    /// The message has the whole subject; the title is one that may have been cut.
    fn subject(&self) -> Option<Arc<str>> {
        let whole = self.message.as_deref().and_then(|message| message.lines().next());
        let title = self.title.as_deref().filter(|title| title.chars().count() < TITLE);
        whole.or(title).filter(|subject| !subject.is_empty()).map(Arc::from)
    }
}

impl WireBranch {
    fn read(self) -> Option<BranchSeen> {
        let commit = self.commit?;
        Some(BranchSeen {
            name: self.name?.into(),
            commit: Sha::parse(commit.id.as_deref()?).ok()?,
            subject: commit.subject(),
            committed_at: commit.created_at.or(commit.committed_date),
            is_protected: self.protected,
        })
    }
}

impl GitLab {
    /// Every branch.
    pub async fn branches(&self) -> Result<Read<BranchSeen>, Fault> {
        let route = Route::branches(self.project_path());
        self.every("list branches", &route, WireBranch::read, |branch| branch.name.clone()).await
    }

    /// One branch; `None` when GitLab says that there is none.
    pub async fn branch(&self, name: &BranchName) -> Result<Option<BranchSeen>, Fault> {
        let what = format!("read branch {name}");
        let ask = self.ask(what.clone(), &Route::branch(self.project_path(), name), &[])?;
        match self.json::<WireBranch>(&ask).await {
            Ok(reply) => {
                let read = reply.value.read().filter(|seen| &*seen.name == name.as_str());
                read.map(Some).ok_or_else(|| Fault::new(FaultKind::Garbled, what, "another branch, or no commit"))
            }
            Err(fault) if is_gone(&fault) => Ok(None),
            Err(fault) => Err(fault),
        }
    }

    /// Deletes a branch; whether there was one. GitLab itself refuses where it is protected.
    pub async fn delete_branch(&self, name: &BranchName) -> Result<bool, Fault> {
        let what = format!("delete branch {name}");
        self.require_token(&what)?;
        let ask = self.ask(what, &Route::delete_branch(self.project_path(), name), &[])?;
        match self.bytes(&ask).await {
            Ok(_) => Ok(true),
            Err(fault) if is_gone(&fault) => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// The subject of a commit; `None` when it has none.
    pub async fn subject(&self, sha: &Sha) -> Result<Option<Arc<str>>, Fault> {
        let what = format!("read commit {}", sha.short());
        let ask = self.ask(what.clone(), &Route::commit(self.project_path(), sha), &[])?;
        let commit: WireCommit = self.json(&ask).await?.value;
        if commit.id.as_deref() != Some(sha.as_str()) {
            return Err(Fault::new(FaultKind::Garbled, what, "another commit was told"));
        }
        Ok(commit.subject())
    }

    /// Names and patterns of branches that GitLab protects. Needs a token of a Maintainer.
    pub async fn protected_branches(&self) -> Result<Read<Arc<str>>, Fault> {
        let what = "list protected branches";
        self.require_token(what)?;
        let read = |wire: WireProtected| wire.name.map(Arc::from);
        self.every(what, &Route::protected_branches(self.project_path()), read, Arc::clone).await
    }
}

/// The branch is missing, and not the project: hidden projects answer 404 as well.
fn is_gone(fault: &Fault) -> bool {
    fault.kind == FaultKind::NotFound && fault.detail.to_ascii_lowercase().contains("branch not found")
}
