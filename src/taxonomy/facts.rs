//! What GitLab says about a job, beside its log.

use std::sync::Arc;

use crate::ci::{FailureReason, Job, SpecName, Status};

/// Evidence that does not stand in the log. Everything may be unknown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct JobFacts {
    pub status: Option<Status>,
    pub failure_reason: Option<FailureReason>,
    pub exit_code: Option<i32>,
    /// What the job is for, in the words of Spack CI: `build`, `generate`, `copy`, `rebuild-index`, `sign-pkgs`, `dotenv`, ….
    pub job_kind: Option<Arc<str>>,
}

impl JobFacts {
    /// What is known about a job. GitLab's lists do not tell the exit code; the runner's last line in the log does.
    pub fn of(job: &Job) -> Self {
        Self {
            status: Some(job.status),
            failure_reason: job.failure_reason.clone(),
            exit_code: None,
            job_kind: job_kind(&job.name).map(Arc::from),
        }
    }
}

/// What a job of Spack's pipelines is for, by its name. Source: `.ci/gitlab` of spack-packages and Spack's `ci generate`.
fn job_kind(name: &str) -> Option<&'static str> {
    const SERVICES: [&str; 6] = ["rebuild-index", "sign-pkgs", "copy", "cleanup", "dotenv", "no-specs-to-rebuild"];
    if SpecName::parse(name).is_some() {
        return Some("build");
    }
    if name.ends_with("-generate") {
        return Some("generate");
    }
    SERVICES.into_iter().find(|service| name.starts_with(service))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_what_jobs_are_for() {
        for (name, kind) in [
            ("hdf5@1.14.5 /abcdefg %gcc@13 e4s", Some("build")),
            ("e4s-generate", Some("generate")),
            ("rebuild-index", Some("rebuild-index")),
            ("dotenv: e4s", Some("dotenv")),
            ("something else", None),
        ] {
            assert_eq!(job_kind(name), kind, "{name}");
        }
    }
}
