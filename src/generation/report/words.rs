//! The words of a report: which filter says what, and what could have been asked instead.

use std::fmt;
use std::time::Duration;

use serde::Serialize;

use super::{Decision, Report};
use crate::ci::{Timestamp, short};

/// What may leave a spec out of a pipeline.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Filter {
    /// Leaves out what the change does not reach.
    Unaffected,
    /// Leaves out what a mirror has.
    UpToDate,
    /// Leaves out what the machine brings along.
    External,
}

impl Filter {
    pub const ALL: [Self; 3] = [Self::Unaffected, Self::UpToDate, Self::External];

    /// Whose word this is, and whether that word leaves the spec out.
    pub fn of_word(word: &str) -> Option<(Self, bool)> {
        match word {
            "affected by change" => Some((Self::Unaffected, false)),
            "unaffected by change" => Some((Self::Unaffected, true)),
            "not found anywhere" => Some((Self::UpToDate, false)),
            "external spec" => Some((Self::External, true)),
            "not external" => Some((Self::External, false)),
            _ => word.starts_with("up-to-date").then_some((Self::UpToDate, true)),
        }
    }
}

impl fmt::Display for Filter {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unaffected => "unaffected filter",
            Self::UpToDate => "up-to-date filter",
            Self::External => "external filter",
        })
    }
}

/// Why a filter says nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Skip {
    Off,
    /// It was asked for, but nobody looked at what changed.
    NoChangeSet,
    /// The stack itself changed: no package's change says what is affected.
    StackChanged {
        path: String,
    },
    NoPackageChanged,
    /// The report has no word of it.
    Unknown,
}

impl fmt::Display for Skip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Off => f.write_str("off"),
            Self::NoChangeSet => f.write_str("skipped, because nobody looked at what changed"),
            Self::StackChanged { path } => write!(f, "skipped, because the stack itself changed: {path}"),
            Self::NoPackageChanged => f.write_str("skipped, because no package changed"),
            Self::Unknown => f.write_str("unknown; the report has no word of it"),
        }
    }
}

impl Report {
    /// Why a filter was not applied; `None` when it was.
    pub fn skipped(&self, filter: Filter) -> Option<Skip> {
        let is_on = match filter {
            Filter::Unaffected => self.filters.unaffected,
            Filter::UpToDate => self.filters.up_to_date,
            Filter::External => self.filters.external,
        };
        match (filter, &self.change) {
            _ if !is_on => Some(Skip::Off),
            (Filter::Unaffected, None) => Some(Skip::NoChangeSet),
            (Filter::Unaffected, Some(change)) => match &change.stack {
                Some(path) => Some(Skip::StackChanged { path: path.clone() }),
                None if change.packages.is_empty() && change.elsewhere == 0 => Some(Skip::NoPackageChanged),
                None => None,
            },
            (Filter::UpToDate | Filter::External, _) => None,
        }
    }
}

impl Decision {
    /// Whether no filter leaves the spec out.
    pub fn is_rebuilt(&self) -> bool {
        self.decision == "rebuild"
    }

    /// What a filter says, and whether that leaves the spec out.
    pub fn said(&self, filter: Filter) -> Option<(&str, bool)> {
        self.reasons.iter().find_map(|word| match Filter::of_word(word) {
            Some((of, prunes)) if of == filter => Some((word.as_str(), prunes)),
            _ => None,
        })
    }
}

/// What could have been asked for instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Instead {
    Depth(i64),
    NoLimit,
    Without(Filter),
}

impl Instead {
    pub fn read(text: &str) -> Option<Self> {
        let filters = Filter::ALL.into_iter().map(Self::Without);
        let known = [Self::NoLimit].into_iter().chain(filters).find(|known| known.to_string() == text);
        known.or_else(|| text.strip_prefix("depth ")?.parse().ok().map(Self::Depth))
    }
}

impl fmt::Display for Instead {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Depth(depth) => write!(f, "depth {depth}"),
            Self::NoLimit => f.write_str("without a depth limit"),
            Self::Without(filter) => write!(f, "without the {filter}"),
        }
    }
}

/// The package of a `name@version`.
pub fn package(spec: &str) -> &str {
    spec.split('@').next().unwrap_or_default()
}

/// A spec as people quote it: `name@version /hash7`.
pub fn label(spec: &str, hash: &str) -> String {
    format!("{spec} /{}", hash.chars().take(7).collect::<String>())
}

/// A commit as people quote it.
pub fn commit(commit: &str) -> String {
    if commit.is_empty() { "unknown".to_owned() } else { commit.chars().take(9).collect() }
}

/// How old something was at a moment. Unknown stays unknown.
pub fn age(modified: Option<Timestamp>, at: Timestamp) -> String {
    match modified {
        None => "age unknown".to_owned(),
        Some(modified) if modified > at => "newer than this report".to_owned(),
        Some(modified) if at.since(modified) < Duration::from_secs(1) => "just written".to_owned(),
        Some(modified) => format!("{} old", short(at.since(modified))),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generation::Reason;

    #[test]
    fn every_word_of_a_filter_is_known() {
        let places = vec!["s3://a@v3".into(), "s3://b@v2".into()];
        for (reason, filter) in [
            (Reason::Affected(true), Filter::Unaffected),
            (Reason::Affected(false), Filter::Unaffected),
            (Reason::Found(Vec::new()), Filter::UpToDate),
            (Reason::Found(places), Filter::UpToDate),
            (Reason::External(true), Filter::External),
            (Reason::External(false), Filter::External),
        ] {
            assert_eq!(Filter::of_word(&reason.to_string()), Some((filter, reason.prunes())), "{reason}");
        }
        assert_eq!(Filter::of_word("because"), None);
    }

    #[test]
    fn what_could_be_asked_instead_reads_back() {
        let filters = Filter::ALL.map(Instead::Without);
        for instead in [Instead::Depth(-1), Instead::Depth(12), Instead::NoLimit].into_iter().chain(filters) {
            assert_eq!(Instead::read(&instead.to_string()), Some(instead));
        }
        assert_eq!(Instead::read("depth two"), None);
    }

    #[test]
    fn an_age_is_never_made_up() {
        let at = Timestamp::from_millis(10_000_000);
        for (modified, text) in [
            (None, "age unknown"),
            (Some(at), "just written"),
            (Some(at.shifted(1)), "newer than this report"),
            (Some(at.shifted(-720_000)), "12m old"),
        ] {
            assert_eq!(age(modified, at), text);
        }
    }
}
