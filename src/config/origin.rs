//! Where a value came from, and what was odd there.

use std::fmt;
use std::path::Path;
use std::sync::Arc;

use thiserror::Error;

/// A place in a file, counted from 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    pub path: Arc<Path>,
    pub line: usize,
    pub column: usize,
}

impl Place {
    /// The place of a byte offset.
    pub(super) fn at(path: &Arc<Path>, text: &str, offset: usize) -> Self {
        let before = text.get(..offset).unwrap_or(text);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        Self {
            path: path.clone(),
            line: before.matches('\n').count() + 1,
            column: before.get(line_start..).unwrap_or_default().chars().count() + 1,
        }
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}:{}", self.path.display(), self.line, self.column)
    }
}

/// The layer that a value came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    BuiltIn,
    File {
        place: Place,
        /// The file came with the project, not from the user.
        project: bool,
    },
    /// An environment variable.
    Env(String),
    /// A flag of the command line, with its dashes.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BuiltIn => f.write_str("built-in"),
            Self::File { place, .. } => write!(f, "{}:{}", place.path.display(), place.line),
            Self::Env(name) => write!(f, "env {name}"),
            Self::Flag(name) => write!(f, "flag {name}"),
        }
    }
}

/// Something that was left out, though the rest is good.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum Warning {
    #[error("{place}: there is no setting `{key}`{}; see `stackhand config --explain`", meant(nearest.as_deref()))]
    UnknownKey { place: Place, key: String, nearest: Option<String> },
    #[error("env {name}: no setting has this variable{}; see `stackhand config --explain`", meant(nearest.as_deref()))]
    UnknownVariable { name: String, nearest: Option<String> },
    #[error("{place}: `{key}` is ignored in a project file; set it in your own configuration")]
    OwnerOnly { place: Place, key: &'static str },
    #[error("no token is sent: {0}")]
    TokenWithheld(String),
}

/// `, did you mean …?` when there is something near.
pub(super) fn meant(nearest: Option<&str>) -> String {
    nearest.map(|name| format!(" (did you mean `{name}`?)")).unwrap_or_default()
}
