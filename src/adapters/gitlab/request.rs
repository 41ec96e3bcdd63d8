//! How a request travels: budget, tries, deadlines, redirects and size caps, for everything that the adapter asks.
//!
//! The `gitlab` crate's endpoint builders only say which URL and which body ([`Endpoint`]); its own client is not used, because it hides
//! headers, reads bodies whole, has no deadline and cannot wait for a rate limit. The token is put on a request in `send` and nowhere else:
//! never in a URL, never for another origin, never in a message.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use gitlab::api::{Endpoint, UrlBase};
use http::{HeaderMap, Method, StatusCode, header};
use reqwest::{Response, Url};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::answer::{self, Answer, Failure};
use super::client::{GitLab, chain};
use super::pace::Turn;
use crate::console::fault::{Fault, FaultKind};

/// The most that any answer but a log may hold, after unpacking.
const BODY_CAP: usize = 64 << 20;
/// The most that is read of an answer that says no.
const REFUSAL_CAP: usize = 64 << 10;
const REDIRECTS: usize = 5;

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
            let mut patient = true;
            let pause = if let FaultKind::RateLimited { .. } = fault.kind {
                // One limited request silences the whole client: the others would only make it longer.
                let rest = failure.retry_after.unwrap_or_else(|| self.inner.pace.backoff(tried + 1));
                self.inner.pace.silence(rest);
                patient = rest <= self.inner.patience;
                self.gauges().limited_until = Some(self.now().plus(rest));
                deadline = None;
                Duration::ZERO
            } else {
                self.inner.pace.backoff(tried)
            };
            let late = deadline.is_some() && Instant::now() + pause >= end;
            if !ask.again || !failure.again || !patient || late || tried + 1 >= self.inner.tries {
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
