//! The words that a rule says about a failure.

use serde::{Deserialize, Serialize};

/// Who can mend it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Owner {
    /// Those who run the CI: nodes, runners, caches, keys.
    Infrastructure,
    /// The author of the package or of the pull request.
    Package,
    /// Somebody else's server.
    Upstream,
    /// Spack itself.
    SpackCore,
    #[default]
    Unknown,
}

impl Owner {
    /// Its word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Infrastructure => "infrastructure",
            Self::Package => "package",
            Self::Upstream => "upstream",
            Self::SpackCore => "spack-core",
            Self::Unknown => "unknown",
        }
    }
}

/// How much it hurts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    Low,
    Medium,
    High,
}

/// Whether the same job may succeed when it is tried again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Default, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Transient {
    Yes,
    No,
    /// Once, or after a look.
    Maybe,
    #[default]
    Unknown,
}

impl Transient {
    /// Its word in documents.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::No => "no",
            Self::Maybe => "maybe",
            Self::Unknown => "unknown",
        }
    }
}
