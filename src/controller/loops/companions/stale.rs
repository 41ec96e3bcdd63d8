//! Deletes old branches of pull requests: a plan is made and written down, people review it, and what is then still as it was goes.
//!
//! A plan asks GitLab for its branches and GitHub for its open pull requests (a request for every hundred), and for the pipelines in each of
//! the nine statuses that are no end. Applying it asks the same once more, and three more things about each branch before it is deleted; it
//! deletes no more than it is told in one run, and what is left goes with the next run of the same plan.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::deed::Deed;
use super::report::Item;
use super::{OpenNow, Outside, Report, Stop};
use crate::adapters::gitlab::bridge::{BranchSeen, Read, reason};
use crate::bridge::Looked;
use crate::bridge::companions::stale::{GitLabBranch, OldBranch, Refusal, SpareReason, StalePlan, StaleRules};
use crate::ci::{PipelineId, Status, pull_request_of};
use crate::console::actions::{Object, Outcome, PlanId};
use crate::console::fault::Fault;

const WHO: &str = "bridge.stale";

/// Branches with a pipeline that has not ended.
type Running = Looked<Vec<(Arc<str>, PipelineId)>>;

/// What holds for a whole project.
struct Listed {
    branches: Vec<GitLabBranch>,
    /// Why there may be more branches.
    trouble: Option<Fault>,
    open: OpenNow,
    running: Running,
}

/// Why there is no plan, or none that may be applied.
#[derive(Debug, thiserror::Error)]
pub enum StaleError {
    #[error(transparent)]
    Fault(#[from] Fault),
    #[error(transparent)]
    Refused(#[from] Refusal),
}

/// The duty, at work.
pub struct Stale {
    outside: Arc<Outside>,
}

impl Stale {
    pub const fn new(outside: Arc<Outside>) -> Self {
        Self { outside }
    }

    /// Plans; deletes nothing. What could not be listed is in no plan, and is told.
    pub async fn plan(&self, rules: StaleRules) -> Result<(StalePlan, Option<Fault>), StaleError> {
        let now = self.outside.gitlab.server_now().await?;
        let Listed { branches, trouble, open, running } = self.list().await?;
        Ok((StalePlan::make(&self.outside.name, &branches, &open.all(), &running, rules, now)?, trouble))
    }

    /// Deletes what a plan says and what is still as it says, at most so many. `by` is who applies it.
    pub async fn apply(
        &self,
        plan: &StalePlan,
        by: &str,
        most: usize,
        is_asked_to_stop: &Stop<'_>,
    ) -> Result<Report, StaleError> {
        let outside = &*self.outside;
        let mut pass = outside.begin("stale", false).await?;
        let now = pass.at();
        let Listed { branches, trouble, open, running } = self.list().await?;
        let (going, spared) = plan.recheck(&outside.name, &branches, &open.all(), &running, now)?;
        for one in spared {
            match &trouble {
                Some(fault) if one.why == SpareReason::Gone => pass.tell(Item::new(&one.name, "unknown", fault)),
                _ => pass.tell(Item::new(&one.name, one.why.word(), &one.why)),
            }
        }
        if let Some(fault) = trouble {
            pass.trouble(fault);
        }
        let id: Arc<str> = plan.id().into();
        let mut acts = 0;
        for old in going {
            if acts >= most || outside.is_silenced() || is_asked_to_stop() {
                pass.count("later");
                continue;
            }
            let told = format!("its last commit is of {}", old.committed_at);
            let item = Item::new(old.name.as_str(), "delete", told);
            let outcome = self.delete(plan, &id, old, by).await?;
            // What was deleted counts, and what may have been.
            acts += usize::from(!matches!(outcome, Outcome::Skipped { .. }));
            pass.tell(item.with(outcome));
        }
        Ok(pass.end())
    }

    async fn list(&self) -> Result<Listed, Fault> {
        let outside = &*self.outside;
        let (read, open, running) = tokio::join!(outside.gitlab.branches(), outside.open_now(), self.running());
        let read = read?;
        let branches = read.items.iter().map(BranchSeen::for_stale).collect();
        Ok(Listed { branches, trouble: read.trouble, open, running })
    }

    /// A pipeline that moves on while this is read turns up in a later list: they are in the order in which pipelines live.
    async fn running(&self) -> Running {
        let mut all = Vec::new();
        for status in Status::KNOWN.into_iter().filter(|status| !status.is_terminal()) {
            match self.outside.gitlab.pipelines_that_are(status).await.map(Read::looked) {
                Ok(Looked::Found(found)) => all.extend(found.into_iter().map(|one| (one.git_ref, one.id))),
                Ok(Looked::Failed(fault)) => return Looked::Failed(fault),
                Ok(Looked::NotYet) => return Looked::NotYet,
                Err(fault) => return Looked::Failed(reason(&fault)),
            }
        }
        Looked::Found(all)
    }

    /// Looks at this one branch again, and deletes it if it is still as the plan says.
    async fn delete(&self, plan: &StalePlan, id: &Arc<str>, old: &OldBranch, by: &str) -> Result<Outcome, StaleError> {
        let outside = &*self.outside;
        let name = old.name.as_str();
        let number = pull_request_of(name).map_or(0, |(number, _)| number);
        let (branch, is_open, newest) = tokio::join!(
            outside.gitlab.branch(&old.name),
            outside.is_open(number),
            outside.gitlab.newest_pipeline(name),
        );
        let unread = |fault: Fault| Ok(Outcome::Failed { reason: format!("not sent, could not re-read it: {fault}") });
        let there: Vec<GitLabBranch> = match branch {
            Ok(branch) => branch.iter().map(BranchSeen::for_stale).collect(),
            Err(fault) => return unread(fault),
        };
        let open = match is_open {
            Looked::Found(is_open) => Looked::Found(is_open.then_some(number).into_iter().collect::<BTreeSet<u64>>()),
            Looked::Failed(fault) => Looked::Failed(fault),
            Looked::NotYet => Looked::NotYet,
        };
        let running = match newest {
            Ok(newest) => Looked::Found(
                newest.filter(|one| !one.status.is_terminal()).map(|one| (one.git_ref, one.id)).into_iter().collect(),
            ),
            Err(fault) => return unread(fault),
        };
        let alone = StalePlan { old: vec![old.clone()], spared: Vec::new(), ..plan.clone() };
        let now = outside.gitlab.server_now().await?;
        match alone.recheck(&outside.name, &there, &open, &running, now) {
            Ok((_, spared)) => {
                if let Some(spared) = spared.first() {
                    return Ok(Outcome::Skipped { reason: spared.why.to_string() });
                }
            }
            Err(refusal) => return Ok(Outcome::Failed { reason: format!("not sent: {refusal}") }),
        }
        let deed = Deed {
            who: WHO,
            action: "branches.delete",
            object: Object::Branch(name.into()),
            pipeline: None,
            name: name.into(),
            status: old.commit.as_str().into(),
            tries: 1,
            summary: format!("delete branch {name} at {}: plan {id}, applied by {by}", old.commit.short()),
            plan: Some(PlanId(id.clone())),
        };
        let send = async {
            match outside.gitlab.delete_branch(&old.name).await {
                Ok(true) => Outcome::Done { new_job: None },
                Ok(false) => Outcome::Skipped { reason: "it is gone already".to_owned() },
                Err(fault) if fault.is_uncertain() => match outside.gitlab.branch(&old.name).await {
                    Ok(None) => Outcome::Done { new_job: None },
                    Ok(Some(_)) => Outcome::Uncertain { reason: format!("{fault}; it is still there") },
                    Err(again) => {
                        Outcome::Uncertain { reason: format!("{fault}; and it could not be re-read: {again}") }
                    }
                },
                Err(fault) => Outcome::refused(&fault),
            }
        };
        Ok(outside.perform(deed, send).await?)
    }
}
