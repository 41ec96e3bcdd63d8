//! Our HTTP layer: budget, tries, deadlines, redirects, size caps and the token, for every request of the adapter.
//!
//! The `gitlab` crate's endpoint builders only say which URL and which body ([`Endpoint`]); its own client is not used, because it hides
//! headers, reads bodies whole, has no deadline and cannot wait for a rate limit. The token is put on a request in [`GitLab::send`] and
//! nowhere else: never in a URL, never for another origin, never in a message.

use std::fmt;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gitlab::api::{Endpoint, UrlBase};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use reqwest::{Response, Url};
use secrecy::{ExposeSecret, SecretString};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::answer::{self, Answer, Failure};
use super::graphql::Shape;
use super::pace::{Pace, Turn};
use super::settings::{Now, Settings};
use super::words::Words;
use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};

/// The most that any answer but a log may hold, after unpacking.
const BODY_CAP: usize = 64 << 20;
/// The most that is read of an answer that says no.
const REFUSAL_CAP: usize = 64 << 10;
const REDIRECTS: usize = 5;

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
    inner: Arc<Inner>,
}

struct Inner {
    http: reqwest::Client,
    base: Url,
    api: Url,
    project: String,
    auth: Option<HeaderValue>,
    token: Option<SecretString>,
    request: Duration,
    trace: Duration,
    tries: u32,
    now: Now,
    pace: Pace,
    stats: Mutex<Stats>,
    words: Mutex<Words>,
    shape: Mutex<Shape>,
    no_trigger_jobs: AtomicBool,
}

/// One request, in the form in which it can be tried again.
pub(super) struct Ask {
    /// What is being done, for faults: `read pipeline 17`.
    pub what: String,
    pub method: Method,
    pub url: Url,
    pub body: Option<(&'static str, Bytes)>,
    /// Sending it twice does no harm.
    pub again: bool,
}

/// A read value together with the headers it came with.
pub(super) struct Reply<T> {
    pub value: T,
    pub headers: HeaderMap,
}

/// A success whose body has not been read. Holds its place in the budget.
pub(super) struct Opened {
    pub response: Response,
    _turn: Turn,
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
        let mut builder = reqwest::Client::builder()
            .user_agent(&settings.user_agent)
            .connect_timeout(settings.connect)
            .gzip(true)
            .referer(false)
            // Followed by hand, so that the token stays at home and a write never turns into a read.
            .redirect(reqwest::redirect::Policy::none());
        if is_loopback(&base) {
            builder = builder.no_proxy();
        }
        let http = builder.build().map_err(|e| local(chain(&e)))?;
        let api = base.join("api/v4/").map_err(|e| local(e.to_string()))?;
        let anonymous = auth.is_none();
        let seed = (settings.now)().millis() as u64;
        let inner = Inner {
            http,
            base,
            api,
            project,
            auth,
            token: settings.token,
            request: settings.request,
            trace: settings.trace,
            tries: settings.tries.max(1),
            now: settings.now,
            pace: Pace::new(settings.in_flight, settings.per_second, settings.patience, seed),
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

    fn gauges(&self) -> MutexGuard<'_, Stats> {
        self.inner.stats.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says no before anything is sent, where a server without a token would.
    pub(super) fn require_token(&self, what: &str) -> Result<(), Fault> {
        if self.has_token() {
            return Ok(());
        }
        Err(Fault::new(FaultKind::Unauthorized, what, "this needs a token and none is set; nothing was sent"))
    }

    /// Turns an endpoint into a request.
    pub(super) fn ask(
        &self,
        what: impl Into<String>,
        endpoint: &impl Endpoint,
        extra: &[(&str, String)],
    ) -> Result<Ask, Fault> {
        let what = what.into();
        let root = match endpoint.url_base() {
            UrlBase::ApiV4 => &self.inner.api,
            _ => &self.inner.base,
        };
        let built = root.join(&endpoint.endpoint()).map_err(|e| e.to_string()).and_then(|mut url| {
            if !url.as_str().starts_with(root.as_str()) {
                return Err("the request would leave the API".to_owned());
            }
            endpoint.parameters().add_to_url(&mut url);
            url.query_pairs_mut().extend_pairs(extra);
            if url.query() == Some("") {
                url.set_query(None);
            }
            Ok((url, endpoint.body().map_err(|e| e.to_string())?))
        });
        match built {
            Ok((url, body)) => {
                let method = endpoint.method();
                let again = method == Method::GET;
                let body = body.map(|(kind, bytes)| (kind, Bytes::from(bytes)));
                Ok(Ask { what, method, url, body, again })
            }
            Err(detail) => Err(Fault::new(FaultKind::Local, what, detail)),
        }
    }

    /// Sends a request and reads its answer as JSON.
    pub(super) async fn json<T: DeserializeOwned>(&self, ask: &Ask) -> Result<Reply<T>, Fault> {
        self.attempts(ask, |turn| async move {
            let answer = self.whole(ask, turn).await?;
            let value = answer::json(&ask.what, &answer)?;
            Ok(Reply { value, headers: answer.headers })
        })
        .await
    }

    /// Sends a request and reads its answer as bytes.
    pub(super) async fn bytes(&self, ask: &Ask) -> Result<Bytes, Fault> {
        self.attempts(ask, |turn| async move {
            let answer = self.whole(ask, turn).await?;
            if answer.status == StatusCode::ACCEPTED || answer::looks_like_page(&answer.body) {
                return Err(answer::firewall(&ask.what, answer.status));
            }
            Ok(answer.body)
        })
        .await
    }

    /// Sends a request and hands over its answer unread, for bodies that are too long to hold.
    pub(super) async fn open(&self, ask: &Ask) -> Result<Opened, Fault> {
        self.attempts(ask, |turn| self.send(ask, turn)).await
    }

    /// Runs one call: turn, try, and again with backoff while that is harmless, may help, and the deadline allows.
    async fn attempts<T, F>(&self, ask: &Ask, one: impl Fn(Turn) -> F) -> Result<T, Fault>
    where
        F: Future<Output = Result<T, Failure>>,
    {
        let what = &ask.what;
        let mut deadline = None;
        for tried in 0.. {
            let turn = self.inner.pace.turn().await.map_err(|silenced| {
                let until = Some(self.now().plus(silenced.rest));
                Fault::new(FaultKind::RateLimited { until }, what, "the server asked for silence; nothing was sent")
            })?;
            let start = Instant::now();
            let end = *deadline.get_or_insert(start + self.inner.request);
            let result = match timeout_at(end, one(turn)).await {
                Ok(result) => result,
                Err(_) => Err(Failure::last(
                    FaultKind::Timeout,
                    what,
                    format!("no whole answer within {} s", self.inner.request.as_secs_f32()),
                )),
            };
            let failure = match result {
                Ok(value) => {
                    tracing::debug!(what, ms = start.elapsed().as_millis() as u64, "answered");
                    return Ok(value);
                }
                Err(failure) => failure,
            };
            let fault = self.note(failure.fault);
            tracing::debug!(what, ms = start.elapsed().as_millis() as u64, %fault, "failed");
            let pause = if let FaultKind::RateLimited { .. } = fault.kind {
                // One limited request silences the whole client: the others would only make it longer.
                let rest = failure.retry_after.unwrap_or_else(|| self.inner.pace.backoff(tried + 1));
                self.inner.pace.silence(rest);
                self.gauges().limited_until = Some(self.now().plus(rest));
                deadline = None;
                Duration::ZERO
            } else {
                self.inner.pace.backoff(tried)
            };
            let late = deadline.is_some() && Instant::now() + pause >= end;
            if !ask.again || !failure.again || late || tried + 1 >= self.inner.tries {
                return Err(fault);
            }
            sleep(pause).await;
        }
        Err(Fault::new(FaultKind::Local, what, "no try was made"))
    }

    /// Sends once and reads the body, up to the cap.
    async fn whole(&self, ask: &Ask, turn: Turn) -> Result<Answer, Failure> {
        let mut opened = self.send(ask, turn).await?;
        let (body, cut) = read_capped(&ask.what, &mut opened.response, BODY_CAP).await?;
        if cut {
            let detail = format!("the answer is larger than {} MB and was not read", BODY_CAP >> 20);
            return Err(Failure::last(FaultKind::Garbled, &ask.what, detail));
        }
        Ok(Answer { status: opened.response.status(), headers: opened.response.headers().clone(), body })
    }

    /// Sends once, follows redirects, and types every answer that is not a success.
    async fn send(&self, ask: &Ask, turn: Turn) -> Result<Opened, Failure> {
        let what = &ask.what;
        let mut url = ask.url.clone();
        for _ in 0..=REDIRECTS {
            let home = same_origin(&url, &self.inner.base);
            let mut request = self.inner.http.request(ask.method.clone(), url.clone());
            if let Some(auth) = self.inner.auth.as_ref().filter(|_| home) {
                request = request.header(header::AUTHORIZATION, auth.clone());
            }
            if let Some((kind, body)) = &ask.body {
                request = request.header(header::CONTENT_TYPE, *kind).body(body.clone());
            }
            self.gauges().requests += 1;
            let mut response = request.send().await.map_err(|error| transport(what, error))?;
            if home {
                self.read_gauges(response.headers());
            }
            let status = response.status();
            if status.is_redirection()
                && let Some(next) = answer::text(response.headers(), "location")
            {
                url = redirected(ask, &url, next)?;
                continue;
            }
            if status.is_success() && !answer::is_firewall(response.headers()) {
                return Ok(Opened { response, _turn: turn });
            }
            // The text of a refusal is a courtesy: when it cannot be read, the status still says enough.
            let body = read_capped(what, &mut response, REFUSAL_CAP).await.map(|(body, _)| body).unwrap_or_default();
            let answer = Answer { status, headers: response.headers().clone(), body };
            return Err(answer::refusal(what, &answer, self.now()));
        }
        Err(Failure::last(FaultKind::Garbled, what, format!("more than {REDIRECTS} redirects")))
    }

    /// Keeps what the server says about its clock and its limits.
    fn read_gauges(&self, headers: &HeaderMap) {
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

fn is_loopback(url: &Url) -> bool {
    match url.host_str() {
        Some("localhost" | "[::1]") => true,
        Some(host) => host.parse::<std::net::Ipv4Addr>().is_ok_and(|ip| ip.is_loopback()),
        None => false,
    }
}

/// Same scheme, host and port.
pub(super) fn same_origin(a: &Url, b: &Url) -> bool {
    a.scheme() == b.scheme() && a.host_str() == b.host_str() && a.port_or_known_default() == b.port_or_known_default()
}

/// Where a redirect leads, if it may be followed.
fn redirected(ask: &Ask, from: &Url, location: &str) -> Result<Url, Failure> {
    let what = &ask.what;
    let next = from.join(location).map_err(|e| {
        Failure::last(FaultKind::Garbled, what, format!("redirected to something that is no URL ({e})"))
    })?;
    let to = next.host_str().unwrap_or_default().to_owned();
    if next.path().ends_with("/users/sign_in") {
        return Err(Failure::last(FaultKind::Unauthorized, what, "the server wants a login"));
    }
    if ask.method != Method::GET {
        let detail = format!("the project has moved (redirect to {to}{}); set the new path", next.path());
        return Err(Failure::last(FaultKind::Refused { status: 301 }, what, detail));
    }
    let downgrade = from.scheme() == "https" && next.scheme() != "https";
    if downgrade || !matches!(next.scheme(), "http" | "https") {
        let detail = format!("redirected from {} to {}://{to}, which is not followed", from.scheme(), next.scheme());
        return Err(Failure::last(FaultKind::Garbled, what, detail));
    }
    Ok(next)
}

/// Reads a body up to a cap; tells whether there was more.
async fn read_capped(what: &str, response: &mut Response, cap: usize) -> Result<(Bytes, bool), Failure> {
    let mut body = BytesMut::new();
    while let Some(piece) = response.chunk().await.map_err(|error| transport(what, error))? {
        let room = cap - body.len();
        body.extend_from_slice(piece.get(..room).unwrap_or(&piece));
        if piece.len() > room {
            return Ok((body.freeze(), true));
        }
    }
    Ok((body.freeze(), false))
}

/// The fault of a request that brought no answer, or half of one.
pub(super) fn transport(what: &str, error: reqwest::Error) -> Failure {
    let kind = if error.is_connect() {
        FaultKind::Unreachable
    } else if error.is_timeout() {
        FaultKind::Timeout
    } else if error.is_body() || error.is_decode() {
        FaultKind::Garbled
    } else {
        FaultKind::Unreachable
    };
    Failure::passing(kind, what, answer::cut(&chain(&error.without_url())))
}

/// An error with its sources, innermost last.
fn chain(error: &dyn std::error::Error) -> String {
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

impl Opened {
    /// Reads the next piece of the body within a deadline.
    pub(super) async fn piece(&mut self, what: &str, deadline: Duration) -> Result<Option<Bytes>, Fault> {
        match timeout(deadline, self.response.chunk()).await {
            Ok(Ok(piece)) => Ok(piece),
            Ok(Err(error)) => Err(transport(what, error).fault),
            Err(_) => {
                let detail = format!("nothing more came for {} s", deadline.as_secs_f32());
                Err(Fault::new(FaultKind::Timeout, what, detail))
            }
        }
    }
}

#[cfg(test)]
#[path = "client_tests.rs"]
mod tests;
