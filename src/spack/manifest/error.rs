//! Why a manifest cannot be used.

use thiserror::Error;

use crate::spack::condition::ConditionError;
use crate::spack::yaml::YamlError;

/// A fault of a `spack.yaml` or of an `include` section. Whoever read the file puts its name in front.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum ManifestError {
    /// Not UTF-8.
    #[error("the text is not UTF-8 at byte {at}; save the file as UTF-8")]
    Encoding { at: usize },
    /// Not YAML, or more of it than is read.
    #[error("the YAML is damaged ({0}); correct the file")]
    Yaml(YamlError),
    /// No manifest at all.
    #[error("the top-level key `spack` is missing ({found}); give the spack.yaml of a stack")]
    NoSpack { found: String },
    /// Something stands where something else is expected.
    #[error("`{place}` {what}; correct it")]
    Shape { place: String, what: String },
    /// A condition without an answer.
    #[error("`{place}`: {error}")]
    Condition { place: String, error: ConditionError },
    /// A reference that leads nowhere.
    #[error(
        "`{place}` refers to `${name}`, which no definition above it has; define the list first or correct the name"
    )]
    Undefined { place: String, name: String },
    /// More specs than anybody concretizes.
    #[error("`{place}` expands to more than {limit} specs; split the stack or shorten the matrix")]
    TooMany { place: String, limit: usize },
    /// A path that was not found again in the text.
    #[error("the include path `{path}` cannot be replaced in the text ({what}); write it as a plain text on one line")]
    Rewrite { path: String, what: String },
}

impl ManifestError {
    pub(super) fn shape(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self::Shape { place: place.into(), what: what.into() }
    }
}
