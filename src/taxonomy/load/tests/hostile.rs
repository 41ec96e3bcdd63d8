//! Files that nobody writes by accident.

use proptest::prelude::*;

use super::super::load_with_lints;
use super::*;

#[test]
fn what_is_too_much_is_one_fault() {
    let big = format!("format = 1\n#{}", "x".repeat(1_000_000));
    assert_eq!(fault(&big), "a.toml:1: the file has 1000012 bytes, 1000000 are allowed; split it");
    let pattern = rule_with(&format!("any = ['Killed signal', '{}']", "x".repeat(5_000)));
    assert!(fault(&pattern).ends_with("has 5000 bytes, 4096 are allowed; split it"), "{}", fault(&pattern));
    let many = rule_with(&format!("any = [{}'Killed signal']", "'abc', ".repeat(64)));
    assert_eq!(fault(&many), "a.toml:9: `any` of rule `oom` has 65 patterns, 64 are allowed; split the rule");
    let log = format!("{RULE}any = ['Killed signal']\n[[rule.example]]\nlog = '''{}'''\n", "x".repeat(65_537));
    assert_eq!(
        fault(&log),
        "a.toml:11: the log of an example of rule `oom` has 65537 bytes, 65536 are allowed; keep the lines that matter"
    );
    let example = "[[rule.example]]\nlog = 'Killed signal'\n";
    let examples = format!("{}{}", rule_with("any = ['Killed signal']"), example.repeat(64));
    assert_eq!(fault(&examples), "a.toml:10: rule `oom` has 65 examples, 64 are allowed; keep those that differ");
    let found = faults(&[&format!("format = 1\n{}", "[[rule]]\nid = 'r'\n".repeat(2_001))]);
    assert!(found.len() == 101, "{}", found.len());
    let progress = format!("format = 1\n{}", "[[progress]]\nregex = 'abc'\n".repeat(513));
    assert_eq!(fault(&progress), "a.toml:1026: the file has 513 of [[progress]], 512 are allowed; remove some");
}

#[test]
fn a_rule_too_many_is_told() {
    let one = |n: usize| {
        format!(
            "[[rule]]\nid='oom.r{n}'\ntitle='t'\nowner='package'\nseverity='low'\ntransient='no'\nrunbook='r'\nany=['text {n} end']\n[[rule.example]]\nlog='text {n} end'\n"
        )
    };
    let rules: String = (0..2_001).map(one).collect();
    assert_eq!(fault(&format!("format = 1\n{rules}")), "a.toml:20002: there are more than 2000 rules; remove some");
}

#[test]
fn small_texts_that_grow_are_refused() {
    let wide = (0..64).map(|n| format!("'abc{n}(?:\\w{{90}}){{200}}'")).collect::<Vec<_>>();
    let any = wide.iter().map(|regex| format!("{{ regex = {regex} }}")).collect::<Vec<_>>().join(", ");
    let one = format!("{RULE}any = [{any}]\n[[rule.example]]\nlog = 'x'\n");
    assert!(faults(&[&one]).iter().any(|fault| fault.contains("is too large when it is compiled")));
    // Each is small enough, all together are not.
    let file: String = (0..8)
        .map(|n| {
            let any = (0..30).map(|k| format!("{{ regex = 'abc{k}[a-y]{{9000}}' }}")).collect::<Vec<_>>().join(", ");
            RULE.replace("format = 1\n", "").replace("oom", &format!("oom.n{n}"))
                + &format!("any = [{any}]\n[[rule.example]]\nlog = 'x'\n")
        })
        .collect();
    let found = faults(&[&format!("format = 1\n{file}")]);
    assert_eq!(found, ["a.toml:1: all patterns together are too large; use smaller counts in { } and fewer patterns"]);
}

#[test]
fn deep_and_odd_files_end_in_an_answer() {
    let deep = |open: &str, close: &str, n: usize| format!("format = 1\nrule = {}{}", open.repeat(n), close.repeat(n));
    for text in [
        deep("[", "]", 50_000),
        deep("[", "]", 60),
        deep("{a=", "}", 50_000),
        deep("{a=", "1}", 60),
        format!("format = 1\n[rule{}]\n", ".a".repeat(50_000)),
        format!("format = 1\nformat.{}a = 1", "a.".repeat(50_000)),
        format!("format = {}", "9".repeat(100_000)),
        format!("format = 1\nrule = [{{ any = [{{ regex = '{}' }}] }}]", "(".repeat(4_000)),
        format!("format = 1\nrule = [{{ any = [{{ regex = '{}a{}' }}] }}]", "(".repeat(2_000), ")".repeat(2_000)),
        format!("format = 1\nrule = [{{ any = [{{ regex = 'a{}' }}] }}]", "{9}".repeat(1_000)),
        format!("format = 1\nrule = [{{ any = [{{ regex = '{}' }}] }}]", r"\pL".repeat(1_300)),
        "format = 1\nrule = [[]]".to_owned(),
        "format = 1\nrule = [{ example = [{}] }]".to_owned(),
        "format = 1\noff = 'x'\nprogress = 1\nsecondary = [1]".to_owned(),
        "\u{feff}format = 1".to_owned(),
        "format = 1\r".to_owned(),
        "format = 1\0".to_owned(),
    ] {
        let found = faults(&[&text]);
        assert!(found.iter().all(|fault| fault.len() < 600), "{}", found[0]);
    }
}

/// Changes to a good file: a piece is cut, doubled, or replaced.
fn mutated() -> impl Strategy<Value = String> {
    let more = "any = ['Killed signal', { regex = '(?P<x>a+)bcd', slow = true }]\n\
                scope = { tail_kb = 3, sections = ['a'] }\nrequires = { exit_code = [137] }\nnone = ['ok']";
    let other = other("linker", "undefined reference", "ld: undefined reference", "precedence = 700");
    let base = format!("{}exit_code = 137\n{other}[[progress]]\nregex = 'done with it'\n", rule_with(more));
    let change = (any::<prop::sample::Index>(), 0usize..12, r#"[\[\](){}=,'"\\.#a-d0-9*+?|^$\n -]{0,6}"#);
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut text: Vec<char> = base.chars().collect();
        for (at, len, put) in changes {
            let at = at.index(text.len().max(1)).min(text.len());
            let end = (at + len).min(text.len());
            text.splice(at..end, put.chars());
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn no_file_panics_and_every_fault_has_its_place(text in mutated()) {
        if let Err(faults) = load_with_lints(&[Source { name: "a.toml", text: &text }]) {
            let lines = text.lines().count() as u32 + 1;
            prop_assert!(!faults.is_empty() && faults.len() <= 101);
            for fault in faults {
                prop_assert!((1..=lines).contains(&fault.at.line), "{}", fault);
                prop_assert!(!fault.what.is_empty() && !fault.remedy.is_empty());
            }
        }
    }

    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = load_with_lints(&[Source { name: "a.toml", text: &text }, Source { name: "b.toml", text: &format!("format = 1\n{text}") }]);
    }
}
