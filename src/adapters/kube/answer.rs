//! What a Kubernetes API says when it says no.

use std::error::Error as _;
use std::time::Duration;

use http::StatusCode;
use kube::Error;
use serde::Deserialize;

use super::access::login_failed;
use crate::adapters::web::{cut, refusal};
use crate::console::fault::{Asked, Fault, FaultKind};

/// The object with which a server refuses.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Status {
    #[serde(default)]
    pub message: String,
    #[serde(default)]
    pub reason: String,
    #[serde(default)]
    pub code: u16,
}

/// Why a request brought nothing.
#[derive(Debug)]
pub(super) enum Trouble {
    /// 410: what was asked for is too old, so everything has to be listed again.
    Expired,
    /// 401 or 403.
    Denied(Fault),
    /// 404: there is no such resource, or no such object.
    Absent(Fault),
    /// The rest; `wait` is how long the server asks to wait.
    Failed { fault: Fault, wait: Option<Duration> },
    /// Something came that cannot be read, so something may have been missed.
    Garbled(Fault),
}

impl Trouble {
    /// What a status means, whether it is an answer of its own or stands in a stream.
    pub fn of(what: &str, status: StatusCode, said: Status, wait: Option<Duration>) -> Self {
        let text = if said.message.is_empty() { said.reason.clone() } else { said.message };
        let fault = refusal(what, status, &text).fault.of(Asked::Kubernetes);
        match status.as_u16() {
            410 => Self::Expired,
            401 | 403 => Self::Denied(fault),
            404 => Self::Absent(fault),
            _ => Self::Failed { fault, wait },
        }
    }

    /// What an answer that is not a success means.
    pub fn of_answer(what: &str, status: StatusCode, body: &[u8], wait: Option<Duration>) -> Self {
        let said = serde_json::from_slice(body).unwrap_or_else(|_| {
            let text = String::from_utf8_lossy(body.get(..300).unwrap_or(body)).into_owned();
            Status { message: text, reason: String::new(), code: 0 }
        });
        Self::of(what, status, said, wait)
    }

    pub fn garbled(what: &str, detail: impl Into<String>) -> Self {
        Self::Garbled(Fault::new(FaultKind::Garbled, what, detail))
    }

    pub fn late(what: &str, limit: Duration) -> Self {
        let detail = format!("no answer within {} s", limit.as_secs_f32());
        Self::Failed { fault: Fault::new(FaultKind::Timeout, what, detail), wait: None }
    }

    /// What it means that a request brought no answer, or half of one.
    pub fn transport(what: &str, error: &Error) -> Self {
        let fault = match error {
            Error::Auth(error) => return Self::Denied(login_failed(what, error)),
            other => Fault::new(FaultKind::Unreachable, what, format!("no connection ({})", innermost(other))),
        };
        Self::Failed { fault, wait: None }
    }

    /// The fault, for whoever asked once.
    pub fn into_fault(self, what: &str) -> Fault {
        match self {
            Self::Expired => {
                Fault::new(FaultKind::Refused { status: 410 }, what, "the list went too old while it was read")
            }
            Self::Denied(fault) | Self::Absent(fault) | Self::Failed { fault, .. } | Self::Garbled(fault) => fault,
        }
    }
}

/// The innermost reason of an error.
pub(super) fn innermost(error: &dyn std::error::Error) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    cut(&last.to_string())
}

/// The same of an error of `kube`.
pub(super) fn broken_off(error: &Error) -> String {
    error.source().map_or_else(|| cut(&error.to_string()), innermost)
}
