//! Rules files, good, bad and hostile.

mod drafts;
mod examples;
mod faults;
mod hostile;
mod whole;

use super::{Source, load};

/// The start of a rule that is complete but for what a test adds: 7 lines, the first free one is line 9 of a file.
pub const RULE: &str = "format = 1
[[rule]]
id = \"oom\"
title = \"Out of memory\"
owner = \"infrastructure\"
severity = \"high\"
transient = \"maybe\"
runbook = \"raise the request\"
";

/// A whole file: the rule above with a pattern, and an example that it matches.
pub fn rule_with(more: &str) -> String {
    format!("{RULE}{more}\n[[rule.example]]\nlog = \"make: Killed signal terminated program cc1plus\"\n")
}

/// A second rule.
pub fn other(id: &str, pattern: &str, log: &str, more: &str) -> String {
    let more = if more.is_empty() { "new_class = true".to_owned() } else { format!("{more}\nnew_class = true") };
    format!(
        "[[rule]]\nid = \"{id}\"\ntitle = \"T\"\nowner = \"package\"\nseverity = \"low\"\ntransient = \"no\"\nrunbook = \"r\"\n\
         any = ['{pattern}']\n{more}\n[[rule.example]]\nlog = '{log}'\n"
    )
}

/// Every fault, as it is printed.
pub fn faults(texts: &[&str]) -> Vec<String> {
    let names = ["a.toml", "b.toml", "c.toml"];
    let files: Vec<Source<'_>> = names.iter().zip(texts).map(|(&name, &text)| Source { name, text }).collect();
    load(&files).map_or_else(|faults| faults.iter().map(ToString::to_string).collect(), |_| Vec::new())
}

/// The only fault of one file.
#[track_caller]
pub fn fault(text: &str) -> String {
    let mut faults = faults(&[text]);
    assert_eq!(faults.len(), 1, "{faults:#?}");
    faults.remove(0)
}
