//! What the mirrors were seen to hold, with where that was read.

use std::collections::HashMap;
use std::sync::Arc;

use crate::ci::Timestamp;
use crate::spack::Hash;
pub use crate::spack::buildcache::Listed;

/// One binary mirror, as far as it could be read.
#[derive(Debug, Clone, PartialEq)]
pub struct MirrorView {
    /// Its name in the configuration: `buildcache-destination`, …
    pub name: Arc<str>,
    /// Where jobs fetch from it.
    pub url: Arc<str>,
    pub state: MirrorState,
    /// Specs that no index lists and that were found by asking for them, with the layout. Empty when only indexes are asked.
    pub direct: HashMap<Hash, u8>,
}

/// What came of reading a mirror. Absent and failed are different facts: only the first one means that nothing is there.
#[derive(Debug, Clone, PartialEq)]
pub enum MirrorState {
    /// One listing per layout that has an index, the newest layout first.
    Read(Vec<Listing>),
    /// It answered that it has no index in any layout.
    Absent,
    /// It could not be read in every layout: the reason, as a fragment that names the address, and what was read of it nevertheless.
    Failed { reason: Arc<str>, listings: Vec<Listing> },
}

impl MirrorState {
    /// Nothing of it could be read.
    pub fn failed(reason: impl Into<Arc<str>>) -> Self {
        Self::Failed { reason: reason.into(), listings: Vec::new() }
    }

    /// What was read of it.
    pub fn listings(&self) -> &[Listing] {
        match self {
            Self::Read(listings) | Self::Failed { listings, .. } => listings,
            Self::Absent => &[],
        }
    }
}

/// One index, cut down to the specs of the lock.
#[derive(Debug, Clone, PartialEq)]
pub struct Listing {
    /// The version of the build cache's layout: 2 or 3.
    pub layout: u8,
    /// The address of the index that was read.
    pub source: Arc<str>,
    /// SHA-256 of the index as stored, in hexadecimal.
    pub checksum: Arc<str>,
    /// When the index was written, where the mirror says so.
    pub modified: Option<Timestamp>,
    pub listed: HashMap<Hash, Listed>,
}
