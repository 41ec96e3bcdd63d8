//! Artifacts: what generate jobs keep, as single files and as one archive.

use std::io::Write;

use crate::ci::Status;

use super::super::plan::Role;
use super::super::world::{Job, World};
use super::super::{child_yaml, stacks};
use super::http::Answer;
use super::{Reply, Visit};

/// The files that a job has kept: paths and contents. Empty for jobs that keep nothing, have not succeeded, or were erased.
fn files(world: &World, job: &Job) -> Vec<(String, Vec<u8>)> {
    if !keeps_files(world, job) {
        return Vec::new();
    }
    let entry = world.entry_of(job);
    let Some(stack) = entry.name.strip_suffix("-generate") else { return Vec::new() };
    let Some(plan) = world.generated(job) else { return Vec::new() };
    let folder = format!("jobs_scratch_dir/{stack}");
    let yaml = child_yaml::write(world, job, plan);
    let group = plan.stack.and_then(|i| stacks::STACKS.get(i)).map_or("", |s| s.group);
    let manifest = format!("spack:\n  view: false\n  cdash:\n    build-group: {group}\n");
    vec![
        (format!("{folder}/cloud-ci-pipeline.yml"), yaml.into_bytes()),
        (format!("{folder}/concrete_environment/spack.yaml"), manifest.into_bytes()),
    ]
}

fn keeps_files(world: &World, job: &Job) -> bool {
    world.entry_of(job).role == Role::Generate && job.status == Status::Success && job.erased_at.is_none()
}

/// About how large a job's archive is; `None` when it has none.
pub fn archive_size(world: &World, job: &Job) -> Option<u64> {
    keeps_files(world, job).then(|| 900 + world.generated(job).map_or(0, |plan| plan.entries.len() as u64 * 160))
}

impl Visit<'_> {
    pub(super) fn archive(&self, job: &str) -> Reply {
        let files = files(self.world, self.find_build(job)?);
        if files.is_empty() {
            return Err(Answer::error(404, "404 Not found"));
        }
        let bytes = zip(&files).map_err(|error| Answer::error(500, &format!("500 Internal Server Error: {error}")))?;
        Ok(Answer::bytes("application/zip", bytes)
            .with("content-disposition", "attachment; filename=\"artifacts.zip\""))
    }

    pub(super) fn artifact(&self, job: &str, path: &str) -> Reply {
        let files = files(self.world, self.find_build(job)?);
        let file =
            files.into_iter().find(|(name, _)| name == path).ok_or_else(|| Answer::error(404, "404 Not found"))?;
        Ok(Answer::bytes("application/octet-stream", file.1))
    }
}

fn zip(files: &[(String, Vec<u8>)]) -> Result<Vec<u8>, zip::result::ZipError> {
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let options = zip::write::SimpleFileOptions::default();
    for (path, bytes) in files {
        archive.start_file(path.as_str(), options)?;
        archive.write_all(bytes)?;
    }
    Ok(archive.finish()?.into_inner())
}
