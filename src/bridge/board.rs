//! What people see of a bridge: every open pull request with how far it is on its way to GitLab and back.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{PassInput, PassOutput, PipelineSeen, Posted, PrDecision, PushRecord, TestedAs, Verdict};
use crate::ci::{PipelineId, Status, Timestamp};
use crate::forge::{CommitState, PrNumber, Sha};

/// Titles are cut to so many characters.
const TITLE: usize = 120;

/// All pull requests after a pass.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Board {
    /// By GitHub's clock.
    pub at: Timestamp,
    /// Whether all that are open were listed.
    pub is_whole: bool,
    /// What GitHub still answers this hour, of the dialect of which less is left.
    #[serde(default)]
    pub quota: Option<Budget>,
    /// By number.
    pub rows: Vec<BoardRow>,
}

impl Board {
    /// A bridge that looks by itself does so at least every few minutes: what is older than this was left by one that no longer runs.
    pub const OLD: Duration = Duration::from_mins(5);

    /// How old it is at `now` by GitHub's clock, if a bridge that runs would not have left it so.
    pub fn silence(&self, now: Timestamp) -> Option<Duration> {
        Some(now.since(self.at)).filter(|age| *age > Self::OLD)
    }
}

/// What is left of an hour's requests.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Budget {
    pub left: u64,
    pub of: u64,
}

/// One pull request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardRow {
    pub pr: PrNumber,
    pub title: Arc<str>,
    pub head: Sha,
    /// Its branch on GitLab; none when git would not take the name.
    pub branch: Option<Arc<str>>,
    pub verdict: Verdict,
    /// The word of the reason.
    pub reason: Arc<str>,
    /// The reason as a sentence.
    pub told: Arc<str>,
    /// Nothing is expected of the bridge until its author goes on.
    #[serde(default)]
    pub is_idle: bool,
    /// Since when the same is decided about the same head.
    pub since: Timestamp,
    /// The push of this head.
    pub pushed: Option<BoardPush>,
    /// The newest pipeline of what was pushed.
    pub pipeline: Option<BoardPipeline>,
    /// What GitHub shows on the head.
    pub shown: Option<CommitState>,
    /// Whether GitHub was not told everything yet.
    pub is_untold: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardPush {
    pub at: Timestamp,
    pub commit: Sha,
    pub onto: Sha,
    pub base: Arc<str>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BoardPipeline {
    pub id: PipelineId,
    pub sha: Sha,
    pub status: Option<Status>,
    pub updated_at: Option<Timestamp>,
}

/// How far a pull request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Looked at, and not on GitLab yet.
    Sync,
    /// On GitLab; its pipeline was not seen yet, or is not over.
    Pipeline,
    /// Its pipeline is over and GitHub was not told.
    Status,
    /// Nothing happens until somebody changes it.
    Refused,
    /// Its author has not asked for anything yet, or has left it.
    Idle,
    /// It has gone all the way.
    Done,
}

impl Step {
    /// How long the step takes as a rule. The first and the last are one round of a bridge that is not woken; pipelines of Spack's pull requests
    /// mostly end within a few hours.
    const fn usual(self) -> Option<Duration> {
        match self {
            Self::Sync | Self::Status => Some(Duration::from_mins(5)),
            Self::Pipeline => Some(Duration::from_hours(3)),
            Self::Refused | Self::Idle | Self::Done => None,
        }
    }
}

impl BoardRow {
    /// How far it is, and since when.
    pub fn step(&self) -> (Step, Timestamp) {
        match (self.verdict, &self.pushed) {
            (Verdict::Refuse, _) => (Step::Refused, self.since),
            _ if self.is_idle => (Step::Idle, self.since),
            (Verdict::Wait | Verdict::Look, _) | (Verdict::Push, None) => (Step::Sync, self.since),
            // Without a push on record it was there before this bridge.
            (Verdict::Push | Verdict::Pushed, pushed) => {
                let begun = pushed.as_ref().map_or(self.since, |pushed| pushed.at);
                match &self.pipeline {
                    Some(pipeline) if pipeline.status.is_some_and(Status::is_terminal) => {
                        let ended = pipeline.updated_at.unwrap_or(begun);
                        (if self.is_untold { Step::Status } else { Step::Done }, ended)
                    }
                    None if self.shown.is_some_and(CommitState::is_end) => (Step::Done, begun),
                    _ => (Step::Pipeline, begun),
                }
            }
        }
    }

    /// How many times its usual length the step lasts already, in thousandths; none for what waits for nothing.
    pub fn stuck(&self, now: Timestamp) -> Option<u64> {
        let (step, since) = self.step();
        let usual = step.usual()?.as_millis().max(1);
        Some((now.since(since).as_millis() * 1_000 / usual) as u64)
    }
}

impl Board {
    /// What a pass came to, on top of the board before it. `pushes` and `posted` are all that are remembered, those of the pass among them.
    pub fn after(
        before: Option<&Self>,
        input: &PassInput,
        output: &PassOutput,
        (pushes, posted): (&[PushRecord], &[&Posted]),
        is_whole: bool,
    ) -> Self {
        let known: HashMap<PrNumber, &BoardRow> =
            before.into_iter().flat_map(|board| &board.rows).map(|row| (row.pr, row)).collect();
        let titles: HashMap<PrNumber, &Arc<str>> = input.prs.iter().map(|one| (one.pr.number, &one.pr.title)).collect();
        let pushes: HashMap<&Sha, &PushRecord> = pushes.iter().map(|push| (&push.commit, push)).collect();
        let context = &input.rules.status_context;
        let shown: HashMap<&Sha, &Posted> =
            posted.iter().filter(|one| one.context.eq_ignore_ascii_case(context)).map(|one| (&one.sha, *one)).collect();
        let mut pipelines: HashMap<&Sha, &PipelineSeen> = HashMap::new();
        for seen in input.pipelines.found().into_iter().flatten() {
            let newest = pipelines.entry(&seen.sha).or_insert(seen);
            if seen.id > newest.id {
                *newest = seen;
            }
        }
        let row = |decision: &PrDecision| {
            let before = known.get(&decision.pr);
            let (reason, told): (&str, String) = (decision.reason.word(), decision.reason.to_string());
            let same = before.filter(|row| row.head == decision.head && *row.reason == *reason);
            let tested = match &decision.tested {
                TestedAs::Commit(commit) => Some(commit),
                TestedAs::Nothing | TestedAs::Unknown => None,
            };
            let pushed = tested.and_then(|commit| pushes.get(commit));
            let seen = tested.and_then(|commit| pipelines.get(commit)).map(|seen| BoardPipeline {
                id: seen.id,
                sha: seen.sha.clone(),
                status: seen.status,
                updated_at: seen.updated_at,
            });
            let kept = before.and_then(|row| row.pipeline.clone()).filter(|kept| Some(&kept.sha) == tested);
            let pipeline = match (seen, kept) {
                (Some(seen), Some(kept)) if kept.id > seen.id => Some(kept),
                (seen, kept) => seen.or(kept),
            };
            let shown = shown.get(&decision.head).and_then(|posted| posted.status.as_ref()).map(|status| status.state);
            let wanted = pipeline.as_ref().and_then(|pipeline| super::status::told_of(pipeline.status));
            BoardRow {
                pr: decision.pr,
                title: titles.get(&decision.pr).map(|title| cut(title)).unwrap_or_default(),
                head: decision.head.clone(),
                branch: decision.branch.as_ref().map(|branch| branch.as_str().into()),
                verdict: decision.verdict(),
                reason: reason.into(),
                told: match decision.verdict() {
                    Verdict::Push if pushed.is_some() => "pushed a moment ago".into(),
                    _ => told.into(),
                },
                is_idle: decision.reason.is_idle(),
                since: same.map_or(input.now, |row| row.since),
                pushed: pushed.map(|push| BoardPush {
                    at: push.at,
                    commit: push.commit.clone(),
                    onto: push.onto.clone(),
                    base: push.base_ref.clone(),
                }),
                is_untold: input.rules.post_statuses && wanted.is_some_and(|(state, _)| shown != Some(state)),
                pipeline,
                shown,
            }
        };
        let mut rows: Vec<BoardRow> = output.prs.iter().map(row).collect();
        if !is_whole {
            // What was not listed may be open all the same.
            let listed: HashSet<PrNumber> = rows.iter().map(|row| row.pr).collect();
            rows.extend(before.iter().flat_map(|board| &board.rows).filter(|row| !listed.contains(&row.pr)).cloned());
            rows.sort_by_key(|row| row.pr);
        }
        Self { at: input.now, is_whole, quota: None, rows }
    }

    pub fn row(&self, pr: PrNumber) -> Option<&BoardRow> {
        self.rows.iter().find(|row| row.pr == pr)
    }
}

fn cut(title: &str) -> Arc<str> {
    title.chars().take(TITLE).collect::<String>().into()
}
