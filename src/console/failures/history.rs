//! What the store tells of the last days: how retries fared, since when signatures are known, trends, and who looks after what.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::remembered::{Ack, AckId, Retries};
use crate::ci::Timestamp;
use crate::taxonomy::judge::{Success, SuccessDay, Trend};

/// The past, as far as it was remembered.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct History {
    /// By class, over the last seven days.
    pub retries: BTreeMap<Arc<str>, Retries>,
    /// By fingerprint, over all time.
    pub first_seen: BTreeMap<Arc<str>, Timestamp>,
    pub trend: Trend,
    /// How many pipelines succeeded, by day; today last.
    pub success: Vec<SuccessDay>,
    pub acks: Vec<(AckId, Ack)>,
    /// Which times were read.
    pub covered: Vec<Range<Timestamp>>,
    /// New tries that succeeded in the last seven days.
    pub successes: Vec<Success>,
}

impl History {
    /// Who looks after a class, or after one signature of it.
    pub fn ack(&self, class: &str, fingerprint: Option<&str>, now: Timestamp) -> Option<&Ack> {
        let holds = |ack: &Ack| ack.until.is_none_or(|until| now < until);
        let fits = |ack: &Ack| {
            &*ack.class == class && (ack.fingerprint.is_none() || ack.fingerprint.as_deref() == fingerprint)
        };
        self.acks.iter().map(|(_, ack)| ack).find(|ack| holds(ack) && fits(ack))
    }
}
