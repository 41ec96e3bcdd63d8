//! The name of a set, and what changes it.

use super::*;
use crate::taxonomy::shipped;

const GOOD: &str = "any = ['Killed signal', 'Out of memory']";

fn hash(text: &str) -> String {
    load(&[Source { name: "a.toml", text }]).unwrap_or_else(|faults| panic!("{}", faults[0])).hash.to_string()
}

#[test]
fn what_cannot_change_a_verdict_does_not_change_the_hash() {
    let text = rule_with(GOOD);
    let same = hash(&text);
    assert!(same.bytes().all(|byte| byte.is_ascii_hexdigit()) && same.len() == 12, "{same}");
    for other in [
        text.replace('\n', "\r\n"),
        text.replace("Out of memory\"", "No memory\""),
        text.replace("raise the request", "ask"),
        text.replace("\"high\"", "\"low\""),
        text.replace("make: ", "# make: "),
        format!("# A comment.\n\n{text}"),
        text.replace("format = 1\n", "\n\nformat = 1\n"),
        text.replace(
            "any = ['Killed signal', 'Out of memory']",
            "any = [{ regex = 'Killed signal' },\n 'Out of memory',\n]",
        ),
        text.replace(
            "title = \"Out of memory\"\nowner = \"infrastructure\"",
            "owner = \"infrastructure\"\ntitle = \"Out of memory\"",
        ),
        rule_with(&format!("{GOOD}\nprecedence = 500\nstrength = 'cause'\nclass = 'oom'")),
    ] {
        assert_eq!(hash(&other), same, "{other}");
    }
}

#[test]
fn whatever_can_change_a_verdict_changes_the_hash() {
    let mut hashes = vec![hash(&rule_with(GOOD))];
    for more in [
        "precedence = 501",
        "strength = 'decisive'",
        "recovers = true",
        "class = 'killed'",
        "none = ['caught']",
        "none = ['caught it']",
        "scope = { tail_kb = 9 }",
        "scope = { sections = ['runner'] }",
        "scope = { job_kinds = ['build'] }",
    ] {
        hashes.push(hash(&rule_with(&format!("{GOOD}\n{more}"))));
    }
    hashes.push(hash(&rule_with("any = ['Killed signal', 'Out of memories']")));
    hashes.push(hash(&rule_with("any = ['Out of memory', 'Killed signal']")));
    hashes.push(hash(&rule_with(GOOD).replace("\"oom\"", "\"oom.kernel\"")));
    hashes.push(hash(&rule_with(GOOD).replace("\"infrastructure\"", "\"package\"")));
    hashes.push(hash(&rule_with(GOOD).replace("\"maybe\"", "\"no\"")));
    hashes.push(hash(&format!("{}[[progress]]\nregex = 'Successfully installed'\n", rule_with(GOOD))));
    hashes.push(hash(&format!("{}[[secondary]]\nregex = 'Successfully installed'\n", rule_with(GOOD))));
    hashes.push(hash(&format!(
        "{}requires = {{ exit_code = [1] }}\n{}",
        RULE, "any = ['Killed signal']\n[[rule.example]]\nlog = 'Killed signal'\nexit_code = 1"
    )));
    let count = hashes.len();
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), count);
}

#[test]
fn rules_may_stand_in_any_order_and_any_file() {
    let (a, b) = (rule_with(GOOD), other("linker", "undefined reference", "ld: undefined reference to x", ""));
    let one = hash(&format!("{a}{b}"));
    let late = format!("format = 1\n{b}");
    for files in [[&a, &late], [&late, &a]] {
        let files = files.map(|text| Source { name: "x.toml", text });
        assert_eq!(*load(&files).unwrap().hash, one);
    }
}

#[test]
fn nothing_is_a_set() {
    assert_eq!(load(&[]).unwrap().hash, load(&[Source { name: "a", text: "format = 1" }]).unwrap().hash);
    assert!(!shipped().is_empty());
}
