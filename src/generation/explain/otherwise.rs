//! What another depth or another choice of filters would have made of a spec.

use super::data::OtherJobs;
use crate::generation::report::{Decision, Filter, Instead, Report};

impl Report {
    /// What could have been asked for: first what would change the decision about this spec, then what would change the number of jobs, the
    /// nearest depth first.
    pub(super) fn other_jobs(&self, decision: &Decision) -> Vec<OtherJobs> {
        let asked: Vec<(Instead, usize)> =
            self.otherwise.iter().filter_map(|other| Some((Instead::read(&other.what)?, other.jobs))).collect();
        if asked.is_empty() {
            return Vec::new();
        }
        let deciding = deciding(decision);
        let more = |jobs: usize| difference(self.summary.jobs, jobs);
        let first = deciding.iter().map(|instead| OtherJobs {
            what: instead.to_string(),
            rebuilds: Some(!decision.is_rebuilt()),
            more_jobs: jobs_of(*instead, &asked).map(more),
        });
        let rest = asked.iter().filter(|(instead, jobs)| !deciding.contains(instead) && more(*jobs) != 0);
        let mut rest: Vec<_> = rest.collect();
        // Without a limit, the greatest depths are the nearest.
        let used = self.change.as_ref().and_then(|change| change.depth).unwrap_or(i64::MAX);
        rest.sort_by_key(|(instead, _)| match instead {
            Instead::Depth(depth) => (0, used.abs_diff(*depth)),
            Instead::NoLimit => (1, 0),
            Instead::Without(_) => (2, 0),
        });
        let rest = rest.into_iter().map(|(instead, jobs)| OtherJobs {
            what: instead.to_string(),
            rebuilds: None,
            more_jobs: Some(more(*jobs)),
        });
        first.chain(rest).collect()
    }
}

/// What alone would turn the decision: the depth nearest to the one that was used, or one filter less.
fn deciding(decision: &Decision) -> Vec<Instead> {
    let pruning: Vec<Filter> =
        Filter::ALL.into_iter().filter(|filter| matches!(decision.said(*filter), Some((_, true)))).collect();
    let is_asked = decision.said(Filter::Unaffected).is_some();
    match (pruning.as_slice(), decision.affected_from_depth) {
        ([Filter::Unaffected], Some(depth)) => vec![Instead::Depth(depth), Instead::Without(Filter::Unaffected)],
        ([Filter::Unaffected], None) => vec![Instead::Without(Filter::Unaffected)],
        ([Filter::UpToDate], _) => vec![Instead::Without(Filter::UpToDate)],
        ([], Some(depth)) if is_asked && depth > 0 => vec![Instead::Depth(depth - 1)],
        _ => Vec::new(),
    }
}

/// How many jobs there would be. Beyond the last depth that is listed there is no limit any more.
fn jobs_of(instead: Instead, asked: &[(Instead, usize)]) -> Option<usize> {
    let listed = |wanted: Instead| asked.iter().find(|(known, _)| *known == wanted).map(|(_, jobs)| *jobs);
    listed(instead).or_else(|| match instead {
        Instead::Depth(depth) => {
            let is_beyond = asked.iter().all(|(known, _)| !matches!(known, Instead::Depth(known) if *known > depth));
            is_beyond.then(|| listed(Instead::NoLimit)).flatten()
        }
        Instead::NoLimit | Instead::Without(_) => None,
    })
}

/// How many more there would be.
fn difference(are: usize, would_be: usize) -> i64 {
    let count = |jobs: usize| i64::try_from(jobs).unwrap_or(i64::MAX);
    count(would_be).saturating_sub(count(are))
}
