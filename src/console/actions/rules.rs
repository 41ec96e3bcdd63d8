//! Guardrails: what may be done, to how many, how often, and why not.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::auto::AutoRetry;
use super::fleet::FleetMay;
use super::plan::Verb;
use crate::ci::Timestamp;
use crate::console::filter::{Filter, Subject};

/// One guardrail of the configuration.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Guard {
    pub rule: GuardRule,
    /// The jobs it concerns; an empty filter means all.
    pub when: Filter,
    /// Shown to whoever runs into it.
    pub reason: String,
}

/// What a guardrail demands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum GuardRule {
    /// Never.
    Deny,
    /// Typed confirmation when there are more targets than this.
    Typed { over: usize },
    /// At most so many targets in one plan.
    MaxBulk { limit: usize },
    /// At most so many requests in a stretch of time.
    Rate { limit: usize, per: Duration },
    /// A job that was tried this often is not retried again.
    Tries { limit: u32 },
    /// At least this access level in the GitLab project (30 developer, 40 maintainer, 50 owner).
    Role { least: u8 },
}

/// Everything that bounds actions.
#[derive(Debug, Clone, Serialize, Deserialize)]
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
    /// Plans older than this are not accepted: what was on the screen is no longer true.
    pub plan_lifetime: Duration,
    /// The token's access level, when it is known.
    pub access_level: Option<u8>,
    pub guards: Vec<Guard>,
    /// What is retried without being asked.
    pub auto: Vec<AutoRetry>,
    /// What of the fleet may be changed.
    pub fleet: FleetMay,
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
            plan_lifetime: Duration::from_secs(600),
            access_level: None,
            guards: Vec::new(),
            auto: Vec::new(),
            fleet: FleetMay::default(),
        }
    }
}

impl Rules {
    /// Why this job may not be touched, if so; the first rule that says no speaks.
    pub fn denies(&self, verb: Verb, job: &impl Subject, tries: u32, server_now: Timestamp) -> Option<String> {
        self.guards.iter().find_map(|guard| {
            let no = match guard.rule {
                GuardRule::Deny => Some(guard.reason.clone()),
                GuardRule::Tries { limit } if verb == Verb::Retry && tries >= limit => {
                    Some(format!("try {tries} of {limit}; {}", guard.reason))
                }
                GuardRule::Role { least } if self.access_level.is_none_or(|level| level < least) => {
                    let yours = self.access_level.map_or("unknown".to_owned(), |level| level.to_string());
                    Some(format!("needs access level {least}, yours is {yours}; {}", guard.reason))
                }
                _ => None,
            };
            no.filter(|_| guard.when.may_match(job, server_now))
        })
    }
}
