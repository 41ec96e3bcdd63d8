//! Cases 24 to 27, and what the closure check makes of what the mirrors hold.

use super::*;

/// The worked example in a pull request: place 0 is the source, place 1 the destination.
fn pull_request() -> Made {
    stack(LOCK, &[CI, TWO_MIRRORS], &[PULL_REQUEST])
}

/// Lists one hash in the index of a mirror, as said.
fn list(made: &mut Made, mirror: usize, hash: &str, listed: Listed) {
    made.views[mirror].state = MirrorState::Read(vec![listing(HashMap::from([(Hash::parse(hash).unwrap(), listed)]))]);
}

const ALL_FOUR: [&str; 5] = ["corelib@0.9", "genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"];

#[test]
fn case_24_without_any_index_all_is_rebuilt_and_each_mirror_is_warned_about() {
    let made = pull_request();
    assert_eq!(names(&made.document()), ALL_FOUR);
    let warnings = warnings(&made);
    assert_eq!(warnings.len(), 2, "{warnings:?}");
    for (warning, mirror) in warnings.iter().zip(&made.mirrors) {
        assert!(warning.contains(&*mirror.name) && warning.contains(&*mirror.fetch), "{warning}");
    }
    // An index that is there and empty is nothing to warn about.
    let mut made = pull_request();
    made.index(0, &[]).index(1, &[]);
    assert_eq!(names(&made.document()), ALL_FOUR);
    assert!(super::warnings(&made).is_empty());
}

#[test]
fn case_25_a_mirror_that_cannot_be_read_stops_generation() {
    for mirror in [0, 1] {
        let mut made = pull_request();
        made.index(1 - mirror, &[CORE]);
        made.views[mirror].state = MirrorState::failed("s3://x/index: 403 Forbidden");
        let (name, url) = (made.mirrors[mirror].name.clone(), made.mirrors[mirror].fetch.clone());
        let refusal = made.refusal();
        for part in [&*name, &*url, "403 Forbidden", &format!("--allow-missing-index {name}")] {
            assert!(refusal.contains(part), "{part}: {refusal}");
        }

        made.options.allow_missing_index = vec!["another".into()];
        assert_eq!(made.refusal(), refusal, "only the mirror that was named is excused");
        made.options.allow_missing_index = vec![name.clone()];
        assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
        let allowed = warnings(&made);
        assert!(allowed.len() == 1 && allowed[0].contains(&*name) && allowed[0].contains("403"), "{allowed:?}");

        made.options.allow_missing_index.clear();
        made.options.parity = true;
        assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
        assert_eq!(warnings(&made), [refusal], "Spack goes on");
    }
}

#[test]
fn case_25_what_was_read_of_a_mirror_counts_where_generation_goes_on() {
    let mut made = pull_request();
    made.index(0, &[]).index(1, &[CORE]);
    let listings = made.views[1].state.listings().to_vec();
    made.views[1].state = MirrorState::Failed { reason: "s3://x/build_cache: 404".into(), listings };
    assert!(made.refusal().contains("build_cache: 404"), "unknown is not absent");

    made.options.allow_missing_index = vec![made.mirrors[1].name.clone()];
    assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
    assert!(warnings(&made)[0].contains("counts with what was read of it"), "{:?}", warnings(&made));
    made.options.allow_missing_index.clear();
    made.options.parity = true;
    assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
}

#[test]
fn case_26_what_either_mirror_holds_is_not_built_again() {
    let mut made = pull_request();
    made.index(0, &[CORE, KIT]).index(1, &[MID, KIT]);
    assert_eq!(names(&made.document()), ["rebuild-index", "tinyapp@2.1"]);
    assert_eq!(reasons(&made, "corelib"), "up-to-date [s3://bin/develop/demo@v3], not external");
    assert_eq!(reasons(&made, "midlib"), "up-to-date [s3://prs/p/pr1_x/demo@v3], not external");
    let both = "up-to-date [s3://bin/develop/demo@v3,s3://prs/p/pr1_x/demo@v3], not external";
    assert_eq!(reasons(&made, "genkit"), both);
}

#[test]
fn case_26_layouts_and_direct_finds_are_told_apart() {
    let mut made = pull_request();
    let found = Listed { in_buildcache: true, external: false };
    let old = Listing { layout: 2, ..listing(HashMap::from([(Hash::parse(CORE).unwrap(), found)])) };
    made.views[0].state = MirrorState::Read(vec![listing(HashMap::from([(Hash::parse(CORE).unwrap(), found)])), old]);
    made.views[1].direct = HashMap::from([(Hash::parse(MID).unwrap(), 2)]);
    let url = "s3://bin/develop/demo";
    assert_eq!(reasons(&made, "corelib"), format!("up-to-date [{url}@v3,{url}@v2], not external"));
    assert_eq!(reasons(&made, "midlib"), "up-to-date [s3://prs/p/pr1_x/demo@v2], not external");
    assert_eq!(names(&made.document()), ["genkit@3.0", "rebuild-index", "tinyapp@2.1"]);
}

#[test]
fn case_27_a_record_without_a_binary_counts_as_absent() {
    let mut made = worked();
    list(&mut made, 0, CORE, Listed { in_buildcache: false, external: false });
    assert_eq!(reasons(&made, "corelib"), "not found anywhere, not external");
    let document = made.document();
    let variables = &job(&document, "corelib@")["variables"];
    assert_eq!(variables.get("SPACK_SPEC_NEEDS_REBUILD"), Some(&Value::text("True")));
    // An external needs no binary, so its record counts.
    list(&mut made, 0, SYS, Listed { in_buildcache: false, external: true });
    assert_eq!(reasons(&made, "sysbits"), format!("up-to-date [{FETCH}@v3], external spec"));
}

#[test]
fn with_pruning_off_jobs_still_know_whether_they_are_needed() {
    let mut made = stack(LOCK, &[CI, ONE_MIRROR], &[PROTECTED, ("SPACK_PRUNE_UP_TO_DATE", "False")]);
    made.index(0, &[CORE]);
    let document = made.document();
    assert_eq!(document.jobs.len(), 6);
    let needed = |start| job(&document, start)["variables"].get("SPACK_SPEC_NEEDS_REBUILD").cloned();
    assert_eq!(needed("corelib@"), Some(Value::text("False")));
    assert_eq!(needed("genkit@"), Some(Value::text("True")));
    assert_eq!(document.globals["variables"].get("SPACK_REBUILD_EVERYTHING"), Some(&Value::text("True")));
    assert_eq!(document.globals["variables"].get("SPACK_REBUILD_CHECK_UP_TO_DATE"), Some(&Value::text("False")));
    assert_eq!(reasons(&made, "corelib"), "not external");
}

#[test]
fn a_dependency_that_nobody_builds_and_no_mirror_holds_stops_generation() {
    let mut made = worked();
    // The index takes corelib for an external, so it is pruned; but there is no binary of it.
    list(&mut made, 0, CORE, Listed { in_buildcache: false, external: true });
    let refusal = made.refusal();
    assert!(refusal.contains("corelib/bzrkkjf (needed by") && refusal.contains("1 dependency"), "{refusal}");
    made.options.parity = true;
    assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "sign-pkgs", "tinyapp@2.1"]);
    assert_eq!(warnings(&made), [refusal]);
    // The other mirror has it.
    let mut made = pull_request();
    list(&mut made, 0, CORE, Listed { in_buildcache: false, external: true });
    made.index(1, &[CORE]);
    assert_eq!(names(&made.document()), ["genkit@3.0", "midlib@1.4", "rebuild-index", "tinyapp@2.1"]);
}
