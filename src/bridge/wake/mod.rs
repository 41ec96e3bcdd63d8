//! What a webhook tells: enough to know that a pass is due, and which pipeline a screen may read again.
//!
//! A delivery is a hint and nothing more. It may be late, doubled or missing, so no decision is made from what it says: a pass looks for itself.
//! That is why a delivery which this version does not understand wakes the bridge as well: to look once too often costs little.

mod github;
mod gitlab;
#[cfg(test)]
mod tests;

use std::fmt;
use std::sync::Arc;

use serde::de::{DeserializeOwned, IgnoredAny};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::ci::{JobId, PipelineId, Status};
use crate::forge::{BranchName, PrNumber, Sha};

/// Refs have shorter names; what is longer is not carried about.
const LONGEST_REF: usize = 1_024;

/// Whose webhook it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Forge {
    GitHub,
    GitLab,
}

impl Forge {
    pub const ALL: [Self; 2] = [Self::GitHub, Self::GitLab];

    /// The word in addresses, in the store and in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }

    /// The forge that has this word.
    pub fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|forge| forge.word() == word)
    }
}

impl fmt::Display for Forge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// What a delivery is about.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum About {
    /// A pull request has another head.
    Head { pr: PrNumber, head: Sha },
    /// Something else of a pull request changed: it was opened, closed, labelled, made a draft.
    PullRequest { pr: PrNumber },
    /// A check on a commit has ended.
    CheckEnded { head: Sha },
    /// A branch or a tag moved. `to` is None when it is gone.
    Push { name: BranchName, to: Option<Sha> },
    /// A pipeline has another status. `parent` started it.
    Pipeline { id: PipelineId, parent: Option<PipelineId>, git_ref: BranchName, sha: Sha, status: Status },
    /// A job has another status.
    Job { id: JobId, pipeline: PipelineId, status: Status },
    /// What the bridge has no use for, by its kind.
    Other,
    /// A kind that is of use, but not in the form that is known.
    Unclear,
}

impl About {
    /// Whether a pass of the bridge may find something new. What the bridge itself does on GitLab, and the jobs of pipelines, come back in
    /// thousands and tell it nothing.
    pub const fn wakes_bridge(&self, forge: Forge) -> bool {
        match self {
            Self::Head { .. } | Self::PullRequest { .. } | Self::CheckEnded { .. } | Self::Unclear => true,
            Self::Push { .. } => matches!(forge, Forge::GitHub),
            // A status on GitHub is that of the parent.
            Self::Pipeline { parent, .. } => parent.is_none(),
            Self::Job { .. } | Self::Other => false,
        }
    }

    /// The pipeline that is no longer as it was.
    pub const fn pipeline(&self) -> Option<PipelineId> {
        match self {
            Self::Pipeline { id, .. } | Self::Job { pipeline: id, .. } => Some(*id),
            _ => None,
        }
    }
}

/// A delivery as far as it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Told {
    /// Of which repository or project; None where it does not say.
    pub project: Option<Arc<str>>,
    pub about: About,
}

/// A body that is no JSON object.
#[derive(Debug, Error)]
pub enum NoObject {
    #[error("the body is no JSON ({0})")]
    Syntax(#[source] serde_json::Error),
    #[error("the body is JSON, but no object")]
    Other,
}

/// Reads a delivery: `event` is the forge's word for its kind.
pub fn read(forge: Forge, event: &str, body: &str) -> Result<Told, NoObject> {
    // Structures are read from lists as well.
    if !body.trim_start_matches([' ', '\t', '\r', '\n']).starts_with('{') {
        return Err(serde_json::from_str::<IgnoredAny>(body).map_or_else(NoObject::Syntax, |_| NoObject::Other));
    }
    match forge {
        Forge::GitHub => github::read(event, body),
        Forge::GitLab => gitlab::read(event, body),
    }
}

/// Takes a body apart; what is JSON, but not in the known form, is unclear.
fn told<T: DeserializeOwned>(
    body: &str,
    of: impl FnOnce(T) -> (Option<Name>, Option<About>),
) -> Result<Told, NoObject> {
    match serde_json::from_str(body) {
        Ok(wire) => {
            let (project, about) = of(wire);
            Ok(Told { project: project.and_then(Name::into_text), about: about.unwrap_or(About::Unclear) })
        }
        Err(error) if error.is_data() => {
            serde_json::from_str::<IgnoredAny>(body).map_err(NoObject::Syntax)?;
            Ok(Told { project: None, about: About::Unclear })
        }
        Err(error) => Err(NoObject::Syntax(error)),
    }
}

/// A repository or project, by either forge's field.
#[derive(Debug, Default, Deserialize)]
#[serde(default)]
struct Name {
    #[serde(alias = "path_with_namespace")]
    full_name: Option<Arc<str>>,
}

impl Name {
    fn into_text(self) -> Option<Arc<str>> {
        self.full_name
    }
}

fn ref_name(text: &str) -> Option<BranchName> {
    BranchName::parse(text).ok().filter(|name| name.as_str().len() <= LONGEST_REF)
}

/// What names a commit; zeros name none.
fn commit(text: &str) -> Option<Sha> {
    Sha::parse(text).ok().filter(|sha| sha.as_str().bytes().any(|digit| digit != b'0'))
}
