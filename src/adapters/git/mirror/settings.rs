//! What the mirror must be told: where, between whom, as whom, and for how long to wait. The defaults are written here.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use secrecy::SecretString;

/// One of the two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Side {
    GitHub,
    GitLab,
}

impl Side {
    /// Its name as a remote of git.
    pub const fn remote(self) -> &'static str {
        match self {
            Self::GitHub => "github",
            Self::GitLab => "gitlab",
        }
    }
}

impl fmt::Display for Side {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::GitHub => "GitHub",
            Self::GitLab => "GitLab",
        })
    }
}

/// A repository of the other side.
#[derive(Debug, Clone)]
pub struct Remote {
    /// `https://HOST/GROUP/NAME.git` or `ssh://git@HOST/GROUP/NAME.git`; plain `http` and `file` on this machine only. Never with a password.
    pub url: String,
    pub credentials: Credentials,
}

/// As whom a repository is used.
#[derive(Debug, Clone)]
pub enum Credentials {
    Nobody,
    /// Over HTTP. GitHub takes the user `x-access-token`, GitLab `oauth2`, for any kind of token.
    Token {
        user: String,
        token: SecretString,
    },
    /// Over ssh, to a host whose key is in `known_hosts` and to no other.
    Ssh {
        key: SshKey,
        known_hosts: PathBuf,
    },
}

/// Where the private key is.
#[derive(Debug, Clone)]
pub enum SshKey {
    File(PathBuf),
    /// In an agent; `public` says which of its keys.
    Agent {
        socket: PathBuf,
        public: PathBuf,
    },
    /// In an environment variable, in base64. It lies in a file while a command runs.
    Base64(SecretString),
}

/// How long a command may take, by its kind.
#[derive(Debug, Clone)]
pub struct Deadlines {
    /// What asks nobody else.
    pub local: Duration,
    pub list: Duration,
    pub fetch: Duration,
    /// The first fetch brings the whole history.
    pub first_fetch: Duration,
    pub push: Duration,
    /// Into a GitLab without branches, a push takes the whole history; longer than a round of the bridge it cannot be.
    pub first_push: Duration,
    /// Packing what has piled up.
    pub tidy: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            local: Duration::from_secs(60),
            list: Duration::from_secs(60),
            fetch: Duration::from_secs(300),
            first_fetch: Duration::from_secs(3_600),
            push: Duration::from_secs(120),
            first_push: Duration::from_secs(900),
            tidy: Duration::from_secs(1_800),
        }
    }
}

/// One mirror, for one project.
#[derive(Debug, Clone)]
pub struct Settings {
    /// Belongs to this mirror alone.
    pub folder: PathBuf,
    pub github: Remote,
    pub gitlab: Remote,
    /// The `git` to run; 2.41 or newer.
    pub git: PathBuf,
    /// The `ssh` to run: OpenSSH.
    pub ssh: PathBuf,
    pub deadlines: Deadlines,
    /// How often a command that asks another machine is tried in all.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with each further one, up to sixteen times this.
    pub backoff: Duration,
    /// Spreads the waits of those who failed together.
    pub seed: u64,
}

impl Settings {
    /// The defaults.
    pub fn new(folder: impl Into<PathBuf>, github: Remote, gitlab: Remote) -> Self {
        Self {
            folder: folder.into(),
            github,
            gitlab,
            git: "git".into(),
            ssh: "ssh".into(),
            deadlines: Deadlines::default(),
            tries: 3,
            backoff: Duration::from_millis(500),
            seed: 0,
        }
    }

    pub(super) fn remote(&self, side: Side) -> &Remote {
        match side {
            Side::GitHub => &self.github,
            Side::GitLab => &self.gitlab,
        }
    }
}
