//! Which branches could go.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::bridge::Looked;
use crate::ci::{PipelineId, Timestamp, pull_request_of};
use crate::forge::{BranchName, Sha};

/// When a branch is old.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StaleRules {
    pub older_than: Duration,
    /// Branches of pull requests that are still open stay.
    pub keep_open: bool,
}

impl Default for StaleRules {
    /// 100 days; open pull requests stay.
    fn default() -> Self {
        Self { older_than: Duration::from_secs(100 * 86_400), keep_open: true }
    }
}

/// A branch on GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct GitLabBranch {
    pub name: Arc<str>,
    pub commit: Sha,
    pub committed_at: Option<Timestamp>,
    /// None when GitLab did not tell.
    pub is_protected: Option<bool>,
}

/// A branch that goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OldBranch {
    pub name: BranchName,
    pub commit: Sha,
    pub committed_at: Timestamp,
}

/// A branch that stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Spared {
    pub name: Arc<str>,
    pub why: SpareReason,
}

/// Why it stays.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SpareReason {
    /// It is no branch of a pull request.
    NotOurs,
    Protected,
    Young {
        until: Timestamp,
    },
    Open(u64),
    /// A pipeline of it has not ended.
    Busy(PipelineId),
    /// It points elsewhere since the plan was made.
    Moved(Sha),
    /// It is gone already.
    Gone,
    Unknown(Arc<str>),
}

/// Why there is no plan at all.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Refusal {
    #[error("which pull requests are open is not known ({0}); ask again")]
    OpenUnknown(Arc<str>),
    #[error("which pipelines still run is not known ({0}); ask again")]
    RunningUnknown(Arc<str>),
    #[error("the plan is for {plan}, not for {asked}")]
    OtherProject { plan: Arc<str>, asked: Arc<str> },
}

/// Exactly what could be deleted from one project. Everything but the moment at which it was made is under its id.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct StalePlan {
    pub project: Arc<str>,
    pub made_at: Timestamp,
    pub rules: StaleRules,
    /// By name.
    pub old: Vec<OldBranch>,
    /// What is old enough, or seems to be ours, and stays all the same; by name.
    pub spared: Vec<Spared>,
}

/// What holds for all branches of a project.
struct Around<'a> {
    open: &'a BTreeSet<u64>,
    running: BTreeMap<&'a str, PipelineId>,
}

impl StalePlan {
    /// Judges every branch of a project. `running` has the branches with pipelines that have not ended.
    pub fn make(
        project: &str,
        branches: &[GitLabBranch],
        open: &Looked<BTreeSet<u64>>,
        running: &Looked<Vec<(Arc<str>, PipelineId)>>,
        rules: StaleRules,
        now: Timestamp,
    ) -> Result<Self, Refusal> {
        let around = Around::of(open, running)?;
        let (mut old, mut spared) = (BTreeMap::new(), BTreeMap::new());
        for branch in branches {
            match judge(branch, &around, &rules, now) {
                Ok(found) => drop(old.insert(branch.name.clone(), found)),
                Err(SpareReason::NotOurs | SpareReason::Young { .. }) => {}
                Err(why) => drop(spared.insert(branch.name.clone(), Spared { name: branch.name.clone(), why })),
            }
        }
        let (old, spared) = (old.into_values().collect(), spared.into_values().collect());
        Ok(Self { project: project.into(), made_at: now, rules, old, spared })
    }

    /// Changes with everything that the plan would delete. 12 hex digits.
    pub fn id(&self) -> String {
        let mut sum = Sha256::new();
        let mut add = |text: &str| {
            sum.update((text.len() as u64).to_le_bytes());
            sum.update(text);
        };
        add("stackhand stale branches 1");
        add(&self.project);
        add(&format!("{:?}", self.rules));
        for branch in &self.old {
            add(branch.name.as_str());
            add(branch.commit.as_str());
            add(&branch.committed_at.to_string());
        }
        let number = sum.finalize().iter().take(6).fold(0_u64, |number, byte| number << 8 | u64::from(*byte));
        format!("{number:012x}")
    }

    /// Looks at the project again, just before anything is deleted: what may still go, and what stays after all.
    pub fn recheck(
        &self,
        project: &str,
        branches: &[GitLabBranch],
        open: &Looked<BTreeSet<u64>>,
        running: &Looked<Vec<(Arc<str>, PipelineId)>>,
        now: Timestamp,
    ) -> Result<(Vec<&OldBranch>, Vec<Spared>), Refusal> {
        if *self.project != *project {
            return Err(Refusal::OtherProject { plan: self.project.clone(), asked: project.into() });
        }
        let around = Around::of(open, running)?;
        let there: BTreeMap<&str, &GitLabBranch> = branches.iter().map(|branch| (&*branch.name, branch)).collect();
        let (mut going, mut spared) = (Vec::new(), Vec::new());
        for old in &self.old {
            let why = match there.get(old.name.as_str()) {
                None => Some(SpareReason::Gone),
                Some(branch) if branch.commit != old.commit => Some(SpareReason::Moved(branch.commit.clone())),
                Some(branch) => judge(branch, &around, &self.rules, now).err(),
            };
            match why {
                Some(why) => spared.push(Spared { name: old.name.as_str().into(), why }),
                None => going.push(old),
            }
        }
        Ok((going, spared))
    }
}

impl<'a> Around<'a> {
    fn of(open: &'a Looked<BTreeSet<u64>>, running: &'a Looked<Vec<(Arc<str>, PipelineId)>>) -> Result<Self, Refusal> {
        let open = open.known().map_err(Refusal::OpenUnknown)?;
        let running = running.known().map_err(Refusal::RunningUnknown)?;
        Ok(Self { open, running: running.iter().map(|(name, id)| (&**name, *id)).collect() })
    }
}

fn judge(branch: &GitLabBranch, around: &Around, rules: &StaleRules, now: Timestamp) -> Result<OldBranch, SpareReason> {
    let Some((number, _)) = pull_request_of(&branch.name) else { return Err(SpareReason::NotOurs) };
    match branch.is_protected {
        Some(true) => return Err(SpareReason::Protected),
        None => return Err(SpareReason::Unknown("whether it is protected was not told".into())),
        Some(false) => {}
    }
    let unknown_age = || SpareReason::Unknown("when its commit was made was not told".into());
    let committed_at = branch.committed_at.ok_or_else(unknown_age)?;
    if now.since(committed_at) <= rules.older_than {
        return Err(SpareReason::Young { until: committed_at.plus(rules.older_than) });
    }
    if rules.keep_open && around.open.contains(&number) {
        return Err(SpareReason::Open(number));
    }
    if let Some(pipeline) = around.running.get(&*branch.name) {
        return Err(SpareReason::Busy(*pipeline));
    }
    let bad_name = |why| SpareReason::Unknown(format!("git takes no branch of its name: {why}").into());
    let name = BranchName::parse(&branch.name).map_err(bad_name)?;
    Ok(OldBranch { name, commit: branch.commit.clone(), committed_at })
}

impl SpareReason {
    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::NotOurs => "not_ours",
            Self::Protected => "protected",
            Self::Young { .. } => "young",
            Self::Open(_) => "open",
            Self::Busy(_) => "busy",
            Self::Moved(_) => "moved",
            Self::Gone => "gone",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for SpareReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotOurs => f.write_str("it is no branch of a pull request"),
            Self::Protected => f.write_str("it is protected"),
            Self::Young { until } => write!(f, "it is not old before {until}"),
            Self::Open(number) => write!(f, "pull request {number} is open"),
            Self::Busy(pipeline) => write!(f, "pipeline {pipeline} has not ended"),
            Self::Moved(sha) => write!(f, "it points to {} by now", sha.short()),
            Self::Gone => f.write_str("it is gone already"),
            Self::Unknown(why) => f.write_str(why),
        }
    }
}
