//! One pass: which generate jobs ended, and what each of them left.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::{StreamExt as _, stream};

use super::{Generations, Outside, key, local};
use crate::adapters::gitlab::bridge::reason;
use crate::ci::{Job, Pipeline, PipelineId, Status, stack_of};
use crate::console::fault::{Fault, FaultKind};
use crate::console::text::{clean, plural};
use crate::generation::check::{Checked, Child, Outcome, Planned};
use crate::generation::{Mirror, MirrorState};
use crate::spack::{Hash, Spec};

/// What changed while a list was read is asked for again.
const OVERLAP: Duration = Duration::from_mins(2);
/// So many generations are looked at in a pass; the rest follows at once.
const MOST: usize = 24;
/// At the same time: each holds a lock and the pipeline.
const AT_ONCE: usize = 2;
/// Questions for single binaries that are under way at once.
const ASKED_AT_ONCE: usize = 8;
/// So many parents are remembered as settled.
const SETTLED: usize = 2_000;

/// What a pass came to.
#[derive(Debug, Clone, Default)]
pub struct Report {
    /// What was looked at.
    pub checked: Vec<Checked>,
    /// Generate jobs that have ended and wait for the next pass.
    pub left: usize,
    /// Parents whose generate jobs have not all ended, or could not all be judged yet.
    pub open: usize,
    /// What failed; everything else was done all the same.
    pub troubles: Vec<String>,
}

impl Report {
    pub fn summary(&self) -> String {
        let broken: Vec<&Checked> = self.checked.iter().filter(|row| row.outcome.is_broken()).collect();
        let unknown = self.checked.iter().filter(|row| matches!(row.outcome, Outcome::Unknown { .. })).count();
        let mut told = vec![format!("{} checked", self.checked.len())];
        if unknown > 0 {
            told.push(format!("{unknown} unknown"));
        }
        if let [row, rest @ ..] = &*broken {
            let more = if rest.is_empty() { String::new() } else { format!(" (and {} others)", rest.len()) };
            told.push(format!("{} of {}{more}: {}", row.stack, row.pipeline, row.outcome));
        }
        if self.open > 0 {
            told.push(format!("{} not through yet", plural(self.open as u64, "pipeline")));
        }
        if !self.troubles.is_empty() {
            told.push(format!("{} failed", self.troubles.len()));
        }
        clean(&told.join("; ")).into_owned()
    }

    pub fn counts(&self) -> Vec<(&'static str, u64)> {
        let count = |word| self.checked.iter().filter(|row| row.outcome.word() == word).count() as u64;
        vec![
            ("checked", self.checked.len() as u64),
            ("broken", count("broken")),
            ("unknown", count("unknown")),
            ("troubles", self.troubles.len() as u64),
        ]
    }
}

/// A generate job that has ended.
struct Ended {
    parent: Pipeline,
    job: Job,
    stack: Arc<str>,
}

impl Generations {
    /// Looks at what ended since the last pass. An error is a pass that saw nothing; a dry one writes nothing down.
    pub async fn pass(&mut self, dry_run: bool, is_asked_to_stop: &(dyn Fn() -> bool + Sync)) -> Result<Report, Fault> {
        let now = self.outside.gitlab.server_now().await?;
        let first = now.shifted(-(self.outside.window.as_millis() as i64));
        let changed = self.outside.gitlab.changed_pipelines(self.since.unwrap_or(first)).await?;
        let mut report = Report::default();
        match &changed.trouble {
            // What is missing is in the next list again.
            Some(fault) => report.troubles.push(fault.to_string()),
            None => self.since = Some(now.shifted(-(OVERLAP.as_millis() as i64))),
        }
        for parent in changed.items {
            if self.settled.get(&parent.id) != Some(&parent.updated_at) {
                self.open.insert(parent.id, parent);
            }
        }
        let mut ended = Vec::new();
        let mut jobs_of: BTreeMap<PipelineId, Vec<Job>> = BTreeMap::new();
        for parent in self.open.values().rev() {
            if is_asked_to_stop() {
                break;
            }
            match generate_jobs(&self.outside, parent.id).await {
                Ok(jobs) => {
                    for job in jobs.iter().filter(|job| job.status.is_terminal() && self.ledger.is_due(job.id, now)) {
                        let Some(stack) = stack_of(&job.name).map(Arc::from) else { continue };
                        ended.push(Ended { parent: parent.clone(), job: job.clone(), stack });
                    }
                    jobs_of.insert(parent.id, jobs);
                }
                Err(fault) => report.troubles.push(fault.to_string()),
            }
        }
        report.left = ended.len().saturating_sub(MOST);
        ended.truncate(MOST);
        let outside = &self.outside;
        let looks = stream::iter(ended.into_iter().map(|one| async move {
            let outcome = if is_asked_to_stop() { None } else { Some(look(outside, &one).await) };
            (one, outcome)
        }));
        let looked: Vec<(Ended, Option<Outcome>)> = looks.buffered(AT_ONCE).collect().await;
        for (Ended { parent, job, stack }, outcome) in looked {
            let Some(outcome) = outcome else { continue };
            let (job, pipeline) = (job.id, parent.id);
            let row = Checked { job, pipeline, git_ref: parent.git_ref, stack, at: now, tries: 0, outcome };
            self.ledger.put(row.clone());
            report.checked.push(row);
        }
        self.settle(&jobs_of);
        report.open = self.open.len();
        if !report.checked.is_empty() && !dry_run {
            self.write_down().await?;
        }
        Ok(report)
    }

    /// Lets go of parents of which nothing more is to be found out until they change.
    fn settle(&mut self, jobs_of: &BTreeMap<PipelineId, Vec<Job>>) {
        for (id, jobs) in jobs_of {
            let Some(parent) = self.open.get(id) else { continue };
            // Before its first job there is nothing to say.
            let is_over = parent.status.is_terminal() || !jobs.is_empty();
            if is_over && jobs.iter().all(|job| self.ledger.is_settled(job.id)) {
                self.settled.insert(*id, parent.updated_at);
                self.open.remove(id);
            }
        }
        while self.settled.len() > SETTLED {
            self.settled.pop_first();
        }
    }

    async fn write_down(&self) -> Result<(), Fault> {
        let text = serde_json::to_string(&self.ledger)
            .map_err(|error| Fault::new(FaultKind::Local, "write down what was generated", error.to_string()))?;
        let put = self.outside.store.put_meta_as_leader(&key(&self.outside.name), &text).await;
        put.map_err(|error| local(&error))
    }
}

/// The generate jobs of a parent.
async fn generate_jobs(outside: &Outside, parent: PipelineId) -> Result<Vec<Job>, Fault> {
    let (mut jobs, mut page) = (Vec::new(), Some(1));
    while let Some(number) = page {
        let answer = outside.gitlab.jobs_page(parent, number, &[], false).await?;
        jobs.extend(answer.items.into_iter().filter(|job| job.name.ends_with("-generate")));
        page = answer.next;
    }
    Ok(jobs)
}

/// What one generate job left.
async fn look(outside: &Outside, Ended { parent, job, stack }: &Ended) -> Outcome {
    if job.status != Status::Success {
        let reason = job.failure_reason.as_ref().map_or(job.status.as_str(), |reason| reason.as_str());
        return Outcome::Failed { reason: reason.into() };
    }
    judged(outside, parent, job, stack).await.unwrap_or_else(|unknown| unknown)
}

async fn judged(outside: &Outside, parent: &Pipeline, job: &Job, stack: &str) -> Result<Outcome, Outcome> {
    let unread = |fault: Fault| {
        let crate::bridge::Fault { why, passes } = reason(&fault);
        Outcome::Unknown { why, passes }
    };
    let unknown = |why: String, passes| Outcome::Unknown { why: clean(&why).into(), passes };
    let needs = outside.gitlab.generated_needs(job.id, stack).await.map_err(unread)?;
    let planned: Vec<Planned> = needs
        .into_iter()
        .map(|job| {
            let needs = job.needs.into_iter().map(|need| need.name).collect();
            Planned { name: job.name, needs: (!job.by_stage).then_some(needs) }
        })
        .collect();
    let lock = outside.gitlab.generated_lock(job.id, stack).await.map_err(unread)?;
    let child = Child::of(&lock, &planned).map_err(|refusal| unknown(refusal.to_string(), false))?;
    let project = outside.name.rsplit('/').next().unwrap_or_default();
    let mirrors = outside.caches.of(project, parent, stack);
    let wanted: HashSet<Hash> = lock.specs().map(|spec| spec.hash).collect();
    let mut there: HashSet<Hash> = HashSet::new();
    for mirror in &mirrors {
        let view = outside.mirrors.view(&mirror.name, &mirror.fetch, &wanted).await;
        if let MirrorState::Failed { reason, .. } = view.state {
            return Err(unknown(reason.to_string(), true));
        }
        let listed = view.state.listings().iter().flat_map(|listing| &listing.listed);
        there.extend(listed.filter(|(_, listed)| listed.is_present()).map(|(hash, _)| *hash));
    }
    // An index is as old as its last rebuild: what it does not list may have come since.
    let lacking = child.missing(|hash| there.contains(hash));
    let asked: Vec<_> = lacking.into_iter().map(|spec| find(outside, &mirrors, spec)).collect();
    let found: Vec<Result<Option<Hash>, String>> = stream::iter(asked).buffered(ASKED_AT_ONCE).collect().await;
    for one in found {
        there.extend(one.map_err(|why| unknown(why, true))?);
    }
    Ok(Outcome::judged(child.built(), child.findings(|hash| there.contains(hash))))
}

/// Asks the caches for one binary.
async fn find(outside: &Outside, mirrors: &[Mirror], spec: &Spec) -> Result<Option<Hash>, String> {
    for mirror in mirrors {
        if outside.mirrors.find(&mirror.fetch, spec, false).await?.is_some() {
            return Ok(Some(spec.hash));
        }
    }
    Ok(None)
}
