//! Rules and alerts, as the server that evaluates them tells.

use std::time::Duration;

use serde::Deserialize;

use super::exposition::Labels;
use super::query::Number;
use crate::ci::Timestamp;

/// One alert of one rule.
#[derive(Debug, Clone, PartialEq)]
pub struct Alert {
    pub labels: Labels,
    pub annotations: Labels,
    pub state: AlertState,
    /// Since when its condition holds.
    pub active_at: Option<Timestamp>,
    pub value: f64,
}

/// How far an alert or its rule is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AlertState {
    Inactive,
    /// Its condition holds, but not yet for long enough.
    Pending,
    Firing,
    /// A word that is not known here.
    Other(String),
}

/// Rules that are evaluated one after the other.
#[derive(Debug, Clone, PartialEq)]
pub struct RuleGroup {
    pub name: String,
    pub file: String,
    pub interval: Option<Duration>,
    pub rules: Vec<Rule>,
}

/// One rule, and how it fares.
#[derive(Debug, Clone, PartialEq)]
pub struct Rule {
    pub name: String,
    pub query: String,
    pub labels: Labels,
    /// Whether its last evaluation went well; `None` before the first.
    pub is_healthy: Option<bool>,
    pub last_error: Option<String>,
    pub last_evaluation: Option<Timestamp>,
    pub kind: RuleKind,
}

/// What a rule makes.
#[derive(Debug, Clone, PartialEq)]
pub enum RuleKind {
    Recording,
    Alerting { state: AlertState, duration: Duration, annotations: Labels, alerts: Vec<Alert> },
}

#[derive(Deserialize)]
pub(super) struct WireAlerts {
    alerts: Vec<WireAlert>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireAlert {
    labels: Labels,
    #[serde(default)]
    annotations: Labels,
    state: String,
    active_at: Option<String>,
    value: Number,
}

#[derive(Deserialize)]
pub(super) struct WireGroups {
    groups: Vec<WireGroup>,
}

#[derive(Deserialize)]
struct WireGroup {
    name: String,
    #[serde(default)]
    file: String,
    interval: Option<f64>,
    rules: Vec<WireRule>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct WireRule {
    #[serde(rename = "type")]
    kind: String,
    name: String,
    #[serde(default)]
    query: String,
    #[serde(default)]
    labels: Labels,
    #[serde(default)]
    health: String,
    last_error: Option<String>,
    last_evaluation: Option<String>,
    state: Option<String>,
    #[serde(default)]
    duration: f64,
    #[serde(default)]
    annotations: Labels,
    #[serde(default)]
    alerts: Vec<WireAlert>,
}

impl WireAlerts {
    pub fn read(self) -> Result<Vec<Alert>, String> {
        self.alerts.into_iter().map(Alert::try_from).collect()
    }
}

impl WireGroups {
    pub fn read(self) -> Result<Vec<RuleGroup>, String> {
        let group = |wire: WireGroup| {
            Ok(RuleGroup {
                name: wire.name,
                file: wire.file,
                interval: wire.interval.map(length).transpose()?,
                rules: wire.rules.into_iter().map(Rule::try_from).collect::<Result<_, _>>()?,
            })
        };
        self.groups.into_iter().map(group).collect()
    }
}

impl TryFrom<WireAlert> for Alert {
    type Error = String;

    fn try_from(wire: WireAlert) -> Result<Self, String> {
        Ok(Self {
            labels: wire.labels,
            annotations: wire.annotations,
            state: state(wire.state),
            active_at: wire.active_at.as_deref().map(moment).transpose()?.flatten(),
            value: wire.value.0,
        })
    }
}

impl TryFrom<WireRule> for Rule {
    type Error = String;

    fn try_from(wire: WireRule) -> Result<Self, String> {
        let kind = match wire.kind.as_str() {
            "recording" => RuleKind::Recording,
            "alerting" => RuleKind::Alerting {
                state: state(wire.state.ok_or_else(|| format!("the rule {} has no state", wire.name))?),
                duration: length(wire.duration)?,
                annotations: wire.annotations,
                alerts: wire.alerts.into_iter().map(Alert::try_from).collect::<Result<_, _>>()?,
            },
            other => return Err(format!("there is no kind of rules `{}`", super::super::web::cut(other))),
        };
        let is_healthy = match wire.health.as_str() {
            "ok" => Some(true),
            "err" => Some(false),
            _ => None,
        };
        Ok(Self {
            name: wire.name,
            query: wire.query,
            labels: wire.labels,
            is_healthy,
            last_error: wire.last_error.filter(|text| !text.is_empty()),
            last_evaluation: wire.last_evaluation.as_deref().map(moment).transpose()?.flatten(),
            kind,
        })
    }
}

fn state(word: String) -> AlertState {
    match word.as_str() {
        "inactive" => AlertState::Inactive,
        "pending" => AlertState::Pending,
        "firing" => AlertState::Firing,
        _ => AlertState::Other(word),
    }
}

/// A moment; the year 1 stands for never.
fn moment(text: &str) -> Result<Option<Timestamp>, String> {
    let at = Timestamp::parse(text).ok_or_else(|| format!("`{}` is no time", super::super::web::cut(text)))?;
    Ok(Some(at).filter(|at| at.millis() > -60_000_000_000_000))
}

fn length(seconds: f64) -> Result<Duration, String> {
    Duration::try_from_secs_f64(seconds).map_err(|_| format!("{seconds} is no length of time"))
}
