//! Reads commits as they are written, many at once.

use std::collections::HashMap;

use super::error::MirrorError;
use super::open::Mirror;
use super::program::{Run, garbled};
use crate::adapters::git::repos::object;
use crate::ci::Timestamp;
use crate::forge::Sha;

/// A commit, as far as it matters here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Commit {
    pub parents: Vec<Sha>,
    pub committed_at: Timestamp,
    /// The first line; none when it is no UTF-8, or when there is none.
    pub subject: Option<String>,
}

impl Mirror {
    /// Reads commits; those that are not here are left out.
    pub(super) async fn commits(
        &self,
        names: &[&Sha],
        in_subjects: bool,
    ) -> Result<HashMap<Sha, Result<Commit, MirrorError>>, MirrorError> {
        let doing = "read commits";
        if names.is_empty() {
            return Ok(HashMap::new());
        }
        let asked: String = names.iter().map(|name| format!("{name}\n")).collect::<Vec<_>>().concat();
        let (input, deadline) = (Some(asked.as_bytes()), self.git.settings.deadlines.local);
        let arguments = ["cat-file", "--batch"];
        let run = Run { doing, arguments: &arguments, environment: &[], input, deadline, in_subjects };
        let said = self.git.run(&run).await?;
        if said.code != Some(0) {
            return Err(said.failure(doing));
        }
        let mut rest = said.out.as_slice();
        let mut found = HashMap::new();
        for name in names {
            let missing = format!("{name} missing\n");
            if let Some(after) = rest.strip_prefix(missing.as_bytes()) {
                rest = after;
                continue;
            }
            let is_commit = rest.starts_with(format!("{name} commit ").as_bytes());
            let kinds = ["commit", "tag", "tree", "blob"];
            let (text, after) = kinds.iter().find_map(|kind| object(rest, kind)).ok_or_else(|| garbled(doing, rest))?;
            rest = after;
            let commit = Commit::read(text).filter(|_| is_commit);
            found.insert((*name).clone(), commit.ok_or_else(|| MirrorError::NotACommit((*name).clone())));
        }
        Ok(found)
    }

    /// Those of these commits that are not here.
    pub async fn lacking<'a>(&self, names: &[&'a Sha]) -> Result<Vec<&'a Sha>, MirrorError> {
        let here = self.commits(names, false).await?;
        Ok(names.iter().copied().filter(|name| !here.contains_key(*name)).collect())
    }

    /// Reads commits that must be here.
    pub(super) async fn known<const N: usize>(&self, names: [&Sha; N]) -> Result<[Commit; N], MirrorError> {
        let mut found = self.commits(&names, false).await?;
        let mut known = Vec::with_capacity(N);
        for name in names {
            let commit = found.get_mut(name).ok_or_else(|| MirrorError::Missing(name.clone()))?;
            known.push(commit.clone()?);
        }
        known.try_into().map_err(|_| garbled("read commits", b"too few"))
    }
}

impl Commit {
    fn read(text: &[u8]) -> Option<Self> {
        let end = memchr::memmem::find(text, b"\n\n").unwrap_or(text.len());
        let (header, message) = (text.get(..end)?, text.get(end + 2..).unwrap_or_default());
        let mut parents = Vec::new();
        let mut committed_at = None;
        for line in header.split(|byte| *byte == b'\n') {
            if let Some(parent) = line.strip_prefix(b"parent ") {
                parents.push(Sha::parse(std::str::from_utf8(parent).ok()?).ok()?);
            } else if let Some(who) = line.strip_prefix(b"committer ") {
                committed_at = Some(moment(who)?);
            }
        }
        let subject = message.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let subject = std::str::from_utf8(subject).ok().filter(|subject| !subject.is_empty()).map(str::to_owned);
        Some(Self { parents, committed_at: committed_at?, subject })
    }
}

/// `Name <address> <seconds> <zone>`; whoever wrote it may have written anything, so it is kept within what git takes for a date.
fn moment(who: &[u8]) -> Option<Timestamp> {
    /// The end of the year 2099.
    const LAST: i64 = 4_102_444_799;
    let after = who.rsplit(|byte| *byte == b'>').next()?;
    let seconds = std::str::from_utf8(after).ok()?.split_ascii_whitespace().next()?.parse::<i64>().unwrap_or(0);
    Some(Timestamp::from_millis(seconds.clamp(0, LAST) * 1_000))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn commits_are_read_whatever_their_authors_wrote() {
        let (a, b) = ("a".repeat(40), "b".repeat(40));
        let text = format!(
            "tree {a}\nparent {a}\nparent {b}\nauthor x <y> 1 +0000\ncommitter Amy > <amy@x> 1790000000 +0530\ngpgsig -----BEGIN\n x\n\nMerge {a} into {b}\n\nparent {b}\n"
        );
        let commit = Commit::read(text.as_bytes()).unwrap();
        assert_eq!(commit.parents, [Sha::parse(&a).unwrap(), Sha::parse(&b).unwrap()]);
        assert_eq!(commit.committed_at, Timestamp::from_millis(1_790_000_000_000));
        assert_eq!(commit.subject.unwrap(), format!("Merge {a} into {b}"));
        let of = |date: &str, subject: &[u8]| {
            let head = format!("tree {a}\nauthor x <y> 1 +0000\ncommitter x <y> {date}\n\n");
            Commit::read(&[head.as_bytes(), subject].concat()).map(|read| (read.committed_at.millis(), read.subject))
        };
        assert_eq!(of("99999999999999999999 +0000", b"x"), Some((0, Some("x".to_owned()))));
        assert_eq!(of("99999999999 +0000", b"\xff\n"), Some((4_102_444_799_000, None)));
        assert_eq!(of("-5 +0000", b""), Some((0, None)));
        assert_eq!(of("", b"x"), None);
        assert_eq!(Commit::read(b""), None);
    }
}
