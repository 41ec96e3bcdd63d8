//! The handle to one service. The login is put on a request in `once` and nowhere else: never in a URL, never for another host, never in a
//! message.

use std::fmt;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, StatusCode, header};
use reqwest::{Client, Response, Url};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, timeout_at};

use super::answer::{Answer, Failure, cut, is_page, login_wanted};
use super::settings::{Login, Settings};
use crate::adapters::backoff::Backoff;
use crate::console::fault::{Asked, Fault, FaultKind};

/// What is sent along.
pub enum Body {
    None,
    Form(String),
    Json(Bytes),
}

/// One request, in the form in which it can be tried again.
pub struct Ask {
    /// What is being done, for faults.
    pub what: String,
    pub method: Method,
    pub url: Url,
    pub body: Body,
    pub accept: &'static str,
    /// Sending it twice does no harm.
    pub again: bool,
}

/// One service.
pub struct Web {
    asked: Asked,
    http: Client,
    base: Url,
    login: Option<(header::HeaderName, HeaderValue)>,
    secret: Option<SecretString>,
    slots: Semaphore,
    request: Duration,
    tries: u32,
    backoff: Backoff,
    largest: usize,
}

impl Web {
    /// Prepares a client for `name`; sends nothing.
    pub fn new(name: &str, asked: Asked, settings: &Settings) -> Result<Self, Fault> {
        let local = |detail: String| Fault::new(FaultKind::Local, format!("set up {name}"), detail);
        let base = Url::parse(settings.url.trim())
            .map_err(|error| local(format!("its address is no URL ({error}); write https://HOST")))?;
        if !matches!(base.scheme(), "http" | "https") || base.host_str().is_none() {
            return Err(local("its address is no web address; write https://HOST".to_owned()));
        }
        if !base.username().is_empty() || base.password().is_some() {
            return Err(local("its address holds a password; give a bearer token or a cookie instead".to_owned()));
        }
        let login = login(&settings.login).map_err(local)?;
        let secret = match &settings.login {
            Login::Anonymous => None,
            Login::Bearer(secret) | Login::Cookie(secret) => Some(secret.clone()),
        };
        // Whoever leads elsewhere wants a login, which is told and not followed.
        let http = stay_at_home(&base, &settings.user_agent, settings.connect).map_err(|e| local(innermost(&e)))?;
        // Clients that start together must not come back together.
        let seed = RandomState::new().build_hasher().finish();
        Ok(Self {
            asked,
            http,
            base,
            login,
            secret,
            slots: Semaphore::new(settings.in_flight.max(1)),
            request: settings.request,
            tries: settings.tries.max(1),
            backoff: Backoff::new(settings.backoff, settings.backoff.saturating_mul(16), seed),
            largest: settings.largest,
        })
    }

    /// The address as it was given.
    pub fn base(&self) -> &Url {
        &self.base
    }

    /// An address below the base; `path` is made of parts that need no further writing.
    pub fn at(&self, path: &[&str]) -> Url {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_fragment(None);
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path);
        }
        url
    }

    /// Sends a request, and again with backoff while that is harmless, may help, and the deadline allows. `read` judges every answer that is
    /// neither a page nor a redirect.
    pub async fn call<T>(&self, ask: &Ask, read: impl Fn(&Answer) -> Result<T, Failure>) -> Result<T, Fault> {
        let end = Instant::now() + self.request;
        for tried in 0.. {
            let once = async {
                // It is never closed; were it, requests would go on without a slot rather than fail.
                let _slot = self.slots.acquire().await.ok();
                read(&self.once(ask).await?)
            };
            let failure = match timeout_at(end, once).await {
                Ok(Ok(value)) => return Ok(value),
                Ok(Err(failure)) => failure,
                Err(_) => {
                    let detail = format!("no whole answer within {} s", self.request.as_secs_f32());
                    Failure::last(FaultKind::Timeout, &ask.what, detail)
                }
            };
            let fault = self.without_secret(failure.fault).of(self.asked);
            tracing::debug!(%fault, "failed");
            let pause = self.backoff.after(tried);
            if !ask.again || !failure.again || tried + 1 >= self.tries || Instant::now() + pause >= end {
                return Err(fault);
            }
            sleep(pause).await;
        }
        Err(Fault::new(FaultKind::Local, &ask.what, "no try was made"))
    }

    async fn once(&self, ask: &Ask) -> Result<Answer, Failure> {
        let what = &ask.what;
        let mut request = self.http.request(ask.method.clone(), ask.url.clone()).header(header::ACCEPT, ask.accept);
        if let Some((name, value)) = &self.login {
            request = request.header(name, value.clone());
        }
        request = match &ask.body {
            Body::None => request,
            Body::Form(text) => {
                request.header(header::CONTENT_TYPE, "application/x-www-form-urlencoded").body(text.clone())
            }
            Body::Json(bytes) => request.header(header::CONTENT_TYPE, "application/json").body(bytes.clone()),
        };
        let mut response = request.send().await.map_err(|error| transport(what, error))?;
        let status = response.status();
        if status.is_redirection() {
            return Err(login_wanted(what, &format!("the server leads to {}", led_to(&response))));
        }
        let body = self.read(what, &mut response).await?;
        let headers = response.headers().clone();
        if is_page(&headers, &body) {
            if status.is_server_error() {
                return Err(super::refusal(what, status, "a web page instead of data"));
            }
            return Err(login_wanted(what, &format!("the server sent a web page (HTTP {})", status.as_u16())));
        }
        if status == StatusCode::NO_CONTENT && !body.is_empty() {
            return Err(Failure::passing(FaultKind::Garbled, what, "an answer without contents has some"));
        }
        Ok(Answer { status, headers, body })
    }

    async fn read(&self, what: &str, response: &mut Response) -> Result<Bytes, Failure> {
        let mut body = BytesMut::new();
        while let Some(piece) = response.chunk().await.map_err(|error| transport(what, error))? {
            if body.len() + piece.len() > self.largest {
                let detail = format!("the answer has more than the {} bytes that are read at most", self.largest);
                return Err(Failure::last(FaultKind::Garbled, what, detail));
            }
            body.extend_from_slice(&piece);
        }
        Ok(body.freeze())
    }

    /// Takes the login out of a message, should a server have sent it back.
    fn without_secret(&self, mut fault: Fault) -> Fault {
        if let Some(secret) = &self.secret
            && fault.detail.contains(secret.expose_secret().trim())
        {
            fault.detail = fault.detail.replace(secret.expose_secret().trim(), "[secret]");
        }
        fault
    }
}

impl fmt::Debug for Web {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Web").field("origin", &self.base.origin().ascii_serialization()).finish_non_exhaustive()
    }
}

fn login(login: &Login) -> Result<Option<(header::HeaderName, HeaderValue)>, String> {
    let (name, text) = match login {
        Login::Anonymous => return Ok(None),
        Login::Bearer(secret) => (header::AUTHORIZATION, format!("Bearer {}", filled(secret, "token")?)),
        Login::Cookie(secret) => {
            let cookie = filled(secret, "cookie")?;
            if !cookie.contains('=') {
                return Err("the cookie has no name; write NAME=VALUE".to_owned());
            }
            (header::COOKIE, cookie.to_owned())
        }
    };
    let mut value = HeaderValue::from_str(&text)
        .map_err(|_| "the login holds characters that no login has; check the variable".to_owned())?;
    value.set_sensitive(true);
    Ok(Some((name, value)))
}

fn filled<'s>(secret: &'s SecretString, name: &str) -> Result<&'s str, String> {
    let text = secret.expose_secret().trim();
    if text.is_empty() { Err(format!("the {name} is empty; unset it to read without one")) } else { Ok(text) }
}

/// Where a redirect leads, without what may be secret in it.
fn led_to(response: &Response) -> String {
    let location = response.headers().get(header::LOCATION).and_then(|text| text.to_str().ok());
    match location.and_then(|text| response.url().join(text).ok()) {
        Some(url) => cut(&format!("{}{}", url.origin().ascii_serialization(), url.path())),
        None => "nowhere".to_owned(),
    }
}

/// A client that follows no redirect by itself, and asks this machine without a proxy.
pub fn stay_at_home(base: &Url, user_agent: &str, connect: Duration) -> reqwest::Result<Client> {
    let builder = Client::builder().user_agent(user_agent).connect_timeout(connect).gzip(true).referer(false);
    let builder = builder.redirect(reqwest::redirect::Policy::none());
    if is_loopback(base.host_str()) { builder.no_proxy() } else { builder }.build()
}

/// Whether a host is this machine, which no proxy reaches.
pub fn is_loopback(host: Option<&str>) -> bool {
    let host = host.unwrap_or_default().trim_matches(['[', ']']);
    host == "localhost" || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// The fault of a request that brought no answer, or half of one.
fn transport(what: &str, error: reqwest::Error) -> Failure {
    let kind = if error.is_timeout() {
        FaultKind::Timeout
    } else if error.is_body() || error.is_decode() {
        FaultKind::Garbled
    } else {
        FaultKind::Unreachable
    };
    let how = if kind == FaultKind::Garbled { "the answer broke off" } else { "no connection" };
    Failure::passing(kind, what, format!("{how} ({})", innermost(&error.without_url())))
}

/// The innermost reason of an error.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(inner) = source {
        text = inner.to_string();
        source = inner.source();
    }
    cut(&text)
}
