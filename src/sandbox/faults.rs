//! Misbehaviour on purpose: everything that a GitLab, a firewall or a network may do to a client.
//!
//! Tests order faults at [`super::Running::fault`]; nothing here is reachable over HTTP.

use std::convert::Infallible;
use std::io;
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::Response;
use futures_util::{StreamExt, stream};

use super::gitlab::Answer;
use super::world::LogBody;

/// One kind of misbehaviour.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum FaultKind {
    /// The token is not accepted any more.
    Unauthorized,
    /// The caller may not do this.
    Forbidden,
    /// The thing is not there, or may not be seen.
    NotFound,
    /// Too many requests, in plain text as Rack says it, with `Retry-After` seconds.
    RetryLater(u64),
    /// Too many requests, in JSON as the application says it, with `Retry-After` seconds.
    TooManyRequests(u64),
    /// GitHub's second limit: 403, with or without `Retry-After` seconds.
    SecondaryLimit(Option<u64>),
    /// The storage wants fewer requests, as S3 says it.
    SlowDown,
    /// GitLab itself fails, or the storage.
    ServerError,
    /// The proxy before GitLab fails, in HTML.
    BadGateway,
    /// The right answer, cut in the middle.
    Truncated,
    /// A firewall's challenge: 202 and HTML.
    Firewall,
    /// Nothing happens for that long, then the right answer comes.
    Hang(Duration),
    /// The connection breaks in the middle of the body.
    Drop,
    /// The right answer begins and never goes on.
    Stall,
    /// What the client goes on from is too old.
    Expired,
    /// The right answer, in that many bytes per pause.
    Slow { bytes: usize, pause: Duration },
    /// A pull request is pushed, or opened on the GitHub, before each answer, so that lists move between pages.
    MovingList,
    /// Whatever a test wants to send.
    Reply { status: u16, content_type: &'static str, body: String },
}

/// A misbehaviour with its aim.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    kind: FaultKind,
    route: Option<String>,
    times: Option<u32>,
}

impl Fault {
    /// Hits every request until it is healed.
    pub fn new(kind: FaultKind) -> Self {
        Self { kind, route: None, times: None }
    }

    /// Hits only requests whose path and query (at the GitLab with the method before them) contain this text.
    pub fn on(self, route: &str) -> Self {
        Self { route: Some(route.to_owned()), ..self }
    }

    /// Hits that many requests and then no more.
    pub fn times(self, times: u32) -> Self {
        Self { times: Some(times), ..self }
    }
}

/// The faults that are in force.
#[derive(Debug, Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub fn add(&mut self, fault: Fault) {
        self.0.push(fault);
    }

    pub fn clear(&mut self) {
        self.0.clear();
    }

    /// The first fault that hits a request.
    pub fn strike(&mut self, target: &str) -> Option<FaultKind> {
        let hits = |f: &&mut Fault| f.times != Some(0) && f.route.as_ref().is_none_or(|r| target.contains(r.as_str()));
        let fault = self.0.iter_mut().find(hits)?;
        fault.times = fault.times.map(|times| times - 1);
        Some(fault.kind.clone())
    }
}

/// The answer that a fault gives instead of the right one; `None` when it needs the right one.
pub(super) fn instead(kind: &FaultKind) -> Option<Answer> {
    Some(match kind {
        FaultKind::Unauthorized => Answer::error(401, "401 Unauthorized"),
        FaultKind::Forbidden => Answer::error(403, "403 Forbidden"),
        FaultKind::NotFound => Answer::error(404, "404 Not found"),
        FaultKind::RetryLater(seconds) => {
            Answer::text(429, LogBody::Bytes(b"Retry later\n".to_vec().into())).with("retry-after", seconds.to_string())
        }
        FaultKind::TooManyRequests(seconds) => {
            let text = "This endpoint has been requested too many times. Try again later.";
            Answer::json(429, &serde_json::json!({ "message": { "error": text } }))
                .with("retry-after", seconds.to_string())
        }
        FaultKind::SecondaryLimit(seconds) => {
            let text = "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.";
            let answer = Answer::error(403, text);
            seconds.iter().fold(answer, |answer, seconds| answer.with("retry-after", seconds.to_string()))
        }
        FaultKind::SlowDown => Answer::error(503, "503 Slow Down"),
        FaultKind::ServerError => Answer::error(500, "500 Internal Server Error"),
        FaultKind::Expired => Answer::error(410, "410 Gone"),
        FaultKind::BadGateway => Answer::html(
            502,
            "<html><head><title>502 Bad Gateway</title></head><body>GitLab is not responding</body></html>",
        ),
        FaultKind::Firewall => {
            Answer::html(202, "<!DOCTYPE html><script>challenge()</script>").with("x-amzn-waf-action", "challenge")
        }
        FaultKind::Reply { status, content_type, body } => {
            let mut answer = Answer::html(*status, body);
            answer.headers = vec![("content-type", (*content_type).to_owned())];
            answer
        }
        FaultKind::Truncated
        | FaultKind::Hang(_)
        | FaultKind::Drop
        | FaultKind::Stall
        | FaultKind::Slow { .. }
        | FaultKind::MovingList => return None,
    })
}

/// Sends an answer, whole or as the fault wants it.
pub(super) fn send(answer: Answer, fault: Option<&FaultKind>, date: &str) -> Response {
    let mut response =
        Response::builder().status(answer.status).header("date", date).header("x-gitlab-meta", "{\"version\":\"1\"}");
    for (name, value) in &answer.headers {
        response = response.header(*name, value);
    }
    let body = match answer.body {
        LogBody::Endless(bytes) => endless(bytes),
        LogBody::Bytes(bytes) => body(Bytes::from_owner(bytes), fault),
    };
    response.body(body).unwrap_or_default()
}

/// Breaks the body of an answer that somebody else has made.
pub(super) async fn broken(response: Response, fault: &FaultKind) -> Response {
    /// More is cut off.
    const LIMIT: usize = 64 << 20;
    let (mut parts, whole) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(whole, LIMIT).await else { return Response::default() };
    if matches!(fault, FaultKind::Truncated) {
        parts.headers.remove("content-length");
    }
    Response::from_parts(parts, body(bytes, Some(fault)))
}

fn body(bytes: Bytes, fault: Option<&FaultKind>) -> Body {
    let half = |bytes: &Bytes| bytes.slice(..bytes.len() / 2);
    match fault {
        Some(FaultKind::Truncated) => Body::from(half(&bytes)),
        Some(FaultKind::Drop) => {
            let reset = io::Error::from(io::ErrorKind::ConnectionReset);
            Body::from_stream(stream::iter([Ok(half(&bytes)), Err(reset)]))
        }
        Some(FaultKind::Stall) => {
            Body::from_stream(stream::iter([Ok::<_, Infallible>(half(&bytes))]).chain(stream::pending()))
        }
        Some(FaultKind::Slow { bytes: chunk, pause }) => slow(&bytes, (*chunk).max(1), *pause),
        _ => Body::from(bytes),
    }
}

fn slow(bytes: &[u8], chunk: usize, pause: Duration) -> Body {
    let chunks: Vec<Bytes> = bytes.chunks(chunk).map(Bytes::copy_from_slice).collect();
    Body::from_stream(stream::unfold(chunks.into_iter(), move |mut rest| async move {
        let next = rest.next()?;
        tokio::time::sleep(pause).await;
        Some((Ok::<_, Infallible>(next), rest))
    }))
}

/// Numbered lines, made while they are sent.
fn endless(total: u64) -> Body {
    Body::from_stream(stream::unfold((0u64, 0u64), move |(sent, line)| async move {
        if sent >= total {
            return None;
        }
        let mut chunk = Vec::with_capacity(66_000);
        let mut line = line;
        while chunk.len() < 64_000 {
            chunk.extend_from_slice(
                format!("[{line:>9}] Building CXX object src/mesh/CMakeFiles/mesh_core.dir/core_{line}.cpp.o\n")
                    .as_bytes(),
            );
            line += 1;
        }
        chunk.truncate(usize::try_from(total - sent).unwrap_or(usize::MAX));
        let sent = sent + chunk.len() as u64;
        Some((Ok::<_, Infallible>(Bytes::from(chunk)), (sent, line)))
    }))
}
