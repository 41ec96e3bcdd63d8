//! What may be silenced: little, for a short time, and by somebody who says why.

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use crate::ci::Timestamp;
use crate::console::actions::LONGEST_SILENCE;

/// How long a silence lasts where nothing else is asked for.
pub const USUAL: Duration = Duration::from_hours(2);

/// A silence that may be sent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewSilence {
    labels: BTreeMap<String, String>,
    starts: Timestamp,
    length: Duration,
    author: String,
    comment: String,
}

/// Why a silence may not be.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unsilenced {
    #[error("a silence needs the label alertname; without it, it would hide alerts that nobody thought of")]
    NoAlertName,
    #[error("a silence needs one label besides alertname, so that it does not hide the same trouble elsewhere")]
    TooWide,
    #[error("the label {0} has no value; that would match alerts without the label")]
    Empty(String),
    #[error("`{0}` is no label name")]
    NoLabel(String),
    #[error("a silence needs a comment that says why")]
    NoComment,
    #[error("a silence needs an author")]
    NoAuthor,
    #[error("a silence lasts at least a minute and at most 24 hours")]
    Length,
}

impl NewSilence {
    /// Bounds a silence of alerts that have exactly these values. `length` is [`USUAL`] where none is asked for.
    pub fn new(
        labels: BTreeMap<String, String>,
        starts: Timestamp,
        length: Option<Duration>,
        author: &str,
        comment: &str,
    ) -> Result<Self, Unsilenced> {
        let is_letter = |c: char| c.is_ascii_alphabetic() || c == '_';
        for (name, value) in &labels {
            if !name.starts_with(is_letter) || !name.chars().all(|c| is_letter(c) || c.is_ascii_digit()) {
                return Err(Unsilenced::NoLabel(name.clone()));
            }
            if value.is_empty() {
                return Err(Unsilenced::Empty(name.clone()));
            }
        }
        if !labels.contains_key("alertname") {
            return Err(Unsilenced::NoAlertName);
        }
        if labels.len() < 2 {
            return Err(Unsilenced::TooWide);
        }
        let (author, comment) = (author.trim().to_owned(), comment.trim().to_owned());
        if author.is_empty() {
            return Err(Unsilenced::NoAuthor);
        }
        if comment.is_empty() {
            return Err(Unsilenced::NoComment);
        }
        let length = length.unwrap_or(USUAL);
        if !(Duration::from_mins(1)..=LONGEST_SILENCE).contains(&length) {
            return Err(Unsilenced::Length);
        }
        Ok(Self { labels, starts, length, author, comment })
    }

    /// When it ends.
    pub fn ends(&self) -> Timestamp {
        self.starts.plus(self.length)
    }

    /// Says whether it would hide an alert with these labels.
    pub fn hides(&self, labels: &BTreeMap<String, String>) -> bool {
        self.labels.iter().all(|(name, value)| labels.get(name) == Some(value))
    }

    /// What is sent.
    pub(super) fn wire(&self) -> Value {
        let matcher = |(name, value)| json!({"name": name, "value": value, "isRegex": false, "isEqual": true});
        json!({
            "matchers": self.labels.iter().map(matcher).collect::<Vec<_>>(),
            "startsAt": rfc3339(self.starts),
            "endsAt": rfc3339(self.ends()),
            "createdBy": self.author,
            "comment": self.comment,
        })
    }
}

fn rfc3339(at: Timestamp) -> String {
    chrono::DateTime::from_timestamp_millis(at.millis())
        .unwrap_or_default()
        .to_rfc3339_opts(chrono::SecondsFormat::Millis, true)
}
