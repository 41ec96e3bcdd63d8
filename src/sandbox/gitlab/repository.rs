//! Branches, tags, commits and pushes over REST.

use serde_json::{Value, json};

use super::super::people::BOT;
use super::super::world::{Known, PushEvent, Refs, Refusal};
use super::access::Caller;
use super::http::Answer;
use super::paging::Page;
use super::wire::{PROJECT_ID, PROJECT_PATH};
use super::{Reply, Visit};

impl Visit<'_> {
    pub(super) fn branches(&self) -> Answer {
        let search = self.request.parameter("search").unwrap_or_default().to_owned();
        let matches = |name: &str| match (search.strip_prefix('^'), search.strip_suffix('$')) {
            (Some(begin), _) => name.starts_with(begin),
            (_, Some(end)) => name.ends_with(end),
            _ => name.contains(&search),
        };
        let all: Vec<_> = self.world.refs().branches().iter().filter(|(name, _)| matches(name)).collect();
        Page::of(self.request).answer(self.request, self.base, &all, |(name, known)| self.branch_row(name, known))
    }

    /// Only Maintainers are told.
    pub(super) fn protected_branches(&self) -> Reply {
        self.caller.signed_in()?;
        if self.caller != Caller::Operator {
            return Err(Answer::error(403, "403 Forbidden"));
        }
        let maintainers = json!([{ "id": 1, "access_level": 40, "access_level_description": "Maintainers" }]);
        let row = |(id, name): (usize, &&str)| {
            json!({
                "id": id + 1,
                "name": name,
                "push_access_levels": maintainers,
                "merge_access_levels": maintainers,
                "allow_force_push": false,
                "code_owner_approval_required": false,
            })
        };
        let all: Vec<Value> = Refs::PROTECTED.iter().enumerate().map(row).collect();
        Ok(Page::of(self.request).answer(self.request, self.base, &all, Clone::clone))
    }

    fn branch_row(&self, name: &str, known: &Known) -> Value {
        let escape = percent_encoding::utf8_percent_encode(name, percent_encoding::NON_ALPHANUMERIC);
        let is_protected = Refs::is_protected(name);
        json!({
            "name": name,
            "commit": self.view().commit_row(&known.commit, known.at),
            "merged": false,
            "protected": is_protected,
            "developers_can_push": false,
            "developers_can_merge": false,
            "can_push": self.caller == Caller::Operator,
            "default": name == "develop",
            "web_url": format!("{}/{PROJECT_PATH}/-/tree/{escape}", self.base),
        })
    }

    pub(super) fn branch(&self, name: &str) -> Reply {
        let known = self.world.refs().branches().get(name);
        let known = known.ok_or_else(|| Answer::error(404, "404 Branch Not Found"))?;
        Ok(Answer::json(200, &self.branch_row(name, known)).unless_known(self.request))
    }

    pub(super) fn delete_branch(&mut self, name: &str) -> Reply {
        self.caller.may_write()?;
        match self.world.delete_branch(name) {
            Ok(()) => Ok(Answer::bytes("application/json", Vec::new()).status(204)),
            Err(Refusal::NotFound) => Err(Answer::error(404, "404 Branch Not Found")),
            Err(_) => Err(Answer::error(403, "403 Forbidden - Protected branch cannot be deleted")),
        }
    }

    pub(super) fn tags(&self) -> Answer {
        let all: Vec<_> = self.world.refs().tags().iter().rev().collect();
        let row = |(name, known): &(&String, &Known)| {
            json!({
                "name": name,
                "message": "",
                "target": known.commit.sha,
                "commit": self.view().commit_row(&known.commit, known.at),
                "release": null,
                "protected": false,
                "created_at": null,
            })
        };
        Page::of(self.request).answer(self.request, self.base, &all, row)
    }

    pub(super) fn commit(&self, name: &str) -> Reply {
        let known = self.world.refs().commit(name).map(|known| (known.commit.clone(), known.at));
        // Pipelines whose branches are gone still have their commits.
        let of_pipeline = || {
            let pipeline = self.world.pipelines().rev().find(|p| &*p.commit.sha == name)?;
            Some((pipeline.commit.clone(), pipeline.created_at))
        };
        let (commit, at) = known.or_else(of_pipeline).ok_or_else(|| Answer::error(404, "404 Commit Not Found"))?;
        let view = self.view();
        let last = self.world.pipelines().rev().find(|p| p.parent.is_none() && p.commit.sha == commit.sha);
        let mut row = serde_json::to_value(view.commit_row(&commit, at)).unwrap_or_default();
        if let Some(fields) = row.as_object_mut() {
            fields.insert("stats".to_owned(), json!({ "additions": 1, "deletions": 0, "total": 1 }));
            fields.insert("status".to_owned(), last.map(|p| p.status.as_str()).into());
            fields.insert("project_id".to_owned(), PROJECT_ID.into());
            let last = last.map(|p| serde_json::to_value(view.pipeline(p)).unwrap_or_default());
            fields.insert("last_pipeline".to_owned(), last.unwrap_or_default());
        }
        Ok(Answer::json(200, &row).unless_known(self.request))
    }

    pub(super) fn events(&self) -> Reply {
        self.caller.signed_in()?;
        let action = self.choice(
            "action",
            &[
                "pushed",
                "created",
                "closed",
                "reopened",
                "merged",
                "commented",
                "joined",
                "left",
                "destroyed",
                "expired",
                "approved",
            ],
        )?;
        // Days, of which the one that is named does not count.
        let day = |name: &str| self.request.parameter(name).map(str::to_owned);
        let (after, before) = (day("after"), day("before"));
        let wanted = |event: &&PushEvent| {
            let at = event.at.to_string();
            let on = at.get(..10).unwrap_or_default();
            action.is_none_or(|action| action == "pushed")
                && after.as_deref().is_none_or(|day| on > day.get(..10).unwrap_or(day))
                && before.as_deref().is_none_or(|day| on < day.get(..10).unwrap_or(day))
        };
        let mut all: Vec<&PushEvent> = self.world.refs().events().iter().filter(wanted).collect();
        if self.choice("sort", &["asc", "desc"])? != Some("asc") {
            all.reverse();
        }
        Ok(Page::of(self.request).answer(self.request, self.base, &all, |event| self.event(event)))
    }

    fn event(&self, event: &PushEvent) -> Value {
        let word = match event.action {
            "created" => "pushed new",
            "removed" => "deleted",
            _ => "pushed to",
        };
        json!({
            "id": event.id,
            "project_id": PROJECT_ID,
            "action_name": word,
            "target_id": null,
            "target_iid": null,
            "target_type": null,
            "author_id": BOT.id,
            "target_title": null,
            "created_at": event.at,
            "author": self.view().user(&BOT),
            "imported": false,
            "imported_from": "none",
            "push_data": {
                "commit_count": event.commits,
                "action": event.action,
                "ref_type": event.kind,
                "commit_from": event.from,
                "commit_to": event.to,
                "ref": event.name,
                "commit_title": event.title,
                "ref_count": event.count,
            },
            "author_username": BOT.username,
        })
    }
}
