//! Guardrails: what an action may not do, or only after a second thought. The console applies them; here they are only read.

use std::time::Duration;

use super::error::ConfigError;
use super::file::{Entry, ListTable};
use super::nearest::nearest;
use super::origin::{Origin, Warning};
use super::value::{Value, accept, words};

/// One `[[guard]]`.
#[derive(Debug, Clone, PartialEq)]
pub struct Guard {
    pub rule: Rule,
    /// The jobs that it concerns, as filter text; empty means all.
    pub matches: String,
    /// Why it exists; shown to whoever runs into it.
    pub reason: String,
    pub origin: Origin,
}

/// What a guard demands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rule {
    /// Never.
    Deny,
    /// Only after typing the number of targets, when there are more than this.
    Typed { over: u32 },
    /// At most so many targets in one plan.
    MaxBulk { limit: u32 },
    /// At most so many targets in a stretch of time.
    Rate { limit: u32, per: Duration },
    /// At most so many runs of one job.
    Tries { limit: u32 },
    /// Only for people with at least this role in the project.
    Role { least: Role },
}

words! {
    /// A role in a GitLab project, the lowest first.
    Role, "reporter, developer, maintainer or owner" {
        Reporter = "reporter",
        Developer = "developer",
        Maintainer = "maintainer",
        Owner = "owner",
    }
}

words! {
    /// The word that chooses the rule.
    Kind, "deny, typed, max_bulk, rate, tries or role" {
        Deny = "deny",
        Typed = "typed",
        MaxBulk = "max_bulk",
        Rate = "rate",
        Tries = "tries",
        Role = "role",
    }
}

const KEYS: [&str; 6] = ["kind", "match", "limit", "per", "role", "reason"];

/// Reads one guard. A rule that cannot be read whole is an error: half a guardrail guards nothing.
pub fn read(table: &ListTable, project: bool, warnings: &mut Vec<Warning>) -> Result<Guard, ConfigError> {
    for Entry { key, place, .. } in &table.entries {
        if !KEYS.contains(&key.as_str()) {
            warnings.push(Warning::UnknownKey {
                place: place.clone(),
                key: format!("guard.{key}"),
                nearest: nearest(key, KEYS),
            });
        }
    }
    let limit = || table.required::<u32>("limit");
    let rule = match table.required("kind")? {
        Kind::Deny => Rule::Deny,
        Kind::Typed => Rule::Typed { over: table.optional("limit")?.unwrap_or(0) },
        Kind::MaxBulk => Rule::MaxBulk { limit: limit()? },
        Kind::Rate => Rule::Rate { limit: limit()?, per: table.required("per")? },
        Kind::Tries => Rule::Tries { limit: limit()? },
        Kind::Role => Rule::Role { least: table.required("role")? },
    };
    Ok(Guard {
        rule,
        matches: table.optional("match")?.unwrap_or_default(),
        reason: table.required("reason")?,
        origin: Origin::File { place: table.place.clone(), project },
    })
}

impl ListTable {
    pub(super) fn optional<T: Value>(&self, key: &str) -> Result<Option<T>, ConfigError> {
        let Some(entry) = self.entries.iter().find(|entry| entry.key == key) else { return Ok(None) };
        accept(&entry.raw, None).map(Some).map_err(|expected| ConfigError::Value {
            place: entry.place.to_string(),
            key: format!("{}.{key}", self.name),
            found: entry.raw.to_string(),
            expected,
        })
    }

    pub(super) fn required<T: Value>(&self, key: &'static str) -> Result<T, ConfigError> {
        self.optional(key)?.ok_or_else(|| ConfigError::TableLacks { place: self.place.clone(), name: self.name, key })
    }
}

impl Guard {
    /// The rule as one would write it in a line.
    pub(super) fn show(&self) -> String {
        let rule = match self.rule {
            Rule::Deny => "deny".to_owned(),
            Rule::Typed { over } => format!("typed over {over}"),
            Rule::MaxBulk { limit } => format!("max_bulk {limit}"),
            Rule::Rate { limit, per } => format!("rate {limit} per {}", per.show()),
            Rule::Tries { limit } => format!("tries {limit}"),
            Rule::Role { least } => format!("role {}", least.show()),
        };
        if self.matches.is_empty() { rule } else { format!("{rule} for `{}`", self.matches) }
    }
}
