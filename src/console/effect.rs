//! What the core asks of the outside: plain data, so that tests compare it, the audit prints it and nothing is hidden in a closure.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::actions::{Plan, PlanId, Target, Verb};
use super::audit::AuditRow;
use super::caches::RootId;
use super::durations::Took;
use super::failures::{Ack, Allowance, LaterTry, PipelineEnd};
use super::log::PageNo;
use super::loops::LoopOrder;
use crate::ci::{Iid, JobId, PipelineId, Timestamp};
use crate::forge::PrNumber;
use crate::spack::Hash;
use crate::taxonomy::{Draft, Failure, JobFacts};

/// Something that is read again and again; names its schedule, its failures and its place in the queue.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Fetch {
    /// The list of parent pipelines.
    Pipelines,
    TriggerJobs(PipelineId),
    Jobs(PipelineId),
    Needs(PipelineId),
    /// Why a child pipeline is what it is.
    Report(PipelineId),
    /// Why jobs failed: GraphQL lists leave it out.
    FailureReasons,
    Log(JobId),
    /// Why a job failed, by its log.
    Verdict(JobId),
    /// What the store remembers of the last days.
    History,
    /// How big the binary caches are.
    Caches,
    /// What lies in one of their roots.
    Cache(RootId),
    /// Who signed a binary in one of them.
    Signature(RootId, Hash),
    /// What the bridge wrote down about all pull requests.
    Board,
    /// What it decided about one.
    Story(PrNumber),
}

/// A fetch with all that the executor needs to do it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Order {
    Pipelines {
        limit: usize,
    },
    TriggerJobs {
        parent: PipelineId,
    },
    /// Jobs of several pipelines; with a token they travel in one GraphQL request.
    Jobs {
        batch: Vec<(PipelineId, Option<Iid>)>,
    },
    Needs {
        pipeline: PipelineId,
        iid: Option<Iid>,
        generate: Option<JobId>,
        stack: Option<Arc<str>>,
    },
    Report {
        pipeline: PipelineId,
        generate: Option<JobId>,
        stack: Option<Arc<str>>,
    },
    FailureReasons,
    Log {
        job: JobId,
        web_url: Option<Arc<str>>,
        /// Pass on what is on disk already, too.
        replay: bool,
    },
    /// Ask the store for the last days before this moment of the server's.
    History {
        until: Timestamp,
    },
    /// List all mirrors of binary caches, and add up.
    Caches {
        mirrors: Vec<Arc<str>>,
    },
    /// Read what lies in one root.
    Cache {
        root: RootId,
        url: Arc<str>,
    },
    /// Verify one binary of a root.
    Signature {
        root: RootId,
        url: Arc<str>,
        hash: Hash,
        /// Of its manifest, below the root.
        path: Arc<str>,
        /// 2 or 3.
        layout: u8,
    },
    /// `known`: when the board was made that need not be told again.
    Board {
        known: Option<Timestamp>,
    },
    Story(PrNumber),
    /// Read the log once, judge it, keep the judgement.
    Verdict {
        web_url: Option<Arc<str>>,
        facts: JobFacts,
        /// What is known but for the verdict.
        failure: Box<Failure>,
    },
}

impl Order {
    /// The fetches that this order fulfils.
    pub fn fetches(&self) -> Vec<Fetch> {
        match self {
            Self::Pipelines { .. } => vec![Fetch::Pipelines],
            Self::TriggerJobs { parent } => vec![Fetch::TriggerJobs(*parent)],
            Self::Jobs { batch } => batch.iter().map(|(p, _)| Fetch::Jobs(*p)).collect(),
            Self::Needs { pipeline, .. } => vec![Fetch::Needs(*pipeline)],
            Self::Report { pipeline, .. } => vec![Fetch::Report(*pipeline)],
            Self::FailureReasons => vec![Fetch::FailureReasons],
            Self::Log { job, .. } => vec![Fetch::Log(*job)],
            Self::History { .. } => vec![Fetch::History],
            Self::Caches { .. } => vec![Fetch::Caches],
            Self::Cache { root, .. } => vec![Fetch::Cache(*root)],
            Self::Signature { root, hash, .. } => vec![Fetch::Signature(*root, *hash)],
            Self::Board { .. } => vec![Fetch::Board],
            Self::Story(pr) => vec![Fetch::Story(*pr)],
            Self::Verdict { failure, .. } => vec![Fetch::Verdict(failure.job)],
        }
    }
}

/// What is on the screen: it is read first and more often.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Focus {
    pub pipeline: Option<PipelineId>,
    pub log: Option<JobId>,
    /// The child pipeline whose report of generation somebody reads.
    pub report: Option<PipelineId>,
    /// Somebody looks at trends and at how retries fared.
    pub history: bool,
    /// Somebody looks at the sizes of binary caches.
    pub caches: bool,
    /// The root that somebody looks into.
    pub cache: Option<RootId>,
    /// The binary that somebody looks at.
    pub binary: Option<(RootId, Hash)>,
    /// Somebody looks at what the bridge does.
    pub board: bool,
    /// The pull request whose story somebody reads.
    pub story: Option<PrNumber>,
}

/// A failed job that may be retried without being asked, if this is not more than is allowed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wish {
    pub job: JobId,
    pub class: Arc<str>,
    pub at: Timestamp,
    /// All of them must have room.
    pub allowances: [Allowance; 2],
}

/// One request to the outside.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    Fetch(Order),
    /// Re-read the target, compare, send, answer with `TargetFinished`.
    Act {
        plan: PlanId,
        who: Arc<str>,
        verb: Verb,
        target: Target,
    },
    StoreAudit(AuditRow),
    /// Remember how long jobs took.
    StoreDurations(Vec<Took>),
    /// Remember how new tries of failed jobs ended.
    StoreLaterTries(Vec<LaterTry>),
    /// Remember how pipelines ended.
    StorePipelineEnds(Vec<PipelineEnd>),
    /// Add a rule to the user's own, and judge by it.
    SaveRule(Arc<Draft>),
    /// Read the rules again, and judge by them if they are good and others than before.
    ReadRules,
    /// Ask the store which of these may be retried; it counts them. Answered with `RetriesGranted`.
    AskRetries(Vec<Wish>),
    /// Confirm a plan in somebody's name: comes back as an intent, so that every world holds the same plan.
    Confirm {
        plan: Arc<Plan>,
        who: Arc<str>,
    },
    /// Acknowledge failures, or take that back.
    StoreAck(Ack),
    /// Read a page of a log back from its spill file.
    ReadLogPage {
        job: JobId,
        page: PageNo,
    },
    /// Start or stop a loop, where this process runs some.
    SwitchLoop(LoopOrder),
    /// Read this pipeline soon. Consumed by the core itself.
    Refresh(PipelineId),
}
