//! The memory of alerts: since when each holds, and which fire.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::judge::Verdict;
use crate::ci::Timestamp;
use crate::fleet::{Alert, AlertSeverity, Thresholds};

/// Findings that are remembered of one alert.
const MOST: usize = 1_000;

/// Whether a finding has held for long enough.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum FindingState {
    Firing,
    Pending,
}

/// Something that an alert holds for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    pub alert: Alert,
    pub subject: Arc<str>,
    pub severity: AlertSeverity,
    pub state: FindingState,
    /// Since when it holds.
    pub since: Timestamp,
    /// How long it has to hold before it fires.
    pub hold: Duration,
    /// When it was last seen to hold. Later judgements could not say.
    pub seen: Timestamp,
    /// The last judgement could say.
    pub is_fresh: bool,
    pub words: String,
}

/// What a judgement changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    Fired(Finding),
    /// A firing one holds no more.
    Resolved(Finding),
}

/// Everything that holds, and what could not be judged.
#[derive(Debug, Clone, Default)]
pub struct Findings {
    open: BTreeMap<(Alert, Arc<str>), Finding>,
    unknown: BTreeMap<Alert, &'static str>,
}

impl Findings {
    /// Takes a judgement in. What could not be judged stays as it was: silence is no recovery.
    pub fn update(
        &mut self,
        verdicts: BTreeMap<Alert, Verdict>,
        thresholds: &Thresholds,
        now: Timestamp,
    ) -> Vec<Change> {
        let mut changes = Vec::new();
        for (alert, verdict) in verdicts {
            match verdict {
                Verdict::Unknown(why) => {
                    self.unknown.insert(alert, why);
                    for finding in self.open.values_mut().filter(|finding| finding.alert == alert) {
                        finding.is_fresh = false;
                    }
                }
                Verdict::Holds(held) => {
                    self.unknown.remove(&alert);
                    let old: Vec<_> = self.open.keys().filter(|(open, _)| *open == alert).cloned().collect();
                    let mut before: BTreeMap<Arc<str>, Finding> =
                        old.into_iter().filter_map(|key| Some((key.1.clone(), self.open.remove(&key)?))).collect();
                    for one in held.into_iter().take(MOST) {
                        let known = before.remove(&one.subject);
                        let since = known.as_ref().map_or(now, |known| known.since);
                        let hold = thresholds.hold(alert);
                        let fires = now.since(since) >= hold;
                        let finding = Finding {
                            alert,
                            subject: one.subject.clone(),
                            severity: alert.severity(),
                            state: if fires { FindingState::Firing } else { FindingState::Pending },
                            since,
                            hold,
                            seen: now,
                            is_fresh: true,
                            words: one.words,
                        };
                        if fires && known.is_none_or(|known| known.state == FindingState::Pending) {
                            changes.push(Change::Fired(finding.clone()));
                        }
                        self.open.insert((alert, one.subject), finding);
                    }
                    let gone = before.into_values().filter(|finding| finding.state == FindingState::Firing);
                    changes.extend(gone.map(Change::Resolved));
                }
            }
        }
        changes
    }

    /// Everything that holds: firing first, the loudest first, the oldest first.
    pub fn list(&self) -> Vec<&Finding> {
        let mut all: Vec<&Finding> = self.open.values().collect();
        all.sort_by(|a, b| {
            (a.state, a.severity, a.since, a.alert, &a.subject)
                .cmp(&(b.state, b.severity, b.since, b.alert, &b.subject))
        });
        all
    }

    /// The alerts of which nothing can be said, and for want of what.
    pub fn unknown(&self) -> impl Iterator<Item = (Alert, &'static str)> {
        self.unknown.iter().map(|(alert, why)| (*alert, *why))
    }
}
