//! Answers checked queries from the world.

use serde_json::{Map, Value, json};

use crate::ci::{JobId, Status, Timestamp};

use super::super::super::fleet::Runner;
use super::super::super::mishaps::MishapId;
use super::super::super::query::Field;
use super::super::super::world::{Job, Pipeline, World};
use super::super::cursor;
use super::super::wire::{self, PROJECT_ID, PROJECT_PATH, is_bridge, queued_seconds, run_seconds};

/// The world, and what the query that is being answered costs.
pub struct Resolver<'a> {
    pub world: &'a World,
    pub score: u64,
    pub limit: u64,
}

/// Answers each selected field by `resolve`.
fn object(fields: &[Field], type_name: &str, mut resolve: impl FnMut(&Field) -> Value) -> Value {
    let value = |f: &Field| if f.name == "__typename" { type_name.into() } else { resolve(f) };
    let pairs = fields.iter().map(value);
    Value::Object(fields.iter().map(|f| f.key.clone()).zip(pairs).collect::<Map<_, _>>())
}

fn upper(text: &str) -> Value {
    text.to_uppercase().into()
}

fn gid(kind: &str, id: impl std::fmt::Display) -> Value {
    format!("gid://gitlab/{kind}/{id}").into()
}

/// GraphQL writes times without milliseconds.
fn time(at: Timestamp) -> Value {
    let text = at.to_string();
    format!("{}Z", text.split('.').next().unwrap_or(&text)).into()
}

fn maybe(at: Option<Timestamp>) -> Value {
    at.map_or(Value::Null, time)
}

impl Resolver<'_> {
    pub fn query(&self, fields: &[Field]) -> Value {
        object(fields, "Query", |f| match f.name.as_str() {
            "project" if f.text("fullPath") == Some(PROJECT_PATH) => self.project(&f.fields),
            "queryComplexity" => object(&f.fields, "QueryComplexity", |f| {
                if f.name == "score" { self.score.into() } else { self.limit.into() }
            }),
            _ => Value::Null,
        })
    }

    fn project(&self, fields: &[Field]) -> Value {
        object(fields, "Project", |f| match f.name.as_str() {
            "id" => gid("Project", PROJECT_ID),
            "fullPath" => PROJECT_PATH.into(),
            "pipeline" => {
                let number = f.argument("iid").map(|iid| iid.as_str().map_or_else(|| iid.to_string(), str::to_owned));
                let is_it = |p: &&Pipeline| {
                    number.as_ref().is_none_or(|n| p.iid.to_string() == *n)
                        && f.text("sha").is_none_or(|s| *p.commit.sha == *s)
                };
                let asked = number.is_some() || f.text("sha").is_some();
                self.world
                    .pipelines()
                    .rev()
                    .find(|p| asked && is_it(p))
                    .map_or(Value::Null, |p| self.pipeline(p, &f.fields))
            }
            "pipelines" => self.pipelines(f),
            "jobs" => self.jobs(self.world.jobs().rev(), f),
            "runners" => {
                let mut all: Vec<&Runner> = self.world.runners().iter().collect();
                all.sort_by_key(|runner| std::cmp::Reverse(runner.id));
                connection(f, "CiRunnerConnection", &all, |r| r.id.0, |r, fields| self.runner(r, fields))
            }
            _ => Value::Null,
        })
    }

    fn runner(&self, r: &Runner, fields: &[Field]) -> Value {
        let heard = || time(wire::contact(self.world, r));
        object(fields, "CiRunner", |f| match f.name.as_str() {
            "id" => gid("Ci::Runner", r.id),
            "description" => (*r.description).into(),
            "shortSha" => (*r.token).into(),
            "status" => upper(wire::status(r)),
            "paused" => r.paused.into(),
            "contactedAt" => heard(),
            "tagList" => json!(r.tags),
            "runUntagged" => false.into(),
            "accessLevel" => if r.protected { "REF_PROTECTED" } else { "NOT_PROTECTED" }.into(),
            "managers" => connection(
                f,
                "CiRunnerManagerConnection",
                &[r],
                |r| r.id.0,
                |r, fields| {
                    object(fields, "CiRunnerManager", |f| match f.name.as_str() {
                        "id" => gid("Ci::RunnerManager", r.id),
                        "systemId" => (*r.system_id).into(),
                        "version" => wire::RUNNER_VERSION.into(),
                        "contactedAt" => heard(),
                        "status" => upper(wire::status(r)),
                        "platformName" => r.platform.into(),
                        _ => r.architecture.into(),
                    })
                },
            ),
            _ => Value::Null,
        })
    }

    fn pipelines(&self, f: &Field) -> Value {
        let after = f.text("updatedAfter").and_then(Timestamp::parse);
        let before = f.text("updatedBefore").and_then(Timestamp::parse);
        let status = f.text("status").map(Status::parse);
        let source = f.text("source");
        let wanted = |p: &&Pipeline| {
            p.parent.is_some() == (source == Some("parent_pipeline"))
                && source.is_none_or(|s| p.source == s)
                && status.is_none_or(|s| p.status == s)
                && f.text("ref").is_none_or(|r| *p.git_ref == *r)
                && f.text("sha").is_none_or(|s| *p.commit.sha == *s)
                && f.text("username").is_none_or(|u| p.user.username == u)
                && after.is_none_or(|t| p.updated_at > t)
                && before.is_none_or(|t| p.updated_at < t)
                && match f.text("scope") {
                    Some("RUNNING") => p.status == Status::Running,
                    Some("PENDING") => p.status == Status::Pending,
                    Some("FINISHED") => p.status.is_terminal(),
                    Some("TAGS") => false,
                    _ => true,
                }
        };
        let all: Vec<&Pipeline> = self.world.pipelines().rev().filter(wanted).collect();
        connection(f, "PipelineConnection", &all, |p| p.id.0, |p, fields| self.pipeline(p, fields))
    }

    fn jobs<'w>(&self, jobs: impl Iterator<Item = &'w Job>, f: &Field) -> Value {
        let statuses: Option<Vec<Status>> = f
            .argument("statuses")
            .and_then(Value::as_array)
            .map(|list| list.iter().filter_map(Value::as_str).map(Status::parse).collect());
        let retried = f.argument("retried").and_then(Value::as_bool);
        let bridges = f.text("jobKind").map(|kind| kind == "BRIDGE");
        let wanted = |j: &&Job| {
            statuses.as_ref().is_none_or(|s| s.contains(&j.status))
                && retried.is_none_or(|r| j.retried == r)
                && bridges.is_none_or(|b| is_bridge(self.world, j) == b)
        };
        let all: Vec<&Job> = jobs.filter(wanted).collect();
        connection(f, "CiJobConnection", &all, |j| j.id.0, |j, fields| self.job(j, fields))
    }

    fn pipeline(&self, p: &Pipeline, fields: &[Field]) -> Value {
        object(fields, "Pipeline", |f| match f.name.as_str() {
            "id" => gid("Ci::Pipeline", p.id),
            "iid" => p.iid.to_string().into(),
            "name" => p.name.as_deref().into(),
            "sha" => (*p.commit.sha).into(),
            "ref" => (*p.git_ref).into(),
            "status" => upper(p.status.as_str()),
            "source" => p.source.into(),
            "child" => p.parent.is_some().into(),
            "totalJobs" => p.jobs.len().into(),
            "createdAt" => time(p.created_at),
            "updatedAt" => time(p.updated_at),
            "startedAt" => maybe(p.started_at),
            "finishedAt" => maybe(p.finished_at),
            "duration" => p.started_at.zip(p.finished_at).map(|(start, end)| end.since(start).as_secs()).into(),
            "queuedDuration" => p.started_at.map(|start| start.since(p.created_at).as_secs_f64()).into(),
            "usesNeeds" => true.into(),
            "path" => format!("/{PROJECT_PATH}/-/pipelines/{}", p.id).into(),
            "yamlErrors" | "warnings" | "stuck" => false.into(),
            "project" => self.project(&f.fields),
            "upstream" => p
                .parent
                .and_then(|(id, _)| self.world.pipeline(id))
                .map_or(Value::Null, |p| self.pipeline(p, &f.fields)),
            "sourceJob" => {
                p.parent.and_then(|(_, id)| self.world.job(id)).map_or(Value::Null, |j| self.job(j, &f.fields))
            }
            "downstream" => {
                let children = p.latest.iter().filter_map(|id| self.world.job(*id)?.downstream);
                let mut children: Vec<&Pipeline> = children.filter_map(|id| self.world.pipeline(id)).collect();
                children.sort_by_key(|p| std::cmp::Reverse(p.id));
                connection(f, "PipelineConnection", &children, |p| p.id.0, |p, fields| self.pipeline(p, fields))
            }
            "jobs" => self.jobs(self.world.jobs_of(p.id, true), f),
            _ => Value::Null,
        })
    }

    fn job(&self, j: &Job, fields: &[Field]) -> Value {
        let (pipeline, entry) = (self.world.pipeline_of(j), self.world.entry_of(j));
        let bridge = is_bridge(self.world, j);
        let failure = j.failure().map(MishapId::get);
        object(fields, "CiJob", |f| match f.name.as_str() {
            "id" => gid(if bridge { "Ci::Bridge" } else { "Ci::Build" }, j.id),
            "name" => (**self.world.name_of(j)).into(),
            "status" => upper(j.status.as_str()),
            "kind" => if bridge { "BRIDGE" } else { "BUILD" }.into(),
            "allowFailure" => entry.allow_failure.into(),
            "schedulingType" => if entry.needs.is_some() { "dag" } else { "stage" }.into(),
            "stage" => object(&f.fields, "CiStage", |s| match s.name.as_str() {
                "id" => gid("Ci::Stage", pipeline.id.0 * 100 + entry.stage as u64),
                "name" => (**pipeline.plan.stage(entry)).into(),
                _ => Value::Null,
            }),
            "tags" => json!(&*entry.tags),
            "createdAt" => time(j.created_at),
            "queuedAt" => maybe(j.queued_at),
            "startedAt" => maybe(j.started_at),
            "finishedAt" => maybe(j.finished_at),
            "erasedAt" => maybe(j.erased_at),
            "duration" => run_seconds(self.world, j).map(|s| s as u64).into(),
            "queuedDuration" => queued_seconds(self.world, j).into(),
            "retried" => j.retried.into(),
            "retryable" => (!j.retried && j.status.is_retryable()).into(),
            "playable" | "manualJob" => (j.status == Status::Manual).into(),
            "cancelable" => j.status.is_cancelable().into(),
            "stuck" | "triggered" => false.into(),
            "failureMessage" => failure.map(|m| m.reason.replace('_', " ")).into(),
            "exitCode" => failure.and_then(|m| m.exit_code).into(),
            "source" => pipeline.source.into(),
            "refName" => (*pipeline.git_ref).into(),
            "shortSha" => pipeline.commit.sha.get(..8).into(),
            "webPath" => format!("/{PROJECT_PATH}/-/jobs/{}", j.id).into(),
            "runner" => {
                j.runner.and_then(|i| self.world.runners().get(i)).map_or(Value::Null, |r| self.runner(r, &f.fields))
            }
            "pipeline" => self.pipeline(pipeline, &f.fields),
            "project" => self.project(&f.fields),
            "downstreamPipeline" => {
                j.downstream.and_then(|id| self.world.pipeline(id)).map_or(Value::Null, |p| self.pipeline(p, &f.fields))
            }
            "needs" => needs(j.id, pipeline, entry.needs.as_deref().unwrap_or_default(), &f.fields),
            _ => Value::Null,
        })
    }
}

/// A need has an id of its own and the name of the job; it is not the job's id.
fn needs(job: JobId, pipeline: &Pipeline, needs: &[u32], fields: &[Field]) -> Value {
    object(fields, "CiBuildNeedConnection", |f| match f.name.as_str() {
        "nodes" => needs
            .iter()
            .map(|n| {
                object(&f.fields, "CiBuildNeed", |f| match f.name.as_str() {
                    "id" => gid("Ci::BuildNeed", job.0 * 64 + u64::from(*n)),
                    _ => (*pipeline.plan.entry(*n).name).into(),
                })
            })
            .collect(),
        _ => object(&f.fields, "PageInfo", |f| if f.name.starts_with("has") { false.into() } else { Value::Null }),
    })
}

/// One page of a list that is sorted by falling id.
fn connection<T>(
    f: &Field,
    name: &str,
    all: &[T],
    id: impl Fn(&T) -> u64,
    node: impl Fn(&T, &[Field]) -> Value,
) -> Value {
    let first = f.number("first").unwrap_or(100).min(100) as usize;
    let after = f.text("after").and_then(cursor::read);
    let start = after.map_or(0, |after| all.iter().position(|item| id(item) < after).unwrap_or(all.len()));
    let page: Vec<&T> = all.iter().skip(start).take(first).collect();
    let end = page.last().map(|item| cursor::write(id(item)));
    object(&f.fields, name, |f| match f.name.as_str() {
        "count" => all.len().min(1_001).into(),
        "nodes" => page.iter().map(|item| node(item, &f.fields)).collect(),
        _ => object(&f.fields, "PageInfo", |f| match f.name.as_str() {
            "hasNextPage" => (start + page.len() < all.len()).into(),
            "hasPreviousPage" => (start > 0).into(),
            "startCursor" => page.first().map(|item| cursor::write(id(item))).into(),
            _ => end.clone().into(),
        }),
    })
}
