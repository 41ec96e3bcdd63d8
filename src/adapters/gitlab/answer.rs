//! What an HTTP answer means: the one place where GitLab's (and its neighbours') ways of saying no become a [`Fault`].
//!
//! Pure: the client reads the bytes, this module judges them. Texts come from the other side; they are cut, never trusted.

use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, StatusCode, header};
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::ci::Timestamp;
use crate::console::fault::{Fault, FaultKind};

/// A whole answer.
pub(super) struct Answer {
    pub status: StatusCode,
    pub headers: HeaderMap,
    pub body: Bytes,
}

/// A fault of one try, and whether another try may help within the same call.
#[derive(Debug)]
pub(super) struct Failure {
    pub fault: Fault,
    pub again: bool,
    /// How long the server wants to be left alone.
    pub retry_after: Option<Duration>,
}

impl Failure {
    pub fn last(kind: FaultKind, what: &str, detail: impl Into<String>) -> Self {
        Self { fault: Fault::new(kind, what, detail), again: false, retry_after: None }
    }

    pub fn passing(kind: FaultKind, what: &str, detail: impl Into<String>) -> Self {
        Self { fault: Fault::new(kind, what, detail), again: true, retry_after: None }
    }
}

/// Says whether the head of an answer is the firewall's and not GitLab's.
pub(super) fn is_firewall(headers: &HeaderMap) -> bool {
    headers.contains_key("x-amzn-waf-action")
}

/// Says whether the head announces a web page.
pub(super) fn is_page(headers: &HeaderMap) -> bool {
    text(headers, header::CONTENT_TYPE.as_str()).is_some_and(|kind| kind.trim_start().starts_with("text/html"))
}

/// The fault of an answer that is not a success.
pub(super) fn refusal(what: &str, answer: &Answer, now: Timestamp) -> Failure {
    let status = answer.status.as_u16();
    let page = is_page(&answer.headers) || looks_like_page(&answer.body);
    if is_firewall(&answer.headers) || (page && matches!(status, 202 | 403 | 405)) {
        return firewall(what, answer.status);
    }
    let said = reason(&answer.body, page);
    let detail = if said.is_empty() { format!("HTTP {status}") } else { format!("HTTP {status}, {said}") };
    match status {
        401 => Failure::last(FaultKind::Unauthorized, what, detail),
        403 if is_state_refusal(&said) => Failure::last(FaultKind::Refused { status }, what, detail),
        403 => Failure::last(FaultKind::Forbidden, what, detail),
        404 => Failure::last(FaultKind::NotFound, what, detail),
        429 => {
            let retry_after = retry_after(&answer.headers, now);
            let until = retry_after.map(|length| now.plus(length));
            Failure { retry_after, ..Failure::passing(FaultKind::RateLimited { until }, what, detail) }
        }
        500.. => Failure::passing(FaultKind::Server { status }, what, detail),
        _ => Failure::last(FaultKind::Refused { status }, what, detail),
    }
}

/// Reads a success as JSON. A page in its place is the firewall's doing.
pub(super) fn json<T: DeserializeOwned>(what: &str, answer: &Answer) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body).map_err(|error| {
        if answer.body.is_empty() || is_page(&answer.headers) || looks_like_page(&answer.body) {
            return firewall(what, answer.status);
        }
        let detail =
            format!("not the JSON that was expected ({} bytes): {}", answer.body.len(), cut(&error.to_string()));
        if error.is_data() {
            // Whole and well-formed, but of another shape: asking again would bring the same.
            Failure::last(FaultKind::Garbled, what, detail)
        } else {
            Failure::passing(FaultKind::Garbled, what, detail)
        }
    })
}

/// The fault of a success that is not what an API answers with.
pub(super) fn firewall(what: &str, status: StatusCode) -> Failure {
    let detail =
        format!("HTTP {}, a page or nothing where data was asked for: blocked by the firewall", status.as_u16());
    Failure::last(FaultKind::Firewall, what, detail)
}

/// Says whether a body is a web page, whatever its head claims.
pub(super) fn looks_like_page(body: &[u8]) -> bool {
    let start = body.trim_ascii_start();
    start.get(..14).is_some_and(|s| s.eq_ignore_ascii_case(b"<!doctype html"))
        || start.get(..5).is_some_and(|s| s.eq_ignore_ascii_case(b"<html"))
}

/// How long the server wants silence: `Retry-After` as seconds or as a date, else the reset of the rate limit.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Duration> {
    // A date is the server's: measure it with the server's clock when the answer carries one.
    let server_now = text(headers, "date").and_then(Timestamp::parse_http_date).unwrap_or(now);
    let asked = text(headers, "retry-after").and_then(|value| match value.trim().parse::<u64>() {
        Ok(seconds) => Some(Duration::from_secs(seconds)),
        Err(_) => Timestamp::parse_http_date(value.trim()).map(|at| at.since(server_now)),
    });
    let reset = || {
        let at = text(headers, "ratelimit-reset")?.trim().parse::<i64>().ok()?;
        Some(Timestamp::from_millis(at.saturating_mul(1000)).since(server_now))
    };
    // An hour is the longest that any limit of GitLab lasts; a larger number is a mistake or malice.
    asked.or_else(reset).map(|length| length.min(Duration::from_hours(1)))
}

/// A header as text.
pub(super) fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

/// GitLab answers 403 both for a missing right and for a job in the wrong state.
fn is_state_refusal(said: &str) -> bool {
    let said = said.to_ascii_lowercase();
    ["not retryable", "not cancelable", "not erasable", "unplayable", "not playable"].iter().any(|t| said.contains(t))
}

/// The server's own words, flattened and cut.
fn reason(body: &[u8], page: bool) -> String {
    if page {
        return "a web page instead of data".to_owned();
    }
    let Ok(value) = serde_json::from_slice::<Value>(body) else {
        let text = String::from_utf8_lossy(body.get(..400).unwrap_or(body));
        return cut(text.lines().next().unwrap_or_default().trim());
    };
    let part = |key: &str| value.get(key).map(flatten).filter(|s| !s.is_empty());
    let said = match (part("message"), part("error"), part("error_description")) {
        (Some(message), ..) => message,
        (None, Some(error), Some(description)) => format!("{error}: {description}"),
        (None, Some(error), None) => error,
        (None, None, description) => description.unwrap_or_default(),
    };
    cut(&said)
}

/// `{"base": ["Reference not found"]}` → `Reference not found`; other keys keep their name.
fn flatten(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Array(items) => items.iter().map(flatten).collect::<Vec<_>>().join("; "),
        Value::Object(map) => map
            .iter()
            .map(|(key, inner)| match key.as_str() {
                "base" | "error" => flatten(inner),
                _ => format!("{key} {}", flatten(inner)),
            })
            .collect::<Vec<_>>()
            .join("; "),
        Value::Null => String::new(),
        other => other.to_string(),
    }
}

/// At most 300 characters.
pub(super) fn cut(text: &str) -> String {
    match text.char_indices().nth(300) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(status: u16, headers: &[(&'static str, &str)], body: &str) -> Failure {
        let headers =
            headers.iter().map(|(n, v)| (http::HeaderName::from_static(n), v.parse().unwrap())).collect::<HeaderMap>();
        let answer =
            Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: Bytes::from(body.to_owned()) };
        refusal("read", &answer, Timestamp::from_millis(1_000_000))
    }

    #[test]
    fn refusals_become_faults_in_the_servers_words() {
        for (status, body, kind, detail) in [
            (401, r#"{"message":"401 Unauthorized"}"#, FaultKind::Unauthorized, "HTTP 401, 401 Unauthorized"),
            (404, r#"{"message":"404 Project Not Found"}"#, FaultKind::NotFound, "HTTP 404, 404 Project Not Found"),
            (
                403,
                include_str!("testdata/error_403_scope.json"),
                FaultKind::Forbidden,
                "HTTP 403, insufficient_scope: The request requires higher privileges than provided by the access token.",
            ),
            (
                403,
                r#"{"message":"403 Forbidden - Job is not retryable"}"#,
                FaultKind::Refused { status: 403 },
                "HTTP 403, 403 Forbidden - Job is not retryable",
            ),
            (
                400,
                include_str!("testdata/pipeline_create_400.json"),
                FaultKind::Refused { status: 400 },
                "HTTP 400, Reference not found",
            ),
            (
                409,
                r#"{"message":{"name":["is taken","is short"]}}"#,
                FaultKind::Refused { status: 409 },
                "HTTP 409, name is taken; is short",
            ),
            (422, "", FaultKind::Refused { status: 422 }, "HTTP 422"),
            (
                502,
                "<html><body>Bad gateway</body></html>",
                FaultKind::Server { status: 502 },
                "HTTP 502, a web page instead of data",
            ),
            (503, "overloaded\nmore", FaultKind::Server { status: 503 }, "HTTP 503, overloaded"),
            (
                405,
                r#"{"error":"Offset pagination has a maximum allowed offset of 50000"}"#,
                FaultKind::Refused { status: 405 },
                "HTTP 405, Offset pagination has a maximum allowed offset of 50000",
            ),
        ] {
            let failure = judged(status, &[], body);
            assert_eq!(failure.fault.kind, kind, "{status} {body}");
            assert_eq!(failure.fault.detail, detail);
            assert_eq!(failure.again, status >= 500, "{status}");
        }
    }

    #[test]
    fn limits_tell_how_long() {
        let until = |headers: &[(&'static str, &str)]| judged(429, headers, "Retry later").retry_after;
        assert_eq!(until(&[("retry-after", "17")]), Some(Duration::from_secs(17)));
        assert_eq!(
            until(&[("date", "Mon, 23 Nov 2026 03:12:07 GMT"), ("retry-after", "Mon, 23 Nov 2026 03:12:37 GMT")]),
            Some(Duration::from_secs(30))
        );
        assert_eq!(until(&[("ratelimit-reset", "1060")]), Some(Duration::from_mins(1)));
        assert_eq!(until(&[("retry-after", "99999999999")]), Some(Duration::from_hours(1)));
        assert_eq!(until(&[("retry-after", "soon")]), None);
        let failure = judged(429, &[("retry-after", "2")], include_str!("testdata/error_429_application.json"));
        assert_eq!(failure.fault.kind, FaultKind::RateLimited { until: Some(Timestamp::from_millis(1_002_000)) });
        assert_eq!(failure.fault.detail, "HTTP 429, This endpoint has been requested too many times. Try again later.");
    }

    #[test]
    fn the_firewall_is_told_from_gitlab() {
        for (status, headers, body) in [
            (202, &[("x-amzn-waf-action", "challenge")][..], ""),
            (405, &[("x-amzn-waf-action", "captcha")], "<html>"),
            (403, &[("content-type", "text/html")], "Request blocked"),
        ] {
            assert_eq!(judged(status, headers, body).fault.kind, FaultKind::Firewall, "{status}");
        }
        let answer = |body: &'static str| Answer {
            status: StatusCode::OK,
            headers: HeaderMap::new(),
            body: Bytes::from_static(body.as_bytes()),
        };
        let kind = |body| json::<Vec<u8>>("read", &answer(body)).unwrap_err();
        assert_eq!(kind("").fault.kind, FaultKind::Firewall);
        assert_eq!(kind(" <!DOCTYPE HTML><p>").fault.kind, FaultKind::Firewall);
        let truncated = kind("[1, 2");
        assert_eq!((truncated.fault.kind, truncated.again), (FaultKind::Garbled, true));
        let shaped = kind(r#"{"a": 1}"#);
        assert_eq!((shaped.fault.kind, shaped.again), (FaultKind::Garbled, false));
    }

    #[test]
    fn long_words_are_cut() {
        let failure = judged(400, &[], &format!(r#"{{"message":"{}"}}"#, "é".repeat(5000)));
        assert!(failure.fault.detail.chars().count() < 320);
    }
}
