//! How long jobs usually take, by package: what critical paths and estimates are made of.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use crate::ci::{JobId, Timestamp};

/// How long one job took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Took {
    pub job: JobId,
    pub package: Arc<str>,
    pub stack: Arc<str>,
    pub length: Duration,
    pub finished_at: Timestamp,
}

/// Expected durations. A running estimate per package, started from the store's medians and moved by every finished job.
#[derive(Debug, Clone, Default)]
pub struct Durations {
    by_package: HashMap<Arc<str>, f64>,
}

/// What a package takes that was never seen: a little under the median of Spack's CI jobs.
const UNSEEN: Duration = Duration::from_secs(120);
/// How far one new observation moves the estimate.
const STEP: f64 = 0.25;

impl Durations {
    /// Takes medians that were kept.
    pub fn know(&mut self, medians: impl IntoIterator<Item = (Arc<str>, Duration)>) {
        self.by_package.extend(medians.into_iter().map(|(package, length)| (package, length.as_secs_f64())));
    }

    /// Learns from one finished job.
    pub fn observe(&mut self, package: &str, took: Duration) {
        let seconds = took.as_secs_f64();
        match self.by_package.get_mut(package) {
            Some(known) => *known += (seconds - *known) * STEP,
            None => {
                self.by_package.insert(package.into(), seconds);
            }
        }
    }

    /// What is known, in the shape in which it is taken.
    pub fn medians(&self) -> Vec<(Arc<str>, Duration)> {
        let known = self.by_package.iter();
        known.map(|(package, seconds)| (Arc::clone(package), Duration::from_secs_f64(*seconds))).collect()
    }

    /// How long a job of this package is expected to take.
    pub fn expected(&self, package: &str) -> Duration {
        self.by_package.get(package).map_or(UNSEEN, |s| Duration::from_secs_f64(*s))
    }
}
