//! How commits lie to each other, and what merging them comes to. Nothing here is tried again: the same inputs give the same answer.

use super::error::MirrorError;
use super::fetch::Wanted;
use super::open::Mirror;
use super::program::garbled;
use crate::bridge::names::{AUTHOR, MergeCommit};
use crate::bridge::{Ancestry, Merge, TestMerge};
use crate::ci::Timestamp;
use crate::forge::{BranchName, Sha};

impl Mirror {
    /// How a head that was fetched lies to the tested commit of main. `asked` is the head that the API told; `main` was fetched.
    pub async fn ancestry(
        &self,
        asked: &Sha,
        fetched: &Sha,
        onto: &Sha,
        main: &BranchName,
    ) -> Result<Ancestry, MirrorError> {
        let found = |merge_base, base_is_tested| {
            let (asked, fetched, onto) = (asked.clone(), fetched.clone(), onto.clone());
            Ok(Ancestry { asked, fetched, onto, merge_base, base_is_tested })
        };
        if asked != fetched {
            return found(None, false);
        }
        let doing = "find where a head branched off";
        let tip = Wanted::Branch(main.clone()).local();
        let said = self.git.answer(doing, &["merge-base", &tip, fetched.as_str()], None).await?;
        let base = match said.code {
            Some(0) => sha(&said.out).ok_or_else(|| said.garbled(doing))?,
            Some(1) => return found(None, false),
            _ => {
                self.known([fetched]).await?;
                return Err(said.failure(doing));
            }
        };
        let is_tested = base == *onto || self.is_ancestor(&base, onto).await?;
        found(Some(base), is_tested)
    }

    /// Whether the newer commit has the older one in its history. One that the mirror lacks is in no history that it has.
    pub async fn is_ahead(&self, old: &Sha, new: &Sha) -> Result<bool, MirrorError> {
        let here = self.commits(&[old, new], false).await?;
        if !here.contains_key(new) {
            return Err(MirrorError::Missing(new.clone()));
        }
        if here.contains_key(old) { self.is_ancestor(old, new).await } else { Ok(false) }
    }

    async fn is_ancestor(&self, old: &Sha, new: &Sha) -> Result<bool, MirrorError> {
        let doing = "compare histories";
        let arguments = ["merge-base", "--is-ancestor", old.as_str(), new.as_str()];
        let said = self.git.answer(doing, &arguments, None).await?;
        match said.code {
            Some(0) => Ok(true),
            Some(1) => Ok(false),
            _ => {
                self.known([old, new]).await?;
                Err(said.failure(doing))
            }
        }
    }

    /// Merges a head into a commit, without a work tree. Equal inputs give an equal commit.
    pub async fn merge(&self, head: &Sha, onto: &Sha) -> Result<Merge, MirrorError> {
        let doing = "merge a head";
        let [ours, theirs] = self.known([onto, head]).await?;
        let found = |commit| Ok(Merge { head: head.clone(), onto: onto.clone(), commit });
        let arguments = ["merge-tree", "--write-tree", "--no-messages", onto.as_str(), head.as_str()];
        let said = self.git.answer(doing, &arguments, None).await?;
        let tree = match said.code {
            Some(0) => sha(&said.out).ok_or_else(|| said.garbled(doing))?,
            Some(1) => return found(None),
            _ if said.complaint.contains("unrelated histories") => {
                return Err(MirrorError::Unrelated { head: head.clone(), onto: onto.clone() });
            }
            _ => return Err(said.failure(doing)),
        };
        let merge = MergeCommit::of(head, onto, [theirs.committed_at, ours.committed_at]);
        self.write(&tree, &merge).await.map(Some).and_then(found)
    }

    /// What GitHub's own merge, as it was fetched, is a merge of.
    pub async fn test_merge(&self, asked: &Sha, fetched: &Sha) -> Result<TestMerge, MirrorError> {
        let [commit] = self.known([fetched]).await?;
        let [onto, head] = commit.parents.as_slice() else { return Err(MirrorError::NotACommit(fetched.clone())) };
        let (onto, head) = (onto.clone(), head.clone());
        Ok(TestMerge { asked: asked.clone(), fetched: fetched.clone(), head, onto })
    }

    async fn write(&self, tree: &Sha, merge: &MergeCommit) -> Result<Sha, MirrorError> {
        let doing = "write a merge";
        let text = written(tree, merge);
        let said =
            self.git.local(doing, &["hash-object", "-t", "commit", "-w", "--stdin"], Some(text.as_bytes())).await?;
        sha(&said).ok_or_else(|| garbled(doing, &said))
    }
}

/// The commit as git stores it: everything that its id depends on is here, and nothing of this machine.
fn written(tree: &Sha, merge: &MergeCommit) -> String {
    let (name, address) = AUTHOR;
    let [first, second] = &merge.parents;
    let seconds = merge.date.since(Timestamp::default()).as_secs();
    let who = format!("{name} <{address}> {seconds} +0000");
    format!("tree {tree}\nparent {first}\nparent {second}\nauthor {who}\ncommitter {who}\n\n{}\n", merge.message)
}

/// The object that a command named in its first line.
fn sha(said: &[u8]) -> Option<Sha> {
    let line = said.split(|byte| *byte == b'\n').next()?;
    Sha::parse(std::str::from_utf8(line).ok()?).ok()
}
