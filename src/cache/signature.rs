//! Signatures of manifests: who signed, and whether that is worth anything.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::spack::buildcache::{Checksum, Manifest, Metadata};
use crate::spack::{Hash, Seal};

/// What is known about the signature of one manifest, and of what it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
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
    /// Joins the verdict about a manifest with what it is about: the spec that its name says must be the one in the metadata that it names, and
    /// no node of that may be forged. A manifest does not name its spec, so that a good one can be put in the place of another.
    ///
    /// What Spack wrote anew from an older form cannot be proven, and is not held against a signature.
    pub fn of_binary(self, named: &Hash, manifest: &Manifest, metadata: &[u8]) -> Self {
        let Some((record, _)) = manifest.spec() else { return self.unless(Err("it names no metadata".to_owned())) };
        let fits = || {
            if record.algorithm != "sha256" {
                return Err(format!(
                    "its metadata have a checksum of the kind {}, which cannot be checked",
                    record.algorithm
                ));
            }
            if record.length != metadata.len() as u64 || record.checksum != Checksum::of(metadata).to_string() {
                return Err("its metadata are not those that it was made with".to_owned());
            }
            Ok(())
        };
        let fitting = fits();
        self.unless(fitting).of_metadata(named, metadata)
    }

    /// Joins the verdict about a binary with its metadata. In layout 2 the metadata are what is signed.
    pub fn of_metadata(self, named: &Hash, metadata: &[u8]) -> Self {
        self.unless(match Metadata::read(metadata) {
            Err(error) => Err(error.to_string()),
            Ok(read) if read.hash != *named => Err(format!("it is about {}, not about what its name says", read.hash)),
            Ok(read) if read.seal == Seal::Forged => Err("its spec is forged: it does not give its hash".to_owned()),
            Ok(read) => match read.seals.forged.first() {
                Some(node) => Err(format!("its metadata hold a forged spec, {node}")),
                None => Ok(()),
            },
        })
    }

    /// What is bad already stays what it is.
    fn unless(self, finding: Result<(), String>) -> Self {
        match (self, finding) {
            (Self::Bad(why), _) => Self::Bad(why),
            (_, Err(why)) => Self::Bad(why.into()),
            (signature, Ok(())) => signature,
        }
    }

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
