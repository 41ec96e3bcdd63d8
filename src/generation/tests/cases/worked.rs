//! Cases 1 to 4 and 9 to 11: the worked example of the reference.

use super::*;

/// The whole document of the worked example, as the reference describes it.
const EXPECTED: &str = r#"
"corelib@0.9 /bzrkkjfhqxt53zkta3mujzs3q6pc6jxj": &corelib
  stage: stage-0
  image: "img:1"
  tags: [small, x86, spack, protected]
  before_script: [a, b, c]
  script:
  - cd jobs_scratch_dir/demo/concrete_environment
  - spack env activate --without-view .
  - spack ci rebuild
  needs: [{job: demo-generate, pipeline: "4242"}]
  variables:
    CI_JOB_SIZE: small
    SPACK_JOB_SPEC_DAG_HASH: bzrkkjfhqxt53zkta3mujzs3q6pc6jxj
    SPACK_JOB_SPEC_PKG_NAME: corelib
    SPACK_JOB_SPEC_PKG_VERSION: "0.9"
    SPACK_JOB_SPEC_COMPILER_NAME: none
    SPACK_JOB_SPEC_COMPILER_VERSION: none
    SPACK_JOB_SPEC_ARCH: linux-debian12-x86_64_v4
    SPACK_JOB_SPEC_VARIANTS: +shared build_system=generic
    SPACK_SPEC_NEEDS_REBUILD: "True"
  artifacts:
    when: always
    paths: [jobs_scratch_dir/demo/logs, jobs_scratch_dir/demo/reproduction, jobs_scratch_dir/demo/tests, jobs_scratch_dir/demo/user_data]
  retry:
    max: 1
    when: [unknown_failure, script_failure, api_failure, stuck_or_timeout_failure, runner_system_failure, runner_unsupported, stale_schedule,
      archived_failure, unmet_prerequisites, scheduler_failure, data_integrity_failure]
  interruptible: true
sign-pkgs:
  stage: stage-sign-pkgs
  image: notary
  tags: [aws, protected, notary, kms, spack]
  before_script: [[a, b], c]
  script: [/sign.sh]
  when: always
  retry: {max: 2, when: [always]}
  interruptible: true
  dependencies: []
  variables:
    SPACK_BUILDCACHE_DESTINATION: s3://in/develop/demo
    SPACK_BUILDCACHE_RELATIVE_SPECS_URL: v3/manifests/spec
    SPACK_BUILDCACHE_RELATIVE_KEYS_URL: v3/manifests/key
rebuild-index:
  stage: stage-rebuild-index
  tags: [spack]
  before_script: [[a, b], c]
  script: [spack buildcache update-index --keys s3://in/develop/demo]
  when: always
  retry: {max: 2, when: [runner_system_failure, stuck_or_timeout_failure, script_failure]}
  interruptible: true
  dependencies: []
stages: [stage-0, stage-1, stage-2, stage-sign-pkgs, stage-rebuild-index]
variables:
  SPACK_ARTIFACTS_ROOT: jobs_scratch_dir/demo
  SPACK_CONCRETE_ENV_DIR: jobs_scratch_dir/demo/concrete_environment
  SPACK_VERSION: 1.2.0.dev0
  SPACK_CHECKOUT_VERSION: v1.2.0.dev0
  SPACK_JOB_LOG_DIR: jobs_scratch_dir/demo/logs
  SPACK_JOB_REPRO_DIR: jobs_scratch_dir/demo/reproduction
  SPACK_JOB_TEST_DIR: jobs_scratch_dir/demo/tests
  SPACK_PIPELINE_TYPE: spack_protected_branch
  SPACK_CI_STACK_NAME: demo
  SPACK_REBUILD_CHECK_UP_TO_DATE: "True"
  SPACK_REBUILD_EVERYTHING: "False"
  SPACK_REQUIRE_SIGNING: "False"
workflow: {rules: [{when: always}]}
"#;

/// Where the other build jobs of the worked example differ from that of corelib: name, what stands in the place of what, and needs.
fn like_corelib(
    corelib: &Value,
    package: &str,
    version: &str,
    hash: &str,
    stage: &str,
    needs: &[&str],
) -> (String, Value) {
    let Value::Map(mut job) = corelib.clone() else { panic!() };
    let Some(Value::Map(mut variables)) = job.take("variables") else { panic!() };
    variables.insert("SPACK_JOB_SPEC_DAG_HASH", Value::text(hash));
    variables.insert("SPACK_JOB_SPEC_PKG_NAME", Value::text(package));
    variables.insert("SPACK_JOB_SPEC_PKG_VERSION", Value::text(version));
    variables.insert("SPACK_JOB_SPEC_VARIANTS", Value::text("build_system=generic"));
    if package != "genkit" {
        variables.take("CI_JOB_SIZE");
        job.insert("tags", Value::texts(["x86", "spack", "protected"]));
    }
    job.insert("variables", Value::Map(variables));
    job.insert("stage", Value::text(stage));
    let mut entries: Vec<Value> =
        needs.iter().map(|name| Value::map([("job", Value::text(*name)), ("artifacts", Value::Bool(false))])).collect();
    entries.push(yaml("{job: demo-generate, pipeline: '4242'}"));
    job.insert("needs", Value::List(entries));
    (format!("{package}@{version} /{hash}"), Value::Map(job))
}

fn expected() -> Value {
    let Value::Map(mut document) = yaml(EXPECTED) else { panic!() };
    let core = format!("corelib@0.9 /{CORE}");
    let corelib = document.get(&core).unwrap().clone();
    let (kit, mid) = (format!("genkit@3.0 /{KIT}"), format!("midlib@1.4 /{MID}"));
    for (name, job) in [
        like_corelib(&corelib, "genkit", "3.0", KIT, "stage-1", &[&core]),
        like_corelib(&corelib, "midlib", "1.4", MID, "stage-1", &[&core]),
        like_corelib(&corelib, "tinyapp", "2.1", APP, "stage-2", &[&kit, &mid]),
    ] {
        document.insert(&*name, job);
    }
    Value::Map(document)
}

#[test]
fn case_01_the_worked_example_is_its_table() {
    let table_of = |parity: bool| {
        let mut made = worked();
        made.options.parity = parity;
        table(&made.document())
    };
    let expected = [
        "corelib@0.9 | stage-0 | small, x86, spack, protected | ",
        "genkit@3.0 | stage-1 | small, x86, spack, protected | corelib@0.9",
        "midlib@1.4 | stage-1 | x86, spack, protected | corelib@0.9",
        "rebuild-index | stage-rebuild-index | spack | none",
        "sign-pkgs | stage-sign-pkgs | aws, protected, notary, kms, spack | none",
        "tinyapp@2.1 | stage-2 | x86, spack, protected | genkit@3.0, midlib@1.4",
    ];
    assert_eq!(table_of(true), expected);
    assert_eq!(table_of(false), expected, "there is no need to reduce");
}

#[test]
fn case_01_every_key_of_the_document_is_as_described() {
    let (have, want) = (worked().document().to_value(), expected());
    let (have, want) = (have.as_map().unwrap(), want.as_map().unwrap());
    for (key, value) in want.iter() {
        assert_eq!(have.get(&key.name), Some(value), "{}", key.name);
    }
    assert_eq!(have.len(), want.len());
}

#[test]
fn case_01_what_is_written_is_the_document_with_sorted_keys() {
    let document = worked().document();
    for form in [Form::Yaml, Form::Json] {
        let read = Value::parse(document.text(form).as_bytes()).unwrap();
        assert_eq!(read, expected(), "{form:?}");
        let keys: Vec<_> = read.as_map().unwrap().iter().map(|(key, _)| key.name.clone()).collect();
        assert!(keys.is_sorted(), "{keys:?}");
    }
    // A pipeline's id is a text for GitLab, and a number would be another thing.
    assert!(document.text(Form::Yaml).contains("pipeline: \"4242\""));
}

#[test]
fn case_01_parity_differs_in_the_spelling_of_the_type_only() {
    let mut made = worked();
    made.options.parity = true;
    let mut document = made.document();
    let Some(Value::Map(mut variables)) = document.globals.remove("variables") else { panic!() };
    assert_eq!(variables.take("SPACK_PIPELINE_TYPE"), Some(Value::text("PROTECTED_BRANCH")));
    let mut ours = worked().document();
    let Some(Value::Map(mut others)) = ours.globals.remove("variables") else { panic!() };
    others.take("SPACK_PIPELINE_TYPE");
    assert_eq!((document, variables), (ours, others));
}

#[test]
fn case_01_forwarded_variables_have_the_last_word() {
    let made =
        worked_below("ci: {}", &[PROTECTED, ("SPACK_CHECKOUT_VERSION", "c0ffee"), ("SPACK_CI_SPACK_ROOT", "a\\b")]);
    let document = made.document();
    let variables = &document.globals["variables"];
    assert_eq!(variables.get("SPACK_CHECKOUT_VERSION"), Some(&Value::text("c0ffee")));
    assert_eq!(variables.get("SPACK_CI_SPACK_ROOT"), Some(&Value::text("a/b")));
    assert_eq!(variables.get("SPACK_CI_PACKAGES_ROOT"), None);
}

#[test]
fn case_02_one_package_up_to_date() {
    let mut made = worked();
    made.index(0, &[MID]);
    let stages = ["stage-0", "stage-1", "stage-2", "stage-sign-pkgs", "stage-rebuild-index"];
    for (parity, waits) in [(true, "corelib@0.9, genkit@3.0"), (false, "genkit@3.0")] {
        made.options.parity = parity;
        let document = made.document();
        let tinyapp = format!("tinyapp@2.1 | stage-2 | x86, spack, protected | {waits}");
        assert_eq!(
            table(&document),
            [
                "corelib@0.9 | stage-0 | small, x86, spack, protected | ",
                "genkit@3.0 | stage-1 | small, x86, spack, protected | corelib@0.9",
                "rebuild-index | stage-rebuild-index | spack | none",
                "sign-pkgs | stage-sign-pkgs | aws, protected, notary, kms, spack | none",
                &tinyapp,
            ]
        );
        assert_eq!(document.globals["stages"], Value::texts(stages));
        assert_eq!(reasons(&made, "midlib"), format!("up-to-date [{FETCH}@v3], not external"));
        assert_eq!(reasons(&made, "corelib"), "not found anywhere, not external");
        assert_eq!(reasons(&made, "sysbits"), "not found anywhere, external spec");
    }
}

#[test]
fn case_03_everything_up_to_date_is_one_job_and_no_more() {
    let mut made = worked();
    made.index(0, &[APP, KIT, CORE, MID]);
    let document = made.document();
    assert_noop(&document);
    let expected = yaml(
        r#"
        no-specs-to-rebuild:
          tags: [spack]
          before_script: [[a, b], c]
          script: ['echo "All specs already up to date, nothing to rebuild."']
          retry: 0
          allow_failure: true
        workflow: {rules: [{when: always}]}
        "#,
    );
    assert_eq!(document.to_value(), expected);
    assert_eq!(Value::parse(document.text(Form::Yaml).as_bytes()).unwrap(), expected);
}

#[test]
fn case_04_stages_are_counted_after_pruning() {
    let mut made = worked();
    made.index(0, &[CORE, MID]);
    for parity in [true, false] {
        made.options.parity = parity;
        let document = made.document();
        assert_eq!(
            table(&document)[..1],
            ["genkit@3.0 | stage-0 | small, x86, spack, protected | "],
            "nothing but the generate job"
        );
        assert_eq!(table(&document)[3], "tinyapp@2.1 | stage-1 | x86, spack, protected | genkit@3.0");
        let stages = ["stage-0", "stage-1", "stage-sign-pkgs", "stage-rebuild-index"];
        assert_eq!(document.globals["stages"], Value::texts(stages));
    }
}

#[test]
fn case_09_an_edge_to_nowhere_stops_generation() {
    let ghost = hash(7);
    let lock = LOCK.replacen(
        &format!(r#""name":"sysbits","hash":"{SYS}""#),
        &format!(r#""name":"ghost","hash":"{ghost}""#),
        1,
    );
    let refusal = stack(&lock, &[CI, ONE_MIRROR], &[PROTECTED]).refusal();
    assert!(refusal.contains(&format!("midlib/ajrqahz → ghost/{ghost}")), "{refusal}");
}

#[test]
fn case_10_a_root_to_nowhere_stops_generation() {
    let lock = LOCK.replacen(
        &format!(r#"{{"hash":"{KIT}","spec":"genkit"}}"#),
        &format!(r#"{{"hash":"{}","spec":"genkit@3: +x"}}"#, hash(7)),
        1,
    );
    let refusal = stack(&lock, &[CI, ONE_MIRROR], &[PROTECTED]).refusal();
    assert!(refusal.contains("`genkit@3: +x`") && refusal.contains(&hash(7)), "{refusal}");
}

#[test]
fn case_11_a_circle_stops_generation_and_is_listed() {
    let lock = lock_of(&["top", "left", "right"], &[(0, 1), (1, 2), (2, 1)], &[], &[0]);
    for parity in [true, false] {
        let mut made = plain(&lock);
        made.options.parity = parity;
        let refusal = made.refusal();
        for label in ["left/", "right/", "circle"] {
            assert!(refusal.contains(label), "{refusal}");
        }
    }
}
