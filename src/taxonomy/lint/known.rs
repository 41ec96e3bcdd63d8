//! Texts whose spelling is known: what tools write today, what they no longer write, and what harmless lines hold too.

use super::report::{Finding, LintKind};
use super::shape::Shape;
use crate::taxonomy::Strength;

/// Phrases that also stand in harmless or secondary lines.
const HARMLESS: &[&str] = &[
    "command not found",
    "does not exist",
    "does not satisfy",
    "file not found",
    "no space left on device",
    "no such file or directory",
    "not found",
    "permission denied",
    "timed out",
    // Printed by every build that failed.
    "to reproduce this build locally, run:",
];

/// Messages as the tools spell them.
const SPELLED: &[&str] = &[
    "An error occurred (AccessDenied)",
    "Broken pipe",
    "Cannot connect to the Docker daemon",
    "Connection refused",
    "Connection reset by peer",
    "Connection timed out",
    "Could not resolve host",
    "Exec format error",
    "Failed to connect to",
    "Illegal instruction",
    "Name or service not known",
    "No space left on device",
    "No such file or directory",
    "Operation timed out",
    "Permission denied",
    "RPC failed",
    "Segmentation fault",
    "Service Unavailable",
    "Stale file handle",
    "Temporary failure in name resolution",
    "Too many open files",
    "Too Many Requests",
    "no such host",
];

/// Texts of messages that were reworded: what a pattern holds, and what is written now.
const REWORDED: &[(&str, &str)] = &[
    ("HTTP Error 404", "Spack writes `GET <url> returned 404: Not Found` now"),
    ("HTTP Error 5", "Spack writes `GET <url> returned 503: Service Unavailable` now"),
    ("No installed spec matches the hash", "Spack writes `No spec with hash` now"),
    ("No version for", "Spack writes `No version exists that satisfies` now"),
    ("Timed out waiting for a write lock", "Spack writes `Timed out waiting for a read lock` as well"),
    ("socket.timeout", "Python writes `TimeoutError: timed out` since 3.10"),
];

/// Looks at the texts that every match holds.
pub(super) fn findings(shape: &Shape, strength: Strength) -> Vec<Finding> {
    let mut found = Vec::new();
    let only = shape.only_text();
    if let Some(only) = only.filter(|only| strength > Strength::Hint && is_bare(only)) {
        let what = format!("`{only}` alone stands in harmless lines too");
        found.push(Finding::new(LintKind::BareWords, what, "add what stands around it, or say strength = \"hint\""));
    }
    for set in shape.texts() {
        let [text] = set.as_slice() else { continue };
        let text = String::from_utf8_lossy(text);
        let small = text.to_ascii_lowercase();
        let other = |spelled: &&&str| {
            let known = spelled.to_ascii_lowercase();
            (small.contains(&known) && !text.contains(**spelled))
                || (small.len() >= 8 && known.contains(&small) && !spelled.contains(&*text))
        };
        if let Some(spelled) = SPELLED.iter().find(other) {
            let what = format!("tools write `{spelled}`, with other capitals than `{text}`");
            found.push(Finding::new(LintKind::Capitals, what, "spell it so, or begin the pattern with `(?i)`"));
        }
    }
    found
}

/// Looks at the pattern as it is written.
pub(super) fn reworded(regex: &str) -> Option<Finding> {
    let plain = regex.replace('\\', "");
    let (old, now) = REWORDED.iter().find(|(old, _)| plain.contains(old))?;
    Some(Finding::new(LintKind::Outdated, format!("`{old}` is not all that is written: {now}"), "add the new text"))
}

fn is_bare(text: &str) -> bool {
    let word = text.len() >= 3 && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    word || HARMLESS.contains(&text.to_ascii_lowercase().as_str())
}
