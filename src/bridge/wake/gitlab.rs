//! GitLab's deliveries. The event stands in a header and again in the body; the header counts.

use serde::Deserialize;

use super::{About, Name, NoObject, Told, commit, ref_name, told};
use crate::ci::{JobId, PipelineId, Status};
use crate::forge::Sha;

#[derive(Deserialize)]
struct Pipeline {
    object_attributes: Attributes,
    #[serde(rename = "source_pipeline")]
    source: Option<Source>,
    project: Option<Name>,
}

#[derive(Deserialize)]
struct Attributes {
    id: u64,
    #[serde(rename = "ref")]
    git_ref: String,
    sha: String,
    status: String,
}

#[derive(Deserialize)]
struct Source {
    pipeline_id: u64,
}

#[derive(Deserialize)]
struct Job {
    build_id: u64,
    build_status: String,
    pipeline_id: u64,
    project: Option<Name>,
}

#[derive(Deserialize)]
struct Push {
    #[serde(rename = "ref")]
    git_ref: String,
    after: String,
    project: Option<Name>,
}

#[derive(Deserialize)]
struct Any {
    project: Option<Name>,
}

pub(super) fn read(event: &str, body: &str) -> Result<Told, NoObject> {
    match event {
        "Pipeline Hook" => told(body, |wire: Pipeline| {
            let parent = wire.source.map(|source| PipelineId(source.pipeline_id));
            (wire.project, pipeline(&wire.object_attributes, parent))
        }),
        "Job Hook" => told(body, |wire: Job| {
            let status = Status::parse(&wire.build_status);
            (
                wire.project,
                Some(About::Job { id: JobId(wire.build_id), pipeline: PipelineId(wire.pipeline_id), status }),
            )
        }),
        "Push Hook" | "Tag Push Hook" => told(body, |wire: Push| {
            let about = ref_name(&wire.git_ref).map(|name| About::Push { name, to: commit(&wire.after) });
            (wire.project, about)
        }),
        _ => told(body, |wire: Any| (wire.project, Some(About::Other))),
    }
}

fn pipeline(wire: &Attributes, parent: Option<PipelineId>) -> Option<About> {
    Some(About::Pipeline {
        id: PipelineId(wire.id),
        parent,
        git_ref: ref_name(&wire.git_ref)?,
        sha: Sha::parse(&wire.sha).ok()?,
        status: Status::parse(&wire.status),
    })
}
