//! Keep lists: which hashes must stay in a cache, and why.
//!
//! * [`KeepList::gather`] takes the locks of generate jobs and everything else that is to be kept, and says where its knowledge has a hole.
//! * [`KeepList::read`] reads a file with one hash on each line, as Spack does.
//! * [`Kept`] is what a list keeps in one root: with it go the views of that root, and whatever a kept hash depends on.
//!
//! A list with a [`KeepFault`] keeps what it names, but nothing may be pruned by it: what could not be read may have named more.

mod closure;
mod file;
mod gather;
#[cfg(test)]
mod tests;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use crate::ci::{JobId, PipelineId, Timestamp};
use crate::spack::Hash;
use crate::spack::buildcache::Checksum;

pub use closure::{Kept, KeptBy};
pub use file::KeepFileError;
pub use gather::{Evidence, KeepFault, LockSource, OtherSource};

/// Hashes that must stay, each with the reasons for it.
#[derive(Debug, Clone, Default)]
pub struct KeepList {
    reasons: Vec<KeepReason>,
    /// Places in `reasons`, oldest knowledge first.
    hashes: HashMap<Hash, Vec<u32>>,
    coverage: Option<Coverage>,
    faults: Vec<KeepFault>,
}

/// Why a hash is on a keep list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepReason {
    /// The newest lock of a stack that names it.
    Lock { stack: Arc<str>, job: JobId, pipeline: PipelineId, finished: Timestamp },
    /// A release, by its ref.
    Release(Arc<str>),
    /// A snapshot, by its name.
    Snapshot(Arc<str>),
    /// A view of an index, in this root or in another one.
    View { root: Arc<str>, view: Arc<str> },
    /// What an open pull request was branched from.
    PullRequest(u64),
    /// Somebody asked for it; their words.
    Pin(Arc<str>),
    /// A file, by its name.
    File(Arc<str>),
}

/// What a gathered list is known to cover.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Coverage {
    /// The prefix of the root that it was gathered for.
    pub root: Arc<str>,
    /// Stacks with a lock that could be read.
    pub stacks: usize,
    /// Locks that were read.
    pub locks: usize,
}

impl KeepList {
    /// Adds hashes with their reason.
    pub fn add(&mut self, reason: KeepReason, hashes: impl IntoIterator<Item = Hash>) {
        let at = self.reasons.len() as u32;
        self.reasons.push(reason);
        for hash in hashes {
            let reasons = self.hashes.entry(hash).or_default();
            if reasons.last() != Some(&at) {
                reasons.push(at);
            }
        }
    }

    /// How many hashes it has.
    pub fn len(&self) -> usize {
        self.hashes.len()
    }

    pub fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }

    pub fn contains(&self, hash: &Hash) -> bool {
        self.hashes.contains_key(hash)
    }

    /// Every hash, sorted.
    pub fn hashes(&self) -> Vec<Hash> {
        let mut hashes: Vec<Hash> = self.hashes.keys().copied().collect();
        hashes.sort_unstable();
        hashes
    }

    /// Why a hash is on the list; nothing for those that are not.
    pub fn reasons(&self, hash: &Hash) -> impl Iterator<Item = &KeepReason> {
        self.hashes.get(hash).into_iter().flatten().filter_map(|at| self.reasons.get(*at as usize))
    }

    /// What it is known to cover; `None` where it is only from files.
    pub const fn coverage(&self) -> Option<&Coverage> {
        self.coverage.as_ref()
    }

    /// Where its knowledge has a hole. Unless there are none, nothing may be pruned by it.
    pub fn faults(&self) -> &[KeepFault] {
        &self.faults
    }

    /// A checksum over its hashes, one on each line: that of the file that would hold them.
    pub fn digest(&self) -> Checksum {
        let mut lines = String::with_capacity(33 * self.len());
        for hash in self.hashes() {
            lines.push_str(hash.as_str());
            lines.push('\n');
        }
        Checksum::of(lines.as_bytes())
    }
}

impl fmt::Display for KeepReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock { stack, job, pipeline, finished } => {
                write!(f, "lock of {stack}, job {job} of pipeline {pipeline}, {finished}")
            }
            Self::Release(name) => write!(f, "release {name}"),
            Self::Snapshot(name) => write!(f, "snapshot {name}"),
            Self::View { root, view } => write!(f, "view {view} of {root}"),
            Self::PullRequest(number) => write!(f, "base of open pull request {number}"),
            Self::Pin(words) => write!(f, "pinned: {words}"),
            Self::File(name) => write!(f, "file {name}"),
        }
    }
}
