//! Examples, judged by the engine.

use super::super::load_with_lints;
use super::*;

const GOOD: &str = "any = ['Killed signal']";

#[test]
fn an_example_must_be_matched() {
    let text = rule_with("any = ['Killed by signal']");
    assert_eq!(
        fault(&text),
        "a.toml:10: the example of rule `oom` is not matched by it; mend the pattern, the scope or the example"
    );
}

#[test]
fn an_example_that_another_rule_wins_names_it() {
    let winner = other("linker", "Killed signal terminated", "ld: Killed signal terminated", "precedence = 900");
    assert_eq!(
        fault(&format!("{}{winner}", rule_with(GOOD))),
        "a.toml:10: the example of rule `oom` is won by rule `linker` (a.toml:12); mend the pattern, raise its precedence or strength, or narrow `linker`"
    );
    assert_eq!(
        fault(&format!("{}{winner}", rule_with("any = ['Killed by signal']"))),
        "a.toml:10: the example of rule `oom` is not matched by it, but by rule `linker` (a.toml:12); mend the pattern, raise its precedence or strength, or narrow `linker`"
    );
}

#[test]
fn a_later_file_may_overtake_and_is_told() {
    let later = format!(
        "format = 1\n{}",
        other("linker", "Killed signal terminated", "ld: Killed signal terminated", "precedence = 900")
    );
    let first = rule_with(GOOD);
    let files = [Source { name: "a.toml", text: &first }, Source { name: "b.toml", text: &later }];
    let lints: Vec<String> = load_with_lints(&files).unwrap().lints.iter().map(ToString::to_string).collect();
    assert_eq!(
        lints,
        [
            "b.toml:2: the example of rule `oom` is won by rule `linker` (b.toml:2) of a later file; narrow the later rule if that is not meant [overtakes]"
        ]
    );
    // The other way round the later file is wrong about its own example.
    let strong = first.replace("any =", "precedence = 950\nany =");
    let weak = later.replace("precedence = 900", "");
    let found = faults(&[&strong, &weak]);
    assert!(
        found[0].starts_with("b.toml:12: the example of rule `linker` is won by rule `oom` (a.toml:2)"),
        "{found:?}"
    );
}

#[test]
fn facts_must_be_stated() {
    let text = rule_with("requires = { exit_code = [137] }");
    assert_eq!(
        fault(&text),
        "a.toml:10: the example of rule `oom` does not state the `exit_code` that the rule requires; add exit_code = … to the example"
    );
    assert_eq!(faults(&[&format!("{text}exit_code = 137\n")]), [""; 0]);
    assert_eq!(
        fault(&format!("{text}exit_code = 1\n")),
        "a.toml:10: the example of rule `oom` is not matched by it; mend the pattern, the scope or the example"
    );
    let reason = rule_with("requires = { failure_reason = ['job_execution_timeout'] }");
    assert_eq!(faults(&[&format!("{reason}failure_reason = 'job_execution_timeout'\n")]), [""; 0]);
}

#[test]
fn a_counterexample_must_not_be_touched() {
    let counter = "[[rule.example]]\nlog = \"\"\"\nfine\nPASS: Killed signal caught\n\"\"\"\nmatch = false\n";
    assert_eq!(
        fault(&format!("{}{counter}", rule_with(GOOD))),
        "a.toml:12: rule `oom` matches an example with match = false, in line 2 of its log; narrow the pattern, or veto such lines with `none`"
    );
    let vetoed = rule_with(&format!("{GOOD}\nnone = ['caught']"));
    assert_eq!(faults(&[&format!("{vetoed}{counter}")]), [""; 0]);
    // A counterexample alone proves nothing.
    let only = format!("{RULE}{GOOD}\n{counter}");
    assert!(faults(&[&only])[0].starts_with("a.toml:2: rule `oom` has no example that it matches"));
}

#[test]
fn wrong_words_do_not_hide_wrong_examples() {
    let text = rule_with("any = ['Killed by signal']").replace("\"high\"", "\"huge\"");
    assert_eq!(faults(&[&text]).len(), 2);
    // But an example is not judged while another rule cannot be read: it might be the one to blame.
    assert_eq!(
        faults(&[&text, "format = 1\n[[rule]]\nany = 3"]).iter().filter(|f| f.contains("not matched")).count(),
        0
    );
}

#[test]
fn logs_wear_what_real_ones_wear() {
    let log = r#""section_start:1:step_script\r\u001b[0K\u001b[31mKilled signal\u001b[0m\r\nsection_end:2:step_script\r\u001b[0K\n""#;
    let text = format!("{RULE}{GOOD}\nscope = {{ sections = ['step_script'] }}\n[[rule.example]]\nlog = {log}\n");
    assert_eq!(faults(&[&text]), [""; 0]);
    assert!(fault(&text.replace("['step_script']", "['upload']")).contains("is not matched by it"));
}
