//! What a bridge remembers from pass to pass, so that what did not change costs nothing.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::{
    Ancestry, Looked, Merge, PassOutput, PrDecision, PrInput, RefDecision, RefKind, TestMerge, Trouble, Verdict,
};
use crate::ci::Timestamp;
use crate::forge::{PrNumber, Sha};

/// What was found out about one pull request or ref. Each fact names the commits that it is about, so an old one does no harm.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Note {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ancestry: Option<Ancestry>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub merge: Option<Merge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub test_merge: Option<TestMerge>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trouble: Option<Trouble>,
}

impl Note {
    /// What is worth keeping of a pull request. Another head than was asked for is looked at again.
    pub fn of(input: &PrInput) -> Self {
        Self {
            ancestry: input.ancestry.found().filter(|found| found.fetched == found.asked).cloned(),
            merge: input.merge.found().cloned(),
            test_merge: input.test_merge.found().filter(|found| found.fetched == found.asked).cloned(),
            trouble: input.trouble.clone(),
        }
    }

    /// Puts it beside what was listed.
    pub fn recall(self, input: &mut PrInput) {
        input.ancestry = found(self.ancestry);
        input.merge = found(self.merge);
        input.test_merge = found(self.test_merge);
        input.trouble = self.trouble;
    }

    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn found<T>(fact: Option<T>) -> Looked<T> {
    fact.map_or(Looked::NotYet, Looked::Found)
}

/// Somebody wants a head to be pushed again, whatever held it up.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resync {
    pub pr: PrNumber,
    pub head: Sha,
    pub who: Arc<str>,
    pub at: Timestamp,
}

impl Resync {
    /// Whether a pass leaves nothing to do: `decided` is what it decided about this head, `None` when it is not open or has another one by now;
    /// `settled` are refs that GitLab took or refused.
    pub fn is_done(&self, decided: Option<&PrDecision>, settled: &[String]) -> bool {
        let Some(decision) = decided.filter(|decision| decision.head == self.head) else { return true };
        match &decision.update {
            Some(update) => settled.iter().any(|name| *name == update.name.as_str()),
            // What is waited for may come.
            None => !matches!(decision.verdict(), Verdict::Look | Verdict::Wait),
        }
    }
}

/// What a note or a decision is about.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Subject {
    Pr(PrNumber),
    Ref(RefKind, Arc<str>),
}

impl fmt::Display for Subject {
    /// `pr 51234`, `refs/heads/develop`, `refs/tags/v1.0`
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pr(number) => write!(f, "pr {number}"),
            Self::Ref(kind, name) => write!(f, "{}{name}", kind.folder()),
        }
    }
}

/// A decision as it is written down.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Decided {
    pub at: Timestamp,
    #[serde(skip)]
    pub subject: String,
    pub head: Sha,
    /// The word of a [`Verdict`].
    pub verdict: Arc<str>,
    /// The word of its reason.
    pub reason: Arc<str>,
    /// The reason as a sentence.
    pub told: Arc<str>,
}

impl Decided {
    fn new(at: Timestamp, subject: &Subject, head: &Sha, verdict: Verdict, reason: &str, told: String) -> Self {
        let (verdict, reason) = (verdict.word().into(), reason.into());
        Self { at, subject: subject.to_string(), head: head.clone(), verdict, reason, told: told.into() }
    }

    pub fn of_pr(decision: &PrDecision, at: Timestamp) -> Self {
        let PrDecision { pr, head, reason, .. } = decision;
        Self::new(at, &Subject::Pr(*pr), head, decision.verdict(), reason.word(), reason.to_string())
    }

    pub fn of_ref(decision: &RefDecision, at: Timestamp) -> Self {
        let RefDecision { kind, name, target, reason, .. } = decision;
        let subject = Subject::Ref(*kind, name.clone());
        Self::new(at, &subject, target, decision.verdict(), reason.word(), reason.to_string())
    }

    /// Everything that a pass decided.
    pub fn all(output: &PassOutput, at: Timestamp) -> Vec<Self> {
        let refs = output.branches.iter().chain(&output.tags).map(|one| Self::of_ref(one, at));
        output.prs.iter().map(|one| Self::of_pr(one, at)).chain(refs).collect()
    }
}
