//! Where a service is, as whom it is asked, and for how long it is waited for. The defaults are written here.

use std::fmt;
use std::time::Duration;

use secrecy::SecretString;

/// As whom a service is asked.
#[derive(Debug, Clone, Default)]
pub enum Login {
    #[default]
    Anonymous,
    /// Sent as `Authorization: Bearer`.
    Bearer(SecretString),
    /// `NAME=VALUE` of a login proxy, sent as `Cookie`.
    Cookie(SecretString),
}

/// How to reach one service.
#[derive(Clone)]
pub struct Settings {
    /// Where its API begins, `https://prometheus.example`; of an exporter, the whole address.
    pub url: String,
    pub login: Login,
    /// Deadline for a connection.
    pub connect: Duration,
    /// Deadline for one call with all its tries.
    pub request: Duration,
    /// How often what may be repeated is tried in all.
    pub tries: u32,
    /// The longest wait before the second try; it doubles with each further one, up to sixteen times this.
    pub backoff: Duration,
    /// How many requests may be open at once.
    pub in_flight: usize,
    /// The most that an answer may hold, unpacked, in bytes.
    pub largest: usize,
    pub user_agent: String,
}

impl Settings {
    /// The defaults, without a login.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            login: Login::Anonymous,
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            tries: 3,
            backoff: Duration::from_millis(500),
            in_flight: 4,
            largest: 64 << 20,
            user_agent: concat!("stackhand/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("has_login", &!matches!(self.login, Login::Anonymous))
            .field("request", &self.request)
            .finish_non_exhaustive()
    }
}
