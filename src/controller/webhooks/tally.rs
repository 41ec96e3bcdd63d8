//! What became of deliveries, counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use tokio::time::Instant;

use crate::bridge::wake::Forge;

/// From one line about deliveries of a forge that were not taken to the next.
const SPACING: Duration = Duration::from_mins(1);

/// What became of a delivery.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It is on the disk.
    Taken,
    /// It was there already.
    Known,
    /// Of another repository or project.
    Foreign,
    WrongType,
    TooLarge,
    Slow,
    /// The client went away, or did not speak HTTP.
    Broken,
    /// Signature or token are missing or wrong.
    Unproven,
    BadHeader,
    NotJson,
    /// The store does not write, or writes too slowly.
    Away,
    /// Too much waits already.
    Full,
}

impl Outcome {
    pub const ALL: [Self; 12] = [
        Self::Taken,
        Self::Known,
        Self::Foreign,
        Self::WrongType,
        Self::TooLarge,
        Self::Slow,
        Self::Broken,
        Self::Unproven,
        Self::BadHeader,
        Self::NotJson,
        Self::Away,
        Self::Full,
    ];

    /// The word in metrics.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Taken => "taken",
            Self::Known => "known",
            Self::Foreign => "foreign",
            Self::WrongType => "wrong_type",
            Self::TooLarge => "too_large",
            Self::Slow => "slow",
            Self::Broken => "broken",
            Self::Unproven => "unproven",
            Self::BadHeader => "bad_header",
            Self::NotJson => "not_json",
            Self::Away => "away",
            Self::Full => "full",
        }
    }

    /// The status, and what the forge shows to whoever looks after its webhooks.
    const fn answer(self) -> (StatusCode, &'static str) {
        match self {
            Self::Taken => (StatusCode::ACCEPTED, "accepted"),
            Self::Known => (StatusCode::ACCEPTED, "duplicate: it was accepted before"),
            Self::Foreign => {
                (StatusCode::OK, "ignored: it is of another repository or project than the one configured")
            }
            Self::WrongType => {
                (StatusCode::UNSUPPORTED_MEDIA_TYPE, "set the webhook's content type to application/json")
            }
            Self::TooLarge => (StatusCode::PAYLOAD_TOO_LARGE, "a body of more than 25 MB is not read"),
            Self::Slow => (StatusCode::REQUEST_TIMEOUT, "the body did not come in time"),
            Self::Broken => (StatusCode::BAD_REQUEST, "the body could not be read"),
            Self::Unproven => {
                (StatusCode::UNAUTHORIZED, "the signature or token is missing or wrong: check the webhook's secret")
            }
            Self::BadHeader => {
                (StatusCode::BAD_REQUEST, "the headers that name the event and the delivery are missing or odd")
            }
            Self::NotJson => (StatusCode::BAD_REQUEST, "the body is not a JSON object in UTF-8"),
            Self::Away => (StatusCode::SERVICE_UNAVAILABLE, "it could not be stored: deliver it again"),
            Self::Full => (StatusCode::SERVICE_UNAVAILABLE, "too many deliveries wait: deliver it again later"),
        }
    }
}

impl IntoResponse for Outcome {
    fn into_response(self) -> Response {
        let mut response = self.answer().into_response();
        if matches!(self, Self::Away | Self::Full) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("30"));
        }
        response
    }
}

/// Deliveries by forge and outcome.
#[derive(Debug, Default)]
pub struct Tally([[AtomicU64; Outcome::ALL.len()]; Forge::ALL.len()]);

impl Tally {
    /// How many deliveries of a forge ended so.
    pub fn count(&self, forge: Forge, outcome: Outcome) -> u64 {
        self.cell(forge, outcome).map_or(0, |cell| cell.load(Ordering::Relaxed))
    }

    pub(super) fn add(&self, forge: Forge, outcome: Outcome) {
        if let Some(cell) = self.cell(forge, outcome) {
            cell.fetch_add(1, Ordering::Relaxed);
        }
    }

    fn cell(&self, forge: Forge, outcome: Outcome) -> Option<&AtomicU64> {
        self.0.get(forge as usize)?.get(outcome as usize)
    }
}

/// Which deliveries of a kind are worth a line in the log: a forge may send thousands.
#[derive(Debug, Default)]
pub(super) struct Spaced([Mutex<Unsaid>; Forge::ALL.len()]);

/// What was left out since the last line.
#[derive(Debug, Default)]
struct Unsaid {
    last: Option<Instant>,
    count: u64,
}

impl Spaced {
    /// One more came: how many were left out before it, or None when it is left out as well.
    pub fn line(&self, forge: Forge, now: Instant) -> Option<u64> {
        let mut unsaid = self.0.get(forge as usize)?.lock().unwrap_or_else(PoisonError::into_inner);
        if unsaid.last.is_some_and(|last| now.duration_since(last) < SPACING) {
            unsaid.count += 1;
            return None;
        }
        unsaid.last = Some(now);
        Some(std::mem::take(&mut unsaid.count))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_not_taken_one_line_a_minute_and_forge_says_how_many_were_left_out() {
        let (lines, now) = (Spaced::default(), Instant::now());
        let at = |forge, seconds| lines.line(forge, now + Duration::from_secs(seconds));
        assert_eq!([at(Forge::GitHub, 0), at(Forge::GitHub, 1), at(Forge::GitHub, 59)], [Some(0), None, None]);
        assert_eq!(at(Forge::GitLab, 59), Some(0));
        assert_eq!([at(Forge::GitHub, 60), at(Forge::GitHub, 61), at(Forge::GitHub, 120)], [Some(2), None, Some(1)]);
    }
}
