//! What webhooks tell, in GitHub's form.

use serde_json::{Value, json};

use super::super::git::{Made, Oid};
use super::hub::{Hub, login_of};
use super::pr::{Check, Comment, Pull, Status};
use super::wire::View;

/// One event, before it is delivered.
#[derive(Debug, Clone)]
pub struct News {
    /// GitHub's word for the kind.
    pub event: &'static str,
    pub body: Value,
}

impl News {
    pub(super) fn pull(hub: &Hub, pull: &Pull, action: &'static str, before: Option<Oid>) -> Self {
        let view = View(hub);
        let mut body = json!({
            "action": action,
            "number": pull.number,
            "pull_request": view.pull_details(pull),
            "repository": view.repository(),
            "sender": view.user(&login_of(&pull.author)),
        });
        if let (Some(fields), Some(before)) = (body.as_object_mut(), before) {
            fields.insert("before".to_owned(), before.to_string().into());
            fields.insert("after".to_owned(), pull.head.id.to_string().into());
        }
        Self { event: "pull_request", body }
    }

    pub(super) fn push(hub: &Hub, branch: &str, old: Oid, new: &Made) -> Self {
        let view = View(hub);
        let commit = view.push_commit(new);
        let body = json!({
            "ref": format!("refs/heads/{branch}"),
            "before": old.to_string(),
            "after": new.id.to_string(),
            "created": old == Oid::ZERO,
            "deleted": false,
            "forced": false,
            "base_ref": null,
            "compare": format!("{}/{}/compare/{old}...{}", hub.base, super::REPOSITORY, new.id),
            "commits": [commit],
            "head_commit": commit,
            "repository": view.repository(),
            "pusher": { "name": login_of(&new.about.author), "email": &*new.about.email },
            "sender": view.user(&login_of(&new.about.author)),
        });
        Self { event: "push", body }
    }

    pub(super) fn check(hub: &Hub, head: Oid, check: &Check, action: &'static str) -> Self {
        let view = View(hub);
        let body = json!({
            "action": action,
            "check_run": view.check(head, check),
            "repository": view.repository(),
            "sender": view.user("github-actions[bot]"),
        });
        Self { event: "check_run", body }
    }

    pub(super) fn status(hub: &Hub, sha: Oid, status: &Status) -> Self {
        let view = View(hub);
        let at = super::wire::time(status.at);
        let body = json!({
            "id": status.id,
            "sha": sha.to_string(),
            "name": super::REPOSITORY,
            "avatar_url": null,
            "target_url": status.target_url,
            "context": status.context,
            "description": status.description,
            "state": status.state,
            "commit": hub.graph.get(&sha).map(|made| view.commit(made)),
            "branches": [],
            "created_at": at,
            "updated_at": at,
            "repository": view.repository(),
            "sender": view.user("spackbot"),
        });
        Self { event: "status", body }
    }

    pub(super) fn comment(hub: &Hub, pull: &Pull, comment: &Comment) -> Self {
        let view = View(hub);
        let body = json!({
            "action": "created",
            "issue": {
                "number": pull.number,
                "title": pull.title,
                "state": if pull.is_open() { "open" } else { "closed" },
                "user": view.user(&login_of(&pull.author)),
                "labels": view.labels(&pull.labels),
                "pull_request": { "url": view.api(&format!("/pulls/{}", pull.number)) },
            },
            "comment": view.comment(comment),
            "repository": view.repository(),
            "sender": view.user(&comment.author),
        });
        Self { event: "issue_comment", body }
    }
}
