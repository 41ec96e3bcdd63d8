//! Cases 5 to 8 and 15 to 18: what is a job, and what waits for what.

use super::*;

#[test]
fn case_05_the_middle_of_a_chain_is_pruned() {
    let mut made = plain(&lock_of(&["a", "b", "c"], &[(0, 1), (1, 2)], &[], &[0]));
    made.index(0, &[&hash(1)]);
    for parity in [true, false] {
        made.options.parity = parity;
        assert_eq!(needs(job(&made.document(), "a@")), [format!("c@1.2 /{}", hash(2))]);
    }
}

#[test]
fn case_06_both_middles_of_a_diamond_are_pruned() {
    let mut made = plain(&lock_of(&["top", "left", "right", "bottom"], &[(0, 1), (0, 2), (1, 3), (2, 3)], &[], &[0]));
    made.index(0, &[&hash(1), &hash(2)]);
    for parity in [true, false] {
        made.options.parity = parity;
        assert_eq!(needs(job(&made.document(), "top@")), [format!("bottom@1.3 /{}", hash(3))]);
    }
}

#[test]
fn case_07_a_stack_of_externals_has_nothing_to_build() {
    let made = plain(&lock_of(&["sys"], &[], &[0], &[0]));
    assert_noop(&made.document());
    assert_eq!(reasons(&made, "sys"), "not found anywhere, external spec");
}

#[test]
fn case_07_an_external_in_the_middle_hands_its_dependencies_up() {
    let lock = lock_of(&["top", "sys", "low"], &[(0, 1), (1, 2)], &[1], &[0]);
    let mut made = plain(&lock);
    let lines = ["low@1.2 | stage-0 | protected | ", "top@1.0 | stage-1 | protected | low@1.2"];
    for parity in [true, false] {
        made.options.parity = parity;
        let table = table(&made.document());
        assert_eq!([&table[0], &table[2]], lines);
        assert_eq!(table.len(), 3, "{table:?}");
    }
}

#[test]
fn case_07_without_external_pruning_an_external_is_a_job() {
    let mut made = plain(&lock_of(&["top", "sys", "low"], &[(0, 1), (1, 2)], &[1], &[0]));
    made.options.prune_external = false;
    let document = made.document();
    assert_eq!(names(&document), ["low@1.2", "rebuild-index", "sys@1.1", "top@1.0"]);
    assert_eq!(needs(job(&document, "top@")), [format!("sys@1.1 /{}", hash(1))]);
    assert_eq!(reasons(&made, "sys"), "not found anywhere", "a filter that is off says nothing");
}

#[test]
fn case_08_an_empty_stack_succeeds_with_nothing_to_do() {
    let made = plain(&lock_of(&[], &[], &[], &[]));
    assert_noop(&made.document());
    assert!(warnings(&made).iter().any(|warning| warning.contains("empty stack")), "{:?}", warnings(&made));
    // The same where specs are left in the lock that nobody asks for.
    let mut made = worked();
    made.wanted.clear();
    assert_noop(&made.document());
    assert!(warnings(&made).iter().any(|warning| warning.contains("empty stack")));
    assert!(!warnings(&worked()).iter().any(|warning| warning.contains("empty stack")));
}

#[test]
fn case_15_two_roots_with_one_hash_are_one_job() {
    let lock = LOCK.replacen(r#""roots":["#, &format!(r#""roots":[{{"hash":"{APP}","spec":"tinyapp@2:"}},"#), 1);
    let made = stack(&lock, &[CI, ONE_MIRROR], &[PROTECTED]);
    assert_eq!(made.wanted.len(), 3);
    assert_eq!(made.document(), worked().document());
}

#[test]
fn case_15_one_package_with_two_hashes_is_two_jobs() {
    // Same name, same version, other hash.
    let lock =
        lock_of(&["twin", "twin"], &[], &[], &[0, 1]).replace("\"1.1\"", "\"1.0\"").replace("twin@1.1", "twin +other");
    let document = plain(&lock).document();
    let jobs: Vec<&str> = document.jobs.keys().map(|name| &**name).collect();
    let expected = [format!("twin@1.0 /{}", hash(0)), format!("twin@1.0 /{}", hash(1)), "rebuild-index".to_owned()];
    let mut expected: Vec<&str> = expected.iter().map(String::as_str).collect();
    expected.sort_unstable();
    assert_eq!(jobs, expected);
}

#[test]
fn case_16_a_root_that_left_the_manifest_is_not_in_the_pipeline() {
    let mut made = worked();
    made.wanted = vec!["genkit".to_owned()];
    assert_eq!(names(&made.document()), ["corelib@0.9", "genkit@3.0", "rebuild-index", "sign-pkgs"]);
    made.with(|_, made| assert_eq!(made.unwrap().specs.len(), 2));
    // What is wrong with a root that nobody wants does not matter.
    let lock = LOCK.replacen(
        &format!(r#"{{"hash":"{APP}","spec":"tinyapp"}}"#),
        &format!(r#"{{"hash":"{}","spec":"gone"}}"#, hash(9)),
        1,
    );
    let mut made = stack(&lock, &[CI, ONE_MIRROR], &[PROTECTED]);
    made.wanted = vec![" genkit ".to_owned()];
    assert_eq!(names(&made.document()).len(), 4);
}

#[test]
fn case_17_a_dependency_for_tests_only_is_a_job_that_is_waited_for() {
    let lock = lock_of(&["app", "checker"], &[(0, 1)], &[], &[0]).replace(r#"["build","link"]"#, r#"["test"]"#);
    let document = plain(&lock).document();
    assert_eq!(names(&document), ["app@1.0", "checker@1.1", "rebuild-index"]);
    assert_eq!(needs(job(&document, "app@")), [format!("checker@1.1 /{}", hash(1))]);
}

#[test]
fn case_18_what_a_splice_was_built_from_is_no_job() {
    // Place 1 is spliced; it was built as place 2, which needs place 3.
    let lock = lock_of(&["app", "lib", "lib", "old"], &[(0, 1), (2, 3)], &[], &[0]);
    let splice = format!(r#""build_spec":{{"name":"lib","hash":"{}"}},"#, hash(2));
    let at = lock.find(r#""version":"1.1""#).unwrap();
    let lock = format!("{}{splice}{}", &lock[..at], &lock[at..]);
    let made = plain(&lock);
    assert_eq!(made.lock.specs().len(), 4);
    assert_eq!(names(&made.document()), ["app@1.0", "lib@1.1", "rebuild-index"]);
    // An edge makes it a job as any other.
    let lock = lock.replacen(
        &format!(r#""name":"lib","hash":"{}","parameters""#, hash(1)),
        &format!(r#""name":"lib","hash":"{}","parameters""#, hash(2)),
        1,
    );
    assert_eq!(names(&plain(&lock).document()), ["app@1.0", "lib@1.2", "old@1.3", "rebuild-index"]);
}
