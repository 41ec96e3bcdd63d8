//! The bridge between the practice GitHub and the practice GitLab, over real sockets and real git.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

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

/// E5, E6, E9, E10, E12, E13, E16, E40 of the reference, and what makes a second pass cheap.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_pull_request_has_its_reason_and_nothing_happens_twice() {
    let night = Night::begin("first", still()).await;
    let first = night.pass().await;
    let by_name: BTreeMap<String, &str> = reasons(&first)
        .into_iter()
        .map(|(number, reason)| (night.running.hub(|hub| hub.pull(number).unwrap().head_ref.to_string()), reason))
        .collect();
    for (head_ref, reason) in [
        ("kokkos-static", "first_push"),
        ("add-py-numpy-9.8.2", "already_pushed"),
        ("fix-heffte-build", "new_head"),
        ("add-hypre-1.1.5", "draft"),
        ("fix-gsl-build", "check"),
        ("add-py-numpy-2.3.7", "base_too_new"),
        ("fix-amrex-build", "conflict"),
        ("gsl-languages", "unrelated"),
        ("🚀-x", "first_push"),
        ("amrex-languages", "github_conflict"),
        ("feature/a/b", "first_push"),
        ("sqlite-static", "out_of_sync"),
        ("föö", "first_push"),
        ("-f", "first_push"),
        ("--upload-pack=x", "first_push"),
        ("$(id)", "first_push"),
        ("a+b", "first_push"),
        ("a&b;rm%2F修正", "first_push"),
    ] {
        assert_eq!(by_name[head_ref], reason, "{head_ref}");
    }
    assert_eq!((first.pushed.len(), first.troubles.len()), (10, 0), "{:?}", first.troubles);
    let known = night.bridge().pass(true, &|| false).await.unwrap().input.gitlab_protected;
    assert!(known.iter().any(|name| &**name == "releases/v1.0"), "GitLab is asked what it protects: {known:?}");
    night.assert_one_pipeline_each(&first.pushed).await;
    let conflict = night.head(night.number("fix-amrex-build"));
    assert_eq!(night.shown(&conflict), [("error".to_owned(), "PR could not be merged with develop".to_owned())]);
    let second = night.pass().await;
    assert!(second.pushed.is_empty() && second.statuses.posted > 0, "pipelines that began are told");
    let third = night.pass().await;
    assert_eq!((third.pushed.len(), third.statuses.posted), (0, 0));
    assert!(third.requests.github <= 12 && third.requests.gitlab <= 5, "{:?}", third.requests);
    night.assert_no_echo();
}

/// E1, E3, E27, E29, E30, E39: what people do next is seen in the next pass.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_people_do_is_seen_in_the_next_pass() {
    let night = Night::begin("people", still()).await;
    night.pass().await;
    let (pushed, closed, draft, late, moved) = (
        night.number("kokkos-static"),
        night.number("föö"),
        night.number("add-hypre-1.1.5"),
        night.number("add-py-numpy-2.3.7"),
        night.number("a+b"),
    );
    let before = night.head(pushed);
    night.act(pushed, Act::ForcePush);
    night.act(pushed, Act::Check { name: "all-prechecks".into(), conclusion: "success" });
    night.act(closed, Act::Push);
    night.act(closed, Act::Close);
    night.act(draft, Act::Ready);
    night.act(draft, Act::Check { name: "all-prechecks".into(), conclusion: "success" });
    night.act(late, Act::Label("pipelines:urgent".into()));
    night.act(moved, Act::Retarget("releases/v1.0".into()));
    let next = night.pass().await;
    let reasons = reasons(&next);
    assert_ne!(night.head(pushed), before);
    assert_eq!((reasons[&pushed], reasons.get(&closed)), ("new_head", None));
    assert_eq!(reasons[&draft], "first_push");
    assert!(["first_push", "mergeability_unknown"].contains(&reasons[&late]), "{}", reasons[&late]);
    assert!(["retargeted", "mergeability_unknown"].contains(&reasons[&moved]), "{}", reasons[&moved]);
    night.assert_one_pipeline_each(&next.pushed).await;
    night.pass().await;
    night.pass().await;
    night.assert_no_echo();
    let shown = night.shown(&night.head(draft));
    assert!(shown.last().is_some_and(|(state, _)| state == "pending"), "{shown:?}");
}

/// What is new besides pull requests has to be brought before it can be pushed, and what was moved or cannot be had holds up nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn new_branches_and_tags_are_copied() {
    let night = Night::begin("refs", still()).await;
    night.pass().await;
    night.running.hub(|hub| {
        hub.branch("releases/v1.1", "releases/v1.0").unwrap();
        hub.branch("aside", "releases/v1.1").unwrap();
        hub.tag("v1.0.9", "aside").unwrap();
        hub.unprotect("aside");
    });
    let next = night.pass().await;
    assert!(next.troubles.is_empty(), "{:?}", next.troubles);
    assert_eq!(next.pushed, ["releases/v1.1", "refs/tags/v1.0.9"]);
    let again = night.pass().await;
    assert!(again.pushed.is_empty() && again.troubles.is_empty(), "{again:?}");
    // E32: it names something else now; nobody allowed to force it.
    night.running.hub(|hub| hub.tag("v1.0.9", "develop")).unwrap();
    let moved = night.pass().await;
    let one = moved.refs.iter().find(|one| &*one.subject == "refs/tags/v1.0.9").unwrap();
    assert_eq!((moved.pushed.len(), &*one.verdict), (0, "refuse"), "{moved:?}");
}

/// Old runs of a check are listed beside the new ones, and a head may have more runs than a list holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_newest_run_of_a_check_decides_however_many_there_are() {
    let night = Night::begin_with("checks", still(), |outside| {
        outside.rules.prerequisites = vec!["all-prechecks".into()];
    })
    .await;
    let (mended, broken) = (night.number("kokkos-static"), night.number("fix-amrex-build"));
    night.running.hub(|hub| {
        for (number, words) in [(mended, ["failure", "success"]), (broken, ["success", "failure"])] {
            for word in words {
                hub.run_again(number, "all-prechecks", word).unwrap();
            }
        }
        // More than GitHub lists at once: the newest run is not among them.
        for extra in 0..120 {
            hub.run_again(broken, &format!("extra {extra}"), "success").unwrap();
        }
        hub.run_again(broken, "all-prechecks", "success").unwrap();
        hub.run_again(broken, "all-prechecks", "failure").unwrap();
    });
    let report = night.pass().await;
    let reasons = reasons(&report);
    assert_eq!((reasons[&mended], reasons[&broken]), ("first_push", "check"), "{:?}", report.troubles);
    night.running.hub(|hub| hub.run_again(broken, "all-prechecks", "success")).unwrap();
    // What is in its way next.
    assert_eq!(self::reasons(&night.pass().await)[&broken], "conflict");
}

/// Whoever comes with an empty store finds what is on GitLab and GitHub, and repeats nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_E15_a_store_that_is_lost_repeats_nothing() {
    let mut night = Night::begin("lost", still()).await;
    night.pass().await;
    // Pipelines end, and GitHub is told; nobody else does anything.
    night.running.hub(Hub::pause);
    night.running.let_pass(Duration::from_hours(3));
    while night.pass().await.statuses.posted > 0 {}
    let open = night.running.hub(|hub| hub.pulls().values().find(|pull| pull.is_open()).map(|pull| pull.number));
    night.act(open.unwrap(), Act::Close);
    night.pass().await;
    night.bridge = None;
    for file in std::fs::read_dir(&night.folder).unwrap().flatten().map(|file| file.path()) {
        if file.is_file() {
            std::fs::remove_file(file).unwrap();
        }
    }
    night.open().await;
    for _ in 0..3 {
        let report = night.pass().await;
        assert!(report.troubles.is_empty(), "{:?}", report.troubles);
    }
    night.assert_no_echo();
}

/// What a power cut has spoiled is not always seen at a look: whatever meets it has everything made again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_repository_that_turns_out_to_be_damaged_is_made_again() {
    let mut night = Night::begin("damaged", still()).await;
    night.pass().await;
    night.running.hub(|hub| hub.open_ready("late-at-night")).unwrap();
    // Every object is there, and empty.
    let mut folders = vec![night.repository.join("repository.git/objects")];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            match path.extension().and_then(|end| end.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("pack" | "rev" | "idx") => std::fs::remove_file(path).unwrap(),
                _ => {
                    let mut rights = std::fs::metadata(&path).unwrap().permissions();
                    std::os::unix::fs::PermissionsExt::set_mode(&mut rights, 0o600);
                    std::fs::set_permissions(&path, rights).unwrap();
                    std::fs::write(&path, "").unwrap();
                }
            }
        }
    }
    let met = night.pass().await;
    assert!(night.bridge().is_damaged(), "{met:?}");
    night.open().await;
    let mended = night.pass().await;
    assert!(mended.troubles.is_empty() && !night.bridge().is_damaged(), "{mended:?}");
    assert!(mended.pushed.iter().any(|name| name.ends_with("_late-at-night")), "{mended:?}");
}

/// The repository keeps what is open; what was closed goes once a day.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn closed_pull_requests_leave_the_repository() {
    let night = Night::begin("tidy", still()).await;
    night.pass().await;
    let number = night.number("kokkos-static");
    let name = format!("refs/pull/{number}/head");
    let heads = || {
        let repository = night.repository.join("repository.git");
        let said = Command::new("git").arg("-C").arg(repository).args(["for-each-ref", "--format=%(refname)"]).output();
        String::from_utf8(said.unwrap().stdout).unwrap()
    };
    let kept = heads();
    assert!(kept.contains(&name) && kept.contains("refs/remotes/develop"), "{kept}");
    night.act(number, Act::Close);
    night.pass().await;
    assert_eq!(heads(), kept, "not with every pass");
    let store = Store::open(&night.folder.join("store.db"), SystemClock.now()).await.unwrap();
    store.put_meta(&format!("bridge.tidied {}", night.running.project), "0").await.unwrap();
    let done = night.pass().await;
    assert!(done.troubles.is_empty() && heads() == kept.replace(&format!("{name}\n"), ""), "{}", heads());
}

/// E22, E26: each side goes away in turn; nothing flips, and everything is made good afterwards.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_side_that_goes_away_flips_nothing_and_is_made_good() {
    let night = Night::begin("weather", still()).await;
    night.running.fault(Fault::new(FaultKind::BadGateway));
    let without_gitlab = night.pass().await;
    assert!(!without_gitlab.troubles.is_empty() && without_gitlab.pushed.is_empty());
    assert!(reasons(&without_gitlab).values().all(|reason| !reason.contains("push")), "{:?}", reasons(&without_gitlab));
    night.running.heal();
    night.running.github_fault(Fault::new(FaultKind::ServerError));
    let without_github = night.pass().await;
    assert_eq!((without_github.prs, without_github.pushed.len(), without_github.statuses.posted), (None, 0, 0));
    night.running.heal();
    let whole = night.pass().await;
    assert_eq!((whole.pushed.len(), whole.troubles.len()), (10, 0), "{:?}", whole.troubles);
    night.assert_one_pipeline_each(&whole.pushed).await;
    night.pass().await;
    night.assert_no_echo();
}

/// In the daemon: a round that does not see the pull requests is a failed one, and the next goes on.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_round_that_sees_no_pull_requests_is_not_called_well() {
    let mut night = Night::begin("rounds", still()).await;
    let bridge = std::sync::Mutex::new(night.bridge.take());
    let open = move || -> BoxFuture<'static, Result<Bridge, stackhand::console::fault::Fault>> {
        let bridge = bridge.lock().unwrap().take().expect("it is opened once");
        Box::pin(async { Ok(bridge) })
    };
    let mut rounds = Rounds::new(Box::new(open), Duration::from_secs(60), false, None);
    let (_switch, stop) = stop_sign();
    let cx = TickContext { dry_run: false, stop, now: SystemClock.now() };
    night.running.github_fault(Fault::new(FaultKind::ServerError));
    let fault = rounds.tick(&cx).await.unwrap_err();
    assert!(fault.what.contains("pull requests"), "{fault}");
    night.running.heal();
    let ticked = rounds.tick(&cx).await.unwrap();
    assert!(ticked.summary.contains("10 pushed") && ticked.counts.contains(&("pushed", 10)), "{ticked:?}");
    night.running.fault(Fault::new(FaultKind::BadGateway));
    assert!(rounds.tick(&cx).await.is_err(), "nor is one that does not see GitLab");
    night.running.heal();
    night.running.github_fault(Fault::new(FaultKind::TooManyRequests(600)).times(1));
    assert!(rounds.tick(&cx).await.is_ok(), "E21: where GitHub asks to be left alone, the rest goes on");
}

/// A main branch that GitHub does not have is a slip of a finger: nothing is pushed as if there were none.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_main_branch_that_is_not_there_holds_everything_up_and_says_so() {
    let main = |outside: &mut Outside| outside.rules.main = BranchName::parse("devlop").ok();
    let night = Night::begin_with("main", still(), main).await;
    let report = night.bridge().pass(true, &|| false).await.unwrap().report;
    assert!(report.troubles.iter().any(|line| line.contains("GitHub has no branch devlop")), "{:?}", report.troubles);
    assert_eq!(report.would_push, Some(Vec::new()));
}

/// What one machine decided and did not push, another one pushes from a repository of its own, in which the merges are not.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_another_machine_decided_is_pushed_from_here() {
    let mut night = Night::begin("machines", still()).await;
    let cut = night.bridge().pass(false, &|| true).await.unwrap();
    let decided = cut.output.prs.iter().filter(|one| one.update.is_some()).count();
    assert!(decided > 3 && cut.report.pushed.is_empty(), "{:?}", cut.report);
    night.repository = night.folder.join("another");
    night.open().await;
    let done = night.pass().await;
    assert!(done.troubles.is_empty() && done.pushed.len() >= decided, "{done:?}");
    // A dry look from elsewhere changes nothing for the one that acts.
    night.running.hub(|hub| hub.open_ready("late-at-night")).unwrap();
    night.repository = night.folder.join("third");
    night.open().await;
    night.bridge().pass(true, &|| false).await.unwrap();
    night.repository = night.folder.join("another");
    night.open().await;
    let done = night.pass().await;
    assert!(done.troubles.is_empty() && done.pushed.len() == 1, "{done:?}");
}

/// E34: a pass that ends in the middle is made again; what was done is found, what was sent is read before it is sent again.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_E34_a_pass_that_was_cut_off_is_made_good_and_nothing_is_done_twice() {
    let mut night = Night::begin("cut", still()).await;
    // It stops after each thing that it changes, and begins anew as another process.
    let mut pushed = Vec::new();
    for round in 0..60 {
        let asked = AtomicU32::new(0);
        let one_thing = || asked.fetch_add(1, Ordering::Relaxed) >= 1;
        let report = night.bridge().pass(false, &one_thing).await.unwrap().report;
        pushed.extend(report.pushed.clone());
        let is_done = report.pushed.is_empty() && report.statuses.posted == 0;
        if round % 3 == 0 {
            night.open().await;
        }
        if is_done && round > 3 {
            break;
        }
    }
    let distinct: std::collections::BTreeSet<&String> = pushed.iter().collect();
    assert_eq!((pushed.len(), distinct.len()), (10, 10));
    night.assert_one_pipeline_each(&pushed).await;
    night.assert_no_echo();
    // A status that was sent, and whose answer nobody heard.
    let sha = Sha::parse(&night.head(night.number("fix-amrex-build"))).unwrap();
    let count = night.shown(sha.as_str()).len();
    let store = Store::open(&night.folder.join("store.db"), SystemClock.now()).await.unwrap();
    let unheard = Posted { sha: sha.clone(), context: "ci/gitlab-ci".into(), status: None, refused: None };
    store.put_status(night.running.project, &unheard, true, SystemClock.now()).await.unwrap();
    let report = night.pass().await;
    assert_eq!((report.statuses.posted, night.shown(sha.as_str()).len()), (0, count));
}

/// Somebody mended what refused a push, and does not want to wait until the bridge tries again by itself.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_asked_for_is_pushed_at_once_whatever_held_it_up() {
    let night = Night::begin("resync", still()).await;
    let number = night.number("kokkos-static");
    let branch = format!("pr{number}_kokkos-static");
    night.running.refuse_pushes(&[&format!("refs/heads/{branch}")]).unwrap();
    assert_eq!(night.pass().await.troubles.len(), 1);
    night.running.refuse_pushes(&[]).unwrap();
    assert_eq!(reasons(&night.pass().await)[&number], "back_off");
    let store = Store::open(&night.folder.join("store.db"), SystemClock.now()).await.unwrap();
    let wish = |head: String| Resync {
        pr: PrNumber(number),
        head: Sha::parse(&head).unwrap(),
        who: "amy".into(),
        at: SystemClock.now(),
    };
    let asked = wish(night.head(number));
    store.put_resync(night.running.project, &asked).await.unwrap();
    tokio::time::timeout(Duration::from_secs(20), night.bridge().asked(&[])).await.expect("a bridge hears of it");
    let dry = night.bridge().pass(true, &|| false).await.unwrap();
    assert_eq!((reasons(&dry.report)[&number], dry.resyncs), ("first_push", vec![asked]));
    assert_eq!(night.pass().await.pushed, [branch]);
    assert_eq!(store.resyncs(night.running.project).await.unwrap(), [], "a wish is granted once");
    // GitLab has that very merge: there is nothing to push, and the wish is over all the same. So is one for a head of before.
    for head in [night.head(number), "a".repeat(40)] {
        store.put_resync(night.running.project, &wish(head)).await.unwrap();
        let report = night.pass().await;
        assert_eq!((reasons(&report)[&number], report.pushed.len()), ("already_pushed", 0));
        assert_eq!(store.resyncs(night.running.project).await.unwrap(), []);
    }
}

/// E36: 800 pull requests of which none changed.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn case_E36_an_idle_pass_over_hundreds_asks_little() {
    let night = Night::begin("many", Options { prs: 800, ..still() }).await;
    let mut passes = 0;
    let idle = loop {
        let report = night.pass().await;
        passes += 1;
        eprintln!("pass {passes}: {}, {:?}, {} s", report.summary(), report.requests, report.seconds);
        if report.pushed.is_empty() && report.statuses.posted == 0 {
            break report;
        }
        assert!(passes < 8, "it does not come to rest");
    };
    assert!(idle.prs >= Some(790), "{:?}", idle.prs);
    assert!(idle.requests.github <= 12 && idle.requests.gitlab <= 5, "{:?}", idle.requests);
}
