//! In which order a plan is carried out, so that no index promises a binary that is gone, at no instant and after no crash.

use std::fmt;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::PrunePlan;
use crate::ci::short;

/// How long a client may still read an index that was replaced: the CDN's copy lives a day, and jobs that read it run for twelve hours.
pub const SETTLING: Duration = Duration::from_secs((24 + 12) * 3_600);
/// How many keys one request may delete.
const BATCH: usize = 1_000;

/// One step. Each can be repeated, and the next begins when it is done in full.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "do", deny_unknown_fields)]
pub enum Step {
    /// Replace the index by one that lists so many binaries fewer, if it is still the one of the plan.
    WriteIndex {
        without: usize,
    },
    /// Until nobody can hold what was read before the last step.
    Wait {
        hours: u64,
    },
    /// List and read everything again, and take out what has to stay after all.
    Recheck,
    DeleteManifests {
        count: usize,
        bytes: u64,
        requests: usize,
    },
    DeleteBlobs {
        count: usize,
        bytes: u64,
        requests: usize,
    },
    /// See that every index and view still holds what it promises.
    Verify,
}

impl PrunePlan {
    /// The steps, in order. Nothing for a plan by which nothing goes.
    pub fn steps(&self) -> Vec<Step> {
        let (wait, totals) = (Step::Wait { hours: SETTLING.as_secs() / 3_600 }, self.totals());
        let mut steps = Vec::new();
        if !self.leave_out.is_empty() {
            steps.push(Step::WriteIndex { without: self.leave_out.len() });
        }
        if !self.manifests.is_empty() {
            let (count, bytes) = (self.manifests.len(), totals.manifest_bytes);
            let delete = Step::DeleteManifests { count, bytes, requests: count.div_ceil(BATCH) };
            steps.extend([wait, Step::Recheck, delete]);
        }
        if !self.blobs.is_empty() {
            // Also without manifests: the blob of the index before this one looks like an orphan, and may still be read.
            let (count, bytes) = (self.blobs.len(), totals.blob_bytes);
            let delete = Step::DeleteBlobs { count, bytes, requests: count.div_ceil(BATCH) };
            steps.extend([wait, Step::Recheck, delete]);
        }
        if !steps.is_empty() {
            steps.push(Step::Verify);
        }
        steps
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let delete = |f: &mut fmt::Formatter<'_>, what, count, bytes, requests| {
            write!(f, "delete {count} {what} ({bytes} bytes, {requests} requests)")
        };
        match *self {
            Self::WriteIndex { without } => write!(f, "write the index without {without} binaries"),
            Self::Wait { hours } => write!(f, "wait {}", short(Duration::from_secs(hours * 3_600))),
            Self::Recheck => f.write_str("list and read the cache again, and spare what has to stay after all"),
            Self::DeleteManifests { count, bytes, requests } => delete(f, "manifests", count, bytes, requests),
            Self::DeleteBlobs { count, bytes, requests } => delete(f, "blobs", count, bytes, requests),
            Self::Verify => f.write_str("verify that every index holds what it promises"),
        }
    }
}
