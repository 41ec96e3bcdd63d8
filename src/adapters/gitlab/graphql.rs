//! Reading jobs by GraphQL: one page of several child pipelines per request, with edges when they are wanted.
//!
//! GitLab weighs a query before it runs it and answers 200 even when it refuses or gives up half-way. This module fits its questions to what
//! the server bears (fewer children, then fewer rows, and it stays there), asks again for what was lost, and reports per child what it could
//! not read.

use std::collections::{HashMap, VecDeque};
use std::fmt::Write as _;
use std::time::Duration;

use serde::Deserialize;
use serde_json::{Map, Value, json};

use super::answer;
use super::client::GitLab;
use super::needs::JobNeeds;
use super::route::Route;
use super::wire::{gid, length, moment, status};
use super::words::Words;
use crate::ci::{Iid, Job, JobId, JobKind, Need, PipelineId, Status, Timestamp};
use crate::console::fault::{Fault, FaultKind};

/// Where to go on reading the jobs of one child pipeline.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChildCursor {
    pub pipeline: PipelineId,
    pub iid: Iid,
    /// `None` for the first page, then [`ChildPage::next`].
    pub after: Option<String>,
}

/// One page of one child pipeline.
#[derive(Debug, Clone, PartialEq)]
pub struct ChildPage {
    pub pipeline: PipelineId,
    pub status: Status,
    pub updated_at: Option<Timestamp>,
    pub jobs: Vec<Job>,
    /// The edges of these jobs; empty when they were not asked for.
    pub needs: Vec<JobNeeds>,
    /// `None` on the last page.
    pub next: Option<String>,
}

/// How heavy the server found the last query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
pub struct Complexity {
    pub score: u32,
    pub limit: u32,
}

/// What one call brought: pages, and why some children are missing.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct JobsBatch {
    pub pages: Vec<ChildPage>,
    pub failed: Vec<(PipelineId, Fault)>,
    pub complexity: Option<Complexity>,
}

/// What this server bears in one query.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Shape {
    pub rows: u32,
    pub children: usize,
}

/// Fewer rows than this per page is no way to read 5,000 jobs.
const FEWEST_ROWS: u32 = 25;

impl Shape {
    /// A child weighs about 50; the limit is 200 without a token and 250 with one.
    pub fn new(anonymous: bool) -> Self {
        Self { rows: 100, children: if anonymous { 3 } else { 4 } }
    }

    /// The next smaller question, if there is one. Weight comes from children; time comes from rows.
    fn smaller(self, trouble: Trouble) -> Option<Self> {
        let fewer_children = (self.children > 1).then_some(Self { children: self.children / 2, ..self });
        let fewer_rows = (self.rows > FEWEST_ROWS).then(|| Self { rows: (self.rows / 2).max(FEWEST_ROWS), ..self });
        match trouble {
            Trouble::TooHeavy => fewer_children.or(fewer_rows),
            Trouble::TooSlow => fewer_rows.or(fewer_children),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trouble {
    TooHeavy,
    TooSlow,
}

impl Trouble {
    fn of(messages: &[Message]) -> Option<Self> {
        messages.iter().find_map(|m| {
            let text = m.message.to_ascii_lowercase();
            if text.contains("complexity") {
                Some(Self::TooHeavy)
            } else if text.contains("timeout") || text.contains("timed out") {
                Some(Self::TooSlow)
            } else {
                None
            }
        })
    }
}

#[derive(Deserialize)]
struct Reply {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Message>,
}

#[derive(Deserialize)]
pub(super) struct Message {
    #[serde(default)]
    pub message: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Data {
    query_complexity: Option<Complexity>,
    project: Option<HashMap<String, Option<WireChild>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireChild {
    status: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    updated_at: Option<Timestamp>,
    jobs: Option<WireJobs>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireJobs {
    page_info: PageInfo,
    nodes: Option<Vec<Option<WireNode>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct PageInfo {
    pub has_next_page: bool,
    pub end_cursor: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireNode {
    id: Option<String>,
    name: Option<String>,
    status: Option<String>,
    kind: Option<String>,
    allow_failure: Option<bool>,
    #[serde(default, deserialize_with = "moment")]
    created_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    queued_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    started_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "moment")]
    finished_at: Option<Timestamp>,
    #[serde(default, deserialize_with = "length")]
    duration: Option<Duration>,
    tags: Option<Vec<String>>,
    stage: Option<Named>,
    scheduling_type: Option<String>,
    needs: Option<Nodes>,
}

#[derive(Deserialize)]
struct Nodes {
    nodes: Option<Vec<Option<Named>>>,
}

#[derive(Deserialize)]
struct Named {
    name: Option<String>,
}

impl GitLab {
    /// Reads the next page of jobs of several child pipelines, some statuses only when `statuses` names them.
    ///
    /// Takes any number of children and asks as many times as the server makes necessary. An error means that nothing was read; children
    /// that could not be read while others could are named in [`JobsBatch::failed`].
    pub async fn jobs_graphql(
        &self,
        batch: &[ChildCursor],
        want_needs: bool,
        statuses: &[Status],
    ) -> Result<JobsBatch, Fault> {
        let mut out = JobsBatch::default();
        let mut left: VecDeque<ChildCursor> = batch.iter().cloned().collect();
        while !left.is_empty() {
            let shape = *self.shape();
            let round: Vec<_> = left.drain(..shape.children.min(left.len())).collect();
            match self.jobs_round(&round, shape, want_needs, statuses, &mut out).await {
                Ok(lost) => lost.into_iter().rev().for_each(|child| left.push_front(child)),
                Err(fault) if out.pages.is_empty() && out.failed.is_empty() => return Err(fault),
                Err(fault) => {
                    out.failed.extend(round.iter().chain(&left).map(|child| (child.pipeline, fault.clone())));
                    break;
                }
            }
        }
        Ok(out)
    }

    /// One request. Gives back the children to ask for again, with the smaller shape that is now set.
    async fn jobs_round(
        &self,
        round: &[ChildCursor],
        shape: Shape,
        want_needs: bool,
        statuses: &[Status],
        out: &mut JobsBatch,
    ) -> Result<Vec<ChildCursor>, Fault> {
        let what = format!("read jobs of {} child pipelines by GraphQL", round.len());
        if self.project_path().bytes().all(|b| b.is_ascii_digit()) {
            let detail = "GraphQL wants the project's path, not its number; configure GROUP/NAME";
            return Err(Fault::new(FaultKind::Local, what, detail));
        }
        let query = question(self.project_path(), round, shape.rows, want_needs, statuses);
        let mut ask = self.ask(what, &Route::graphql(query), &[])?;
        // It is a POST, but it only reads.
        ask.again = true;
        let reply = match self.json::<Reply>(&ask).await {
            Ok(reply) => reply.value,
            Err(fault) => {
                if matches!(fault.kind, FaultKind::Timeout | FaultKind::Server { .. }) {
                    self.shrink(shape, Trouble::TooSlow);
                }
                return Err(fault);
            }
        };
        let trouble = Trouble::of(&reply.errors);
        let said = reply.errors.iter().map(|e| e.message.as_str()).collect::<Vec<_>>().join("; ");
        let data = reply.data.unwrap_or(Data { query_complexity: None, project: None });
        out.complexity = data.query_complexity.or(out.complexity);
        if data.project.is_none() && trouble.is_none() {
            let (kind, detail) = if said.is_empty() {
                (FaultKind::NotFound, "the project is not there, or hidden from this token".to_owned())
            } else {
                (FaultKind::Refused { status: 200 }, answer::cut(&said))
            };
            return Err(self.note(Fault::new(kind, ask.what, detail)));
        }
        let mut found = data.project.unwrap_or_default();
        let mut lost = Vec::new();
        for (n, child) in round.iter().enumerate() {
            match found.remove(&format!("child{n}")).flatten() {
                Some(WireChild { status: word, updated_at, jobs: Some(jobs) }) => {
                    match page(child, jobs, want_needs, &mut self.words()) {
                        Ok((jobs, needs, next)) => out.pages.push(ChildPage {
                            pipeline: child.pipeline,
                            status: status(word.as_deref()),
                            updated_at,
                            jobs,
                            needs,
                            next,
                        }),
                        Err(detail) => {
                            let fault = Fault::new(FaultKind::Garbled, one(child), detail);
                            out.failed.push((child.pipeline, self.note(fault)));
                        }
                    }
                }
                _ if trouble.is_some() => lost.push(child.clone()),
                _ => {
                    let (kind, detail) = if said.is_empty() {
                        (FaultKind::NotFound, "the pipeline is not there, or hidden from this token".to_owned())
                    } else {
                        (FaultKind::Refused { status: 200 }, answer::cut(&said))
                    };
                    out.failed.push((child.pipeline, self.note(Fault::new(kind, one(child), detail))));
                }
            }
        }
        if let (Some(trouble), false) = (trouble, lost.is_empty())
            && !self.shrink(shape, trouble)
        {
            let kind = match trouble {
                Trouble::TooHeavy => FaultKind::Refused { status: 200 },
                Trouble::TooSlow => FaultKind::Timeout,
            };
            for child in lost.drain(..) {
                let fault = Fault::new(kind.clone(), one(&child), answer::cut(&said));
                out.failed.push((child.pipeline, self.note(fault)));
            }
        }
        Ok(lost)
    }

    /// Makes later questions smaller than `asked`; `false` when there is no smaller one.
    fn shrink(&self, asked: Shape, trouble: Trouble) -> bool {
        let Some(smaller) = asked.smaller(trouble) else { return false };
        let mut shape = self.shape();
        // Another query may have learnt the same in the meantime: shrink once, not twice.
        if *shape == asked {
            *shape = smaller;
        }
        true
    }
}

fn one(child: &ChildCursor) -> String {
    format!("read jobs of pipeline {} by GraphQL", child.pipeline)
}

/// The query and its variables, as the body of the request.
fn question(project: &str, round: &[ChildCursor], rows: u32, want_needs: bool, statuses: &[Status]) -> Value {
    let mut variables = Map::new();
    variables.insert("project".to_owned(), json!(project));
    variables.insert("first".to_owned(), json!(rows));
    let mut declared = String::new();
    let mut child_text = bare(include_str!("child.graphql"));
    child_text =
        child_text.replace("# NEEDS", &if want_needs { bare(include_str!("needs.graphql")) } else { String::new() });
    if statuses.is_empty() {
        child_text = child_text.replace(", statuses: $statuses", "");
    } else {
        let words: Vec<_> = statuses.iter().map(|s| s.as_str().to_ascii_uppercase()).collect();
        variables.insert("statuses".to_owned(), json!(words));
        declared.push_str("$statuses: [CiJobStatus!] ");
    }
    let mut children = String::new();
    for (n, child) in round.iter().enumerate() {
        // Writing into a String cannot fail.
        let _ = write!(declared, "$iid{n}: ID! $after{n}: String ");
        variables.insert(format!("iid{n}"), json!(child.iid.to_string()));
        variables.insert(format!("after{n}"), json!(child.after));
        let n = n.to_string();
        let text = [("childN", "child"), ("$iidN", "$iid"), ("$afterN", "$after")]
            .iter()
            .fold(child_text.clone(), |text, (mark, name)| text.replace(mark, &format!("{name}{n}")));
        children.push_str(&text);
    }
    let query = bare(include_str!("jobs.graphql")).replace("# VARIABLES", &declared).replace("# CHILDREN", &children);
    json!({ "query": query, "variables": variables })
}

/// A document without its leading remark and its indentation: the server weighs characters as well.
fn bare(text: &str) -> String {
    text.lines().skip(1).map(str::trim).collect::<Vec<_>>().join("\n")
}

type PageParts = (Vec<Job>, Vec<JobNeeds>, Option<String>);

fn page(child: &ChildCursor, wire: WireJobs, want_needs: bool, words: &mut Words) -> Result<PageParts, &'static str> {
    let next = match (wire.page_info.has_next_page, wire.page_info.end_cursor) {
        (false, _) => None,
        (true, Some(cursor)) if child.after.as_ref() != Some(&cursor) => Some(cursor),
        (true, _) => return Err("the server says there are more jobs but not where; reading them by REST may help"),
    };
    let mut jobs = Vec::new();
    let mut needs = Vec::new();
    for node in wire.nodes.into_iter().flatten().flatten() {
        let Some(id) = node.id.as_deref().and_then(gid) else { continue };
        let stage = words.word(node.stage.and_then(|s| s.name).as_deref().unwrap_or_default());
        let tags = words.tags(node.tags.iter().flatten().map(String::as_str));
        let bridge = node.kind.is_some_and(|kind| kind.eq_ignore_ascii_case("bridge"));
        let job = Job {
            stage: stage.clone(),
            kind: if bridge { JobKind::Bridge } else { JobKind::Build },
            allow_failure: node.allow_failure.unwrap_or(false),
            created_at: node.created_at,
            queued_at: node.queued_at,
            started_at: node.started_at,
            finished_at: node.finished_at,
            duration: node.duration,
            queued_duration: node.queued_at.zip(node.started_at).map(|(queued, started)| started.since(queued)),
            tags: tags.clone(),
            ..Job::new(
                JobId(id),
                child.pipeline,
                node.name.as_deref().unwrap_or_default(),
                status(node.status.as_deref()),
            )
        };
        if want_needs {
            let names = node.needs.and_then(|n| n.nodes).into_iter().flatten().flatten().filter_map(|n| n.name);
            let edges: Vec<Need> = names.map(|name| Need { name: words.word(&name), optional: false }).collect();
            needs.push(JobNeeds {
                name: job.name.clone(),
                stage,
                tags,
                by_stage: edges.is_empty() && node.scheduling_type.as_deref() == Some("stage"),
                needs: edges,
            });
        }
        jobs.push(job);
    }
    Ok((jobs, needs, next))
}

#[cfg(test)]
#[path = "graphql_tests.rs"]
mod tests;
