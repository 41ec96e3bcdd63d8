//! The name of a commit, or of a tag object.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// The full name of a git object: 40 hex digits, or 64 where a repository uses SHA-256. Nothing else can be one, so it is safe in a command,
/// in an URL and in a message.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Sha(Arc<str>);

/// A text that names no git object.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not the full name of a commit (40 or 64 hex digits)")]
pub struct NoSha(String);

impl Sha {
    /// Reads a full name, in lower or upper case.
    pub fn parse(text: &str) -> Result<Self, NoSha> {
        let is_hex = text.bytes().all(|byte| byte.is_ascii_hexdigit());
        if !is_hex || !matches!(text.len(), 40 | 64) {
            return Err(NoSha(text.chars().take(80).collect()));
        }
        Ok(Self(text.to_ascii_lowercase().into()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The first 7 digits, as texts for people have them.
    pub fn short(&self) -> &str {
        self.0.get(..7).unwrap_or_default()
    }
}

impl fmt::Display for Sha {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&self.0)
    }
}

impl Serialize for Sha {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for Sha {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::parse(&Cow::<'de, str>::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_full_names_are_taken() {
        let full = "0123456789ABCDEF0123456789abcdef01234567";
        let sha = Sha::parse(full).unwrap();
        assert_eq!((sha.as_str(), sha.short()), (full.to_lowercase().as_str(), "0123456"));
        assert!(Sha::parse(&"a".repeat(64)).is_ok());
        let long = "z".repeat(5_000);
        for bad in
            ["", "0123456", "--upload-pack=x", "HEAD", &full[..39], "g123456789abcdef0123456789abcdef01234567", &long]
        {
            let error = Sha::parse(bad).unwrap_err().to_string();
            assert!(error.contains("40 or 64 hex digits") && error.len() < 200, "{error}");
        }
        assert!(serde_json::from_str::<Sha>("\"HEAD\"").is_err());
    }
}
