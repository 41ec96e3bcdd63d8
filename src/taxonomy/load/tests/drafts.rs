//! Rules made from picked lines.

use proptest::prelude::*;

use super::super::{append, draft};
use super::*;

fn pattern(lines: &[&str]) -> String {
    draft(lines).unwrap().pattern
}

#[test]
fn what_is_common_stays_and_what_differs_is_narrow() {
    for (lines, expected) in [
        (vec!["push of zlib@1.3 failed: 503", "push of hdf5@1.14 failed: 429"], r"push of \S+@1\.\d+ failed: \d+"),
        (vec!["blob 0a1b2c3d is gone", "blob ffee0011 is gone"], "blob [0-9a-f]+ is gone"),
        (vec!["cannot find foo in cache", "cannot find a b c in cache"], "cannot find .*? in cache"),
        (vec!["gone: /a/b", "gone: /c/d/e"], r"gone: /\S+/\S+"),
        (vec!["ERROR (AccessDenied) on s3://b"], r"ERROR \(AccessDenied\) on s3://b"),
        (vec!["job 18010125 lost, code 137"], r"job \d+ lost, code 137"),
        (vec!["hash c4pf4bjwd7thrjqo6ul25wckvqhz2qwt sum deadbeef01"], r"hash \S+ sum [0-9a-f]+"),
        (vec!["same line", "same line", "  "], "same line"),
        (vec!["\x1b[31mred\x1b[0m\ttext here"], "red text here"),
        (vec!["abc", "xyz"], "(?:abc|xyz)"),
    ] {
        assert_eq!(pattern(&lines), expected, "{lines:?}");
    }
    for nothing in [&[][..], &[""], &[" \t", "\n"]] {
        assert_eq!(draft(nothing), None);
    }
}

#[test]
fn a_draft_is_a_rule_that_loads() {
    let draft = draft(&["==> Error: Failed to push zlib-1: 503", "==> Error: Failed to push hdf5-2: 429"]).unwrap();
    assert_eq!(draft.id, "local.error_failed_to_push");
    let expected = r#"[[rule]]
id = "local.error_failed_to_push"
new_class = true
title = "==> Error: Failed to push …-…: …"
owner = "unknown"
severity = "medium"
transient = "unknown"
runbook = "say what to do"
any = [
    { regex = '==> Error: Failed to push \S+\-\d+: \d+' },
]
[[rule.example]]
log = "==> Error: Failed to push zlib-1: 503"
match = true
[[rule.example]]
log = "==> Error: Failed to push hdf5-2: 429"
match = true
"#;
    assert_eq!(draft.toml, expected);
    assert_eq!(faults(&[&format!("format = 1\n{}", draft.toml)]), [""; 0]);
}

#[test]
fn a_draft_of_a_known_class_knows_what_the_class_knows() {
    let made = draft(&["engine room flooded"]).unwrap().with("engine room flooded", "dns_error.engine").unwrap();
    let says = |text: &str| made.toml.contains(text);
    assert!(
        says("owner = \"infrastructure\"\n") && says("transient = \"yes\"\n") && !says("new_class"),
        "{}",
        made.toml
    );
    let other = made.with("engine room flooded", "5xx.engine").unwrap();
    assert!(other.toml.contains("class = \"5XX\"\n") && !other.toml.contains("new_class"), "{}", other.toml);
}

#[test]
fn a_file_keeps_every_byte_before_a_draft() {
    let draft = draft(&["Failed to push zlib"]).unwrap();
    let good = rule_with("any = ['Killed signal']");
    for before in [
        "",
        "# mine\n",
        "format = 1",
        &good,
        &good.replace('\n', "\r\n"),
        good.trim_end(),
        "format = 1\noff = []\n\n\n",
    ] {
        let after = append(Source { name: "a.toml", text: before }, &draft).unwrap();
        assert!(after.starts_with(before));
        assert_eq!(faults(&[&after]), [""; 0], "{after}");
        let lone = after.replace("\r\n", "").contains('\n');
        assert!(!before.contains("\r\n") || !lone, "line ends are those of the file");
        // The second draft of the same lines gets another id.
        let again = append(Source { name: "a.toml", text: &after }, &draft).unwrap();
        assert!(again.starts_with(&after) && again.contains("\"local.failed_to_push_zlib-2\""), "{again}");
    }
    let refused = |text: &str| append(Source { name: "a.toml", text }, &draft).unwrap_err().to_string();
    assert!(
        refused("format = 1\nx = [").starts_with("a.toml:2: this is no TOML: "),
        "{}",
        refused("format = 1\nx = [")
    );
    assert!(
        refused("format = 1\nrule = [{ id = 'a' }]")
            .ends_with("; write its rules as [[rule]] tables, then save the rule again")
    );
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn every_draft_loads(lines in prop::collection::vec(r"([a-c]{1,4}|[0-9]{1,5}|[ :/.()*'\\-]|é|\x1b\[1m|\PC){0,10}", 1..6)) {
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        if let Some(draft) = draft(&lines) {
            let text = append(Source { name: "a.toml", text: "" }, &draft).unwrap();
            let found = faults(&[&text]);
            prop_assert!(found.is_empty(), "{}\n{}", found[0], text);
        }
    }
}
