//! The decisions about protected branches and tags.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{BranchInput, Expects, Fault, Looked, Main, RefKind, RefUpdate, Rules, TagInput, Trouble, Verdict, Want};
use crate::ci::Timestamp;
use crate::forge::{BadName, BranchName, Sha};

/// Why a branch or a tag goes to GitLab, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RefReason {
    /// GitLab does not have it.
    New,
    /// It has moved on.
    Moved,
    /// Its history was rewritten, and the settings allow to do the same on GitLab.
    Forced,
    /// GitLab has it where GitHub has it.
    Unchanged,
    /// A push would interrupt the pipeline that runs.
    MainRunning(Sha),
    MainUnknown(Arc<str>),
    GitLabUnknown(Arc<str>),
    GitFailed(Arc<str>),
    BackOff {
        until: Timestamp,
        tries: u32,
        why: Arc<str>,
    },
    /// GitLab has commits that GitHub's history does not have.
    Diverged {
        github: Sha,
        gitlab: Sha,
    },
    /// The tag names something else on GitHub.
    TagMoved {
        github: Sha,
        gitlab: Sha,
    },
    BadName(BadName),
    Look(Want),
}

impl RefReason {
    /// What follows from it.
    pub const fn verdict(&self) -> Verdict {
        match self {
            Self::New | Self::Moved | Self::Forced => Verdict::Push,
            Self::Unchanged => Verdict::Pushed,
            Self::Diverged { .. } | Self::TagMoved { .. } | Self::BadName(_) => Verdict::Refuse,
            Self::Look(_) => Verdict::Look,
            _ => Verdict::Wait,
        }
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Moved => "moved",
            Self::Forced => "forced",
            Self::Unchanged => "unchanged",
            Self::MainRunning(_) => "main_running",
            Self::MainUnknown(_) => "main_unknown",
            Self::GitLabUnknown(_) => "gitlab_unknown",
            Self::GitFailed(_) => "git_failed",
            Self::BackOff { .. } => "back_off",
            Self::Diverged { .. } => "diverged",
            Self::TagMoved { .. } => "tag_moved",
            Self::BadName(_) => "bad_name",
            Self::Look(_) => "look",
        }
    }
}

impl fmt::Display for RefReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::New => f.write_str("GitLab does not have it"),
            Self::Moved => f.write_str("it has moved on"),
            Self::Forced => f.write_str("it was rewritten on GitHub, and may be on GitLab"),
            Self::Unchanged => f.write_str("GitLab has it as it is"),
            Self::MainRunning(sha) => write!(f, "skipped while its pipeline runs at {sha}"),
            Self::MainUnknown(why) => write!(f, "whether its pipeline runs is not known: {why}"),
            Self::GitLabUnknown(why) => write!(f, "where it is on GitLab is not known: {why}"),
            Self::GitFailed(why) => write!(f, "git failed, and is tried again: {why}"),
            Self::BackOff { until, tries, why } => {
                write!(f, "it failed {tries} times and is left alone until {until}: {why}")
            }
            Self::Diverged { github, gitlab } => write!(
                f,
                "GitLab has {}, which is not in the history of {} on GitHub; nothing is overwritten unless force_protected is on",
                gitlab.short(),
                github.short()
            ),
            Self::TagMoved { github, gitlab } => write!(
                f,
                "it moved from {} to {} on GitHub; nothing is overwritten unless force_tags is on",
                gitlab.short(),
                github.short()
            ),
            Self::BadName(why) => write!(f, "git takes no ref of its name: {why}"),
            Self::Look(want) => want.fmt(f),
        }
    }
}

/// What is decided about one branch or tag.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RefDecision {
    pub kind: RefKind,
    /// As GitHub tells it; git need not take it.
    pub name: Arc<str>,
    pub target: Sha,
    pub reason: RefReason,
    pub update: Option<RefUpdate>,
}

/// The first thing that speaks against a push, as an error.
type Step<T> = Result<T, RefReason>;

impl RefDecision {
    pub const fn verdict(&self) -> Verdict {
        self.reason.verdict()
    }

    /// Decides about a protected branch.
    pub fn of_branch(input: &BranchInput, rules: &Rules, main: &Main, now: Timestamp) -> Self {
        let decided = branch(input, rules, main, now);
        Self::new(RefKind::Branch, &input.name, &input.head, decided)
    }

    /// Decides about a tag.
    pub fn of_tag(input: &TagInput, rules: &Rules, now: Timestamp) -> Self {
        Self::new(RefKind::Tag, &input.name, &input.target, tag(input, rules, now))
    }

    fn new(kind: RefKind, name: &Arc<str>, target: &Sha, decided: Step<(RefReason, RefUpdate)>) -> Self {
        let (reason, update) = match decided {
            Ok((reason, update)) => (reason, Some(update)),
            Err(reason) => (reason, None),
        };
        Self { kind, name: name.clone(), target: target.clone(), reason, update }
    }
}

fn branch(input: &BranchInput, rules: &Rules, main: &Main, now: Timestamp) -> Step<(RefReason, RefUpdate)> {
    let name = BranchName::parse(&input.name).map_err(RefReason::BadName)?;
    let on_gitlab = input.on_gitlab.known().map_err(RefReason::GitLabUnknown)?;
    if on_gitlab.as_ref() == Some(&input.head) {
        return Err(RefReason::Unchanged);
    }
    if rules.main.as_ref() == Some(&name) {
        match main {
            Main::Unknown(why) => return Err(RefReason::MainUnknown(why.clone())),
            Main::Known { running: Some(sha), .. } => return Err(RefReason::MainRunning(sha.clone())),
            Main::Known { running: None, .. } => {}
        }
    }
    leave_alone(input.trouble.as_ref(), &input.head, now)?;
    let update = |expects| RefUpdate::branch(&name, input.head.clone(), expects);
    let Some(old) = on_gitlab else { return Ok((RefReason::New, update(Expects::Absent))) };
    let is_ahead = match &input.is_ahead {
        Looked::Found(is_ahead) => *is_ahead,
        Looked::NotYet => {
            return Err(RefReason::Look(Want::FastForward { old: old.clone(), new: input.head.clone() }));
        }
        Looked::Failed(Fault { why, .. }) => return Err(RefReason::GitFailed(why.clone())),
    };
    match (is_ahead, rules.force_protected) {
        (true, _) => Ok((RefReason::Moved, update(Expects::Ancestor))),
        (false, true) => Ok((RefReason::Forced, update(Expects::At(old.clone())))),
        (false, false) => Err(RefReason::Diverged { github: input.head.clone(), gitlab: old.clone() }),
    }
}

fn tag(input: &TagInput, rules: &Rules, now: Timestamp) -> Step<(RefReason, RefUpdate)> {
    let name = BranchName::parse(&input.name).map_err(RefReason::BadName)?;
    let on_gitlab = input.on_gitlab.known().map_err(RefReason::GitLabUnknown)?;
    if on_gitlab.as_ref() == Some(&input.target) {
        return Err(RefReason::Unchanged);
    }
    leave_alone(input.trouble.as_ref(), &input.target, now)?;
    let update = |expects| RefUpdate::tag(&name, input.target.clone(), expects);
    match on_gitlab {
        None => Ok((RefReason::New, update(Expects::Absent))),
        Some(old) if rules.force_tags => Ok((RefReason::Forced, update(Expects::At(old.clone())))),
        Some(old) => Err(RefReason::TagMoved { github: input.target.clone(), gitlab: old.clone() }),
    }
}

fn leave_alone(trouble: Option<&Trouble>, target: &Sha, now: Timestamp) -> Step<()> {
    match trouble.filter(|trouble| trouble.holds(target, now)) {
        None => Ok(()),
        Some(held) => Err(RefReason::BackOff { until: held.until(), tries: held.tries, why: held.why.clone() }),
    }
}
