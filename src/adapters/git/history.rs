//! Which files differ, and which commit touched them last.

use std::collections::HashMap;
use std::sync::Arc;

use super::base::{Range, is_name};
use super::error::{GitError, harmless};
use super::run::{Git, shown};
use crate::generation::{ChangeKind, ChangedPath};

/// The mode that stands for a commit of another repository.
const SUBMODULE: &str = "160000";

/// Every file that differs, without a guess at renames: the old place and the new one are both changed.
pub(super) async fn changed(git: &Git, range: &Range) -> Result<Vec<ChangedPath>, GitError> {
    let arguments = [
        "diff-tree",
        "-r",
        "-z",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--ignore-submodules=none",
        &range.base,
        &range.head,
    ];
    let said = git.get(&arguments).await?;
    let garbled = |what: &[u8]| GitError::Garbled { command: shown(&arguments), what: harmless(what) };
    let mut tokens = said.split(|byte| *byte == 0);
    let mut changed = Vec::new();
    while let Some(meta) = tokens.next().filter(|meta| !meta.is_empty()) {
        let kind = kind(meta).ok_or_else(|| garbled(meta))?;
        let path = tokens.next().filter(|path| !path.is_empty()).ok_or_else(|| garbled(meta))?;
        changed.push(ChangedPath { path: path.to_vec(), kind, commit: None });
    }
    Ok(changed)
}

/// `:100644 100644 <old> <new> M`
fn kind(meta: &[u8]) -> Option<ChangeKind> {
    let meta = std::str::from_utf8(meta).ok()?.strip_prefix(':')?;
    let mut fields = meta.split(' ');
    let (old, new) = (fields.next()?, fields.next()?);
    if old == SUBMODULE || new == SUBMODULE {
        return Some(ChangeKind::Submodule);
    }
    match fields.nth(2)?.chars().next()? {
        'A' => Some(ChangeKind::Added),
        'D' => Some(ChangeKind::Removed),
        'M' | 'T' => Some(ChangeKind::Modified),
        _ => None,
    }
}

/// Writes to each path the newest commit that touched it. One pass over the commits; a warning when that is too much to read.
pub(super) async fn attribute(git: &Git, range: &Range, paths: &mut [ChangedPath]) -> Result<Option<String>, GitError> {
    let span = if range.is_first { range.head.clone() } else { format!("{}..{}", range.base, range.head) };
    // A merge names only what it changed against all its parents: conflicts that were solved by hand.
    let arguments = [
        "log",
        "--date-order",
        "--format=%H",
        "-z",
        "--raw",
        "--no-abbrev",
        "--no-renames",
        "--ignore-submodules=none",
        "--no-ext-diff",
        "-c",
        &span,
        "--",
    ];
    let said = match git.get(&arguments).await {
        Ok(said) => said,
        Err(error @ (GitError::Deadline { .. } | GitError::TooMuch { .. })) => {
            return Ok(Some(format!("it is not known which commit touched which file: {error}")));
        }
        Err(error) => return Err(error),
    };
    let newest =
        newest(&said).ok_or_else(|| GitError::Garbled { command: shown(&arguments), what: "its list".into() })?;
    for path in paths {
        path.commit = newest.get(path.path.as_slice()).cloned();
    }
    Ok(None)
}

/// Commits and files between NULs: what begins with a colon announces a path, everything else is a commit.
fn newest(said: &[u8]) -> Option<HashMap<&[u8], Arc<str>>> {
    let mut newest: HashMap<&[u8], Arc<str>> = HashMap::new();
    let mut commit: Option<Arc<str>> = None;
    let mut tokens = said.split(|byte| *byte == 0);
    while let Some(token) = tokens.next() {
        let token = token.trim_ascii();
        if token.is_empty() {
            continue;
        }
        if token.starts_with(b":") {
            let commit = commit.as_ref()?;
            newest.entry(tokens.next()?).or_insert_with(|| Arc::clone(commit));
        } else {
            commit = Some(std::str::from_utf8(token).ok().filter(|token| is_name(token))?.into());
        }
    }
    Some(newest)
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
    const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

    #[test]
    fn a_path_that_looks_like_a_commit_stays_a_path() {
        let said = format!("{A}\0\0:100644 100644 x y M\0{B}\0:100644 100644 x y M\0:p\0\0{B}\0\n:1 2 x y A\0:p\0");
        let newest = newest(said.as_bytes()).unwrap();
        assert_eq!(&*newest[B.as_bytes()], A);
        assert_eq!(&*newest[&b":p"[..]], A);
    }

    #[test]
    fn a_list_without_commits_is_not_understood() {
        assert!(newest(b":1 2 x y M\0p\0").is_none());
        assert!(newest(b"gpg: signature\0").is_none());
        assert!(newest(format!("{A}\0:1 2 x y M").as_bytes()).is_none());
        assert!(newest(b"").unwrap().is_empty());
    }

    #[test]
    fn kinds_are_told_by_mode_and_letter() {
        let zero = "0".repeat(40);
        let of = |old: &str, new: &str, letter: &str| kind(format!(":{old} {new} {zero} {zero} {letter}").as_bytes());
        assert_eq!(of("000000", "100644", "A"), Some(ChangeKind::Added));
        assert_eq!(of("100644", "000000", "D"), Some(ChangeKind::Removed));
        assert_eq!(of("100644", "120000", "T"), Some(ChangeKind::Modified));
        assert_eq!(of("160000", "160000", "M"), Some(ChangeKind::Submodule));
        assert_eq!(of("100644", "100644", "R100"), None);
        assert_eq!(kind(b"\xff"), None);
        assert_eq!(kind(b":1 2"), None);
    }
}
