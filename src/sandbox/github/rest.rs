//! GitHub over REST: the routes that stackhand and the jobs around it use.

use http::Method;
use serde_json::{Value, json};

use super::super::git::{Oid, base64};
use super::super::gitlab::{Answer, Request};
use super::REPOSITORY;
use super::acts::Act;
use super::answer::{Page, invalid, json, not_found, refusal};
use super::hub::Hub;
use super::pr::{Pull, Status};
use super::wire::{View, time};

type Reply = Result<Answer, Answer>;

/// GitHub takes no longer descriptions, bodies or lists of labels.
const DESCRIPTION: usize = 140;
const BODY: usize = 65_536;
const LABELS: usize = 100;

/// One request on its way through the routes.
pub struct Visit<'a> {
    pub hub: &'a mut Hub,
    pub request: &'a Request,
    pub may_write: bool,
}

/// Answers one request.
pub fn answer(mut visit: Visit<'_>) -> Answer {
    visit.route().unwrap_or_else(|refusal| refusal)
}

impl Visit<'_> {
    fn route(&mut self) -> Reply {
        let segments: Vec<String> = self.request.segments.clone();
        let path: Vec<&str> = segments.iter().map(String::as_str).collect();
        let ["repos", owner, name, rest @ ..] = path.as_slice() else { return Err(not_found()) };
        if self.request.method != Method::GET && !self.may_write {
            return Err(refusal(403, "Resource not accessible by personal access token"));
        }
        let repository = format!("{owner}/{name}");
        if let ("PUT", ["contents", path @ ..]) = (self.request.method.as_str(), rest) {
            return self.put_contents(&repository, &path.join("/"));
        }
        if repository != REPOSITORY {
            return Err(not_found());
        }
        match (self.request.method.as_str(), rest) {
            ("GET", []) => Ok(self.one(View(self.hub).repository())),
            ("GET", ["pulls"]) => self.pulls(),
            ("GET", ["pulls", number]) => self.pull(number),
            ("PATCH", ["pulls", number]) => self.change_pull(number),
            ("PUT", ["pulls", number, "merge"]) => self.merge_pull(number),
            ("GET", ["branches"]) => Ok(self.branches()),
            ("GET", ["branches", name @ ..]) => self.branch(&name.join("/")),
            ("GET", ["tags"]) => Ok(self.tags()),
            ("GET", ["commits", name @ .., "check-runs"]) => self.checks(&name.join("/")),
            ("GET", ["commits", name @ .., "status"]) => self.combined(&name.join("/")),
            ("GET", ["commits", name @ .., "statuses"]) => self.statuses(&name.join("/")),
            ("GET", ["commits", name @ ..]) => self.commit(&name.join("/")),
            ("GET", ["git", "ref", name @ ..]) => self.git_ref(&name.join("/")),
            ("POST", ["statuses", sha]) => self.post_status(sha),
            ("GET", ["issues", number, "labels"]) => self.labels(number),
            ("POST", ["issues", number, "labels"]) => self.add_labels(number),
            ("DELETE", ["issues", number, "labels", label]) => self.remove_label(number, label),
            ("GET", ["issues", number, "comments"]) => self.comments(number),
            ("POST", ["issues", number, "comments"]) => self.post_comment(number),
            _ => Err(not_found()),
        }
    }

    fn one(&self, value: Value) -> Answer {
        json(200, &value, self.request)
    }

    /// One page of rows.
    fn list<T>(&self, all: &[T], row: impl Fn(&T) -> Value) -> Answer {
        let page = Page::of(self.request);
        let rows: Value = page.cut(all).iter().map(row).collect();
        page.link(json(200, &rows, self.request), self.request, &self.hub.base, all.len())
    }

    fn body(&self) -> Result<Value, Answer> {
        serde_json::from_slice(&self.request.body).map_err(|_| refusal(400, "Problems parsing JSON"))
    }

    fn pulls(&self) -> Reply {
        let asked = |name: &str, default: &'static str| self.request.parameter(name).unwrap_or(default).to_owned();
        let (state, sort) = (asked("state", "open"), asked("sort", "created"));
        let direction = asked("direction", if sort == "created" { "desc" } else { "asc" });
        if !["open", "closed", "all"].contains(&state.as_str()) || !["asc", "desc"].contains(&direction.as_str()) {
            return Err(invalid("PullRequest", "state or direction is not valid"));
        }
        let (base, head) = (self.request.parameter("base"), self.request.parameter("head"));
        let wanted = |pull: &&Pull| {
            let owner = pull.head_repo.as_deref().and_then(|name| name.split_once('/')).map_or("", |(owner, _)| owner);
            (state == "all" || pull.is_open() == (state == "open"))
                && base.is_none_or(|base| *base == *pull.base_ref)
                && head.is_none_or(|head| *head == format!("{owner}:{}", pull.head_ref))
        };
        let mut all: Vec<&Pull> = self.hub.pulls.values().filter(wanted).collect();
        if sort == "updated" {
            all.sort_by_key(|pull| pull.updated_at);
        }
        if direction == "desc" {
            all.reverse();
        }
        Ok(self.list(&all, |pull| View(self.hub).pull(pull)))
    }

    fn number(&self, text: &str) -> Result<u64, Answer> {
        let number = text.parse().map_err(|_| not_found())?;
        if self.hub.pulls.contains_key(&number) { Ok(number) } else { Err(not_found()) }
    }

    fn pull(&mut self, number: &str) -> Reply {
        let number = self.number(number)?;
        let reply = self.hub.pulls.get(&number).map(|pull| View(self.hub).pull_details(pull)).ok_or_else(not_found);
        // The first who asks is told that nothing is known; the next one is told more.
        self.hub.look(number);
        Ok(self.one(reply?))
    }

    /// Closes, reopens or retargets it.
    fn change_pull(&mut self, number: &str) -> Reply {
        let number = self.number(number)?;
        let body = self.body()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let act = match (text("state"), text("base")) {
            (Some("closed"), _) => Act::Close,
            (Some("open"), _) => Act::Reopen,
            (None, Some(base)) if self.hub.branches.contains_key(base) => Act::Retarget(base.into()),
            _ => return Err(invalid("PullRequest", "state or base is not valid")),
        };
        self.hub.act(number, act).map_err(|no| invalid("PullRequest", &no.to_string()))?;
        self.pull(&number.to_string())
    }

    fn merge_pull(&mut self, number: &str) -> Reply {
        let number = self.number(number)?;
        self.hub.act(number, Act::Merge).map_err(|_| refusal(405, "Pull Request is not mergeable"))?;
        let merge = self.hub.pulls.get(&number).and_then(|pull| pull.merge_commit).map(|id| id.to_string());
        Ok(self.one(json!({ "sha": merge, "merged": true, "message": "Pull Request successfully merged" })))
    }

    /// A commit of one file on a branch of a fork that has an open pull request.
    fn put_contents(&mut self, repository: &str, path: &str) -> Reply {
        let body = self.body()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let (Some(branch), Some(message)) = (text("branch"), text("message")) else {
            return Err(invalid("Contents", "branch and message are needed"));
        };
        let content = text("content")
            .and_then(|text| base64(&text.replace('\n', "")))
            .and_then(|bytes| String::from_utf8(bytes).ok());
        let content = content.ok_or_else(|| invalid("Contents", "content is not valid Base64"))?;
        let is_clean = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
        if !path.split('/').all(is_clean) {
            return Err(invalid("Contents", "path contains a malformed path component"));
        }
        let is_it =
            |pull: &&Pull| pull.is_open() && pull.head_repo.as_deref() == Some(repository) && *pull.head_ref == *branch;
        let number = self.hub.pulls.values().find(is_it).map(|pull| pull.number).ok_or_else(not_found)?;
        let id = self.hub.commit_file(number, path, &content, message).map_err(|_| not_found())?;
        let commit = self.hub.graph.get(&id).map(|made| View(self.hub).commit(made));
        Ok(self.one(json!({ "content": { "path": path, "type": "file" }, "commit": commit })))
    }

    fn branches(&self) -> Answer {
        let protected = self.request.parameter("protected").and_then(|text| text.parse::<bool>().ok());
        let wanted = |(name, _): &(&String, &Oid)| protected.is_none_or(|wanted| self.hub.is_protected(name) == wanted);
        let all: Vec<(&String, &Oid)> = self.hub.branches.iter().filter(wanted).collect();
        self.list(&all, |(name, id)| View(self.hub).branch(name, **id))
    }

    fn branch(&self, name: &str) -> Reply {
        let id = self.hub.branches.get(name).ok_or_else(|| refusal(404, "Branch not found"))?;
        Ok(self.one(View(self.hub).branch(name, *id)))
    }

    fn tags(&self) -> Answer {
        let all: Vec<_> = self.hub.tags.iter().rev().collect();
        self.list(&all, |(name, id)| View(self.hub).tag(name, **id))
    }

    fn git_ref(&self, name: &str) -> Reply {
        let full = format!("refs/{name}");
        let id = match (name.strip_prefix("heads/"), name.strip_prefix("tags/")) {
            (Some(branch), _) => self.hub.branches.get(branch),
            (_, Some(tag)) => self.hub.tags.get(tag),
            _ => None,
        };
        Ok(self.one(View(self.hub).git_ref(&full, *id.ok_or_else(not_found)?)))
    }

    fn commit(&self, name: &str) -> Reply {
        let unknown = || refusal(422, &format!("No commit found for SHA: {name}"));
        let made = self.hub.find(name).ok_or_else(unknown)?;
        Ok(self.one(View(self.hub).commit(made)))
    }

    fn find(&self, name: &str) -> Result<Oid, Answer> {
        let unknown = || refusal(422, &format!("No commit found for SHA: {name}"));
        self.hub.find(name).map(|made| made.id).ok_or_else(unknown)
    }

    fn checks(&self, name: &str) -> Reply {
        let head = self.find(name)?;
        let (wanted, status) = (self.request.parameter("check_name"), self.request.parameter("status"));
        let all: Vec<_> = self
            .hub
            .checks
            .get(&head)
            .into_iter()
            .flatten()
            .rev()
            .filter(|check| wanted.is_none_or(|name| *name == *check.name))
            .filter(|check| status.is_none_or(|word| (word == "completed") == check.ended.is_some()))
            .collect();
        let page = Page::of(self.request);
        let rows: Vec<Value> = page.cut(&all).iter().map(|check| View(self.hub).check(head, check)).collect();
        let value = json!({ "total_count": all.len(), "check_runs": rows });
        Ok(page.link(json(200, &value, self.request), self.request, &self.hub.base, all.len()))
    }

    fn combined(&self, name: &str) -> Reply {
        let sha = self.find(name)?;
        let all = self.hub.latest_statuses(sha);
        let page = Page::of(self.request);
        let rows: Vec<Value> = page.cut(&all).iter().map(|status| View(self.hub).status(sha, status)).collect();
        let url = View(self.hub).api(&format!("/commits/{sha}"));
        let value = json!({
            "state": combined_state(&all),
            "sha": sha.to_string(),
            "total_count": all.len(),
            "statuses": rows,
            "repository": View(self.hub).repository(),
            "commit_url": url,
            "url": format!("{url}/status"),
        });
        Ok(page.link(json(200, &value, self.request), self.request, &self.hub.base, all.len()))
    }

    fn statuses(&self, name: &str) -> Reply {
        let sha = self.find(name)?;
        let all: Vec<&Status> = self.hub.statuses.get(&sha).into_iter().flatten().rev().collect();
        Ok(self.list(&all, |status| View(self.hub).whole_status(sha, status)))
    }

    fn post_status(&mut self, sha: &str) -> Reply {
        let body = self.body()?;
        let text = |name: &str| body.get(name).and_then(Value::as_str);
        let known = Oid::parse(sha).filter(|id| self.hub.graph.contains_key(id));
        let id = known.ok_or_else(|| invalid("Status", &format!("No commit found for SHA: {sha}")))?;
        let state = text("state").filter(|word| ["error", "failure", "pending", "success"].contains(word));
        let state = state.ok_or_else(|| invalid("Status", "State is not included in the list"))?;
        if text("description").is_some_and(|text| text.chars().count() > DESCRIPTION) {
            return Err(invalid("Status", "Description is too long (maximum is 140 characters)"));
        }
        let context = text("context").unwrap_or("default");
        let posted = self.hub.post_status(id, context, state, text("description"), text("target_url"));
        let status = posted.map_err(|why| invalid("Status", why))?;
        Ok(json(201, &View(self.hub).whole_status(id, &status), self.request))
    }

    fn labels(&self, number: &str) -> Reply {
        let number = self.number(number)?;
        let labels = self.hub.pulls.get(&number).map(|pull| View(self.hub).labels(&pull.labels));
        Ok(self.one(labels.ok_or_else(not_found)?))
    }

    fn add_labels(&mut self, number: &str) -> Reply {
        let number = self.number(number)?;
        let body = self.body()?;
        let wanted = body.get("labels").unwrap_or(&body).as_array().cloned().unwrap_or_default();
        let count = self.hub.pulls.get(&number).map_or(0, |pull| pull.labels.len());
        if wanted.is_empty() || count + wanted.len() > LABELS {
            return Err(invalid("Label", "labels must be between 1 and 100 names"));
        }
        for label in wanted.iter().filter_map(Value::as_str) {
            // A closed one is not labelled here; its labels are shown as they are.
            let _ = self.hub.act(number, Act::Label(label.into()));
        }
        self.labels(&number.to_string())
    }

    fn remove_label(&mut self, number: &str, label: &str) -> Reply {
        let number = self.number(number)?;
        if !self.hub.pulls.get(&number).is_some_and(|pull| pull.labels.iter().any(|one| **one == *label)) {
            return Err(refusal(404, "Label does not exist"));
        }
        self.hub.act(number, Act::Unlabel(label.into())).map_err(|_| not_found())?;
        self.labels(&number.to_string())
    }

    fn comments(&self, number: &str) -> Reply {
        let number = self.number(number)?;
        let since = self.request.time("since");
        let wanted =
            |comment: &&super::pr::Comment| comment.pull == number && since.is_none_or(|since| comment.at >= since);
        let all: Vec<_> = self.hub.comments.iter().filter(wanted).collect();
        Ok(self.list(&all, |comment| View(self.hub).comment(comment)))
    }

    fn post_comment(&mut self, number: &str) -> Reply {
        let number = self.number(number)?;
        let body = self.body()?;
        let text = body.get("body").and_then(Value::as_str).filter(|text| !text.is_empty());
        let text = text.ok_or_else(|| invalid("IssueComment", "body can't be blank"))?;
        if text.chars().count() > BODY {
            return Err(invalid("IssueComment", "body is too long (maximum is 65536 characters)"));
        }
        let comment = self.hub.comment(number, "spackbot", text);
        Ok(json(201, &View(self.hub).comment(&comment), self.request))
    }
}

/// GitHub's sum of the newest statuses: without any, it is pending.
pub(super) fn combined_state(all: &[&Status]) -> &'static str {
    let any = |words: &[&str]| all.iter().any(|status| words.contains(&&*status.state));
    match () {
        () if any(&["error", "failure"]) => "failure",
        () if all.is_empty() || any(&["pending"]) => "pending",
        () => "success",
    }
}

/// When a status or check was made, as GraphQL has it too.
pub(super) fn made_at(at: crate::ci::Timestamp) -> Value {
    time(at).into()
}
