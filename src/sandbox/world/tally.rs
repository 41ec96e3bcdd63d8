//! How many newest jobs of a pipeline are in which status, and what status that gives the pipeline.
//!
//! The rules are GitLab's composite status, checked one after the other in its order.

use crate::ci::Status;

/// Counts by status; failures that are allowed count as warnings.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally([u32; 14]);

const WARNING: usize = 13;

fn slot(status: Status, allow_failure: bool) -> usize {
    match status {
        Status::Failed if allow_failure => WARNING,
        _ => Status::KNOWN.iter().position(|s| *s == status).unwrap_or(0),
    }
}

impl Tally {
    pub fn add(&mut self, status: Status, allow_failure: bool) {
        if let Some(count) = self.0.get_mut(slot(status, allow_failure)) {
            *count += 1;
        }
    }

    pub fn remove(&mut self, status: Status, allow_failure: bool) {
        if let Some(count) = self.0.get_mut(slot(status, allow_failure)) {
            *count = count.saturating_sub(1);
        }
    }

    fn count(&self, status: Status) -> u32 {
        self.0.get(slot(status, false)).copied().unwrap_or(0)
    }

    fn warnings(&self) -> u32 {
        self.0.get(WARNING).copied().unwrap_or(0)
    }

    fn any(&self, statuses: &[Status]) -> bool {
        statuses.iter().any(|s| self.count(*s) > 0)
    }

    /// Nothing but these and warnings.
    fn only(&self, statuses: &[Status]) -> bool {
        self.0.iter().sum::<u32>() == self.warnings() + statuses.iter().map(|s| self.count(*s)).sum::<u32>()
    }

    /// The status of the pipeline.
    pub fn composite(&self) -> Status {
        use Status::{Canceled, Canceling, Created, Failed, Manual, Pending, Running, Scheduled, Skipped, Success};
        if self.only(&[Skipped]) {
            return if self.warnings() > 0 { Success } else { Skipped };
        }
        for (only, gives) in [
            (&[Success, Skipped][..], Success),
            (&[Created], Created),
            (&[Canceled, Success, Skipped], Canceled),
            (&[Pending, Created, Skipped], Pending),
        ] {
            if self.only(only) {
                return gives;
            }
        }
        for (any, gives) in [
            (&[Running, Pending][..], Running),
            (&[Canceling], Canceling),
            (&[Manual], Manual),
            (&[Scheduled], Scheduled),
            (&[Created], Running),
        ] {
            if self.any(any) {
                return gives;
            }
        }
        Failed
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use Status::{Canceled, Canceling, Created, Failed, Manual, Pending, Running, Skipped, Success};

    #[test]
    fn composite_status_is_gitlabs() {
        for (jobs, want) in [
            (&[Success, Success][..], Success),
            (&[Success, Skipped], Success),
            (&[Created, Created], Created),
            (&[Created, Pending], Pending),
            (&[Created, Success], Running),
            (&[Failed, Running], Running),
            (&[Failed, Created], Running),
            (&[Failed, Success, Skipped], Failed),
            (&[Canceled, Success], Canceled),
            (&[Canceled, Failed], Failed),
            (&[Canceling, Canceled], Canceling),
            (&[Manual, Success], Manual),
            (&[Skipped], Skipped),
        ] {
            let mut tally = Tally::default();
            for status in jobs {
                tally.add(*status, false);
            }
            assert_eq!(tally.composite(), want, "{jobs:?}");
        }
    }

    #[test]
    fn an_allowed_failure_is_a_success() {
        let mut tally = Tally::default();
        tally.add(Failed, true);
        tally.add(Success, false);
        assert_eq!(tally.composite(), Success);
        tally.add(Pending, false);
        tally.remove(Pending, false);
        assert_eq!(tally.composite(), Success);
    }
}
