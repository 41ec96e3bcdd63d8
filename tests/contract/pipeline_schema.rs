//! Generated pipelines against GitLab's own schema of `.gitlab-ci.yml`, and against what GitLab refuses although the
//! schema accepts it.
//!
//! The inputs are the small stack in `gitlab/stack`, and the real ones beside the repository where these are there.
//! What is judged is the text that would be written, read again as GitLab reads it: without knowledge of how it was made.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};

use jsonschema::Validator;
use serde_json::{Value, json};
use stackhand::ci::Timestamp;
use stackhand::generation::{
    Answers, ChangeSet, Form, Generation, Inputs, Listed, Listing, Mirror, MirrorState, MirrorView, Options, generate,
};
use stackhand::spack::yaml::{self, Layers, Scope};
use stackhand::spack::{Hash, Lock};

const HERE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/contract/gitlab");
/// GitLab's default for the number of needs of one job, and what it takes as a name.
const MAX_NEEDS: usize = 50;
const MAX_NAME: usize = 255;
/// Keys on the first level that are no jobs.
const GLOBALS: [&str; 3] = ["stages", "variables", "workflow"];

/// What a pipeline is made from, owned.
struct Stack {
    lock: Lock,
    layers: Layers,
    mirrors: Vec<Mirror>,
    cached: Vec<Hash>,
    changes: Option<ChangeSet>,
    options: Options,
}

impl Stack {
    fn new(lock: &Path, scopes: &[PathBuf], env: &[(&str, &str)]) -> Self {
        let lock = Lock::parse(&bytes(lock)).unwrap();
        let layers = Layers(scopes.iter().map(|path| scope(path)).collect());
        let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        let (mut options, _) = Options::of(&env);
        options.forward(&[], &env);
        let mirrors = Mirror::configured(&layers, &[]).unwrap();
        Self { lock, layers, mirrors, cached: Vec::new(), changes: None, options }
    }

    fn small(env: &[(&str, &str)]) -> Self {
        let stack = Path::new(HERE).join("stack");
        let env = [&[("CI_JOB_NAME", "small-generate"), ("CI_PIPELINE_ID", "4242")], env].concat();
        Self::new(&stack.join("spack.lock"), &[stack.join("ci.yaml")], &env)
    }

    /// One real run of Spack.
    fn real(root: &Path, case: &Path) -> Self {
        let about: Value = serde_json::from_slice(&bytes(&case.join("input/case.json"))).unwrap();
        let env = about["env"].as_object().unwrap().iter().map(|(name, value)| (&**name, value.as_str().unwrap()));
        let scopes = ["ci", "cdash", "mirrors"].map(|section| case.join(format!("input/{section}.merged.yaml")));
        let mut stack =
            Self::new(&root.join(about["lock"].as_str().unwrap()), &scopes, &env.collect::<Vec<(&str, &str)>>());
        if let Ok(cached) = fs::read(case.join("input/cached_hashes.json")) {
            let cached: Vec<String> = serde_json::from_slice(&cached).unwrap();
            stack.cached = cached.iter().map(|hash| Hash::parse(hash).unwrap()).collect();
        }
        if let Some(packages) = about["change"]["affected_packages"].as_array() {
            stack.changes = Some(ChangeSet::of_packages(packages.iter().map(|name| name.as_str().unwrap())));
        }
        stack
    }

    fn with<T>(&self, then: impl FnOnce(Generation<'_>) -> T) -> T {
        let listed = self.cached.iter().map(|hash| (*hash, Listed { in_buildcache: true, external: false }));
        let listing = Listing {
            layout: 3,
            source: "index".into(),
            checksum: "00".into(),
            modified: None,
            listed: listed.collect(),
        };
        let view = |mirror: &Mirror| MirrorView {
            name: mirror.name.clone(),
            url: mirror.fetch.clone(),
            state: MirrorState::Read(vec![listing.clone()]),
            direct: HashMap::new(),
        };
        let views: Vec<MirrorView> = self.mirrors.iter().map(view).collect();
        let wanted: Vec<String> = self.lock.roots().iter().map(|root| root.spec.to_string()).collect();
        let (answers, broken, durations) = (Answers::default(), BTreeMap::new(), HashMap::new());
        let made = generate(&Inputs {
            lock: &self.lock,
            wanted: &wanted,
            layers: &self.layers,
            mirrors: &self.mirrors,
            views: &views,
            changes: self.changes.as_ref(),
            options: &self.options,
            answers: &answers,
            broken: &broken,
            durations: &durations,
            now: Timestamp::parse("2026-01-17T12:00:00Z").unwrap(),
        });
        then(made.unwrap_or_else(|refusal| panic!("{refusal}")))
    }

    /// The pipeline as GitLab reads it. Both forms of the file must say the same.
    fn pipeline(&self) -> Value {
        self.with(|made| {
            let pipeline = read(&made.document.text(Form::Yaml));
            let other: Value = serde_json::from_str(&made.document.text(Form::Json)).unwrap();
            assert_eq!(pipeline, other, "YAML and JSON differ");
            pipeline
        })
    }
}

fn bytes(path: &Path) -> Vec<u8> {
    let raw = fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    if path.extension().is_none_or(|extension| extension != "gz") {
        return raw;
    }
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(raw.as_slice()).read_to_end(&mut unpacked).unwrap();
    unpacked
}

fn scope(path: &Path) -> Scope {
    let yaml::Value::Map(sections) = yaml::Value::parse(&bytes(path)).unwrap() else { panic!("{}", path.display()) };
    Scope { name: path.display().to_string().into(), sections }
}

/// Spack's documents are full of aliases; the parser's guard against too many of them is for strangers.
fn read(yaml: &str) -> Value {
    serde_saphyr::from_str_with_options(yaml, serde_saphyr::options! { budget: None }).unwrap()
}

fn schema() -> Validator {
    let schema: Value = serde_json::from_slice(&bytes(&Path::new(HERE).join("ci-schema.json.gz"))).unwrap();
    jsonschema::validator_for(&schema).unwrap()
}

/// What GitLab would say against a pipeline. `limit` is how many needs a job may have.
fn problems(schema: &Validator, pipeline: &Value, limit: Option<usize>) -> Vec<String> {
    let mut found: Vec<String> =
        schema.iter_errors(pipeline).map(|error| format!("schema: {}: {error}", error.instance_path())).collect();
    let Some(keys) = pipeline.as_object() else { return found };
    let jobs: BTreeMap<&str, &Value> =
        keys.iter().map(|(name, job)| (&**name, job)).filter(|(name, _)| !GLOBALS.contains(name)).collect();
    let texts = |value: &Value| -> Option<Vec<String>> {
        Some(value.as_array()?.iter().map(|text| text.as_str().unwrap_or("?").to_owned()).collect())
    };
    // Without a list of stages there are those of GitLab, and a job without a stage is in `test`.
    let stages = texts(&pipeline["stages"]).unwrap_or_else(|| vec!["build".into(), "test".into(), "deploy".into()]);
    let stage_of = |job: &Value| stages.iter().position(|stage| *stage == job["stage"].as_str().unwrap_or("test"));
    let mut waiting: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    if jobs.is_empty() {
        found.push("there is no job".to_owned());
    }
    for (at, stage) in stages.iter().enumerate() {
        if stages[..at].contains(stage) {
            found.push(format!("the stage {stage} is declared twice"));
        }
        if !jobs.values().any(|job| stage_of(job) == Some(at)) && pipeline.get("stages").is_some() {
            found.push(format!("the stage {stage} has no job"));
        }
    }
    for (name, job) in &jobs {
        if name.chars().count() > MAX_NAME {
            found.push(format!("{name}: the name is longer than {MAX_NAME} characters"));
        }
        if job["script"].as_array().is_none_or(Vec::is_empty) {
            found.push(format!("{name}: there is no script"));
        }
        let Some(stage) = stage_of(job) else {
            found.push(format!("{name}: the stage {} is not declared", job["stage"]));
            continue;
        };
        let needs = job["needs"].as_array().map(Vec::as_slice).unwrap_or_default();
        if limit.is_some_and(|limit| needs.len() > limit) {
            found.push(format!("{name}: {} needs are too many", needs.len()));
        }
        for need in needs.iter().filter(|need| need.get("pipeline").is_none()) {
            let needed = need.as_str().or_else(|| need["job"].as_str()).unwrap_or("?");
            match jobs.get(needed).map(|job| stage_of(job)) {
                None => found.push(format!("{name}: needs {needed}, which is no job")),
                Some(other) if other > Some(stage) => found.push(format!("{name}: needs {needed} of a later stage")),
                Some(_) => {}
            }
            let waits_for = waiting.entry(name).or_default();
            if waits_for.contains(&needed) {
                found.push(format!("{name}: needs {needed} twice"));
            }
            waits_for.push(needed);
        }
        for other in texts(&job["dependencies"]).into_iter().flatten() {
            if !jobs.contains_key(&*other) {
                found.push(format!("{name}: takes artifacts of {other}, which is no job"));
            }
        }
    }
    // What waits for nothing that still waits is done; what is left then waits for itself.
    while !waiting.is_empty() {
        let left: BTreeSet<&str> = waiting.keys().copied().collect();
        waiting.retain(|_, needs| needs.iter().any(|need| left.contains(need)));
        if waiting.len() == left.len() {
            found.push(format!("{left:?}: some of these wait for themselves"));
            break;
        }
    }
    found
}

#[track_caller]
fn assert_accepted(schema: &Validator, stack: &Stack, what: &str) -> Value {
    let pipeline = stack.pipeline();
    let limit = (!stack.options.parity).then_some(stack.options.limits.needs.min(MAX_NEEDS));
    let problems = problems(schema, &pipeline, limit);
    assert!(problems.is_empty(), "{what}: {problems:#?}");
    pipeline
}

/// How many jobs are called like that.
fn count(pipeline: &Value, start: &str) -> usize {
    pipeline.as_object().unwrap().keys().filter(|name| name.starts_with(start)).count()
}

#[test]
fn the_small_stack_is_accepted_in_every_kind_of_pipeline() {
    let schema = schema();
    for (kind, keys) in
        [("spack_protected_branch", 9 + 2 + 3), ("spack_pull_request", 9 + 1 + 3), ("PROTECTED_BRANCH", 14), ("", 13)]
    {
        let mut stack = Stack::small(&[("SPACK_PIPELINE_TYPE", kind), ("SPACK_CI_STACK_NAME", "small")]);
        for parity in [false, true] {
            stack.options.parity = parity;
            let pipeline = assert_accepted(&schema, &stack, kind);
            assert_eq!(pipeline.as_object().unwrap().len(), keys, "{kind}");
        }
    }
}

#[test]
fn case_36_join_jobs_are_accepted() {
    let schema = schema();
    let mut stack = Stack::small(&[("SPACK_PIPELINE_TYPE", "spack_protected_branch")]);
    for (limit, joins) in [(6, 0), (5, 1), (4, 1), (3, 3)] {
        stack.options.limits.needs = limit;
        let pipeline = assert_accepted(&schema, &stack, &format!("limit {limit}"));
        assert_eq!(count(&pipeline, "join-"), joins, "limit {limit}");
    }
}

#[test]
fn case_3_a_pipeline_without_work_is_accepted() {
    let mut stack = Stack::small(&[("SPACK_PIPELINE_TYPE", "spack_protected_branch")]);
    stack.cached = stack.lock.specs().map(|spec| spec.hash).collect();
    let pipeline = assert_accepted(&schema(), &stack, "all cached");
    assert_eq!(pipeline.as_object().unwrap().keys().collect::<Vec<_>>(), ["no-specs-to-rebuild", "workflow"]);
}

#[test]
fn texts_that_look_like_something_else_stay_texts() {
    let pipeline = Stack::small(&[]).pipeline();
    let (_, solver) = pipeline.as_object().unwrap().iter().find(|(name, _)| name.starts_with("solver@1.10 ")).unwrap();
    for (name, value) in [("on", "yes"), ("octal", "0o17"), ("merge", "<<"), ("SPACK_JOB_SPEC_PKG_VERSION", "1.10")] {
        assert_eq!(solver["variables"][name], value, "{name}");
    }
}

#[test]
fn real_pipelines_are_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    let Ok(stacks) = fs::read_dir(root.join("generate")) else {
        println!("skipped: no real data beside the repository");
        return;
    };
    let schema = schema();
    let mut cases: Vec<PathBuf> = stacks
        .flat_map(|stack| fs::read_dir(stack.unwrap().path()).unwrap())
        .map(|case| case.unwrap().path())
        .collect();
    cases.sort();
    assert!(!cases.is_empty());
    for case in cases {
        let mut stack = Stack::real(&root, &case);
        for (parity, limit) in [(true, MAX_NEEDS), (false, MAX_NEEDS), (false, 8)] {
            stack.options.parity = parity;
            stack.options.limits.needs = limit;
            assert_accepted(&schema, &stack, &format!("{}, parity {parity}, limit {limit}", case.display()));
        }
    }
}

#[test]
fn a_stack_of_more_than_a_thousand_specs_is_accepted() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    if !root.is_dir() {
        println!("skipped: no real data beside the repository");
        return;
    }
    let case = root.join("generate/radiuss/empty-cache");
    let mut stack = Stack::real(&root, &case);
    stack.lock = Lock::parse(&bytes(&root.join("locks/e4s/spack.lock.gz"))).unwrap();
    let pipeline = assert_accepted(&schema(), &stack, "e4s");
    assert!(pipeline.as_object().unwrap().len() > 1_000);
}

#[test]
fn what_gitlab_refuses_is_found() {
    let schema = schema();
    let job = |stage: &str, needs: &Value| json!({ "stage": stage, "script": ["x"], "needs": needs });
    let pipeline = json!({
        "stages": ["a", "b"],
        "w": job("a", &json!(["x"])),
        "x": job("a", &json!([])),
        "z": job("b", &json!([{ "job": "w" }])),
    });
    assert_eq!(problems(&schema, &pipeline, Some(1)), [""; 0]);
    for (path, value, complaint) in [
        ("/w/stage", json!("c"), "w: the stage \"c\" is not declared"),
        ("/w/script", json!([]), "w: there is no script"),
        ("/w/needs", json!(["y"]), "w: needs y, which is no job"),
        ("/w/needs", json!(["z"]), "w: needs z of a later stage"),
        ("/x/needs", json!(["w"]), "wait for themselves"),
        ("/w/needs", json!(["x", "x"]), "w: needs x twice"),
        ("/z/needs", json!(["w", "x"]), "z: 2 needs are too many"),
        ("/z", json!({ "script": ["x"], "stage": "b", "dependencies": ["q"] }), "artifacts of q"),
        ("/z", json!({ "script": ["x"], "stage": "b", "retry": { "when": ["script_failur"] } }), "schema: /z/retry"),
        ("/z", json!({ "script": ["x"], "stage": "b", "retry": 3 }), "schema: /z/retry"),
        ("/z", json!({ "script": ["x"], "stage": "b", "need": [] }), "schema: /z"),
        ("/z", json!({ "script": ["x"], "stage": "b", "variables": { "v": [] } }), "schema: /z/variables"),
        ("/stages", json!(["a", "b", "b"]), "declared twice"),
        ("/stages", json!(["a", "b", "c"]), "the stage c has no job"),
    ] {
        let mut wrong = pipeline.clone();
        *wrong.pointer_mut(path).unwrap() = value;
        let found = problems(&schema, &wrong, Some(1));
        assert!(found.iter().any(|problem| problem.contains(complaint)), "{path}: {complaint}: {found:#?}");
    }
    let long = json!({ "x".repeat(256): { "script": ["x"] } });
    assert!(problems(&schema, &long, None)[0].contains("longer than 255"));
    assert!(problems(&schema, &json!({ "stages": [] }), None).contains(&"there is no job".to_owned()));
}
