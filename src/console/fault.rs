//! What went wrong with something remote, in words a person can act on.
//!
//! Adapters type an upstream error once, as a [`Fault`]; everything above branches on [`FaultKind`] and shows [`Fault::remedy`]. A fault never
//! ends the session and never replaces what was known before it.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ci::{Timestamp, short};

/// The kinds of trouble that callers treat differently.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum FaultKind {
    /// 401: no token, or one that is no longer good.
    Unauthorized,
    /// 403: the token may not do this.
    Forbidden,
    /// 404: not there, or hidden from this token.
    NotFound,
    /// 429: asked too often; `until` is when the server said to come back.
    RateLimited { until: Option<Timestamp> },
    /// No answer within the deadline. What was asked may still have happened.
    Timeout,
    /// No connection: DNS, TCP or TLS.
    Unreachable,
    /// 5xx.
    Server { status: u16 },
    /// An answer that cannot be read: truncated, not JSON, wrong shape.
    Garbled,
    /// A firewall answered in place of the server.
    Firewall,
    /// The server understood and said no (400, 409, 422); the text is its reason.
    Refused { status: u16 },
    /// This side would not or could not send it: configuration, disk, read-only mode.
    Local,
}

/// Who was asked: what helps against a wrong token is another thing for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Asked {
    #[default]
    GitLab,
    GitHub,
    /// Either of them, by git.
    Git,
    Kubernetes,
    Prometheus,
    Alertmanager,
}

/// One failure to read or to act, with what was being done.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error, Deserialize)]
#[error("{what}: {detail}")]
pub struct Fault {
    pub kind: FaultKind,
    #[serde(default)]
    pub asked: Asked,
    /// What was being done, as a fragment: `read jobs of pipeline 1082341`.
    pub what: String,
    /// What happened, in the server's words where it gave some. Untrusted: pass it through `console::text` before a screen.
    pub detail: String,
}

impl Fault {
    /// Makes a fault, of GitLab unless `of` says otherwise.
    pub fn new(kind: FaultKind, what: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { kind, asked: Asked::default(), what: what.into(), detail: detail.into() }
    }

    /// The same fault, of whom was asked.
    pub fn of(self, asked: Asked) -> Self {
        Self { asked, ..self }
    }

    /// Trying the same again later may help.
    pub fn is_transient(&self) -> bool {
        matches!(
            self.kind,
            FaultKind::RateLimited { .. }
                | FaultKind::Timeout
                | FaultKind::Unreachable
                | FaultKind::Server { .. }
                | FaultKind::Garbled
                | FaultKind::Firewall
        )
    }

    /// It is not known whether what was asked for has happened.
    pub fn is_uncertain(&self) -> bool {
        matches!(self.kind, FaultKind::Timeout | FaultKind::Unreachable | FaultKind::Server { .. } | FaultKind::Garbled)
    }

    /// What the person can do next.
    pub fn remedy(&self, now: Timestamp) -> String {
        match &self.kind {
            FaultKind::Unauthorized => match self.asked {
                Asked::GitLab => "give a token: put it into an environment variable and name it with --token-env",
                Asked::GitHub => "set `github.token_env` or `github.token_file`, or `github.app` with its key",
                Asked::Git => "check the tokens, or `bridge.ssh_key` and `bridge.known_hosts`",
                Asked::Kubernetes => "try `kubectl auth whoami` with the same kubeconfig and context",
                Asked::Prometheus => "set `prometheus.token_env` or `prometheus.token_file`",
                Asked::Alertmanager => "set `alertmanager.token_env` or `alertmanager.token_file`",
            }
            .to_owned(),
            FaultKind::Forbidden => match self.asked {
                Asked::GitLab => "the token lacks the right; use one with scope `api` and role Developer",
                Asked::GitHub => {
                    "it needs the rights to read pull requests, checks and contents, and to write commit statuses"
                }
                Asked::Git => "the token lacks the right to read GitHub's repository, or to push to GitLab's",
                Asked::Kubernetes => "try `kubectl auth can-i --list`; the rights it needs are in scripts/deploy",
                Asked::Prometheus | Asked::Alertmanager => "its token lacks the right",
            }
            .to_owned(),
            FaultKind::NotFound => match self.asked {
                Asked::GitLab => "check the project path; hidden things answer 404 as well",
                Asked::GitHub => "check `github.repository` and `github.url`; hidden things answer 404 as well",
                Asked::Git => "check `github.git_url` and `bridge.git_url`; hidden things are absent as well",
                Asked::Kubernetes => "it is gone, or this cluster knows no such kind",
                Asked::Prometheus => "check `prometheus.url`",
                Asked::Alertmanager => "check `alertmanager.url`",
            }
            .to_owned(),
            FaultKind::RateLimited { until: Some(until) } => {
                format!("rate limit; next try in {}", short(until.since(now)))
            }
            FaultKind::RateLimited { until: None } => "rate limit; waiting longer between requests".to_owned(),
            FaultKind::Timeout | FaultKind::Unreachable => "check the network; trying again by itself".to_owned(),
            FaultKind::Server { .. } => "the server has trouble; trying again by itself".to_owned(),
            FaultKind::Garbled => "the answer was damaged on the way; trying again by itself".to_owned(),
            FaultKind::Firewall => {
                "the site's firewall wants a browser; use a token from an allowed network, or wait".to_owned()
            }
            FaultKind::Refused { .. } => "read the server's reason and change the request".to_owned(),
            FaultKind::Local => "see the message; nothing was sent".to_owned(),
        }
    }

    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self.kind {
            FaultKind::Unauthorized => "login",
            FaultKind::Forbidden => "denied",
            FaultKind::NotFound => "absent",
            FaultKind::RateLimited { .. } => "limited",
            FaultKind::Timeout => "timeout",
            FaultKind::Unreachable => "offline",
            FaultKind::Server { .. } => "server",
            FaultKind::Garbled => "garbled",
            FaultKind::Firewall => "firewall",
            FaultKind::Refused { .. } => "refused",
            FaultKind::Local => "local",
        }
    }
}

/// A number that may not be known in full. Prints `12`, `≥ 12` or `?`, so that unknown never looks like zero.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Count {
    Exact(usize),
    AtLeast(usize),
    Unknown,
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Exact(n) => f.pad(&n.to_string()),
            Self::AtLeast(n) => f.pad(&format!("≥ {n}")),
            Self::Unknown => f.pad("?"),
        }
    }
}
