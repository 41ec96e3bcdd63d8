//! What an answer means as far as HTTP goes. Pure: `client` reads the bytes, this module judges them.

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;

use crate::console::fault::{Fault, FaultKind};

/// A whole answer, whatever its status. It is no page and no redirect.
pub struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A fault of one try, and whether another try may help within the same call.
#[derive(Debug)]
pub struct Failure {
    pub fault: Fault,
    pub again: bool,
}

impl Failure {
    pub fn last(kind: FaultKind, what: &str, detail: impl Into<String>) -> Self {
        Self { fault: Fault::new(kind, what, detail), again: false }
    }

    pub fn passing(kind: FaultKind, what: &str, detail: impl Into<String>) -> Self {
        Self { fault: Fault::new(kind, what, detail), again: true }
    }
}

/// Says whether an answer is a page for people. Login proxies send those with any status.
pub(super) fn is_page(headers: &HeaderMap, body: &[u8]) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or_default();
    let start = body.trim_ascii_start();
    let begins = |word: &[u8]| start.get(..word.len()).is_some_and(|s| s.eq_ignore_ascii_case(word));
    kind.trim_start().starts_with("text/html") || begins(b"<!doctype html") || begins(b"<html")
}

/// The fault of being sent to a login instead of getting data.
pub(super) fn login_wanted(what: &str, how: &str) -> Failure {
    let detail = format!(
        "not authenticated: {how} instead of data; give a bearer token, or the cookie of the login proxy, or another address"
    );
    Failure::last(FaultKind::Unauthorized, what, detail)
}

/// The fault of an answer that is not a success. `said` is the server's own reason, as far as it gave one.
pub fn refusal(what: &str, status: StatusCode, said: &str) -> Failure {
    let code = status.as_u16();
    let detail = if said.is_empty() { format!("HTTP {code}") } else { format!("HTTP {code}, {}", cut(said)) };
    match code {
        401 => Failure::last(FaultKind::Unauthorized, what, format!("not authenticated: {detail}")),
        403 => Failure::last(FaultKind::Forbidden, what, detail),
        404 => Failure::last(FaultKind::NotFound, what, detail),
        429 => Failure::passing(FaultKind::RateLimited { until: None }, what, detail),
        500.. => Failure::passing(FaultKind::Server { status: code }, what, detail),
        _ => Failure::last(FaultKind::Refused { status: code }, what, detail),
    }
}

/// Reads JSON of a known shape.
pub fn json<'b, T: Deserialize<'b>>(what: &str, body: &'b [u8]) -> Result<T, Failure> {
    serde_json::from_slice(body).map_err(|error| {
        let detail = format!("not the JSON that was expected ({} bytes): {}", body.len(), cut(&error.to_string()));
        // Whole and well-formed, but of another shape: asking again would bring the same.
        Failure { fault: Fault::new(FaultKind::Garbled, what, detail), again: !error.is_data() }
    })
}

/// The fault of a success that is not the JSON of an API: where it does not even claim to be, a login proxy has answered.
pub fn unless_login(failure: Failure, what: &str, answer: &Answer) -> Failure {
    let kind = answer.headers.get(header::CONTENT_TYPE).and_then(|text| text.to_str().ok()).unwrap_or("nothing");
    if kind.contains("json") { failure } else { login_wanted(what, &format!("the server sent `{}`", cut(kind))) }
}

/// One line of at most 300 characters, without control characters.
pub fn cut(text: &str) -> String {
    const SHOWN: usize = 300;
    let text = text.trim();
    let mut shown: String = text.chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
