//! What looks after the bridge: each duty is a loop of its own that makes good what GitLab does not do by itself.
//!
//! * [`Skipped`] starts pipelines that GitLab did not start, [`Triggers`] retries trigger jobs that died, [`Stuck`] cancels pipelines that
//!   never end and starts them anew, [`Stale`] deletes old branches by a plan that people have reviewed.
//! * A pass lists, lets the pure room [`crate::bridge::companions`] judge, looks once more at each thing just before it acts, and acts. What
//!   is not known is never acted on; what the time is, only GitLab says.
//! * Nothing is sent before its row of the audit is on disk. What is asked for is noted before it is asked, so that a pass that dies in the
//!   middle, or another one beside it, does not ask twice: it finds the note, and looks what became of it.
//! * A fault of one thing is its own, and told. A dry run asks only questions, and writes nothing down.

mod deed;
mod notes;
mod report;
mod rounds;
mod skipped;
mod stale;
mod stuck;
mod triggers;

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

pub use notes::DryNotes;
pub use report::{Item, Report};
pub use rounds::{NAME, Rounds};
pub use skipped::Skipped;
pub use stale::{Stale, StaleError};
pub use stuck::Stuck;
pub use triggers::Triggers;

use crate::adapters::clock::Clock;
use crate::adapters::github::GitHub;
use crate::adapters::gitlab::GitLab;
use crate::adapters::gitlab::bridge::reason;
use crate::adapters::store::{Store, StoreError};
use crate::bridge::Looked;
use crate::bridge::companions::skipped::SkippedRules;
use crate::bridge::companions::stuck::LongPipeline;
use crate::bridge::companions::triggers::TriggerJob;
use crate::console::actions;
use crate::console::fault::{Fault, FaultKind};
use crate::forge::{PrNumber, PrState};

/// What the companions stand between, and what they are told.
pub struct Outside {
    /// The project on GitLab; what is remembered goes by this name.
    pub name: Arc<str>,
    pub gitlab: GitLab,
    pub github: GitHub,
    pub store: Store,
    pub rules: Rules,
    /// What bounds every action; guardrails speak about retries here as well.
    pub guards: actions::Rules,
    pub clock: Arc<dyn Clock>,
    /// What dry passes of this process remember.
    pub dry: DryNotes,
}

/// How long is waited, and how much one pass may do.
#[derive(Debug, Clone)]
pub struct Rules {
    pub skipped: SkippedRules,
    /// How long after its last change a parent is searched for dead trigger jobs.
    pub triggers_within: Duration,
    /// How long a pipeline may run.
    pub stuck_after: Duration,
    /// How often the same is asked for.
    pub most_tries: u32,
    /// So many things are changed in one pass; the rest in the next.
    pub most_acts: usize,
}

impl Default for Rules {
    fn default() -> Self {
        let skipped = SkippedRules::default();
        Self {
            most_tries: skipped.most_tries,
            skipped,
            triggers_within: TriggerJob::WINDOW,
            stuck_after: LongPipeline::MOST,
            most_acts: 50,
        }
    }
}

/// The duties that need nobody to ask for them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Duty {
    Skipped,
    Triggers,
    Stuck,
}

impl Duty {
    pub const ALL: [Self; 3] = [Self::Skipped, Self::Triggers, Self::Stuck];

    /// Its word for the command line, for JSON and in the audit.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Skipped => "skipped",
            Self::Triggers => "triggers",
            Self::Stuck => "stuck",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|duty| duty.word() == word)
    }

    /// One pass of it.
    pub async fn pass(
        self,
        outside: &Arc<Outside>,
        dry_run: bool,
        is_asked_to_stop: &Stop<'_>,
    ) -> Result<Report, Fault> {
        let outside = Arc::clone(outside);
        match self {
            Self::Skipped => Skipped::new(outside).pass(dry_run, is_asked_to_stop).await,
            Self::Triggers => Triggers::new(outside).pass(dry_run, is_asked_to_stop).await,
            Self::Stuck => Stuck::new(outside).pass(dry_run, is_asked_to_stop).await,
        }
    }
}

impl fmt::Display for Duty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

/// Asked between two things that change something.
pub type Stop<'a> = dyn Fn() -> bool + Sync + 'a;

/// The pull requests that GitHub listed as open.
struct OpenNow {
    listed: BTreeSet<u64>,
    /// Why others may be open as well.
    missing: Option<crate::bridge::Fault>,
}

impl OpenNow {
    fn has(&self, number: u64) -> Looked<bool> {
        match &self.missing {
            _ if self.listed.contains(&number) => Looked::Found(true),
            Some(fault) => Looked::Failed(fault.clone()),
            None => Looked::Found(false),
        }
    }

    fn all(self) -> Looked<BTreeSet<u64>> {
        match self.missing {
            Some(fault) => Looked::Failed(fault),
            None => Looked::Found(self.listed),
        }
    }
}

impl Outside {
    /// Every open pull request, a hundred with each request.
    async fn open_now(&self) -> OpenNow {
        match self.github.open_prs().await {
            Ok(open) => {
                let missing = open.left_out.first().map(|first| {
                    let why = format!("{} pull requests could not be read: {first}", open.left_out.len());
                    crate::bridge::Fault { why: why.into(), passes: true }
                });
                OpenNow { listed: open.prs.iter().map(|seen| seen.pr.number.0).collect(), missing }
            }
            Err(fault) => OpenNow { listed: BTreeSet::new(), missing: Some(reason(&fault)) },
        }
    }

    /// Whether a pull request is open right now.
    async fn is_open(&self, number: u64) -> Looked<bool> {
        match self.github.pr(PrNumber(number)).await {
            Ok(pr) => Looked::Found(pr.state == PrState::Open),
            Err(fault) => Looked::Failed(reason(&fault)),
        }
    }

    /// Whether GitLab wants to be left alone for now.
    fn is_silenced(&self) -> bool {
        self.gitlab.stats().limited_until.is_some()
    }
}

/// The store's failure ends a pass: what cannot be remembered must not be done.
fn local(error: &StoreError) -> Fault {
    Fault::new(FaultKind::Local, "remember what the companions do", error.to_string())
}
