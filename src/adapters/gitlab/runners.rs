//! Runners: by GraphQL in pages that tell everything, or by REST, where the list tells neither tags nor platform and each runner has to be
//! asked.

use std::collections::BTreeSet;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::json;

use super::answer;
use super::client::GitLab;
use super::graphql::{Message, PageInfo};
use super::read::Page;
use super::route::Route;
use super::wire::{gid, moment};
use crate::ci::{RunnerId, Timestamp};
use crate::console::fault::{Fault, FaultKind};
use crate::fleet::{Manager, Runner, RunnerStatus};

/// More pages than any instance has; a list that never ends is cut.
const MOST_PAGES: u32 = 50;
/// Texts of strangers are cut here.
const MOST_TEXT: usize = 512;

#[derive(Deserialize)]
struct Reply {
    data: Option<Data>,
    #[serde(default)]
    errors: Vec<Message>,
}

#[derive(Deserialize)]
struct Data {
    project: Option<Project>,
}

#[derive(Deserialize)]
struct Project {
    runners: Option<Connection>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Connection {
    page_info: PageInfo,
    nodes: Option<Vec<Option<Node>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Node {
    id: Option<String>,
    description: Option<String>,
    status: Option<String>,
    paused: Option<bool>,
    #[serde(default, deserialize_with = "moment")]
    contacted_at: Option<Timestamp>,
    tag_list: Option<Vec<String>>,
    run_untagged: Option<bool>,
    access_level: Option<String>,
    maintenance_note: Option<String>,
    managers: Option<Managers>,
}

#[derive(Deserialize)]
struct Managers {
    nodes: Option<Vec<Option<WireManager>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireManager {
    system_id: Option<String>,
    version: Option<String>,
    #[serde(default, deserialize_with = "moment")]
    contacted_at: Option<Timestamp>,
    status: Option<String>,
    platform_name: Option<String>,
    architecture_name: Option<String>,
}

/// A runner of the REST API: a row of the list, or all of it.
#[derive(Deserialize)]
pub(super) struct WireRunner {
    id: u64,
    description: Option<String>,
    name: Option<String>,
    status: Option<String>,
    paused: Option<bool>,
    active: Option<bool>,
    #[serde(default, deserialize_with = "moment")]
    contacted_at: Option<Timestamp>,
    tag_list: Option<Vec<String>>,
    run_untagged: Option<bool>,
    access_level: Option<String>,
    platform: Option<String>,
    architecture: Option<String>,
    version: Option<String>,
    maintenance_note: Option<String>,
}

impl GitLab {
    /// All runners that may take jobs of the project, by GraphQL: one request for each hundred. Needs a token.
    pub async fn runners_graphql(&self) -> Result<Vec<Runner>, Fault> {
        const WHAT: &str = "list runners by GraphQL";
        self.require_token(WHAT)?;
        if self.project_path().bytes().all(|b| b.is_ascii_digit()) {
            let detail = "GraphQL wants the project's path, not its number; configure GROUP/NAME";
            return Err(Fault::new(FaultKind::Local, WHAT, detail));
        }
        let query: String = include_str!("runners.graphql").lines().skip(1).collect::<Vec<_>>().join("\n");
        let (mut runners, mut after) = (Vec::new(), None::<String>);
        for _ in 0..MOST_PAGES {
            let body = json!({"query": query, "variables": {"project": self.project_path(), "after": after}});
            let mut ask = self.ask(WHAT, &Route::graphql(body), &[])?;
            // It is a POST, but it only reads.
            ask.again = true;
            let reply = self.json::<Reply>(&ask).await?.value;
            let Some(page) = reply.data.and_then(|data| data.project).and_then(|project| project.runners) else {
                let said = reply.errors.iter().map(|error| error.message.as_str()).collect::<Vec<_>>().join("; ");
                let (kind, detail) = if said.is_empty() {
                    (FaultKind::Forbidden, "the project's runners are hidden from this token".to_owned())
                } else {
                    (FaultKind::Refused { status: 200 }, answer::cut(&said))
                };
                return Err(self.note(Fault::new(kind, WHAT, detail)));
            };
            runners.extend(page.nodes.into_iter().flatten().flatten().filter_map(Node::into_runner));
            match (page.page_info.has_next_page, page.page_info.end_cursor) {
                (false, _) => return Ok(runners),
                (true, Some(cursor)) if after.as_ref() != Some(&cursor) => after = Some(cursor),
                (true, _) => break,
            }
        }
        Err(self.note(Fault::new(FaultKind::Garbled, WHAT, "the list of runners does not end")))
    }

    /// The same by REST. Tags, protection and platform are not told; [`GitLab::runner`] tells them. Needs a token.
    pub async fn runners_rest(&self) -> Result<Vec<Runner>, Fault> {
        const WHAT: &str = "list runners";
        self.require_token(WHAT)?;
        let route = Route::runners(self.project_path());
        let (mut runners, mut next) = (Vec::new(), Some(1));
        while let Some(page) = next.filter(|page| *page <= MOST_PAGES) {
            let found: Page<WireRunner> = self.page(WHAT.to_owned(), &route, page, 100).await?;
            runners.extend(found.items.into_iter().map(WireRunner::into_runner));
            next = found.next;
        }
        if next.is_some() {
            return Err(self.note(Fault::new(FaultKind::Garbled, WHAT, "the list of runners does not end")));
        }
        Ok(runners)
    }

    /// Everything about one runner. The token needs the scope `manage_runner` or `api`.
    pub async fn runner(&self, id: RunnerId) -> Result<Runner, Fault> {
        let what = format!("read runner {}", id.0);
        self.require_token(&what)?;
        let ask = self.ask(what, &Route::runner(id), &[])?;
        Ok(self.json::<WireRunner>(&ask).await?.value.into_runner())
    }

    /// Keeps new jobs away from a runner, or lets it take jobs again; those that run go on. The scope is that of [`GitLab::runner`].
    pub async fn set_paused(&self, id: RunnerId, is_paused: bool) -> Result<Runner, Fault> {
        let what = format!("{} runner {}", if is_paused { "pause" } else { "resume" }, id.0);
        self.require_token(&what)?;
        let ask = self.ask(what, &Route::set_paused(id, is_paused), &[])?;
        Ok(self.json::<WireRunner>(&ask).await?.value.into_runner())
    }
}

fn text(text: Option<String>) -> Option<Arc<str>> {
    let text = text.filter(|text| !text.is_empty())?;
    Some(text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default().into())
}

fn tags(list: Option<Vec<String>>) -> Option<BTreeSet<Arc<str>>> {
    list.map(|tags| tags.into_iter().filter_map(|tag| text(Some(tag))).collect())
}

/// `ref_protected` or `REF_PROTECTED`; a word that is not known is unknown.
fn is_protected(level: Option<&str>) -> Option<bool> {
    match level?.to_ascii_lowercase().as_str() {
        "ref_protected" => Some(true),
        "not_protected" => Some(false),
        _ => None,
    }
}

fn status(word: Option<&str>) -> RunnerStatus {
    word.map_or(RunnerStatus::Unknown, RunnerStatus::parse)
}

impl Node {
    fn into_runner(self) -> Option<Runner> {
        let id = RunnerId(self.id.as_deref().and_then(gid)?);
        let wire: Vec<WireManager> =
            self.managers.and_then(|managers| managers.nodes).into_iter().flatten().flatten().collect();
        let one = |of: fn(&WireManager) -> &Option<String>| wire.iter().find_map(|manager| text(of(manager).clone()));
        let (platform, architecture) = (one(|m| &m.platform_name), one(|m| &m.architecture_name));
        let version = one(|m| &m.version);
        let managers: Vec<Manager> = wire.into_iter().filter_map(WireManager::into_manager).collect();
        let heard = managers.iter().filter_map(|manager| manager.contacted_at).max();
        Some(Runner {
            status: status(self.status.as_deref()),
            is_paused: self.paused,
            contacted_at: self.contacted_at.max(heard),
            tags: tags(self.tag_list),
            runs_untagged: self.run_untagged,
            is_protected: is_protected(self.access_level.as_deref()),
            platform,
            architecture,
            version,
            managers,
            note: text(self.maintenance_note),
            ..Runner::new(id, &text(self.description).unwrap_or_default())
        })
    }
}

impl WireManager {
    fn into_manager(self) -> Option<Manager> {
        Some(Manager {
            system_id: text(self.system_id)?,
            version: text(self.version),
            contacted_at: self.contacted_at,
            status: status(self.status.as_deref()),
        })
    }
}

impl WireRunner {
    fn into_runner(self) -> Runner {
        let description = text(self.description).or_else(|| text(self.name)).unwrap_or_default();
        Runner {
            status: status(self.status.as_deref()),
            is_paused: self.paused.or(self.active.map(|active| !active)),
            contacted_at: self.contacted_at,
            tags: tags(self.tag_list),
            runs_untagged: self.run_untagged,
            is_protected: is_protected(self.access_level.as_deref()),
            platform: text(self.platform),
            architecture: text(self.architecture),
            version: text(self.version),
            note: text(self.maintenance_note),
            ..Runner::new(RunnerId(self.id), &description)
        }
    }
}

#[cfg(test)]
#[path = "runners_tests.rs"]
mod tests;
