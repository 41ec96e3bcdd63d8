//! Artifacts: what generate jobs keep, as single files and as one archive.

use std::io::Write;

use crate::ci::Status;

use super::super::SandboxError;
use super::super::generate::{Made, Run};
use super::super::nodes::Age;
use super::super::plan::Role;
use super::super::stacks::Stack;
use super::super::world::{Job, World};
use super::http::Answer;
use super::{Reply, Visit};

/// A file that a generate job keeps.
#[derive(Debug, Clone, Copy)]
enum Kept {
    Pipeline,
    Report,
    Manifest,
    Lock,
}

impl Kept {
    const ALL: [Self; 4] = [Self::Pipeline, Self::Report, Self::Manifest, Self::Lock];

    fn path(self, stack: &Stack) -> String {
        let name = match self {
            Self::Pipeline => "cloud-ci-pipeline.yml",
            Self::Report => "generation-report.json",
            Self::Manifest => "concrete_environment/spack.yaml",
            Self::Lock => "concrete_environment/spack.lock",
        };
        format!("jobs_scratch_dir/{}/{name}", stack.name)
    }

    fn content(self, made: &Made<'_>, stack: &Stack) -> Result<Vec<u8>, String> {
        match self {
            Self::Pipeline => Ok(made.yaml().into_bytes()),
            Self::Report => made.report().map(String::into_bytes).map_err(|error| error.to_string()),
            Self::Lock => lock(stack).map_err(|error| error.to_string()),
            Self::Manifest => {
                Ok(format!("spack:\n  view: false\n  cdash:\n    build-group: {}\n", stack.group).into_bytes())
            }
        }
    }
}

/// The lock of a stack, as its concretizer wrote it.
fn lock(stack: &Stack) -> Result<Vec<u8>, SandboxError> {
    Ok(stack.specs(Age::Current)?.lock())
}

/// The files that a job has kept and that are wanted: paths and contents. Empty for jobs that keep nothing, have not succeeded, or were erased.
fn files(world: &World, job: &Job, wanted: impl Fn(&str) -> bool) -> Result<Vec<(String, Vec<u8>)>, Answer> {
    let Some(run) = Run::of(world, job).filter(|_| keeps_files(world, job)) else { return Ok(Vec::new()) };
    let stack = run.about();
    let wanted: Vec<(Kept, String)> =
        Kept::ALL.map(|kept| (kept, kept.path(stack))).into_iter().filter(|(_, path)| wanted(path)).collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let failed = |error: String| Answer::error(500, &format!("500 Internal Server Error: {error}"));
    let made = run.make(|made| {
        let contents = wanted.into_iter().map(|(kept, path)| Ok((path, kept.content(made, stack)?)));
        contents.collect::<Result<Vec<_>, String>>()
    });
    made.map_err(|error| failed(error.to_string()))?.map_err(failed)
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
        let files = files(self.world, self.find_build(job)?, |_| true)?;
        if files.is_empty() {
            return Err(Answer::error(404, "404 Not found"));
        }
        let bytes = zip(&files).map_err(|error| Answer::error(500, &format!("500 Internal Server Error: {error}")))?;
        Ok(Answer::bytes("application/zip", bytes)
            .with("content-disposition", "attachment; filename=\"artifacts.zip\""))
    }

    pub(super) fn artifact(&self, job: &str, path: &str) -> Reply {
        let files = files(self.world, self.find_build(job)?, |kept| kept == path)?;
        let file = files.into_iter().next().ok_or_else(|| Answer::error(404, "404 Not found"))?;
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
