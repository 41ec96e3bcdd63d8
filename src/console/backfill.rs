//! Which page of failed jobs to ask for next, so that the failures of the last days become known without reading
//! anything twice.
//!
//! GitLab lists the failed jobs of a project newest first, by time of creation, and names with each page where the next
//! one begins. It cannot be asked for a day. So what was read is kept as spans of creation time, each with the place
//! where reading goes on below it; a gap is read from the span above it downwards. A job that was created lately may
//! still fail: what is younger than `settle` counts as read only as long as this plan lives, and is never kept.
//!
//! The one who reads asks [`Backfill::step`], stores the page's failures, hands over [`Backfill::answered`], and keeps
//! what that returns.

use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use crate::ci::Timestamp;

/// A span of creation time of which all failed jobs are known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Covered {
    pub from: Timestamp,
    /// Excluded.
    pub to: Timestamp,
    /// The page that begins below `from`, in the words of the one who reads. `None`: the list has to be read from its
    /// top to get there.
    pub next: Option<Arc<str>>,
}

/// Adds a span to others. Spans that overlap or touch become one; the result is in order, the newest first.
pub fn merge(spans: impl IntoIterator<Item = Covered>, added: Covered) -> Vec<Covered> {
    let mut all: Vec<Covered> = spans.into_iter().chain([added]).filter(|span| span.from < span.to).collect();
    // Where two begin alike, the one that knows how to go on comes first, and of two that know, the newer: the sort is
    // stable.
    all.reverse();
    all.sort_by_key(|span| (span.from, span.next.is_none()));
    let mut merged: Vec<Covered> = Vec::with_capacity(all.len());
    for span in all {
        match merged.last_mut() {
            Some(below) if span.from <= below.to => below.to = below.to.max(span.to),
            _ => merged.push(span),
        }
    }
    merged.reverse();
    merged
}

/// How far back failures shall be known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Wanted {
    /// By the server's clock.
    pub now: Timestamp,
    pub back: Duration,
    /// What is older would be forgotten at once.
    pub retention: Duration,
    /// How long after its creation a job may still fail: what is younger is read again next time.
    pub settle: Duration,
}

/// How long a job of Spack's may wait and run.
pub const SETTLE: Duration = Duration::from_hours(24);

impl Wanted {
    /// Creation time from which on all shall be known.
    pub fn from(&self) -> Timestamp {
        before(self.now, self.back.min(self.retention))
    }

    fn settled(&self) -> Timestamp {
        before(self.now, self.settle)
    }
}

/// A page to ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    /// Where it begins, as an earlier answer said; `None`: the first page of the list.
    pub page: Option<Arc<str>>,
    /// What is looked for: jobs that were created in this span, its end excluded. Others on the page are known or not
    /// wanted.
    pub from: Timestamp,
    pub to: Timestamp,
}

/// What to do next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step {
    Ask(Ask),
    /// There is more to ask for, but no request left.
    OutOfBudget,
    /// All that is wanted is known.
    Done,
}

/// What an answer held, beside its jobs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// When the oldest job of the page was created; `None` when the page is empty.
    pub oldest: Option<Timestamp>,
    /// The page after this one; `None` when the list is at its end.
    pub next: Option<Arc<str>>,
}

/// An answer that leads nowhere.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("GitLab names the same page of failed jobs twice in a row; end the reading, and start it again later")]
pub struct Stalled;

/// A reading of the past, from one page to the next.
#[derive(Debug, Clone)]
pub struct Backfill {
    wanted: Wanted,
    /// What is known, the newest first: what was kept, and what this plan has read.
    known: Vec<Covered>,
    budget: u32,
    /// On the way to a gap through what is known, because no place nearer to it was known.
    on_the_way: Option<Arc<str>>,
}

impl Backfill {
    /// A plan that may ask so many times.
    pub fn new(kept: impl IntoIterator<Item = Covered>, wanted: Wanted, budget: u32) -> Self {
        let mut known = Vec::new();
        for span in kept {
            known = merge(known, span);
        }
        Self { wanted, known, budget, on_the_way: None }
    }

    /// The next page. Each call that returns one costs a request, also when it is never answered: then the same page
    /// comes again.
    pub fn step(&mut self) -> Step {
        let Some(ask) = self.ask() else { return Step::Done };
        let Some(left) = self.budget.checked_sub(1) else { return Step::OutOfBudget };
        self.budget = left;
        Step::Ask(ask)
    }

    /// Takes an answer; the failures of its jobs have been stored. Returns what is now known for good, to be kept.
    pub fn answered(&mut self, ask: &Ask, answer: Answer) -> Result<Option<Covered>, Stalled> {
        let Some(next) = answer.next else {
            // Nothing is older: down to what was wanted, all is known.
            return Ok(self.learn(ask, ask.from, None));
        };
        if ask.page.as_ref() == Some(&next) {
            return Err(Stalled);
        }
        // Jobs that were created at the same moment as the page's oldest may stand on the next page.
        let from = answer.oldest.map_or(ask.to, |oldest| oldest.shifted(1));
        if from >= ask.to {
            self.on_the_way = Some(next);
            return Ok(None);
        }
        Ok(self.learn(ask, from, Some(next)))
    }

    /// Allows more requests.
    pub fn refill(&mut self, requests: u32) {
        self.budget = self.budget.saturating_add(requests);
    }

    /// How much creation time is still to be read.
    pub fn left(&self) -> Duration {
        let (from, to) = (self.wanted.from(), self.wanted.now);
        let known = self.known.iter().map(|span| span.to.min(to).since(span.from.max(from))).sum();
        to.since(from).saturating_sub(known)
    }

    fn learn(&mut self, ask: &Ask, from: Timestamp, next: Option<Arc<str>>) -> Option<Covered> {
        let read = Covered { from, to: ask.to, next };
        self.on_the_way = None;
        self.known = merge(std::mem::take(&mut self.known), read.clone());
        let kept = Covered { to: read.to.min(self.wanted.settled()), ..read };
        (kept.from < kept.to).then_some(kept)
    }

    /// The newest gap and the page to read it from.
    fn ask(&self) -> Option<Ask> {
        let bottom = self.wanted.from();
        let mut to = self.wanted.now;
        let mut page = None;
        for span in &self.known {
            if span.to < to {
                break;
            }
            to = to.min(span.from);
            page = span.next.as_ref();
        }
        let below = self.known.iter().map(|span| span.to).find(|end| *end < to);
        let from = below.map_or(bottom, |end| end.max(bottom));
        (from < to).then(|| Ask { page: self.on_the_way.as_ref().or(page).cloned(), from, to })
    }
}

fn before(now: Timestamp, length: Duration) -> Timestamp {
    now.shifted(i64::try_from(length.as_millis()).map_or(i64::MIN, |millis| -millis))
}

#[cfg(test)]
#[path = "backfill_tests.rs"]
mod tests;
