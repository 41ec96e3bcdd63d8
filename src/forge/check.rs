//! Check runs: what other services say about a commit.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::ci::Timestamp;

/// One run of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CheckRun {
    pub name: Arc<str>,
    /// None while it has not ended.
    pub conclusion: Option<Conclusion>,
    pub completed_at: Option<Timestamp>,
}

/// How a check run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Conclusion {
    ActionRequired,
    Cancelled,
    Failure,
    Neutral,
    Skipped,
    Stale,
    StartupFailure,
    Success,
    TimedOut,
    /// A word that this version does not know. Never a success.
    #[serde(other)]
    Unknown,
}

impl Conclusion {
    /// Reads the lower-case word of REST or the upper-case one of GraphQL.
    pub fn parse(text: &str) -> Self {
        let known = [
            ("action_required", Self::ActionRequired),
            ("cancelled", Self::Cancelled),
            ("failure", Self::Failure),
            ("neutral", Self::Neutral),
            ("skipped", Self::Skipped),
            ("stale", Self::Stale),
            ("startup_failure", Self::StartupFailure),
            ("success", Self::Success),
            ("timed_out", Self::TimedOut),
        ];
        let same = known.into_iter().find(|(word, _)| word.eq_ignore_ascii_case(text));
        same.map_or(Self::Unknown, |(_, conclusion)| conclusion)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_parse_and_a_new_word_is_no_success() {
        assert_eq!(Conclusion::parse("SUCCESS"), Conclusion::Success);
        assert_eq!(Conclusion::parse("action_required"), Conclusion::ActionRequired);
        assert_eq!(Conclusion::parse("MOSTLY_FINE"), Conclusion::Unknown);
        assert_eq!(serde_json::from_str::<Conclusion>("\"mostly_fine\"").unwrap(), Conclusion::Unknown);
    }
}
