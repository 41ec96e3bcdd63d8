//! Each warning, and what must not be warned about.

use proptest::prelude::*;
use regex::Regex;

use super::*;
use crate::taxonomy::{
    Origin, Owner, Pattern, Requires, Rule, RuleSet, Scope, Severity, Source, Strength, Transient, load_with_lints,
};

fn rule(id: &str, any: &str, log: &str, more: &str) -> String {
    let more = if more.is_empty() { "new_class = true".to_owned() } else { format!("{more}\nnew_class = true") };
    format!(
        "[[rule]]\nid = '{id}'\ntitle = 't'\nowner = 'package'\nseverity = 'low'\ntransient = 'no'\nrunbook = 'r'\n{more}\n\
         any = [\n{any}\n]\n[[rule.example]]\nlog = '''{log}'''\n"
    )
}

#[track_caller]
fn lints(rules: &str) -> Vec<String> {
    let text = format!("format = 1\n{rules}");
    let loaded = load_with_lints(&[Source { name: "a.toml", text: &text }]);
    loaded.unwrap_or_else(|faults| panic!("{}\n{text}", faults[0])).lints.iter().map(ToString::to_string).collect()
}

/// The warnings about a pattern that stands in line 12 beside a good one.
fn about(pattern: &str) -> Vec<String> {
    lints(&rule("a", &format!("'a good text',\n{{ regex = '''{pattern}''' }}"), "a good text", ""))
}

#[test]
fn spellings_that_mean_something_else() {
    for (pattern, expected) in [
        (
            r"HTTP Err 5[00|02|03]",
            "`[00|02|03]` takes one character, `|` among them; write `(?:00|02|03)` [class-alternation]",
        ),
        (
            r"failed (system failure): prepare",
            r"`(system failure)` is a group and matches no parentheses; write `\(system failure\)`, or `(?:system failure)` if a group is meant [text-parentheses]",
        ),
        (r"open .tmp/*: gone", r"`/*` is any number of slashes, not any file; write `/\S*` [glob-star]"),
        (
            r"Traceback:[\S\n\t\v ]+AssertionError",
            r"`[\S\n\t\v ]` reaches over the ends of lines, but lines are matched one by one; write `.*`, or match the line that tells the cause; over a whole log it takes quadratic time [spans-lines]",
        ),
        (
            r"first[\s\S]*second",
            r"`[\s\S]` reaches over the ends of lines, but lines are matched one by one; write `.*`, or match the line that tells the cause; over a whole log it takes quadratic time [spans-lines]",
        ),
        (
            r"(?s)first.*second",
            "the flag `s` lets `.` reach over the ends of lines, but lines are matched one by one; remove it, or match the line that tells the cause [spans-lines]",
        ),
        (
            r"https://gitlab.spack.io/",
            r"the dot of `gitlab.spack.io` stands for any character; write `gitlab\.spack\.io` [unescaped-dot]",
        ),
        (r"first\nsecond", "it never matches: no shown line holds a line break; mend or remove it [never-matches]"),
        (
            r"first\tsecond",
            "it never matches: no shown line holds a tab (it is shown as a space); mend or remove it [never-matches]",
        ),
        (
            r"first ^second",
            "it never matches: `^` is the start of the line, but something must stand before it; mend or remove it [never-matches]",
        ),
        (
            r"first$ second",
            "it never matches: `$` is the end of the line, but something must stand after it; mend or remove it [never-matches]",
        ),
        (
            "Killed",
            "`Killed` alone stands in harmless lines too; add what stands around it, or say strength = \"hint\" [bare-words]",
        ),
        (
            r"\bKilled\b",
            "`Killed` alone stands in harmless lines too; add what stands around it, or say strength = \"hint\" [bare-words]",
        ),
        (
            "does not satisfy",
            "`does not satisfy` alone stands in harmless lines too; add what stands around it, or say strength = \"hint\" [bare-words]",
        ),
        (
            "could not resolve host",
            "tools write `Could not resolve host`, with other capitals than `could not resolve host`; spell it so, or begin the pattern with `(?i)` [capitals]",
        ),
        (
            "HTTP Error 404: x",
            "`HTTP Error 404` is not all that is written: Spack writes `GET <url> returned 404: Not Found` now; add the new text [outdated]",
        ),
        (
            r"raise socket\.timeout",
            "`socket.timeout` is not all that is written: Python writes `TimeoutError: timed out` since 3.10; add the new text [outdated]",
        ),
    ] {
        let shown = shown(pattern);
        assert_eq!(about(pattern), [format!("a.toml:12: `{shown}`: {expected}")]);
    }
}

#[test]
fn what_is_right_is_left_alone() {
    for pattern in [
        r"HTTP Err 5(?:00|02|03)",
        r"[=|:] text",
        r"[^a|b] text",
        r"a [a-z|] text",
        r"exit (\d+) text",
        r"text (?P<host>ab.*)",
        r"(?:error|fatal) text",
        r"(error|fatal) text",
        r"(text )+more",
        r"text \(system failure\)",
        r"https?://+x and more",
        r"text[^\n]*more",
        r"text[\r\n]*more",
        r"text\s+more",
        r"can.t open it",
        r"text.more.*",
        r"version 1.2",
        r"text\.more",
        r"^whole line$",
        r"(?:^|: )text more",
        r"error: Killed by",
        r"(?i)could not resolve host",
        "Could not resolve host",
    ]
    .iter()
    .filter(|pattern| !pattern.starts_with("text.more"))
    {
        assert_eq!(about(pattern), [""; 0], "{pattern}");
    }
    assert_eq!(lints(&rule("a", "'Killed'", "Killed", "strength = 'hint'")), [""; 0]);
    assert_eq!(lints(&rule("a", "'LockTimeoutError'", "LockTimeoutError", "")), [""; 0]);
    let both = "'No installed spec matches the hash',\n{ regex = 'No spec with hash \\S+' }";
    assert_eq!(lints(&rule("a", both, "No spec with hash /abc", "")), [""; 0]);
}

#[test]
fn patterns_that_differ_in_capitals_are_told() {
    let text = rule("a", "'Lost the node here'", "Lost the node here", "")
        + &rule("b", "'lost the node here'", "lost the node here", "");
    assert_eq!(
        lints(&text),
        [
            "a.toml:24: `lost the node here`: rule `a` (a.toml:11) has the same pattern with other capitals; find out which of them tools write [capitals]"
        ]
    );
}

/// Two rules, the second above the first; only what is proven is told.
fn shadowed(low: &str, high: &str, more: &str) -> usize {
    let text = rule("low", &format!("'a good text',\n{{ regex = '''{low}''' }}"), "a good text", "")
        + &rule(
            "high",
            &format!("'other good text 2',\n{{ regex = '''{high}''' }}"),
            "other good text 2",
            &format!("precedence = 700\n{more}"),
        );
    lints(&text).iter().filter(|lint| lint.ends_with("[shadowed]")).count()
}

#[test]
fn hidden_patterns_are_proven() {
    let text = rule("low", r"'first good text',", "first good text", "")
        .replace("'first good text',", "'first good text',\n{ regex = 'curl: \\(6\\) Could not resolve \\S+' },")
        + &rule("high", "'Could not resolve'", "Could not resolve", "precedence = 900");
    assert_eq!(
        lints(&text),
        [
            r"a.toml:12: `curl: \(6\) Could not resolve \S+`: rule `high` (a.toml:26) ranks higher and matches every line that it matches; raise this rule's precedence, narrow the other pattern, or remove this one [shadowed]"
        ]
    );
    for (low, high) in [
        ("abcdef", "bcde"),
        (r"xabc \d+ end", "abc"),
        ("(?:error|fatal): lost", "error: |fatal: "),
        ("exit code 137", r"exit code \d+"),
        ("[Cc]ould not find it", "(?i)COULD NOT"),
        ("^exact line$", "exact"),
        (r"one .* two", "two|three"),
    ] {
        assert_eq!(shadowed(low, high, ""), 1, "{low} {high}");
    }
    for (low, high, more) in [
        ("bcde", "abcdef", ""),
        ("bcdef", "^bcde", ""),
        ("a bcde", r"bcde\b", ""),
        (r"exit code \d+", "exit code 137", ""),
        ("(?:error|fatal): lost", "error: ", ""),
        ("abc.*def", "abc def", ""),
        ("abcdef", "bcde", "none = ['caught it']"),
        ("abcdef", "bcde", "scope = { tail_kb = 3 }"),
        ("abcdef", "bcde", "scope = { job_kinds = ['build'] }"),
        ("abcdef", "bcde", "recovers = true"),
        ("abcdef", "bcde", "class = 'low'"),
    ] {
        assert_eq!(shadowed(low, high, more), 0, "{low} {high} {more}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Where one pattern is said to be hidden, the other matches whatever it matches.
    #[test]
    fn what_is_said_to_be_hidden_is(
        low in r"(a|b|ab|ba|\(a\|b\)|a\+|b\?|\.|\^|\$|\\b){2,5}",
        high in r"(a|b|ab|\(a\|b\)|a\+|b\?|\.|\^|\$|\\b){1,3}",
        lines in prop::collection::vec("[ab ]{0,8}", 32),
    ) {
        let (Ok(one), Ok(other)) = (Regex::new(&low), Regex::new(&high)) else { return Ok(()) };
        let set = RuleSet { rules: vec![bare("low", 1, &low), bare("high", 2, &high)], ..RuleSet::default() };
        if lint(&set).iter().any(|lint| lint.kind == LintKind::Shadowed) {
            for line in lines {
                prop_assert!(!one.is_match(&line) || other.is_match(&line), "{}", line);
            }
        }
    }
}

fn bare(id: &str, precedence: u16, regex: &str) -> Rule {
    Rule {
        id: id.into(),
        class: id.into(),
        title: String::new(),
        owner: Owner::Package,
        severity: Severity::Low,
        transient: Transient::No,
        runbook: String::new(),
        strength: Strength::Cause,
        precedence,
        scope: Scope::default(),
        any: vec![Pattern { regex: regex.into(), origin: Origin::default() }],
        none: Vec::new(),
        requires: Requires::default(),
        recovers: false,
        origin: Origin::default(),
    }
}

#[test]
fn rank_decides_what_is_hidden() {
    let at = |more: &str| {
        let text = rule("low", "'first good text',\n'xabcx'", "first good text", "precedence = 500")
            + &rule("high", "'other good text 2',\n'abc'", "other good text 2", more);
        lints(&text).iter().filter(|lint| lint.ends_with("[shadowed]")).count()
    };
    assert_eq!(at("precedence = 501"), 1);
    assert_eq!(at("precedence = 500"), 0);
    assert_eq!(at("precedence = 10\nstrength = 'decisive'"), 1);
    assert_eq!(at("precedence = 900\nstrength = 'symptom'"), 0);
}
