//! What is remembered of a failed job.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::verdict::{Cause, Verdict};
use super::words::{Owner, Transient};
use crate::ci::{FailureReason, Job, JobId, Pipeline, PipelineId, SpecName, Timestamp};

/// One failed job with its verdict, as the store keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    pub job: JobId,
    pub pipeline: PipelineId,
    /// When the job ended.
    pub at: Timestamp,
    pub name: Arc<str>,
    /// From a build job's name: package, DAG hash. `None` for service jobs.
    pub package: Option<Arc<str>>,
    pub hash: Option<Arc<str>>,
    pub compiler: Option<Arc<str>>,
    pub stack: Option<Arc<str>>,
    pub git_ref: Arc<str>,
    pub sha: Option<Arc<str>>,
    pub runner: Option<Arc<str>>,
    pub host: Option<Arc<str>>,
    pub failure_reason: Option<FailureReason>,
    pub exit_code: Option<i32>,
    /// `unknown` when no rule fits.
    pub class: Arc<str>,
    pub rule: Option<Arc<str>>,
    pub owner: Owner,
    pub transient: Transient,
    pub confidence: u8,
    pub fingerprint: Option<Arc<str>>,
    pub template: Option<Arc<str>>,
    /// The evidence, cut to 500 bytes, with its line from 1.
    pub evidence: Option<Arc<str>>,
    pub line: Option<u64>,
    /// The rule set that judged.
    pub rules: Arc<str>,
}

/// The class of failures that no rule knows.
pub const UNKNOWN: &str = "unknown";
/// Bytes of evidence that are remembered.
const LONGEST: usize = 500;

impl Failure {
    /// Everything about a failed job but the verdict. `now` stands for the end of a job that does not tell it.
    pub fn of(job: &Job, home: &Pipeline, now: Timestamp) -> Self {
        let spec = SpecName::parse(&job.name);
        let compiler = spec.and_then(|spec| spec.group.split(' ').find_map(|word| word.strip_prefix('%')));
        Self {
            job: job.id,
            pipeline: job.pipeline,
            at: job.finished_at.unwrap_or(now),
            name: Arc::clone(&job.name),
            package: spec.map(|spec| spec.package.into()),
            hash: spec.map(|spec| spec.hash.into()),
            compiler: compiler.map(Arc::from),
            stack: home.stack.clone(),
            git_ref: Arc::clone(&home.git_ref),
            sha: Some(Arc::clone(&home.sha)).filter(|sha| !sha.is_empty()),
            // The pods of one class come and go; the machine is told by the log.
            runner: job.runner.as_ref().map(|runner| runner.class().into()),
            host: None,
            failure_reason: job.failure_reason.clone(),
            exit_code: None,
            class: UNKNOWN.into(),
            rule: None,
            owner: Owner::Unknown,
            transient: Transient::Unknown,
            confidence: 0,
            fingerprint: None,
            template: None,
            evidence: None,
            line: None,
            rules: "".into(),
        }
    }

    /// With what the classifier said.
    #[must_use]
    pub fn judged(mut self, verdict: &Verdict) -> Self {
        if let Cause::Known { class, rule } = &verdict.cause {
            self.class = Arc::clone(class);
            self.rule = Some(Arc::clone(rule));
        }
        (self.owner, self.transient, self.confidence) = (verdict.owner, verdict.transient, verdict.confidence);
        if let Some(evidence) = verdict.evidence.first() {
            self.evidence = Some(cut(&evidence.text).into());
            self.line = Some(evidence.line);
        }
        if let Some(signature) = &verdict.signature {
            self.fingerprint = Some(Arc::clone(&signature.fingerprint));
            self.template = Some(cut(&signature.template).into());
        }
        self.host = verdict.host.as_deref().map(Arc::from);
        self.rules = Arc::clone(&verdict.rules);
        self
    }

    /// Whether a rule knows the cause.
    pub fn is_known(&self) -> bool {
        &*self.class != UNKNOWN
    }
}

fn cut(text: &str) -> &str {
    let end = text.char_indices().map(|(at, c)| at + c.len_utf8()).take_while(|end| *end <= LONGEST).last();
    text.get(..end.unwrap_or(0)).unwrap_or_default()
}
