//! The line of `stackhand demo --serve`: where everything of a practice world is, and as whom it is read.

use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use secrecy::SecretString;
use serde::Deserialize;

use super::Wanted;
use crate::adapters::mirror::{Credentials, S3Access};
use crate::cli::exit::{Exit, Failure};

/// Clocks that differ by more are worth a word, and stop a prune plan.
const MAX_SKEW: Duration = Duration::from_secs(300);

/// How long a file may be empty.
const PATIENCE: Duration = Duration::from_secs(5);

/// The variables in which secrets of an endpoints file are looked for. No user's variable has such a name.
const TOKEN: &str = "GIVEN_TOKEN";
const GITHUB_TOKEN: &str = "GIVEN_GITHUB_TOKEN";
const GITHUB_HOOK: &str = "GIVEN_GITHUB_HOOK";
const GITLAB_HOOK: &str = "GIVEN_GITLAB_HOOK";

/// The line of `stackhand demo --serve`.
#[derive(Deserialize)]
struct Endpoints {
    gitlab: Endpoint,
    github: Option<Forge>,
    s3: Option<Buckets>,
    kubernetes: Option<Cluster>,
    prometheus: Option<Service>,
    alertmanager: Option<Service>,
    hooks: Option<Hooks>,
}

/// What the webhooks of both forges are known by.
#[derive(Deserialize)]
struct Hooks {
    github: Signed,
    gitlab: Marked,
}

#[derive(Deserialize)]
struct Signed {
    secret: String,
}

#[derive(Deserialize)]
struct Marked {
    token: String,
}

#[derive(Deserialize)]
struct Cluster {
    kubeconfig: String,
}

#[derive(Deserialize)]
struct Service {
    url: String,
}

#[derive(Deserialize)]
struct Endpoint {
    url: String,
    project: String,
    token: Option<String>,
    git_url: Option<String>,
}

/// A GitHub.
#[derive(Deserialize)]
struct Forge {
    url: String,
    repo: String,
    token: Option<String>,
    git_url: String,
}

/// Where the buckets of an endpoints file are, and as whom they are read.
#[derive(Clone, Deserialize)]
pub(super) struct Buckets {
    url: String,
    region: Option<String>,
    access_key: String,
    pub secret_key: SecretString,
    #[serde(default, rename = "buckets")]
    names: Vec<String>,
    /// Objects have sizes, but are not stored.
    #[serde(default)]
    pub sparse: bool,
    /// The armored key by which binaries there are signed.
    pub public_key: Option<String>,
}

impl Buckets {
    pub fn access(&self) -> S3Access {
        S3Access {
            endpoint: Some(self.url.clone()),
            region: self.region.clone(),
            credentials: Credentials::Keys {
                id: self.access_key.clone(),
                secret: self.secret_key.clone(),
                session: None,
            },
        }
    }
}

pub(super) fn read_endpoints(path: &Path, wanted: Wanted) -> Result<Wanted, Failure> {
    let trouble = |what: String| {
        Failure::new(
            Exit::Config,
            format!("--endpoints {}: {what}; give it the line of `stackhand demo --serve`", path.display()),
        )
    };
    let read = || {
        let mut text = String::new();
        if path.as_os_str() == "-" {
            std::io::stdin().read_to_string(&mut text)?;
            return Ok(text);
        }
        // A world that was started a moment ago, as `demo --serve > FILE &`, has not written its line yet.
        let end = Instant::now() + PATIENCE;
        loop {
            std::fs::File::open(path)?.read_to_string(&mut text)?;
            if !text.trim().is_empty() || Instant::now() > end {
                return Ok(text);
            }
            text.clear();
            std::thread::sleep(Duration::from_millis(50));
        }
    };
    let text = read().map_err(|error: std::io::Error| trouble(error.to_string()))?;
    if text.trim().is_empty() {
        return Err(trouble("it is empty".to_owned()));
    }
    let line = text.lines().find(|line| !line.trim().is_empty()).unwrap_or_default();
    wanted.at_endpoints("--endpoints", line).map_err(trouble)
}

impl Wanted {
    /// Points at everything that a line of endpoints tells of.
    pub fn at_endpoints(self, flag: &str, line: &str) -> Result<Self, String> {
        // The parser's own message could quote a secret.
        let told: Result<Endpoints, _> = serde_json::from_str(line);
        let Endpoints { gitlab, github, s3, kubernetes, prometheus, alertmanager, hooks } =
            told.map_err(|error| format!("no endpoints at column {}", error.column()))?;
        let Endpoint { url, project, token, git_url } = gitlab;
        let here = self.at(flag, &url, &project, token).with_buckets(flag, s3).with_bridge(flag, github, git_url);
        Ok(here.with_fleet(flag, kubernetes, prometheus, alertmanager).with_hooks(flag, hooks))
    }

    /// Takes these webhooks, and no others.
    fn with_hooks(mut self, flag: &str, hooks: Option<Hooks>) -> Self {
        let (github, gitlab) = hooks.map(|Hooks { github, gitlab }| (github.secret, gitlab.token)).unzip();
        self = self.with_secret(flag, "hooks.github_env", GITHUB_HOOK, github);
        self = self.with_secret(flag, "hooks.gitlab_env", GITLAB_HOOK, gitlab);
        self.with(flag, "hooks.github_file", "").with(flag, "hooks.gitlab_file", "")
    }

    /// Looks for a secret in a variable of ours; without one, nowhere.
    fn with_secret(mut self, flag: &str, key: &str, variable: &'static str, secret: Option<String>) -> Self {
        self = self.with(flag, key, if secret.is_some() { variable } else { "" });
        self.given.extend(secret.map(|secret| (variable, secret)));
        self
    }

    /// Bridges from this GitHub to here, and from no other.
    fn with_bridge(mut self, flag: &str, github: Option<Forge>, git_url: Option<String>) -> Self {
        let (token, told) = match github {
            Some(Forge { url, repo, token, git_url }) => {
                (token, vec![("github.url", url), ("github.repository", repo), ("github.git_url", git_url)])
            }
            None => (None, vec![("github.repository", String::new())]),
        };
        self = self.with_secret(flag, "github.token_env", GITHUB_TOKEN, token);
        for (key, value) in told.into_iter().chain([
            ("github.token_file", String::new()),
            ("github.app", "0".to_owned()),
            ("bridge.git_url", git_url.unwrap_or_default()),
            ("bridge.ssh_key", String::new()),
        ]) {
            self = self.with(flag, key, &value);
        }
        self
    }

    /// Looks at this cluster and these services, and at no other: what the user's own configuration names belongs to another world.
    fn with_fleet(
        mut self,
        flag: &str,
        cluster: Option<Cluster>,
        prometheus: Option<Service>,
        alertmanager: Option<Service>,
    ) -> Self {
        let kubeconfig = cluster.map(|cluster| cluster.kubeconfig).unwrap_or_default();
        let url = |service: Option<Service>| service.map(|service| service.url).unwrap_or_default();
        for (key, value) in [
            ("kubernetes.kubeconfig", kubeconfig),
            ("kubernetes.in_cluster", "false".to_owned()),
            ("kubernetes.context", String::new()),
            ("prometheus.url", url(prometheus)),
            ("alertmanager.url", url(alertmanager)),
        ] {
            self = self.with(flag, key, &value);
        }
        // Tokens of the user's own are for the user's own servers.
        for key in
            ["prometheus.token_env", "prometheus.token_file", "alertmanager.token_env", "alertmanager.token_file"]
        {
            self = self.with(flag, key, "");
        }
        self
    }

    /// Points at a server that `flag` told of.
    fn at(mut self, flag: &str, url: &str, project: &str, token: Option<String>) -> Self {
        self = self.with(flag, "gitlab.url", url).with(flag, "gitlab.project", project);
        if token.is_some() {
            self = self.with_secret(flag, "gitlab.token_env", TOKEN, token);
        }
        self
    }

    /// Looks for binary caches in these buckets, and nowhere else.
    fn with_buckets(mut self, flag: &str, buckets: Option<Buckets>) -> Self {
        let mirrors: Vec<String> =
            buckets.iter().flat_map(|s3| &s3.names).map(|bucket| format!("s3://{bucket}")).collect();
        self = self.with(flag, "cache.mirrors", &mirrors.join(","));
        self.buckets = buckets;
        self
    }

    /// How far a mirror's clock may be from ours. A practice world has a time of its own, which says nothing about our clock.
    pub(super) fn max_skew(&self) -> Duration {
        if self.buckets.as_ref().is_some_and(|s3| s3.sparse) { Duration::MAX } else { MAX_SKEW }
    }
}
