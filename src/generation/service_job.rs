//! Jobs that build nothing: copying, signing, the index, and the one that says that there is nothing to do.

use std::sync::Arc;

use super::document::{Document, flat};
use super::mapping::{JobKind, Mapping};
use super::mirrors::Mirror;
use super::options::forward_slashes;
use super::{Inputs, Options, PipelineType};
use crate::spack::yaml::{Map, Value};

/// Where manifests lie below the root of a cache.
const RELATIVE_SPECS: &str = "v3/manifests/spec";
const RELATIVE_KEYS: &str = "v3/manifests/key";

/// The only job of a pipeline that copies.
pub fn copy(document: &mut Document, mapping: &Mapping, options: &Options, destination: &Mirror, source: &Mirror) {
    let mut job = mapping.service(JobKind::Copy);
    let needs = Value::map([
        ("job", Value::Text(options.generate_job.clone())),
        ("pipeline", Value::Text(options.pipeline_id.clone())),
    ]);
    job.insert("stage", Value::text("copy"));
    job.insert("needs", Value::List(vec![needs]));
    job.insert("dependencies", Value::List(Vec::new()));
    set_variables(
        &mut job,
        [
            ("SPACK_COPY_ONLY_DESTINATION", destination.fetch.clone()),
            ("SPACK_BUILDCACHE_RELATIVE_KEYS_URL", RELATIVE_KEYS.into()),
            ("SPACK_BUILDCACHE_SOURCE", source.fetch.clone()),
        ],
    );
    document.add("copy", job);
}

/// The only job of a pipeline without anything to do.
pub fn noop(document: &mut Document, mapping: &Mapping) {
    let mut job = mapping.service(JobKind::Noop);
    job.insert("retry", Value::Int(0));
    job.insert("allow_failure", Value::Bool(true));
    document.add("no-specs-to-rebuild", job);
}

/// The section of the configuration that a job comes from, by its name.
pub fn section(job: &str) -> &'static str {
    match job {
        "copy" => "copy-job",
        "sign-pkgs" => "signing-job",
        "rebuild-index" => "reindex-job",
        "no-specs-to-rebuild" => "noop-job",
        _ => "build-job",
    }
}

/// The jobs at the end: signing on protected refs, and the index.
pub fn closing(
    document: &mut Document,
    mapping: &Mapping,
    inputs: &Inputs<'_>,
    destination: &Mirror,
    stages: &mut Vec<String>,
) {
    let ci = inputs.layers.section("ci");
    let push = &destination.push;
    let signing = mapping.service(JobKind::Signing);
    if inputs.options.pipeline_type == Some(PipelineType::Protected) && signing.contains("script") {
        let variables = [
            ("SPACK_BUILDCACHE_DESTINATION", push.clone()),
            ("SPACK_BUILDCACHE_RELATIVE_SPECS_URL", RELATIVE_SPECS.into()),
            ("SPACK_BUILDCACHE_RELATIVE_KEYS_URL", RELATIVE_KEYS.into()),
        ];
        let mut job = closing_job(signing, "stage-sign-pkgs", &["always"], str::to_owned);
        set_variables(&mut job, variables);
        document.add("sign-pkgs", job);
        stages.push("stage-sign-pkgs".to_owned());
    }
    // Only a plain `false` turns the index off.
    if ci.get("rebuild-index") != Some(&Value::Bool(false)) {
        let reasons = ["runner_system_failure", "stuck_or_timeout_failure", "script_failure"];
        let job = closing_job(mapping.service(JobKind::Reindex), "stage-rebuild-index", &reasons, |line| {
            line.replace("{index_target_mirror}", push)
        });
        document.add("rebuild-index", job);
        stages.push("stage-rebuild-index".to_owned());
    }
}

/// Jobs at the end need nothing by name, so they wait for all stages before; they run even when builds failed.
fn closing_job(mut job: Map, stage: &str, retried: &[&str], line: impl Fn(&str) -> String) -> Map {
    if let Some(script) = job.take("script") {
        job.insert("script", flat(&script, line));
    }
    job.insert("stage", Value::text(stage));
    job.insert("when", Value::text("always"));
    job.insert("retry", Value::map([("max", Value::Int(2)), ("when", Value::texts(retried.iter().copied()))]));
    job.insert("interruptible", Value::Bool(true));
    job.insert("dependencies", Value::List(Vec::new()));
    job
}

fn set_variables<const N: usize>(job: &mut Map, entries: [(&str, Arc<str>); N]) {
    let mut variables = match job.take("variables") {
        Some(Value::Map(map)) => map,
        _ => Map::new(),
    };
    for (name, value) in entries {
        variables.insert(name, Value::Text(value));
    }
    job.insert("variables", Value::Map(variables));
}

/// The variables of the whole pipeline. All of them are texts, as Python spells them.
pub fn variables(inputs: &Inputs<'_>) -> Value {
    let options = inputs.options;
    let python = |flag: bool| if flag { "True" } else { "False" }.to_owned();
    let writer = inputs.lock.writer();
    let version = writer.map_or("unknown", |writer| &*writer.version);
    let commit = writer.and_then(|writer| writer.commit.as_deref());
    let kind = match (options.pipeline_type, &options.type_text) {
        (Some(kind), _) if options.parity => kind.canonical(),
        // Jobs compare it with the spelling that the trigger hands on.
        (Some(_), Some(text)) => text,
        (Some(kind), None) => kind.canonical(),
        (None, _) => "None",
    };
    let mut entries = vec![
        ("SPACK_ARTIFACTS_ROOT", options.artifacts_root.to_string()),
        ("SPACK_CONCRETE_ENV_DIR", options.artifact("concrete_environment")),
        ("SPACK_VERSION", commit.map_or_else(|| version.to_owned(), |commit| format!("{version} ({commit})"))),
        ("SPACK_CHECKOUT_VERSION", commit.map_or_else(|| format!("v{version}"), str::to_owned)),
        ("SPACK_JOB_LOG_DIR", options.artifact("logs")),
        ("SPACK_JOB_REPRO_DIR", options.artifact("reproduction")),
        ("SPACK_JOB_TEST_DIR", options.artifact("tests")),
        ("SPACK_PIPELINE_TYPE", kind.to_owned()),
        ("SPACK_CI_STACK_NAME", options.stack.as_deref().unwrap_or("None").to_owned()),
        ("SPACK_REBUILD_CHECK_UP_TO_DATE", python(options.prune_up_to_date)),
        ("SPACK_REBUILD_EVERYTHING", python(options.rebuilds_everything())),
        ("SPACK_REQUIRE_SIGNING", python(options.require_signing)),
    ];
    entries.extend(options.forwarded.iter().map(|(name, value)| (&**name, value.to_string())));
    Value::map(entries.into_iter().map(|(name, value)| (name, Value::text(forward_slashes(&value)))))
}
