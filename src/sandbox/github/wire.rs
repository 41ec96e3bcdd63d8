//! GitHub's JSON, as version 2022-11-28 of its API writes it.
//!
//! Written here for the practice world alone, and held to GitHub's own description by tests. The adapter has types of its own, so that a
//! misunderstanding in one is not mirrored by the other.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::super::git::{Made, Oid};
use super::super::rng::hash;
use super::REPOSITORY;
use super::hub::{Hub, login_of};
use super::pr::{Check, Comment, Judged, PrState, Pull, Status};
use crate::ci::Timestamp;

/// The addresses that a repository names.
const REPOSITORY_URLS: &[&str] = &[
    "archive",
    "assignees",
    "blobs",
    "branches",
    "collaborators",
    "comments",
    "commits",
    "compare",
    "contents",
    "contributors",
    "deployments",
    "downloads",
    "events",
    "forks",
    "git_commits",
    "git_refs",
    "git_tags",
    "hooks",
    "issue_comment",
    "issue_events",
    "issues",
    "keys",
    "labels",
    "languages",
    "merges",
    "milestones",
    "notifications",
    "pulls",
    "releases",
    "stargazers",
    "statuses",
    "subscribers",
    "subscription",
    "tags",
    "teams",
    "trees",
];
/// The addresses that a user names.
const USER_URLS: &[&str] = &[
    "events",
    "followers",
    "following",
    "gists",
    "organizations",
    "received_events",
    "repos",
    "starred",
    "subscriptions",
];

/// GitHub writes times without milliseconds.
pub fn time(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text))
}

/// Everything as GitHub shows it.
#[derive(Clone, Copy)]
pub struct View<'a>(pub &'a Hub);

impl View<'_> {
    /// An address below the repository's.
    pub fn api(self, rest: &str) -> String {
        format!("{}/repos/{REPOSITORY}{rest}", self.0.base)
    }

    fn html(self, rest: &str) -> String {
        format!("{}/{REPOSITORY}{rest}", self.0.base)
    }

    pub fn user(self, login: &str) -> Value {
        let url = format!("{}/users/{login}", self.0.base);
        let mut fields: Map<String, Value> =
            USER_URLS.iter().map(|name| (format!("{name}_url"), format!("{url}/{name}").into())).collect();
        let kind = match login {
            "spack" => "Organization",
            login if login.ends_with("[bot]") => "Bot",
            _ => "User",
        };
        let rest = json!({
            "login": login,
            "id": hash(login) % 90_000_000,
            "node_id": node("U", hash(login)),
            "avatar_url": format!("{}/avatars/{login}", self.0.base),
            "gravatar_id": "",
            "url": url,
            "html_url": format!("{}/{login}", self.0.base),
            "type": kind,
            "site_admin": false,
        });
        fields.extend(object(rest));
        Value::Object(fields)
    }

    pub fn repository(self) -> Value {
        self.repository_of(REPOSITORY)
    }

    fn repository_of(self, name: &str) -> Value {
        let (owner, short) = name.split_once('/').unwrap_or(("spack", name));
        let url = format!("{}/repos/{name}", self.0.base);
        let html = format!("{}/{name}", self.0.base);
        let mut fields: Map<String, Value> =
            REPOSITORY_URLS.iter().map(|name| (format!("{name}_url"), format!("{url}/{name}").into())).collect();
        let begun = time(Timestamp::from_millis(1_740_000_000_000));
        let rest = json!({
            "id": hash(name) % 900_000_000,
            "node_id": node("R", hash(name)),
            "name": short,
            "full_name": name,
            "owner": self.user(owner),
            "private": false,
            "description": "The practice world's packages",
            "fork": name != REPOSITORY,
            "url": url,
            "html_url": html,
            "clone_url": format!("{html}.git"),
            "git_url": format!("{html}.git"),
            "ssh_url": format!("{html}.git"),
            "svn_url": html,
            "mirror_url": null,
            "homepage": null,
            "language": "Python",
            "license": null,
            "visibility": "public",
            "default_branch": "develop",
            "archived": false,
            "disabled": false,
            "has_discussions": false,
            "has_downloads": true,
            "has_issues": true,
            "has_pages": false,
            "has_projects": false,
            "has_wiki": false,
            "forks": 0,
            "forks_count": 0,
            "network_count": 0,
            "open_issues": self.0.open(),
            "open_issues_count": self.0.open(),
            "size": 1,
            "stargazers_count": 0,
            "subscribers_count": 0,
            "watchers": 0,
            "watchers_count": 0,
            "created_at": begun,
            "pushed_at": time(self.0.now()),
            "updated_at": begun,
        });
        fields.extend(object(rest));
        Value::Object(fields)
    }

    pub fn labels(self, labels: &[Arc<str>]) -> Value {
        let row = |label: &Arc<str>| {
            json!({
                "id": hash(label) % 9_000_000,
                "node_id": node("LA", hash(label)),
                "url": self.api(&format!("/labels/{}", escaped(label))),
                "name": label,
                "color": format!("{:06x}", hash(label) & 0xff_ffff),
                "default": false,
                "description": "",
            })
        };
        labels.iter().map(row).collect()
    }

    /// A pull request as lists have it.
    pub fn pull(self, pull: &Pull) -> Value {
        let number = pull.number;
        let url = self.api(&format!("/pulls/{number}"));
        let issue = self.api(&format!("/issues/{number}"));
        let html = self.html(&format!("/pull/{number}"));
        let login = login_of(&pull.author);
        let head = pull.told_head();
        let base = self.0.branches.get(&*pull.base_ref).copied().unwrap_or(Oid::ZERO);
        let statuses = self.api(&format!("/statuses/{head}"));
        let href = |url: String| json!({ "href": url });
        let links = json!({
            "self": href(url.clone()),
            "html": href(html.clone()),
            "issue": href(issue.clone()),
            "comments": href(format!("{issue}/comments")),
            "review_comments": href(format!("{url}/comments")),
            "review_comment": href(self.api("/pulls/comments{/number}")),
            "commits": href(format!("{url}/commits")),
            "statuses": href(statuses.clone()),
        });
        let owner = pull.head_repo.as_deref().and_then(|name| name.split_once('/')).map(|(owner, _)| owner);
        json!({
            "url": url,
            "id": 2_400_000_000_u64 + number,
            "node_id": node("PR", number),
            "html_url": html,
            "diff_url": format!("{html}.diff"),
            "patch_url": format!("{html}.patch"),
            "issue_url": issue,
            "commits_url": format!("{url}/commits"),
            "review_comments_url": format!("{url}/comments"),
            "review_comment_url": self.api("/pulls/comments{/number}"),
            "comments_url": format!("{issue}/comments"),
            "statuses_url": statuses,
            "number": number,
            "state": if pull.is_open() { "open" } else { "closed" },
            "locked": false,
            "title": pull.title,
            "user": self.user(&login),
            "body": format!("{}.\n\nWritten in the practice world.", pull.title),
            "labels": self.labels(&pull.labels),
            "milestone": null,
            "active_lock_reason": null,
            "created_at": time(pull.created_at),
            "updated_at": time(pull.updated_at),
            "closed_at": pull.closed_at.map(time),
            "merged_at": pull.merged_at.map(time),
            "merge_commit_sha": merge_commit(pull).map(|id| id.to_string()),
            "assignee": null,
            "assignees": [],
            "requested_reviewers": [],
            "requested_teams": [],
            "head": {
                "label": owner.map_or_else(|| format!("unknown:{}", pull.head_ref), |owner| format!("{owner}:{}", pull.head_ref)),
                "ref": pull.head_ref,
                "sha": head.to_string(),
                "user": self.user(owner.unwrap_or(&login)),
                "repo": pull.head_repo.as_deref().map(|name| self.repository_of(name)),
            },
            "base": {
                "label": format!("spack:{}", pull.base_ref),
                "ref": pull.base_ref,
                "sha": base.to_string(),
                "user": self.user("spack"),
                "repo": self.repository(),
            },
            "_links": links,
            "author_association": "CONTRIBUTOR",
            "auto_merge": null,
            "draft": pull.is_draft,
        })
    }

    /// A pull request as it is shown alone.
    pub fn pull_details(self, pull: &Pull) -> Value {
        let mergeable = match pull.judged {
            Judged::Clean(_) => Some(true),
            Judged::Conflict => Some(false),
            Judged::NotYet | Judged::Slow => None,
        };
        let word = match pull.judged {
            _ if pull.is_draft => "draft",
            Judged::Clean(_) => "blocked",
            Judged::Conflict => "dirty",
            Judged::NotYet | Judged::Slow => "unknown",
        };
        let comments = self.0.comments.iter().filter(|comment| comment.pull == pull.number).count();
        let mut whole = object(self.pull(pull));
        whole.extend(object(json!({
            "merged": pull.state == PrState::Merged,
            "mergeable": mergeable,
            "rebaseable": mergeable,
            "mergeable_state": word,
            "merged_by": pull.merged_at.map(|_| self.user("oncall")),
            "comments": comments,
            "review_comments": 0,
            "maintainer_can_modify": pull.head_repo.is_some(),
            "commits": pull.commits,
            "additions": pull.commits,
            "deletions": 0,
            "changed_files": 1,
        })));
        Value::Object(whole)
    }

    pub fn commit(self, made: &Made) -> Value {
        let sha = made.id.to_string();
        let url = self.api(&format!("/commits/{sha}"));
        let who = json!({ "name": made.about.author, "email": made.about.email, "date": time(made.at) });
        let parent = |id: &Oid| {
            json!({
                "sha": id.to_string(),
                "url": self.api(&format!("/commits/{id}")),
                "html_url": self.html(&format!("/commit/{id}")),
            })
        };
        let login = login_of(&made.about.author);
        json!({
            "sha": sha,
            "node_id": node("C", hash(&sha)),
            "url": url,
            "html_url": self.html(&format!("/commit/{sha}")),
            "comments_url": format!("{url}/comments"),
            "commit": {
                "url": self.api(&format!("/git/commits/{sha}")),
                "author": who,
                "committer": who,
                "message": made.about.message.trim_end(),
                "tree": { "sha": made.tree.to_string(), "url": self.api(&format!("/git/trees/{}", made.tree)) },
                "comment_count": 0,
                "verification": { "verified": false, "reason": "unsigned", "signature": null, "payload": null, "verified_at": null },
            },
            "author": self.user(&login),
            "committer": self.user(&login),
            "parents": made.parents.iter().map(parent).collect::<Vec<_>>(),
        })
    }

    /// A commit as pushes tell of it.
    pub fn push_commit(self, made: &Made) -> Value {
        let who =
            json!({ "name": made.about.author, "email": made.about.email, "username": login_of(&made.about.author) });
        json!({
            "id": made.id.to_string(),
            "tree_id": made.tree.to_string(),
            "distinct": true,
            "message": made.about.message.trim_end(),
            "timestamp": time(made.at),
            "url": self.html(&format!("/commit/{}", made.id)),
            "author": who,
            "committer": who,
            "added": [],
            "removed": [],
            "modified": [],
        })
    }

    pub fn branch(self, name: &str, id: Oid) -> Value {
        json!({
            "name": name,
            "commit": { "sha": id.to_string(), "url": self.api(&format!("/commits/{id}")) },
            "protected": self.0.is_protected(name),
        })
    }

    pub fn tag(self, name: &str, id: Oid) -> Value {
        json!({
            "name": name,
            "zipball_url": self.api(&format!("/zipball/refs/tags/{name}")),
            "tarball_url": self.api(&format!("/tarball/refs/tags/{name}")),
            "commit": { "sha": id.to_string(), "url": self.api(&format!("/commits/{id}")) },
            "node_id": node("REF", hash(name)),
        })
    }

    pub fn git_ref(self, name: &str, id: Oid) -> Value {
        json!({
            "ref": name,
            "node_id": node("REF", hash(name)),
            "url": self.api(&format!("/git/{name}")),
            "object": { "sha": id.to_string(), "type": "commit", "url": self.api(&format!("/git/commits/{id}")) },
        })
    }

    pub fn check(self, head: Oid, check: &Check) -> Value {
        let url = self.api(&format!("/check-runs/{}", check.id));
        let app = json!({
            "id": 15_368,
            "slug": "github-actions",
            "node_id": node("A", 15_368),
            "owner": self.user("github"),
            "name": "GitHub Actions",
            "description": "Automate your workflow from idea to production",
            "external_url": format!("{}/features/actions", self.0.base),
            "html_url": format!("{}/apps/github-actions", self.0.base),
            "created_at": "2018-07-30T09:30:17Z",
            "updated_at": "2024-04-10T20:33:16Z",
            "permissions": { "checks": "write", "metadata": "read" },
            "events": ["push"],
        });
        json!({
            "id": check.id,
            "name": check.name,
            "node_id": node("CR", check.id),
            "head_sha": head.to_string(),
            "external_id": "",
            "url": url,
            "html_url": self.html(&format!("/actions/runs/{}", check.id)),
            "details_url": self.html(&format!("/actions/runs/{}", check.id)),
            "status": if check.ended.is_some() { "completed" } else { "in_progress" },
            "conclusion": check.ended.map(|(word, _)| word),
            "started_at": time(check.started_at),
            "completed_at": check.ended.map(|(_, at)| time(at)),
            "output": { "title": null, "summary": null, "text": null, "annotations_count": 0, "annotations_url": format!("{url}/annotations") },
            "check_suite": { "id": check.id / 10 },
            "app": app,
            "pull_requests": [],
        })
    }

    /// A status without who posted it, as combined ones have it.
    pub fn status(self, sha: Oid, status: &Status) -> Value {
        json!({
            "url": self.api(&format!("/statuses/{sha}")),
            "avatar_url": null,
            "id": status.id,
            "node_id": node("SC", status.id),
            "state": status.state,
            "description": status.description,
            "target_url": status.target_url,
            "context": status.context,
            "created_at": time(status.at),
            "updated_at": time(status.at),
        })
    }

    pub fn whole_status(self, sha: Oid, status: &Status) -> Value {
        let mut whole = object(self.status(sha, status));
        whole.insert("creator".to_owned(), self.user("spackbot"));
        Value::Object(whole)
    }

    pub fn comment(self, comment: &Comment) -> Value {
        let html = self.html(&format!("/pull/{}#issuecomment-{}", comment.pull, comment.id));
        json!({
            "id": comment.id,
            "node_id": node("IC", comment.id),
            "url": self.api(&format!("/issues/comments/{}", comment.id)),
            "html_url": html,
            "issue_url": self.api(&format!("/issues/{}", comment.pull)),
            "user": self.user(&comment.author),
            "body": comment.body,
            "author_association": "MEMBER",
            "created_at": time(comment.at),
            "updated_at": time(comment.at),
        })
    }
}

/// The merge that GitHub tested, or the one that was made.
pub fn merge_commit(pull: &Pull) -> Option<Oid> {
    match pull.judged {
        _ if pull.merge_commit.is_some() => pull.merge_commit,
        Judged::Clean(merge) => Some(merge),
        _ => None,
    }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(fields) => fields,
        _ => Map::new(),
    }
}

/// A name for GraphQL.
pub fn node(kind: &str, id: u64) -> String {
    format!("{kind}_kwDOPractice{id:x}")
}

fn escaped(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}
