//! Why an environment cannot be read.

use std::io;

use thiserror::Error;

use crate::spack::condition::ConditionError;
use crate::spack::yaml::YamlError;
use crate::spack::{LockError, ManifestError};

/// An environment that cannot be read: where, and what is wrong there.
#[derive(Debug, Error)]
#[error("{place}: {fault}")]
pub struct EnvironmentError {
    /// The file, with the files that led to it: `spack.yaml → configs/include.yaml → ci.yaml`.
    pub place: String,
    #[source]
    pub fault: EnvironmentFault,
}

impl EnvironmentError {
    /// Whether all that is wrong is that nobody has concretized yet.
    pub const fn is_about_missing_lock(&self) -> bool {
        matches!(self.fault, EnvironmentFault::NoLock { .. })
    }
}

/// What is wrong at a place.
#[derive(Debug, Error)]
pub enum EnvironmentFault {
    #[error("there is no spack.yaml in this folder; give the folder of a stack")]
    NoManifest,
    #[error("there is no lock; run `spack -e {dir} concretize` first")]
    NoLock { dir: String },
    #[error("it does not exist; correct the path, or mark the include with `optional: true`")]
    Missing,
    #[error("it does not exist; correct the path of this configuration scope")]
    NoScope,
    #[error("it cannot be read ({0}); correct the path or the permissions")]
    Read(io::Error),
    #[error("it is {found}, but a file is expected; correct the path")]
    NotAFile { found: &'static str },
    #[error("it has more than {limit} MB, which is more than is read; check that it is the right file")]
    TooLarge { limit: usize },
    #[error("it cannot be unpacked ({0}); fetch it again")]
    Packed(io::Error),
    #[error("the YAML is damaged ({0}); correct the file")]
    Yaml(YamlError),
    #[error("{0}; correct the file")]
    Shape(String),
    #[error(transparent)]
    Manifest(#[from] ManifestError),
    #[error(transparent)]
    Condition(#[from] ConditionError),
    #[error(transparent)]
    Lock(#[from] LockError),
    #[error("it is included by itself; remove one of these includes")]
    Circle,
    #[error("includes are more than {limit} deep; shorten the chain")]
    TooDeep { limit: usize },
    #[error("more than {limit} files are included; include fewer")]
    TooMany { limit: usize },
    #[error("`{include}` is a git repository, which is not supported; check it out and include its path")]
    Git { include: String },
    #[error("`{include}` uses {variable}, which is not known here; {hint}")]
    Variable { include: String, variable: String, hint: String },
    #[error("`{include}` cannot be included ({what}); {hint}")]
    Target { include: String, what: String, hint: &'static str },
    #[error("`{include}` could not be fetched ({what}); try again, or include a copy of the file")]
    Fetch { include: String, what: String },
    #[error(
        "`{include}` has the SHA-256 {found}, but {wanted} is expected; check what changed there, then correct `sha256`"
    )]
    Checksum { include: String, found: String, wanted: String },
    #[error(
        "the include path `{include}` cannot be written as seen from {folder} ({what}); use folders next to each other"
    )]
    Relocate { include: String, folder: String, what: &'static str },
}

impl EnvironmentFault {
    pub(super) fn at(self, place: impl Into<String>) -> EnvironmentError {
        EnvironmentError { place: place.into(), fault: self }
    }
}
