//! What the tests of this adapter have in common.

use std::sync::Arc;
use std::time::Duration;

use super::{GitLab, Settings};
pub use crate::adapters::testing::{Reply, http, server};
use crate::ci::Timestamp;

/// The wall clock of tests.
pub const NOW: Timestamp = Timestamp::from_millis(1_795_000_000_000);

/// Settings without a brake on the rate. Deadlines are generous; a test that runs into one sets its own.
pub fn settings(url: &str, token: Option<&str>) -> Settings {
    Settings {
        token: token.map(Into::into),
        per_second: 10_000.0,
        backoff: Duration::from_millis(1),
        request: Duration::from_secs(20),
        trace: Duration::from_secs(1),
        patience: Duration::from_secs(3),
        ..Settings::new(url, "spack/spack-packages", Arc::new(|| NOW))
    }
}

/// A client for [`settings`].
pub fn client(url: &str, token: Option<&str>) -> GitLab {
    GitLab::new(settings(url, token)).unwrap()
}
