//! Pipelines: a parent that generates and triggers, and one child per stack.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{Iid, PipelineId, Status, Timestamp};

/// One pipeline as GitLab last described it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Pipeline {
    pub id: PipelineId,
    /// Its number inside the project; GraphQL asks by it.
    pub iid: Option<Iid>,
    /// The branch or tag.
    pub git_ref: Arc<str>,
    pub sha: Arc<str>,
    pub status: Status,
    /// What started it: `push`, `schedule`, `api`, `parent_pipeline`, …
    pub source: Arc<str>,
    pub name: Option<Arc<str>>,
    /// The user who started it, when the source told it.
    pub user: Option<Arc<str>>,
    pub created_at: Option<Timestamp>,
    pub updated_at: Option<Timestamp>,
    pub started_at: Option<Timestamp>,
    pub finished_at: Option<Timestamp>,
    pub duration: Option<Duration>,
    pub web_url: Option<Arc<str>>,
    /// The parent, for child pipelines.
    pub parent: Option<PipelineId>,
    /// The stack, for child pipelines: the trigger job's name without `-build`.
    pub stack: Option<Arc<str>>,
}

impl Pipeline {
    /// A pipeline about which only identity, place and status are known.
    pub fn new(id: PipelineId, git_ref: &str, status: Status) -> Self {
        Self {
            id,
            iid: None,
            git_ref: git_ref.into(),
            sha: "".into(),
            status,
            source: "".into(),
            name: None,
            user: None,
            created_at: None,
            updated_at: None,
            started_at: None,
            finished_at: None,
            duration: None,
            web_url: None,
            parent: None,
            stack: None,
        }
    }

    /// The GitHub pull request that the branch name tells: `pr51234_hdf5` → 51234.
    pub fn pull_request(&self) -> Option<u64> {
        pull_request_of(&self.git_ref).map(|(number, _)| number)
    }
}

/// The pull request that a branch of GitLab is for, and its branch on GitHub: `pr51234_hdf5` → 51234, `hdf5`.
pub fn pull_request_of(git_ref: &str) -> Option<(u64, &str)> {
    let (number, branch) = git_ref.strip_prefix("pr")?.split_once('_')?;
    let is_number = number.bytes().all(|byte| byte.is_ascii_digit());
    Some((number.parse().ok().filter(|_| is_number)?, branch))
}

/// The stack that a generate or trigger job of a parent pipeline belongs to.
pub fn stack_of(job_name: &str) -> Option<&str> {
    job_name.strip_suffix("-build").or_else(|| job_name.strip_suffix("-generate")).filter(|s| !s.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn branch_names_tell_the_pull_request() {
        let pr = |git_ref| Pipeline::new(PipelineId(1), git_ref, Status::Running).pull_request();
        assert_eq!(pr("pr51234_hdf5"), Some(51_234));
        assert_eq!([pr("develop"), pr("pr_x"), pr("pr12"), pr("prod_1"), pr("pr+1_x")], [None; 5]);
    }

    #[test]
    fn stacks_come_from_job_names() {
        assert_eq!(stack_of("e4s-cray-rhel-build"), Some("e4s-cray-rhel"));
        assert_eq!(stack_of("e4s-generate"), Some("e4s"));
        assert_eq!(stack_of("dotenv"), None);
    }
}
