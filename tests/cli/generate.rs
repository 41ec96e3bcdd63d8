//! `stackhand generate` as a generate job runs it: files in, files out, and nothing at all when it refuses.

use std::fmt::Write as _;
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use stackhand::spack::yaml;

use crate::stage::{Ended, Stage, exists};

const LOCK: &str = include_str!("../../src/generation/tests/data/worked.lock.json");
const CORELIB: &str = "bzrkkjfhqxt53zkta3mujzs3q6pc6jxj";
const MIDLIB: &str = "ajrqahzgjt6vrwwsxkp7r5hc3jk23jki";
const GENKIT: &str = "htqrn6q33wuc2zpzkhsjxx23rxyoml26";

const MANIFEST: &str = "\
spack:
  include: [../../ci]   # kept
  specs: [tinyapp, genkit]
  cdash: {build-group: Demo}
";
const CI: &str = "\
ci:
  pipeline-gen:
  - submapping:
    - {match: [genkit, corelib], build-job: {tags: [small], variables: {CI_JOB_SIZE: small}}}
  - build-job: {tags: [x86], image: 'img:1', script+: [echo build]}
  - noop-job: {tags: [service]}
  - any-job: {tags: [spack]}
";

/// A project with one stack, its configuration, and a cache that holds nothing.
struct Project {
    stage: Stage,
}

impl Project {
    fn new() -> Self {
        let stage = Stage::bare();
        let root = stage.folder.display().to_string();
        let stage = stage
            .with("CI_PROJECT_DIR", &root)
            .with("CI_JOB_NAME", "demo-generate")
            .with("CI_PIPELINE_ID", "4242")
            .with("SPACK_CI_STACK_NAME", "demo")
            .with("SPACK_PIPELINE_TYPE", "spack_protected_branch")
            .with("SPACK_CHECKOUT_REPO", "spack/spack");
        stage.write("stacks/demo/spack.yaml", MANIFEST);
        stage.write("stacks/demo/spack.lock", LOCK);
        stage.write("ci/ci.yaml", CI);
        std::fs::create_dir_all(stage.folder.join("cache")).unwrap();
        let project = Self { stage };
        project.mirrors(&["buildcache-destination"]);
        project
    }

    fn with(mut self, name: &str, value: &str) -> Self {
        self.stage = self.stage.with(name, value);
        self
    }

    fn mirrors(&self, names: &[&str]) {
        let mut text = String::from("mirrors:\n");
        for name in names {
            writeln!(text, "  {name}: file://{}/{name}", self.stage.folder.display()).unwrap();
        }
        self.stage.write("ci/mirrors.yaml", &text);
    }

    /// Puts an index into a cache that lists these hashes.
    fn index(&self, mirror: &str, hashes: &[&str]) -> PathBuf {
        let lock: Value = serde_json::from_str(LOCK).unwrap();
        let installs: serde_json::Map<String, Value> = hashes
            .iter()
            .map(|hash| {
                let mut node = lock["concrete_specs"][hash].clone();
                node["dependencies"] = json!([]);
                ((*hash).to_owned(), json!({ "spec": node, "ref_count": 0, "in_buildcache": true }))
            })
            .collect();
        let index = json!({ "database": { "version": "8", "installs": installs } }).to_string();
        let sum = sha256(&index);
        let blob = self.stage.write(&format!("{mirror}/blobs/sha256/{}/{sum}", &sum[..2]), &index);
        let record = json!({
            "contentLength": index.len(), "mediaType": "application/vnd.spack.db.v8+json", "compression": "none",
            "checksumAlgorithm": "sha256", "checksum": sum,
        });
        let manifest = json!({ "version": 3, "data": [record] }).to_string();
        self.stage.write(&format!("{mirror}/v3/manifests/index/index.manifest.json"), &manifest);
        blob
    }

    fn generate(&self, more: &[&str]) -> Ended {
        let line = [&["generate", "--env", "stacks/demo", "--output-file", "out.yml"][..], more].concat();
        self.stage.run(&line)
    }

    fn document(&self) -> yaml::Value {
        yaml::Value::parse(&std::fs::read(self.stage.folder.join("out.yml")).unwrap()).unwrap()
    }

    /// The jobs of the document, as people call them.
    fn jobs(&self) -> Vec<String> {
        let document = self.document();
        let jobs = document.as_map().unwrap().iter().filter(|(_, job)| job.get("script").is_some());
        jobs.map(|(name, _)| name.name.split(['@', ' ']).next().unwrap().to_owned()).collect()
    }

    fn refuses(&self, more: &[&str], code: i32, words: &[&str]) {
        let ended = self.generate(more);
        for word in words {
            ended.failed(code, word);
        }
        for left in ["out.yml", "jobs_scratch_dir"] {
            assert!(!exists(&self.stage.folder.join(left)), "{left} was written");
        }
        assert!(ended.out.is_empty(), "{}", ended.out);
    }
}

#[test]
fn a_generate_job_gets_all_of_its_files() {
    let project = Project::new().with("SPACK_COPY_BUILDCACHE", "s3://top/develop");
    project.index("buildcache-destination", &[CORELIB]);
    let ended = project.generate(&["--report", "report.json"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.out.contains("demo: 3 jobs for 5 specs") && ended.out.contains("1 up-to-date"), "{}", ended.out);
    assert_eq!(project.jobs(), ["genkit", "midlib", "rebuild-index", "tinyapp"]);
    let document = project.document();
    let variables = document.get("variables").unwrap();
    assert_eq!(
        variables.get("SPACK_CONCRETE_ENV_DIR").unwrap().as_text(),
        Some("jobs_scratch_dir/demo/concrete_environment")
    );
    assert_eq!(variables.get("SPACK_CHECKOUT_REPO").unwrap().as_text(), Some("spack/spack"));
    let environment = project.stage.folder.join("jobs_scratch_dir/demo/concrete_environment");
    assert_eq!(std::fs::read_to_string(environment.join("spack.lock")).unwrap(), LOCK);
    let manifest = std::fs::read_to_string(environment.join("spack.yaml")).unwrap();
    assert_eq!(manifest, MANIFEST.replace("../../ci", "../../../ci"), "only the include changes");
    let copies =
        std::fs::read(project.stage.folder.join("jobs_scratch_dir/demo/specs_to_copy/copy_demo_specs.json")).unwrap();
    let copies: Value = serde_json::from_slice(&copies).unwrap();
    assert_eq!(copies.as_object().unwrap().len(), 3);
    assert!(
        copies[MIDLIB]["dest"].as_str().unwrap().starts_with("s3://top/develop/v3/manifests/spec/midlib/midlib-1.4-")
    );
    let report: Value =
        serde_json::from_slice(&std::fs::read(project.stage.folder.join("report.json")).unwrap()).unwrap();
    assert_eq!(report["decisions"][CORELIB]["decision"], "prune");
    assert_eq!(report["decisions"][MIDLIB]["reasons"], json!(["not found anywhere", "not external"]));
    let parts = std::fs::read_dir(&project.stage.folder)
        .unwrap()
        .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".part"));
    assert_eq!(parts.count(), 0);
}

#[test]
fn case_43_the_same_inputs_give_the_same_bytes() {
    let project = Project::new();
    let read = || std::fs::read(project.stage.folder.join("out.yml")).unwrap();
    assert_eq!(project.generate(&[]).code, 0);
    let first = read();
    assert_eq!(project.generate(&[]).code, 0);
    assert_eq!(first, read());
}

#[test]
fn the_pipeline_can_be_printed_and_nothing_else_is_then() {
    let project = Project::new();
    let ended = project.stage.run(&["generate", "--env", "stacks/demo", "--output-file", "-", "--format", "json"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.json()["stages"].is_array());
    assert!(!exists(&project.stage.folder.join("jobs_scratch_dir")));
}

#[test]
fn outside_of_a_ci_job_everything_lies_beside_the_pipeline() {
    let project = Project::new().with("CI_PROJECT_DIR", "/nonexistent/project");
    let ended = project.stage.run(&["generate", "--env", "stacks/demo", "--output-file", "made/out.yml"]);
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(exists(&project.stage.folder.join("made/concrete_environment/spack.lock")));
}

#[test]
fn case_24_an_absent_index_is_an_empty_cache() {
    let project = Project::new();
    let ended = project.generate(&[]);
    assert_eq!(ended.code, 0);
    assert!(ended.err.contains("`buildcache-destination`") && ended.err.contains("no index"), "{}", ended.err);
    assert_eq!(project.jobs().len(), 5);
}

#[test]
fn case_25_a_mirror_that_cannot_be_trusted_stops_everything() {
    let project = Project::new();
    let blob = project.index("buildcache-destination", &[CORELIB]);
    let index = std::fs::read_to_string(&blob).unwrap();
    std::fs::write(&blob, index.replace("\"ref_count\":0", "\"ref_count\":1")).unwrap();
    let override_flag = "--allow-missing-index buildcache-destination";
    project.refuses(&[], 3, &["buildcache-destination", "SHA-256", override_flag]);
    std::fs::remove_file(&blob).unwrap();
    project.refuses(&[], 3, &[override_flag]);
    let ended = project.generate(&["--allow-missing-index", "buildcache-destination"]);
    assert_eq!((ended.code, project.jobs().len()), (0, 5), "{}", ended.err);
    assert!(ended.err.contains("as you allowed"), "{}", ended.err);
    // Spack only warns.
    assert_eq!(project.generate(&["--parity"]).code, 0);
}

#[test]
fn case_26_what_either_mirror_holds_is_not_built_again() {
    let project = Project::new().with("SPACK_PIPELINE_TYPE", "spack_pull_request");
    project.mirrors(&["buildcache-source", "buildcache-destination"]);
    project.index("buildcache-source", &[CORELIB]);
    project.index("buildcache-destination", &[GENKIT]);
    assert_eq!(project.generate(&[]).code, 0);
    assert_eq!(project.jobs(), ["midlib", "rebuild-index", "tinyapp"]);
}

#[test]
fn case_40_the_destination_must_be_there() {
    let project = Project::new();
    project.mirrors(&["buildcache-source"]);
    project.refuses(&[], 3, &["buildcache-destination", "--mirror"]);
}

#[test]
fn case_40_spack_filters_what_a_pipeline_that_only_copies_does_not_build() {
    let project = Project::new()
        .with("SPACK_PIPELINE_TYPE", "spack_copy_only")
        .with("SPACK_PRUNE_UNTOUCHED", "True")
        .with("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "0");
    project.mirrors(&["buildcache-source", "buildcache-destination"]);
    project.refuses(&[], 3, &["the job `copy` has no script", "copy-job"]);
    project.stage.write("ci/ci.yaml", "ci: {pipeline-gen: [{copy-job: {script: [spack buildcache sync]}}]}");
    let reasons = |more: &[&str]| {
        let line = [&["--changed-package", "corelib", "--report", "report.json"], more].concat();
        let ended = project.generate(&line);
        assert_eq!(ended.code, 0, "{}", ended.err);
        let report = std::fs::read(project.stage.folder.join("report.json")).unwrap();
        serde_json::from_slice::<Value>(&report).unwrap()["decisions"][MIDLIB]["reasons"].clone()
    };
    assert_eq!(reasons(&["--parity"]), json!(["unaffected by change", "not found anywhere", "not external"]));
    assert_eq!(reasons(&[]), json!(["not found anywhere", "not external"]));
}

#[test]
fn a_gap_in_the_closure_is_found_before_jobs_fail_of_it() {
    let project =
        Project::new().with("SPACK_PRUNE_UNTOUCHED", "True").with("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "0");
    project.index("buildcache-destination", &[MIDLIB]);
    // Nothing is missing: what a change affects includes all that it needs.
    assert_eq!(project.generate(&["--changed-package", "tinyapp"]).code, 0);
    assert_eq!(project.jobs(), ["corelib", "genkit", "rebuild-index", "tinyapp"]);
    std::fs::remove_file(project.stage.folder.join("out.yml")).unwrap();
    std::fs::remove_dir_all(project.stage.folder.join("jobs_scratch_dir")).unwrap();
    // An external that is built needs nothing of the lock, so only a hand-made hole can be one: an index that lists it as an external.
    let blob = project.index("buildcache-destination", &[MIDLIB, CORELIB]);
    let index = std::fs::read_to_string(&blob).unwrap();
    let mut index: Value = serde_json::from_str(&index).unwrap();
    index["database"]["installs"][CORELIB]["in_buildcache"] = json!(false);
    index["database"]["installs"][CORELIB]["spec"]["external"] = json!({ "path": "/usr", "module": null });
    let index = index.to_string();
    let sum = sha256(&index);
    project.stage.write(&format!("buildcache-destination/blobs/sha256/{}/{sum}", &sum[..2]), &index);
    let manifest = project.stage.folder.join("buildcache-destination/v3/manifests/index/index.manifest.json");
    let mut record: Value = serde_json::from_slice(&std::fs::read(&manifest).unwrap()).unwrap();
    record["data"][0]["checksum"] = json!(sum);
    record["data"][0]["contentLength"] = json!(index.len());
    std::fs::write(&manifest, record.to_string()).unwrap();
    project.refuses(&["--changed-package", "tinyapp"], 3, &["corelib/bzrkkjf", "missing"]);
}

#[test]
fn a_storm_is_refused_with_its_reason() {
    let project = Project::new();
    project.refuses(
        &["--max-jobs", "3"],
        3,
        &["4 build jobs", "--max-jobs", "the index of buildcache-destination is missing"],
    );
    project.refuses(&["--max-hours", "0.01"], 3, &["--max-hours"]);
}

#[test]
fn a_file_that_gitlab_would_not_take_is_refused() {
    Project::new().refuses(
        &["--max-size", "500", "--max-expanded", "100000"],
        3,
        &["500 are allowed", "--max-size", "variables"],
    );
}

#[test]
fn case_41_a_tag_gets_a_child_with_one_job() {
    let project = Project::new().with("NOOP_JOB", "1");
    std::fs::remove_file(project.stage.folder.join("stacks/demo/spack.lock")).unwrap();
    assert_eq!(project.generate(&[]).code, 0);
    assert_eq!(project.jobs(), ["noop"]);
    let document = project.document();
    let job = document.get("noop").unwrap();
    assert_eq!(
        (job.get("retry"), job.get("allow_failure")),
        (Some(&yaml::Value::Int(0)), Some(&yaml::Value::Bool(true)))
    );
    assert!(!exists(&project.stage.folder.join("jobs_scratch_dir/demo/concrete_environment")));
}

#[test]
fn the_stacks_of_a_push_are_told_with_their_rules() {
    let project = Project::new();
    let stage = &project.stage;
    stage.write("stacks/.off/spack.yaml", MANIFEST);
    stage.write("stacks/other/spack.yaml", MANIFEST);
    let git = |line: &[&str]| {
        let mut command = std::process::Command::new("git");
        command.args(["-c", "user.name=t", "-c", "user.email=t@example.org", "-C"]).arg(&stage.folder).args(line);
        assert!(command.output().unwrap().status.success(), "{line:?}");
    };
    for line in [&["init", "-q"][..], &["add", "."], &["commit", "-qm", "one"]] {
        git(line);
    }
    let ask = |more: &[&str]| stage.run(&[&["generate", "stacks", "--repo", ".", "--json"][..], more].concat());
    assert_eq!(ask(&["--ref", "pr1_x"]).code, 1, "there is no HEAD~1");
    stage.write("stacks/demo/note.md", "x");
    git(&["add", "."]);
    git(&["commit", "-qm", "two"]);
    let told = |more: &[&str]| {
        let document = ask(more).document("stackhand.stacks/1");
        let stacks = document["stacks"].as_array().unwrap().iter();
        stacks.map(|row| format!("{} {}", row["stack"], row["turn"]["decision"]).replace('"', "")).collect::<Vec<_>>()
    };
    assert_eq!(told(&["--ref", "pr1_x"]), ["demo generate", "other absent"]);
    assert_eq!(told(&["--ref", "develop"]), ["demo generate", "other generate"]);
    assert_eq!(told(&["--ref", "v2025.11.1", "--tag"]), ["demo noop", "other noop"]);
    let text = stage.run(&["generate", "stacks", "e4s", "--ref", "develop"]);
    assert!(text.out.contains("e4s    generate") && text.out.contains("SPACK_REQUIRE_SIGNING=True"), "{}", text.out);
    stage.run(&["generate", "stacks", "--ref", "develop"]).failed(2, "--repo DIR");
    stage.run(&["generate", "stacks", "e4s", "--ref", "pr1_x"]).failed(1, "");
}

#[test]
fn explain_and_diff_answer_from_reports() {
    let project = Project::new();
    assert_eq!(project.generate(&["--report", "a.json"]).code, 0);
    project.index("buildcache-destination", &[CORELIB]);
    assert_eq!(project.generate(&["--report", "b.json"]).code, 0);
    let why = project.stage.run(&["generate", "explain", "corelib", "--report", "b.json"]);
    assert_eq!(why.code, 0, "{}", why.err);
    assert!(why.out.contains("corelib@0.9") && why.out.contains("buildcache-destination"), "{}", why.out);
    let why = project.stage.run(&["generate", "explain", "genkit", "--env", "stacks/demo"]);
    assert!(why.out.contains("submapping[0]") && why.out.contains("ci.yaml"), "{}", why.out);
    let diff = project.stage.run(&["generate", "diff", "a.json", "b.json"]);
    assert!(diff.code == 0 && diff.out.contains("corelib"), "{}{}", diff.out, diff.err);
    project.stage.run(&["generate", "explain", "nope", "--report", "b.json"]).failed(1, "nope");
    project.stage.write("c.json", "{\"version\":");
    project.stage.run(&["generate", "explain", "x", "--report", "c.json"]).failed(1, "c.json");
}

#[test]
fn bad_locks_are_refused_with_file_place_and_remedy() {
    let project = Project::new();
    let write = |text: &str| drop(project.stage.write("stacks/demo/spack.lock", text));
    for (text, words) in [
        (LOCK[..LOCK.len() / 2].to_owned(), &["spack.lock", "line", "concretize"][..]),
        (LOCK.replacen("\"lockfile-version\":6", "\"lockfile-version\":7", 1), &["7", "4, 5 and 6"]),
        (LOCK.replacen("\"roots\":", "\"roots\":[],\"roots\":", 1), &["spack.lock", "roots"]),
        (
            LOCK.replace(&format!("\"hash\":\"{CORELIB}\""), &format!("\"hash\":\"{}\"", CORELIB.replace('b', "c"))),
            &["corelib"],
        ),
        (LOCK.replace("\"spec\":\"tinyapp\"", "\"spec\":\"otherapp\""), &["tinyapp", "concretize"]),
        (String::new(), &["spack.lock"]),
    ] {
        write(&text);
        let ended = project.generate(&[]);
        assert!(ended.code != 0, "{text:.60}");
        for word in words {
            assert!(ended.err.contains(word), "`{word}` is not in: {}", ended.err);
        }
        assert!(!exists(&project.stage.folder.join("out.yml")) && ended.err.lines().count() == 1, "{}", ended.err);
    }
    std::fs::remove_file(project.stage.folder.join("stacks/demo/spack.lock")).unwrap();
    project.refuses(&[], 6, &["spack -e stacks/demo concretize"]);
}

#[test]
fn bad_configuration_is_refused_with_its_place() {
    let bomb: String = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        text + &format!("a{n}: &a{n} [{}]\n", vec![format!("*a{}", n - 1); 10].join(","))
    });
    for (text, words) in [
        (
            "ci:\n  pipeline-gen:\n  - submapping:\n    - match: ['%%%']\n      build-job: {}\n".to_owned(),
            &["pipeline-gen[0]", "submapping[0]", "%%%"][..],
        ),
        ("ci: {pipeline-gen: [{build-jobs: {}}]}".to_owned(), &["build-jobs", "pipeline-gen[0]"]),
        ("ci: {target: jenkins}".to_owned(), &["jenkins", "gitlab"]),
        ("ci: {a: 1, a: 2}".to_owned(), &["ci.yaml"]),
        ("ci: [".to_owned(), &["ci.yaml", "line"]),
        (bomb, &["ci.yaml"]),
    ] {
        let project = Project::new();
        project.stage.write("ci/ci.yaml", &text);
        let ended = project.generate(&[]);
        assert!(ended.code != 0 && !exists(&project.stage.folder.join("out.yml")), "{text:.60}");
        for word in words {
            assert!(ended.err.contains(word), "`{word}` is not in: {}", ended.err);
        }
    }
}

#[test]
fn includes_that_go_round_in_circles_end() {
    let project = Project::new();
    project.stage.write("ci/include.yaml", "include: [../ci]\n");
    project.refuses(&[], 6, &["included by itself"]);
}

#[test]
fn folders_whose_names_are_not_utf8_are_told_about_or_work() {
    let project = Project::new();
    let odd = project.stage.folder.join(PathBuf::from(std::ffi::OsString::from_vec(b"st\xffck".to_vec())));
    std::fs::create_dir_all(&odd).unwrap();
    std::fs::write(odd.join("spack.yaml"), "spack: {specs: [tinyapp, genkit], include: [../ci]}\n").unwrap();
    std::fs::write(odd.join("spack.lock"), LOCK).unwrap();
    let mut command = project.stage.command(&["generate", "--output-file", "out.yml", "--env"]);
    let ended = command.arg(&odd).output().unwrap();
    let told = String::from_utf8_lossy(&ended.stderr).into_owned();
    assert!(ended.status.success() == exists(&project.stage.folder.join("out.yml")), "{told}");
    assert!(ended.status.success() || told.contains("UTF-8"), "{told}");
}

#[test]
fn every_golden_run_of_spack_is_reproduced_by_the_binary() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/fixtures/spack");
    if !root.is_dir() {
        println!("skipped: no real data beside the repository");
        return;
    }
    for stack in std::fs::read_dir(root.join("generate")).unwrap() {
        for case in std::fs::read_dir(stack.unwrap().path()).unwrap() {
            golden(&root, &case.unwrap().path());
        }
    }
}

/// Runs one case with its buckets as folders, and compares with the addresses put back.
fn golden(root: &Path, case: &Path) {
    let about: Value = serde_json::from_slice(&std::fs::read(case.join("input/case.json")).unwrap()).unwrap();
    let mut stage = Stage::bare();
    for (name, value) in about["env"].as_object().unwrap() {
        stage = stage.with(name, value.as_str().unwrap());
    }
    let lock = root.join(about["lock"].as_str().unwrap()).display().to_string();
    let env = case.join("input").display().to_string();
    let buckets = format!("file://{}", case.join("input/s3").display());
    let mirrors = std::fs::read_to_string(case.join("input/mirrors.merged.yaml")).unwrap();
    let mirrors = stage.write("mirrors.yaml", &mirrors.replace("s3:/", &buckets)).display().to_string();
    let scopes = ["ci", "cdash"].map(|name| case.join(format!("input/{name}.merged.yaml")).display().to_string());
    let manifest = std::fs::read_to_string(case.join("input/spack.yaml")).unwrap();
    stage.write("env/spack.yaml", &manifest.replace("s3:/", &buckets));
    let mut line =
        vec!["generate", "--env", "env", "--lock", &lock, "--no-includes", "--parity", "--output-file", "out.yml"];
    line.push("--config-scope");
    line.extend(scopes.iter().chain([&mirrors]).map(String::as_str));
    let packages = about["change"]["affected_packages"].as_array().cloned().unwrap_or_default();
    for package in &packages {
        line.extend(["--changed-package", package.as_str().unwrap()]);
    }
    let ended = stage.run(&line);
    assert_eq!(ended.code, 0, "{env}: {}", ended.err);
    let made = std::fs::read_to_string(stage.folder.join("out.yml")).unwrap().replace(&buckets, "s3:/");
    let read = |text: &str| settled(&yaml::Value::parse(text.as_bytes()).unwrap());
    let expected = std::fs::read_to_string(case.join("expected/cloud-ci-pipeline.yml")).unwrap();
    let (made, expected) = (read(&made), read(&expected));
    for (name, job) in expected.as_map().unwrap().iter() {
        assert_eq!(made.get(&name.name), Some(job), "{env}: {name}");
    }
    assert_eq!(made.as_map().unwrap().len(), expected.as_map().unwrap().len(), "{env}");
}

fn sha256(text: &str) -> String {
    Sha256::digest(text.as_bytes()).iter().fold(String::new(), |mut sum, byte| {
        write!(sum, "{byte:02x}").unwrap();
        sum
    })
}

/// Needs as sets; the order of keys does not count anyway.
fn settled(value: &yaml::Value) -> yaml::Value {
    let sorted = |job: &yaml::Value| {
        let yaml::Value::Map(mut keys) = job.clone() else { return job.clone() };
        if let Some(yaml::Value::List(mut needs)) = keys.take("needs") {
            needs.sort_by_key(|need| need.get("job").and_then(yaml::Value::as_text).map(str::to_owned));
            keys.insert("needs", yaml::Value::List(needs));
        }
        yaml::Value::Map(keys)
    };
    let jobs = value.as_map().unwrap().iter().map(|(name, job)| (name.clone(), sorted(job)));
    yaml::Value::Map(jobs.collect())
}
