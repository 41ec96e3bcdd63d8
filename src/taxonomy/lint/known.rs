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
    "modulenotfounderror",
    "no space left on device",
    "no such file or directory",
    "not found",
    "permission denied",
    "timed out",
    // Printed by every build that failed.
    "to reproduce this build locally, run:",
];

/// Messages that are written with these capitals and no others.
const SPELLED: &[&str] = &[
    "An error occurred (AccessDenied)",
    "Cannot connect to the Docker daemon",
    "Could not resolve host",
    "Name or service not known",
    "RPC failed",
    "Service Unavailable",
    "Temporary failure in name resolution",
    "Too Many Requests",
    "no such host",
];

/// A message that was reworded.
struct Reworded {
    /// What old patterns hold.
    old: &'static str,
    /// What a pattern for the new message holds.
    new: &'static str,
    now: &'static str,
}

const REWORDED: &[Reworded] = &[
    Reworded { old: "HTTP Error 404", new: "returned", now: "Spack writes `GET <url> returned 404: Not Found` now" },
    Reworded {
        old: "HTTP Error 5",
        new: "returned",
        now: "Spack writes `GET <url> returned 503: Service Unavailable` now",
    },
    Reworded {
        old: "No installed spec matches the hash",
        new: "No spec with hash",
        now: "Spack writes `No spec with hash` now",
    },
    Reworded {
        old: "No version for",
        new: "No version exists",
        now: "Spack writes `No version exists that satisfies` now",
    },
    Reworded {
        old: "Timed out waiting for a write lock",
        new: "read",
        now: "Spack writes `Timed out waiting for a read lock` as well",
    },
    Reworded { old: "socket.timeout", new: "TimeoutError", now: "Python writes `TimeoutError: timed out` since 3.10" },
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

/// Looks at the pattern as it is written. `class` are all patterns of its class, as [`plain`] tells them: one of them may have the new text.
pub(super) fn reworded(regex: &str, class: &str) -> Option<Finding> {
    let regex = plain(regex);
    let Reworded { old, now, .. } = REWORDED.iter().find(|r| regex.contains(r.old) && !class.contains(r.new))?;
    Some(Finding::new(LintKind::Outdated, format!("`{old}` is not all that is written: {now}"), "add the new text"))
}

/// A pattern without what only escapes.
pub(super) fn plain(regex: &str) -> String {
    regex.replace('\\', "")
}

/// One common word, or a common phrase. A long word is a name, and names are rare.
fn is_bare(text: &str) -> bool {
    let word = (3..=12).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_alphanumeric());
    word || HARMLESS.contains(&text.to_ascii_lowercase().as_str())
}
