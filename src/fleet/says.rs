//! What a job's pod says about its job, in annotations (exact) and labels (sanitised: `/` became `_`, the end was cut off).
//!
//! An annotation is believed first. What only a label tells is marked inexact, unless it is a number or a hash, which sanitising cannot change.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::wire;
use crate::ci::{JobId, PipelineId};

/// Label that every job's pod carries.
pub const JOB_POD: (&str, &str) = ("spack.io/runner", "true");
/// The label under which a pod names the runner manager that made it.
pub const RUNNER_NAME: &str = "manager.runner.gitlab.com/name";

/// A fact, and whether it is told as it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said<T> {
    pub value: T,
    /// Not rewritten or cut off on the way.
    pub is_exact: bool,
}

/// Everything a pod says about its job. `None`: it does not say, or says nothing (an unset variable leaves an empty label).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Says {
    pub job: Option<JobId>,
    /// Labels and annotations name different jobs; `job` is the one of the runner's own annotation.
    pub has_two_jobs: bool,
    pub job_name: Option<Arc<str>>,
    pub job_url: Option<Arc<str>>,
    pub pipeline: Option<PipelineId>,
    pub project_id: Option<u64>,
    /// Namespace and name: `spack/spack-packages`.
    pub project: Option<Said<Arc<str>>>,
    pub git_ref: Option<Said<Arc<str>>>,
    pub sha: Option<Arc<str>>,
    pub stage: Option<Said<Arc<str>>>,
    pub size: Option<Said<Arc<str>>>,
    pub stack: Option<Said<Arc<str>>>,
    pub package: Option<Said<Arc<str>>>,
    pub version: Option<Arc<str>>,
    pub hash: Option<Arc<str>>,
    pub compiler: Option<Arc<str>>,
    pub arch: Option<Arc<str>>,
    pub variants: Option<Arc<str>>,
    pub build_jobs: Option<u32>,
    /// The manager pod that made this one; its description in GitLab's list of runners.
    pub runner: Option<Arc<str>>,
    /// The start of the runner's token, as metrics carry it.
    pub runner_token: Option<Arc<str>>,
    /// How long the job may run.
    pub timeout: Option<Duration>,
    /// When the clean-up takes the pod, after its creation.
    pub ttl: Option<Duration>,
}

type Texts = BTreeMap<Arc<str>, Arc<str>>;

impl Says {
    /// Reads labels and annotations.
    pub fn of(labels: &Texts, annotations: &Texts) -> Self {
        let get = |texts: &Texts, key: &str| texts.get(key).filter(|text| !text.is_empty()).cloned();
        let label = |key: &str| get(labels, key);
        let note = |key: &str| get(annotations, key);
        let either = |annotation: &str, on_label: &str| {
            let exact = note(annotation).map(|value| Said { value, is_exact: true });
            exact.or_else(|| label(on_label).map(|value| Said { value, is_exact: false }))
        };
        let jobs = [
            note("job.runner.gitlab.com/id"),
            note("gitlab/ci_job_id"),
            label("gitlab/ci_job_id"),
            note("gitlab/ci_job_url").and_then(|url| last_part(&url)),
        ];
        let jobs: Vec<JobId> = jobs.into_iter().flatten().filter_map(|text| text.parse().ok().map(JobId)).collect();
        let pipeline = note("gitlab/ci_pipeline_url").and_then(|url| last_part(&url));
        let pipeline = pipeline.and_then(|text| text.parse().ok());
        let project = label("metrics/gitlab_ci_project_namespace")
            .or_else(|| label("project.runner.gitlab.com/namespace"))
            .zip(label("metrics/gitlab_ci_project_name").or_else(|| label("project.runner.gitlab.com/name")));
        let compiler = note("metrics/spack_job_spec_compiler_name");
        let compiler_version = note("metrics/spack_job_spec_compiler_version");
        Self {
            job: jobs.first().copied(),
            has_two_jobs: jobs.iter().any(|job| jobs.first() != Some(job)),
            job_name: note("job.runner.gitlab.com/name"),
            job_url: note("gitlab/ci_job_url").or_else(|| note("job.runner.gitlab.com/url")),
            pipeline: pipeline
                .or_else(|| label("metrics/gitlab_ci_pipeline_id").and_then(|text| text.parse().ok()))
                .map(PipelineId),
            project_id: note("project.runner.gitlab.com/id")
                .or_else(|| label("project.runner.gitlab.com/id"))
                .and_then(|text| text.parse().ok()),
            project: note("gitlab/ci_project_url")
                .and_then(|url| project_of(&url))
                .map(|value| Said { value, is_exact: true })
                .or_else(|| {
                    project.map(|(space, name)| Said { value: format!("{space}/{name}").into(), is_exact: false })
                }),
            git_ref: either("job.runner.gitlab.com/ref", "metrics/gitlab_ci_commit_ref_name"),
            sha: note("job.runner.gitlab.com/sha"),
            stage: label("metrics/gitlab_ci_job_stage").map(|value| Said { value, is_exact: false }),
            size: label("gitlab/ci_job_size").map(|value| Said { value, is_exact: false }),
            stack: either("metrics/spack_ci_stack_name", "metrics/spack_ci_stack_name"),
            package: either("metrics/spack_job_spec_pkg_name", "metrics/spack_job_spec_pkg_name"),
            version: note("metrics/spack_job_spec_pkg_version"),
            hash: note("metrics/spack_job_spec_hash").or_else(|| label("metrics/spack_job_spec_hash")),
            compiler: compiler.map(|name| match compiler_version {
                Some(version) => format!("{name}@{version}").into(),
                None => name,
            }),
            arch: note("metrics/spack_job_spec_arch"),
            variants: note("metrics/spack_job_spec_variants"),
            build_jobs: note("metrics/spack_job_build_jobs").and_then(|text| text.parse().ok()),
            runner: label(RUNNER_NAME),
            runner_token: label("manager.runner.gitlab.com/id-short"),
            timeout: note("job.runner.gitlab.com/timeout").and_then(|text| wire::go_duration(&text)),
            ttl: note("pod-cleanup.gitlab.com/ttl").and_then(|text| wire::go_duration(&text)),
        }
    }
}

/// The number at the end of a URL of a job or a pipeline.
fn last_part(url: &str) -> Option<Arc<str>> {
    url.rsplit('/').next().filter(|part| !part.is_empty()).map(Into::into)
}

/// The path of a project in its URL.
fn project_of(url: &str) -> Option<Arc<str>> {
    let (_, rest) = url.split_once("://")?;
    let (_, path) = rest.split_once('/')?;
    Some(path.trim_matches('/')).filter(|path| path.contains('/')).map(Into::into)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pairs: &[(&str, &str)]) -> Texts {
        pairs.iter().map(|(key, value)| ((*key).into(), (*value).into())).collect()
    }

    #[test]
    fn an_annotation_is_exact_and_a_label_is_not() {
        let label = texts(&[("metrics/gitlab_ci_commit_ref_name", "pr1_a_b"), ("metrics/spack_ci_stack_name", "")]);
        let by_label = Says::of(&label, &Texts::new());
        assert_eq!(by_label.git_ref, Some(Said { value: "pr1_a_b".into(), is_exact: false }));
        assert_eq!(by_label.stack, None, "an empty label says nothing");
        let both = Says::of(&label, &texts(&[("job.runner.gitlab.com/ref", "pr1_a/b")]));
        assert_eq!(both.git_ref, Some(Said { value: "pr1_a/b".into(), is_exact: true }));
    }

    #[test]
    fn every_key_that_names_the_job_is_enough() {
        let url = "https://gitlab.spack.io/spack/spack-packages/-/jobs/7";
        for (labels, notes) in [
            (vec![("gitlab/ci_job_id", "7")], vec![]),
            (vec![], vec![("gitlab/ci_job_id", "7")]),
            (vec![], vec![("job.runner.gitlab.com/id", "7")]),
            (vec![], vec![("gitlab/ci_job_url", url)]),
            (vec![("gitlab/ci_job_id", "x")], vec![("job.runner.gitlab.com/id", "7")]),
        ] {
            let says = Says::of(&texts(&labels), &texts(&notes));
            assert_eq!((says.job, says.has_two_jobs), (Some(JobId(7)), false), "{labels:?} {notes:?}");
        }
        let two = Says::of(&texts(&[("gitlab/ci_job_id", "8")]), &texts(&[("job.runner.gitlab.com/id", "7")]));
        assert_eq!((two.job, two.has_two_jobs), (Some(JobId(7)), true));
        assert_eq!(Says::of(&texts(&[("gitlab/ci_job_id", "-1")]), &Texts::new()), Says::default());
    }

    #[test]
    fn windows_puts_the_hash_in_a_label() {
        let says =
            Says::of(&texts(&[("metrics/spack_job_spec_hash", "izhzo6lcaxnr66gaqeqglr24bg5agpmv")]), &Texts::new());
        assert_eq!(says.hash.as_deref(), Some("izhzo6lcaxnr66gaqeqglr24bg5agpmv"));
    }

    #[test]
    fn projects_come_from_their_url() {
        let says = |notes: &[(&str, &str)]| {
            Says::of(
                &texts(&[("project.runner.gitlab.com/namespace", "s"), ("project.runner.gitlab.com/name", "p_q")]),
                &texts(notes),
            )
        };
        let exact = says(&[("gitlab/ci_project_url", "https://gitlab.spack.io/spack/spack-packages")]);
        assert_eq!(exact.project, Some(Said { value: "spack/spack-packages".into(), is_exact: true }));
        assert_eq!(says(&[]).project, Some(Said { value: "s/p_q".into(), is_exact: false }));
    }
}
