//! Cases 28, 30, 40 and 45: the kinds of pipeline, jobs that build nothing, and the variables of all jobs.

use super::*;

#[test]
fn case_28_without_a_type_there_is_no_signing_and_no_tag() {
    for text in ["", "spack_something", "Protected_Branch"] {
        let made = stack(LOCK, &[CI, ONE_MIRROR], &[("SPACK_PIPELINE_TYPE", text)]);
        let document = made.document();
        assert_eq!(names(&document), ["corelib@0.9", "genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
        assert_eq!(texts(job(&document, "corelib@").get("tags")), ["small", "x86", "spack"]);
        assert_eq!(document.globals["variables"].get("SPACK_PIPELINE_TYPE"), Some(&Value::text("None")));
        assert_eq!(document.globals["stages"], Value::texts(["stage-0", "stage-1", "stage-2", "stage-rebuild-index"]));
    }
    let (_, warnings) = Options::of(&BTreeMap::from([("SPACK_PIPELINE_TYPE".into(), "spack_something".into())]));
    assert!(warnings.len() == 1 && warnings[0].to_string().contains("`spack_something`"));
}

#[test]
fn case_28_a_pull_request_signs_nothing() {
    let document = stack(LOCK, &[CI, TWO_MIRRORS], &[PULL_REQUEST]).document();
    assert_eq!(names(&document), ["corelib@0.9", "genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
    assert_eq!(texts(job(&document, "corelib@").get("tags")), ["small", "x86", "spack", "public"]);
    assert_eq!(document.globals["variables"].get("SPACK_PIPELINE_TYPE"), Some(&Value::text("spack_pull_request")));
    assert_eq!(
        texts(job(&document, "rebuild-index").get("script")),
        ["spack buildcache update-index --keys s3://prs/p/pr1_x/demo"]
    );
}

#[test]
fn case_28_signing_needs_a_script() {
    let no_script = "ci: {pipeline-gen: [{signing-job-remove: {'script:': []}}]}";
    for scopes in [vec![no_script, CI, ONE_MIRROR], vec!["ci: {}", ONE_MIRROR]] {
        let document = stack(LOCK, &scopes, &[PROTECTED]).document();
        assert!(!document.jobs.contains_key("sign-pkgs"));
        assert_eq!(document.globals["stages"], Value::texts(["stage-0", "stage-1", "stage-2", "stage-rebuild-index"]));
    }
    // A script for any job is one for signing as well.
    let any = "ci: {pipeline-gen: [{any-job: {script: [[deep, x], y]}}]}";
    let document = stack(LOCK, &[any, ONE_MIRROR], &[PROTECTED]).document();
    assert_eq!(texts(job(&document, "sign-pkgs").get("script")), ["deep", "x", "y"]);
    assert_eq!(
        texts(job(&document, "rebuild-index").get("script")),
        ["spack buildcache update-index --keys s3://in/develop/demo"]
    );
}

#[test]
fn service_jobs_keep_the_variables_that_the_configuration_gives_them() {
    let scope = "ci: {pipeline-gen: [{any-job: {variables: {A: 1}}}, {signing-job: {variables: {SPACK_BUILDCACHE_DESTINATION: mine, B: 2}}}]}";
    let document = worked_below(scope, &[PROTECTED]).document();
    assert_eq!(*job(&document, "rebuild-index")["variables"], yaml("{A: 1}"));
    let expected = yaml(
        "{A: 1, B: 2, SPACK_BUILDCACHE_DESTINATION: 's3://in/develop/demo', SPACK_BUILDCACHE_RELATIVE_SPECS_URL: v3/manifests/spec, \
         SPACK_BUILDCACHE_RELATIVE_KEYS_URL: v3/manifests/key}",
    );
    assert_eq!(*job(&document, "sign-pkgs")["variables"], expected);
}

#[test]
fn case_30_only_a_literal_false_turns_the_index_off() {
    for (value, is_there) in
        [("false", false), ("true", true), ("'false'", true), ("0", true), ("~", true), ("no", true)]
    {
        let document = worked_below(&format!("ci: {{rebuild-index: {value}}}"), &[PROTECTED]).document();
        assert_eq!(document.jobs.contains_key("rebuild-index"), is_there, "{value}");
        let stages = document.globals["stages"].as_list().unwrap().to_vec();
        assert_eq!(stages.contains(&Value::text("stage-rebuild-index")), is_there, "{value}");
        assert_eq!(stages.len(), if is_there { 5 } else { 4 });
    }
}

#[test]
fn case_40_mirrors_that_must_be_there() {
    for (scopes, kind, name) in [
        (vec![CI], PROTECTED, "buildcache-destination"),
        (vec![CI, "mirrors: {buildcache-source: s3://x, destination: s3://y}"], PROTECTED, "buildcache-destination"),
        (
            vec![CI, "mirrors: {buildcache-destination: {url: s3://x, binary: false}}"],
            PROTECTED,
            "buildcache-destination",
        ),
        (vec![CI, ONE_MIRROR], COPY_ONLY, "buildcache-source"),
    ] {
        for parity in [false, true] {
            let mut made = stack(LOCK, &scopes, &[kind]);
            made.options.parity = parity;
            let refusal = made.refusal();
            assert!(refusal.contains(&format!("`{name}`")) && refusal.contains("--mirror"), "{refusal}");
        }
    }
    // Who does not copy needs no source.
    assert_eq!(worked().document().jobs.len(), 6);
}

#[test]
fn case_40_a_copy_only_pipeline_copies_and_indexes() {
    let scope =
        "ci: {pipeline-gen: [{copy-job: {'script:': [[copy, it]], variables: {A: a, SPACK_BUILDCACHE_SOURCE: mine}}}]}";
    for cached in [vec![], vec![APP, KIT, CORE, MID]] {
        let mut made = stack(LOCK, &[scope, CI, TWO_MIRRORS], &[COPY_ONLY]);
        made.index(1, &cached);
        let document = made.document();
        assert_eq!(names(&document), ["copy", "rebuild-index"]);
        assert_eq!(document.globals["stages"], Value::texts(["copy", "stage-rebuild-index"]));
        assert_eq!(document.globals["variables"].get("SPACK_PIPELINE_TYPE"), Some(&Value::text("spack_copy_only")));
        let copy =
            Value::Map(document.jobs["copy"].iter().map(|(key, value)| ((&**key).into(), (**value).clone())).collect());
        let expected = yaml(
            r#"
            stage: copy
            tags: [spack]
            before_script: [[a, b], c]
            script: [[copy, it]]
            needs: [{job: demo-generate, pipeline: "4242"}]
            dependencies: []
            variables:
              A: a
              SPACK_COPY_ONLY_DESTINATION: s3://prs/p/pr1_x/demo
              SPACK_BUILDCACHE_RELATIVE_KEYS_URL: v3/manifests/key
              SPACK_BUILDCACHE_SOURCE: s3://bin/develop/demo
            "#,
        );
        assert_eq!(copy, expected);
    }
    let scope = "ci: {rebuild-index: false}";
    let document = stack(LOCK, &[scope, CI, TWO_MIRRORS], &[COPY_ONLY]).document();
    assert_eq!((names(&document), &document.globals["stages"]), (vec!["copy"], &Value::texts(["copy"])));

    // Nothing is built in that a copy job could run, and GitLab takes no job without a script.
    let mut made = stack(LOCK, &[scope, TWO_MIRRORS], &[COPY_ONLY]);
    let refusal = made.refusal();
    assert!(refusal.contains("`copy` has no script") && refusal.contains("give copy-job a `script`"), "{refusal}");
    made.options.parity = true;
    assert_eq!((names(&made.document()), warnings(&made).contains(&refusal)), (vec!["copy"], true));
}

#[test]
fn case_40_what_is_copied_where() {
    let copies = |kind, cached: &[&str], to: &str| {
        let mut made = stack(LOCK, &[CI, TWO_MIRRORS], &[kind, ("SPACK_COPY_BUILDCACHE", to)]);
        made.index(1, cached);
        made.with(|_, made| made.unwrap().copies)
    };
    let hashes =
        |copies: Option<Vec<Copy>>| copies.unwrap().iter().map(|copy| copy.hash.to_string()).collect::<Vec<_>>();
    let of_all = |mut hashes: Vec<String>| {
        hashes.sort();
        hashes
    };
    assert_eq!(
        of_all(hashes(copies(COPY_ONLY, &[CORE], "s3://all"))),
        of_all([APP, KIT, CORE, MID].map(str::to_owned).to_vec())
    );
    assert_eq!(
        of_all(hashes(copies(PROTECTED, &[CORE, MID], "s3://all"))),
        of_all([APP, KIT].map(str::to_owned).to_vec())
    );
    assert_eq!(copies(PROTECTED, &[], ""), None);
    let copy = copies(PROTECTED, &[APP, CORE, MID], "s3://all/").unwrap().remove(0);
    let path = format!("v3/manifests/spec/genkit/genkit-3.0-{KIT}.spec.manifest.json");
    assert_eq!((copy.src, copy.dest), (format!("s3://prs/p/pr1_x/demo/{path}"), format!("s3://all/{path}")));
}

#[test]
fn case_45_every_path_has_forward_slashes() {
    let mut made = stack(
        LOCK,
        &[CI, ONE_MIRROR],
        &[PROTECTED, ("SPACK_CI_SPACK_ROOT", ".ci\\tmp\\spack"), ("SPACK_CI_STACK_NAME", "win\\vis")],
    );
    made.options.artifacts_root = "jobs_scratch_dir\\windows-vis".into();
    for form in [Form::Yaml, Form::Json] {
        let text = made.document().text(form);
        assert!(!text.contains('\\'), "{text}");
    }
    let document = made.document();
    let variable = |name: &str| document.globals["variables"].get(name).and_then(Value::as_text);
    assert_eq!(variable("SPACK_ARTIFACTS_ROOT"), Some("jobs_scratch_dir/windows-vis"));
    assert_eq!(variable("SPACK_CONCRETE_ENV_DIR"), Some("jobs_scratch_dir/windows-vis/concrete_environment"));
    assert_eq!(variable("SPACK_CI_SPACK_ROOT"), Some(".ci/tmp/spack"));
    assert_eq!(variable("SPACK_CI_STACK_NAME"), Some("win/vis"));
    assert_eq!(
        texts(job(&document, "corelib@").get("script"))[0],
        "cd jobs_scratch_dir/windows-vis/concrete_environment"
    );
    // A folder that is given with its slash is the same folder.
    made.options.artifacts_root = "jobs_scratch_dir/windows-vis/".into();
    assert_eq!(
        texts(job(&made.document(), "corelib@").get("script"))[0],
        "cd jobs_scratch_dir/windows-vis/concrete_environment"
    );
}

#[test]
fn a_stack_without_a_name_says_so_as_spack_does() {
    let made = Made::new(LOCK.as_bytes(), &[CI, ONE_MIRROR], &[]);
    let document = made.document();
    assert_eq!(document.globals["variables"].get("SPACK_CI_STACK_NAME"), Some(&Value::text("None")));
    let need = job(&document, "corelib@")["needs"].as_list().unwrap().to_vec();
    assert_eq!(need, [yaml("{job: job-does-not-exist, pipeline: pipeline-does-not-exist}")]);
}

#[test]
fn a_configuration_that_cannot_be_a_pipeline_is_refused() {
    for (scope, said) in [
        ("mirrors: {}", "`ci`"),
        ("ci: {target: github}", "`github`"),
        ("ci: {target: 1}", "gitlab"),
        ("ci: [a]", "a list"),
        ("ci: {pipeline-gen: {build-job: {}}}", "scope0"),
        ("ci: {pipeline-gen: ~}", "scope0"),
    ] {
        let refusal = stack(LOCK, &[scope, ONE_MIRROR], &[]).refusal();
        assert!(refusal.contains(said), "{scope}: {refusal}");
    }
    let below =
        stack(LOCK, &["ci: {pipeline-gen: []}", "ci: {pipeline-gen: {build-job: {}}}", ONE_MIRROR], &[]).refusal();
    assert!(below.contains("scope1"), "{below}");
}
