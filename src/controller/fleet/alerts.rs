//! Alertmanager: the alerts that it holds, and what keeps some of them quiet.

use std::collections::BTreeMap;
use std::sync::Arc;

use tokio::time::{Instant, sleep_until};

use super::follower::Teller;
use super::{Pace, Unheard, tell_answer};
use crate::adapters::alertmanager::{Alert, AlertState, Alertmanager, Silence, SilenceState};
use crate::console::fault::Fault;
use crate::console::fleet::{self, News, ToldAlert, ToldState};

const RIGHT: &str = "read alerts: a login that the proxy of Alertmanager takes (alertmanager.token_env)";
/// Texts of strangers are cut here.
const MOST_TEXT: usize = 1_024;
/// Alerts and silences that are kept.
const MOST: usize = 5_000;

/// Reads both, again and again.
pub(super) async fn follow(alertmanager: Arc<Alertmanager>, teller: Teller, pace: Pace) -> Result<(), Unheard> {
    loop {
        let next = Instant::now() + pace.alerts;
        tell_answer(&teller, read(&alertmanager).await, RIGHT).await?;
        sleep_until(next).await;
    }
}

async fn read(alertmanager: &Alertmanager) -> Result<News, Fault> {
    let alerts = alertmanager.alerts().await?;
    let silences = alertmanager.silences().await?;
    let is_over = |silence: &Silence| silence.state == SilenceState::Expired;
    Ok(News::Alerts {
        alerts: alerts.into_iter().take(MOST).map(|alert| Arc::new(told(alert))).collect(),
        silences: silences.into_iter().filter(|s| !is_over(s)).take(MOST).map(|s| Arc::new(silence(s))).collect(),
    })
}

fn text(text: &str) -> Arc<str> {
    text.get(..text.floor_char_boundary(MOST_TEXT)).unwrap_or_default().into()
}

fn told(alert: Alert) -> ToldAlert {
    let labels: BTreeMap<Arc<str>, Arc<str>> =
        alert.labels.iter().map(|(name, value)| (text(name), text(value))).collect();
    let words = ["summary", "description", "message"].iter().find_map(|name| alert.annotations.get(*name));
    ToldAlert {
        fingerprint: text(&alert.fingerprint),
        name: labels.get("alertname").cloned().unwrap_or_else(|| "?".into()),
        words: words.map_or_else(|| "".into(), |words| text(words)),
        since: alert.starts_at,
        state: match alert.status.state {
            AlertState::Active => ToldState::Active,
            AlertState::Suppressed => ToldState::Suppressed,
            AlertState::Unprocessed => ToldState::Unprocessed,
            AlertState::Other(_) => ToldState::Unknown,
        },
        silenced_by: alert.status.silenced_by.iter().map(|id| text(id)).collect(),
        inhibited_by: alert.status.inhibited_by.iter().map(|id| text(id)).collect(),
        labels,
    }
}

fn silence(silence: Silence) -> fleet::Silence {
    let matches: Vec<String> = silence
        .matchers
        .iter()
        .map(|matcher| {
            let sign = match (matcher.is_equal, matcher.is_regex) {
                (true, false) => "=",
                (true, true) => "=~",
                (false, false) => "!=",
                (false, true) => "!~",
            };
            format!("{}{sign}\"{}\"", matcher.name, matcher.value)
        })
        .collect();
    fleet::Silence {
        id: text(&silence.id),
        matches: text(&matches.join(" ")),
        is_active: silence.state == SilenceState::Active,
        starts: silence.starts_at,
        ends: silence.ends_at,
        author: text(&silence.created_by),
        comment: text(&silence.comment),
    }
}
