//! What GitHub's answers mean: the one place where its ways of saying no become a [`Fault`]. Texts come from the other side; they are cut, never
//! trusted.

use bytes::Bytes;
use http::{HeaderMap, StatusCode};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};

/// A whole answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

impl Answer {
    /// The fault of an answer that is no success. `until`: it is a limit that ends then.
    pub fn refusal(&self, what: &str, until: Option<Timestamp>) -> Fault {
        let status = self.status.as_u16();
        let said = said(&self.body);
        let detail = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, {said}") };
        let kind = match status {
            _ if until.is_some() => FaultKind::RateLimited { until },
            401 => FaultKind::Unauthorized,
            403 => FaultKind::Forbidden,
            404 | 410 => FaultKind::NotFound,
            500.. => FaultKind::Server { status },
            _ => FaultKind::Refused { status },
        };
        Fault::new(kind, what, detail)
    }

    /// Reads a success as JSON.
    pub fn json<T: DeserializeOwned>(&self, what: &str) -> Result<T, Fault> {
        serde_json::from_slice(&self.body).map_err(|error| {
            let detail =
                format!("not the JSON that was expected ({} bytes): {}", self.body.len(), cut(&error.to_string()));
            Fault::new(FaultKind::Garbled, what, detail)
        })
    }
}

/// GitHub's own words.
fn said(body: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Refusal {
        message: Option<String>,
        #[serde(default)]
        errors: Vec<serde_json::Value>,
    }
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        return cut(String::from_utf8_lossy(body.get(..200).unwrap_or(body)).lines().next().unwrap_or_default());
    };
    let more = refusal.errors.iter().map(|error| match error.get("message").and_then(serde_json::Value::as_str) {
        Some(message) => message.to_owned(),
        None => error.as_str().map_or_else(|| error.to_string(), str::to_owned),
    });
    cut(&refusal.message.into_iter().chain(more).collect::<Vec<_>>().join(": "))
}

/// Makes a text fit for a fault: one line, not long.
pub(super) fn cut(text: &str) -> String {
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}
