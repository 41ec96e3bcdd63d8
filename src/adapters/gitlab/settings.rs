//! What the adapter must be told: where, as whom, how fast, and for how long to wait. The defaults of the whole adapter are written here.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;

use crate::ci::Timestamp;

/// Reads the wall clock. Only ages, dates and limits use it; waiting uses tokio's time.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// How to reach one project on one GitLab.
#[derive(Clone)]
pub struct Settings {
    /// The instance, `https://gitlab.example` or `https://example.org/gitlab`.
    pub url: String,
    /// The project's path (`spack/spack-packages`) or number.
    pub project: String,
    /// A personal, project or OAuth token; sent as `Authorization: Bearer` and to this origin only.
    pub token: Option<SecretString>,
    /// How many requests may be open at once.
    pub in_flight: usize,
    /// How many requests may start within any second.
    pub per_second: f64,
    /// How often a reading request is tried in all.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with each further one, up to sixteen times this.
    pub backoff: Duration,
    /// Deadline for a connection.
    pub connect: Duration,
    /// Deadline for one call with all its tries, from the moment it is first sent.
    pub request: Duration,
    /// Deadline for each piece of a log; a log as a whole has none.
    pub trace: Duration,
    /// A rate limit that lasts longer than this is answered with a fault at once instead of being waited for.
    pub patience: Duration,
    pub user_agent: String,
    pub now: Now,
}

impl Settings {
    /// The defaults, without a token.
    pub fn new(url: impl Into<String>, project: impl Into<String>, now: Now) -> Self {
        Self {
            url: url.into(),
            project: project.into(),
            token: None,
            in_flight: 4,
            per_second: 5.0,
            tries: 3,
            backoff: Duration::from_millis(500),
            connect: Duration::from_secs(10),
            request: Duration::from_secs(45),
            trace: Duration::from_secs(20),
            patience: Duration::from_secs(10),
            // Never a browser's: the firewall of gitlab.spack.io blocks at least one of those.
            user_agent: concat!("stackhand/", env!("CARGO_PKG_VERSION")).to_owned(),
            now,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("url", &self.url)
            .field("project", &self.project)
            .field("token", &self.token.is_some())
            .finish_non_exhaustive()
    }
}
