//! Puts what was made where jobs look for it: all files or none.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use super::ask::{Output, Request};
use crate::adapters::environment::StoredLock;
use crate::cli::exit::{Exit, Failure};
use crate::cli::out::{self, Out};
use crate::generation::{Copy, Document, Form, Options, occasion};

/// A pipeline of two megabytes is written in some thirty pieces.
const BUFFER: usize = 64 << 10;

/// Where everything goes.
#[derive(Debug)]
pub struct Places {
    pipeline: Option<PathBuf>,
    pub pipeline_is_printed: bool,
    /// The folder of the concrete environment; none when the pipeline is only printed.
    pub environment: Option<PathBuf>,
    copies: Option<PathBuf>,
    report: Option<PathBuf>,
    report_is_printed: bool,
}

/// What goes there.
pub struct Files<'a> {
    pub pipeline: (&'a Document, Form),
    pub manifest: Option<String>,
    pub lock: Option<&'a StoredLock>,
    pub copies: Option<&'a [Copy]>,
    pub stack: Option<&'a str>,
    pub report: Option<String>,
}

impl Places {
    /// Works the places out. Where `CI_PROJECT_DIR` does not exist this is no CI job, and everything lies beside the pipeline.
    pub fn of(request: &Request, output: &Output, options: &Options) -> Result<Self, Failure> {
        let is_printed = |path: &Path| path == Path::new("-");
        let pipeline_is_printed = output.file.as_deref().is_some_and(is_printed);
        let report_is_printed =
            output.report.as_deref().is_some_and(|path| is_printed(path) || path == Path::new("json"));
        if pipeline_is_printed && report_is_printed {
            return Err(Failure::usage(
                "both the pipeline and the report would go to standard output; give one of them a file",
            ));
        }
        let project = std::env::var_os("CI_PROJECT_DIR").map(PathBuf::from);
        let root = match (&request.artifacts_root, &project) {
            (Some(root), Some(project)) if !project.is_dir() && root.starts_with(project) => None,
            (Some(root), _) => Some(root.clone()),
            (None, Some(project)) => project.is_dir().then(|| project.join(&*options.artifacts_root)),
            (None, None) => Some(PathBuf::from(&*options.artifacts_root)),
        };
        let beside = output.file.as_deref().and_then(Path::parent).map(Path::to_path_buf);
        let root = root.or(beside).unwrap_or_else(|| PathBuf::from(&*options.artifacts_root));
        let pipeline = output.file.clone().unwrap_or_else(|| root.join("cloud-ci-pipeline.yml"));
        Ok(Self {
            pipeline: (!pipeline_is_printed).then_some(pipeline),
            pipeline_is_printed,
            environment: (!pipeline_is_printed).then(|| root.join("concrete_environment")),
            copies: (!pipeline_is_printed).then(|| root.join("specs_to_copy")),
            report: output.report.clone().filter(|_| !report_is_printed),
            report_is_printed,
        })
    }

    /// The pipeline's file, if there is one.
    pub fn pipeline(&self) -> Option<&Path> {
        self.pipeline.as_deref()
    }

    pub fn report(&self) -> Option<&Path> {
        self.report.as_deref()
    }

    /// Writes everything, the pipeline last: whoever sees it sees the rest.
    pub fn write(&self, files: &Files<'_>) -> Result<(), Failure> {
        let mut staged = Staged::default();
        if let (Some(folder), Some(manifest), Some(lock)) = (&self.environment, &files.manifest, files.lock) {
            staged.add(&folder.join("spack.yaml"), |file| file.write_all(manifest.as_bytes()))?;
            staged.add(&folder.join("spack.lock"), |file| lock.write(file))?;
        }
        if let (Some(folder), Some(copies)) = (&self.copies, files.copies) {
            let name = format!("copy_{}_specs.json", files.stack.unwrap_or("rebuilt"));
            let map: std::collections::BTreeMap<String, &Copy> =
                copies.iter().map(|copy| (copy.hash.to_string(), copy)).collect();
            let copies = json(&map)?;
            staged.add(&folder.join(name), |file| file.write_all(copies.as_bytes()))?;
        }
        if let (Some(path), Some(report)) = (&self.report, &files.report) {
            staged.add(path, |file| file.write_all(report.as_bytes()))?;
        }
        let (document, form) = files.pipeline;
        if let Some(path) = &self.pipeline {
            staged.add(path, |file| document.write(form, |piece| file.write_all(piece.as_bytes())))?;
        }
        staged.keep()?;
        if self.pipeline_is_printed {
            document.write(form, |piece| out::raw(piece.as_bytes()))?;
        }
        match &files.report {
            Some(report) if self.report_is_printed => out::raw(report.as_bytes()),
            _ => Ok(()),
        }
    }
}

/// Writes the child of a ref that builds nothing. It needs neither lock nor mirrors.
pub fn noop(out: Out, request: &Request, output: &Output) -> Result<Exit, Failure> {
    let env = std::env::var("SPACK_CI_STACK_NAME")
        .map(|stack| ("SPACK_CI_STACK_NAME".to_owned(), stack))
        .into_iter()
        .collect();
    let (options, _) = Options::of(&env);
    let places = Places::of(request, output, &options)?;
    let pipeline = (&occasion::noop(), output.form());
    places.write(&Files { pipeline, manifest: None, lock: None, copies: None, stack: None, report: None })?;
    out.note("NOOP_JOB is set: the child has one job, which does nothing");
    Ok(Exit::Ok)
}

/// One JSON document as text.
pub fn json(value: &impl Serialize) -> Result<String, Failure> {
    let text = serde_json::to_string(value);
    text.map(|text| text + "\n")
        .map_err(|error| Failure::new(Exit::Failed, format!("cannot write JSON: {error}; report this")))
}

/// Files that lie beside their place until all of them are complete. What is not kept is removed.
#[derive(Default)]
struct Staged(Vec<(PathBuf, PathBuf)>);

impl Staged {
    fn add(&mut self, place: &Path, fill: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> Result<(), Failure> {
        let told = |error: io::Error| unwritable(place, &error);
        let folder = match place.parent() {
            Some(folder) if !folder.as_os_str().is_empty() => folder,
            _ => Path::new("."),
        };
        std::fs::create_dir_all(folder).map_err(told)?;
        if place.is_dir() {
            return Err(unwritable(place, &io::Error::from(ErrorKind::IsADirectory)));
        }
        let mut name = place.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.part", std::process::id()));
        let part = folder.join(name);
        self.0.push((part.clone(), place.to_owned()));
        let mut file = BufWriter::with_capacity(BUFFER, std::fs::File::create(&part).map_err(told)?);
        fill(&mut file).and_then(|()| file.flush()).map_err(told)
    }

    fn keep(mut self) -> Result<(), Failure> {
        for (part, place) in std::mem::take(&mut self.0) {
            std::fs::rename(&part, &place).map_err(|error| unwritable(&place, &error))?;
        }
        Ok(())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        for (part, _) in &self.0 {
            // It may never have been made; what remains is named `.part`.
            let _ = std::fs::remove_file(part);
        }
    }
}

fn unwritable(place: &Path, error: &io::Error) -> Failure {
    let place = place.display();
    Failure::new(
        Exit::Failed,
        format!("cannot write {place}: {error}; nothing was generated; check the folder and its rights"),
    )
}
