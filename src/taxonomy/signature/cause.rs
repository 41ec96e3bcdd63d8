//! The words of a template that name the cause, without those that only tell who noticed it.
//!
//! An illegal instruction is the same fault whether make or the shell reports it, and a parser's error says where the bad byte stood, not why
//! it was there. Only causes that look different by nature have an entry here; every other template stays as it is.

/// Texts of the system and of tools that name the cause alone. The first that fits wins, so what explains more stands first.
const CAUSES: &[(&str, &str)] = &[
    ("internal compiler error", "internal compiler error"),
    ("low on resource: ephemeral-storage", "low on resource: ephemeral-storage"),
    ("low on resource: memory", "low on resource: memory"),
    ("low on resource: inodes", "low on resource: inodes"),
    ("Illegal instruction", "Illegal instruction"),
    ("SIGILL", "Illegal instruction"),
    ("Segmentation fault", "Segmentation fault"),
    ("segmentation fault", "Segmentation fault"),
    ("SIGSEGV", "Segmentation fault"),
    ("Bus error", "Bus error"),
    ("SIGBUS", "Bus error"),
    ("Floating point exception", "Floating point exception"),
    ("Stale file handle", "Stale file handle"),
    ("Stale NFS file handle", "Stale file handle"),
    ("stale NFS file handle", "Stale file handle"),
    ("[Errno 116]", "Stale file handle"),
    ("No space left on device", "No space left on device"),
    ("no space left on device", "No space left on device"),
    ("Disk quota exceeded", "Disk quota exceeded"),
    ("Read-only file system", "Read-only file system"),
    ("Input/output error", "Input/output error"),
    ("Too many open files", "Too many open files"),
    ("Cannot allocate memory", "Cannot allocate memory"),
    ("Transport endpoint is not connected", "Transport endpoint is not connected"),
    ("xec format error", "Exec format error"),
    ("SlowDown", "SlowDown"),
    ("reduce your request rate", "SlowDown"),
    ("oo Many Requests", "Too Many Requests"),
    ("HTTP Error 429", "Too Many Requests"),
    ("returned error: 429", "Too Many Requests"),
    ("No secret key", "no usable secret key"),
    ("Unusable secret key", "no usable secret key"),
    ("no default secret key", "no usable secret key"),
    ("(char <n>)", "JSONDecodeError"),
];

/// Exceptions of readers: their message tells a place in the data.
const READERS: &[&str] =
    &["DecodeError", "ParseError", "ParserError", "ScannerError", "BadZipFile", "BadGzipFile", "UnpicklingError"];

/// Operations of AWS, by what was tried. Which of them a tool uses says nothing about the fault.
const AWS: &[(&str, &[&str])] = &[
    (
        "S3 write",
        &[
            "PutObject",
            "UploadPart",
            "CreateMultipartUpload",
            "CompleteMultipartUpload",
            "CopyObject",
            "UploadPartCopy",
        ],
    ),
    ("S3 read", &["GetObject", "HeadObject", "ListObjects", "ListObjectsV2", "HeadBucket"]),
    ("a role", &["AssumeRoleWithWebIdentity", "AssumeRole"]),
];

/// Reduces a template to what names its cause; as it is when nothing here fits.
pub(super) fn reduce(template: String) -> String {
    if let Some((_, cause)) = CAUSES.iter().find(|(text, _)| template.contains(text)) {
        return around(cause);
    }
    if let Some(symbol) = too_old(&template) {
        return around(&format!("version '{symbol}' not found"));
    }
    if let Some(aws) = aws(&template) {
        return around(&aws);
    }
    match reader(&template) {
        Some(name) => around(name),
        // One file or two: the same digest list does not fit.
        None => template.replace("computed checksums did NOT match", "computed checksum did NOT match"),
    }
}

fn around(cause: &str) -> String {
    format!("<*> {cause} <*>")
}

/// `version 'GLIBC_<n>' not found`.
fn too_old(template: &str) -> Option<&str> {
    let (_, rest) = template.split_once("version '")?;
    let (symbol, rest) = rest.split_once('\'')?;
    (symbol.contains("_<n>") && rest.trim_start().starts_with("not found")).then_some(symbol)
}

/// `An error occurred (AccessDenied) when calling the PutObject operation: …`, where the operation is one of the known.
fn aws(template: &str) -> Option<String> {
    let (_, rest) = template.split_once("An error occurred (")?;
    let (code, rest) = rest.split_once(") when calling the ")?;
    let (operation, _) = rest.split_once(" operation")?;
    let (tried, _) = AWS.iter().find(|(_, names)| names.contains(&operation))?;
    Some(format!("An error occurred ({code}) on {tried}"))
}

fn reader(template: &str) -> Option<&str> {
    let mut names = template.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_'));
    names.find(|name| READERS.iter().any(|end| name.ends_with(end)))
}

/// Words that every failure has.
const EMPTY: &[&str] = &[
    "and",
    "command",
    "error",
    "errors",
    "exit",
    "exited",
    "fail",
    "failed",
    "failure",
    "fatal",
    "for",
    "gmake",
    "job",
    "make",
    "ninja",
    "script",
    "status",
    "code",
    "system",
    "terminated",
    "the",
    "warning",
    "was",
    "with",
];

/// Whether a template names a cause at all. `Job failed: exit code 1` does not.
pub(super) fn is_telling(template: &str) -> bool {
    let mut hole = false;
    let mut words = template.split(|c: char| match c {
        '<' | '>' => {
            hole = c == '<';
            true
        }
        _ => hole || !c.is_alphabetic(),
    });
    words.any(|word| word.chars().count() > 2 && !EMPTY.iter().any(|empty| empty.eq_ignore_ascii_case(word)))
}
