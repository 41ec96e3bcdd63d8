//! Where the cluster is and for how long to wait. The defaults of the whole adapter are written here.

use std::path::PathBuf;
use std::time::Duration;

/// Where a cluster and its credentials are found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Access {
    /// A kubeconfig, and one of its contexts where not the current one is meant.
    File { path: PathBuf, context: Option<String> },
    /// The service account of the pod in which this runs.
    InCluster,
}

/// How a cluster is reached.
#[derive(Debug, Clone)]
pub struct Settings {
    pub access: Access,
    /// Whether the kubeconfig may run a program to log in. It does so as whoever runs this, so nobody else's file should.
    pub may_run_login: bool,
    /// Deadline for a connection.
    pub connect: Duration,
    /// Deadline for one answer; of a watch, until it opens.
    pub request: Duration,
    /// How long the server is asked to keep a watch open; up to a tenth more is asked for, so that they do not end together.
    pub watch: Duration,
    /// The longest silence of a watch whose server sends bookmarks, which come every minute.
    pub silence: Duration,
    /// The longest wait before the second try; it doubles with each further one.
    pub backoff: Duration,
    /// The longest wait between tries.
    pub backoff_most: Duration,
    /// How long to wait where access is denied.
    pub denied: Duration,
    /// How long to wait where the cluster has no such resource.
    pub absent: Duration,
    /// How many objects are asked for at once.
    pub page: usize,
    /// The most that a page or one line of a watch may hold, in bytes.
    pub largest: usize,
    /// The most objects of one kind.
    pub most_objects: usize,
    pub user_agent: String,
}

impl Settings {
    /// The defaults.
    pub fn new(access: Access) -> Self {
        Self {
            access,
            may_run_login: false,
            connect: Duration::from_secs(5),
            request: Duration::from_secs(30),
            watch: Duration::from_secs(290),
            silence: Duration::from_secs(150),
            backoff: Duration::from_millis(800),
            backoff_most: Duration::from_secs(30),
            denied: Duration::from_secs(60),
            absent: Duration::from_secs(60),
            page: 500,
            largest: 64 << 20,
            most_objects: 100_000,
            user_agent: concat!("stackhand/", env!("CARGO_PKG_VERSION")).to_owned(),
        }
    }
}
