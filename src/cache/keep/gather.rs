//! A keep list from what Spack's CI says that it still needs.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::{Coverage, KeepList, KeepReason};
use crate::cache::{Root, RootKind};
use crate::ci::{JobId, PipelineId, Timestamp};
use crate::spack::Hash;

/// What is known about one ref when a list is gathered. What could not be asked belongs into it as well.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// The ref that the locks and the stacks are of: `develop`.
    pub git_ref: Arc<str>,
    /// The clock of the server whose jobs these are.
    pub now: Timestamp,
    /// Locks that are older count no more.
    pub window: Duration,
    /// Every stack that is built today.
    pub active: Vec<Arc<str>>,
    /// Of successful generate jobs.
    pub locks: Vec<LockSource>,
    /// Releases, snapshots, views, pull requests and pins.
    pub others: Vec<OtherSource>,
    /// Questions without an answer: a page of pipelines, the list of stacks. The question and the reason.
    pub unanswered: Vec<(Arc<str>, Arc<str>)>,
}

/// The lock of one successful generate job.
#[derive(Debug, Clone)]
pub struct LockSource {
    pub stack: Arc<str>,
    pub job: JobId,
    pub pipeline: PipelineId,
    pub finished: Timestamp,
    /// Every concrete spec of it, or why it could not be read.
    pub outcome: Result<Vec<Hash>, String>,
}

/// Anything else that keeps hashes.
#[derive(Debug, Clone)]
pub struct OtherSource {
    pub reason: KeepReason,
    /// What it names, or why it could not be read.
    pub outcome: Result<Vec<Hash>, String>,
}

/// A hole in the knowledge of a keep list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeepFault {
    /// A lock that could not be read, or that names nothing.
    Lock { stack: Arc<str>, job: JobId, why: Arc<str> },
    /// An active stack without a lock in the window.
    Stack { stack: Arc<str>, days: u64 },
    /// No stack is known to be active.
    NoStacks,
    /// Something else that could not be read.
    Source { what: Arc<str>, why: Arc<str> },
    /// The evidence is of another ref than the root.
    Ref { evidence: Arc<str>, root: Arc<str> },
}

impl KeepList {
    /// Gathers the list of a root: for a stack its own locks, for a top level those of every stack. All else is kept everywhere.
    pub fn gather(evidence: &Evidence, root: &Root) -> Self {
        let (git_ref, only) = match &root.kind {
            RootKind::Top { git_ref } => (Some(git_ref), None),
            RootKind::Stack { git_ref, stack } => (Some(git_ref), Some(stack)),
            _ => (None, None),
        };
        let mut list = Self::default();
        if git_ref != Some(&evidence.git_ref) {
            list.faults.push(KeepFault::Ref { evidence: evidence.git_ref.clone(), root: root.prefix.clone() });
        }
        let covered = list.take_locks(evidence, only);
        let active: BTreeSet<&Arc<str>> = match only {
            Some(stack) => [stack].into(),
            None => evidence.active.iter().collect(),
        };
        if active.is_empty() {
            list.faults.push(KeepFault::NoStacks);
        }
        let days = evidence.window.as_secs() / 86_400;
        let bare = active.into_iter().filter(|stack| !covered.contains_key(*stack));
        list.faults.extend(bare.map(|stack| KeepFault::Stack { stack: stack.clone(), days }));
        for other in &evidence.others {
            match &other.outcome {
                Ok(hashes) => list.add(other.reason.clone(), hashes.iter().copied()),
                Err(why) => list
                    .faults
                    .push(KeepFault::Source { what: other.reason.to_string().into(), why: why.as_str().into() }),
            }
        }
        let unanswered = evidence.unanswered.iter().cloned();
        list.faults.extend(unanswered.map(|(what, why)| KeepFault::Source { what, why }));
        let (stacks, locks) = (covered.len(), covered.values().sum());
        list.coverage = Some(Coverage { root: root.prefix.clone(), stacks, locks });
        list
    }

    /// Adds the locks of the window, and says how many each stack has. Of the locks of a stack only the newest that names a hash is told
    /// as its reason: a fortnight has thousands.
    fn take_locks<'e>(&mut self, evidence: &'e Evidence, only: Option<&Arc<str>>) -> BTreeMap<&'e Arc<str>, usize> {
        let oldest = evidence.now.shifted(-i64::try_from(evidence.window.as_millis()).unwrap_or(i64::MAX));
        let mut stacks: BTreeMap<&Arc<str>, Vec<&LockSource>> = BTreeMap::new();
        let counts = |lock: &&LockSource| lock.finished >= oldest && only.is_none_or(|stack| *stack == lock.stack);
        for lock in evidence.locks.iter().filter(counts) {
            stacks.entry(&lock.stack).or_default().push(lock);
        }
        let mut covered = BTreeMap::new();
        for (stack, mut locks) in stacks {
            locks.sort_by_key(|lock| std::cmp::Reverse((lock.finished, lock.job)));
            let mut seen = HashSet::new();
            for lock in locks {
                let why = match &lock.outcome {
                    Ok(hashes) if !hashes.is_empty() => {
                        let new: Vec<Hash> = hashes.iter().filter(|hash| seen.insert(**hash)).copied().collect();
                        let (job, pipeline, finished) = (lock.job, lock.pipeline, lock.finished);
                        self.add(KeepReason::Lock { stack: stack.clone(), job, pipeline, finished }, new);
                        *covered.entry(stack).or_default() += 1;
                        continue;
                    }
                    Ok(_) => "it names no spec",
                    Err(why) => why,
                };
                self.faults.push(KeepFault::Lock { stack: stack.clone(), job: lock.job, why: why.into() });
            }
        }
        covered
    }
}

impl fmt::Display for KeepFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lock { stack, job, why } => write!(
                f,
                "the lock of {stack} from job {job} could not be read ({why}); get it again, or generate the stack anew"
            ),
            Self::Stack { stack, days } => write!(
                f,
                "the stack {stack} has no lock of the last {days} days; generate it, or take it out of the active stacks"
            ),
            Self::NoStacks => f.write_str("no stack is known to be active; look at the configuration of the CI"),
            Self::Source { what, why } => write!(f, "{what} could not be read ({why}); try again"),
            Self::Ref { evidence, root } => {
                write!(f, "the locks are of {evidence}, to which {root} does not belong; gather those of its own ref")
            }
        }
    }
}
