//! Each thing that makes a file unusable, with its place and its words.

use super::*;

const GOOD: &str = "any = ['Killed signal']";

#[test]
fn a_whole_rule_is_loaded_with_its_defaults() {
    let set = load(&[Source { name: "a.toml", text: &rule_with(GOOD) }]).unwrap();
    let rule = &set.rules[0];
    assert_eq!((&*rule.id, &*rule.class, rule.precedence), ("oom", "oom", 500));
    assert_eq!((&*rule.any[0].regex, rule.any[0].origin.line, rule.origin.line), ("Killed signal", 9, 2));
    assert_eq!(rule.strength, crate::taxonomy::Strength::Cause);
    assert_eq!(set.hash.len(), 12);
}

#[test]
fn files_of_another_format_are_not_read() {
    let cases = [
        ("x = 1", "a.toml:1: the file has no `format`; write format = 1 in its first line"),
        (
            "\nformat = 2\nx = 1",
            "a.toml:2: this program does not read format 2; write format = 1, or use the program that the file was made for",
        ),
        (
            "format = '1'",
            "a.toml:1: `format` of the file is a text; write a whole number from 0 to 9223372036854775807",
        ),
        ("format = 1\nrule = [1,\n", "a.toml:2: this is no TOML: unclosed array, expected `]`; mend the syntax"),
    ];
    for (text, expected) in cases {
        assert_eq!(faults(&[text])[0], expected);
    }
}

#[test]
fn unknown_keys_and_words_bring_the_nearest() {
    for (more, expected) in [
        ("precedense = 3", "a.toml:10: rule `oom` has no key `precedense`; did you mean `precedence`?"),
        ("strength = 'couse'", "a.toml:10: `couse` is no strength; did you mean `cause`?"),
        ("strength = 'strong'", "a.toml:10: `strong` is no strength; use one of: hint, symptom, cause, decisive"),
        (
            "precedence = 1001",
            "a.toml:10: `precedence` of rule `oom` is out of range; write a whole number from 0 to 1000",
        ),
        (
            "precedence = 99999999999999999999",
            "a.toml:10: `precedence` of rule `oom` is out of range; write a whole number from 0 to 1000",
        ),
        ("precedence = 'high'", "a.toml:10: `precedence` of rule `oom` is a text; write a whole number from 0 to 1000"),
        ("recovers = 1", "a.toml:10: `recovers` of rule `oom` is a number; write true or false"),
        ("class = 'a b'", "a.toml:10: `a b` is no class; use letters, digits, `_` and `-`, 64 characters at most"),
        ("class = 'unknown'", "a.toml:10: the class `unknown` is for failures that no rule knows; name another class"),
        (
            "scope = { tail = 3 }",
            "a.toml:10: the scope of rule `oom` has no key `tail`; use one of: tail_kb, sections, job_kinds",
        ),
        (
            "scope = { tail_kb = 0 }",
            "a.toml:10: `tail_kb` of the scope of rule `oom` is out of range; write a whole number from 1 to 1000000",
        ),
        ("scope = 3", "a.toml:10: `scope` of rule `oom` is a number; write a table in { }"),
        (
            "scope = { sections = [''] }",
            "a.toml:10: `sections` of the scope of rule `oom` holds an empty name; remove it",
        ),
        (
            "requires = { exit_code = ['1'] }",
            "a.toml:10: `exit_code` of `requires` of rule `oom` holds no exit code; write whole numbers",
        ),
        (
            "requires = { failure_reason = 'x' }",
            "a.toml:10: `failure_reason` of `requires` of rule `oom` is a text; write a list in [ ]",
        ),
        ("none = [3]", "a.toml:10: `none` of rule `oom` holds a number; write a text in quotes or { regex = '…' }"),
    ] {
        assert_eq!(fault(&rule_with(&format!("{GOOD}\n{more}"))), expected);
    }
    let file = rule_with(GOOD);
    assert_eq!(
        fault(&file.replace("infrastructure", "infrastucture")),
        "a.toml:5: `infrastucture` is no owner; did you mean `infrastructure`?"
    );
    assert_eq!(
        fault(&file.replace("\"maybe\"", "\"often\"")),
        "a.toml:7: `often` is no transient; use one of: yes, no, maybe, unknown"
    );
    assert_eq!(
        fault(&file.replace("\"oom\"", "\"OOM\"")),
        "a.toml:3: `OOM` is no id; write id = \"oom\", and class = \"OOM\" if the class has capitals"
    );
    assert_eq!(
        fault(&file.replace("raise the request", " ")),
        "a.toml:8: `runbook` of rule `oom` is empty; add runbook = \"…\", one line that says what to do"
    );
    assert_eq!(
        faults(&[&file.replace("[[rule]]", "[[rules]]")])[0],
        "a.toml:2: the file has no key `rules`; did you mean `rule`?"
    );
    assert_eq!(
        fault("format = 1\nrule = 3"),
        "a.toml:2: `rule` of the file is no list of tables; write each as [[rule]] with its keys below"
    );
}

#[test]
fn ids_and_classes_of_production_are_accepted() {
    for (id, class) in [("5xx", "5XX"), ("build_error.linker", "build_error"), ("a-b.c_d.9", "a-b")] {
        let file = rule_with(&format!("class = \"{class}\"\nnew_class = true\n{GOOD}"))
            .replace("\"oom\"", &format!("\"{id}\""));
        assert_eq!(faults(&[&file]), [""; 0]);
    }
    for id in ["", ".a", "a.", "a..b", "a b", "ä", "x".repeat(65).as_str()] {
        assert!(fault(&rule_with(GOOD).replace("\"oom\"", &format!("\"{id}\""))).contains("is no id"), "{id}");
    }
}

#[test]
fn a_class_that_nobody_knows_is_refused_unless_it_is_said_to_be_new() {
    for (class, remedy) in [
        ("oomm", "did you mean `oom`? if it is one of your own, say new_class = true"),
        (
            "power_cut",
            "take one of Spack's (`stackhand rules list` shows them); if it is one of your own, say new_class = true",
        ),
    ] {
        let text = rule_with(&format!("class = '{class}'\n{GOOD}"));
        assert_eq!(fault(&text), format!("a.toml:9: there is no class `{class}`; {remedy}"));
        assert_eq!(faults(&[&rule_with(&format!("class = '{class}'\nnew_class = true\n{GOOD}"))]), [""; 0]);
    }
    assert!(fault(&rule_with(&format!("new_class = 'yes'\n{GOOD}"))).starts_with("a.toml:9: "));
}

#[test]
fn a_file_may_stand_alone() {
    let later = format!("format = 1\noff = ['*']\n{}", other("oom", "Killed signal", "ld: Killed signal", ""));
    // The id is free again, and nothing else of the earlier file is left.
    let first = format!("{}{}", rule_with(GOOD), other("killed", "Killed", "Killed", "strength = 'hint'"));
    let files = [Source { name: "a.toml", text: &first }, Source { name: "b.toml", text: &later }];
    let ids: Vec<String> = load(&files).unwrap().rules.iter().map(|rule| rule.id.to_string()).collect();
    assert_eq!(ids, ["oom"]);
    assert_eq!(faults(&[&later]), [""; 0]);
}

#[test]
fn missing_keys_are_told_together() {
    let text = "format = 1\n\n[[rule]]\nany = [{ slow = true }]\n";
    assert_eq!(
        faults(&[text]),
        [
            "a.toml:3: rule 1 has no `id`; add id = \"class\" or id = \"class.kind\"",
            "a.toml:3: rule 1 has no `owner`; add owner = \"…\", one of: infrastructure, package, upstream, spack-core, unknown",
            "a.toml:3: rule 1 has no `severity`; add severity = \"…\", one of: low, medium, high",
            "a.toml:3: rule 1 has no `transient`; add transient = \"…\", one of: yes, no, maybe, unknown",
            "a.toml:3: rule 1 has no `title`; add title = \"…\", a few words for lists",
            "a.toml:3: rule 1 has no `runbook`; add runbook = \"…\", one line that says what to do",
            "a.toml:3: rule 1 has no example that it matches; add [[rule.example]] with log = \"\"\"…\"\"\" and match = true",
            "a.toml:4: a pattern of rule 1 has no `regex`; write { regex = '…' }",
        ]
    );
}

#[test]
fn a_rule_must_match_something() {
    let neither = "a.toml:2: rule `oom` has neither `any` nor `requires`; add any = [ … ], or requires = { … } for a rule that goes by facts";
    for more in ["", "any = []", "requires = {}", "requires = { exit_code = [] }"] {
        assert_eq!(fault(&rule_with(more)), neither, "{more}");
    }
    assert_eq!(
        fault(&rule_with("requires = { exit_code = [137] }\nnone = ['Killed as planned']")),
        "a.toml:10: rule `oom` has `none` without `any`; add the patterns that it takes away from, or remove it"
    );
}

#[test]
fn patterns_must_compile_and_be_bounded_and_have_text() {
    let mend = "mend it, or escape what is meant as text";
    let slow = "is slow: its matches have no text of 3 bytes in common; add text that every such line holds, or accept it with { regex = '…', slow = true }";
    for (pattern, expected) in [
        ("{ regex = 'a(b' }", format!("the pattern `a(b` of rule `oom` does not compile: unclosed group; {mend}")),
        (
            "{ regex = '(?=a)b' }",
            format!(
                "the pattern `(?=a)b` of rule `oom` does not compile: look-around, including look-ahead and look-behind, is not supported; {mend}"
            ),
        ),
        (
            "{ regex = 'x*' }",
            "the pattern `x*` of rule `oom` matches the empty string; ask for at least one character".to_owned(),
        ),
        ("{ regex = '' }", "the pattern `` of rule `oom` is empty; write a text that the line holds".to_owned()),
        ("''", "the pattern `` of rule `oom` is empty; write a text that the line holds".to_owned()),
        (
            "{ regex = 'abc(\\w{99}){999}' }",
            "the pattern `abc(\\w{99}){999}` of rule `oom` is too large when it is compiled; use smaller counts in { }"
                .to_owned(),
        ),
        ("{ regex = '\\d+:\\d+' }", format!("the pattern `\\d+:\\d+` of rule `oom` {slow}")),
        ("'ab'", format!("the pattern `ab` of rule `oom` {slow}")),
        ("{ regx = 'abc' }", "a pattern of rule `oom` has no key `regx`; did you mean `regex`?".to_owned()),
    ] {
        let found = faults(&[&rule_with(&format!("any = ['Killed signal',\n  {pattern}]"))]);
        assert_eq!(found[0], format!("a.toml:10: {expected}"));
    }
    assert_eq!(faults(&[&rule_with("any = ['Killed signal', { regex = '\\d{3}', slow = true }]")]), [""; 0]);
    // A veto is tried on few lines.
    assert_eq!(faults(&[&rule_with("any = ['Killed signal']\nnone = ['ok', { regex = '\\d{3}' }]")]), [""; 0]);
}

#[test]
fn ids_are_taken_once_over_all_files() {
    let (a, b) = (rule_with(GOOD), rule_with("any = ['other text']"));
    assert_eq!(
        faults(&[&a, &b]),
        [
            "b.toml:2: the id `oom` is taken by the rule in a.toml:2; name this one differently, or switch off the rule of an earlier file with `off`"
        ]
    );
}

#[test]
fn off_switches_off_rules_of_earlier_files() {
    let first = rule_with(GOOD);
    let set = |second: &str| {
        let files = [Source { name: "a.toml", text: &first }, Source { name: "b.toml", text: second }];
        load(&files).map(|set| {
            set.rules.iter().map(|rule| format!("{}:{}", rule.origin.file, rule.origin.line)).collect::<Vec<_>>()
        })
    };
    assert_eq!(set("format = 1\noff = ['oom']").unwrap(), [""; 0]);
    // What is off gives its id away.
    assert_eq!(set(&rule_with(GOOD).replace("format = 1", "format = 1\noff = ['oom']")).unwrap(), ["b.toml:3"]);
    assert_eq!(
        faults(&[&first, "format = 1\noff = [\n'omm',\n'build_error']"]),
        [
            "b.toml:3: `off` names `omm`, which no earlier file has; did you mean `oom`?",
            "b.toml:4: `off` names `build_error`, which no earlier file has; remove it from `off`; `off` knows the rules of earlier files only",
        ]
    );
    assert_eq!(faults(&[&rule_with(GOOD).replace("format = 1", "format = 1\noff = ['oom']")]).len(), 1);
    // A rule that could not be read may be the one that is meant.
    assert_eq!(faults(&[&first.replace("'Killed signal'", "3"), "format = 1\noff = ['oom']"]).len(), 1);
}

#[test]
fn all_faults_come_at_once_in_order_and_bounded() {
    let bad = "[[rule]]\nid = \"X\"\n";
    let text = format!("format = 1\n{}", bad.repeat(200));
    let found = faults(&["nonsense", &text]);
    assert_eq!(found.len(), 101);
    assert!(found[0].starts_with("a.toml:1: this is no TOML"), "{}", found[0]);
    assert!(found[1].starts_with("b.toml:2: "), "{}", found[1]);
    assert!(found[100].ends_with(" more faults; mend those above first"), "{}", found[100]);
}
