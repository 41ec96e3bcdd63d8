//! Lines that look like errors, for failures that no rule knows.

/// What a line must contain to be looked at.
pub(super) const NEEDLES: &[&str] = &[
    "(?i)error:",
    "(?i)error ",
    "Error",
    "ERROR",
    r"(?i)fatal:",
    "FATAL",
    "(?i)exception",
    r"(?i)failed",
    "FAIL:",
    "(?i)failure",
    "(?i)cannot ",
    "(?i)can't ",
    "(?i)could not ",
    "(?i)couldn't ",
    "(?i)unable to ",
    "(?i)not found",
    "(?i)no such ",
    "(?i)denied",
    "(?i)refused",
    "(?i)timed out",
    "(?i)unrecognized ",
    "(?i)unsupported",
    "(?i)invalid ",
    "(?i)illegal instruction",
    "(?i)segmentation fault",
    "(?i)core dumped",
    "Aborted",
    "Killed",
    "Bus error",
    "(?i)panicked at",
    "panic:",
    "(?i)assertion",
    "did NOT match",
    "(?i)mismatch",
    "(?i)secret key",
    "(?i)stale file handle",
    "(?i)stale nfs file handle",
    "SIGILL",
    "(?i)an error occurred",
    "version `GLIBC",
    "(?i)throttl",
    "(?i)exceeded",
    "(?i)expired",
    "(?i)forbidden",
    "(?i)unauthorized",
    "(?i)truncated",
    "(?i)corrupt",
];

/// How much a line looks like the cause of a failure: 0 not at all, and the more the better.
pub(in crate::taxonomy) fn weight(text: &str) -> u32 {
    let line = text.trim();
    let small = line.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| small.contains(word));
    if line.is_empty() || line.starts_with("$ ") {
        return 0;
    }
    // A build system that tells what it does, and what went well.
    if has(&[
        "warning:",
        "-werror",
        "0 errors",
        "no error",
        "0 failed",
        "errors=0",
        "checking for ",
        "(ignored)",
        "retrying",
    ]) {
        return 10;
    }
    let crash = has(&[
        "illegal instruction",
        "segmentation fault",
        "core dumped",
        "bus error",
        "panicked at",
        "internal compiler error",
        "terminate called",
        "assertion failed",
        "assertion `",
        "std::bad_alloc",
    ]);
    let names = exception(line);
    let says = has(&[" error: ", "fatal: ", "fatal error", "error]"])
        || small.starts_with("error")
        || small.starts_with("fatal")
        || line.starts_with("==> Error: ")
        || small.contains("an error occurred (")
        || line.starts_with("E: ");
    let tool = tool(line)
        && has(&[
            "fail",
            "error",
            "cannot",
            "can't",
            "could not",
            "no such",
            "not found",
            "denied",
            "refused",
            "unable",
            "invalid",
            "timed out",
            "did not match",
            "stale file handle",
            "forbidden",
            "expired",
            "unauthorized",
            "exceeded",
            "corrupt",
            "truncated",
            "secret key",
            "mismatch",
            "unsupported",
            "unrecognized",
        ]);
    match () {
        () if crash => 100,
        () if names => 90,
        () if says => 80,
        () if tool => 70,
        () => 40,
    }
}

/// `json.decoder.JSONDecodeError: …`, `botocore.exceptions.ClientError: …`.
fn exception(line: &str) -> bool {
    let Some((name, _)) = line.split_once(": ").or_else(|| line.ends_with("Error").then_some((line, ""))) else {
        return false;
    };
    let last = name.rsplit('.').next().unwrap_or(name);
    let word = !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'.'));
    word && last.starts_with(|c: char| c.is_ascii_uppercase() || c == '_')
        && ["Error", "Exception", "Failure", "Timeout", "Interrupt", "Refused", "Exit"]
            .iter()
            .any(|end| last.ends_with(end))
        && last != "Error"
}

/// `gpg: …`, `curl: (6) …`, `/bin/sh: 1: …`: a program speaks in its own name.
fn tool(line: &str) -> bool {
    let Some((name, _)) = line.split_once(": ") else { return false };
    !name.is_empty() && name.len() <= 64 && !name.contains(char::is_whitespace)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_names_a_fault_outweighs_what_mentions_one() {
        let falling = [
            "line 134: 6806 Illegal instruction     (core dumped) /home/software/spack/bin/gmsh",
            "json.decoder.JSONDecodeError: Unterminated string starting at: line 2 column 291 (char 52790)",
            "==> Error: Failed to push gromacs@2025.1/5p7zhm5 to s3://spack-binaries",
            "gpg: [stdin]: clear-sign failed: No secret key",
            "12 tests failed",
            "warning: could not find the file",
        ];
        let weights: Vec<u32> = falling.iter().map(|line| weight(line)).collect();
        assert!(weights.is_sorted_by(|a, b| a > b), "{weights:?}");
        assert_eq!(weight("$ echo error: none"), 0);
        assert_eq!(weight("  "), 0);
    }
}
