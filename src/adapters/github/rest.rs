//! What is asked of REST: one pull request as it is right now, a check of a head that has very many, and which branches are protected.

use std::sync::Arc;

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;

use super::answer::cut;
use super::client::{Ask, GitHub};
use super::prs::MOST_PAGES;
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{CheckRun, Conclusion, Items, Mergeable, PrNumber, PrState, PullRequest, Sha};

/// A pull request in the words of REST.
#[derive(Deserialize)]
struct Rest {
    title: Option<Arc<str>>,
    state: String,
    #[serde(default)]
    draft: bool,
    head: RestHead,
    base: RestBase,
    updated_at: Timestamp,
    merged_at: Option<Timestamp>,
    #[serde(default)]
    labels: Vec<Named>,
    mergeable: Option<bool>,
    merge_commit_sha: Option<Sha>,
}

#[derive(Deserialize)]
struct RestHead {
    sha: Sha,
    #[serde(rename = "ref")]
    name: Arc<str>,
    repo: Option<RestRepository>,
}

#[derive(Deserialize)]
struct RestBase {
    #[serde(rename = "ref")]
    name: Arc<str>,
}

#[derive(Deserialize)]
struct RestRepository {
    full_name: Arc<str>,
}

#[derive(Deserialize)]
struct Named {
    name: Arc<str>,
}

#[derive(Deserialize)]
struct Runs {
    check_runs: Vec<Run>,
}

#[derive(Deserialize)]
struct Run {
    id: u64,
    name: Arc<str>,
    conclusion: Option<String>,
    completed_at: Option<Timestamp>,
}

#[derive(Deserialize)]
struct Branch {
    name: Arc<str>,
    protected: bool,
}

impl GitHub {
    /// Reads one pull request as it is right now. Of its checks nothing is told.
    pub async fn pr(&self, number: PrNumber) -> Result<PullRequest, Fault> {
        let what = format!("read pull request {number}");
        let answer = self.ask(&what, Ask::Get(&self.route(&format!("pulls/{number}")))).await?;
        let rest: Rest = answer.json(&what)?;
        let state = match rest.state.as_str() {
            "open" => PrState::Open,
            "closed" if rest.merged_at.is_some() => PrState::Merged,
            "closed" => PrState::Closed,
            other => {
                let detail = format!("its state `{}` is not known", cut(other));
                return Err(Fault::new(FaultKind::Garbled, what, detail));
            }
        };
        Ok(PullRequest {
            number,
            title: rest.title.unwrap_or_default(),
            state,
            is_draft: rest.draft,
            head: rest.head.sha,
            head_ref: rest.head.name,
            head_repo: rest.head.repo.map(|repo| repo.full_name),
            base_ref: rest.base.name,
            updated_at: rest.updated_at,
            pushed_at: None,
            labelled_at: None,
            labels: Items { listed: rest.labels.into_iter().map(|label| label.name).collect(), is_whole: true },
            mergeable: match rest.mergeable {
                Some(true) => Mergeable::Yes,
                Some(false) => Mergeable::Conflicting,
                None => Mergeable::Unknown,
            },
            test_merge: rest.merge_commit_sha,
            checks: Items { listed: Vec::new(), is_whole: false },
        })
    }

    /// The newest run of a check on a commit, where there is one.
    pub async fn check_run(&self, sha: &Sha, name: &str) -> Result<Option<CheckRun>, Fault> {
        let what = format!("read the check {name} of {}", sha.short());
        let name = utf8_percent_encode(name, NON_ALPHANUMERIC);
        let route = self.route(&format!("commits/{sha}/check-runs?check_name={name}&filter=latest&per_page=100"));
        let runs: Runs = self.ask(&what, Ask::Get(&route)).await?.json(&what)?;
        let newest = runs.check_runs.into_iter().max_by_key(|run| run.id);
        Ok(newest.map(|run| CheckRun {
            name: run.name,
            conclusion: run.conclusion.as_deref().map(Conclusion::parse),
            completed_at: run.completed_at,
        }))
    }

    /// The names of all protected branches.
    pub async fn protected_branches(&self) -> Result<Vec<Arc<str>>, Fault> {
        let what = "list protected branches";
        let mut names = Vec::new();
        for page in 1..=MOST_PAGES {
            let route = self.route(&format!("branches?protected=true&per_page=100&page={page}"));
            let branches: Vec<Branch> = self.ask(what, Ask::Get(&route)).await?.json(what)?;
            let count = branches.len();
            // Older servers do not filter.
            names.extend(branches.into_iter().filter(|branch| branch.protected).map(|branch| branch.name));
            if count < 100 {
                return Ok(names);
            }
        }
        Err(Fault::new(FaultKind::Garbled, what, format!("the list does not end after {MOST_PAGES} requests")))
    }
}
