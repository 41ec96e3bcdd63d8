//! What Spack's CI says that it still needs: the locks of generate jobs, by GitLab, and what else lies beside a cache.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use crate::adapters::gitlab::{GitLab, PipelineQuery};
use crate::adapters::mirror::Reader;
use crate::adapters::store::Store;
use crate::cache::keep::{Evidence, KeepReason, LockSource, OtherSource};
use crate::cache::{Root, RootKind};
use crate::ci::{Job, JobId, Pipeline, PipelineId, Status, Timestamp, stack_of};
use crate::console::fault::Fault;
use crate::generation::MirrorState;
use crate::spack::Hash;

/// Which locks to read.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// The ref that the cache belongs to.
    pub git_ref: Arc<str>,
    /// By the server's clock.
    pub now: Timestamp,
    pub window: Duration,
    /// Requests that may be sent to GitLab in all.
    pub requests: u32,
}

/// Locks that are read at once; the adapter has its own bounds.
const AT_ONCE: usize = 4;

/// Asks GitLab for the locks of a ref's generate jobs, and for those of the newest pipelines of pull requests. Locks that were read before are
/// not read again. `told` hears how many of how many are read.
pub async fn evidence(
    gitlab: &GitLab,
    store: Option<&Store>,
    wanted: &Wanted,
    told: &mut (dyn FnMut(usize, usize) + Send),
) -> Evidence {
    let mut gathering = Gathering { gitlab, left: wanted.requests, unanswered: Vec::new() };
    let since = wanted.now.shifted(-i64::try_from(wanted.window.as_millis()).unwrap_or(i64::MAX));
    let pipelines = gathering.pipelines(since).await;
    let own: Vec<&Pipeline> = pipelines.iter().filter(|pipeline| pipeline.git_ref == wanted.git_ref).collect();
    // Of a pull request, what its newest pipeline asked for.
    let mut newest: BTreeMap<&Arc<str>, &Pipeline> = BTreeMap::new();
    for pipeline in pipelines.iter().filter(|pipeline| pipeline.pull_request().is_some()) {
        let known = newest.entry(&pipeline.git_ref).or_insert(pipeline);
        if known.id < pipeline.id {
            *known = pipeline;
        }
    }
    let mut active: BTreeSet<Arc<str>> = BTreeSet::new();
    let mut jobs: Vec<(JobId, Arc<str>, &Pipeline, Timestamp)> = Vec::new();
    let is_newest = own.iter().map(|pipeline| pipeline.id).max();
    for pipeline in own.iter().copied().chain(newest.into_values()) {
        for job in gathering.generate_jobs(pipeline.id).await {
            let Some(stack) = stack_of(&job.name).map(Arc::<str>::from) else { continue };
            // What is built today is what the newest pipeline generates, whether that succeeds or not.
            if Some(pipeline.id) == is_newest {
                active.insert(Arc::clone(&stack));
            }
            if job.status == Status::Success {
                jobs.push((job.id, stack, pipeline, job.finished_at.or(job.created_at).unwrap_or(wanted.now)));
            }
        }
    }
    let all = jobs.len();
    told(0, all);
    let (mut locks, mut others) = (Vec::new(), Vec::new());
    let reads = jobs.into_iter().map(|(job, stack, pipeline, finished)| {
        let is_paid = gathering.pay();
        async move {
            let outcome = if is_paid {
                lock(gitlab, store, job, &stack, wanted.now).await
            } else {
                Err("the budget of requests is spent; run it again, what was read is kept".to_owned())
            };
            (job, stack, pipeline, finished, outcome)
        }
    });
    let reads: Vec<_> = reads.collect();
    let mut reads = stream::iter(reads).buffered(AT_ONCE);
    while let Some((job, stack, pipeline, finished, outcome)) = reads.next().await {
        match pipeline.pull_request() {
            Some(number) => others.push(OtherSource { reason: KeepReason::PullRequest(number), outcome }),
            None => locks.push(LockSource { stack, job, pipeline: pipeline.id, finished, outcome }),
        }
        told(locks.len() + others.len(), all);
    }
    Evidence {
        git_ref: Arc::clone(&wanted.git_ref),
        now: wanted.now,
        window: wanted.window,
        active: active.into_iter().collect(),
        locks,
        others,
        unanswered: gathering.unanswered,
    }
}

/// The lock of one job, from the store or from GitLab.
async fn lock(
    gitlab: &GitLab,
    store: Option<&Store>,
    job: JobId,
    stack: &str,
    now: Timestamp,
) -> Result<Vec<Hash>, String> {
    if let Some(store) = store
        && let Some(hashes) = store.generated_lock(job).await.map_err(|error| error.to_string())?
    {
        return Ok(hashes);
    }
    let read = gitlab.generated_lock(job, stack).await.map_err(|fault| fault.detail)?;
    let hashes: Vec<Hash> = read.specs().map(|spec| spec.hash).collect();
    if let Some(store) = store {
        store.put_generated_lock(job, &hashes, now).await.map_err(|error| error.to_string())?;
    }
    Ok(hashes)
}

struct Gathering<'a> {
    gitlab: &'a GitLab,
    /// Requests that may still be sent.
    left: u32,
    unanswered: Vec<(Arc<str>, Arc<str>)>,
}

impl Gathering<'_> {
    fn pay(&mut self) -> bool {
        let is_paid = self.left > 0;
        self.left = self.left.saturating_sub(1);
        is_paid
    }

    fn note(&mut self, what: String, fault: Result<(), Fault>) {
        let why = match fault {
            Ok(()) => "the budget of requests is spent".to_owned(),
            Err(fault) => fault.detail,
        };
        self.unanswered.push((what.into(), why.into()));
    }

    /// Parent pipelines that changed in the window.
    async fn pipelines(&mut self, since: Timestamp) -> Vec<Pipeline> {
        let query = PipelineQuery { updated_after: Some(since), ..PipelineQuery::default() };
        let (mut found, mut page): (BTreeMap<PipelineId, Pipeline>, _) = (BTreeMap::new(), Some(1));
        while let Some(number) = page {
            if !self.pay() {
                self.note(format!("page {number} of the pipelines"), Ok(()));
                break;
            }
            match self.gitlab.pipelines(&query, number).await {
                Ok(answer) => {
                    page = answer.next;
                    found.extend(answer.items.into_iter().map(|pipeline| (pipeline.id, pipeline)));
                }
                Err(fault) => {
                    self.note(format!("page {number} of the pipelines"), Err(fault));
                    break;
                }
            }
        }
        found.into_values().collect()
    }

    async fn generate_jobs(&mut self, pipeline: PipelineId) -> Vec<Job> {
        let (mut found, mut page) = (Vec::new(), Some(1));
        while let Some(number) = page {
            if !self.pay() {
                self.note(format!("jobs of pipeline {pipeline}"), Ok(()));
                break;
            }
            match self.gitlab.jobs_page(pipeline, number, &[], false).await {
                Ok(answer) => {
                    page = answer.next;
                    found.extend(answer.items.into_iter().filter(|job| job.name.ends_with("-generate")));
                }
                Err(fault) => {
                    self.note(format!("jobs of pipeline {pipeline}"), Err(fault));
                    break;
                }
            }
        }
        found
    }
}

/// What releases and snapshots beside a root still have in their indexes, of those hashes that lie in the root.
pub async fn neighbours(
    reader: &Reader,
    mirror: &str,
    roots: &[Root],
    own: &Root,
    here: impl IntoIterator<Item = Hash>,
) -> Vec<OtherSource> {
    let here: HashSet<Hash> = here.into_iter().collect();
    let here = &here;
    let is_kept = |root: &&Root| match &root.kind {
        RootKind::Top { git_ref } | RootKind::Stack { git_ref, .. } => git_ref.starts_with("releases/"),
        RootKind::Snapshot { .. } => true,
        _ => false,
    };
    let asked = roots.iter().filter(|root| *root != own).filter(is_kept).map(|root| async move {
        let url = super::caches::address(mirror, &root.prefix);
        let view = reader.view(&root.prefix, &url, here).await;
        let reason = match &root.kind {
            RootKind::Snapshot { .. } => KeepReason::Snapshot(Arc::clone(&root.prefix)),
            _ => KeepReason::Release(Arc::clone(&root.prefix)),
        };
        let outcome = match view.state {
            MirrorState::Failed { reason, .. } => Err(reason.to_string()),
            MirrorState::Absent => Ok(Vec::new()),
            MirrorState::Read(listings) => {
                let present = listings.iter().flat_map(|listing| &listing.listed);
                Ok(present.filter(|(_, listed)| listed.in_buildcache).map(|(hash, _)| *hash).collect())
            }
        };
        OtherSource { reason, outcome }
    });
    let asked: Vec<_> = asked.collect();
    stream::iter(asked).buffered(AT_ONCE).collect().await
}
