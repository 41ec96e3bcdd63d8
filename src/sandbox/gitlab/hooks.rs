//! What webhooks of this GitLab say: pipelines, jobs, pushes.

use serde_json::{Value, json};

use super::super::git::Oid;
use super::super::world::{Note, World};
use super::wire::{PROJECT_ID, PROJECT_PATH, View, failure_reason, is_bridge, queued_seconds, run_seconds};
use crate::ci::Timestamp;

/// The event's name and the body, as of now; `None` for what GitLab tells nobody.
pub fn news(world: &World, base: &str, note: &Note) -> Option<(&'static str, Value)> {
    let teller = Teller { world, view: View { world, base }, base };
    match note {
        Note::Pipeline(id) => Some(("Pipeline Hook", teller.pipeline(*id)?)),
        Note::Job(id) => Some(("Job Hook", teller.job(*id)?)),
        Note::Push { name, old, new } => {
            let (kind, event) =
                if name.starts_with("refs/tags/") { ("tag_push", "Tag Push Hook") } else { ("push", "Push Hook") };
            Some((event, teller.push(kind, name, *old, *new)))
        }
    }
}

struct Teller<'a> {
    world: &'a World,
    view: View<'a>,
    base: &'a str,
}

/// Webhooks write times in another way than the API.
fn time(at: Timestamp) -> String {
    let text = at.to_string();
    format!("{} UTC", text.split('.').next().unwrap_or(&text).replace('T', " "))
}

impl Teller<'_> {
    fn project(&self) -> Value {
        json!({
            "id": PROJECT_ID,
            "name": "spack-packages",
            "description": "The practice world of stackhand",
            "web_url": format!("{}/{PROJECT_PATH}", self.base),
            "git_http_url": format!("{}/{PROJECT_PATH}.git", self.base),
            "namespace": "spack",
            "visibility_level": 20,
            "path_with_namespace": PROJECT_PATH,
            "default_branch": "develop",
            "ci_config_path": ".ci/gitlab/.gitlab-ci.yml",
        })
    }

    fn pipeline(&self, id: crate::ci::PipelineId) -> Option<Value> {
        let pipeline = self.world.pipeline(id)?;
        let commit = &pipeline.commit;
        let parent = pipeline.parent.map(|(parent, job)| {
            json!({ "project": { "id": PROJECT_ID, "path_with_namespace": PROJECT_PATH }, "pipeline_id": parent.0, "job_id": job.0 })
        });
        let mut body = json!({
            "object_kind": "pipeline",
            "object_attributes": {
                "id": pipeline.id.0,
                "iid": pipeline.iid.0,
                "name": pipeline.name,
                "ref": pipeline.git_ref,
                "tag": pipeline.is_tag,
                "sha": commit.sha,
                "before_sha": commit.parents.first().map_or_else(|| Oid::ZERO.to_string(), ToString::to_string),
                "source": pipeline.source,
                "status": pipeline.status.as_str(),
                "detailed_status": pipeline.status.as_str(),
                "stages": pipeline.plan.stages,
                "created_at": time(pipeline.created_at),
                "finished_at": pipeline.finished_at.map(time),
                "duration": pipeline.started_at.zip(pipeline.finished_at).map(|(start, end)| end.since(start).as_secs()),
                "queued_duration": pipeline.started_at.map(|start| start.since(pipeline.created_at).as_secs()),
                "variables": [],
                "url": format!("{}/{PROJECT_PATH}/-/pipelines/{}", self.base, pipeline.id),
            },
            "merge_request": null,
            "user": self.view.user(pipeline.user),
            "project": self.project(),
            "commit": {
                "id": commit.sha,
                "message": commit.message,
                "title": commit.title,
                "timestamp": pipeline.created_at,
                "url": format!("{}/{PROJECT_PATH}/-/commit/{}", self.base, commit.sha),
                "author": { "name": commit.author, "email": commit.email },
            },
            "builds": [],
        });
        if let (Some(fields), Some(parent)) = (body.as_object_mut(), parent) {
            fields.insert("source_pipeline".to_owned(), parent);
        }
        Some(body)
    }

    fn job(&self, id: crate::ci::JobId) -> Option<Value> {
        let job = self.world.job(id).filter(|job| !is_bridge(self.world, job))?;
        let pipeline = self.world.pipeline_of(job);
        let entry = self.world.entry_of(job);
        let commit = &pipeline.commit;
        Some(json!({
            "object_kind": "build",
            "ref": pipeline.git_ref,
            "tag": pipeline.is_tag,
            "before_sha": commit.parents.first().map_or_else(|| Oid::ZERO.to_string(), ToString::to_string),
            "sha": commit.sha,
            "retries_count": job.attempt,
            "build_id": job.id.0,
            "build_name": self.world.name_of(job),
            "build_stage": pipeline.plan.stage(entry),
            "build_status": job.status.as_str(),
            "build_created_at": time(job.created_at),
            "build_started_at": job.started_at.map(time),
            "build_finished_at": job.finished_at.map(time),
            "build_duration": run_seconds(self.world, job),
            "build_queued_duration": queued_seconds(self.world, job),
            "build_allow_failure": entry.allow_failure,
            "build_failure_reason": failure_reason(job).unwrap_or("unknown_failure"),
            "pipeline_id": pipeline.id.0,
            "runner": job.runner.and_then(|at| self.world.runners().get(at)).map(|runner| {
                json!({ "id": runner.id.0, "description": runner.description, "runner_type": "instance_type", "active": true, "is_shared": true, "tags": runner.tags })
            }),
            "project_id": PROJECT_ID,
            "project_name": "spack / spack-packages",
            "user": self.view.user(job.user),
            "commit": { "id": pipeline.id.0, "sha": commit.sha, "message": commit.message, "author_name": commit.author, "author_email": commit.email, "status": pipeline.status.as_str() },
            "repository": { "name": "spack-packages", "homepage": format!("{}/{PROJECT_PATH}", self.base), "visibility_level": 20 },
            "project": self.project(),
        }))
    }

    fn push(&self, kind: &str, name: &str, old: Oid, new: Oid) -> Value {
        let known = self.world.refs().commit(&new.to_string());
        let commits: Vec<Value> = known
            .iter()
            .map(|known| {
                json!({
                    "id": known.commit.sha,
                    "message": known.commit.message,
                    "title": known.commit.title,
                    "timestamp": known.at,
                    "url": format!("{}/{PROJECT_PATH}/-/commit/{}", self.base, known.commit.sha),
                    "author": { "name": known.commit.author, "email": known.commit.email },
                    "added": [],
                    "modified": [],
                    "removed": [],
                })
            })
            .collect();
        let bot = &super::super::people::BOT;
        json!({
            "object_kind": kind,
            "event_name": kind,
            "before": old.to_string(),
            "after": new.to_string(),
            "ref": name,
            "ref_protected": name.strip_prefix("refs/heads/").is_some_and(super::super::world::Refs::is_protected),
            "checkout_sha": known.map(|known| known.commit.sha.clone()),
            "user_id": bot.id,
            "user_name": bot.name,
            "user_username": bot.username,
            "project_id": PROJECT_ID,
            "project": self.project(),
            "commits": commits,
            "total_commits_count": commits.len(),
        })
    }
}
