//! What each element of the list does, and what is refused.

use super::*;

#[test]
fn earlier_elements_and_higher_scopes_win() {
    let mapping = mapping(&[
        "[{build-job: {a: s0e0, tags: [s0e0]}}, {build-job: {a: s0e1, b: s0e1, tags: [s0e1]}}]",
        "[{build-job: {a: s1e0, b: s1e0, c: s1e0, tags: [s1e0, s0e1]}}]",
        "[{build-job: {c: s2e0, script: [mine]}}]",
    ]);
    let job = built(&mapping, "tinyapp");
    let text = |key: &str| job.get(key).and_then(Value::as_text);
    assert_eq!((text("a"), text("b"), text("c")), (Some("s0e0"), Some("s0e1"), Some("s1e0")));
    assert_eq!(job.get("tags"), Some(&yaml("[s0e0, s0e1, s1e0]")));
    // What is built in stands below everything.
    let script = "[mine, 'cd {env_dir}', spack env activate --without-view ., spack ci rebuild]";
    assert_eq!(job.get("script"), Some(&yaml(script)));
}

#[test]
fn what_is_built_in_above_everything_cannot_be_outvoted() {
    let list =
        "[{reindex-job: {'script:': [mine]}}, {cleanup-job: {script: [mine]}}, {signing-job: {tags: [own, notary]}},
        {any-job: {tags: [public, protected, notary, spack]}}]";
    let mapping = mapping(&[list]);
    let script = |kind| mapping.service(kind).get("script").cloned();
    assert_eq!(script(JobKind::Reindex), Some(yaml("['spack buildcache update-index --keys {index_target_mirror}']")));
    assert_eq!(script(JobKind::Cleanup), Some(yaml("['spack -d mirror destroy {mirror_prefix}/$CI_PIPELINE_ID']")));
    assert_eq!(script(JobKind::Noop), Some(yaml("['echo \"All specs already up to date, nothing to rebuild.\"']")));
    assert_eq!(mapping.service(JobKind::Signing).get("tags"), Some(&yaml("[aws, protected, notary, own, spack]")));
    for kind in [JobKind::Reindex, JobKind::Cleanup, JobKind::Noop, JobKind::Copy] {
        assert_eq!(mapping.service(kind).get("tags"), Some(&yaml("[spack]")), "{kind:?}");
    }
    assert_eq!(built(&mapping, "tinyapp").get("tags"), Some(&yaml("[spack]")));
}

#[test]
fn any_job_reaches_all_and_others_only_their_own() {
    let kinds = [JobKind::Copy, JobKind::Cleanup, JobKind::Noop, JobKind::Reindex, JobKind::Signing];
    let list = "[{any-job: {image: any}}, {build-job: {of: build}}, {copy-job: {of: copy}}, {cleanup-job: {of: cleanup}}, {noop-job: {of: noop}},
        {reindex-job: {of: reindex}}, {signing-job: {of: signing}}, {submapping: [{match: ['@:'], build-job: {sub: hit}}]},
        {any-job-remove: {'gone:': x}}, {any-job: {gone: x}}]";
    let mapping = mapping(&[list]);
    for (kind, name) in kinds.into_iter().zip(["copy", "cleanup", "noop", "reindex", "signing"]) {
        let job = mapping.service(kind);
        assert_eq!(job.get("image"), Some(&Value::text("any")));
        assert_eq!(job.get("of"), Some(&Value::text(name)));
        assert_eq!((job.get("sub"), job.get("gone"), job.get("variables")), (None, None, None));
    }
    let job = built(&mapping, "genkit");
    assert_eq!((job.get("of"), job.get("sub")), (Some(&Value::text("build")), Some(&Value::text("hit"))));
    assert_eq!((job.get("image"), job.get("gone")), (Some(&Value::text("any")), None));
}

#[test]
fn a_job_has_its_own_variables_and_the_configuration_may_change_them() {
    let own = format!("{HASH}, SPACK_JOB_SPEC_PKG_NAME: tinyapp");
    variables("[]", &format!("{{{own}}}"));
    variables("[{build-job: {variables: {A: 1}}}]", &format!("{{A: 1, {own}}}"));
    variables(
        "[{build-job: {variables: {SPACK_JOB_SPEC_PKG_NAME: x}}}]",
        &format!("{{{HASH}, SPACK_JOB_SPEC_PKG_NAME: x}}"),
    );
    variables(
        "[{build-job: {variables: {SPACK_JOB_SPEC_PKG_NAME-: x}}}]",
        &format!("{{{HASH}, SPACK_JOB_SPEC_PKG_NAME: tinyappx}}"),
    );
    variables(
        "[{any-job: {variables: {SPACK_JOB_SPEC_PKG_NAME+: x}}}]",
        &format!("{{{HASH}, SPACK_JOB_SPEC_PKG_NAME: xtinyapp}}"),
    );
    let twice = "[{build-job: {variables: {SPACK_JOB_SPEC_PKG_NAME+: a}}}, {submapping: [{match: [tinyapp], build-job: {variables: {SPACK_JOB_SPEC_PKG_NAME-: b}}}]}]";
    variables(twice, &format!("{{{HASH}, SPACK_JOB_SPEC_PKG_NAME: atinyappb}}"));
    // Numbers and texts do not concatenate.
    variables(
        "[{build-job: {variables: {SPACK_JOB_SPEC_PKG_NAME-: 1}}}]",
        &format!("{{{HASH}, SPACK_JOB_SPEC_PKG_NAME: 1}}"),
    );
    variables("[{build-job-remove: {variables: {'SPACK_JOB_SPEC_PKG_NAME:': ~}}}]", &format!("{{{HASH}}}"));
    variables("[{build-job-remove: {variables: {SPACK_JOB_SPEC_PKG_NAME: tinyapp}}}]", &format!("{{{own}}}"));
    variables("[{build-job: {'variables:': {A: b}}}]", "{A: b}");
    // Where a job is described to the server, variables of others are texts like all others.
    variables(
        "[{build-job: {variables: {A: $SPACK_JOB_SPEC_PKG_NAME}}}]",
        &format!("{{A: $SPACK_JOB_SPEC_PKG_NAME, {own}}}"),
    );
}

#[test]
fn specs_of_one_class_share_their_attributes() {
    let mapping = mapping(&[
        "[{submapping: [{match: [genkit, corelib], build-job: {a: 1}}, {match: [zlib]}]}, {build-job: {b: 1}}]",
    ]);
    let lock = lock();
    let class = |name| mapping.class(spec(&lock, name), &lock);
    assert_eq!(class("genkit"), class("corelib"));
    assert_eq!(class("tinyapp"), class("midlib"));
    assert_ne!(class("genkit"), class("tinyapp"));
}

#[test]
fn origins_name_what_set_a_key_the_last_one_at_the_end() {
    let list = "[{submapping: [{match: [tinyapp, '@9:'], build-job: {image: c, variables: {A: c}}}]}, {build-job: {image: b}}, {any-job: {image: b, tags: [t]}}]";
    let mapping = mapping(&[list]);
    let lock = lock();
    let spec = spec(&lock, "tinyapp");
    let origins = mapping.origins(&mapping.class(spec, &lock), &OWN, spec.hash, &Answers::default());
    let told = |key: &str| origins[key].iter().map(ToString::to_string).collect::<Vec<_>>();
    assert_eq!(told("image"), ["scope0 pipeline-gen[2]", "scope0 pipeline-gen[0] submapping[0] (match tinyapp, @9:)"]);
    assert_eq!(told("tags"), ["scope0 pipeline-gen[2]"]);
    assert_eq!(told("variables.A"), ["scope0 pipeline-gen[0] submapping[0] (match tinyapp, @9:)"]);
    assert_eq!(told("script"), ["built in pipeline-gen[4]"]);
}

#[test]
fn elements_that_nobody_can_obey_are_refused_with_their_place() {
    for (element, said) in [
        ("{biuld-job: {}}", "`biuld-job`"),
        ("{build-jobs: {}}", "`build-jobs`"),
        ("{build-job: {}, comment: x}", "`comment`"),
        ("{build-job: {}, any-job: {}}", "two kinds"),
        ("{build-job: {}, any-job-remove: {}}", "two kinds"),
        ("{}", "is empty"),
        ("text", "a text"),
        ("~", "nothing"),
        ("[]", "a list"),
        ("{build-job: text}", "a text under `build-job`"),
        ("{build-job-remove: [x]}", "a list under `build-job-remove`"),
        ("{submapping: [], build-job: {}}", "`build-job`"),
        ("{submapping: [], dynamic-mapping: {endpoint: x}}", "`dynamic-mapping`"),
        ("{submapping: {}}", "no list"),
        ("{submapping: [], match_behavior: last}", "match_behavior"),
        ("{submapping: [], match_behavior: [first]}", "match_behavior"),
        ("{match_behavior: first}", "`match_behavior`"),
        ("{submapping: [{match: [zlib]}, {build-job: {}}]}", "submapping[1] has no list `match`"),
        ("{submapping: [{match: zlib}]}", "submapping[0] has no list `match`"),
        ("{submapping: [{match: [[zlib]]}]}", "submapping[0] matches a list"),
        ("{submapping: [{match: [zlib], any-job: {}}]}", "submapping[0] has the key `any-job`"),
        ("{submapping: [{match: [zlib], build-job: [x]}]}", "submapping[0] has a list under `build-job`"),
        ("{submapping: [{match: [zlib], build-job-remove: x}]}", "submapping[0] has a text under `build-job-remove`"),
        ("{submapping: [text]}", "submapping[0] has no list `match`"),
        ("{dynamic-mapping: {endpoint: x}, build-job: {}}", "`build-job`"),
        ("{dynamic-mapping: {}}", "`endpoint`"),
        ("{dynamic-mapping: {endpoint: 1}}", "`endpoint`"),
        ("{dynamic-mapping: x}", "`endpoint`"),
        ("{dynamic-mapping: {endpoint: x, require: [tags, image], ignore: [image]}}", "requires and ignores `image`"),
        ("{dynamic-mapping: {endpoint: x, allow: tags}}", "`allow`"),
        ("{dynamic-mapping: {endpoint: x, ignore: [[tags]]}}", "`ignore`"),
        ("{dynamic-mapping: {endpoint: x, timeout: soon}}", "`timeout`"),
        ("{dynamic-mapping: {endpoint: x, timeout: -1}}", "`timeout`"),
        ("{dynamic-mapping: {endpoint: x, verify_ssl: 'no'}}", "`verify_ssl`"),
        ("{dynamic-mapping: {endpoint: x, header: [a]}}", "`header`"),
        ("{dynamic-mapping: {endpoint: x, header: {a: [b]}}}", "`header`"),
        ("{dynamic-mapping: {endpoint: x, name: [a]}}", "`name`"),
    ] {
        let list = format!("[{{build-job: {{}}}}, {element}]");
        let refusal = Mapping::read(&layers(&["[]", &list])).unwrap_err();
        let text = refusal.to_string();
        assert!(text.starts_with("scope1 pipeline-gen[1] ") && text.contains(said), "{element}: {text}");
        assert!(matches!(refusal, Refusal::Config { .. }));
    }
}
