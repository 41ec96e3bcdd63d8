//! The rows of the Errors screen: class ▸ signature, with what waits for them and what a retry would take.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::past::{Memory, Past};
use crate::ci::{JobId, Status, Timestamp};
use crate::console::world::World;
use crate::taxonomy::judge::{Spread, spread};
use crate::taxonomy::{Failure, Owner, Transient};

/// Failures of one class.
#[derive(Debug, Clone, PartialEq)]
pub struct ClassRow {
    pub class: Arc<str>,
    pub owner: Owner,
    pub transient: Transient,
    pub sum: Sum,
    /// The greatest first.
    pub signatures: Vec<SignatureRow>,
}

/// Failures of one class that look alike.
#[derive(Debug, Clone, PartialEq)]
pub struct SignatureRow {
    /// `None`: those without an evidence line.
    pub fingerprint: Option<Arc<str>>,
    /// What names the cause, where the signature knows; or else the evidence of the newest one, as the log has it.
    pub text: Arc<str>,
    pub sum: Sum,
    /// `None`: there is nothing to tell it by.
    pub past: Option<Past>,
    /// How many of these failures went away by themselves.
    pub flaky: usize,
}

impl SignatureRow {
    /// Whether it was first seen in the time that is shown, as far as that is known.
    pub fn is_new(&self) -> Option<bool> {
        self.past.as_ref().map_or(Some(false), |past| past.is_new)
    }
}

/// What a row counts.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Sum {
    /// Failed jobs, older tries among them.
    pub jobs: usize,
    /// Those that are not older than the moment that was asked for.
    pub new: usize,
    /// Jobs that wait for them; those that still fail count. `None`: no graph is known.
    pub blocks: Option<usize>,
    /// The newest tries that still fail: what a retry takes.
    pub live: Vec<JobId>,
    /// What explains most of them.
    pub place: Option<Spread>,
    /// Where they are, by stack; trigger jobs and the like have none.
    pub stacks: BTreeSet<Arc<str>>,
    pub newest: Option<Timestamp>,
    pub oldest: Option<Timestamp>,
}

/// Groups what failed since a moment: most blocked jobs first, then most jobs.
pub fn rows(world: &World, now: Timestamp, since: Timestamp, new_since: Timestamp) -> Vec<ClassRow> {
    let seated: Vec<Cow<'_, Failure>> =
        world.failures.iter().filter(|failure| failure.at >= since).map(|failure| seated(world, failure)).collect();
    let all: Vec<&Failure> = seated.iter().map(|failure| &**failure).collect();
    let memory = Memory::about(world, &all);
    let (pasts, flakes) = (memory.pasts(since, now), memory.flakes());
    let mut classes: BTreeMap<&str, BTreeMap<Option<&str>, Vec<&Failure>>> = BTreeMap::new();
    for failure in &all {
        classes.entry(&failure.class).or_default().entry(failure.fingerprint.as_deref()).or_default().push(failure);
    }
    let mut rows: Vec<ClassRow> = classes
        .into_iter()
        .filter_map(|(class, signatures)| {
            let members: Vec<&Failure> = signatures.values().flatten().copied().collect();
            let newest = members.iter().max_by_key(|failure| failure.at)?;
            let mut signatures: Vec<SignatureRow> = signatures
                .into_iter()
                .filter_map(|(fingerprint, members)| {
                    let newest = members.iter().max_by_key(|failure| failure.at)?;
                    Some(SignatureRow {
                        fingerprint: fingerprint.map(Arc::from),
                        text: text(newest),
                        sum: Sum::of(world, &members, new_since),
                        past: fingerprint.and_then(|fingerprint| pasts.get(fingerprint).cloned()),
                        flaky: members.iter().filter(|failure| flakes.contains_key(&failure.job)).count(),
                    })
                })
                .collect();
            signatures.sort_by_key(|row| (row.sum.rank(), row.fingerprint.clone()));
            Some(ClassRow {
                class: class.into(),
                owner: newest.owner,
                transient: newest.transient,
                sum: Sum::of(world, &members, new_since),
                signatures,
            })
        })
        .collect();
    rows.sort_by(|a, b| (a.sum.rank(), &a.class).cmp(&(b.sum.rank(), &b.class)));
    rows
}

/// A failure with the runner and the node on which its job was seen, where neither GitLab nor the log tells them.
fn seated<'a>(world: &World, failure: &'a Failure) -> Cow<'a, Failure> {
    let Some(seat) = world.fleet.outcomes.seat_of(failure.job) else { return Cow::Borrowed(failure) };
    let (runner, host) = (failure.runner.is_none(), failure.host.is_none() && seat.node.is_some());
    if !runner && !host {
        return Cow::Borrowed(failure);
    }
    Cow::Owned(Failure {
        runner: failure.runner.clone().or_else(|| Some(Arc::clone(&seat.runner))),
        host: failure.host.clone().or_else(|| seat.node.clone()),
        ..failure.clone()
    })
}

/// A signature that only keeps the words of the cause has holes around them: who noticed it says less, and takes the column's width.
fn text(failure: &Failure) -> Arc<str> {
    let cause = failure.template.as_deref().and_then(|t| t.strip_prefix("<*> ")?.strip_suffix(" <*>"));
    match (cause, &failure.evidence) {
        (Some(cause), _) => cause.into(),
        (None, Some(evidence)) => Arc::clone(evidence),
        (None, None) => "no evidence line".into(),
    }
}

impl Sum {
    fn of(world: &World, failures: &[&Failure], new_since: Timestamp) -> Self {
        let is_live = |job: &JobId| world.job(*job).is_some_and(|job| job.status == Status::Failed && !job.retried);
        let live: BTreeSet<JobId> = failures.iter().map(|failure| failure.job).filter(is_live).collect();
        Self {
            jobs: failures.len(),
            new: failures.iter().filter(|failure| failure.at >= new_since).count(),
            blocks: blocks(world, &live),
            live: live.into_iter().collect(),
            place: spread(failures),
            stacks: failures.iter().filter_map(|failure| failure.stack.clone()).collect(),
            newest: failures.iter().map(|failure| failure.at).max(),
            oldest: failures.iter().map(|failure| failure.at).min(),
        }
    }

    /// Lower goes first.
    fn rank(&self) -> impl Ord + use<> {
        (std::cmp::Reverse(self.blocks.unwrap_or(0)), std::cmp::Reverse(self.jobs))
    }
}

/// Jobs that wait for any of these. A job that waits for two of them counts twice, as in the list of causes.
fn blocks(world: &World, live: &BTreeSet<JobId>) -> Option<usize> {
    let counts: Vec<Option<usize>> =
        live.iter().filter_map(|id| Some(world.home(*id)?.blocks(world.job(*id)?))).collect();
    if counts.is_empty() || counts.iter().any(Option::is_some) {
        Some(counts.into_iter().flatten().sum())
    } else {
        None
    }
}
