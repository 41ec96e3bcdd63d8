//! Why the mirror did not do what it was asked: typed once, from what `git` and `ssh` say.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use thiserror::Error;

use super::settings::Side;
use crate::bridge::Fault;
use crate::forge::Sha;

/// A failure, in one line without secrets. What others said in it is made harmless.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum MirrorError {
    #[error("{} is in use by {by}; end that one first, or give this one a folder of its own by bridge.folder", folder.display())]
    InUse { folder: PathBuf, by: String },
    #[error("{} cannot be used ({why}); check its owner, and the space on its disk", path.display())]
    Folder { path: PathBuf, why: String },
    #[error("`{}` was not found; install git, or put it on the PATH", .0.display())]
    NoGit(PathBuf),
    #[error("`{}` cannot be started ({why}); check the program and its permissions", program.display())]
    NotStarted { program: PathBuf, why: String },
    #[error("git here says `{found}`, and 2.41 or newer is needed; install a newer one")]
    OldGit { found: String },
    #[error("the address of {side} {why}")]
    Address { side: Side, why: String },
    #[error("the key for {side} {why}")]
    Key { side: Side, why: String },
    #[error("git did not {doing} within {} seconds", after.as_secs())]
    Deadline { doing: String, after: Duration },
    /// Never tried again, and nothing is tried instead.
    #[error(
        "ALARM: {side} did not show the host key that is pinned, so nothing was sent ({said}); somebody may stand in between. Compare the key with those \
         that the host publishes before you change the file of known hosts"
    )]
    HostKey { side: Side, said: String },
    #[error("{side} refuses us ({said}); check the token or the key, and what it may do")]
    Denied { side: Side, said: String },
    #[error("{side} has no such repository, or hides it from us ({said}); check the address and the rights")]
    NoRepository { side: Side, said: String },
    #[error("{side} cannot be reached ({said})")]
    Unreachable { side: Side, said: String },
    #[error("{side} has no {name}")]
    NoRef { side: Side, name: String },
    #[error("{side} sent objects that git refuses ({said})")]
    BadObjects { side: Side, said: String },
    #[error("{0} is not to be had: what named it was moved or deleted meanwhile; the next pass looks again")]
    Missing(Sha),
    #[error("{0} is no commit of the form that is expected")]
    NotACommit(Sha),
    #[error("{} and {} have no common history", head.short(), onto.short())]
    Unrelated { head: Sha, onto: Sha },
    #[error("the mirror is damaged ({said}); it is made again when it is opened the next time")]
    Damaged { said: String },
    #[error("git wrote more than {limit} bytes when it was to {doing}")]
    TooMuch { doing: String, limit: usize },
    #[error("git did not {doing} (exit code {}): {said}", code.map_or("none".to_owned(), |code| code.to_string()))]
    Failed { doing: String, code: Option<i32>, said: String },
    #[error("git answered in a form that is not understood ({what}) when it was to {doing}; check `git --version`")]
    Garbled { doing: String, what: String },
}

impl MirrorError {
    /// The same command may do better in a moment.
    pub(super) const fn is_transient(&self) -> bool {
        // A command that was ended at its deadline has had its time.
        matches!(self, Self::Unreachable { .. } | Self::Failed { .. })
    }

    /// It would be the same for any other ref.
    pub(super) const fn is_about_all(&self) -> bool {
        !matches!(
            self,
            Self::NoRef { .. }
                | Self::BadObjects { .. }
                | Self::Missing(_)
                | Self::NotACommit(_)
                | Self::Unrelated { .. }
                | Self::Failed { .. }
                | Self::Deadline { .. }
                | Self::Garbled { .. }
        )
    }

    /// The same in the words of whoever asks both sides.
    pub fn fault(&self, doing: &str) -> crate::console::fault::Fault {
        use crate::console::fault::{Asked, FaultKind};
        let kind = match self {
            Self::Denied { .. } | Self::HostKey { .. } => FaultKind::Unauthorized,
            Self::NoRepository { .. } => FaultKind::NotFound,
            Self::Deadline { .. } => FaultKind::Timeout,
            Self::Unreachable { .. } => FaultKind::Unreachable,
            _ => FaultKind::Local,
        };
        crate::console::fault::Fault::new(kind, doing, self.to_string()).of(Asked::Git)
    }

    /// A later pass may have another answer: this is no property of what was asked about.
    pub const fn passes(&self) -> bool {
        !matches!(self, Self::NoRef { .. } | Self::BadObjects { .. } | Self::NotACommit(_) | Self::Unrelated { .. })
    }

    /// Types what a command said that asked another machine. What comes through from the remote (`remote: …`) proves nothing about this one.
    pub(super) fn of_remote(side: Side, doing: &str, code: Option<i32>, said: &str) -> Self {
        let ours: String = said.lines().filter(|line| !line.starts_with("remote:")).collect::<Vec<_>>().join("\n");
        let (all, ours) = (said.to_ascii_lowercase(), ours.to_ascii_lowercase());
        let has = |words: &[&str]| words.iter().any(|word| ours.contains(word));
        let shown = || one_line(said);
        if has(&["host key verification failed", "remote host identification has changed", "host key is known for"]) {
            return Self::HostKey { side, said: shown() };
        }
        if let Some(name) = missing_ref(said) {
            return Self::NoRef { side, name };
        }
        if has(&["permission denied", "could not read username", "could not read password", "authentication failed"])
            || has(&["returned error: 401", "returned error: 403", "access denied", "too many authentication failures"])
        {
            return Self::Denied { side, said: shown() };
        }
        if has(&[
            "does not appear to be a git repository",
            "repository not found",
            "returned error: 404",
            "' not found",
        ]) || all.contains("the project you were looking for could not be found")
        {
            return Self::NoRepository { side, said: shown() };
        }
        if has(&["fsck error", "in fsck"]) {
            return Self::BadObjects { side, said: shown() };
        }
        if let Some(error) = Self::of_here(&ours, shown()) {
            return error;
        }
        if code.is_none() || has(UNREACHABLE) {
            return Self::Unreachable { side, said: shown() };
        }
        Self::Failed { doing: doing.to_owned(), code, said: shown() }
    }

    /// Types what a command said that asked nobody else.
    pub(super) fn of_local(doing: &str, code: Option<i32>, said: &str) -> Self {
        let failed = || Self::Failed { doing: doing.to_owned(), code, said: one_line(said) };
        Self::of_here(&said.to_ascii_lowercase(), one_line(said)).unwrap_or_else(failed)
    }

    /// Whether a command that failed has met damage in a repository of ours.
    pub(super) fn is_damage(said: &str) -> bool {
        let ours: String = said.lines().filter(|line| !line.starts_with("remote:")).collect::<Vec<_>>().join("\n");
        matches!(Self::of_here(&ours.to_ascii_lowercase(), String::new()), Some(Self::Damaged { .. }))
    }

    fn of_here(said: &str, shown: String) -> Option<Self> {
        if said.contains("no space left on device") || said.contains("disk quota exceeded") {
            return Some(Self::Folder { path: "the mirror".into(), why: shown });
        }
        DAMAGED.iter().any(|word| said.contains(word)).then_some(Self::Damaged { said: shown })
    }
}

impl From<&MirrorError> for Fault {
    fn from(error: &MirrorError) -> Self {
        Self { why: Arc::from(error.to_string()), passes: error.passes() }
    }
}

/// What git, curl and ssh say about a network or a server that has trouble.
const UNREACHABLE: &[&str] = &[
    "could not resolve host",
    "could not resolve hostname",
    "temporary failure in name resolution",
    "failed to connect",
    "couldn't connect",
    "connection refused",
    "connection reset",
    "connection closed",
    "connection timed out",
    "operation timed out",
    "no route to host",
    "network is unreachable",
    "early eof",
    "hung up unexpectedly",
    "unexpected disconnect",
    "broken pipe",
    "rpc failed",
    "empty reply from server",
    "returned error: 429",
    "returned error: 5",
    "kex_exchange_identification",
    "could not read from remote repository",
];

/// What git says about its own files when a disk or a crash has spoiled them.
const DAMAGED: &[&str] = &[
    "is corrupt",
    "object file ",
    "inflate: data stream error",
    "is far too short to be a packfile",
    "does not match index",
    "bad pack header",
    "not a git repository",
    "bad config line",
    "bad object refs/",
    "bad object head",
    "ignoring broken ref",
    "missing object ",
    "unable to read tree",
    "bad tree object",
    "error: could not read ",
    "could not read commit",
    "unable to parse object",
    "missing tree",
    "missing blob",
];

fn missing_ref(said: &str) -> Option<String> {
    let line = said.lines().find_map(|line| line.strip_prefix("fatal: couldn't find remote ref "));
    let object = || said.lines().find_map(|line| line.split_once("not our ref ").map(|(_, object)| object));
    line.or_else(object).map(|name| name.trim().to_owned())
}

/// The lines of a complaint as one, hints left out.
pub(super) fn one_line(said: &str) -> String {
    let lines = said.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("hint:"));
    let text = lines.collect::<Vec<_>>().join("; ");
    crate::console::text::cut_end(&text, 400).into_owned()
}
