//! Pipelines on GitLab, as far as the bridge looks at them: which commit of main was tested, and what is told about which commit.

use std::collections::HashMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::Looked;
use crate::ci::{Pipeline, PipelineId, Status, Timestamp};
use crate::forge::Sha;

/// One pipeline as GitLab listed it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PipelineSeen {
    pub id: PipelineId,
    /// The branch or tag.
    pub git_ref: Arc<str>,
    pub sha: Sha,
    /// None when GitLab did not tell.
    pub status: Option<Status>,
    pub updated_at: Option<Timestamp>,
    pub web_url: Option<Arc<str>>,
    /// The subject of its commit; `Found(None)` when the commit has none. Asked for only when nobody remembers what was merged.
    pub subject: Looked<Option<Arc<str>>>,
}

impl PipelineSeen {
    /// What the bridge needs of a pipeline; `None` for a child, and for one whose commit is not known.
    pub fn of(pipeline: &Pipeline) -> Option<Self> {
        let is_child = pipeline.parent.is_some() || &*pipeline.source == "parent_pipeline";
        let sha = Sha::parse(&pipeline.sha).ok().filter(|_| !is_child)?;
        Some(Self {
            id: pipeline.id,
            git_ref: pipeline.git_ref.clone(),
            sha,
            status: Some(pipeline.status).filter(|status| !status.as_str().is_empty()),
            updated_at: pipeline.updated_at,
            web_url: pipeline.web_url.clone(),
            subject: Looked::NotYet,
        })
    }
}

/// One pipeline for each commit: the one that was updated last, and the first listed of several at the same time. In the order of the list.
pub fn newest_per_sha<'a>(pipelines: impl IntoIterator<Item = &'a PipelineSeen>) -> Vec<&'a PipelineSeen> {
    let mut newest: Vec<&PipelineSeen> = Vec::new();
    let mut places: HashMap<&Sha, usize> = HashMap::new();
    for pipeline in pipelines {
        let place = *places.entry(&pipeline.sha).or_insert(newest.len());
        match newest.get_mut(place) {
            Some(kept) if pipeline.updated_at > kept.updated_at => *kept = pipeline,
            Some(_) => {}
            None => newest.push(pipeline),
        }
    }
    newest
}

/// What GitLab has done with the main branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Main {
    /// Its pipelines could not be read.
    Unknown(Arc<str>),
    Known {
        /// The newest commit whose pipeline has ended.
        tested: Option<Sha>,
        /// The newest commit whose pipeline runs.
        running: Option<Sha>,
    },
}

impl Main {
    /// Reads it off the pipelines of the main branch. What waits to start does not count as running.
    pub fn of(pipelines: &Looked<Vec<PipelineSeen>>) -> Self {
        let pipelines = match pipelines.known() {
            Ok(pipelines) => pipelines,
            Err(why) => return Self::Unknown(why),
        };
        let mut newest = newest_per_sha(pipelines);
        newest.sort_by_key(|pipeline| std::cmp::Reverse(pipeline.id));
        let first = |wanted: &[Status]| {
            let mut found = newest.iter().filter(|seen| seen.status.is_some_and(|status| wanted.contains(&status)));
            found.next().map(|seen| seen.sha.clone())
        };
        Self::Known { tested: first(&[Status::Success, Status::Failed]), running: first(&[Status::Running]) }
    }
}
