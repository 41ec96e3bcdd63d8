//! Starts the pipelines of branches that were pushed and for which GitLab started none.
//!
//! A pass asks GitLab for its branches, for the pushes and pipelines of two days, and GitHub for its open pull requests: a request for every
//! hundred of each. Heads of open pull requests that none of these tells a pipeline of are asked about one by one, at most
//! [`MOST_LOOKS`] in a pass, and never again once they have one. Each start costs four more.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::deed::Deed;
use super::notes::Notes;
use super::report::{Begun, Item};
use super::{Duty, OpenNow, Outside, Report, Stop, local};
use crate::adapters::gitlab::bridge::{BranchSeen, reason};
use crate::bridge::companions::skipped::{BranchHead, SkippedReason};
use crate::bridge::{Looked, Trouble};
use crate::ci::{Timestamp, pull_request_of};
use crate::console::actions::{Object, Outcome};
use crate::console::fault::Fault;
use crate::forge::{BranchName, Sha};

/// So many heads are asked about one by one in a pass.
const MOST_LOOKS: usize = 100;
/// How far back pushes and pipelines are listed.
const WINDOW: Duration = Duration::from_hours(48);
const WHO: &str = "bridge.skipped";

/// What is remembered of a branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Note {
    head: Sha,
    first_seen: Timestamp,
    /// It had a pipeline once, so that nobody has to look again.
    #[serde(default)]
    has_pipeline: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    asked: Option<Trouble>,
}

/// The duty, at work.
pub struct Skipped {
    outside: Arc<Outside>,
}

/// What a pass has listed.
struct Listed {
    open: OpenNow,
    /// Where a branch was pushed to last, and when.
    pushed: HashMap<Arc<str>, (Sha, Timestamp)>,
    /// When the bridge itself pushed a commit.
    by_us: HashMap<Sha, Timestamp>,
    /// Commits that have a pipeline.
    with: HashSet<Sha>,
}

impl Skipped {
    pub const fn new(outside: Arc<Outside>) -> Self {
        Self { outside }
    }

    /// One pass. A dry one starts nothing.
    pub async fn pass(&self, dry_run: bool, is_asked_to_stop: &Stop<'_>) -> Result<Report, Fault> {
        let outside = &*self.outside;
        let mut pass = outside.begin(Duty::Skipped.word(), dry_run).await?;
        let now = pass.at();
        let mut notes = Notes::<Note>::read(outside, Duty::Skipped, dry_run).await?;
        let since = now.shifted(-(WINDOW.as_millis() as i64));
        let (branches, open, pushes, changed, memory) = tokio::join!(
            outside.gitlab.branches(),
            outside.open_now(),
            outside.gitlab.pushes_since(since),
            outside.gitlab.pipelines_since(since),
            outside.store.bridge_memory(&outside.name),
        );
        let branches = branches?;
        if let Some(fault) = &branches.trouble {
            pass.trouble(fault);
        }
        if let Some(fault) = &open.missing {
            pass.trouble(&fault.why);
        }
        let pushes = pass.told(pushes).map(|read| read.items).unwrap_or_default();
        let changed = pass.told(changed).map(|read| read.items).unwrap_or_default();
        let mut pushed: HashMap<Arc<str>, (Sha, Timestamp)> = HashMap::new();
        for push in pushes {
            let (Some(branch), Some(head)) = (push.branch, push.head) else { continue };
            if pushed.get(&branch).is_none_or(|(_, at)| *at <= push.at) {
                pushed.insert(branch, (head, push.at));
            }
        }
        let memory = memory.map_err(|error| local(&error))?;
        let by_us = memory.pushes.into_iter().map(|push| (push.commit, push.at)).collect();
        let listed = Listed { open, pushed, by_us, with: changed.into_iter().map(|one| one.sha).collect() };

        let wanted = self.judge(&mut pass, &mut notes, &branches.items, branches.is_whole(), &listed).await?;
        let mut acts = 0;
        for (head, reason) in wanted {
            let item = Item::new(&head.branch, reason.word(), &reason);
            if dry_run || acts >= outside.rules.most_acts || outside.is_silenced() || is_asked_to_stop() {
                pass.tell(item);
                continue;
            }
            acts += 1;
            let outcome = self.start(&mut notes, head, &reason).await?;
            pass.tell(item.with(outcome));
        }
        Ok(pass.end())
    }

    /// Judges every branch, and remembers what was found out. Those that want a pipeline come back.
    async fn judge(
        &self,
        pass: &mut Begun<'_>,
        notes: &mut Notes<'_, Note>,
        branches: &[BranchSeen],
        is_whole: bool,
        listed: &Listed,
    ) -> Result<Vec<(BranchHead, SkippedReason)>, Fault> {
        let (outside, now) = (&*self.outside, pass.at());
        let (mut wanted, mut fresh, mut there) = (Vec::new(), BTreeMap::new(), BTreeSet::new());
        let (mut looks, mut unlooked) = (0, 0);
        for seen in branches {
            let Some((number, _)) = pull_request_of(&seen.name) else {
                pass.count("not_ours");
                continue;
            };
            let is_open = listed.open.has(number);
            if is_open == Looked::Found(false) {
                pass.count("closed");
                continue;
            }
            there.insert(seen.name.to_string());
            let note = notes.get(&seen.name).filter(|note| note.head == seen.commit);
            if note.is_some_and(|note| note.has_pipeline) {
                pass.count("has_pipeline");
                continue;
            }
            let by_event = listed.pushed.get(&seen.name).filter(|(head, _)| *head == seen.commit).map(|(_, at)| *at);
            let mut head = BranchHead {
                branch: seen.name.clone(),
                head: seen.commit.clone(),
                pushed_at: by_event.or_else(|| listed.by_us.get(&seen.commit).copied()),
                first_seen: note.map_or(now, |note| note.first_seen),
                pipelines: Looked::Found(usize::from(listed.with.contains(&seen.commit))),
                is_open,
                asked: note.and_then(|note| note.asked.clone()),
            };
            let mut reason = head.judge(&outside.rules.skipped, now);
            if reason.acts() {
                head.pipelines = if looks < MOST_LOOKS { self.pipelines(&head.head).await } else { Looked::NotYet };
                looks += 1;
                unlooked += usize::from(looks > MOST_LOOKS);
                reason = head.judge(&outside.rules.skipped, now);
            }
            let has_pipeline = reason == SkippedReason::HasPipeline;
            let note =
                Note { head: head.head.clone(), first_seen: head.first_seen, has_pipeline, asked: head.asked.clone() };
            fresh.insert(seen.name.to_string(), note);
            match &reason {
                SkippedReason::Start { .. } => wanted.push((head, reason)),
                SkippedReason::Asked { .. } | SkippedReason::GaveUp { .. } => {
                    pass.tell(Item::new(&seen.name, reason.word(), &reason));
                }
                // When GitHub does not answer, there are hundreds.
                _ if !listed.open.listed.contains(&number) => pass.count(reason.word()),
                SkippedReason::Unknown(_) if looks <= MOST_LOOKS => {
                    pass.tell(Item::new(&seen.name, reason.word(), &reason));
                }
                _ => pass.count(reason.word()),
            }
        }
        if unlooked > 0 {
            pass.trouble(format!("{unlooked} branches more are looked at in the next pass"));
        }
        notes.settle(fresh, is_whole.then_some(&there), now).await?;
        Ok(wanted)
    }

    /// How many pipelines a commit has.
    async fn pipelines(&self, head: &Sha) -> Looked<usize> {
        match self.outside.gitlab.pipelines_of(head, None).await.map(crate::adapters::gitlab::bridge::Read::looked) {
            Ok(Looked::Found(found)) => Looked::Found(found.len()),
            Ok(Looked::Failed(fault)) => Looked::Failed(fault),
            Ok(Looked::NotYet) => Looked::NotYet,
            Err(fault) => Looked::Failed(reason(&fault)),
        }
    }

    /// Looks once more, notes that it is asked for, and asks.
    async fn start(
        &self,
        notes: &mut Notes<'_, Note>,
        mut head: BranchHead,
        why: &SkippedReason,
    ) -> Result<Outcome, Fault> {
        let outside = &*self.outside;
        let skipped = |reason: String| Ok(Outcome::Skipped { reason });
        let name = match BranchName::parse(&head.branch) {
            Ok(name) => name,
            Err(why) => return skipped(format!("git takes no branch of this name: {why}")),
        };
        match outside.gitlab.branch(&name).await {
            Ok(Some(seen)) if seen.commit == head.head => {}
            Ok(Some(seen)) => return skipped(format!("it points to {} by now", seen.commit.short())),
            Ok(None) => return skipped("it is gone".to_owned()),
            Err(fault) => return Ok(Outcome::Failed { reason: format!("not sent, could not re-read it: {fault}") }),
        }
        let number = pull_request_of(&head.branch).map_or(0, |(number, _)| number);
        (head.pipelines, head.is_open) = tokio::join!(self.pipelines(&head.head), outside.is_open(number));
        let now = outside.gitlab.server_now().await?;
        let reason = head.judge(&outside.rules.skipped, now);
        if !reason.acts() {
            return skipped(reason.to_string());
        }
        let trouble = Trouble::again(head.asked.as_ref(), &head.head, "GitLab was asked and none came", now);
        let tries = trouble.tries;
        let mut note =
            Note { head: head.head.clone(), first_seen: head.first_seen, has_pipeline: false, asked: Some(trouble) };
        if !notes.put(&head.branch, Some(note.clone()), now).await? {
            return skipped("another process looks after it".to_owned());
        }
        let deed = Deed {
            who: WHO,
            action: "pipelines.start",
            object: Object::Branch(head.branch.clone()),
            pipeline: None,
            name: head.branch.clone(),
            status: head.head.as_str().into(),
            tries,
            summary: format!("start a pipeline of {}: {why}", head.branch),
            plan: None,
        };
        let outcome = outside.perform(deed, self.send(&head)).await?;
        match &outcome {
            Outcome::Done { .. } => note.has_pipeline = true,
            Outcome::Failed { reason } | Outcome::Skipped { reason } | Outcome::Uncertain { reason } => {
                note.asked = note.asked.map(|asked| Trouble { why: reason.as_str().into(), ..asked });
            }
        }
        // Whoever was faster knows more.
        notes.put(&head.branch, Some(note), now).await?;
        Ok(outcome)
    }

    async fn send(&self, head: &BranchHead) -> Outcome {
        match self.outside.gitlab.create_pipeline(&head.branch, &[]).await {
            // Had the branch moved in this moment, it would be the pipeline of its newer head.
            Ok(_) => Outcome::Done { new_job: None },
            // It is not sent again: what is there now tells.
            Err(fault) if fault.is_uncertain() => match self.pipelines(&head.head).await {
                Looked::Found(1..) => Outcome::Done { new_job: None },
                _ => Outcome::Uncertain { reason: format!("{fault}; the next pass looks whether it came") },
            },
            Err(fault) => Outcome::Failed { reason: fault.to_string() },
        }
    }
}
