//! The handle to one GitLab: what it was told, what it knows about the traffic so far, and how it keeps its token to itself.
//!
//! How requests travel is the business of `request`; what they ask for, that of `read`, `graphql`, `trace` and `write`.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::{HeaderMap, HeaderValue};
use reqwest::Url;
use secrecy::{ExposeSecret, SecretString};

use super::answer;
use super::graphql::Shape;
use super::pace::Pace;
use super::settings::{Now, Settings};
use super::words::Words;
use crate::adapters::web::stay_at_home;
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};

/// What is known about the traffic with one GitLab.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Requests sent so far, tries and redirects included.
    pub requests: u64,
    /// Requests open now.
    pub in_flight: usize,
    /// Set while the server wants silence.
    pub limited_until: Option<Timestamp>,
    /// What the server's rate limit has left; `None` when it does not say, which is not the same as unlimited.
    pub remaining: Option<u64>,
    /// The server's clock minus ours.
    pub skew_ms: Option<i64>,
    /// Tries that failed, whatever the reason.
    pub errors: u64,
}

/// A handle to one project on one GitLab. Clones share budget, connections and statistics.
#[derive(Clone)]
pub struct GitLab {
    pub(super) inner: Arc<Inner>,
}

pub(super) struct Inner {
    pub http: reqwest::Client,
    pub base: Url,
    pub api: Url,
    project: String,
    pub auth: Option<HeaderValue>,
    token: Option<SecretString>,
    pub request: Duration,
    trace: Duration,
    pub tries: u32,
    now: Now,
    pub pace: Pace,
    pub patience: Duration,
    stats: Mutex<Stats>,
    words: Mutex<Words>,
    shape: Mutex<Shape>,
    no_trigger_jobs: AtomicBool,
}

impl GitLab {
    /// Prepares a client; sends nothing.
    pub fn new(settings: Settings) -> Result<Self, Fault> {
        let local = |detail: String| Fault::new(FaultKind::Local, "set up the GitLab client", detail);
        let mut base = Url::parse(settings.url.trim())
            .map_err(|e| local(format!("`{}` is not a URL ({e}); write https://HOST", settings.url)))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(local(format!("`{}` is no web address; write https://HOST", settings.url)));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(local("the URL holds a password; give the token by --token-env".to_owned()));
        }
        let path = format!("{}/", base.path().trim_end_matches('/'));
        base.set_path(&path);
        base.set_query(None);
        base.set_fragment(None);
        let project = settings.project.trim().trim_matches('/').to_owned();
        if project.is_empty() {
            return Err(local("no project; write GROUP/NAME".to_owned()));
        }
        let auth = settings.token.as_ref().map(bearer).transpose().map_err(local)?;
        // Redirects are followed by hand, so that the token stays at home and a write never turns into a read.
        let http = stay_at_home(&base, &settings.user_agent, settings.connect).map_err(|e| local(chain(&e)))?;
        let api = base.join("api/v4/").map_err(|e| local(e.to_string()))?;
        let anonymous = auth.is_none();
        let seed = (settings.now)().millis() as u64;
        let inner = Inner {
            http,
            base,
            api,
            project,
            auth,
            token: settings.token.clone(),
            request: settings.request,
            trace: settings.trace,
            tries: settings.tries.max(1),
            now: settings.now.clone(),
            pace: Pace::new(&settings, seed),
            patience: settings.patience,
            stats: Mutex::default(),
            words: Mutex::default(),
            shape: Mutex::new(Shape::new(anonymous)),
            no_trigger_jobs: AtomicBool::new(false),
        };
        Ok(Self { inner: Arc::new(inner) })
    }

    /// The project, as it was configured: a path or a number.
    pub fn project_path(&self) -> &str {
        &self.inner.project
    }

    /// Whether requests carry a token.
    pub fn has_token(&self) -> bool {
        self.inner.auth.is_some()
    }

    /// The traffic so far.
    pub fn stats(&self) -> Stats {
        let now = self.now();
        let mut stats = *self.gauges();
        stats.in_flight = self.inner.pace.in_flight();
        stats.limited_until = stats.limited_until.filter(|until| *until > now);
        stats
    }

    pub(super) fn now(&self) -> Timestamp {
        (self.inner.now)()
    }

    pub(super) fn base(&self) -> &Url {
        &self.inner.base
    }

    pub(super) fn trace_deadline(&self) -> Duration {
        self.inner.trace
    }

    pub(super) fn words(&self) -> MutexGuard<'_, Words> {
        self.inner.words.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn shape(&self) -> MutexGuard<'_, Shape> {
        self.inner.shape.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers that this server knows only the old name of a route.
    pub(super) fn no_trigger_jobs(&self) -> &AtomicBool {
        &self.inner.no_trigger_jobs
    }

    pub(super) fn gauges(&self) -> MutexGuard<'_, Stats> {
        self.inner.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says no before anything is sent, where a server without a token would.
    pub(super) fn require_token(&self, what: &str) -> Result<(), Fault> {
        if self.has_token() {
            return Ok(());
        }
        Err(Fault::new(FaultKind::Unauthorized, what, "this needs a token and none is set; nothing was sent"))
    }

    /// Keeps what the server says about its clock and its limits.
    pub(super) fn read_gauges(&self, headers: &HeaderMap) {
        let now = self.now();
        let date = answer::text(headers, "date").and_then(Timestamp::parse_http_date);
        let mut stats = self.gauges();
        stats.remaining = answer::text(headers, "ratelimit-remaining").and_then(|n| n.trim().parse().ok());
        if let Some(date) = date {
            // The header counts whole seconds: on average it is half a second behind.
            stats.skew_ms = Some(date.millis() + 500 - now.millis());
        }
    }

    /// Counts a fault and takes the token out of it, should a server have sent it back.
    pub(super) fn note(&self, mut fault: Fault) -> Fault {
        self.gauges().errors += 1;
        if let Some(token) = &self.inner.token
            && fault.detail.contains(token.expose_secret())
        {
            fault.detail = fault.detail.replace(token.expose_secret(), "[token]");
        }
        fault
    }
}

impl fmt::Debug for GitLab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GitLab")
            .field("url", &self.inner.base.as_str())
            .field("project", &self.inner.project)
            .field("token", &self.has_token())
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}

fn bearer(token: &SecretString) -> Result<HeaderValue, String> {
    let text = token.expose_secret().trim();
    if text.is_empty() {
        return Err("the token is empty; unset it to read without one".to_owned());
    }
    let mut value = HeaderValue::from_str(&format!("Bearer {text}"))
        .map_err(|_| "the token holds characters that no token has; check the variable".to_owned())?;
    value.set_sensitive(true);
    Ok(value)
}

/// An error with its sources, innermost last.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        let inner_text = inner.to_string();
        if !text.contains(&inner_text) {
            text.push_str(": ");
            text.push_str(&inner_text);
        }
        source = inner.source();
    }
    text
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
