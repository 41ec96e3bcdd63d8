//! GitHub's GraphQL, as far as pull requests are asked for: `repository.pullRequests`, `repository.pullRequest`, `rateLimit`.
//!
//! Fields, aliases, arguments, variables and inline fragments work; a field that is not played is refused in GitHub's words.

use serde_json::{Map, Value, json};

use super::super::query::{Field, parse};
use super::REPOSITORY;
use super::hub::{Hub, login_of};
use super::pr::{Check, Judged, PrState, Pull, Status};
use super::rest::{combined_state, made_at};
use super::wire::{merge_commit, node};

/// A connection must say how many it wants, and no more than this.
const MOST: u64 = 100;

/// What one query answers, and what it costs.
pub struct Reply {
    pub body: Value,
    pub cost: u64,
}

/// Answers a request's body.
pub fn answer(hub: &mut Hub, body: &[u8], remaining: u64, reset: &str) -> Reply {
    let refused = |message: &str, kind: Option<&str>| Reply {
        body: json!({ "errors": [{ "message": message, "type": kind }] }),
        cost: 1,
    };
    let Ok(body) = serde_json::from_slice::<Value>(body) else { return refused("Problems parsing JSON", None) };
    let query = body.get("query").and_then(Value::as_str).unwrap_or_default();
    let empty = Map::new();
    let fields = match parse(query, body.get("variables").and_then(Value::as_object).unwrap_or(&empty)) {
        Ok(fields) => fields,
        Err(message) => return refused(&message, None),
    };
    let mut resolver = Resolver { hub, errors: Vec::new(), seen: Vec::new(), fan: 1, remaining, reset };
    let data = resolver.query(&fields);
    let (errors, seen, cost) = (resolver.errors, resolver.seen, (resolver.fan / 100).max(1));
    for number in seen {
        hub.look(number);
    }
    let mut reply = json!({ "data": data });
    if let (Some(fields), false) = (reply.as_object_mut(), errors.is_empty()) {
        fields.insert("errors".to_owned(), errors.into());
    }
    Reply { body: reply, cost }
}

struct Resolver<'a> {
    hub: &'a Hub,
    errors: Vec<Value>,
    /// Pull requests that were looked at.
    seen: Vec<u64>,
    /// How many connections the query opens: what GitHub counts.
    fan: u64,
    remaining: u64,
    reset: &'a str,
}

/// A row of a rollup.
enum Context<'a> {
    Check(&'a Check),
    Status(&'a Status),
}

impl Resolver<'_> {
    /// Answers each selected field by `resolve`; what `resolve` does not know is an error.
    fn object(
        &mut self,
        fields: &[Field],
        kind: &str,
        resolve: &mut dyn FnMut(&mut Self, &Field) -> Option<Value>,
    ) -> Value {
        let mut answer = Map::new();
        for field in fields {
            if let Some(of) = field.name.strip_prefix("... on ") {
                if of == kind
                    && let Value::Object(more) = self.object(&field.fields, kind, resolve)
                {
                    answer.extend(more);
                }
                continue;
            }
            let value = if field.name == "__typename" { Some(kind.into()) } else { resolve(self, field) };
            let value = value.unwrap_or_else(|| {
                let message = format!("Field '{}' doesn't exist on type '{kind}'", field.name);
                self.errors.push(json!({ "message": message, "type": "undefinedField" }));
                Value::Null
            });
            answer.insert(field.key.clone(), value);
        }
        Value::Object(answer)
    }

    /// One page of a connection, by position.
    fn connection<T>(
        &mut self,
        field: &Field,
        kind: &str,
        all: &[T],
        row: &mut dyn FnMut(&mut Self, &T, &[Field]) -> Value,
    ) -> Value {
        let Some(first) = field.number("first").filter(|first| (1..=MOST).contains(first)) else {
            let message = format!(
                "You must provide a `first` value from 1 to {MOST} to properly paginate the `{}` connection.",
                field.name
            );
            self.errors.push(json!({ "message": message, "type": "MISSING_PAGINATION_BOUNDARIES" }));
            return Value::Null;
        };
        self.fan += 1;
        let begin =
            field.text("after").and_then(|cursor| cursor.strip_prefix("Y3Vyc29y")).and_then(|at| at.parse().ok());
        let begin: usize = begin.unwrap_or(0).min(all.len());
        let end = all.len().min(begin + first as usize);
        let page = all.get(begin..end).unwrap_or_default();
        self.object(&field.fields, kind, &mut |it, f| {
            Some(match f.name.as_str() {
                "totalCount" => all.len().into(),
                "nodes" => page.iter().map(|one| row(it, one, &f.fields)).collect(),
                "pageInfo" => it.object(&f.fields, "PageInfo", &mut |_, f| {
                    Some(match f.name.as_str() {
                        "hasNextPage" => (end < all.len()).into(),
                        "endCursor" => (end > begin).then(|| format!("Y3Vyc29y{end}")).into(),
                        _ => return None,
                    })
                }),
                _ => return None,
            })
        })
    }

    fn query(&mut self, fields: &[Field]) -> Value {
        self.object(fields, "Query", &mut |it, f| {
            Some(match f.name.as_str() {
                "rateLimit" => {
                    let (remaining, reset) = (it.remaining, it.reset.to_owned());
                    it.object(&f.fields, "RateLimit", &mut |_, f| {
                        Some(match f.name.as_str() {
                            "cost" => 1.into(),
                            "limit" => super::limits::BUDGET.into(),
                            "remaining" => remaining.into(),
                            "resetAt" => reset.clone().into(),
                            "nodeCount" => 100.into(),
                            _ => return None,
                        })
                    })
                }
                "repository" => {
                    let named =
                        format!("{}/{}", f.text("owner").unwrap_or_default(), f.text("name").unwrap_or_default());
                    if named == REPOSITORY {
                        it.repository(&f.fields)
                    } else {
                        let message = format!("Could not resolve to a Repository with the name '{named}'.");
                        it.errors.push(json!({ "message": message, "type": "NOT_FOUND", "path": ["repository"] }));
                        Value::Null
                    }
                }
                _ => return None,
            })
        })
    }

    fn repository(&mut self, fields: &[Field]) -> Value {
        self.object(fields, "Repository", &mut |it, f| {
            Some(match f.name.as_str() {
                "nameWithOwner" => REPOSITORY.into(),
                "pullRequests" => {
                    let hub = it.hub;
                    let states = f.argument("states").cloned().unwrap_or_else(|| json!(["OPEN", "CLOSED", "MERGED"]));
                    let is_wanted = |pull: &&Pull| match &states {
                        Value::Array(words) => words.iter().any(|word| word == state(pull)),
                        word => word == state(pull),
                    };
                    let mut all: Vec<&Pull> = hub.pulls.values().filter(is_wanted).collect();
                    let order = f.argument("orderBy");
                    let of = |name: &str| order.and_then(|order| order.get(name)).and_then(Value::as_str);
                    if of("field") == Some("UPDATED_AT") {
                        all.sort_by_key(|pull| pull.updated_at);
                    }
                    if of("direction") == Some("DESC") {
                        all.reverse();
                    }
                    it.connection(f, "PullRequestConnection", &all, &mut |it, pull, fields| it.pull(pull, fields))
                }
                "pullRequest" => {
                    let hub = it.hub;
                    let pull = f.number("number").and_then(|number| hub.pulls.get(&number));
                    pull.map_or(Value::Null, |pull| it.pull(pull, &f.fields))
                }
                _ => return None,
            })
        })
    }

    fn pull(&mut self, pull: &Pull, fields: &[Field]) -> Value {
        self.seen.push(pull.number);
        let hub = self.hub;
        self.object(fields, "PullRequest", &mut |it, f| {
            Some(match f.name.as_str() {
                "id" => node("PR", pull.number).into(),
                "number" => pull.number.into(),
                "title" => (&*pull.title).into(),
                "state" => state(pull).into(),
                "isDraft" => pull.is_draft.into(),
                "createdAt" => made_at(pull.created_at),
                "updatedAt" => made_at(pull.updated_at),
                "headRefName" => (&*pull.head_ref).into(),
                "headRefOid" => pull.told_head().to_string().into(),
                "baseRefName" => (&*pull.base_ref).into(),
                "baseRefOid" => hub.branches.get(&*pull.base_ref).map(ToString::to_string).into(),
                "isCrossRepository" => true.into(),
                "changedFiles" => 1.into(),
                "reviewDecision" => Value::Null,
                "mergeable" => match pull.judged {
                    Judged::Clean(_) => "MERGEABLE",
                    Judged::Conflict => "CONFLICTING",
                    Judged::NotYet | Judged::Slow => "UNKNOWN",
                }
                .into(),
                "mergeStateStatus" => match pull.judged {
                    _ if pull.is_draft => "DRAFT",
                    Judged::Clean(_) => "BLOCKED",
                    Judged::Conflict => "DIRTY",
                    Judged::NotYet | Judged::Slow => "UNKNOWN",
                }
                .into(),
                "headRepository" => {
                    let named = pull.head_repo.clone();
                    named.map_or(Value::Null, |name| it.leaf(&f.fields, "Repository", "nameWithOwner", &name))
                }
                "headRepositoryOwner" => {
                    let owner = pull
                        .head_repo
                        .as_deref()
                        .and_then(|name| name.split_once('/'))
                        .map(|(owner, _)| owner.to_owned());
                    owner.map_or(Value::Null, |owner| it.leaf(&f.fields, "User", "login", &owner))
                }
                "author" => it.leaf(&f.fields, "User", "login", &login_of(&pull.author)),
                "potentialMergeCommit" => {
                    let merge = merge_commit(pull).filter(|_| pull.is_open());
                    merge.map_or(Value::Null, |id| it.leaf(&f.fields, "Commit", "oid", &id.to_string()))
                }
                "labels" => it.connection(f, "LabelConnection", &pull.labels, &mut |it, label, fields| {
                    it.leaf(fields, "Label", "name", label)
                }),
                "statusCheckRollup" => it.rollup(pull, &f.fields),
                _ => return None,
            })
        })
    }

    /// An object of one text.
    fn leaf(&mut self, fields: &[Field], kind: &str, name: &str, text: &str) -> Value {
        self.object(fields, kind, &mut |_, f| (f.name == name).then(|| text.into()))
    }

    fn rollup(&mut self, pull: &Pull, fields: &[Field]) -> Value {
        let (hub, head) = (self.hub, pull.told_head());
        let statuses = hub.latest_statuses(head);
        let checks: Vec<&Check> = hub.checks.get(&head).into_iter().flatten().collect();
        // The newest run of each name tells how it stands; all of them are listed.
        let newest =
            checks.iter().filter(|check| checks.iter().all(|one| one.name != check.name || one.id <= check.id));
        let newest: Vec<&Check> = newest.copied().collect();
        if checks.is_empty() && statuses.is_empty() {
            return Value::Null;
        }
        let is_bad = newest
            .iter()
            .any(|check| check.ended.is_some_and(|(word, _)| !["success", "neutral", "skipped"].contains(&word)));
        let word = match combined_state(&statuses) {
            "failure" => "FAILURE",
            _ if is_bad => "FAILURE",
            "pending" if !statuses.is_empty() => "PENDING",
            _ if newest.iter().any(|check| check.ended.is_none()) => "PENDING",
            _ => "SUCCESS",
        };
        let all: Vec<Context> =
            checks.into_iter().map(Context::Check).chain(statuses.into_iter().map(Context::Status)).collect();
        self.object(fields, "StatusCheckRollup", &mut |it, f| {
            Some(match f.name.as_str() {
                "state" => word.into(),
                "contexts" => it.connection(f, "StatusCheckRollupContextConnection", &all, &mut |it, one, fields| {
                    it.context(one, fields)
                }),
                _ => return None,
            })
        })
    }

    fn context(&mut self, context: &Context<'_>, fields: &[Field]) -> Value {
        match context {
            Context::Check(check) => self.object(fields, "CheckRun", &mut |it, f| {
                Some(match f.name.as_str() {
                    "name" => (&*check.name).into(),
                    "databaseId" => check.id.into(),
                    "status" => if check.ended.is_some() { "COMPLETED" } else { "IN_PROGRESS" }.into(),
                    "conclusion" => check.ended.map(|(word, _)| word.to_uppercase()).into(),
                    "startedAt" => made_at(check.started_at),
                    "completedAt" => check.ended.map(|(_, at)| made_at(at)).into(),
                    "detailsUrl" => format!("{}/{REPOSITORY}/actions/runs/{}", it.hub.base, check.id).into(),
                    _ => return None,
                })
            }),
            Context::Status(status) => self.object(fields, "StatusContext", &mut |_, f| {
                Some(match f.name.as_str() {
                    "context" => (&*status.context).into(),
                    "state" => status.state.to_uppercase().into(),
                    "targetUrl" => status.target_url.as_deref().into(),
                    "description" => status.description.as_deref().into(),
                    "createdAt" => made_at(status.at),
                    _ => return None,
                })
            }),
        }
    }
}

fn state(pull: &Pull) -> &'static str {
    match pull.state {
        PrState::Open => "OPEN",
        PrState::Closed => "CLOSED",
        PrState::Merged => "MERGED",
    }
}
