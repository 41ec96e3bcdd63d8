//! Statuses of commits: what GitHub shows, and what it is told.

use serde::Deserialize;
use serde_json::json;

use super::client::{Ask, GitHub};
use super::prs::state_of;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{CommitStatus, Items, Sha};

/// What became of a status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PostAnswer {
    Posted,
    /// The commit has 1,000 of this context and takes no more.
    Full,
    /// GitHub has no such commit.
    NoCommit,
}

#[derive(Deserialize)]
struct Combined {
    total_count: usize,
    statuses: Vec<Status>,
}

#[derive(Deserialize)]
struct Status {
    context: String,
    state: String,
    description: Option<String>,
    target_url: Option<String>,
}

impl GitHub {
    /// The newest status of each context of a commit, the first hundred of them.
    pub async fn statuses(&self, sha: &Sha) -> Result<Items<CommitStatus>, Fault> {
        let what = format!("read the statuses of {}", sha.short());
        let route = self.route(&format!("commits/{sha}/status?per_page=100"));
        let combined: Combined = self.ask(&what, Ask::Get(&route)).await?.json(&what)?;
        let count = combined.statuses.len();
        let read = |status: Status| {
            let state = state_of(&status.state)?;
            let description = status.description.unwrap_or_default();
            Some(CommitStatus::new(&status.context, state, &description, status.target_url.as_deref()))
        };
        let listed: Vec<CommitStatus> = combined.statuses.into_iter().filter_map(read).collect();
        let is_whole = combined.total_count <= count && listed.len() == count;
        Ok(Items { listed, is_whole })
    }

    /// Tells GitHub a status, once. After a fault whose outcome is uncertain, read before telling it again.
    pub async fn post_status(&self, sha: &Sha, status: &CommitStatus) -> Result<PostAnswer, Fault> {
        let what = format!("post a status on {}", sha.short());
        let body = json!({
            "state": status.state.word(),
            "context": status.context,
            "description": status.description,
            "target_url": status.target_url,
        });
        match self.ask(&what, Ask::Post(&self.route(&format!("statuses/{sha}")), &body)).await {
            Ok(_) => Ok(PostAnswer::Posted),
            Err(fault) if fault.kind == (FaultKind::Refused { status: 422 }) && is_full(&fault.detail) => {
                Ok(PostAnswer::Full)
            }
            Err(fault) if fault.kind == (FaultKind::Refused { status: 422 }) && is_no_commit(&fault.detail) => {
                Ok(PostAnswer::NoCommit)
            }
            Err(fault) => Err(fault),
        }
    }
}

fn is_no_commit(said: &str) -> bool {
    said.to_ascii_lowercase().contains("no commit found")
}

/// GitHub has no code for it, only words.
fn is_full(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    said.contains("maximum number of statuses") || said.contains("1000 statuses") || said.contains("1,000 statuses")
}
