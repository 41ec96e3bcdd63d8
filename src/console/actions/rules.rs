//! Guardrails: what may be done, to how many, how often, and why not.

use std::time::Duration;

use super::plan::Verb;
use crate::ci::Timestamp;
use crate::console::filter::{Filter, Subject};

/// One rule of the configuration.
#[derive(Debug, Clone)]
pub enum Guard {
    /// Jobs that match are never touched.
    Deny { verb: Option<Verb>, when: Filter, reason: String },
    /// Jobs that match make the confirmation a typed one.
    Typed { verb: Option<Verb>, when: Filter, reason: String },
    /// No more than `limit` requests in `per`.
    Rate { limit: usize, per: Duration, reason: String },
}

/// Everything that bounds actions.
#[derive(Debug, Clone)]
pub struct Rules {
    /// Why nothing may be changed at all, if so.
    pub read_only: Option<String>,
    /// Previews open, but confirming is replaced by a note.
    pub dry_run: bool,
    /// How long a confirmed plan waits for an undo.
    pub hold: Duration,
    /// Targets sent at once.
    pub wave: usize,
    /// The next wave waits until the pending p95 is below this, or for [`Rules::wave_patience`].
    pub wave_pending_p95: Duration,
    pub wave_patience: Duration,
    /// More targets than this must be confirmed by typing.
    pub typed_above: usize,
    /// More targets than this are skipped.
    pub max_bulk: usize,
    /// A job with this many tries is not retried again.
    pub max_tries: u32,
    /// Plans older than this are not accepted: what was on the screen is no longer true.
    pub plan_lifetime: Duration,
    pub guards: Vec<Guard>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            read_only: None,
            dry_run: false,
            hold: Duration::from_secs(5),
            wave: 20,
            wave_pending_p95: Duration::from_secs(1_800),
            wave_patience: Duration::from_secs(600),
            typed_above: 50,
            max_bulk: 500,
            max_tries: 5,
            plan_lifetime: Duration::from_secs(600),
            guards: Vec::new(),
        }
    }
}

/// What the rules say about one job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    Allow,
    Typed(String),
    Deny(String),
}

impl Rules {
    /// Judges one job. The strictest rule wins.
    pub fn judge(&self, verb: Verb, job: &impl Subject, tries: u32, server_now: Timestamp) -> Verdict {
        if verb == Verb::Retry && tries >= self.max_tries {
            return Verdict::Deny(format!("try {tries} of {}", self.max_tries));
        }
        let mut verdict = Verdict::Allow;
        for guard in &self.guards {
            match guard {
                Guard::Deny { verb: only, when, reason }
                    if only.is_none_or(|v| v == verb) && when.matches(job, server_now) =>
                {
                    return Verdict::Deny(reason.clone());
                }
                Guard::Typed { verb: only, when, reason }
                    if only.is_none_or(|v| v == verb) && when.matches(job, server_now) =>
                {
                    verdict = Verdict::Typed(reason.clone());
                }
                _ => {}
            }
        }
        verdict
    }

    /// How many requests the strictest rate rule still allows, with that rule in words.
    pub fn rate_left(&self, sent: impl Iterator<Item = Timestamp> + Clone, now: Timestamp) -> Option<(usize, &str)> {
        self.guards
            .iter()
            .filter_map(|g| match g {
                Guard::Rate { limit, per, reason } => {
                    let used = sent.clone().filter(|at| now.since(*at) < *per).count();
                    Some((limit.saturating_sub(used), reason.as_str()))
                }
                _ => None,
            })
            .min()
    }
}
