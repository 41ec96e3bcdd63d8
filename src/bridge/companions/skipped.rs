//! Branches that were pushed and for which GitLab started no pipeline: it starts four for one push, and tells nobody about the others.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::NotAgain;
use crate::bridge::{Looked, Trouble};
use crate::ci::{Timestamp, pull_request_of, short};
use crate::forge::Sha;

/// How long GitLab may take.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SkippedRules {
    /// After a push of our own.
    pub grace: Duration,
    /// Since the head was first seen, when nobody knows when it was pushed.
    pub unknown_grace: Duration,
    /// How often one head is asked for at most.
    pub most_tries: u32,
}

impl Default for SkippedRules {
    /// Two minutes, an hour, five times.
    fn default() -> Self {
        Self { grace: Duration::from_secs(120), unknown_grace: Duration::from_secs(3_600), most_tries: 5 }
    }
}

/// A branch on GitLab.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct BranchHead {
    pub branch: Arc<str>,
    pub head: Sha,
    /// When this head was pushed, as far as that is known.
    pub pushed_at: Option<Timestamp>,
    pub first_seen: Timestamp,
    /// How many pipelines the head has.
    pub pipelines: Looked<usize>,
    /// Whether its pull request is open.
    pub is_open: Looked<bool>,
    /// How often GitLab was asked for a pipeline of this head.
    pub asked: Option<Trouble>,
}

/// Whether GitLab is asked for a pipeline, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SkippedReason {
    /// It is asked: nothing came in so long.
    Start {
        after: Duration,
    },
    HasPipeline,
    NotOurs,
    Closed,
    /// It may still come.
    Young {
        until: Timestamp,
    },
    /// It was asked for, and may still come.
    Asked {
        until: Timestamp,
        tries: u32,
        why: Arc<str>,
    },
    GaveUp {
        tries: u32,
        why: Arc<str>,
    },
    Unknown(Arc<str>),
}

impl SkippedReason {
    /// Whether something is to be done.
    pub const fn acts(&self) -> bool {
        matches!(self, Self::Start { .. })
    }

    /// A word for JSON and for filters.
    pub const fn word(&self) -> &'static str {
        match self {
            Self::Start { .. } => "start",
            Self::HasPipeline => "has_pipeline",
            Self::NotOurs => "not_ours",
            Self::Closed => "closed",
            Self::Young { .. } => "young",
            Self::Asked { .. } => "asked",
            Self::GaveUp { .. } => "gave_up",
            Self::Unknown(_) => "unknown",
        }
    }
}

impl fmt::Display for SkippedReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Start { after } => write!(f, "GitLab started no pipeline in {}", short(*after)),
            Self::HasPipeline => f.write_str("its head has a pipeline"),
            Self::NotOurs => f.write_str("it is no branch of a pull request"),
            Self::Closed => f.write_str("its pull request is closed"),
            Self::Young { until } => write!(f, "its pipeline may come until {until}"),
            Self::Asked { until, tries, why } => write!(f, "asked for {tries} times, again at {until}: {why}"),
            Self::GaveUp { tries, why } => write!(f, "asked for {tries} times in vain: {why}; start it by hand"),
            Self::Unknown(why) => write!(f, "whether it has a pipeline is not known: {why}"),
        }
    }
}

impl BranchHead {
    /// Judges one branch. A pipeline is asked for by the name of the branch, so its head has to be looked at once more before that.
    pub fn judge(&self, rules: &SkippedRules, now: Timestamp) -> SkippedReason {
        if pull_request_of(&self.branch).is_none() {
            return SkippedReason::NotOurs;
        }
        match (self.pipelines.known(), self.is_open.known()) {
            (Ok(0), Ok(true)) => {}
            (Ok(0), Ok(false)) => return SkippedReason::Closed,
            (Ok(1..), _) => return SkippedReason::HasPipeline,
            (Err(why), _) | (Ok(0), Err(why)) => return SkippedReason::Unknown(why),
        }
        let (begin, grace) = match self.pushed_at {
            Some(pushed_at) => (pushed_at, rules.grace),
            None => (self.first_seen, rules.unknown_grace),
        };
        if now < begin.plus(grace) {
            return SkippedReason::Young { until: begin.plus(grace) };
        }
        match NotAgain::of(self.asked.as_ref(), &self.head, rules.most_tries, now) {
            Some(NotAgain::Yet { until, tries, why }) => SkippedReason::Asked { until, tries, why },
            Some(NotAgain::Ever { tries, why }) => SkippedReason::GaveUp { tries, why },
            None => SkippedReason::Start { after: now.since(begin) },
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bridge::Fault;

    const NOW: Timestamp = Timestamp::from_millis(1_790_000_000_000);
    const MINUTE: i64 = 60_000;

    fn head() -> BranchHead {
        BranchHead {
            branch: "pr12_x".into(),
            head: Sha::parse(&"a".repeat(40)).unwrap(),
            pushed_at: Some(NOW.shifted(-10 * MINUTE)),
            first_seen: NOW.shifted(-10 * MINUTE),
            pipelines: Looked::Found(0),
            is_open: Looked::Found(true),
            asked: None,
        }
    }

    fn word(head: &BranchHead) -> &'static str {
        head.judge(&SkippedRules::default(), NOW).word()
    }

    #[test]
    fn a_push_without_a_pipeline_gets_one_after_the_grace_time() {
        assert_eq!(word(&head()), "start");
        assert_eq!(word(&BranchHead { pushed_at: Some(NOW.shifted(-MINUTE)), ..head() }), "young");
        assert_eq!(word(&BranchHead { pipelines: Looked::Found(1), ..head() }), "has_pipeline");
        assert_eq!(word(&BranchHead { is_open: Looked::Found(false), ..head() }), "closed");
        for other in ["develop", "xpr12_x", "releases/pr1", "pr+1_x"] {
            assert_eq!(word(&BranchHead { branch: other.into(), ..head() }), "not_ours");
        }
    }

    #[test]
    fn a_push_that_nobody_saw_gets_an_hour() {
        let unseen = BranchHead { pushed_at: None, ..head() };
        assert_eq!(word(&unseen), "young");
        assert_eq!(word(&BranchHead { first_seen: NOW.shifted(-61 * MINUTE), ..unseen }), "start");
    }

    #[test]
    fn what_is_not_known_starts_nothing() {
        let fault = || Fault { why: "502 Bad Gateway".into(), passes: true };
        for unknown in [
            BranchHead { pipelines: Looked::NotYet, ..head() },
            BranchHead { pipelines: Looked::Failed(fault()), ..head() },
            BranchHead { is_open: Looked::Failed(fault()), ..head() },
        ] {
            assert_eq!(word(&unknown), "unknown");
        }
    }

    #[test]
    fn one_head_is_asked_for_a_few_times_and_another_one_starts_afresh() {
        let mut asked = None;
        let mut now = NOW;
        let mut starts = 0;
        for _ in 0..600 {
            let this = BranchHead { asked: asked.clone(), ..head() };
            if this.judge(&SkippedRules::default(), now).acts() {
                starts += 1;
                asked = Some(Trouble::again(asked.as_ref(), &this.head, "400 No stages / jobs", now));
            }
            now = now.shifted(MINUTE);
        }
        assert_eq!(starts, 5);
        let given_up = BranchHead { asked, ..head() };
        assert_eq!(given_up.judge(&SkippedRules::default(), now).word(), "gave_up");
        let newer = BranchHead { head: Sha::parse(&"b".repeat(40)).unwrap(), ..given_up };
        assert_eq!(newer.judge(&SkippedRules::default(), now).word(), "start");
    }
}
