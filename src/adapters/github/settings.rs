//! What the adapter must be told: where, as whom, and for how long to wait. The defaults of the whole adapter are written here.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

use crate::adapters::gitlab::Now;

/// As whom GitHub is asked.
#[derive(Clone)]
pub enum Access {
    /// A personal or installation token.
    Token(SecretString),
    /// An App's installation; its tokens are made and renewed as they are needed.
    App {
        id: u64,
        installation: u64,
        /// The App's private key, as PEM.
        key: SecretString,
    },
}

/// How to reach one repository on one GitHub.
#[derive(Clone)]
pub struct Settings {
    /// The API: `https://api.github.com`, or `https://HOST/api/v3`.
    pub url: String,
    pub owner: String,
    pub repository: String,
    pub access: Access,
    /// How often a reading request is tried in all.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with each further one, up to sixteen times this.
    pub backoff: Duration,
    pub connect: Duration,
    /// Deadline for one request with its whole answer.
    pub request: Duration,
    /// A rate limit that lasts longer than this is a fault at once.
    pub patience: Duration,
    /// The time between two writes.
    pub between_writes: Duration,
    /// How many pull requests are asked for at once; halved when that is too much for GitHub.
    pub page: u32,
    pub now: Now,
}

impl Settings {
    /// The defaults.
    pub fn new(url: &str, owner: &str, repository: &str, access: Access, now: Now) -> Self {
        Self {
            url: url.to_owned(),
            owner: owner.to_owned(),
            repository: repository.to_owned(),
            access,
            tries: 3,
            backoff: Duration::from_millis(500),
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            patience: Duration::from_secs(10),
            between_writes: Duration::from_secs(1),
            page: 100,
            now,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings").field("url", &self.url).field("repository", &self.repository).finish_non_exhaustive()
    }
}
