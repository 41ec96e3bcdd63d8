//! Pipelines over REST: lists with filters, single ones, and what POST does to them.

use crate::ci::{PipelineId, Status};

use super::super::world::{Pipeline, Refusal};
use super::http::Answer;
use super::paging::Page;
use super::{Reply, Visit, not_found};

const SCOPES: &[&str] = &["running", "pending", "finished", "branches", "tags"];
const ORDERS: &[&str] = &["id", "status", "ref", "updated_at", "user_id"];
const SOURCES: &[&str] = &[
    "unknown",
    "push",
    "web",
    "trigger",
    "schedule",
    "api",
    "external",
    "pipeline",
    "chat",
    "webide",
    "merge_request_event",
    "external_pull_request_event",
    "parent_pipeline",
    "ondemand_dast_scan",
    "ondemand_dast_validation",
    "security_orchestration_policy",
    "container_registry_push",
    "duo_workflow",
    "pipeline_execution_policy_schedule",
];

impl Visit<'_> {
    pub(super) fn pipelines(&self) -> Reply {
        let request = self.request;
        let scope = self.choice("scope", SCOPES)?;
        let status = self.status("status")?;
        let source = self.choice("source", SOURCES)?;
        let order = self.choice("order_by", ORDERS)?.unwrap_or("id");
        let sort = self.choice("sort", &["asc", "desc"])?.unwrap_or("desc");
        let text = |name: &str| request.parameter(name).map(str::to_owned);
        let (git_ref, sha, name, username) = (text("ref"), text("sha"), text("name"), text("username"));
        let between = |name: &str, at: crate::ci::Timestamp| {
            request.time(&format!("{name}_after")).is_none_or(|t| at > t)
                && request.time(&format!("{name}_before")).is_none_or(|t| at < t)
        };
        let wanted = |p: &&Pipeline| {
            p.parent.is_some() == (source == Some("parent_pipeline"))
                && source.is_none_or(|s| p.source == s)
                && status.is_none_or(|s| p.status == s)
                && git_ref.as_ref().is_none_or(|r| *r == *p.git_ref)
                && sha.as_ref().is_none_or(|s| *s == *p.commit.sha)
                && name.as_deref().is_none_or(|n| p.name.as_deref() == Some(n))
                && username.as_ref().is_none_or(|u| *u == p.user.username)
                && between("updated", p.updated_at)
                && between("created", p.created_at)
                && match scope {
                    Some("running") => p.status == Status::Running,
                    Some("pending") => p.status == Status::Pending,
                    Some("finished") => p.status.is_terminal(),
                    Some("tags") => p.is_tag,
                    _ => true,
                }
        };
        let mut all: Vec<&Pipeline> = self.world.pipelines().rev().filter(wanted).collect();
        if scope == Some("branches") {
            // The newest pipeline of every branch.
            let mut seen = std::collections::BTreeSet::new();
            all.retain(|p| seen.insert(p.git_ref.clone()));
        }
        match order {
            "status" => all.sort_by_key(|p| p.status.as_str()),
            "ref" => all.sort_by_key(|p| p.git_ref.clone()),
            "updated_at" => all.sort_by_key(|p| p.updated_at),
            "user_id" => all.sort_by_key(|p| p.user.id),
            _ => all.sort_by_key(|p| p.id),
        }
        if sort == "desc" {
            all.reverse();
        }
        let view = self.view();
        Ok(Page::of(request).answer(request, self.base, &all, |p| view.named_pipeline(p)))
    }

    /// A parameter that must be one of some words.
    pub(super) fn choice(&self, name: &str, words: &[&'static str]) -> Result<Option<&'static str>, Answer> {
        match self.request.parameter(name) {
            None => Ok(None),
            Some(value) => match words.iter().find(|word| **word == value) {
                Some(word) => Ok(Some(*word)),
                None => Err(Answer::refusal(400, &format!("{name} does not have a valid value"))),
            },
        }
    }

    fn status(&self, name: &str) -> Result<Option<Status>, Answer> {
        match self.request.parameter(name).map(Status::parse) {
            Some(Status::Unknown(_)) => Err(Answer::refusal(400, &format!("{name} does not have a valid value"))),
            status => Ok(status),
        }
    }

    pub(super) fn find_pipeline(&self, id: &str) -> Result<&Pipeline, Answer> {
        let id = id.parse().map_err(|_| Answer::refusal(400, "pipeline_id is invalid"))?;
        self.world.pipeline(PipelineId(id)).ok_or_else(not_found)
    }

    pub(super) fn pipeline(&self, id: &str) -> Reply {
        let pipeline = self.find_pipeline(id)?;
        Ok(Answer::json(200, &self.view().pipeline_details(pipeline)).unless_known(self.request))
    }

    pub(super) fn latest_pipeline(&self) -> Reply {
        let git_ref = self.request.parameter("ref").unwrap_or("develop");
        let newest = self.world.pipelines().rev().find(|p| p.parent.is_none() && &*p.git_ref == git_ref);
        let newest = newest.ok_or_else(|| Answer::error(403, "403 Forbidden"))?;
        Ok(Answer::json(200, &self.view().pipeline_details(newest)).unless_known(self.request))
    }

    pub(super) fn retry_pipeline(&mut self, id: &str) -> Reply {
        self.caller.may_write()?;
        let id = self.find_pipeline(id)?.id;
        self.world.retry_pipeline(id).map_err(|refusal| refused(refusal, ""))?;
        self.pipeline(&id.to_string()).map(|answer| Answer { status: 201, ..answer })
    }

    pub(super) fn cancel_pipeline(&mut self, id: &str) -> Reply {
        self.caller.may_write()?;
        let id = self.find_pipeline(id)?.id;
        self.world.cancel_pipeline(id).map_err(|refusal| refused(refusal, ""))?;
        self.pipeline(&id.to_string())
    }

    pub(super) fn create_pipeline(&mut self) -> Reply {
        self.caller.may_write()?;
        let git_ref = self.request.field("ref").ok_or_else(|| Answer::refusal(400, "ref is missing"))?;
        let id = self.world.create_pipeline(&git_ref).map_err(|refusal| refused(refusal, ""))?;
        self.pipeline(&id.to_string()).map(|answer| Answer { status: 201, ..answer })
    }
}

/// GitLab's words for an action that is not possible.
pub(super) fn refused(refusal: Refusal, verb: &str) -> Answer {
    match refusal {
        Refusal::NotFound => not_found(),
        Refusal::NotRetryable => Answer::error(403, "403 Forbidden - Job is not retryable"),
        Refusal::NotPlayable => Answer::error(400, "400 Bad request - Unplayable Job"),
        Refusal::NotErasable => Answer::error(403, "403 Forbidden - Job is not erasable!"),
        Refusal::NotCancelable => Answer::error(403, &format!("403 Forbidden - Job cannot {verb}")),
        Refusal::NoSuchRef => Answer::json(400, &serde_json::json!({ "message": { "base": ["Reference not found"] } })),
    }
}
