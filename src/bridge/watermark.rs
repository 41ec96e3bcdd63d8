//! Up to where GitLab's pipelines were read: a moment of GitLab's clock, never of ours.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::PipelineSeen;
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
}
