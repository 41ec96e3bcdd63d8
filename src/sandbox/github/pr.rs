//! What a pull request is here, with the checks and statuses on its commits.

use std::sync::Arc;

use super::super::git::{Made, Oid};
use super::hub::login_of;
use crate::ci::Timestamp;

/// Whether it can still be merged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PrState {
    Open,
    Closed,
    Merged,
}

/// What GitHub has found out about merging it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Judged {
    /// Nothing yet; whoever asks makes it look.
    NotYet,
    /// Nothing yet, and it takes its time.
    Slow,
    /// This is the merge.
    Clean(Oid),
    Conflict,
}

/// A pull request.
#[derive(Debug, Clone)]
pub struct Pull {
    pub number: u64,
    pub title: Arc<str>,
    pub author: Arc<str>,
    pub email: Arc<str>,
    pub state: PrState,
    pub is_draft: bool,
    pub head: Made,
    /// The head that the API still tells while git has a newer one.
    pub told: Option<Oid>,
    pub head_ref: Arc<str>,
    /// None when the fork was deleted.
    pub head_repo: Option<Arc<str>>,
    pub base_ref: Arc<str>,
    pub labels: Vec<Arc<str>>,
    pub created_at: Timestamp,
    pub updated_at: Timestamp,
    pub closed_at: Option<Timestamp>,
    pub merged_at: Option<Timestamp>,
    pub merge_commit: Option<Oid>,
    pub judged: Judged,
    /// The package that it changes.
    pub package: &'static str,
    pub commits: u64,
}

impl Pull {
    /// One of somebody's fork into develop, just opened.
    pub fn opened(number: u64, title: &str, (author, email): (&str, &str), head: Made, at: Timestamp) -> Self {
        Self {
            number,
            title: title.into(),
            author: author.into(),
            email: email.into(),
            state: PrState::Open,
            is_draft: false,
            head,
            told: None,
            head_ref: "".into(),
            head_repo: Some(format!("{}/spack-packages", login_of(author)).into()),
            base_ref: "develop".into(),
            labels: Vec::new(),
            created_at: at,
            updated_at: at,
            closed_at: None,
            merged_at: None,
            merge_commit: None,
            judged: Judged::NotYet,
            package: "",
            commits: 1,
        }
    }

    /// The head as the API tells it.
    pub fn told_head(&self) -> Oid {
        self.told.unwrap_or(self.head.id)
    }

    pub fn is_open(&self) -> bool {
        self.state == PrState::Open
    }
}

/// A check run.
#[derive(Debug, Clone)]
pub struct Check {
    pub id: u64,
    pub name: Arc<str>,
    pub started_at: Timestamp,
    /// GitHub's word and the moment, once it has ended.
    pub ended: Option<(&'static str, Timestamp)>,
}

/// A commit status.
#[derive(Debug, Clone)]
pub struct Status {
    pub id: u64,
    pub context: Arc<str>,
    pub state: Arc<str>,
    pub description: Option<Arc<str>>,
    pub target_url: Option<Arc<str>>,
    pub at: Timestamp,
}

/// A comment on a pull request.
#[derive(Debug, Clone)]
pub struct Comment {
    pub id: u64,
    pub pull: u64,
    pub author: Arc<str>,
    pub body: Arc<str>,
    pub at: Timestamp,
}
