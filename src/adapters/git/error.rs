//! Why the change set of a clone cannot be told.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use thiserror::Error;

use crate::console::text;
use crate::generation::PackageRepoError;

/// A question to git that has no answer. Every message names the place and the next step; what git said is made harmless.
#[derive(Debug, Error)]
pub enum GitError {
    #[error("`{}` was not found; install git, or put it on the PATH", .0.display())]
    NoGit(PathBuf),
    #[error("`{}` cannot be started ({error}); check the program and its permissions", program.display())]
    NotStarted { program: PathBuf, error: io::Error },
    #[error("{} is not a folder that can be entered ({error}); give the folder of a clone", folder.display())]
    NoFolder { folder: PathBuf, error: io::Error },
    #[error(
        "{} is not in a git repository; give the folder of a clone, or name what changed with --changed-package",
        .0.display()
    )]
    NoRepository(PathBuf),
    #[error(
        "git does not trust {folder}, because it belongs to another user; run \
         `git config --global --add safe.directory {folder}` if you do"
    )]
    Untrusted { folder: String },
    #[error("{} has no commit that HEAD points to; check out the commit to build", .0.display())]
    NoCommit(PathBuf),
    #[error("`{0}` cannot be the name of a branch; give the target branch as in `develop`")]
    BadTarget(String),
    #[error(
        "the target branch `{target}` is not in this clone, so it is unknown what HEAD adds to it; run \
         `git fetch origin {target}:refs/remotes/origin/{target}`"
    )]
    NoTarget { target: String },
    #[error("this clone is shallow and lacks {what}; run `{command}`, or set GIT_DEPTH to a larger number in CI")]
    Shallow { what: String, command: String },
    #[error("HEAD and {target} have no common commit; give the branch that this work is to be merged into")]
    Unrelated { target: String },
    #[error("this clone lacks {what} although it is not shallow; check it with `git fsck`, or clone anew")]
    Damaged { what: String },
    #[error("{path} {fault}; correct it, or name what changed with --changed-package")]
    PackageRepo {
        path: String,
        #[source]
        fault: PackageRepoError,
    },
    #[error("`git {command}` did not finish within {} seconds; check the disk and the network of the clone", after.as_secs())]
    Deadline { command: String, after: Duration },
    #[error("`git {command}` wrote more than {limit} bytes; name what changed with --changed-package")]
    TooMuch { command: String, limit: usize },
    #[error("`git {command}` failed with exit code {}: {said}; run it by hand in the clone", code.map_or("none".to_owned(), |code| code.to_string()))]
    Failed { command: String, code: Option<i32>, said: String },
    #[error(
        "`git {command}` answered in a form that is not understood ({what}); check `git --version`, and report this if it is current"
    )]
    Garbled { command: String, what: String },
}

/// Text of strangers, fit for a message.
pub(super) fn harmless(bytes: &[u8]) -> String {
    let text = text::clean_bytes(bytes.trim_ascii());
    text::cut_end(&text, 400).into_owned()
}
