//! Fetches an included file from a web server.

use std::fmt::Write as _;
use std::time::Duration;

use ::http::{StatusCode, header};
use reqwest::{Response, Url};
use sha2::{Digest, Sha256};

use super::error::EnvironmentFault;
use super::file::{MAX_YAML, MEGABYTE};
use super::http::Http;

/// One request, and the whole of it with its redirects.
const REQUEST: Duration = Duration::from_secs(30);
const MAX_REDIRECTS: usize = 5;

/// The contents, checked; `None` where the server says that there is no such file.
///
/// Redirects are followed on the same host only. A client that follows them by itself is held to that afterwards.
pub(super) async fn fetch(
    http: &Http,
    include: &str,
    url: &str,
    sha256: Option<&str>,
) -> Result<Option<Vec<u8>>, EnvironmentFault> {
    let bad = |what: &str, hint| EnvironmentFault::Target { include: include.to_owned(), what: what.to_owned(), hint };
    let Some(wanted) = sha256 else {
        return Err(bad("a remote file needs a checksum", "add `sha256`"));
    };
    let wanted = wanted.trim().to_ascii_lowercase();
    if wanted.len() != 64 || !wanted.bytes().all(|b| b.is_ascii_hexdigit()) {
        return Err(bad("its `sha256` is no SHA-256", "give 64 hexadecimal digits"));
    }
    let url = Url::parse(url).map_err(|error| bad(&error.to_string(), "correct the URL"))?;
    let Some(response) = answer(http, include, url).await? else { return Ok(None) };
    let bytes = body(include, response).await?;
    let found = Sha256::digest(&bytes).iter().fold(String::new(), |mut hex, byte| {
        // Writing into a text cannot fail.
        let _ = write!(hex, "{byte:02x}");
        hex
    });
    if found != wanted {
        return Err(EnvironmentFault::Checksum { include: include.to_owned(), found, wanted });
    }
    Ok(Some(bytes))
}

async fn answer(http: &Http, include: &str, first: Url) -> Result<Option<Response>, EnvironmentFault> {
    let failed = |what: String| EnvironmentFault::Fetch { include: include.to_owned(), what };
    let client = http.client().map_err(|error| failed(reason(error)))?;
    let mut url = first.clone();
    for _ in 0..=MAX_REDIRECTS {
        let sent = client.get(url.clone()).timeout(REQUEST).send().await.map_err(|error| failed(reason(error)))?;
        same_host(&first, sent.url()).map_err(failed)?;
        let status = sent.status();
        if matches!(status, StatusCode::NOT_FOUND | StatusCode::GONE) {
            return Ok(None);
        }
        if status.is_success() {
            return Ok(Some(sent));
        }
        if !status.is_redirection() {
            return Err(failed(format!("HTTP {}", status.as_u16())));
        }
        let location = sent.headers().get(header::LOCATION).and_then(|text| text.to_str().ok());
        let next = location.and_then(|text| sent.url().join(text).ok());
        url = next.ok_or_else(|| failed(format!("HTTP {} leads nowhere", status.as_u16())))?;
        same_host(&first, &url).map_err(failed)?;
    }
    Err(failed(format!("more than {MAX_REDIRECTS} redirects")))
}

fn same_host(first: &Url, next: &Url) -> Result<(), String> {
    let is_same = first.host() == next.host() && first.port_or_known_default() == next.port_or_known_default();
    if is_same && first.scheme() == next.scheme() {
        return Ok(());
    }
    let origin = next.origin().ascii_serialization();
    Err(format!("it redirects to {origin}; include the address where the raw file is"))
}

async fn body(include: &str, mut response: Response) -> Result<Vec<u8>, EnvironmentFault> {
    let failed = |error| EnvironmentFault::Fetch { include: include.to_owned(), what: reason(error) };
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(failed)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > MAX_YAML {
            return Err(EnvironmentFault::TooLarge { limit: MAX_YAML / MEGABYTE });
        }
    }
    Ok(bytes)
}

/// The innermost reason, without the address: that is in the message already, with its variables still in it.
fn reason(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} seconds", REQUEST.as_secs());
    }
    let error = error.without_url();
    let mut last: &dyn std::error::Error = &error;
    while let Some(next) = last.source() {
        last = next;
    }
    last.to_string()
}
