//! The client: octocrab, within GitHub's limits.

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU32, AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::body::{Body, to_bytes};
use http::StatusCode;
use octocrab::Octocrab;
use octocrab::models::{AppId, InstallationId};
use octocrab::service::middleware::retry::RetryConfig;
use secrecy::ExposeSecret;
use serde_json::Value;
use tokio::time::{sleep, timeout};

use super::answer::{Answer, cut};
use super::limits::{Dialect, Limits, Quota};
use super::settings::{Access, Settings};
use crate::adapters::backoff::Backoff;
use crate::ci::Timestamp;
use crate::console::fault::{Asked, Fault, FaultKind};

/// The largest answer that is read.
const MOST: usize = 64 << 20;

/// One repository on one GitHub. It has to be made inside a runtime of tokio.
pub struct GitHub {
    rest: Octocrab,
    graphql: Octocrab,
    pub(super) settings: Settings,
    limits: Mutex<Limits>,
    backoff: Backoff,
    requests: AtomicU64,
    /// Milliseconds by which GitHub's clock is ahead of ours.
    skew_ms: AtomicI64,
    has_told_time: AtomicBool,
    /// With how many pull requests the next list begins.
    pub(super) page: AtomicU32,
}

/// One request, before it is sent.
pub(super) enum Ask<'a> {
    Get(&'a str),
    Post(&'a str, &'a Value),
    /// Reads, although it is sent as a POST.
    Query(&'a Value),
}

impl GitHub {
    /// Makes a client; nothing is sent yet. `seed` spreads the waits of clients that failed together.
    pub fn new(settings: Settings, seed: u64) -> Result<Self, Fault> {
        let rest = build(&settings, &settings.url)?;
        // An Enterprise server has the two dialects side by side: `/api/v3` and `/api/graphql`.
        let base = settings.url.trim_end_matches('/');
        let graphql = build(&settings, base.strip_suffix("/v3").unwrap_or(base))?;
        let backoff = Backoff::new(settings.backoff, settings.backoff.saturating_mul(16), seed);
        let limits = Mutex::new(Limits::default());
        let page = settings.page.clamp(1, 100).into();
        Ok(Self {
            rest,
            graphql,
            page,
            settings,
            limits,
            backoff,
            requests: 0.into(),
            skew_ms: 0.into(),
            has_told_time: false.into(),
        })
    }

    /// How many requests were sent.
    pub fn requests(&self) -> u64 {
        self.requests.load(Ordering::Relaxed)
    }

    /// What the time is there, by its last answer: the moments that it tells are of its own clock.
    pub fn server_now(&self) -> Timestamp {
        (self.settings.now)().shifted(self.skew_ms.load(Ordering::Relaxed))
    }

    /// Whether it has said what the time is there; until then, [`Self::server_now`] is our own.
    pub fn has_told_time(&self) -> bool {
        self.has_told_time.load(Ordering::Relaxed)
    }

    /// What is left of this hour's requests: of REST, and of GraphQL. None before the first answer.
    pub fn quotas(&self) -> [Option<Quota>; 2] {
        let limits = self.limits();
        [limits.quota(Dialect::Rest), limits.quota(Dialect::GraphQl)]
    }

    /// Below the repository's address.
    pub(super) fn route(&self, rest: &str) -> String {
        format!("/repos/{}/{}/{rest}", self.settings.owner, self.settings.repository)
    }

    /// Sends a request within the limits, and reads tried ones again.
    pub(super) async fn ask(&self, what: &str, ask: Ask<'_>) -> Result<Answer, Fault> {
        self.tried(what, ask).await.map_err(|fault| fault.of(Asked::GitHub))
    }

    async fn tried(&self, what: &str, ask: Ask<'_>) -> Result<Answer, Fault> {
        let is_write = matches!(ask, Ask::Post(..));
        let tries = if is_write { 1 } else { self.settings.tries.max(1) };
        let mut tried = 0;
        loop {
            self.turn(what, &ask).await?;
            let fault = match self.send(what, &ask).await {
                Ok(answer) => return Ok(answer),
                Err(fault) => fault,
            };
            tried += 1;
            let may_pass = fault.is_transient() && !matches!(fault.kind, FaultKind::RateLimited { .. });
            // A limit is waited for in the next turn, if it is short enough; it is not a failed try.
            let is_limit = matches!(fault.kind, FaultKind::RateLimited { .. });
            if tried >= tries || !(may_pass || is_limit) {
                return Err(fault);
            }
            if may_pass {
                sleep(self.backoff.after(tried)).await;
            }
        }
    }

    /// Waits for the limits, or tells until when they hold.
    async fn turn(&self, what: &str, ask: &Ask<'_>) -> Result<(), Fault> {
        let begin = (self.settings.now)();
        loop {
            let now = (self.settings.now)();
            let next = {
                let mut limits = self.limits();
                let next = match ask {
                    Ask::Get(_) => limits.next(Dialect::Rest, now),
                    Ask::Query(_) => limits.next(Dialect::GraphQl, now),
                    Ask::Post(..) => limits.next_write(self.settings.between_writes, now),
                };
                if next <= now {
                    if matches!(ask, Ask::Post(..)) {
                        limits.wrote(now);
                    }
                    return Ok(());
                }
                next
            };
            if next.since(begin) > self.settings.patience {
                let detail = "GitHub asked to be left alone, or takes no more writes for now";
                return Err(Fault::new(FaultKind::RateLimited { until: Some(next) }, what, detail));
            }
            sleep(next.since(now)).await;
        }
    }

    async fn send(&self, what: &str, ask: &Ask<'_>) -> Result<Answer, Fault> {
        self.requests.fetch_add(1, Ordering::Relaxed);
        let late = |_| Fault::new(FaultKind::Timeout, what, "no whole answer within the deadline");
        let whole = timeout(self.settings.request, self.exchange(what, ask)).await.map_err(late)?;
        let answer = whole?;
        let dialect = if matches!(ask, Ask::Query(_)) { Dialect::GraphQl } else { Dialect::Rest };
        let now = (self.settings.now)();
        let date = answer.headers.get("date").and_then(|date| Timestamp::parse_http_date(date.to_str().ok()?));
        if let Some(date) = date {
            // A date has whole seconds.
            self.skew_ms.store(date.millis() + 500 - now.millis(), Ordering::Relaxed);
            self.has_told_time.store(true, Ordering::Relaxed);
        }
        let until = self.limits().heard(dialect, answer.status, &answer.headers, &answer.body, now);
        if answer.status.is_success() || answer.status == StatusCode::NOT_MODIFIED {
            return Ok(answer);
        }
        Err(answer.refusal(what, until))
    }

    async fn exchange(&self, what: &str, ask: &Ask<'_>) -> Result<Answer, Fault> {
        let sent = match ask {
            Ask::Get(route) => self.rest._get(*route).await,
            Ask::Post(route, body) => self.rest._post(*route, Some(*body)).await,
            Ask::Query(body) => self.graphql._post("/graphql", Some(*body)).await,
        };
        let (parts, body) = sent.map_err(|error| fault_of(what, &error, (self.settings.now)()))?.into_parts();
        let damaged = |error: axum::Error| Fault::new(FaultKind::Garbled, what, cut(&error.to_string()));
        let body = to_bytes(Body::new(body), MOST).await.map_err(damaged)?;
        Ok(Answer { status: parts.status, headers: parts.headers, body })
    }

    fn limits(&self) -> MutexGuard<'_, Limits> {
        self.limits.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn build(settings: &Settings, url: &str) -> Result<Octocrab, Fault> {
    let local = |detail: String| Fault::new(FaultKind::Local, "set up the GitHub client", detail);
    let wrong = |error: octocrab::Error| local(cut(&error.to_string()));
    let builder = Octocrab::builder()
        .base_uri(url)
        .map_err(wrong)?
        // Its own retries would repeat writes, and sleep where nobody sees it.
        .add_retry_config(RetryConfig::None)
        .set_connect_timeout(Some(settings.connect))
        .set_read_timeout(Some(settings.request))
        .set_write_timeout(Some(settings.request))
        .add_header(http::HeaderName::from_static("x-github-api-version"), "2022-11-28".to_owned());
    match &settings.access {
        Access::Token(token) => builder.personal_token(token.clone()).build().map_err(wrong),
        Access::App { id, installation, key } => {
            // What is wrong with a key is not told on: the text could hold a part of it.
            let no_key = |_| local("the App's private key is no RSA key in PEM".to_owned());
            let app = builder.app_from_rsa_pem(AppId(*id), key.expose_secret()).map_err(no_key)?;
            let app = app.build().map_err(wrong)?;
            app.installation(InstallationId(*installation)).map_err(wrong)
        }
    }
}

/// What octocrab could not do: reach GitHub, or make a token for an installation.
fn fault_of(what: &str, error: &octocrab::Error, now: Timestamp) -> Fault {
    if let octocrab::Error::GitHub { source, .. } = error {
        let status = source.status_code.as_u16();
        let kind = match status {
            401 => FaultKind::Unauthorized,
            // Its headers are lost here; its words tell a limit from a missing right.
            403 if !source.message.to_ascii_lowercase().contains("rate limit") => FaultKind::Forbidden,
            403 | 429 => FaultKind::RateLimited { until: Some(now.plus(Duration::from_secs(60))) },
            404 => FaultKind::NotFound,
            500.. => FaultKind::Server { status },
            _ => FaultKind::Refused { status },
        };
        return Fault::new(
            kind,
            what,
            format!("no token for the installation: HTTP {status}, {}", cut(&source.message)),
        );
    }
    let mut causes = Vec::new();
    let mut next: Option<&dyn std::error::Error> = std::error::Error::source(error);
    while let Some(cause) = next {
        causes.push(cut(&cause.to_string()));
        next = cause.source();
    }
    let detail = causes.pop().unwrap_or_else(|| "no connection".to_owned());
    Fault::new(FaultKind::Unreachable, what, detail)
}
