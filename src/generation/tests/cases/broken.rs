//! Case 39: specs that are known not to build.

use super::*;

fn broken(url: &str, hashes: &[&str], env: &[(&str, &str)]) -> Made {
    let mut made = worked_below(&format!("ci: {{broken-specs-url: '{url}'}}"), env);
    made.broken = hashes.iter().map(|hash| (Hash::parse(hash).unwrap(), "https://gitlab/job/7".to_owned())).collect();
    made
}

const LIST: &str = "s3://bin/broken-specs";

#[test]
fn case_39_a_broken_spec_stops_generation_and_names_its_job() {
    for parity in [true, false] {
        let mut made = broken(LIST, &[CORE], &[PROTECTED]);
        made.options.parity = parity;
        let refusal = made.refusal();
        assert!(
            refusal.contains("corelib/bzrkkjf (https://gitlab/job/7)") && refusal.contains("1 spec is"),
            "{refusal}"
        );
    }
    let refusal = broken(LIST, &[CORE, MID], &[PROTECTED]).refusal();
    assert!(refusal.contains("2 specs are") && refusal.contains("midlib/ajrqahz"), "{refusal}");
}

#[test]
fn case_39_when_all_is_rebuilt_it_is_only_warned_about() {
    let made = broken(LIST, &[CORE], &[PROTECTED, ("SPACK_PRUNE_UP_TO_DATE", "False")]);
    assert_eq!(made.document().jobs.len(), 6);
    assert!(warnings(&made).iter().any(|warning| warning.contains("corelib/bzrkkjf")), "{:?}", warnings(&made));
}

#[test]
fn case_39_only_what_would_be_built_counts() {
    // In the cache already, external, of another stack.
    let mut made = broken(LIST, &[CORE, SYS, &hash(1)], &[PROTECTED]);
    made.index(0, &[CORE]);
    assert_eq!(made.document().jobs.len(), 5);
    assert_eq!(warnings(&made), Vec::<String>::new());
    // Not affected by the change.
    let mut made = broken(LIST, &[APP], &[PROTECTED, UNTOUCHED, ("SPACK_PRUNE_UNTOUCHED_DEPENDENT_DEPTH", "0")]);
    made.changes = Some(ChangeSet::of_packages(["corelib"]));
    assert_eq!(names(&made.document()), ["corelib@0.9", "rebuild-index", "sign-pkgs"]);
    // A pipeline that copies builds nothing.
    let mut made = broken(LIST, &[CORE], &[COPY_ONLY]);
    made.mirrors.push(Mirror::at(SOURCE, "s3://x"));
    assert_eq!(names(&made.document()), ["copy", "rebuild-index"]);
}

#[test]
fn case_39_a_list_on_a_web_server_is_ignored_with_a_message() {
    for url in ["https://example.org/broken", "http://example.org/broken"] {
        let made = broken(url, &[CORE], &[PROTECTED]);
        assert_eq!(made.document().jobs.len(), 6);
        assert!(warnings(&made).iter().any(|warning| warning.contains(url)), "{:?}", warnings(&made));
    }
    assert!(!warnings(&broken(LIST, &[], &[PROTECTED])).iter().any(|warning| warning.contains("broken")));
}
