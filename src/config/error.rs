//! Why no configuration could be made. Every message names the place and what to write instead.

use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::origin::{Place, meant};

/// A configuration that cannot be used as it stands.
#[derive(Debug, Error)]
pub enum ConfigError {
    #[error("{}: the configuration cannot be read: {source}; make the file readable or move it away", path.display())]
    Read { path: PathBuf, source: io::Error },
    #[error("{place}: this is not TOML: {what}; correct the line")]
    Syntax { place: Place, what: String },
    #[error("{place}: `{key}` is {found}; expected {expected}")]
    Value {
        /// `file:line:column`, `env NAME` or `flag --x`.
        place: String,
        key: String,
        found: String,
        expected: String,
    },
    #[error("{place}: the {name} lacks `{key}`; add it, or remove the {name}")]
    TableLacks { place: Place, name: &'static str, key: &'static str },
    #[error("flag {flag}: there is no setting `{key}`{}; see `stackhand config --explain`", meant(nearest.as_deref()))]
    UnknownSetting { flag: String, key: String, nearest: Option<String> },
    #[error("{}: the token cannot be read: {source}; correct `{setting}` or the file's permissions", path.display())]
    TokenFile { path: PathBuf, setting: &'static str, source: io::Error },
    /// Never says what the token looks like.
    #[error("{origin}: the token is empty or holds something other than visible ASCII characters; store it anew")]
    TokenText { origin: String },
}
