//! Open pull requests, a hundred at a time.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use serde::Deserialize;
use serde_json::{Value, json};

use super::answer::cut;
use super::client::{Ask, GitHub};
use crate::ci::Timestamp;
use crate::console::fault::{Asked, Fault, FaultKind};
use crate::forge::{
    CheckRun, CommitState, CommitStatus, Conclusion, Items, Mergeable, PrNumber, PrState, PullRequest, Sha,
};

/// In the order in which they were opened: one that is updated while the pages are read is not missed by it.
const QUERY: &str = "query Prs($owner:String!,$name:String!,$first:Int!,$after:String){
  repository(owner:$owner,name:$name){ pullRequests(states:OPEN,first:$first,after:$after,orderBy:{field:CREATED_AT,direction:ASC}){
    pageInfo{hasNextPage endCursor}
    nodes{ number title state isDraft updatedAt headRefName headRefOid baseRefName mergeable
      headRepository{nameWithOwner} potentialMergeCommit{oid}
      labels(first:30){pageInfo{hasNextPage} nodes{name}}
      statusCheckRollup{contexts(first:100){pageInfo{hasNextPage} nodes{ __typename
        ... on StatusContext{context state targetUrl description}
        ... on CheckRun{databaseId name conclusion completedAt} } } } } } } }";

/// The smallest page that is tried when GitHub finds a larger one too much.
const LEAST: u32 = 10;
/// By how much a page grows again from list to list.
const STEP: u32 = 5;
/// No repository has more pages; a list that goes on is a loop.
pub(super) const MOST_PAGES: usize = 500;

/// A pull request, and the statuses that GitHub shows on its head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenPr {
    pub pr: PullRequest,
    pub statuses: Items<CommitStatus>,
}

/// What GitHub listed.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OpenPrs {
    /// By number.
    pub prs: Vec<SeenPr>,
    /// What could not be read, each in a line. With any of these, what is not listed may be open all the same.
    pub left_out: Vec<String>,
}

#[derive(Deserialize)]
struct Reply {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<GraphQlError>,
}

#[derive(Deserialize)]
struct GraphQlError {
    #[serde(default)]
    message: String,
    #[serde(rename = "type")]
    kind: Option<String>,
}

impl GraphQlError {
    /// The query asks for more than GitHub works out at once.
    fn is_too_much(&self) -> bool {
        matches!(self.kind.as_deref(), Some("RESOURCE_LIMITS_EXCEEDED" | "MAX_NODE_LIMIT_EXCEEDED"))
    }
}

#[derive(Deserialize)]
struct Data {
    repository: Option<Repository>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Repository {
    pull_requests: Connection<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection<T> {
    page_info: PageInfo,
    nodes: Vec<Option<T>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PageInfo {
    has_next_page: bool,
    end_cursor: Option<String>,
}

/// A pull request as GraphQL has it.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    number: u64,
    title: Option<Arc<str>>,
    state: String,
    is_draft: bool,
    updated_at: Timestamp,
    head_ref_name: Arc<str>,
    head_ref_oid: Sha,
    base_ref_name: Arc<str>,
    mergeable: Option<String>,
    head_repository: Option<Named>,
    potential_merge_commit: Option<Commit>,
    labels: Option<Connection<Label>>,
    status_check_rollup: Option<Rollup>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Named {
    name_with_owner: Arc<str>,
}

#[derive(Deserialize)]
struct Commit {
    oid: Sha,
}

#[derive(Deserialize)]
struct Label {
    name: Arc<str>,
}

#[derive(Deserialize)]
struct Rollup {
    contexts: Connection<Entry>,
}

#[derive(Deserialize)]
#[serde(tag = "__typename")]
enum Entry {
    #[serde(rename_all = "camelCase")]
    StatusContext { context: String, state: String, target_url: Option<String>, description: Option<String> },
    #[serde(rename_all = "camelCase")]
    CheckRun { database_id: Option<u64>, name: Arc<str>, conclusion: Option<String>, completed_at: Option<Timestamp> },
    #[serde(other)]
    Other,
}

impl GitHub {
    /// Lists every open pull request with its checks, labels and statuses.
    pub async fn open_prs(&self) -> Result<OpenPrs, Fault> {
        let what = "list open pull requests";
        let (mut prs, mut left_out) = (BTreeMap::new(), Vec::new());
        let (mut after, mut size) = (None::<String>, self.page.load(Ordering::Relaxed));
        for _ in 0..MOST_PAGES {
            let variables = json!({
                "owner": self.settings.owner, "name": self.settings.repository, "first": size, "after": after,
            });
            let body = json!({"query": QUERY, "variables": variables});
            let answer = match self.ask(what, Ask::Query(&body)).await {
                Err(Fault { kind: FaultKind::Server { status: 502 | 504 }, .. }) if size > LEAST => {
                    size = self.shrink(size);
                    continue;
                }
                other => other?,
            };
            let reply: Reply = answer.json(what)?;
            if reply.errors.iter().any(GraphQlError::is_too_much) && size > LEAST {
                size = self.shrink(size);
                continue;
            }
            let said: Vec<String> = reply.errors.iter().map(|error| cut(&error.message)).collect();
            let Some(page) = reply.data.and_then(|data| data.repository).map(|found| found.pull_requests) else {
                let is_missing = reply.errors.iter().any(|error| error.kind.as_deref() == Some("NOT_FOUND"));
                let kind = if is_missing { FaultKind::NotFound } else { FaultKind::Garbled };
                let detail = format!("no list of pull requests: {}", said.join("; "));
                return Err(Fault::new(kind, what, detail).of(Asked::GitHub));
            };
            let is_clean = said.is_empty();
            left_out.extend(said);
            for node in page.nodes {
                match read(node, is_clean) {
                    Ok(seen) => drop(prs.insert(seen.pr.number, seen)),
                    Err(why) => left_out.push(why),
                }
            }
            match (page.page_info.has_next_page, page.page_info.end_cursor) {
                (false, _) => {
                    // What was too much may have passed; that is found out in small steps.
                    self.page.store((size + STEP).min(self.settings.page.clamp(1, 100)), Ordering::Relaxed);
                    return Ok(OpenPrs { prs: prs.into_values().collect(), left_out });
                }
                (true, next @ Some(_)) if next != after => after = next,
                (true, _) => return Err(Fault::new(FaultKind::Garbled, what, "there is more, but no word where")),
            }
        }
        Err(Fault::new(FaultKind::Garbled, what, format!("the list does not end after {MOST_PAGES} requests")))
    }

    /// The size to try after one that was too much for GitHub, now and the next time.
    fn shrink(&self, size: u32) -> u32 {
        let less = (size / 2).max(LEAST);
        self.page.store(less, Ordering::Relaxed);
        less
    }
}

/// Reads one pull request. A bad one spoils no other. Unless the whole answer `is_clean`, what is null may be what could not be told.
fn read(node: Option<Value>, is_clean: bool) -> Result<SeenPr, String> {
    let node = node.ok_or("GitHub left one out")?;
    let number = node.get("number").map_or_else(|| "?".to_owned(), ToString::to_string);
    let bad = |why: &str| format!("pull request {} cannot be read: {}", cut(&number), cut(why));
    let node: Node = serde_json::from_value(node).map_err(|error| bad(&error.to_string()))?;
    let state = match node.state.as_str() {
        "OPEN" => PrState::Open,
        "MERGED" => PrState::Merged,
        "CLOSED" => PrState::Closed,
        other => return Err(bad(&format!("its state `{other}` is not known"))),
    };
    let (mut checks, mut statuses) = (Vec::new(), Vec::new());
    let mut has_all = is_clean;
    if let Some(rollup) = node.status_check_rollup {
        has_all &= !rollup.contexts.page_info.has_next_page;
        for context in rollup.contexts.nodes {
            match context {
                Some(Entry::CheckRun { database_id, name, conclusion, completed_at }) => {
                    let conclusion = conclusion.as_deref().map(Conclusion::parse);
                    let run = CheckRun { name, conclusion, completed_at };
                    // Runs that were made again are listed beside the new ones, in any order.
                    match checks.iter_mut().find(|(_, one): &&mut (_, CheckRun)| one.name == run.name) {
                        Some((id, kept)) if *id <= database_id => (*id, *kept) = (database_id, run),
                        Some(_) => {}
                        None => checks.push((database_id, run)),
                    }
                }
                Some(Entry::StatusContext { context, state, target_url, description }) => match state_of(&state) {
                    Some(state) => statuses.push(CommitStatus::new(
                        &context,
                        state,
                        description.as_deref().unwrap_or_default(),
                        target_url.as_deref(),
                    )),
                    None => has_all = false,
                },
                Some(Entry::Other) => {}
                None => has_all = false,
            }
        }
    }
    let labels = match node.labels {
        // They are a list, if an empty one; without it, nothing is known of them.
        None => Items { listed: Vec::new(), is_whole: false },
        Some(labels) => Items {
            is_whole: !labels.page_info.has_next_page && labels.nodes.iter().all(Option::is_some),
            listed: labels.nodes.into_iter().flatten().map(|label| label.name).collect(),
        },
    };
    let pr = PullRequest {
        number: PrNumber(node.number),
        title: node.title.unwrap_or_default(),
        state,
        is_draft: node.is_draft,
        head: node.head_ref_oid,
        head_ref: node.head_ref_name,
        head_repo: node.head_repository.map(|repository| repository.name_with_owner),
        base_ref: node.base_ref_name,
        updated_at: node.updated_at,
        pushed_at: None,
        labelled_at: None,
        labels,
        mergeable: match node.mergeable.as_deref() {
            Some("MERGEABLE") => Mergeable::Yes,
            Some("CONFLICTING") => Mergeable::Conflicting,
            _ => Mergeable::Unknown,
        },
        test_merge: node.potential_merge_commit.map(|commit| commit.oid),
        checks: Items { listed: checks.into_iter().map(|(_, run)| run).collect(), is_whole: has_all },
    };
    Ok(SeenPr { pr, statuses: Items { listed: statuses, is_whole: has_all } })
}

/// Reads the lower-case word of REST or the upper-case one of GraphQL.
pub(super) fn state_of(word: &str) -> Option<CommitState> {
    let all = [CommitState::Pending, CommitState::Success, CommitState::Failure, CommitState::Error];
    // Expected by a rule of the branch, but nobody has posted it.
    let expected = word.eq_ignore_ascii_case("expected").then_some(CommitState::Pending);
    all.into_iter().find(|state| state.word().eq_ignore_ascii_case(word)).or(expected)
}
