//! Why one request brought nothing, and whether asking again may help.

use std::error::Error;
use std::time::Duration;

use super::settings::MAX_WAIT;
use crate::ci::Timestamp;

/// A request that failed.
#[derive(Debug)]
pub(super) struct Fault {
    /// A fragment without the address.
    pub what: String,
    /// It may be gone in a moment.
    pub is_passing: bool,
    /// There is more of it than is read.
    pub is_too_large: bool,
    /// How long the server asks to wait.
    pub wait: Option<Duration>,
}

impl Fault {
    pub fn lasting(what: impl Into<String>) -> Self {
        Self { what: what.into(), is_passing: false, is_too_large: false, wait: None }
    }

    pub fn passing(what: impl Into<String>) -> Self {
        Self { is_passing: true, ..Self::lasting(what) }
    }

    /// No answer, or no more of it.
    pub fn silence(limit: Duration) -> Self {
        Self::passing(format!("no answer within {} s", limit.as_secs_f32()))
    }

    pub fn too_large(limit: usize) -> Self {
        let what = format!("it has more than the {limit} bytes that are expected at most");
        Self { is_too_large: true, ..Self::lasting(what) }
    }
}

/// How long a server asks to wait, as far as it is obeyed. A date instead of seconds is not read: our own waits have to do.
pub(super) fn retry_after(header: Option<&str>) -> Option<Duration> {
    let seconds = header?.trim().parse().ok()?;
    Some(Duration::from_secs(seconds).min(MAX_WAIT))
}

/// What lies at an address.
#[derive(Debug)]
pub(super) struct Object {
    pub bytes: Vec<u8>,
    pub modified: Option<Timestamp>,
    /// The server says that it packed the bytes on their way.
    pub is_packed: bool,
    /// Another one means other contents; `None` where the server tells none.
    pub tag: Option<String>,
}

/// Collects the pieces of an answer up to a limit.
pub(super) struct Pieces {
    bytes: Vec<u8>,
    limit: usize,
}

impl Pieces {
    /// `expected` is what the server announces; it is believed as far as the limit.
    pub fn new(limit: usize, expected: Option<u64>) -> Result<Self, Fault> {
        let expected = expected.map_or(0, |length| usize::try_from(length).unwrap_or(usize::MAX));
        if expected > limit {
            return Err(Fault::too_large(limit));
        }
        Ok(Self { bytes: Vec::with_capacity(expected), limit })
    }

    pub fn push(&mut self, piece: &[u8]) -> Result<(), Fault> {
        if self.bytes.len() + piece.len() > self.limit {
            return Err(Fault::too_large(self.limit));
        }
        self.bytes.extend_from_slice(piece);
        Ok(())
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

/// The innermost reason of an error, made harmless.
pub(super) fn innermost(error: &(dyn Error + 'static)) -> String {
    let mut last = error;
    while let Some(next) = last.source() {
        last = next;
    }
    plain(&last.to_string())
}

/// What a server says, cut and without control characters.
pub(super) fn plain(text: &str) -> String {
    const SHOWN: usize = 200;
    let mut shown: String = text.trim().chars().take(SHOWN).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if text.trim().chars().nth(SHOWN).is_some() {
        shown.push('…');
    }
    shown
}
