//! A file with the structure, the classes and the faults of the production taxonomy.

use std::fmt::Write;

use proptest::prelude::*;

use super::*;
use crate::ci::{FailureReason, Status};
use crate::taxonomy::{Cause, Compiled, JobFacts, Lint, LintKind, Owner, Source, Transient, classify, load};

const YAML: &str = include_str!("production.yaml");

/// The line of the YAML file that holds a text.
#[track_caller]
fn line(text: &str) -> u32 {
    let at = YAML.lines().position(|line| line.contains(text)).unwrap_or_else(|| panic!("{text}"));
    at as u32 + 1
}

fn lints() -> Vec<Lint> {
    import(YAML).unwrap().lints
}

#[test]
fn each_fault_is_told_with_its_line() {
    let lints = lints();
    for (text, kind) in [
        ("could not resolve host", LintKind::Capitals),
        ("socket.timeout", LintKind::UnescapedDot),
        ("socket.timeout", LintKind::Outdated),
        ("HTTP Error 404", LintKind::Outdated),
        ("Could not get the job log", LintKind::Widened),
        ("No space left on device", LintKind::BareWords),
        ("does not satisfy", LintKind::BareWords),
        ("No version for", LintKind::Outdated),
        ("No installed spec", LintKind::Outdated),
        ("ModuleNotFoundError", LintKind::BareWords),
        ("waiting for a write lock", LintKind::Outdated),
        ("To reproduce this build", LintKind::BareWords),
        ("Traceback", LintKind::SpansLines),
        ("InstallError", LintKind::LeftOut),
        ("- 'Killed'", LintKind::BareWords),
        ("gitlab.spack.io", LintKind::UnescapedDot),
        ("(system failure)", LintKind::TextParentheses),
        ("pod status is Failed", LintKind::LeftOut),
        ("(AccessDenied)", LintKind::TextParentheses),
        ("5[00|02|03]", LintKind::ClassAlternation),
        ("5[00|02|03]", LintKind::Outdated),
        (r"(\d{3}) \1", LintKind::LeftOut),
        ("/tmp/*", LintKind::GlobStar),
        ("forgotten_class:", LintKind::Unordered),
        ("forgotten_class:", LintKind::UnknownClass),
        ("renamed_class", LintKind::Unordered),
        ("No such file or directory", LintKind::BareWords),
    ] {
        let line = line(text);
        assert!(lints.iter().any(|lint| lint.at.line == line && lint.kind == kind), "{line} {kind:?}: {lints:#?}");
    }
    let second = line("file_not_found\n".trim()) - 1;
    assert!(second > 0);
}

#[test]
fn the_words_are_these() {
    let lints: Vec<String> = lints().iter().map(ToString::to_string).collect();
    let twice = YAML.lines().enumerate().filter(|(_, l)| l.contains("errors occurred during")).map(|(at, _)| at + 1);
    let [first, second] = twice.collect::<Vec<_>>()[..] else { panic!("two classes have it") };
    for expected in [
        format!(
            "error_taxonomy.yaml:{second}: `Error: errors occurred during concretization`: rule `concretization_error` (error_taxonomy.yaml:{first}) ranks higher and matches every line that it matches; raise this rule's precedence, narrow the other pattern, or remove this one [shadowed]"
        ),
        format!(
            "error_taxonomy.yaml:{second}: `Error: errors occurred during concretization` is left out: rule `concretization_error` (error_taxonomy.yaml:{}) wins its example; the example is `Error: errors occurred during concretization`; narrow the other rule, or change the order [shadowed]",
            line("concretization_error:")
        ),
        format!(
            "error_taxonomy.yaml:{}: `InstallError: (?!skipped)` is left out: lookahead has no equal here; write it anew [left-out]",
            line("InstallError")
        ),
        format!(
            r"error_taxonomy.yaml:{}: `(\d{{3}}) \1` is left out: backreferences have no equal here; write it anew [left-out]",
            line(r"\1")
        ),
        format!(
            r"error_taxonomy.yaml:{}: `An error occurred (AccessDenied)`: `(AccessDenied)` is a group and matches no parentheses; write `\(AccessDenied\)`, or `(?:AccessDenied)` if a group is meant [text-parentheses]",
            line("(AccessDenied)")
        ),
        format!(
            "error_taxonomy.yaml:{}: `deconflict_order` names `renamed_class`, which is no class; remove it, or add the class [unordered]",
            line("renamed_class")
        ),
        format!(
            "error_taxonomy.yaml:{}: `deconflict_order` names `oom` twice; remove it; the first place counts [unordered]",
            line("renamed_class") + 1
        ),
        format!(
            "error_taxonomy.yaml:{}: the class `forgotten_class` is not in `deconflict_order`, so it never won; add it to the order; here it ranks last [unordered]",
            line("forgotten_class:")
        ),
        format!(
            "error_taxonomy.yaml:{}: nobody is known to own the class `forgotten_class`; give owner, transient and runbook in the imported rule [unknown-class]",
            line("forgotten_class:")
        ),
        format!(
            "error_taxonomy.yaml:{}: `^ERROR: Could not get the job log$`: here `^`, `\\A` and `\\Z` are the ends of a line, not of the log; check that the line alone tells the cause [widened]",
            line("job log$")
        ),
    ] {
        assert!(lints.contains(&expected), "{expected}\nis none of\n{}", lints.join("\n"));
    }
}

#[test]
fn the_imported_file_loads_and_judges_by_its_order() {
    let imported = import(YAML).unwrap();
    let set = load(&[Source { name: "imported.toml", text: &imported.toml }]).unwrap_or_else(|f| panic!("{}", f[0]));
    let rule =
        |id: &str| set.rules.iter().find(|rule| *rule.id == *id).unwrap_or_else(|| panic!("{id}\n{}", imported.toml));
    assert_eq!(
        (&*rule("5xx").class, rule("5xx").owner, rule("5xx").transient),
        ("5XX", Owner::Upstream, Transient::Yes)
    );
    assert_eq!((rule("oom").owner, rule("oom").transient), (Owner::Infrastructure, Transient::Maybe));
    assert!(rule("dns_error").precedence > rule("network_error").precedence);
    assert!(rule("file_not_found").precedence < rule("5xx").precedence);
    assert_eq!(rule("forgotten_class").precedence, 0);
    let rules = std::sync::Arc::new(Compiled::of(&set).unwrap());
    let class = |log: &str, reason: Option<&str>| {
        let facts = JobFacts {
            status: Some(Status::Failed),
            failure_reason: reason.map(FailureReason::new),
            ..JobFacts::default()
        };
        match classify(&rules, log.as_bytes(), &facts).cause {
            Cause::Known { class, .. } => class.to_string(),
            other => format!("{other:?}"),
        }
    };
    assert_eq!(class("ERROR: Job failed: command terminated with exit code 137", None), "oom");
    assert_eq!(class("urllib: HTTP Error 503: x", None), "5XX");
    assert_eq!(class("nothing", Some("scheduler_failure")), "scheduler_failure");
    assert_eq!(class("nothing", Some("script_failure")), "Unknown");
    assert_eq!(class("curl: (60) SSL", Some("stuck_or_timeout_failure")), "network_error");
    assert_eq!(class("ERROR: Uploading artifacts", None), "artifacts");
}

#[test]
fn what_is_left_out_stays_as_a_comment_with_its_reason() {
    let toml = import(YAML).unwrap().toml;
    for line in [
        "# Imported from error_taxonomy.yaml, version 0.0.0-dev: 32 of 33 classes. Examples are made from the patterns.",
        "    # left out, lookahead has no equal here: 'InstallError: (?!skipped)'",
        r"    # left out, backreferences have no equal here: '(\d{3}) \1'",
        "# Left out: no pattern of it is left.",
        "# id = \"pod_failed\"",
        r#"    { regex = "gpg: can't open '/tmp/*'" },"#,
    ] {
        assert!(toml.lines().any(|found| found == line), "{line}\n{toml}");
    }
}

#[test]
fn what_is_no_taxonomy_is_refused_with_its_line() {
    let shape =
        "write taxonomy: {version, error_classes: {name: {grep_for: [regex]} | null}, deconflict_order: [name]}";
    for (yaml, expected) in [
        ("", format!("error_taxonomy.yaml:1: there is no `taxonomy`; {shape}")),
        ("a: 1", format!("error_taxonomy.yaml:1: there is no `taxonomy`; {shape}")),
        (
            "taxonomy:\n  error_classes: [a]\n  deconflict_order: []",
            format!("error_taxonomy.yaml:2: `error_classes` is no map; {shape}"),
        ),
        (
            "taxonomy:\n  error_classes:\n    a: {grep_for: [b]}",
            format!("error_taxonomy.yaml:1: `taxonomy` has no `deconflict_order`; {shape}"),
        ),
        (
            "taxonomy:\n  error_classes:\n    a:\n      grep_for: b\n  deconflict_order: []",
            "error_taxonomy.yaml:4: `grep_for of a` is no list of texts; write grep_for: [regex, …]".to_owned(),
        ),
        (
            "taxonomy:\n  error_classes:\n    a: 3\n  deconflict_order: []",
            "error_taxonomy.yaml:3: the class `a` is neither null nor a map; write grep_for below it".to_owned(),
        ),
        (
            "taxonomy:\n  error_classes: {}\n  deconflict_order:\n    - [x]",
            format!("error_taxonomy.yaml:4: `deconflict_order` is no list of texts; {shape}"),
        ),
    ] {
        assert_eq!(import(yaml).unwrap_err().to_string(), expected);
    }
    let broken = import("taxonomy:\n  error_classes: [a").unwrap_err().to_string();
    assert!(
        broken.starts_with("error_taxonomy.yaml:") && broken.contains("this is no YAML that can be read"),
        "{broken}"
    );
    assert!(import(&"[".repeat(100_000)).is_err());
    assert!(import(&"#".repeat(1_000_001)).is_err());
}

#[test]
fn every_class_of_production_is_known() {
    let mut yaml = "taxonomy:\n  error_classes:\n".to_owned();
    for class in
        YAML.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(':')).filter(|c| !c.starts_with(' '))
    {
        writeln!(yaml, "    {class}:\n      grep_for: ['text of {class} here']").unwrap();
    }
    let imported = import(&(yaml + "  deconflict_order: []\n")).unwrap();
    let strangers: Vec<_> = imported.lints.iter().filter(|lint| lint.kind == LintKind::UnknownClass).collect();
    assert_eq!(strangers.len(), 1, "{strangers:#?}");
}

/// A pattern as somebody might write it in Python.
fn pattern() -> impl Strategy<Value = String> {
    r"(\\[dDsSwWbBntZ.(\[1]|[a-e]{1,4}|[\[\](){}?*+|^$.]|\(\?[:=!#i]|é| ){1,10}"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(40))]

    #[test]
    fn whatever_is_imported_loads(patterns in prop::collection::vec(pattern(), 1..8), split in 1usize..4) {
        let mut yaml = "taxonomy:\n  error_classes:\n".to_owned();
        for (n, chunk) in patterns.chunks(split).enumerate() {
            writeln!(yaml, "    c{n}:\n      grep_for:").unwrap();
            for pattern in chunk {
                writeln!(yaml, "        - '{}'", pattern.replace('\'', "''")).unwrap();
            }
        }
        yaml.push_str("  deconflict_order: [c1, c0, c2]\n");
        let imported = import(&yaml).map_err(|fault| TestCaseError::fail(fault.to_string()))?;
        load(&[Source { name: "x", text: &imported.toml }]).map_err(|f| TestCaseError::fail(f[0].to_string()))?;
    }

    #[test]
    fn no_yaml_panics(at in any::<prop::sample::Index>(), len in 0usize..30, put in r"[\[\]{}:\-'| \na-c#&*!]{0,5}") {
        let mut text: Vec<char> = YAML.chars().collect();
        let at = at.index(text.len());
        let end = (at + len).min(text.len());
        text.splice(at..end, put.chars());
        let _ = import(&text.into_iter().collect::<String>());
    }
}
