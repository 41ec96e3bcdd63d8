//! Why git could not say what changed.

use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::generation::PackageRepoError;

/// A question that git did not answer.
#[derive(Debug, Error)]
pub enum GitError {
    #[error("cannot run git ({0}); install it, or name what changed with `--changed-package`")]
    Start(std::io::Error),
    #[error("git did not answer within {0:?}; try again, or name what changed with `--changed-package`")]
    Slow(Duration),
    #[error("{folder} is not in a git repository; give one with `--git DIR`, or name what changed with `--changed-package`", folder = .0.display())]
    NoRepository(PathBuf),
    #[error("git does not trust {folder}, which belongs to somebody else; run `git config --global --add safe.directory {folder}`", folder = .0.display())]
    Distrusted(PathBuf),
    #[error("the clone is too shallow to see what changed: {0} is missing; run `git fetch --deepen=50 origin`")]
    Shallow(String),
    #[error("HEAD is the first commit, so nothing can be compared; name what changed with `--changed-package`")]
    NoParent,
    #[error("git {command} failed: {message}; run it by hand in {folder}", folder = .folder.display())]
    Failed { command: String, message: String, folder: PathBuf },
    #[error("the answer of git {command} cannot be read; report this with the output of `git --version`")]
    Garbled { command: String },
    #[error("the package repository {place}: {error}")]
    Packages { place: String, error: PackageRepoError },
}
