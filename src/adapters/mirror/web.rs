//! Mirrors on a web server.

use std::time::Duration;

use http::{StatusCode, header};
use reqwest::redirect::Policy;
use reqwest::{Client, Response, Url};
use tokio::sync::OnceCell;
use tokio::time::timeout;

use super::fault::{Fault, Object, Pieces, innermost, retry_after};
use super::settings::{MAX_REDIRECTS, Settings};
use crate::adapters::web::is_loopback;
use crate::ci::Timestamp;

/// The clients, made when they are first needed.
#[derive(Default)]
pub(super) struct Web {
    outside: OnceCell<Client>,
    /// For this machine, which no proxy can reach.
    loopback: OnceCell<Client>,
}

impl Web {
    /// What lies at an address; `None` where the server says that nothing does.
    pub async fn get(&self, settings: &Settings, url: &Url, limit: usize) -> Result<Option<Object>, Fault> {
        let client = self.client(settings, url).await?;
        let Some(mut response) = answer(client, settings.silence, url).await? else { return Ok(None) };
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok());
        let modified = text(header::LAST_MODIFIED).and_then(Timestamp::parse_http_date);
        let is_packed = text(header::CONTENT_ENCODING).is_some_and(|coding| coding != "identity");
        let tag = text(header::ETAG).map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
        let mut pieces = Pieces::new(limit, response.content_length())?;
        while let Some(piece) = in_time(settings.silence, response.chunk()).await? {
            pieces.push(&piece)?;
        }
        Ok(Some(Object { bytes: pieces.into_bytes(), modified, is_packed, tag }))
    }

    async fn client(&self, settings: &Settings, url: &Url) -> Result<&Client, Fault> {
        let is_loopback = is_loopback(url.host_str());
        let cell = if is_loopback { &self.loopback } else { &self.outside };
        cell.get_or_try_init(|| async {
            let mut builder = Client::builder()
                .user_agent(&settings.user_agent)
                .connect_timeout(settings.connect)
                // Checksums are over the bytes as they are stored.
                .gzip(false)
                .referer(false)
                // Followed by hand, on the same host only.
                .redirect(Policy::none());
            if is_loopback {
                builder = builder.no_proxy();
            }
            builder.build()
        })
        .await
        .map_err(|error| Fault::lasting(format!("no web client can be made ({})", innermost(&error))))
    }
}

async fn answer(client: &Client, silence: Duration, first: &Url) -> Result<Option<Response>, Fault> {
    let mut url = first.clone();
    for _ in 0..=MAX_REDIRECTS {
        let response = in_time(silence, client.get(url.clone()).send()).await?;
        let status = response.status();
        if status.is_success() {
            return Ok(Some(response));
        }
        if !status.is_redirection() {
            return refusal(&response);
        }
        let location = response.headers().get(header::LOCATION).and_then(|text| text.to_str().ok());
        let next = location.and_then(|text| url.join(text).ok());
        let next = next.ok_or_else(|| Fault::lasting(format!("HTTP {} leads nowhere", status.as_u16())))?;
        if !is_same_server(&url, &next) {
            let other = next.origin().ascii_serialization();
            return Err(Fault::lasting(format!("it redirects to {other}; use that address if you trust it")));
        }
        url = next;
    }
    Err(Fault::lasting(format!("more than {MAX_REDIRECTS} redirects")))
}

fn refusal(response: &Response) -> Result<Option<Response>, Fault> {
    let status = response.status();
    let said = format!("HTTP {}", status.as_u16());
    match status {
        StatusCode::NOT_FOUND | StatusCode::GONE => Ok(None),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Err(Fault::lasting(format!(
            "access denied ({said}); check the permissions, and that the server answers 404 for what does not exist"
        ))),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::REQUEST_TIMEOUT => Err(waiting(response, said)),
        _ if status.is_server_error() => Err(waiting(response, said)),
        _ => Err(Fault::lasting(said)),
    }
}

fn waiting(response: &Response, said: String) -> Fault {
    let wait = retry_after(response.headers().get(header::RETRY_AFTER).and_then(|text| text.to_str().ok()));
    Fault { wait, ..Fault::passing(said) }
}

/// The same host and port; from http one may be led to https.
fn is_same_server(first: &Url, next: &Url) -> bool {
    let is_same = first.scheme() == next.scheme() && first.port_or_known_default() == next.port_or_known_default();
    let is_upgrade =
        first.scheme() == "http" && next.scheme() == "https" && first.port().is_none() && next.port().is_none();
    first.host() == next.host() && (is_same || is_upgrade)
}

async fn in_time<T>(silence: Duration, waiting: impl Future<Output = reqwest::Result<T>>) -> Result<T, Fault> {
    match timeout(silence, waiting).await {
        Ok(Ok(done)) => Ok(done),
        Ok(Err(error)) if error.is_timeout() => Err(Fault::passing("no connection in time")),
        Ok(Err(error)) => Err(Fault::passing(format!("the answer broke off ({})", innermost(&error.without_url())))),
        Err(_) => Err(Fault::silence(silence)),
    }
}
