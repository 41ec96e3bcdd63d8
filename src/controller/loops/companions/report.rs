//! What a pass came to, for people and for scripts.

use std::collections::BTreeMap;
use std::time::Instant;

use serde::Serialize;

use super::Outside;
use crate::ci::Timestamp;
use crate::console::actions::Outcome;
use crate::console::fault::Fault;
use crate::console::text::clean;
use crate::controller::loops::bridge::Requests;

/// A pass of one duty.
#[derive(Debug, Clone, Serialize)]
pub struct Report {
    pub version: &'static str,
    pub duty: &'static str,
    /// By GitLab's clock.
    pub at: Timestamp,
    pub dry_run: bool,
    /// How many there are of each verdict.
    pub verdicts: BTreeMap<&'static str, usize>,
    /// What something is done about, what nothing more is done about, and what is not known.
    pub items: Vec<Item>,
    pub requests: Requests,
    pub seconds: f64,
    /// What failed, each in a line; everything else was done all the same.
    pub troubles: Vec<String>,
}

/// One thing, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Item {
    /// The branch, the pipeline or the job.
    pub subject: String,
    pub verdict: &'static str,
    /// Why, in a sentence.
    pub told: String,
    /// None where nothing was to be done, and in a dry run.
    #[serde(flatten)]
    pub outcome: Option<Outcome>,
}

impl Item {
    pub fn new(subject: &str, verdict: &'static str, told: impl ToString) -> Self {
        let (subject, told) = (clean(subject).into_owned(), clean(&told.to_string()).into_owned());
        Self { subject, verdict, told, outcome: None }
    }

    pub fn with(self, outcome: Outcome) -> Self {
        Self { outcome: Some(outcome), ..self }
    }
}

impl Report {
    /// How many things were done, whatever they came to.
    pub fn acted(&self) -> usize {
        self.items.iter().filter(|item| item.outcome.is_some()).count()
    }

    /// Whether everything was found out and everything that was sent was done.
    pub fn is_clean(&self) -> bool {
        let is_bad = |item: &&Item| {
            matches!(item.outcome, Some(Outcome::Failed { .. } | Outcome::Uncertain { .. }))
                || item.verdict == "unknown"
        };
        self.troubles.is_empty() && !self.items.iter().any(|item| is_bad(&item))
    }

    /// `skipped: 1 start, 4 has_pipeline, 30 not_ours`
    pub fn summary(&self) -> String {
        let verdicts: Vec<String> = self.verdicts.iter().map(|(word, count)| format!("{count} {word}")).collect();
        let verdicts = if verdicts.is_empty() { "nothing to look at".to_owned() } else { verdicts.join(", ") };
        let trouble =
            if self.troubles.is_empty() { String::new() } else { format!("; {} failed", self.troubles.len()) };
        format!("{}: {verdicts}{trouble}", self.duty)
    }
}

/// A pass that is under way.
pub(super) struct Begun<'a> {
    outside: &'a Outside,
    before: Requests,
    began: Instant,
    report: Report,
}

impl Outside {
    pub(super) fn requests(&self) -> Requests {
        Requests { github: self.github.requests(), gitlab: self.gitlab.stats().requests, git: 0 }
    }

    /// Begins a pass, at the time that GitLab has.
    pub(super) async fn begin(&self, duty: &'static str, dry_run: bool) -> Result<Begun<'_>, Fault> {
        let (before, at) = (self.requests(), self.gitlab.server_now().await?);
        let report = Report {
            version: "stackhand.companions/1",
            duty,
            at,
            dry_run,
            verdicts: BTreeMap::new(),
            items: Vec::new(),
            requests: Requests::default(),
            seconds: 0.0,
            troubles: Vec::new(),
        };
        Ok(Begun { outside: self, before, began: Instant::now(), report })
    }
}

impl Begun<'_> {
    pub const fn at(&self) -> Timestamp {
        self.report.at
    }

    /// Counts what is worth no line.
    pub fn count(&mut self, verdict: &'static str) {
        *self.report.verdicts.entry(verdict).or_default() += 1;
    }

    pub fn tell(&mut self, item: Item) {
        self.count(item.verdict);
        self.report.items.push(item);
    }

    pub fn trouble(&mut self, what: impl ToString) {
        self.report.troubles.push(clean(&what.to_string()).into_owned());
    }

    /// An answer, or none with a line about why.
    pub fn told<T>(&mut self, answer: Result<T, Fault>) -> Option<T> {
        answer.inspect_err(|fault| self.trouble(fault)).ok()
    }

    pub fn end(self) -> Report {
        let mut report = self.report;
        report.requests = self.outside.requests().since(self.before);
        report.seconds = (self.began.elapsed().as_secs_f64() * 1_000.0).round() / 1_000.0;
        report
    }
}
