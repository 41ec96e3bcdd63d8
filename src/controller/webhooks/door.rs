//! The HTTP side: who may come in, and what they hear. Checks are in this order: content type, length, proof, headers, JSON.

use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use axum::routing::post;
use secrecy::{ExposeSecret as _, SecretString};
use thiserror::Error;
use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout_at};

use super::body::{LARGE_AT_ONCE, LARGEST, read};
use super::inbox::Inbox;
use super::proof::{Keys, Tokens};
use super::tally::{Outcome, Spaced, Tally};
use crate::adapters::store::{Delivery, Taken};
use crate::bridge::wake::{self, Forge};
use crate::console::text::clean;

/// Memory for bodies that are being read or wait to be written; whoever brings more waits.
const ROOM: usize = 128 << 20;
/// Both forges give up after ten seconds.
const DEADLINE: Duration = Duration::from_secs(9);
/// From here on, reading JSON would hold up others.
const LARGE: usize = 1 << 20;
/// No forge has longer names for events and deliveries.
const LONGEST_NAME: usize = 100;

/// Who is let in. A forge without a secret has no door.
#[derive(Debug, Clone, Default)]
pub struct Settings {
    /// What GitHub signs with; several while one takes the place of another.
    pub github_secrets: Vec<SecretString>,
    /// What GitLab's deliveries carry.
    pub gitlab_tokens: Vec<SecretString>,
    /// `owner/name` on GitHub: deliveries of other repositories are ignored. None takes all.
    pub repository: Option<Arc<str>>,
    /// `group/name` on GitLab: deliveries of other projects are ignored. None takes all.
    pub project: Option<Arc<str>>,
}

impl Settings {
    /// Whether nobody is let in.
    pub const fn is_closed(&self) -> bool {
        self.github_secrets.is_empty() && self.gitlab_tokens.is_empty()
    }
}

/// A door that would let everybody in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Error)]
#[error("the secret of {0}'s webhooks is empty, and anybody could sign with it; set one, or none to close that door")]
pub struct DoorError(Forge);

/// What stands at the routes.
pub(super) struct Door(Arc<Desk>);

struct Desk {
    inbox: Inbox,
    keys: Keys,
    tokens: Tokens,
    settings: Settings,
    room: Arc<Semaphore>,
    /// For large bodies of whoever is not known yet.
    turns: Semaphore,
    tally: Tally,
    ignored: Spaced,
    refused: Spaced,
}

impl Door {
    /// A door into an inbox.
    pub fn new(inbox: Inbox, settings: Settings) -> Result<Self, DoorError> {
        for (forge, secrets) in [(Forge::GitHub, &settings.github_secrets), (Forge::GitLab, &settings.gitlab_tokens)] {
            if secrets.iter().any(|secret| secret.expose_secret().trim().is_empty()) {
                return Err(DoorError(forge));
            }
        }
        let (keys, tokens) = (Keys::new(&settings.github_secrets), Tokens::new(&settings.gitlab_tokens));
        let (room, turns) = (Arc::new(Semaphore::new(ROOM)), Semaphore::new(LARGE_AT_ONCE));
        let (tally, ignored, refused) = (Tally::default(), Spaced::default(), Spaced::default());
        Ok(Self(Arc::new(Desk { inbox, keys, tokens, settings, room, turns, tally, ignored, refused })))
    }

    pub fn tally(&self) -> &Tally {
        &self.0.tally
    }

    pub fn router(&self) -> Router {
        let mut router = Router::new();
        if !self.0.settings.github_secrets.is_empty() {
            router = router.route("/hooks/github", post(github));
        }
        if !self.0.settings.gitlab_tokens.is_empty() {
            router = router.route("/hooks/gitlab", post(gitlab));
        }
        router.with_state(Arc::clone(&self.0))
    }
}

async fn github(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    desk.answer(Forge::GitHub, request).await
}

async fn gitlab(State(desk): State<Arc<Desk>>, request: Request) -> Response {
    desk.answer(Forge::GitLab, request).await
}

impl Desk {
    async fn answer(&self, forge: Forge, request: Request) -> Response {
        let outcome = self.take(forge, request).await.unwrap_or_else(|refusal| {
            // Whoever has set a wrong secret looks into the log.
            if let Some(left_out) = self.refused.line(forge, Instant::now()) {
                tracing::warn!(%forge, outcome = refusal.word(), left_out, "refused a webhook");
            }
            refusal
        });
        self.tally.add(forge, outcome);
        tracing::debug!(%forge, outcome = outcome.word(), "a webhook came");
        outcome.into_response()
    }

    async fn take(&self, forge: Forge, request: Request) -> Result<Outcome, Outcome> {
        let deadline = Instant::now() + DEADLINE;
        let (head, body) = request.into_parts();
        let headers = head.headers;
        if !only(&headers, header::CONTENT_TYPE.as_str()).is_some_and(is_json) {
            return Err(Outcome::WrongType);
        }
        let announced = only(&headers, header::CONTENT_LENGTH.as_str()).and_then(|text| std::str::from_utf8(text).ok());
        if announced.and_then(|text| text.parse::<u64>().ok()).is_some_and(|length| length > LARGEST as u64) {
            return Err(Outcome::TooLarge);
        }
        // A token needs no body; a signature does.
        if forge == Forge::GitLab && !self.tokens.fit(only(&headers, "x-gitlab-token")) {
            return Err(Outcome::Unproven);
        }
        let mut sums = self.keys.begin();
        let turns = (forge == Forge::GitHub).then_some(&self.turns);
        let reading = read(body, &self.room, turns, |piece| {
            if forge == Forge::GitHub {
                sums.add(piece);
            }
        });
        let read = timeout_at(deadline, reading).await.map_err(|_| Outcome::Slow)??;
        if forge == Forge::GitHub && !sums.fit(only(&headers, "x-hub-signature-256")) {
            return Err(Outcome::Unproven);
        }
        let (event, id) = names(forge, &headers, &read.bytes).ok_or(Outcome::BadHeader)?;
        let text = String::from_utf8(read.bytes).map_err(|_| Outcome::NotJson)?;
        let (told, text) = parse(forge, event.clone(), text).await.ok_or(Outcome::NotJson)?;
        let wanted = match forge {
            Forge::GitHub => &self.settings.repository,
            Forge::GitLab => &self.settings.project,
        };
        if let (Some(wanted), Some(project)) = (wanted, &told.project)
            && !wanted.eq_ignore_ascii_case(project)
        {
            if let Some(left_out) = self.ignored.line(forge, Instant::now()) {
                tracing::info!(%forge, %event, project = %clean(project), left_out, "ignored a webhook of another project");
            }
            return Ok(Outcome::Foreign);
        }
        let (about, received_at) = (told.about, self.inbox.now());
        let waits = self.inbox.keeps_waiting(forge, &about);
        let delivery = Delivery { forge, id, event, received_at, about, waits, body: text.into_bytes() };
        let put = self.inbox.put(delivery, read.share);
        match timeout_at(deadline, put).await {
            Ok(Ok(Taken::New(_))) => Ok(Outcome::Taken),
            Ok(Ok(Taken::Known)) => Ok(Outcome::Known),
            Ok(Ok(Taken::Full)) => Err(Outcome::Full),
            Ok(Err(())) | Err(_) => Err(Outcome::Away),
        }
    }
}

/// Reads what it tells, beside the others where that takes long.
async fn parse(forge: Forge, event: String, text: String) -> Option<(wake::Told, String)> {
    let is_large = text.len() > LARGE;
    let read = move || wake::read(forge, &event, &text).ok().map(|told| (told, text));
    if is_large { tokio::task::spawn_blocking(read).await.ok()? } else { read() }
}

/// A header that is there exactly once.
fn only<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut all = headers.get_all(name).iter();
    let first = all.next()?;
    all.next().is_none().then_some(first.as_bytes())
}

fn is_json(kind: &[u8]) -> bool {
    let essence = kind.split(|byte| *byte == b';').next().unwrap_or_default();
    essence.trim_ascii().eq_ignore_ascii_case(b"application/json")
}

/// The event and the delivery, by name; None when a header is missing or holds what no forge writes.
fn names(forge: Forge, headers: &HeaderMap, body: &[u8]) -> Option<(String, String)> {
    let word = |name: &str, also: &[u8]| {
        let text = only(headers, name).filter(|text| !text.is_empty() && text.len() <= LONGEST_NAME)?;
        let is_good = text.iter().all(|byte| byte.is_ascii_alphanumeric() || also.contains(byte));
        is_good.then(|| String::from_utf8(text.to_vec()).ok()).flatten()
    };
    match forge {
        Forge::GitHub => Some((word("x-github-event", b"_-")?, word("x-github-delivery", b"-")?)),
        Forge::GitLab => {
            let event = word("x-gitlab-event", b" _-")?;
            let id = if headers.contains_key("idempotency-key") {
                word("idempotency-key", b"-_")?
            } else {
                // Older servers. One event's id is shared by all that follow from it, so the body has its say; it is the same when sent again.
                let event_id = word("x-gitlab-event-uuid", b"-")?;
                let mut sum = digest::Context::new(&digest::SHA256);
                sum.update(event.as_bytes());
                sum.update(body);
                let sum = u128::from_be_bytes(*sum.finish().as_ref().first_chunk()?);
                format!("{event_id}:{sum:032x}")
            };
            Some((event, id))
        }
    }
}
