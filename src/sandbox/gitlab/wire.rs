//! GitLab's JSON, as GitLab 19.2 writes it.
//!
//! These types belong to the practice world alone. The adapter has its own, so that a misunderstanding in one is not mirrored by the other;
//! the contract tests hold them to GitLab's published samples.

use serde::Serialize;

use crate::ci::Timestamp;

use super::super::fleet::Runner;
use super::super::people::{Commit, User};
use super::super::plan::Role;
use super::super::transcript::estimated_size;
use super::super::world::{Job, Pipeline, World};

/// The project's number on its GitLab.
pub const PROJECT_ID: u64 = 57;
/// Namespace and name.
pub const PROJECT_PATH: &str = "spack/spack-packages";
/// The version that this GitLab claims.
pub const VERSION: &str = "19.2.0-ee";

/// What every entity needs to know: the world and the address of the server.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub world: &'a World,
    pub base: &'a str,
}

#[derive(Serialize)]
pub struct UserRow<'a> {
    id: u64,
    username: &'a str,
    public_email: Option<&'a str>,
    name: &'a str,
    state: &'a str,
    locked: bool,
    avatar_url: Option<&'a str>,
    web_url: String,
}

#[derive(Serialize)]
pub struct CommitRow<'a> {
    id: &'a str,
    short_id: &'a str,
    created_at: String,
    parent_ids: Vec<&'a str>,
    title: &'a str,
    message: &'a str,
    author_name: &'a str,
    author_email: &'a str,
    authored_date: String,
    committer_name: &'a str,
    committer_email: &'a str,
    committed_date: String,
    trailers: Empty,
    extended_trailers: Empty,
    web_url: String,
}

#[derive(Serialize)]
pub struct Empty {}

/// The short form of a pipeline.
#[derive(Serialize)]
pub struct PipelineRow<'a> {
    id: u64,
    iid: u64,
    project_id: u64,
    sha: &'a str,
    #[serde(rename = "ref")]
    git_ref: &'a str,
    status: &'a str,
    source: &'a str,
    created_at: Timestamp,
    updated_at: Timestamp,
    web_url: String,
}

#[derive(Serialize)]
pub struct NamedPipelineRow<'a> {
    #[serde(flatten)]
    row: PipelineRow<'a>,
    name: Option<&'a str>,
}

/// The long form of a pipeline.
#[derive(Serialize)]
pub struct PipelineDetails<'a> {
    #[serde(flatten)]
    row: NamedPipelineRow<'a>,
    before_sha: &'a str,
    tag: bool,
    yaml_errors: Option<&'a str>,
    user: UserRow<'a>,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    committed_at: Option<Timestamp>,
    duration: Option<u64>,
    queued_duration: Option<u64>,
    coverage: Option<&'a str>,
    detailed_status: DetailedStatus,
    archived: bool,
}

#[derive(Serialize)]
pub struct DetailedStatus {
    icon: String,
    text: String,
    label: String,
    group: String,
    tooltip: String,
    has_details: bool,
    details_path: String,
    illustration: Option<Empty>,
    favicon: String,
}

/// What builds and trigger jobs have in common.
#[derive(Serialize)]
pub struct JobCore<'a> {
    id: u64,
    status: &'a str,
    stage: &'a str,
    name: &'a str,
    #[serde(rename = "ref")]
    git_ref: &'a str,
    tag: bool,
    coverage: Option<f64>,
    allow_failure: bool,
    created_at: Timestamp,
    started_at: Option<Timestamp>,
    finished_at: Option<Timestamp>,
    erased_at: Option<Timestamp>,
    duration: Option<f64>,
    queued_duration: Option<f64>,
    user: UserRow<'a>,
    commit: CommitRow<'a>,
    pipeline: PipelineRow<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    failure_reason: Option<&'a str>,
    web_url: String,
    project: ProjectFlags,
}

#[derive(Serialize)]
pub struct ProjectFlags {
    ci_job_token_scope_enabled: bool,
}

/// A build.
#[derive(Serialize)]
pub struct JobRow<'a> {
    #[serde(flatten)]
    core: JobCore<'a>,
    artifacts: Vec<ArtifactRow<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    artifacts_file: Option<ArtifactFile<'a>>,
    runner: Option<RunnerRow<'a>>,
    runner_manager: Option<ManagerRow<'a>>,
    artifacts_expire_at: Option<Timestamp>,
    archived: bool,
    tag_list: &'a [&'static str],
}

#[derive(Serialize)]
pub struct ArtifactRow<'a> {
    file_type: &'a str,
    size: u64,
    filename: &'a str,
    file_format: Option<&'a str>,
}

#[derive(Serialize)]
pub struct ArtifactFile<'a> {
    filename: &'a str,
    size: u64,
}

/// A trigger job.
#[derive(Serialize)]
pub struct BridgeRow<'a> {
    #[serde(flatten)]
    core: JobCore<'a>,
    downstream_pipeline: Option<PipelineRow<'a>>,
}

#[derive(Serialize)]
pub struct RunnerRow<'a> {
    id: u64,
    description: &'a str,
    ip_address: Option<&'a str>,
    active: bool,
    paused: bool,
    is_shared: bool,
    runner_type: &'a str,
    name: &'a str,
    online: bool,
    created_at: Timestamp,
    status: &'a str,
    job_execution_status: &'a str,
}

#[derive(Serialize)]
pub struct RunnerDetails<'a> {
    #[serde(flatten)]
    row: RunnerRow<'a>,
    tag_list: &'a [&'static str],
    run_untagged: bool,
    locked: bool,
    maximum_timeout: u64,
    access_level: &'a str,
    version: &'a str,
    revision: &'a str,
    platform: &'a str,
    architecture: &'a str,
    contacted_at: Timestamp,
    maintenance_note: Option<&'a str>,
    projects: [Empty; 0],
    groups: [Empty; 0],
}

#[derive(Serialize)]
pub struct ManagerRow<'a> {
    id: u64,
    system_id: &'a str,
    version: &'a str,
    revision: &'a str,
    platform: &'a str,
    architecture: &'a str,
    created_at: Timestamp,
    contacted_at: Timestamp,
    ip_address: &'a str,
    status: &'a str,
}

#[derive(Serialize)]
pub struct ProjectRow<'a> {
    id: u64,
    description: &'a str,
    name: &'a str,
    name_with_namespace: &'a str,
    path: &'a str,
    path_with_namespace: &'a str,
    created_at: Timestamp,
    default_branch: &'a str,
    web_url: String,
    http_url_to_repo: String,
    visibility: &'a str,
    last_activity_at: Timestamp,
    #[serde(flatten)]
    inside: Option<ProjectInside<'a>>,
}

/// What a project shows only to a token.
#[derive(Serialize)]
pub struct ProjectInside<'a> {
    public_jobs: bool,
    build_timeout: u64,
    ci_config_path: &'a str,
    permissions: Permissions,
}

/// What the token's owner may do; the operator of the practice world is a developer.
#[derive(Serialize)]
pub struct Permissions {
    project_access: Option<Access>,
    group_access: Option<Access>,
}

#[derive(Serialize)]
pub struct Access {
    access_level: u8,
    notification_level: u8,
}

pub const RUNNER_VERSION: &str = "19.2.0";
const RUNNER_REVISION: &str = "4d2a6c1b";

impl<'a> View<'a> {
    pub fn project(self, inside: bool) -> ProjectRow<'a> {
        ProjectRow {
            id: PROJECT_ID,
            description: "The practice world of stackhand",
            name: "spack-packages",
            name_with_namespace: "spack / spack-packages",
            path: "spack-packages",
            path_with_namespace: PROJECT_PATH,
            created_at: super::super::world::EPOCH.shifted(-300 * 86_400_000),
            default_branch: "develop",
            web_url: format!("{}/{PROJECT_PATH}", self.base),
            http_url_to_repo: format!("{}/{PROJECT_PATH}.git", self.base),
            visibility: "public",
            last_activity_at: self.world.now(),
            inside: inside.then_some(ProjectInside {
                public_jobs: true,
                build_timeout: 21_600,
                ci_config_path: ".ci/gitlab/.gitlab-ci.yml",
                permissions: Permissions {
                    project_access: Some(Access { access_level: 30, notification_level: 3 }),
                    group_access: None,
                },
            }),
        }
    }

    pub fn user(self, user: &'a User) -> UserRow<'a> {
        UserRow {
            id: user.id,
            username: user.username,
            public_email: None,
            name: user.name,
            state: "active",
            locked: false,
            avatar_url: None,
            web_url: format!("{}/{}", self.base, user.username),
        }
    }

    fn commit(self, pipeline: &'a Pipeline) -> CommitRow<'a> {
        self.commit_row(&pipeline.commit, pipeline.created_at.shifted(-5_000))
    }

    pub fn commit_row(self, commit: &'a Commit, at: Timestamp) -> CommitRow<'a> {
        let date = at.to_string().replace('Z', "+00:00");
        CommitRow {
            id: &commit.sha,
            short_id: commit.sha.get(..8).unwrap_or(&commit.sha),
            created_at: date.clone(),
            parent_ids: commit.parents.iter().map(|p| &**p).collect(),
            title: &commit.title,
            message: &commit.message,
            author_name: &commit.author,
            author_email: &commit.email,
            authored_date: date.clone(),
            committer_name: &commit.author,
            committer_email: &commit.email,
            committed_date: date,
            trailers: Empty {},
            extended_trailers: Empty {},
            web_url: format!("{}/{PROJECT_PATH}/-/commit/{}", self.base, commit.sha),
        }
    }

    pub fn pipeline(self, pipeline: &'a Pipeline) -> PipelineRow<'a> {
        PipelineRow {
            id: pipeline.id.0,
            iid: pipeline.iid.0,
            project_id: PROJECT_ID,
            sha: &pipeline.commit.sha,
            git_ref: &pipeline.git_ref,
            status: pipeline.status.as_str(),
            source: pipeline.source,
            created_at: pipeline.created_at,
            updated_at: pipeline.updated_at,
            web_url: format!("{}/{PROJECT_PATH}/-/pipelines/{}", self.base, pipeline.id),
        }
    }

    pub fn named_pipeline(self, pipeline: &'a Pipeline) -> NamedPipelineRow<'a> {
        NamedPipelineRow { row: self.pipeline(pipeline), name: pipeline.name.as_deref() }
    }

    pub fn pipeline_details(self, pipeline: &'a Pipeline) -> PipelineDetails<'a> {
        let word = pipeline.status.as_str();
        let mut text = word.replace('_', " ");
        if let Some(first) = text.get_mut(..1) {
            first.make_ascii_uppercase();
        }
        PipelineDetails {
            row: self.named_pipeline(pipeline),
            before_sha: pipeline.commit.parents.first().map_or("0000000000000000000000000000000000000000", |p| p),
            tag: pipeline.is_tag,
            yaml_errors: None,
            user: self.user(pipeline.user),
            started_at: pipeline.started_at,
            finished_at: pipeline.finished_at,
            committed_at: None,
            duration: pipeline.started_at.zip(pipeline.finished_at).map(|(start, end)| end.since(start).as_secs()),
            queued_duration: pipeline.started_at.map(|start| start.since(pipeline.created_at).as_secs()),
            coverage: None,
            detailed_status: DetailedStatus {
                icon: format!("status_{word}"),
                text,
                label: word.into(),
                group: word.into(),
                tooltip: word.into(),
                has_details: true,
                details_path: format!("/{PROJECT_PATH}/-/pipelines/{}", pipeline.id),
                illustration: None,
                favicon: format!("/assets/ci_favicons/favicon_status_{word}.png"),
            },
            archived: false,
        }
    }

    fn core(self, job: &'a Job) -> JobCore<'a> {
        let pipeline = self.world.pipeline_of(job);
        let entry = self.world.entry_of(job);
        JobCore {
            id: job.id.0,
            status: job.status.as_str(),
            stage: pipeline.plan.stage(entry),
            name: self.world.name_of(job),
            git_ref: &pipeline.git_ref,
            tag: pipeline.is_tag,
            coverage: None,
            allow_failure: entry.allow_failure,
            created_at: job.created_at,
            started_at: job.started_at,
            finished_at: job.finished_at,
            erased_at: job.erased_at,
            duration: run_seconds(self.world, job),
            queued_duration: queued_seconds(self.world, job),
            user: self.user(job.user),
            commit: self.commit(pipeline),
            pipeline: self.pipeline(pipeline),
            failure_reason: failure_reason(job),
            web_url: format!("{}/{PROJECT_PATH}/-/jobs/{}", self.base, job.id),
            project: ProjectFlags { ci_job_token_scope_enabled: false },
        }
    }

    pub fn job(self, job: &'a Job) -> JobRow<'a> {
        let entry = self.world.entry_of(job);
        let runner = job.runner.and_then(|i| self.world.runners().get(i));
        let log = estimated_size(job);
        let mut artifacts = Vec::new();
        if log > 0 && job.erased_at.is_none() {
            artifacts.push(ArtifactRow { file_type: "trace", size: log, filename: "job.log", file_format: None });
        }
        let archive = super::artifacts::archive_size(self.world, job);
        if let Some(size) = archive {
            artifacts.push(ArtifactRow {
                file_type: "archive",
                size,
                filename: "artifacts.zip",
                file_format: Some("zip"),
            });
        }
        JobRow {
            core: self.core(job),
            artifacts,
            artifacts_file: archive.map(|size| ArtifactFile { filename: "artifacts.zip", size }),
            runner: runner.map(self::runner),
            runner_manager: runner.map(|r| self.manager(r)),
            artifacts_expire_at: None,
            archived: false,
            tag_list: &entry.tags,
        }
    }

    pub fn bridge(self, job: &'a Job) -> BridgeRow<'a> {
        let child = job.downstream.and_then(|id| self.world.pipeline(id));
        BridgeRow { core: self.core(job), downstream_pipeline: child.map(|p| self.pipeline(p)) }
    }

    pub fn runner_details(self, runner: &'a Runner) -> RunnerDetails<'a> {
        RunnerDetails {
            row: self::runner(runner),
            tag_list: runner.tags,
            run_untagged: false,
            locked: runner.protected,
            maximum_timeout: 21_600,
            access_level: if runner.protected { "ref_protected" } else { "not_protected" },
            version: RUNNER_VERSION,
            revision: RUNNER_REVISION,
            platform: runner.platform,
            architecture: runner.architecture,
            contacted_at: contact(self.world, runner),
            maintenance_note: None,
            projects: [],
            groups: [],
        }
    }

    pub fn manager(self, runner: &'a Runner) -> ManagerRow<'a> {
        ManagerRow {
            id: runner.id.0 + 40_000,
            system_id: &runner.system_id,
            version: RUNNER_VERSION,
            revision: RUNNER_REVISION,
            platform: runner.platform,
            architecture: runner.architecture,
            created_at: runner.created_at,
            contacted_at: contact(self.world, runner),
            ip_address: "10.0.31.118",
            status: status(runner),
        }
    }
}

/// When a runner was heard of; GitLab writes this down only every 40 to 55 minutes.
pub fn contact(world: &World, runner: &Runner) -> Timestamp {
    let every = 2_500_000 + (runner.id.0 as i64 % 10) * 80_000;
    let now = runner.silent_since.unwrap_or_else(|| world.now()).millis();
    Timestamp::from_millis(now - now % every)
}

/// The short form of a runner.
pub fn runner(runner: &Runner) -> RunnerRow<'_> {
    RunnerRow {
        id: runner.id.0,
        description: &runner.description,
        ip_address: None,
        active: !runner.paused,
        paused: runner.paused,
        is_shared: false,
        runner_type: "group_type",
        name: "gitlab-runner",
        online: runner.silent_since.is_none(),
        created_at: runner.created_at,
        status: status(runner),
        job_execution_status: if runner.busy > 0 { "active" } else { "idle" },
    }
}

/// GitLab's word for whether a runner was heard of in the last two hours.
pub fn status(runner: &Runner) -> &'static str {
    if runner.silent_since.is_some() { "offline" } else { "online" }
}

/// Seconds that a job ran, or has run so far.
pub fn run_seconds(world: &World, job: &Job) -> Option<f64> {
    let start = job.started_at?;
    Some(job.finished_at.unwrap_or_else(|| world.now()).since(start).as_millis() as f64 / 1_000.0)
}

/// Seconds that a job waited for a runner, or has waited so far.
pub fn queued_seconds(world: &World, job: &Job) -> Option<f64> {
    let since = job.queued_at?;
    let until = job.started_at.or(job.finished_at).unwrap_or_else(|| world.now());
    Some(until.since(since).as_millis() as f64 / 1_000.0)
}

/// GitLab's word for why a job failed.
pub fn failure_reason(job: &Job) -> Option<&'static str> {
    match job.failure() {
        Some(mishap) => Some(mishap.get().reason),
        None if job.status == crate::ci::Status::Failed => Some("unknown_failure"),
        None => None,
    }
}

/// Is this a trigger job?
pub fn is_bridge(world: &World, job: &Job) -> bool {
    world.entry_of(job).role == Role::Trigger
}
