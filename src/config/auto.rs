//! Retries that nobody asks for: of which classes, and how many. Without a table there are none.

use std::time::Duration;

use super::error::ConfigError;
use super::file::{Entry, ListTable};
use super::nearest::nearest;
use super::origin::{Origin, Warning};
use super::value::Value;

/// One `[[auto_retry]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct AutoRetry {
    /// The class of failures, as logs are judged.
    pub class: String,
    /// Most tries of one job, the first among them.
    pub tries: u32,
    /// At most so many jobs in a stretch of time.
    pub limit: u32,
    pub per: Duration,
    /// At most so many jobs in a day.
    pub budget: u32,
    pub origin: Origin,
}

const KEYS: [&str; 5] = ["class", "tries", "limit", "per", "budget"];
const HOUR: Duration = Duration::from_secs(3_600);

/// Reads one. What cannot be read whole is an error: a limit that is not there limits nothing.
pub fn read(table: &ListTable, warnings: &mut Vec<Warning>) -> Result<AutoRetry, ConfigError> {
    for Entry { key, place, .. } in &table.entries {
        if !KEYS.contains(&key.as_str()) {
            let key = format!("{}.{key}", table.name);
            warnings.push(Warning::UnknownKey { place: place.clone(), nearest: nearest(&key, KEYS), key });
        }
    }
    Ok(AutoRetry {
        class: table.required("class")?,
        tries: table.optional("tries")?.unwrap_or(2),
        limit: table.required("limit")?,
        per: table.optional("per")?.unwrap_or(HOUR),
        budget: table.required("budget")?,
        origin: Origin::File { place: table.place.clone(), project: false },
    })
}

impl AutoRetry {
    /// As one would write it in a line.
    pub(super) fn show(&self) -> String {
        let Self { class, tries, limit, budget, .. } = self;
        format!("{class}: {tries} tries, {limit} per {}, {budget} per day", self.per.show())
    }
}
