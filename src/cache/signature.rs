//! Signatures of manifests: who signed, and whether that is worth anything.

use std::fmt;
use std::sync::Arc;

/// What is known about the signature of one manifest, and of what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Signature {
    /// Good, by one of the given keys; its fingerprint in capitals.
    Good(Arc<str>),
    /// By a key that was not given; as much of its fingerprint as the signature tells.
    UnknownKey(Arc<str>),
    /// Bare JSON.
    Unsigned,
    /// Damaged, ambiguous, or about something else than its name says; the reason.
    Bad(Arc<str>),
}

/// The four states, without what belongs to each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignatureState {
    Good,
    Bad,
    UnknownKey,
    Unsigned,
}

impl SignatureState {
    /// Every state, in the order of reports.
    pub const ALL: [Self; 4] = [Self::Good, Self::Bad, Self::UnknownKey, Self::Unsigned];

    /// The word of JSON.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Bad => "bad",
            Self::UnknownKey => "unknown_key",
            Self::Unsigned => "unsigned",
        }
    }
}

impl Signature {
    pub const fn state(&self) -> SignatureState {
        match self {
            Self::Good(_) => SignatureState::Good,
            Self::UnknownKey(_) => SignatureState::UnknownKey,
            Self::Unsigned => SignatureState::Unsigned,
            Self::Bad(_) => SignatureState::Bad,
        }
    }
}

impl fmt::Display for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Good(key) => write!(f, "signed by {key}"),
            Self::UnknownKey(key) => write!(f, "signed by {key}, which is not among the given keys"),
            Self::Unsigned => f.write_str("unsigned"),
            Self::Bad(why) => write!(f, "bad signature: {why}"),
        }
    }
}
