//! Alerts and silences as Alertmanager tells them.

use std::collections::BTreeMap;

use serde::{Deserialize, Deserializer, de};

use crate::ci::Timestamp;

/// One alert. Its fingerprint is its identity.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Alert {
    pub fingerprint: String,
    pub labels: BTreeMap<String, String>,
    #[serde(default)]
    pub annotations: BTreeMap<String, String>,
    pub status: AlertStatus,
    #[serde(deserialize_with = "moment")]
    pub starts_at: Timestamp,
    /// When it would end if nobody said any more that it goes on; it moves.
    #[serde(deserialize_with = "moment")]
    pub ends_at: Timestamp,
    #[serde(rename = "generatorURL", default)]
    pub generator_url: String,
    #[serde(default)]
    pub receivers: Vec<Receiver>,
}

/// Whether an alert is told to anybody, and what keeps it quiet.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AlertStatus {
    pub state: AlertState,
    #[serde(default)]
    pub silenced_by: Vec<String>,
    /// Fingerprints of alerts.
    #[serde(default)]
    pub inhibited_by: Vec<String>,
}

/// What becomes of an alert.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertState {
    Active,
    Suppressed,
    Unprocessed,
    /// A word that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// Whom an alert is told.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Receiver {
    pub name: String,
}

/// One silence.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Silence {
    pub id: String,
    #[serde(rename = "status", deserialize_with = "state")]
    pub state: SilenceState,
    pub matchers: Vec<Matcher>,
    #[serde(deserialize_with = "moment")]
    pub starts_at: Timestamp,
    #[serde(deserialize_with = "moment")]
    pub ends_at: Timestamp,
    pub created_by: String,
    pub comment: String,
}

/// How far a silence is.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SilenceState {
    Active,
    Pending,
    Expired,
    /// A word that is not known here.
    #[serde(untagged)]
    Other(String),
}

/// One condition of a silence. Others may have made it with expressions.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Matcher {
    pub name: String,
    pub value: String,
    pub is_regex: bool,
    /// Old servers leave it out, and mean yes.
    #[serde(default = "yes")]
    pub is_equal: bool,
}

fn yes() -> bool {
    true
}

fn moment<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Timestamp, D::Error> {
    let text = std::borrow::Cow::<str>::deserialize(deserializer)?;
    Timestamp::parse(&text).ok_or_else(|| de::Error::custom(format!("`{text}` is no time")))
}

fn state<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SilenceState, D::Error> {
    #[derive(Deserialize)]
    struct Status {
        state: SilenceState,
    }
    Status::deserialize(deserializer).map(|status| status.state)
}
