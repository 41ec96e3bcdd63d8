//! One pass: all facts in, all decisions out. Nothing else enters, so that a pass that was written down can be run again.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::decide::Judge;
use super::status::StatusInput;
use super::{
    BranchInput, Looked, Main, PipelineSeen, Posted, PrDecision, PrInput, PushBatch, PushRecord, RefDecision,
    RefReason, Rules, StatusPlan, TagInput,
};
use crate::ci::Timestamp;
use crate::forge::{PrNumber, Sha};

/// Everything that a pass knows.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassInput {
    pub now: Timestamp,
    pub rules: Rules,
    /// Pipelines of the main branch, newest first.
    pub main: Looked<Vec<PipelineSeen>>,
    /// What GitLab protects: names, or patterns with `*`.
    pub gitlab_protected: Vec<Arc<str>>,
    pub prs: Vec<PrInput>,
    /// Protected branches of GitHub.
    pub branches: Vec<BranchInput>,
    pub tags: Vec<TagInput>,
    /// Pipelines that changed since the watermark.
    pub pipelines: Looked<Vec<PipelineSeen>>,
    /// Pushes that GitLab accepted.
    pub pushes: Vec<PushRecord>,
    pub posted: Vec<Posted>,
}

/// Everything that a pass decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PassOutput {
    pub main: Main,
    /// By number.
    pub prs: Vec<PrDecision>,
    /// By name.
    pub branches: Vec<RefDecision>,
    /// Those that are not as GitLab has them, by name.
    pub tags: Vec<RefDecision>,
    pub tags_unchanged: usize,
    pub pushes: Vec<PushBatch>,
    pub statuses: StatusPlan,
}

impl PassInput {
    /// Decides about everything. Each decision rests on its own facts: a bad one spoils no other.
    pub fn decide(&self) -> PassOutput {
        let main = Main::of(&self.main);
        let pushes: HashMap<&Sha, &PushRecord> = self.pushes.iter().map(|record| (&record.commit, record)).collect();
        let protected: Vec<Arc<str>> = self.branches.iter().map(|branch| branch.name.clone()).collect();
        let patterns: Vec<Arc<str>> = self.gitlab_protected.iter().chain(&protected).cloned().collect();
        let judge = Judge { rules: &self.rules, main: &main, protected: &patterns, pushes: &pushes, now: self.now };
        let prs: Vec<PrDecision> = self.newest_prs().into_values().map(|input| judge.pr(input)).collect();
        let branches = self.branches(&main);
        let (tags, tags_unchanged) = self.tags();
        let updates = prs.iter().filter_map(|one| one.update.clone());
        let refs = branches.iter().chain(&tags).filter_map(|one| one.update.clone());
        let statuses = StatusPlan::make(&StatusInput {
            rules: &self.rules,
            decisions: &prs,
            pipelines: self.pipelines.found().map_or(&[], Vec::as_slice),
            protected: &protected,
            pushes: &pushes,
            posted: &self.posted,
            now: self.now,
        });
        let pushes = PushBatch::plan(updates.chain(refs), self.rules.refs_per_push);
        PassOutput { main, prs, branches, tags, tags_unchanged, pushes, statuses }
    }

    /// A list that moves while it is read names some twice; what was told last counts.
    fn newest_prs(&self) -> BTreeMap<PrNumber, &PrInput> {
        let mut newest: BTreeMap<PrNumber, &PrInput> = BTreeMap::new();
        for input in &self.prs {
            let kept = newest.entry(input.pr.number).or_insert(input);
            if input.pr.updated_at > kept.pr.updated_at {
                *kept = input;
            }
        }
        newest
    }

    fn branches(&self, main: &Main) -> Vec<RefDecision> {
        if !self.rules.sync_protected {
            return Vec::new();
        }
        let inputs: BTreeMap<&str, &BranchInput> = self.branches.iter().map(|input| (&*input.name, input)).collect();
        inputs.into_values().map(|input| RefDecision::of_branch(input, &self.rules, main, self.now)).collect()
    }

    fn tags(&self) -> (Vec<RefDecision>, usize) {
        if !self.rules.sync_tags {
            return (Vec::new(), 0);
        }
        let inputs: BTreeMap<&str, &TagInput> = self.tags.iter().map(|input| (&*input.name, input)).collect();
        let decided = inputs.into_values().map(|input| RefDecision::of_tag(input, &self.rules, self.now));
        let (unchanged, tags): (Vec<_>, Vec<_>) = decided.partition(|one| one.reason == RefReason::Unchanged);
        (tags, unchanged.len())
    }
}
