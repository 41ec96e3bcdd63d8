//! Looks at every child pipeline that a generate job wrote, minutes after it was written, and says which jobs will fail for want of something that
//! is neither built nor cached: hours before they do.
//!
//! A pass asks for the parents that changed since the last one and, while their generate jobs run, for those; each generate job that ended is
//! looked at once: two artifacts, and the indexes of the caches that its jobs install from. What an index does not list is asked for by name. What
//! cannot be read is unknown, and tried again in later passes. Nothing outside is changed.

mod pass;
mod rounds;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

pub use pass::Report;
pub use rounds::{NAME, Rounds};

use crate::adapters::gitlab::GitLab;
use crate::adapters::mirror::Reader;
use crate::adapters::store::{Store, StoreError};
use crate::ci::{Pipeline, PipelineId, Timestamp};
use crate::console::fault::{Fault, FaultKind};
use crate::generation::check::Ledger;
use crate::generation::{DESTINATION, Mirror, SOURCE};

/// What the loop asks, and where it writes down what it found.
pub struct Outside {
    /// The project on GitLab; what is remembered goes by this name.
    pub name: Arc<str>,
    pub gitlab: GitLab,
    pub mirrors: Arc<Reader>,
    pub store: Store,
    pub caches: Caches,
    /// How old a pipeline may be at the first look.
    pub window: Duration,
}

/// Where the jobs of a stack find binaries.
#[derive(Debug, Clone)]
pub struct Caches {
    /// Of `develop` and releases: the cache of a stack lies below its ref.
    pub protected: Arc<str>,
    /// Of pull requests: the cache of a stack lies below project and ref.
    pub prs: Arc<str>,
    /// What pull requests go into, as far as caches know.
    pub target: Arc<str>,
}

impl Caches {
    /// The mirrors of a stack's jobs, as Spack's root pipeline configures them (generation §1.2). `project` is the last part of its path.
    pub fn of(&self, project: &str, pipeline: &Pipeline, stack: &str) -> Vec<Mirror> {
        let (protected, git_ref) = (self.protected.trim_end_matches('/'), &pipeline.git_ref);
        if pipeline.pull_request().is_none() {
            return vec![Mirror::at(DESTINATION, &format!("{protected}/{git_ref}/{stack}"))];
        }
        let own = format!("{}/{project}/{git_ref}/{stack}", self.prs.trim_end_matches('/'));
        vec![Mirror::at(SOURCE, &format!("{protected}/{}/{stack}", self.target)), Mirror::at(DESTINATION, &own)]
    }
}

/// The loop at work.
pub struct Generations {
    outside: Outside,
    ledger: Ledger,
    /// Since when, by GitLab's clock, changed parents were not asked for.
    since: Option<Timestamp>,
    /// Parents whose generate jobs have not all ended.
    open: BTreeMap<PipelineId, Pipeline>,
    /// Those of which nothing more is to be found out, with when they had changed last.
    settled: BTreeMap<PipelineId, Option<Timestamp>>,
}

impl Generations {
    /// Goes on where the last process was.
    pub async fn begin(outside: Outside) -> Result<Self, Fault> {
        let ledger = recall(&outside.store, &outside.name).await?.unwrap_or_default();
        Ok(Self { outside, ledger, since: None, open: BTreeMap::new(), settled: BTreeMap::new() })
    }
}

/// What was written down about a project's generations; `None`: nothing, or by another version.
pub async fn recall(store: &Store, project: &str) -> Result<Option<Ledger>, Fault> {
    let text = store.get_meta(&key(project)).await.map_err(|error| local(&error))?;
    Ok(text.and_then(|text| serde_json::from_str(&text).ok()))
}

fn key(project: &str) -> String {
    format!("generation.checks {project}")
}

fn local(error: &StoreError) -> Fault {
    Fault::new(FaultKind::Local, "remember what was generated", error.to_string())
}
