//! What happened: answers of the outside, decisions of the person, the passing of time. The only way anything in the `World` changes.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::actions::{Object, Outcome, Plan, PlanId, Rules};
use super::attach::{Attachment, Retelling};
use super::audit::AuditRow;
use super::caches::{Inside, Listing, RootId};
use super::effect::{Fetch, Focus};
use super::failures::{Ack, History};
use super::fault::Fault;
use super::fleet::News;
use super::log::PageNo;
use super::loops::{Controller, LoopOrder, LoopState};
use super::world::Edges;
use crate::bridge::{Board, Decided};
use crate::cache::{Duplication, Sample, Signature};
use crate::ci::{Job, JobId, Pipeline, PipelineId, Timestamp};
use crate::forge::PrNumber;
use crate::generation::report::Report;
use crate::spack::Hash;
use crate::taxonomy::{Draft, Failure, RuleSet};

/// Where the edges of a graph come from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum NeedsOrigin {
    /// The child pipeline file that the generate job left.
    Artifact,
    GraphQl,
    /// Read from the local store: needs never change after creation.
    Store,
}

/// One thing that happened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Event {
    /// Time passed.
    Ticked,
    /// What the adapter learned about the server: its clock against ours, requests made, rate limits.
    ServerSeen { skew_ms: Option<i64>, requests: u64, limited_until: Option<Timestamp> },
    /// What the token may do in the project: GitLab's access level.
    AccessKnown(u8),
    /// Parent pipelines were listed. `at` is when the request began; `whole`: the list as far as it is followed.
    PipelinesFetched { rows: Vec<Pipeline>, at: Timestamp, whole: bool },
    /// The trigger jobs of a parent, with the children they started.
    TriggerJobsFetched { parent: PipelineId, jobs: Vec<Job>, children: Vec<Pipeline>, at: Timestamp },
    /// A page of jobs.
    JobsFetched { pipeline: PipelineId, jobs: Vec<Job>, at: Timestamp },
    /// Reasons and runners that job lists left out, from a list of the whole project. Jobs that are not known yet stay unknown: their
    /// pipeline is not followed, and a part of its jobs would pass for all of them.
    DetailsFetched { jobs: Vec<Job>, at: Timestamp },
    /// All pages of a pipeline's jobs were read; `ids` are all there are.
    JobsListed { pipeline: PipelineId, ids: Arc<BTreeSet<JobId>>, at: Timestamp },
    /// The edges between a pipeline's jobs.
    NeedsFetched { pipeline: PipelineId, edges: Edges, origin: NeedsOrigin },
    /// The report that a generate job left of a child pipeline.
    ReportFetched { pipeline: PipelineId, report: Arc<Report>, at: Timestamp },
    /// The log of a failed job was judged.
    Judged(Arc<Failure>),
    /// Failures that the store remembers.
    FailuresKnown(Vec<Arc<Failure>>),
    /// Other rules judge from now on.
    TaxonomyChanged(Arc<RuleSet>),
    /// These failed jobs may be retried without being asked.
    RetriesGranted(Vec<JobId>),
    /// What the store tells of the last days.
    HistoryKnown(Arc<History>),
    /// What the store remembers of binary caches.
    CachesRecalled(Vec<Sample>),
    /// How far the listing of a mirror is.
    CachesListing(Listing),
    /// A mirror was listed to its end.
    CachesListed { mirror: Arc<str>, samples: Vec<Sample>, duplication: Duplication, at: Timestamp },
    /// Somebody looked into a root. It stays in this process: millions of blobs are no message.
    #[serde(skip)]
    CacheRead { root: RootId, inside: Arc<Inside>, sample: Sample, at: Timestamp },
    /// Who signed a binary, and whether that is worth anything.
    BinaryVerified { root: RootId, hash: Hash, signature: Signature, at: Timestamp },
    /// What the bridge wrote down about all pull requests, if it ever did.
    BoardKnown(Option<Arc<Board>>),
    /// What it decided about one, the newest first.
    StoryKnown { pr: PrNumber, decisions: Arc<[Decided]> },
    /// What the sources of the fleet tell, in order.
    FleetTold(Arc<[News]>),
    /// How a loop of the supervisor fares.
    LoopTold(Arc<LoopState>),
    /// Who runs the loops, and whether it leads.
    ControllerTold(Arc<Controller>),
    /// A fetch ended. `at` is when it began.
    Fetched { fetch: Fetch, at: Timestamp, result: Result<(), Fault> },
    /// More of a log.
    LogFed {
        job: JobId,
        offset: u64,
        #[serde(with = "super::attach::bytes")]
        bytes: Arc<[u8]>,
    },
    /// The log's text changed under us: forget what was read.
    LogReset { job: JobId },
    /// A part of a log that had left memory was read back.
    LogPageRead {
        job: JobId,
        page: PageNo,
        #[serde(with = "super::attach::bytes")]
        bytes: Arc<[u8]>,
    },
    /// Medians from the store, by package.
    DurationsKnown(Vec<(Arc<str>, Duration)>),
    /// The newest audit rows, newest first.
    AuditListed(Vec<AuditRow>),
    /// An audit row is on disk, or is not.
    AuditStored { row: AuditRow, result: Result<(), Fault> },
    /// The executor is done with one target.
    TargetFinished { plan: PlanId, object: Object, outcome: Outcome },
    /// The configuration changed.
    RulesChanged(Arc<Rules>),
    /// A plan that was confirmed here was not taken, and why.
    NotTaken { plan: PlanId, text: Arc<str> },
    /// Something to tell the person that concerns no single fact.
    Said { error: bool, text: Arc<str> },
    /// The person (or a command) decided something.
    Intended(Intent),
    /// The daemon told everything that it knows: this world becomes that one.
    #[serde(skip)]
    Retold(Arc<Retelling>),
    /// The daemon is heard, or is not heard any more.
    #[serde(skip)]
    Attached(Arc<Attachment>),
}

/// What a face asks of the core.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub enum Intent {
    /// Look at this: read it first and more often.
    Focus(Focus),
    /// What all attached consoles look at, in the place of what they looked at before.
    Watch(Arc<[Focus]>),
    /// List the mirrors of binary caches now.
    ListCaches,
    /// Read this pipeline, or everything, now.
    Refresh(Option<PipelineId>),
    /// By the word of webhooks this pipeline, or everything, has changed.
    Hint(Option<PipelineId>),
    Confirm {
        plan: Arc<Plan>,
        who: Arc<str>,
    },
    Undo {
        plan: PlanId,
        who: Arc<str>,
    },
    /// Add a rule to the user's own.
    SaveRule(Arc<Draft>),
    /// The user's rules changed on disk: read them again.
    ReadRules,
    /// Somebody looks after these failures.
    Acknowledge(Ack),
    OpenLog(JobId),
    /// Start or stop a loop in this process.
    SwitchLoop(LoopOrder),
    /// Change what bounds actions, for this session.
    ChangeRules(Arc<Rules>),
    ReadLogPage {
        job: JobId,
        page: PageNo,
    },
}

/// An event with the moment at which the core took it: a face that replays both gets the same world.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Stamped {
    pub event: Event,
    pub now: Timestamp,
}
