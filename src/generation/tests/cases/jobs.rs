//! Cases 29, 31 to 35 and 37: what the configuration makes of build jobs.

use super::*;

/// A job of the worked example under another scope.
#[track_caller]
fn built(scope: &str, package: &str) -> Job {
    job(&worked_below(scope, &[PROTECTED]).document(), package).clone()
}

#[track_caller]
fn refused(scope: &str) -> String {
    worked_below(scope, &[PROTECTED]).refusal()
}

#[test]
fn case_29_reserved_tags_are_given_by_the_generator_only() {
    let scope = "ci: {pipeline-gen: [{build-job: {tags: [notary, public, protected, own]}}]}";
    for (kind, tags) in [
        (PULL_REQUEST, vec!["own", "small", "x86", "spack", "public"]),
        (PROTECTED, vec!["own", "small", "x86", "spack", "protected"]),
        (("SPACK_PIPELINE_TYPE", ""), vec!["own", "small", "x86", "spack"]),
    ] {
        let document = worked_below(scope, &[kind]).document();
        assert_eq!(texts(job(&document, "corelib@").get("tags")), tags, "{kind:?}");
        assert_eq!(texts(job(&document, "rebuild-index").get("tags")), ["spack"], "service jobs get no such tag");
    }
    // A submapping cannot smuggle one in, and `aws` is not reserved.
    let scope = "ci: {pipeline-gen: [{submapping: [{match: ['@:'], build-job: {tags: [protected, aws]}}]}]}";
    let document = worked_below(scope, &[PULL_REQUEST]).document();
    assert_eq!(texts(job(&document, "tinyapp@").get("tags")), ["aws", "x86", "spack", "public"]);
}

const TWO_ENTRIES: &str = "
- match: [corelib]
  build-job: {tags: [upper], image: upper, variables: {A: upper, B: upper}}
- match: [tinyapp]
  build-job: {tags: [never], image: never}
- match: [genkit, corelib]
  build-job-remove: {tags: [x86]}
  build-job: {tags: [lower], image: lower, variables: {A: lower, C: lower}}
";

fn two_entries(behaviour: &str) -> Job {
    let entries = TWO_ENTRIES.replace('\n', "\n    ");
    let scope = format!("ci:\n  pipeline-gen:\n  - submapping:{entries}\n    {behaviour}\n");
    built(&scope, "corelib@")
}

#[test]
fn case_31_the_first_match_is_the_lowest_entry() {
    for behaviour in ["", "match_behavior: first"] {
        let job = two_entries(behaviour);
        assert_eq!(texts(job.get("tags")), ["lower", "small", "spack", "protected"]);
        assert_eq!(*job["image"], Value::text("lower"));
        assert_eq!(job["variables"].get("A"), Some(&Value::text("lower")));
        assert_eq!(job["variables"].get("B"), None);
    }
}

#[test]
fn case_31_all_matches_merge_with_the_upper_ones_on_top() {
    let job = two_entries("match_behavior: merge");
    assert_eq!(texts(job.get("tags")), ["upper", "lower", "small", "spack", "protected"]);
    assert_eq!(*job["image"], Value::text("upper"));
    let variable = |name: &str| job["variables"].get(name).and_then(Value::as_text);
    assert_eq!((variable("A"), variable("B"), variable("C")), (Some("upper"), Some("upper"), Some("lower")));
}

#[test]
fn case_31_matches_are_specs_and_not_names() {
    for (text, hits) in [
        ("corelib +shared", true),
        ("corelib ~shared", false),
        ("@0.9", true),
        ("@1:", false),
        ("corelib@:0.8", false),
        ("target=x86_64_v4", true),
        ("os=debian12 platform=linux", true),
        ("arch=linux-debian12-x86_64_v4", true),
        ("target=aarch64", false),
        ("build_system=generic", true),
        ("demo.corelib", true),
        ("builtin.corelib", false),
        ("corelib ^sysbits", false),
        ("/bzrkkjf", true),
        ("corelib2", false),
        ("@:", true),
    ] {
        let scope =
            format!("ci: {{pipeline-gen: [{{submapping: [{{match: ['{text}'], build-job: {{image: hit}}}}]}}]}}");
        let image = built(&scope, "corelib@")["image"].clone();
        assert_eq!(*image == Value::text("hit"), hits, "{text}");
    }
    let scope = "ci: {pipeline-gen: [{submapping: [{match: ['tinyapp ^sysbits'], build-job: {image: hit}}]}]}";
    assert_eq!(*built(scope, "tinyapp@")["image"], Value::text("hit"));
}

#[test]
fn case_32_removing_a_scalar_needs_the_replacing_key() {
    let image = |key: &str| {
        let scope = format!("ci: {{pipeline-gen: [{{build-job-remove: {{'{key}': x, 'tags': [spack, none]}}}}]}}");
        let job = built(&scope, "corelib@");
        assert_eq!(texts(job.get("tags")), ["small", "x86", "protected"]);
        job.get("image").map(|image| (**image).clone())
    };
    assert_eq!(image("image:"), None);
    assert_eq!(image("image"), Some(Value::text("img:1")));
}

#[test]
fn case_32_removal_comes_before_addition_in_one_element() {
    let scope = "ci: {pipeline-gen: [{build-job: {tags: [x86, new]}, build-job-remove: {tags: [x86, spack, new]}}]}";
    assert_eq!(texts(built(scope, "corelib@").get("tags")), ["x86", "new", "small", "protected"]);
    let scope = "ci: {pipeline-gen: [{any-job-remove: {'before_script:': []}}]}";
    let document = worked_below(scope, &[PROTECTED]).document();
    assert!(document.jobs.values().all(|job| !job.contains_key("before_script")));
}

#[test]
fn case_33_scripts_are_prepended_appended_or_replaced() {
    let default =
        ["cd jobs_scratch_dir/demo/concrete_environment", "spack env activate --without-view .", "spack ci rebuild"];
    let script = |key: &str| {
        let scope = format!("ci: {{pipeline-gen: [{{build-job: {{'{key}': [[one, 'in {{env_dir}}'], two]}}}}]}}");
        texts(built(&scope, "corelib@").get("script")).into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    let own = ["one", "in jobs_scratch_dir/demo/concrete_environment", "two"];
    assert_eq!(script("script:"), own);
    assert_eq!(script("script"), [&own[..], &default].concat());
    assert_eq!(script("script+"), [&own[..], &default].concat());
    assert_eq!(script("script-"), [&default[..], &own].concat());
}

#[test]
fn case_33_before_script_is_appended_after_lower_layers() {
    let scope = "ci: {pipeline-gen: [{build-job: {before_script-: [[z, '{env_dir}']], after_script: [[y], x]}}]}";
    let job = built(scope, "corelib@");
    // Only `script` knows what `{env_dir}` is.
    assert_eq!(texts(job.get("before_script")), ["a", "b", "c", "z", "{env_dir}"]);
    assert_eq!(texts(job.get("after_script")), ["y", "x"]);
    // Nested lists are one element each when lists are merged, so the same lines may come twice.
    let scope = "ci: {pipeline-gen: [{build-job: {before_script: [a, c]}}]}";
    assert_eq!(texts(built(scope, "corelib@").get("before_script")), ["a", "c", "a", "b"]);
}

const RETRIED: [&str; 11] = [
    "unknown_failure",
    "script_failure",
    "api_failure",
    "stuck_or_timeout_failure",
    "runner_system_failure",
    "runner_unsupported",
    "stale_schedule",
    "archived_failure",
    "unmet_prerequisites",
    "scheduler_failure",
    "data_integrity_failure",
];

#[test]
fn case_34_retry_is_merged_with_what_is_built_in() {
    let retry = |text: &str| {
        let scope = format!("ci: {{pipeline-gen: [{{build-job: {{'retry:': {text}}}}}]}}");
        (*built(&scope, "corelib@")["retry"]).clone()
    };
    let full =
        |max: i64, when: &[&str]| Value::map([("max", Value::Int(max)), ("when", Value::texts(when.iter().copied()))]);
    assert_eq!(retry("{max: 1}"), full(1, &RETRIED));
    assert_eq!(retry("{max: 0}"), full(0, &RETRIED));
    assert_eq!(retry("{'when:': [api_failure]}"), full(2, &["api_failure"]));
    let first = ["api_failure", "job_execution_timeout"];
    let rest: Vec<&str> = RETRIED.into_iter().filter(|kind| !first.contains(kind)).collect();
    assert_eq!(retry("{when: [api_failure, job_execution_timeout]}"), full(2, &[&first[..], &rest].concat()));
    assert_eq!(
        retry("{when-: [api_failure]}").get("when").unwrap().as_list().unwrap().last(),
        Some(&Value::text("api_failure"))
    );
    assert_eq!(retry("1"), Value::Int(1), "GitLab takes a number as well");
}

#[test]
fn case_34_a_replacing_list_stays_one_through_other_layers() {
    // The upper layer adds a number, the lower one replaces the list.
    let lower = "ci: {pipeline-gen: [{build-job: {retry: {'when:': [api_failure]}}}]}";
    let made = stack(LOCK, &["ci: {pipeline-gen: [{build-job: {retry: {max: 1}}}]}", lower, "ci: {}", ONE_MIRROR], &[]);
    assert_eq!(*job(&made.document(), "corelib@")["retry"], yaml("{max: 1, when: [api_failure]}"));
}

#[test]
fn artifacts_keep_what_the_generator_needs() {
    let scope = "ci: {pipeline-gen: [{build-job: {artifacts: {when: never, paths: [mine, jobs_scratch_dir/demo/tests], expire_in: 1 day}}}]}";
    let root = "jobs_scratch_dir/demo";
    let expected = yaml(&format!(
        "{{when: always, paths: [{root}/logs, {root}/reproduction, {root}/tests, {root}/user_data, mine], expire_in: 1 day}}"
    ));
    assert_eq!(*built(scope, "corelib@")["artifacts"], expected);
}

#[test]
fn case_35_a_match_that_cannot_be_read_is_named_with_its_place() {
    for text in ["corelib@", "corelib target=x86_64:", "$packages", "corelib +", "a b", "./spec.json", "^"] {
        let scope = format!(
            "ci: {{pipeline-gen: [{{build-job: {{image: x}}}}, {{submapping: [{{match: [zlib]}}, {{match: [zlib, '{text}']}}]}}]}}"
        );
        let refusal = refused(&scope);
        assert!(refusal.starts_with("scope0 pipeline-gen[1] submapping[1] has a match"), "{refusal}");
        assert!(refusal.contains(&format!("`{text}`")), "{refusal}");
    }
    // In the scope below it is counted from 0 again, also when another element stands above it.
    let broken = "ci: {pipeline-gen: [{submapping: [{match: ['a b']}]}]}";
    let refusal = stack(LOCK, &["ci: {pipeline-gen: [{build-job: {}}]}", broken, ONE_MIRROR], &[]).refusal();
    assert!(refusal.starts_with("scope1 pipeline-gen[0] submapping[0] "), "{refusal}");
}

#[test]
fn case_35_a_match_that_this_lock_cannot_decide_is_no_silent_miss() {
    // corelib provides `core-api` to genkit; the lock does not say in which versions, nor whether tinyapp provides it.
    let lock = LOCK.replacen(
        &format!(r#""name":"corelib","hash":"{CORE}","parameters":{{"deptypes":["build","link"],"virtuals":[]"#),
        &format!(
            r#""name":"corelib","hash":"{CORE}","parameters":{{"deptypes":["build","link"],"virtuals":["core-api"]"#
        ),
        1,
    );
    assert_ne!(lock, LOCK);
    for (text, undecided) in [
        ("core-api", true),
        ("tinyapp ^core-api@2", true),
        ("tinyapp ^core-api", false),
        ("corelib", false),
        ("mpi", false),
    ] {
        let scope = format!("ci: {{pipeline-gen: [{{submapping: [{{match: [corelib, {text}]}}]}}]}}");
        let made = stack(&lock, &[&scope, ONE_MIRROR], &[PROTECTED]);
        if undecided {
            let refusal = made.refusal();
            assert!(refusal.starts_with("scope0 pipeline-gen[0] submapping[0] has a match"), "{refusal}");
            assert!(refusal.contains(&format!("`{text}`")), "{refusal}");
        } else {
            assert_eq!(made.document().jobs.len(), 5, "{text}");
        }
    }
}

#[test]
fn case_37_a_long_group_is_cut_and_the_hash_stays_whole() {
    for letter in ["g", "ß"] {
        let group = letter.repeat(300);
        let document = worked_below(&format!("cdash: {{build-group: {group}, url: x}}"), &[PROTECTED]).document();
        let head = format!("corelib@0.9 /{CORE} ");
        let name = document.jobs.keys().find(|name| name.starts_with(&head)).unwrap();
        assert_eq!(name.chars().count(), 255);
        assert!(name.ends_with(letter));
        assert_eq!(needs(job(&document, "midlib@")), [&**name], "needs name the job as it is called");
        // Only the name of the job has a limit.
        let build = job(&document, "corelib@")["variables"]
            .get("SPACK_CDASH_BUILD_NAME")
            .and_then(Value::as_text)
            .unwrap()
            .to_owned();
        assert!(build.ends_with(&format!("({group})")), "{build}");
    }
}

#[test]
fn case_37_jobs_that_would_share_a_name_stop_generation() {
    // A name so long that no hash is left to tell them apart.
    let long = "x".repeat(260);
    let refusal = plain(&lock_of(&[&long, &long], &[], &[], &[0, 1])).refusal();
    assert!(refusal.contains("255"), "{refusal}");
}

#[test]
fn a_build_group_names_jobs_and_builds() {
    let made = worked_below("cdash: {build-group: Demo, url: x}", &[PROTECTED]);
    let document = made.document();
    assert!(document.jobs.contains_key(&*format!("corelib@0.9 /{CORE} Demo")));
    let variables = &job(&document, "corelib@")["variables"];
    let text = |name: &str| variables.get(name).and_then(Value::as_text).unwrap();
    assert_eq!(
        text("SPACK_CDASH_BUILD_NAME"),
        format!("corelib@0.9none hash={CORE} arch=linux-debian12-x86_64_v4 (Demo)")
    );
    assert_eq!(text("SPACK_CDASH_BUILD_STAMP"), "20260117-1200-Demo");
    let stamped = worked_below("cdash: {build-group: Demo}", &[("SPACK_CDASH_BUILD_STAMP", "once")]);
    let stamp = job(&stamped.document(), "corelib@")["variables"].get("SPACK_CDASH_BUILD_STAMP").cloned();
    assert_eq!(stamp, Some(Value::text("once")));
    // An empty group is none: a name must not end in a blank.
    for group in ["''", "~"] {
        let made = worked_below(&format!("cdash: {{build-group: {group}}}"), &[PROTECTED]);
        assert!(made.document().jobs.contains_key(&*format!("corelib@0.9 /{CORE}")), "{group}");
    }
}

#[test]
fn a_job_without_what_every_job_has_is_refused() {
    for (element, said) in [
        ("build-job-remove: {'script:': []}", "script"),
        ("any-job-remove: {'variables:': {}}", "variables"),
        ("build-job-remove: {'variables:': {'SPACK_JOB_SPEC_DAG_HASH:': x}}", "variables"),
    ] {
        let refusal = refused(&format!("ci: {{pipeline-gen: [{{{element}}}]}}"));
        assert!(refusal.starts_with("the job of ") && refusal.contains(said), "{element}: {refusal}");
    }
}

#[test]
fn attributes_of_the_wrong_kind_are_refused_with_their_place() {
    for (attributes, said) in [
        ("{tags: spack}", "`tags`"),
        ("{tags: ~}", "`tags`"),
        ("{variables: [a]}", "`variables`"),
        ("{variables: ~}", "`variables`"),
        ("{variables: {A: [x]}}", "`variables:A`"),
        ("{variables: {A: ~}}", "`variables:A`"),
        ("{variables: {A: true}}", "`variables:A`"),
        ("{variables: {A: \"x\\0y\"}}", "`variables:A`"),
        ("{tags: [spack, 2024]}", "`tags`"),
        ("{'script:': make}", "`script`"),
        ("{'script:': [make, 1]}", "`script`"),
        ("{'script:': [[make, [deep]]]}", "`script`"),
        ("{before_script: [[a, ~]]}", "`before_script`"),
        ("{before_script: {a: b}}", "`before_script`"),
        ("{after_script-: 1}", "`after_script`"),
        ("[]", "a list"),
        ("text", "a text"),
    ] {
        let scope = format!("ci: {{pipeline-gen: [{{any-job: {attributes}}}]}}");
        let refusal = refused(&scope);
        assert!(refusal.starts_with("scope0 pipeline-gen[0] ") && refusal.contains(said), "{attributes}: {refusal}");
        let scope = format!("ci: {{pipeline-gen: [{{submapping: [{{match: [zlib], build-job: {attributes}}}]}}]}}");
        let refusal = refused(&scope);
        assert!(
            refusal.starts_with("scope0 pipeline-gen[0] submapping[0] ") && refusal.contains(said),
            "{attributes}: {refusal}"
        );
    }
    // An element whose lines are all commented out says nothing.
    for scope in
        ["ci: {pipeline-gen: [{build-job: ~}]}", "ci: {pipeline-gen: [{submapping: [{match: ['@:'], build-job: ~}]}]}"]
    {
        assert_eq!(worked_below(scope, &[PROTECTED]).document(), worked().document(), "{scope}");
    }
}
