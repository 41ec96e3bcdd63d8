//! What can be wrong with a cache: kinds of findings, how bad each is, and what to do about it.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

/// How bad something is. The order is that of lists, the worst first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Severity {
    /// Jobs or users fail because of it, or somebody tampered.
    Bad,
    /// Nobody can say: it could not be read.
    Unknown,
    /// It costs, or will be bad.
    Warn,
    /// Worth knowing.
    Info,
    /// Nothing was found.
    Ok,
}

impl Severity {
    /// The word of JSON, screens and the store.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Bad => "bad",
            Self::Unknown => "unknown",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Ok => "ok",
        }
    }

    /// Reads its word.
    pub fn parse(word: &str) -> Option<Self> {
        [Self::Bad, Self::Unknown, Self::Warn, Self::Info, Self::Ok].into_iter().find(|known| known.word() == word)
    }
}

macro_rules! kinds {
    ($( $(#[$doc:meta])* $kind:ident = $word:literal, $severity:ident, $remedy:literal; )*) => {
        /// The kinds of findings, in the order of reports.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKind { $( $(#[$doc])* $kind ),* }

        impl FindingKind {
            /// Every kind.
            pub const ALL: &[Self] = &[$(Self::$kind),*];

            /// The word of JSON.
            pub const fn word(self) -> &'static str {
                match self { $(Self::$kind => $word),* }
            }

            pub const fn severity(self) -> Severity {
                match self { $(Self::$kind => Severity::$severity),* }
            }

            /// What to do about it.
            pub const fn remedy(self) -> &'static str {
                match self { $(Self::$kind => $remedy),* }
            }
        }
    };
}

kinds! {
    /// Something could not be listed or read: nothing that is missing below it is known to be missing.
    Unread = "unread", Unknown, "try again; look at the server's status and at the rights of the key";
    /// There is no default index: Spack sees no binary here.
    NoIndex = "no_index", Warn, "run `spack buildcache update-index`";
    /// The index names a blob that is not there.
    DanglingIndex = "dangling_index", Bad, "run `spack buildcache update-index`";
    /// The index is corrupt or not what its checksum promises.
    DamagedIndex = "damaged_index", Bad, "run `spack buildcache update-index`";
    /// A newer Spack wrote the index.
    NewerIndex = "newer_index", Unknown, "get a stackhand that knows this version";
    /// A record of the index does not give the hash that it stands under.
    Forged = "forged", Bad, "find out who wrote it; write the index anew from verified manifests";
    /// The index is older than it should be.
    OldIndex = "old_index", Warn, "look at the rebuild-index jobs of this stack";
    /// The index lists a binary that has no manifest.
    MissingManifest = "missing_manifest", Bad, "build the spec again, or write the index anew";
    /// A manifest names a blob that is not there.
    MissingBlob = "missing_blob", Bad, "build the spec again";
    /// A blob has another length than its manifest says.
    WrongLength = "wrong_length", Bad, "build the spec again";
    /// A dependency was never pushed here.
    NeverPushed = "never_pushed", Info, "build it, or look for it in another mirror";
    /// A manifest cannot be used.
    DamagedManifest = "damaged_manifest", Bad, "build the spec again";
    /// The name of a manifest holds no valid hash.
    OddName = "odd_name", Warn, "find out who wrote it; nothing is pruned while it lies there";
    /// The signature of a manifest is bad, or it is about another spec.
    BadSignature = "bad_signature", Bad, "find out who wrote it; build the spec again";
    /// A manifest lies there that the index does not list, though the index is newer.
    Unindexed = "unindexed", Warn, "run `spack buildcache update-index`";
    /// Blobs that no manifest names.
    Orphans = "orphans", Info, "plan a prune";
    /// A key, or the index of keys, cannot be used.
    DamagedKey = "damaged_key", Warn, "publish the keys again (`spack gpg publish --update-index`)";
    /// Objects of no known layout.
    Foreign = "foreign", Info, "find out who wrote them";
    /// Layout 2 lies beside layout 3.
    OldLayout = "old_layout", Info, "migrate it (`spack buildcache migrate`)";
    /// The server's clock and ours disagree.
    ClockSkew = "clock_skew", Warn, "set the clock of this machine";
}

/// One thing that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    pub kind: FindingKind,
    /// A hash, or a path below the root; empty for the root as a whole.
    pub place: Arc<str>,
    /// What exactly; fit to be shown.
    pub what: Arc<str>,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.place.is_empty() {
            write!(f, "{}: ", self.place)?;
        }
        write!(f, "{}; {}", self.what, self.kind.remedy())
    }
}
