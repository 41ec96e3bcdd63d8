//! The practice world: an embedded GitLab, a GitHub, an S3 and a Kubernetes API on loopback with a seeded clockwork behind them.
//!
//! `stackhand demo` and most tests talk to it over real sockets with the real adapters. It knows the nouns and generation, whose child
//! pipelines it runs, and writes GitLab's JSON with types of its own, so a mistake in an adapter is not mirrored here.
//!
//! Inside: the pure [`World`] (what exists and what happens), its sources (locks, stacks, plans, people, runners, mishaps), what jobs write
//! (transcripts, child pipelines with their reports), the GitLab that answers from it, the buckets that its jobs fill (`s3`), and the servers
//! with their faults. Jobs on runners of the cluster have pods there (`cluster`), which an API shows (`kube`).
//!
//! Beside it stands the GitHub (`github`) with a clockwork of its own. What people commit there is real git (`git`), and both forges serve it; what
//! a push brings to the GitLab comes back into the world (`world/refs.rs`). Webhooks of both leave through `hooks`.
//!
//! What this GitHub does not do is said in `github/mod.rs`, what this GitLab does not do in `gitlab/mod.rs`, what this Kubernetes does not do in
//! `cluster/mod.rs` and `kube/mod.rs`, and what can be asked of its metrics in `metrics/mod.rs`. Besides: pipelines that are over when the world begins have no children; a finished
//! world is never tidied up, so memory grows by about 1 kB per job of a long demo; sizes of logs and archives in lists are estimates.

mod cluster;
mod faults;
mod fleet;
mod generate;
mod git;
mod github;
mod gitlab;
mod hooks;
mod kube;
mod locks;
mod metrics;
mod mishaps;
mod nodes;
mod people;
mod plan;
mod query;
mod rng;
mod running;
mod s3;
mod server;
mod stacks;
mod transcript;
mod world;

pub use faults::{Fault, FaultKind};
pub use github::{Act, Endpoint as GitHubEndpoint, Hub, Judged, NoPull, PrState, Pull, Status as HubStatus};
pub use hooks::{Deliveries, HookTarget};
pub use kube::{Endpoint as KubeEndpoint, WatchEnd};
pub use running::Running;
pub use s3::{Endpoint as S3Endpoint, Listed as S3Object};
pub use server::Sandbox;
pub use world::{EPOCH, LogBody, OPENING, Refusal, World};

/// What kind of night it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Scenario {
    /// Failures of many kinds in most stacks.
    #[default]
    Busy,
    /// A busy night on which one machine fails everything it touches.
    Outage,
    /// Nothing fails.
    Calm,
}

/// How to start a practice world.
#[derive(Debug, Clone)]
pub struct Options {
    /// The same seed gives the same world.
    pub seed: u64,
    /// Virtual seconds per second; 0 stops the time.
    pub speed: f64,
    pub scenario: Scenario,
    /// About how many jobs the night has. 200 to 5,000 make sense; the locks do not hold enough for many more.
    pub jobs: usize,
    /// 0 takes any free port.
    pub port: u16,
    /// The operator's token; the same with `-read` at its end may only read.
    pub token: String,
    /// How many pull requests are open on the GitHub. The first two dozen are one for every case; hundreds are no trouble.
    pub prs: usize,
    /// The token of the GitHub; the same with `-read` at its end may only read.
    pub github_token: String,
    /// Where both forges send webhooks.
    pub hooks: Option<HookTarget>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            seed: 42,
            speed: 30.0,
            scenario: Scenario::Busy,
            jobs: 1_200,
            port: 0,
            token: "glpat-practice-world".to_owned(),
            prs: 24,
            github_token: "ghp_practice-world".to_owned(),
            hooks: None,
        }
    }
}

/// Why the practice world cannot start, or cannot make a child pipeline.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error(
        "failed to unpack the embedded lock of {lock}: {source}; this build of stackhand is damaged, install it again"
    )]
    Unpack { lock: &'static str, source: std::io::Error },
    #[error(
        "failed to read the embedded lock of {lock}: {source}; this build of stackhand is damaged, install it again"
    )]
    Lock { lock: &'static str, source: crate::spack::LockError },
    #[error(
        "failed to find the specs in the text of the embedded lock of {lock}; this build of stackhand is damaged, install it again"
    )]
    Layout { lock: &'static str },
    #[error(
        "failed to order the specs in the embedded lock of {lock}: {source}; this build of stackhand is damaged, install it again"
    )]
    Graph { lock: &'static str, source: crate::generation::DagError },
    #[error("failed to make the signing keys of the practice world; report this as a bug")]
    Keys,
    #[error(
        "failed to read the embedded CI configuration: {source}; this build of stackhand is damaged, install it again"
    )]
    Config { source: crate::spack::yaml::YamlError },
    #[error("failed to generate the child pipeline of {stack}: {source}")]
    Generate { stack: &'static str, source: crate::generation::Refusal },
    #[error(
        "failed to make the git repositories of the practice world: {source}; install git, or set TMPDIR to another folder"
    )]
    Git { source: std::io::Error },
    #[error("failed to listen on 127.0.0.1:{port}: {source}; choose another port or 0 for any free one")]
    Listen { port: u16, source: std::io::Error },
    #[error(
        "failed to start the thread of the practice world: {source}; free some memory or raise the limit of processes and try again"
    )]
    Thread { source: std::io::Error },
    #[error("the practice world ended while it was starting; look into the log, and report this as a bug")]
    Died,
}
