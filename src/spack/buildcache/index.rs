//! An index, cut down to the specs that somebody asks for.

use std::collections::HashMap;

use thiserror::Error;

use super::records::{Record, stream};
use super::{MAX_INDEX, NEWEST_INDEX, UnpackError, unpack};
use crate::spack::Hash;

/// What an index says about one spec.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Listed {
    /// Its binary is in the cache.
    pub in_buildcache: bool,
    pub external: bool,
}

impl Listed {
    /// What Spack takes for present: the binary, or an external that needs none.
    pub const fn is_present(self) -> bool {
        self.in_buildcache || self.external
    }
}

/// An index, cut down to what was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Index {
    /// Of the database: 5 to 8.
    pub version: u32,
    /// Only the specs that were wanted.
    pub listed: HashMap<Hash, Listed>,
    /// All records.
    pub total: usize,
    /// Records with a binary.
    pub present: usize,
    /// Records that need a binary and have none.
    pub holes: usize,
}

/// An index that cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum IndexError {
    #[error("the index has version {found}, but {NEWEST_INDEX} is the newest that can be read; get a newer stackhand")]
    TooNew { found: u32 },
    #[error("the index has version {found}, but {OLDEST} is the oldest that can be read; update it with a newer Spack")]
    TooOld { found: u32 },
    #[error("the index is corrupt: {0}; run `spack buildcache update-index`")]
    Corrupt(String),
    #[error(transparent)]
    Packed(#[from] UnpackError),
}

/// The oldest version of an index that can be read.
pub(super) const OLDEST: u32 = 5;

/// Reads an index, packed or plain. What follows the first JSON value is not looked at.
pub fn read_index(bytes: &[u8], wanted: &dyn Fn(&Hash) -> bool) -> Result<Index, IndexError> {
    let bytes = unpack(bytes, MAX_INDEX)?;
    let (mut listed, mut present, mut holes) = (HashMap::new(), 0, 0);
    let whole = stream(&bytes, &mut |record: &Record<'_>| {
        present += usize::from(record.listed.in_buildcache);
        holes += usize::from(!record.listed.is_present());
        if wanted(&record.hash) {
            listed.insert(record.hash, record.listed);
        }
        Ok(())
    })?;
    if let Some(hash) = whole.unrecorded.first() {
        return Err(IndexError::Corrupt(format!("the dependency {hash} has no record")));
    }
    Ok(Index { version: whole.version, listed, total: whole.total, present, holes })
}
