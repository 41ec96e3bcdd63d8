//! Counts that are kept up with every change, so that no frame counts pods.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::fleet::{Phase, Pod, class_of};

/// Job pods as they are now.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counts {
    /// Pods of jobs that run, by class.
    pub running: BTreeMap<Arc<str>, u64>,
    pub busy: u64,
    pub pending: u64,
}

/// So many samples of a class are kept.
const KEPT: usize = 12;

/// How many jobs of a class ran at even intervals; `None` where it was not known.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClassTrend(VecDeque<Option<u64>>);

impl Counts {
    /// Takes a pod in.
    pub(super) fn add(&mut self, pod: &Pod) {
        match kind_of(pod) {
            Some(true) => {
                self.busy += 1;
                *self.running.entry(class(pod)).or_default() += 1;
            }
            Some(false) => self.pending += 1,
            None => {}
        }
    }

    /// Takes a pod out that was taken in as it is.
    pub(super) fn remove(&mut self, pod: &Pod) {
        match kind_of(pod) {
            Some(true) => {
                self.busy = self.busy.saturating_sub(1);
                let class = class(pod);
                if let Some(count) = self.running.get_mut(&class) {
                    *count = count.saturating_sub(1);
                    if *count == 0 {
                        self.running.remove(&class);
                    }
                }
            }
            Some(false) => self.pending = self.pending.saturating_sub(1),
            None => {}
        }
    }
}

/// Of a job's pod, whether it runs; `None` of all others and of those that are over.
fn kind_of(pod: &Pod) -> Option<bool> {
    match pod.phase {
        _ if !pod.is_job => None,
        Phase::Running => Some(true),
        Phase::Pending => Some(false),
        Phase::Succeeded | Phase::Failed | Phase::Unknown => None,
    }
}

fn class(pod: &Pod) -> Arc<str> {
    pod.says.runner.as_ref().map_or_else(|| "".into(), |runner| class_of(runner))
}

impl ClassTrend {
    pub(super) fn push(&mut self, running: Option<u64>) {
        if self.0.len() >= KEPT {
            self.0.pop_front();
        }
        self.0.push_back(running);
    }

    /// The newest samples, the newest last.
    pub fn newest(&self, count: usize) -> impl Iterator<Item = Option<u64>> {
        self.0.iter().skip(self.0.len().saturating_sub(count)).copied()
    }
}
