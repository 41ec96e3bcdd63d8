//! Up to where GitLab's pipelines were read: a moment of GitLab's clock, never of ours.

use std::collections::HashSet;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{PipelineSeen, StatusHeld, StatusSource};
use crate::ci::Timestamp;

/// The newest update that is known to have been read and written down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Watermark(pub Timestamp);

impl Watermark {
    /// What several updates in one second, and lists that move while they are read, may hide.
    const OVERLAP: Duration = Duration::from_secs(120);

    /// Since when to ask.
    pub fn since(self) -> Timestamp {
        self.0.shifted(-(Self::OVERLAP.as_millis() as i64))
    }

    /// The next watermark. It never moves back, and not at all when the list was not read to its end: whatever is missing there would never be
    /// asked for again.
    pub fn after(before: Option<Self>, pipelines: &[PipelineSeen], is_whole: bool) -> Option<Self> {
        let newest = pipelines.iter().filter_map(|pipeline| pipeline.updated_at).max().map(Self);
        if is_whole { before.max(newest) } else { before }
    }

    /// The same after a pass: it stops before the first pipeline that GitHub was not told about, because its status is held back or is among the
    /// `unposted`. What GitHub will never take is owed no longer.
    pub fn past(
        before: Option<Self>,
        pipelines: &[PipelineSeen],
        held: &[StatusHeld],
        unposted: &[StatusSource],
        is_whole: bool,
    ) -> Option<Self> {
        let held = held.iter().filter(|held| !held.why.is_final()).map(|held| &held.source);
        let owed: HashSet<&StatusSource> = held.chain(unposted).collect();
        let mut next = Self::after(before, pipelines, is_whole);
        for seen in pipelines.iter().filter(|seen| owed.contains(&StatusSource::Pipeline(seen.id))) {
            // Without a moment there is no place to stop at.
            let Some(at) = seen.updated_at else { return before };
            next = next.map(|next| next.min(Self(at)));
        }
        next.max(before)
    }
}
