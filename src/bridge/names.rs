//! How branches and merge commits of pull requests are named. The bridge has always named them like this, and Spack's CI reads the names.

use crate::ci::Timestamp;
use crate::forge::{BadName, BranchName, PrNumber, Sha};

/// Author and committer of merge commits.
pub const AUTHOR: (&str, &str) = ("spackbot", "noreply@spack.io");

/// The branch on GitLab of a pull request, and of nothing else: `pr51234_hdf5`.
pub fn pr_branch(number: PrNumber, head_ref: &str) -> Result<BranchName, BadName> {
    // Alone it need not be a name: `pr1_.x` is one. GitHub has no such branch, so it is refused all the same.
    BranchName::parse(head_ref)?;
    BranchName::parse(&format!("pr{number}_{head_ref}"))
}

/// A merge of a pull request's head into a tested commit: everything that its id depends on, so that equal inputs give equal commits and a
/// push that is repeated changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MergeCommit {
    /// The tested commit first, then the head.
    pub parents: [Sha; 2],
    pub message: String,
    pub date: Timestamp,
}

impl MergeCommit {
    /// `dates` are those of the two committers; the younger one is that of the merge. A clock would give another commit in every pass.
    pub fn of(head: &Sha, onto: &Sha, dates: [Timestamp; 2]) -> Self {
        let message = format!("Merge {head} into {onto}");
        let [head_date, onto_date] = dates;
        Self { parents: [onto.clone(), head.clone()], message, date: head_date.max(onto_date) }
    }
}

/// What the subject of a merge says: GitHub's test merges and our own have the same form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MergeSubject<'a> {
    pub head: &'a str,
    pub into: &'a str,
}

impl<'a> MergeSubject<'a> {
    /// Reads a subject that begins with `Merge <head> into <commit>`.
    pub fn parse(subject: &'a str) -> Option<Self> {
        if !subject.starts_with("Merge") {
            return None;
        }
        let mut words = subject.split_whitespace();
        match (words.next(), words.next(), words.next(), words.next()) {
            (Some("Merge"), Some(head), Some("into"), Some(into)) => Some(Self { head, into }),
            _ => None,
        }
    }

    /// Whether either of the two is this commit.
    pub fn names(&self, sha: &Sha) -> bool {
        self.head == sha.as_str() || self.into == sha.as_str()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subjects_are_read_as_the_bridge_always_did() {
        let parse = |subject| MergeSubject::parse(subject).map(|found| (found.head, found.into));
        assert_eq!(parse("Merge shagah into ccccccc"), Some(("shagah", "ccccccc")));
        assert_eq!(parse("Merge\ta  into b and more"), Some(("a", "b")));
        for other in
            ["merge a into b", " Merge a into b", "Merge a into", "Merged a into b", "Merge pull request #1 from a", ""]
        {
            assert_eq!(parse(other), None, "{other}");
        }
    }

    #[test]
    fn equal_inputs_give_equal_merges_and_gitlab_does_not_cut_the_title() {
        let (head, onto) = (Sha::parse(&"a".repeat(40)).unwrap(), Sha::parse(&"b".repeat(40)).unwrap());
        let dates = [Timestamp::from_millis(5), Timestamp::from_millis(9)];
        let merge = MergeCommit::of(&head, &onto, dates);
        assert_eq!(merge, MergeCommit::of(&head, &onto, dates));
        assert_eq!((merge.message.len(), merge.date), (92, dates[1]));
        assert_eq!(merge.parents, [onto, head.clone()]);
        assert!(MergeSubject::parse(&merge.message).unwrap().names(&head));
    }
}
