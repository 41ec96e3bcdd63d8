//! `stackhand generate`: makes the child pipeline of a stack in the place of `spack ci generate`, says why, and compares.
//!
//! `ask` is the command line, `gather` reads the outside, `write` puts the files where jobs look for them. Nothing is written unless all of it
//! can be: every refusal leaves the disk as it was.

mod ask;
mod checks;
mod gather;
mod stacks;
mod told;
mod write;

use std::collections::HashMap;
use std::path::{Path, PathBuf};

pub use ask::Ask;
use ask::{Differ, Explain, What};
use gather::Gathered;

use super::args::Globals;
use super::assemble::Wanted;
use super::exit::{Exit, Failure};
use super::out::{self, Out};
use crate::generation;
use crate::generation::report::Report;

/// What `--json` prints.
pub const SHAPE: &str = "\
Environment variables are those of Spack's generate job: SPACK_PIPELINE_TYPE, SPACK_PRUNE_UNTOUCHED, SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH, \
SPACK_PRUNE_UP_TO_DATE, SPACK_COPY_BUILDCACHE, SPACK_REQUIRE_SIGNING, SPACK_CI_STACK_NAME, SPACK_CDASH_BUILD_STAMP, NOOP_JOB (one job that does nothing, as for tags), CI_PROJECT_DIR, CI_JOB_NAME, \
CI_PIPELINE_ID. Mirrors on S3 are read with the usual AWS variables, AWS_ENDPOINT_URL among them.

The report (--report) is JSON `stackhand.generation/1`: `decisions` {hash: {`decision` (rebuild or prune), `reasons` in Spack's words, `spec`, `job`, \
`found`, `affected_from_depth`, `class`}}, `summary`, `change`, `mirrors`, `otherwise`, `origins`, `classes`, `warnings`.

Examples:
  stackhand generate --env stacks/e4s --output-file child.yml --report report.json
  stackhand generate --env stacks/e4s --mirror buildcache-destination=file:///srv/cache --output-file -
  stackhand generate explain hdf5 --report report.json
  stackhand generate diff yesterday.json report.json
  stackhand generate stacks --repo . --ref pr51234_hdf5
  stackhand generate checks --json | jq '.generations[] | select(.outcome != \"judged\" or .findings != [])'";

/// Makes, explains or compares.
pub async fn run(globals: &Globals, ask: Ask) -> Result<Exit, Failure> {
    let out = Out { ascii: globals.ascii };
    match ask.what {
        None => make(globals, out, &ask.request, &ask.output).await,
        Some(What::Explain(explain)) => self::explain(globals, out, &explain).await,
        Some(What::Diff(differ)) => diff(out, &differ),
        Some(What::Stacks(stacks)) => stacks::run(out, &stacks).await,
        Some(What::Checks(checks)) => checks::run(globals, out, &checks).await,
    }
}

async fn make(globals: &Globals, out: Out, request: &ask::Request, output: &ask::Output) -> Result<Exit, Failure> {
    if std::env::var_os("NOOP_JOB").is_some_and(|value| !value.is_empty()) {
        return write::noop(out, request, output);
    }
    let loaded = Wanted::new(globals)?.load()?;
    let gathered = Gathered::read(out, &loaded.config.generation, request).await?;
    let ended = gathered.with(|inputs, made, warnings| {
        let report = output.report.as_ref().map(|_| Report::of(inputs, &made));
        let places = write::Places::of(request, output, &gathered.options)?;
        let files = write::Files {
            pipeline: (&made.document, output.form()),
            manifest: places.environment.as_deref().map(|folder| gathered.manifest_in(folder)).transpose()?,
            lock: Some(&gathered.environment.stored_lock),
            copies: made.copies.as_deref(),
            stack: gathered.options.stack.as_deref(),
            report: report.as_ref().map(write::json).transpose()?,
        };
        places.write(&files)?;
        for warning in warnings.iter().chain(&made.warnings) {
            out.note(&format!("warning: {warning}"));
        }
        Ok((told::summary(inputs, &made, &places), places.pipeline_is_printed))
    })?;
    let (summary, is_printed) = ended;
    // Where the pipeline goes to standard output, nothing else may.
    if is_printed {
        out.note(summary.lines().next().unwrap_or_default());
    } else {
        out.text(&summary)?;
    }
    Ok(Exit::Ok)
}

async fn explain(globals: &Globals, out: Out, ask: &Explain) -> Result<Exit, Failure> {
    let report = match &ask.report {
        Some(path) => read_report(path)?,
        None => {
            let loaded = Wanted::new(globals)?.load()?;
            let gathered = Gathered::read(out, &loaded.config.generation, &ask.request).await?;
            gathered.with(|inputs, made, _| Ok(Report::of(inputs, &made)))?
        }
    };
    let found = report.find(&ask.wanted);
    if found.is_empty() {
        let near = report.nearest(&ask.wanted);
        let near = if near.is_empty() { String::new() } else { format!(" (near: {})", near.join(", ")) };
        let message =
            format!("no spec of this stack is called `{}`{near}; name a package, name@version or a hash", ask.wanted);
        return Err(Failure::new(Exit::Failed, message));
    }
    let explanations: Vec<_> = found.iter().filter_map(|(hash, _)| report.explain(hash)).collect();
    if ask.json {
        out::json(&explanations)?;
        return Ok(Exit::Ok);
    }
    for (at, explanation) in explanations.iter().enumerate() {
        if at > 0 {
            out.line("")?;
        }
        out.text(&explanation.lines().join("\n"))?;
    }
    Ok(Exit::Ok)
}

fn diff(out: Out, ask: &Differ) -> Result<Exit, Failure> {
    let (a, b) = (read_report(&ask.a)?, read_report(&ask.b)?);
    let difference = generation::diff::diff(&a, &b);
    if ask.json {
        out::json(&difference)?;
    } else {
        out.text(&difference.lines().join("\n"))?;
    }
    Ok(Exit::Ok)
}

fn read_report(path: &Path) -> Result<Report, Failure> {
    let wrong = |what: String| Failure::new(Exit::Failed, format!("cannot use the report {}: {what}", path.display()));
    let bytes = std::fs::read(path)
        .map_err(|error| wrong(format!("{error}; name the file that `stackhand generate --report` wrote")))?;
    Report::read(&bytes).map_err(|error| wrong(error.to_string()))
}

/// `NAME=URL`, as `--mirror` takes it.
fn mirror(text: &str) -> Result<generation::Mirror, String> {
    match text.split_once('=') {
        Some((name, url)) if !name.is_empty() && !url.is_empty() => Ok(generation::Mirror::at(name, url)),
        _ => Err("write NAME=URL, for example buildcache-destination=s3://bucket/prefix".to_owned()),
    }
}

/// Usual seconds of building by package, from a JSON map.
fn durations(path: Option<&PathBuf>) -> Result<HashMap<std::sync::Arc<str>, f64>, Failure> {
    let Some(path) = path else { return Ok(HashMap::new()) };
    let wrong = |what: String| {
        let path = path.display();
        Failure::usage(format!("--durations {path}: {what}; write a JSON map of package names to seconds"))
    };
    let bytes = std::fs::read(path).map_err(|error| wrong(error.to_string()))?;
    let map: HashMap<String, f64> = serde_json::from_slice(&bytes).map_err(|error| wrong(error.to_string()))?;
    Ok(map.into_iter().filter(|(_, seconds)| seconds.is_finite()).map(|(name, s)| (name.into(), s)).collect())
}
