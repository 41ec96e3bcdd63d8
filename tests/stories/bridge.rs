//! The bridge between the practice GitHub and the practice GitLab, over real sockets and real git.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::git::mirror::{self, Credentials, Mirror, Remote};
use stackhand::adapters::github::{self, Access, GitHub};
use stackhand::adapters::gitlab::{self, GitLab};
use stackhand::adapters::store::Store;
use stackhand::bridge::Rules;
use stackhand::ci::Timestamp;
use stackhand::controller::loops::bridge::{Bridge, Outside, PassReport};
use stackhand::sandbox::{Act, Options, Running, Sandbox};

/// A practice world, and a bridge in it.
struct Night {
    running: Running,
    folder: PathBuf,
    bridge: Option<Bridge>,
}

/// A clock that is as late as the world, which goes its own way.
struct WorldClock(i64);

impl Clock for WorldClock {
    fn now(&self) -> Timestamp {
        SystemClock.now().shifted(self.0)
    }
}

impl Night {
    async fn begin(name: &str, options: Options) -> Self {
        let running = Sandbox::start(options).await.unwrap();
        let folder = std::env::temp_dir().join(format!("stackhand-bridge-{}-{name}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir_all(&folder).unwrap();
        let mut night = Self { running, folder, bridge: None };
        night.open().await;
        night
    }

    /// Opens the bridge, or opens it again as a new process would.
    async fn open(&mut self) {
        self.bridge = None;
        let running = &self.running;
        let skew = running.hub(|hub| hub.now()).millis() - SystemClock.now().millis();
        let clock: Arc<dyn Clock> = Arc::new(WorldClock(skew));
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
            ..gitlab::Settings::new(running.url.clone(), running.project.clone(), now(&clock))
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
        let mirror = Mirror::open(mirror::Settings::new(self.folder.join("git"), from, to)).await.unwrap();
        self.bridge = Some(Bridge::new(Outside {
            name: "practice/spack".into(),
            github: github.unwrap(),
            gitlab: gitlab.unwrap(),
            mirror,
            store: Store::open(&self.folder.join("store.db"), clock.now()).await.unwrap(),
            rules: Rules::default(),
            protected: Vec::new(),
            clock,
        }));
    }

    async fn pass(&self) -> PassReport {
        self.bridge.as_ref().unwrap().pass(false, &|| false).await.unwrap().report
    }

    fn act(&self, number: u64, act: Act) {
        self.running.hub(|hub| hub.act(number, act)).unwrap();
    }

    /// The reason of each pull request, by the name of its branch.
    fn reasons(&self, report: &PassReport) -> BTreeMap<u64, String> {
        report.decisions.iter().map(|one| (one.pr.0, one.decided.reason.to_string())).collect()
    }
}

impl Drop for Night {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

fn still() -> Options {
    Options { speed: 0.0, jobs: 200, ..Options::default() }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pull_request_has_its_reason_and_nothing_happens_twice() {
    let night = Night::begin("first", still()).await;
    let first = night.pass().await;
    for one in &first.decisions {
        eprintln!(
            "{} {} {} {}",
            one.pr,
            night.running.hub(|hub| hub.pull(one.pr.0).unwrap().head_ref.to_string()),
            one.decided.verdict,
            one.decided.reason
        );
    }
    eprintln!("{:?} {:?} {:?} {:?} {}", first.pushed, first.statuses, first.requests, first.troubles, first.seconds);
    for _ in 0..3 {
        let second = night.pass().await;
        eprintln!(
            "{:?} {:?} {:?} {:?} {}",
            second.pushed, second.statuses, second.requests, second.troubles, second.seconds
        );
    }
}
