//! Which pipelines are kept. A daemon runs for months: what is no longer among the newest, nor looked at, nor part of a plan, is forgotten.

use std::collections::BTreeSet;

use super::World;
use crate::ci::{JobId, PipelineId};

/// How many times as many of the newest parents are kept as are followed: whoever has just left one may come back to it.
const KEPT: usize = 2;

impl World {
    /// Forgets pipelines with their jobs, once the list of pipelines was read and has brought these.
    pub(super) fn forget_old(&mut self, listed: &[PipelineId]) {
        let followed = self.polling.rules.followed;
        let newest = self.parents().take(followed.saturating_mul(KEPT));
        let opened = self.polling.foci().filter_map(|focus| focus.log).chain(self.logs.iter().map(|(job, _)| *job));
        let homes = opened.filter_map(|job| self.home(job));
        let facts = newest.chain(self.followed(followed)).chain(homes).map(|facts| facts.pipeline.id);
        let named = self.polling.foci().flat_map(|focus| [focus.pipeline, focus.report]).flatten();
        let kept: BTreeSet<PipelineId> = facts
            .chain(named)
            .chain(self.actions.pipelines_named())
            .chain(listed.iter().copied())
            .map(|id| self.root_of(id))
            .collect();
        let gone: BTreeSet<PipelineId> =
            self.pipelines.value.keys().copied().filter(|id| !kept.contains(&self.root_of(*id))).collect();
        for facts in gone.iter().filter_map(|id| self.pipelines.value.remove(id)) {
            self.counts.unmerge(facts.jobs.value.counts());
        }
        if !gone.is_empty() {
            let jobs: Vec<JobId> = self.homes.extract_if(|_, home| gone.contains(home)).map(|(job, _)| job).collect();
            for job in jobs {
                self.failures.forget(job);
            }
        }
        self.polling.forget(|id| self.pipelines.value.contains_key(&id));
    }
}
