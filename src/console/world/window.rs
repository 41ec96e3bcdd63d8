//! Which pipelines are kept. A daemon runs for months: what is no longer among the newest, nor looked at, nor part of a plan, is not read any
//! more, and is forgotten rather than shown as it once was.

use std::collections::BTreeSet;

use super::World;
use crate::ci::{JobId, PipelineId};

impl World {
    /// Forgets pipelines with their jobs, once the list of pipelines was read and has brought these.
    pub(super) fn forget_old(&mut self, listed: &[PipelineId]) {
        let opened = self.polling.foci().filter_map(|focus| focus.log).chain(self.logs.iter().map(|(job, _)| *job));
        let homes = opened.filter_map(|job| self.home(job));
        let facts = self.followed(self.polling.rules.followed).chain(homes).map(|facts| facts.pipeline.id);
        let reports = self.polling.foci().filter_map(|focus| focus.report);
        let kept: BTreeSet<PipelineId> =
            facts.chain(reports).chain(listed.iter().copied()).map(|id| self.root_of(id)).collect();
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
