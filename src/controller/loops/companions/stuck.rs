//! Cancels pipelines that never end, and starts them anew.
//!
//! Children are canceled first, then the pipeline, and only then a new one is started: GitLab cancels what is redundant when a pipeline
//! starts, and two that run for one branch would cancel each other. Each step waits until the one before is seen to have worked. What is owed
//! a new pipeline is noted before the first cancel, so that a pass that dies in the middle leaves nothing canceled and forgotten. What was never
//! canceled is owed nothing: a note goes where GitLab refused, and where a pipeline is gone or has ended by itself.
//!
//! A pass asks for the running pipelines (a request for every hundred), and for three things of each that is too old, at most
//! [`Rules::most_acts`](super::Rules::most_acts) of them; each step costs two to five more.

use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::time::sleep;

use super::deed::Deed;
use super::notes::Notes;
use super::report::{Begun, Item};
use super::{Duty, Outside, Report, Stop};
use crate::adapters::gitlab::bridge::reason;
use crate::bridge::companions::NotAgain;
use crate::bridge::companions::stuck::{LongPipeline, StuckReason, StuckStep};
use crate::bridge::{Looked, Trouble};
use crate::ci::{Pipeline, PipelineId, Status};
use crate::console::actions::{Object, Outcome};
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{BranchName, Sha};

/// GitLab cancels in the background: so long is waited before it is looked at again.
const PAUSES: [Duration; 4] = [Duration::ZERO, Duration::from_secs(1), Duration::from_secs(2), Duration::from_secs(4)];
const WHO: &str = "bridge.stuck";

/// A pipeline that is about to be canceled, or was, and whose branch gets a new one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Owed {
    pipeline: PipelineId,
    git_ref: Arc<str>,
    sha: Sha,
    /// A cancel of it, or of a child, was seen to work. Before that nobody knows whether one was sent.
    #[serde(default)]
    canceled: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Trouble>,
}

impl Owed {
    fn told(&self) -> String {
        format!("pipeline {} was canceled, and a new one is owed", self.pipeline)
    }
}

/// Whether a branch still wants the pipeline that it is owed.
enum Debt {
    /// It does.
    Due,
    /// It does not, and never will.
    Settled(String),
    /// Nobody knows, or not yet.
    Open(&'static str, String),
}

/// The duty, at work.
pub struct Stuck {
    outside: Arc<Outside>,
}

impl Stuck {
    pub const fn new(outside: Arc<Outside>) -> Self {
        Self { outside }
    }

    /// One pass. A dry one cancels and starts nothing.
    pub async fn pass(&self, dry_run: bool, is_asked_to_stop: &Stop<'_>) -> Result<Report, Fault> {
        let outside = &*self.outside;
        let mut pass = outside.begin(Duty::Stuck.word(), dry_run).await?;
        let now = pass.at();
        let mut notes = Notes::<Owed>::read(outside, Duty::Stuck, dry_run).await?;
        let mut running = outside.gitlab.running_pipelines().await?;
        if let Some(fault) = running.trouble.take() {
            pass.trouble(fault);
        }
        running.items.sort_by_key(|one| one.id);
        let may_act = || !dry_run && !outside.is_silenced() && !is_asked_to_stop();
        // What an earlier pass has begun.
        for (subject, owed) in notes.all() {
            if running.items.iter().any(|one| one.id == owed.pipeline) {
                continue;
            }
            let item = match self.debt(&owed).await {
                Debt::Due if may_act() => {
                    let item = Item::new(&owed.git_ref, "start", owed.told());
                    item.with(self.start(&mut notes, &subject, &owed).await?)
                }
                Debt::Due => Item::new(&owed.git_ref, "start", owed.told()),
                Debt::Settled(why) => {
                    notes.put(&subject, None, now).await?;
                    Item::new(&owed.git_ref, "settled", why)
                }
                Debt::Open(verdict, why) => Item::new(&owed.git_ref, verdict, why),
            };
            pass.tell(item);
        }
        let mut looks = 0;
        for one in running.items {
            if looks >= outside.rules.most_acts {
                pass.count("later");
                continue;
            }
            let Some((long, reason, steps)) = self.judge(&mut pass, &one, &mut looks).await else { continue };
            let item = Item::new(&format!("{} {}", long.id, long.git_ref), reason.word(), &reason);
            if !reason.acts() || !may_act() {
                pass.tell(item);
                continue;
            }
            let outcome = self.act(&mut notes, &long, &reason, steps).await?;
            pass.tell(item.with(outcome));
        }
        Ok(pass.end())
    }

    /// Judges one pipeline; whatever is worth no more is counted or told here.
    async fn judge(
        &self,
        pass: &mut Begun<'_>,
        one: &Pipeline,
        looks: &mut usize,
    ) -> Option<(LongPipeline, StuckReason, Vec<StuckStep>)> {
        let (most, now) = (self.outside.rules.stuck_after, pass.at());
        let subject = format!("{} {}", one.id, one.git_ref);
        let Ok(sha) = Sha::parse(&one.sha) else {
            pass.tell(Item::new(&subject, "unknown", "which commit it runs was not told"));
            return None;
        };
        let mut long = LongPipeline {
            id: one.id,
            git_ref: one.git_ref.clone(),
            sha,
            status: one.status,
            created_at: one.created_at,
            children: Looked::NotYet,
            branch: Looked::NotYet,
            newer: Looked::NotYet,
        };
        let (reason, _) = long.judge(most, now);
        match reason {
            StuckReason::Unknown(_) if long.created_at.is_some() => {}
            StuckReason::Unknown(_) => {
                pass.tell(Item::new(&subject, reason.word(), &reason));
                return None;
            }
            _ => {
                pass.count(reason.word());
                return None;
            }
        }
        *looks += 1;
        let (children, branch, newer) = tokio::join!(
            self.outside.gitlab.children(one.id),
            self.branch(&one.git_ref),
            self.newer(&one.git_ref, one.id)
        );
        long.children = looked(children);
        long.branch = looked(branch);
        long.newer = looked(newer);
        let (reason, steps) = long.judge(most, now);
        Some((long, reason, steps))
    }

    /// Where a branch is now; none where it is gone, and where GitLab has no branch of such a name: a tag is never started anew.
    async fn branch(&self, git_ref: &str) -> Result<Option<Sha>, Fault> {
        match BranchName::parse(git_ref) {
            Ok(name) => Ok(self.outside.gitlab.branch(&name).await?.map(|seen| seen.commit)),
            Err(_) => Ok(None),
        }
    }

    async fn newer(&self, git_ref: &str, than: PipelineId) -> Result<Option<PipelineId>, Fault> {
        let newest = self.outside.gitlab.newest_pipeline(git_ref).await?;
        Ok(newest.map(|one| one.id).filter(|id| *id > than))
    }

    /// Takes the steps in their order, as long as each works.
    async fn act(
        &self,
        notes: &mut Notes<'_, Owed>,
        long: &LongPipeline,
        reason: &StuckReason,
        steps: Vec<StuckStep>,
    ) -> Result<Outcome, Fault> {
        let (subject, now) = (long.id.to_string(), self.outside.gitlab.server_now().await?);
        let known = notes.get(&subject).cloned();
        // An earlier pass may have canceled something.
        let mut may_owe = known.is_some();
        let mut owed = known.unwrap_or_else(|| Owed {
            pipeline: long.id,
            git_ref: long.git_ref.clone(),
            sha: long.sha.clone(),
            canceled: false,
            asked: None,
        });
        let is_new = !may_owe && matches!(reason, StuckReason::Restart { .. });
        if is_new && !notes.put(&subject, Some(owed.clone()), now).await? {
            return Ok(Outcome::Skipped { reason: "another process looks after it".to_owned() });
        }
        let mut outcome = Outcome::Skipped { reason: "it has ended by itself".to_owned() };
        for step in steps {
            match step {
                StuckStep::Cancel(id) => match self.cancel(long, id, reason).await? {
                    None => {}
                    Some(done @ Outcome::Done { .. }) => {
                        (outcome, may_owe) = (done, true);
                        if notes.get(&subject).is_some_and(|noted| !noted.canceled) {
                            owed.canceled = true;
                            // Whoever was faster knows more.
                            notes.put(&subject, Some(owed.clone()), now).await?;
                        }
                    }
                    Some(other) => {
                        if !may_owe && !matches!(other, Outcome::Uncertain { .. }) {
                            notes.put(&subject, None, now).await?;
                        }
                        return Ok(other);
                    }
                },
                StuckStep::Start { .. } if !may_owe => drop(notes.put(&subject, None, now).await?),
                StuckStep::Start { .. } => match self.debt(&owed).await {
                    Debt::Due => return self.start(notes, &subject, &owed).await,
                    Debt::Settled(_) => drop(notes.put(&subject, None, now).await?),
                    Debt::Open(_, why) => {
                        return Ok(Outcome::Uncertain { reason: format!("canceled, but not started: {why}") });
                    }
                },
            }
        }
        Ok(outcome)
    }

    /// Cancels one pipeline and looks whether that worked. Nothing is sent where nothing runs any more.
    async fn cancel(&self, long: &LongPipeline, id: PipelineId, why: &StuckReason) -> Result<Option<Outcome>, Fault> {
        let gitlab = &self.outside.gitlab;
        let status = match gitlab.pipeline(id).await {
            Ok(now) if !now.status.is_cancelable() => return Ok(None),
            Ok(now) => now.status,
            Err(fault) => {
                return Ok(Some(Outcome::Failed { reason: format!("not sent, could not re-read {id}: {fault}") }));
            }
        };
        let deed = Deed {
            who: WHO,
            action: "pipelines.cancel",
            object: Object::Pipeline(id),
            pipeline: Some(id),
            name: long.git_ref.clone(),
            status: status.as_str().into(),
            tries: 1,
            summary: format!("cancel pipeline {id} of {}: {why}", long.git_ref),
            plan: None,
        };
        let send = async {
            let mut last = match gitlab.cancel_pipeline(id).await {
                Err(fault) if !fault.is_uncertain() => return Outcome::refused(&fault),
                Err(fault) => fault.to_string(),
                // GitLab says yes whatever becomes of it.
                Ok(_) => format!("pipeline {id} was canceled and still runs; the next pass looks again"),
            };
            for pause in PAUSES {
                sleep(pause).await;
                match gitlab.pipeline(id).await {
                    Ok(now) if !now.status.is_cancelable() => return Outcome::Done { new_job: None },
                    Ok(_) => {}
                    Err(fault) => last = fault.to_string(),
                }
            }
            Outcome::Uncertain { reason: last }
        };
        self.outside.perform(deed, send).await.map(Some)
    }

    /// Looks whether the new pipeline is still wanted.
    async fn debt(&self, owed: &Owed) -> Debt {
        let unknown = |fault: Fault| Debt::Open("unknown", fault.to_string());
        let id = owed.pipeline;
        match self.outside.gitlab.pipeline(id).await {
            Ok(old) if old.status.is_cancelable() => {
                return Debt::Open("not_yet", format!("pipeline {id} is {}", old.status));
            }
            Ok(old) if old.status == Status::Success => {
                return Debt::Settled(format!("pipeline {id} has succeeded after all"));
            }
            Ok(old) if owed.canceled || matches!(old.status, Status::Canceling | Status::Canceled) => {}
            Ok(old) => match self.has_canceled(id).await {
                Ok(true) => {}
                Ok(false) => return Debt::Settled(format!("pipeline {id} is {}, and was not canceled", old.status)),
                Err(fault) => return unknown(fault),
            },
            Err(fault) if fault.kind == FaultKind::NotFound => {
                return Debt::Settled(format!("pipeline {id} is gone"));
            }
            Err(fault) => return unknown(fault),
        }
        match tokio::join!(self.branch(&owed.git_ref), self.newer(&owed.git_ref, owed.pipeline)) {
            (Err(fault), _) | (_, Err(fault)) => unknown(fault),
            (_, Ok(Some(newer))) => Debt::Settled(format!("pipeline {newer} has taken its place")),
            (Ok(branch), _) if branch.as_ref() != Some(&owed.sha) => {
                Debt::Settled("the branch is gone or has moved on".to_owned())
            }
            _ => match self.outside.gitlab.server_now().await {
                Err(fault) => unknown(fault),
                Ok(now) => match NotAgain::of(owed.asked.as_ref(), &owed.sha, self.outside.rules.most_tries, now) {
                    Some(not) => Debt::Open(not.word(), not.to_string()),
                    None => Debt::Due,
                },
            },
        }
    }

    /// Whether some job of a pipeline or of its children was canceled: where others have failed, GitLab calls the whole of it failed.
    async fn has_canceled(&self, id: PipelineId) -> Result<bool, Fault> {
        let gitlab = &self.outside.gitlab;
        let triggers = gitlab.trigger_jobs(id).await?;
        if triggers.iter().any(|one| one.job.status == Status::Canceled) {
            return Ok(true);
        }
        let children = triggers.into_iter().filter_map(|one| one.child).map(|child| child.id);
        for pipeline in [id].into_iter().chain(children) {
            let jobs = gitlab.jobs_page(pipeline, 1, &[Status::Canceled], false).await?;
            if !jobs.items.is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Notes that the new pipeline is asked for, and asks.
    async fn start(&self, notes: &mut Notes<'_, Owed>, subject: &str, owed: &Owed) -> Result<Outcome, Fault> {
        let outside = &*self.outside;
        let now = outside.gitlab.server_now().await?;
        let trouble = Trouble::again(owed.asked.as_ref(), &owed.sha, "GitLab was asked and none came", now);
        let tries = trouble.tries;
        let asked = Owed { asked: Some(trouble), ..owed.clone() };
        if !notes.put(subject, Some(asked), now).await? {
            return Ok(Outcome::Skipped { reason: "another process looks after it".to_owned() });
        }
        let deed = Deed {
            who: WHO,
            action: "pipelines.start",
            object: Object::Branch(owed.git_ref.clone()),
            pipeline: None,
            name: owed.git_ref.clone(),
            status: owed.sha.as_str().into(),
            tries,
            summary: format!("start a pipeline of {}: {}", owed.git_ref, owed.told()),
            plan: None,
        };
        let send = async {
            match outside.gitlab.create_pipeline(&owed.git_ref, &[]).await {
                Ok(_) => Outcome::Done { new_job: None },
                Err(fault) if fault.is_uncertain() => match self.newer(&owed.git_ref, owed.pipeline).await {
                    Ok(Some(_)) => Outcome::Done { new_job: None },
                    _ => Outcome::Uncertain { reason: format!("{fault}; the next pass looks whether it came") },
                },
                Err(fault) => Outcome::Failed { reason: fault.to_string() },
            }
        };
        let outcome = outside.perform(deed, send).await?;
        if matches!(outcome, Outcome::Done { .. }) {
            notes.put(subject, None, now).await?;
        }
        Ok(outcome)
    }
}

fn looked<T>(answer: Result<T, Fault>) -> Looked<T> {
    answer.map_or_else(|fault| Looked::Failed(reason(&fault)), Looked::Found)
}
