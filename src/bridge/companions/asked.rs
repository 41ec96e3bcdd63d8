//! What GitLab was asked for before, in vain: whether it is asked once more.

use std::fmt;
use std::sync::Arc;

use crate::bridge::Trouble;
use crate::ci::Timestamp;
use crate::forge::Sha;

/// Why it is not asked now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NotAgain {
    /// What was asked for may still come.
    Yet { until: Timestamp, tries: u32, why: Arc<str> },
    /// It was asked often enough.
    Ever { tries: u32, why: Arc<str> },
}

impl NotAgain {
    /// Judges what is remembered about a commit; another commit starts afresh.
    pub fn of(asked: Option<&Trouble>, about: &Sha, most_tries: u32, now: Timestamp) -> Option<Self> {
        let asked = asked.filter(|asked| asked.about == *about)?;
        let (tries, why) = (asked.tries, asked.why.clone());
        if asked.holds(about, now) {
            return Some(Self::Yet { until: asked.until(), tries, why });
        }
        (tries >= most_tries).then_some(Self::Ever { tries, why })
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Yet { .. } => "asked",
            Self::Ever { .. } => "gave_up",
        }
    }
}

impl fmt::Display for NotAgain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yet { until, tries, why } => write!(f, "asked for {tries} times, again at {until}: {why}"),
            Self::Ever { tries, why } => write!(f, "asked for {tries} times in vain: {why}; start it by hand"),
        }
    }
}
