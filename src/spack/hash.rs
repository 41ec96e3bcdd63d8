//! Spack's DAG hash.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error as _};
use serde::{Serialize, Serializer};
use thiserror::Error;

/// The DAG hash of a concrete spec: 32 characters of lower-case base32.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash([u8; 32]);

/// A text that is no DAG hash.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("`{0}` is not a DAG hash; write all 32 characters, each of them a–z or 2–7")]
pub struct HashError(String);

impl Hash {
    /// Reads a whole hash; abbreviations are refused, since they may name several specs.
    pub fn parse(text: &str) -> Result<Self, HashError> {
        match text.as_bytes().try_into() {
            Ok(bytes) if text.bytes().all(|b| b.is_ascii_lowercase() || (b'2'..=b'7').contains(&b)) => Ok(Self(bytes)),
            _ => Err(HashError(text.chars().take(40).collect())),
        }
    }

    /// What Spack makes of a SHA-1: base32 in lower case.
    pub(super) fn of_digest(digest: &[u8; 20]) -> Self {
        const DIGITS: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";
        let mut text = [0; 32];
        for (eight, five) in text.chunks_mut(8).zip(digest.chunks(5)) {
            let bits = five.iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
            for (nth, character) in eight.iter_mut().enumerate() {
                let digit = bits >> (35 - 5 * nth) & 31;
                *character = DIGITS.get(digit as usize).copied().unwrap_or_default();
            }
        }
        Self(text)
    }

    /// This hash, but for its last 7 characters, which are those of the other.
    pub(super) fn with_end_of(self, other: &Self) -> Option<Self> {
        let mut text = self.0;
        text.get_mut(25..)?.copy_from_slice(other.0.get(25..)?);
        Some(Self(text))
    }

    /// All 32 characters.
    pub fn as_str(&self) -> &str {
        self.text(self.0.len())
    }

    /// The first 7 characters, the form in which people quote a hash.
    pub fn short(&self) -> &str {
        self.text(7)
    }

    fn text(&self, len: usize) -> &str {
        // `parse` admits ASCII only, so neither step can miss.
        self.0.get(..len).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "/{self}")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.as_str())
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = super::wire::Text::deserialize(deserializer)?;
        Self::parse(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_base32_hashes_are_hashes() {
        let hash = Hash::parse("izhzo6lcaxnr66gaqeqglr24bg5agpmv").unwrap();
        assert_eq!((hash.short(), hash.to_string().as_str()), ("izhzo6l", "izhzo6lcaxnr66gaqeqglr24bg5agpmv"));
        for wrong in [
            "",
            "izhzo6l",
            "izhzo6lcaxnr66gaqeqglr24bg5agpmV",
            "izhzo6lcaxnr66gaqeqglr24bg5agpm1",
            "izhzo6lcaxnr66gaqeqglr24bg5agpmvv",
            "izhzo6lcaxnr66gaqeqglr24bg5agpé",
        ] {
            assert!(Hash::parse(wrong).is_err(), "{wrong}");
        }
    }
}
