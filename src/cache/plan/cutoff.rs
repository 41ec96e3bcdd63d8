//! The moment after which nothing may go.

use serde::{Deserialize, Serialize};

use super::PruneRefusal;
use crate::cache::Contents;
use crate::ci::Timestamp;

/// Whatever was modified later stays: it may belong to a push that no index knows yet. Never our own clock.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Cutoff {
    pub at: Timestamp,
    pub by: CutoffBy,
}

/// Who says so.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CutoffBy {
    /// The manifest of the default index: when it was last written.
    Index,
    /// The server's clock when listing began, where there is no index, or where it claims to be younger than that.
    Listing,
}

impl Cutoff {
    /// After which everything was modified.
    pub(in crate::cache) const NEVER: Self = Self { at: Timestamp::from_millis(i64::MIN), by: CutoffBy::Listing };

    /// The cutoff of a root.
    pub fn of(contents: &Contents) -> Result<Self, PruneRefusal> {
        let listing = contents.listed_at.map(|at| Self { at, by: CutoffBy::Listing });
        let Some(index) = contents.index() else {
            return listing.ok_or(PruneRefusal::NoCutoff { what: "there is no index, and the server tells no time" });
        };
        let written = index.modified.ok_or(PruneRefusal::NoCutoff { what: "the index has no time of writing" })?;
        let index = Self { at: written, by: CutoffBy::Index };
        Ok(listing.filter(|listing| listing.at < written).unwrap_or(index))
    }

    /// Whether something may go that was modified then; what has no time may not.
    pub(super) fn admits(self, modified: Option<Timestamp>) -> Option<bool> {
        modified.map(|modified| modified <= self.at)
    }
}
