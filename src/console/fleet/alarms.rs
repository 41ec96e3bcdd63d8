//! All alerts in one list: our own findings and what Alertmanager holds. Neither is made to pass for the other.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{FleetFacts, Source};
use crate::ci::Timestamp;
use crate::fleet::{AlertSeverity, Finding, FindingState};

/// How long an alert of our own is shown after it ceased.
pub(super) const KEPT: Duration = Duration::from_mins(30);

/// One alert of Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToldAlert {
    /// Its identity.
    pub fingerprint: Arc<str>,
    pub name: Arc<str>,
    pub labels: BTreeMap<Arc<str>, Arc<str>>,
    /// Its summary or description.
    pub words: Arc<str>,
    pub since: Timestamp,
    pub state: ToldState,
    /// Ids of the silences that keep it quiet.
    pub silenced_by: Vec<Arc<str>>,
    /// Fingerprints of the alerts that keep it quiet.
    pub inhibited_by: Vec<Arc<str>>,
}

/// What becomes of an alert at Alertmanager.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ToldState {
    Active,
    Suppressed,
    Unprocessed,
    /// A word that is not known here.
    Unknown,
}

/// One silence of Alertmanager.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Silence {
    pub id: Arc<str>,
    /// `alertname="PodStuck" pod=~"runner-.*"`
    pub matches: Arc<str>,
    pub is_active: bool,
    pub starts: Timestamp,
    pub ends: Timestamp,
    pub author: Arc<str>,
    pub comment: Arc<str>,
}

/// How loud an alert is, the loudest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loudness {
    Page,
    Warn,
    Info,
    /// It carries no severity that is known here.
    Unknown,
}

/// What an alert is, whatever else changes about it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmId {
    Own(crate::fleet::Alert, Arc<str>),
    Told(Arc<str>),
}

/// Whether an alert needs somebody.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum AlarmState {
    Firing,
    /// It holds, and not for long enough.
    Pending,
    /// Somebody silenced it, or a louder one speaks for it.
    Quiet,
    Resolved,
}

/// One row of the list.
#[derive(Debug, Clone)]
pub enum Alarm<'a> {
    Own { finding: &'a Finding, resolved: Option<Timestamp> },
    Told(&'a ToldAlert),
}

impl Loudness {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Page => "page",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Unknown => "?",
        }
    }

    fn of_label(severity: Option<&Arc<str>>) -> Self {
        match severity.map(|word| &**word) {
            Some("critical" | "page" | "error") => Self::Page,
            Some("warning" | "warn") => Self::Warn,
            Some("info" | "none") => Self::Info,
            _ => Self::Unknown,
        }
    }
}

impl AlarmState {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Firing => "firing",
            Self::Pending => "pending",
            Self::Quiet => "quiet",
            Self::Resolved => "resolved",
        }
    }
}

impl Alarm<'_> {
    pub fn id(&self) -> AlarmId {
        match self {
            Self::Own { finding, .. } => AlarmId::Own(finding.alert, finding.subject.clone()),
            Self::Told(told) => AlarmId::Told(told.fingerprint.clone()),
        }
    }

    pub fn loudness(&self) -> Loudness {
        match self {
            Self::Own { finding, .. } => match finding.severity {
                AlertSeverity::Critical => Loudness::Page,
                AlertSeverity::Warning => Loudness::Warn,
                AlertSeverity::Info => Loudness::Info,
            },
            Self::Told(told) => Loudness::of_label(told.labels.get("severity")),
        }
    }

    pub fn state(&self) -> AlarmState {
        match self {
            Self::Own { resolved: Some(_), .. } => AlarmState::Resolved,
            Self::Own { finding, .. } => match finding.state {
                FindingState::Firing => AlarmState::Firing,
                FindingState::Pending => AlarmState::Pending,
            },
            Self::Told(told) if !told.silenced_by.is_empty() || !told.inhibited_by.is_empty() => AlarmState::Quiet,
            Self::Told(told) => match told.state {
                ToldState::Suppressed => AlarmState::Quiet,
                ToldState::Active | ToldState::Unprocessed | ToldState::Unknown => AlarmState::Firing,
            },
        }
    }

    /// Its name.
    pub fn name(&self) -> &str {
        match self {
            Self::Own { finding, .. } => finding.alert.word(),
            Self::Told(told) => &told.name,
        }
    }

    /// What it is about: a class, a pod, a pool.
    pub fn subject(&self) -> &str {
        match self {
            Self::Own { finding, .. } => &finding.subject,
            Self::Told(told) => {
                let telling = ["pod", "node", "nodepool", "instance", "ingress", "job"];
                telling.iter().find_map(|key| told.labels.get(*key)).map_or("", |value| value)
            }
        }
    }

    /// What was measured.
    pub fn words(&self) -> &str {
        match self {
            Self::Own { finding, .. } => &finding.words,
            Self::Told(told) => &told.words,
        }
    }

    pub fn since(&self) -> Timestamp {
        match self {
            Self::Own { finding, .. } => finding.since,
            Self::Told(told) => told.since,
        }
    }

    /// How long it has to hold before it fires; `None` where only its source knows.
    pub fn hold(&self) -> Option<Duration> {
        match self {
            Self::Own { finding, .. } => Some(finding.hold),
            Self::Told(_) => None,
        }
    }

    /// Who raises it.
    pub const fn source(&self) -> &'static str {
        match self {
            Self::Own { .. } => "own",
            Self::Told(_) => "am",
        }
    }

    /// The last look at it could say how it is.
    pub const fn is_fresh(&self) -> bool {
        match self {
            Self::Own { finding, resolved } => finding.is_fresh || resolved.is_some(),
            Self::Told(_) => true,
        }
    }

    /// The order of the list: what needs somebody, the loudest, the oldest.
    pub fn order(&self, other: &Self) -> Ordering {
        let key = |alarm: &Self| (alarm.state(), alarm.loudness(), alarm.since());
        key(self).cmp(&key(other)).then_with(|| self.id().cmp(&other.id()))
    }
}

impl FleetFacts {
    /// Every alert in order.
    pub fn alarms(&self) -> Vec<Alarm<'_>> {
        let own = self.findings.list().into_iter().map(|finding| Alarm::Own { finding, resolved: None });
        let ceased = self.resolved.iter().map(|(finding, at)| Alarm::Own { finding, resolved: Some(*at) });
        // What holds again is not shown as ceased as well.
        let open: BTreeSet<AlarmId> = own.clone().map(|alarm| alarm.id()).collect();
        let ceased = ceased.filter(|alarm| !open.contains(&alarm.id()));
        let told = self.told.iter().map(|told| Alarm::Told(told));
        let mut all: Vec<Alarm<'_>> = own.chain(ceased).chain(told).collect();
        all.sort_by(Alarm::order);
        all
    }

    /// Alerts that fire, and whether any is loud. What Alertmanager holds counts, if it is asked.
    pub fn firing(&self) -> (usize, Option<Loudness>) {
        let firing = self.alarms().into_iter().filter(|alarm| alarm.state() == AlarmState::Firing);
        firing.fold((0, None), |(count, worst), alarm| {
            let loudness = alarm.loudness();
            (count + 1, Some(worst.map_or(loudness, |worst: Loudness| worst.min(loudness))))
        })
    }

    /// The silence with this id.
    pub fn silence(&self, id: &str) -> Option<&Silence> {
        self.silences.iter().find(|silence| &*silence.id == id).map(|silence| &**silence)
    }

    /// Whether Alertmanager is asked.
    pub fn asks_alertmanager(&self) -> bool {
        self.sources.contains_key(&Source::Alerts)
    }
}
