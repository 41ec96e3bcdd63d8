//! The bridge between the practice GitHub and the practice GitLab, over real sockets and real git.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

mod decisions;
mod trouble;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use futures_util::future::BoxFuture;
use secrecy::SecretString;
use serde_json::Value;
use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::git::mirror::{self, Credentials, Mirror, Remote};
use stackhand::adapters::github::{self, Access, GitHub};
use stackhand::adapters::gitlab::{self, GitLab};
use stackhand::adapters::store::Store;
use stackhand::bridge::{Posted, Resync, Rules};
use stackhand::controller::loops::bridge::{Bridge, Outside, PassReport, Rounds};
use stackhand::controller::supervisor::{Loop, TickContext, stop_sign};
use stackhand::forge::{BranchName, PrNumber, Sha};
use stackhand::sandbox::{Act, Fault, FaultKind, Hub, Options, Running, Sandbox};

use super::watch::Watch;

/// A practice world, and a bridge in it.
pub struct Night {
    pub running: Running,
    pub folder: PathBuf,
    /// The bridge's repository.
    pub repository: PathBuf,
    pub bridge: Option<Bridge>,
    tell: fn(&mut Outside),
}

impl Night {
    pub async fn begin(name: &str, options: Options) -> Self {
        Self::begin_with(name, options, |_| {}).await
    }

    /// With a bridge that is told something else.
    pub async fn begin_with(name: &str, options: Options, tell: fn(&mut Outside)) -> Self {
        let running = Sandbox::start(options).await.unwrap();
        let folder = std::env::temp_dir().join(format!("stackhand-bridge-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let repository = folder.join("git");
        let mut night = Self { running, folder, repository, bridge: None, tell };
        night.open().await;
        night
    }

    /// Opens the bridge, or opens it again as a new process would.
    pub async fn open(&mut self) {
        self.bridge = None;
        let running = &self.running;
        // Of another year than the world: only what servers say of the time counts.
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let now = |clock: &Arc<dyn Clock>| {
            let clock = Arc::clone(clock);
            Arc::new(move || clock.now())
        };
        let (owner, repository) = running.github.repo.split_once('/').unwrap();
        let access = Access::Token(SecretString::from(running.github.token.clone()));
        let github = GitHub::new(
            github::Settings {
                between_writes: Duration::ZERO,
                backoff: Duration::from_millis(5),
                ..github::Settings::new(&running.github.url, owner, repository, access, now(&clock))
            },
            7,
        );
        let token = SecretString::from(running.token.clone());
        let gitlab = GitLab::new(gitlab::Settings {
            token: Some(token.clone()),
            per_second: 10_000.0,
            backoff: Duration::from_millis(5),
            ..gitlab::Settings::new(running.url.clone(), running.project, now(&clock))
        });
        let remote = |url: &str, user: &str, token: SecretString| Remote {
            url: url.to_owned(),
            credentials: Credentials::Token { user: user.to_owned(), token },
        };
        let ends = [
            remote(&running.github.git_url, "x-access-token", SecretString::from(running.github.token.clone())),
            remote(&running.git_url(), "oauth2", token),
        ];
        let [from, to] = ends;
        let mirror = Mirror::open(mirror::Settings::new(self.repository.clone(), from, to)).await.unwrap();
        let mut outside = Outside {
            name: running.project.into(),
            github: github.unwrap(),
            gitlab: gitlab.unwrap(),
            mirror,
            store: Store::open(&self.folder.join("store.db"), clock.now()).await.unwrap(),
            rules: Rules::default(),
            protected: Vec::new(),
            pushes_by_key: false,
            telling: None,
            clock,
        };
        (self.tell)(&mut outside);
        self.bridge = Some(Bridge::new(outside));
    }

    pub async fn pass(&self) -> PassReport {
        self.bridge().pass(false, &|| false).await.unwrap().report
    }

    pub fn bridge(&self) -> &Bridge {
        self.bridge.as_ref().unwrap()
    }

    fn act(&self, number: u64, act: Act) {
        self.running.hub(|hub| hub.act(number, act)).unwrap();
    }

    /// The pull request that has this branch.
    pub fn number(&self, head_ref: &str) -> u64 {
        self.running.hub(|hub| hub.pulls().values().find(|pull| &*pull.head_ref == head_ref).unwrap().number)
    }

    pub fn head(&self, number: u64) -> String {
        self.running.hub(|hub| hub.pull(number).unwrap().head.id.to_string())
    }

    /// What GitHub shows of our context on a commit, the oldest first.
    fn shown(&self, sha: &str) -> Vec<(String, String)> {
        let words = |status: &stackhand::sandbox::HubStatus| {
            (status.state.to_string(), status.description.as_deref().unwrap_or_default().to_owned())
        };
        self.running.hub(|hub| hub.statuses_of(sha).iter().map(words).collect())
    }

    /// What is told to nobody twice in a row. A head that went elsewhere and got another pipeline is told of that one, maybe in the same words.
    pub fn assert_no_echo(&self) {
        self.running.hub(|hub| {
            for sha in hub.told() {
                let told = hub.statuses_of(&sha.to_string()).iter();
                let shown: Vec<_> = told.map(|one| (&one.state, &one.description, &one.target_url)).collect();
                assert!(shown.windows(2).all(|pair| pair[0] != pair[1]), "{sha}: {shown:?}");
            }
        });
    }

    /// An answer of GitLab's API.
    pub async fn gitlab(&self, path: &str) -> Value {
        let url = format!("{}/api/v4/projects/57/{path}", self.running.url);
        let reply = reqwest::Client::new().get(url).bearer_auth(&self.running.token).send().await.unwrap();
        serde_json::from_str(&reply.text().await.unwrap()).unwrap()
    }

    /// The commit of a branch on GitLab.
    pub async fn on_gitlab(&self, branch: &str) -> Option<String> {
        let name: String = url_encoded(branch);
        self.gitlab(&format!("repository/branches/{name}")).await["commit"]["id"].as_str().map(str::to_owned)
    }

    /// Heads of which GitHub does not show how they fare on GitLab.
    pub async fn owed(&self, report: &PassReport) -> Vec<String> {
        let mut owed = Vec::new();
        for one in report.decisions.iter().filter(|one| &*one.decided.verdict == "pushed") {
            let pull = self.running.hub(|hub| hub.pull(one.pr.0).unwrap().clone());
            let branch = format!("pr{}_{}", one.pr, pull.head_ref);
            let Some(commit) = self.on_gitlab(&branch).await else { continue };
            let pipelines = self.gitlab(&format!("pipelines?sha={commit}")).await;
            let status = pipelines[0]["status"].as_str().unwrap_or_default().to_owned();
            let wanted = match &*status {
                "success" => ("success", "Pipeline succeeded".to_owned()),
                "failed" => ("error", "Pipeline failed".to_owned()),
                "created" => ("pending", "Pipeline has been created".to_owned()),
                "canceled" => continue,
                other => ("pending", format!("Pipeline is {other}")),
            };
            let shown = self.shown(&pull.head.id.to_string());
            if shown.last().is_none_or(|(state, text)| (&**state, text) != (wanted.0, &wanted.1)) {
                owed.push(format!("{branch}: {status}, {shown:?}"));
            }
        }
        owed
    }

    /// No commit of a pull request got two pipelines, unless its branch was elsewhere in between: pointed at another base and back.
    pub async fn assert_no_twins(&self) {
        let mut seen: BTreeMap<String, BTreeMap<u64, String>> = BTreeMap::new();
        for page in 1.. {
            let pipelines = self.gitlab(&format!("pipelines?source=push&per_page=100&page={page}")).await;
            let all = pipelines.as_array().unwrap();
            for one in all.iter().filter(|one| one["ref"].as_str().unwrap().starts_with("pr")) {
                let (id, sha) = (one["id"].as_u64().unwrap(), one["sha"].to_string());
                seen.entry(one["ref"].to_string()).or_default().insert(id, sha);
            }
            if all.len() < 100 {
                break;
            }
        }
        assert!(!seen.is_empty());
        for (branch, pipelines) in seen {
            let shas: Vec<&String> = pipelines.values().collect();
            assert!(shas.windows(2).all(|pair| pair[0] != pair[1]), "{branch}: {pipelines:?}");
        }
    }

    /// Every branch of an open pull request on GitLab has exactly one pipeline for its commit.
    async fn assert_one_pipeline_each(&self, pushed: &[String]) {
        for branch in pushed.iter().filter(|name| name.starts_with("pr")) {
            let commit = self.on_gitlab(branch).await.unwrap_or_else(|| panic!("{branch} is not on GitLab"));
            let pipelines = self.gitlab(&format!("pipelines?sha={commit}")).await;
            assert_eq!(pipelines.as_array().unwrap().len(), 1, "{branch}: {pipelines}");
        }
    }
}

fn url_encoded(text: &str) -> String {
    text.bytes()
        .map(|byte| if byte.is_ascii_alphanumeric() { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

/// The reason of each pull request.
pub fn reasons(report: &PassReport) -> BTreeMap<u64, &str> {
    report.decisions.iter().map(|one| (one.pr.0, &*one.decided.reason)).collect()
}

impl Drop for Night {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn still() -> Options {
    Options { speed: 0.0, jobs: 200, ..Options::default() }
}
