//! What fails, is lost or is killed is made good, and spoils nothing else.

use super::*;

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
    let closed = open.unwrap();
    night.act(closed, Act::Close);
    night.pass().await;
    let head = night.head(closed);
    night.bridge = None;
    for file in std::fs::read_dir(&night.folder).unwrap().flatten().map(|file| file.path()) {
        if file.is_file() {
            std::fs::remove_file(file).unwrap();
        }
    }
    night.open().await;
    // A commit of which GitHub does not tell what it shows holds up no other.
    night.running.github_fault(Fault::new(FaultKind::ServerError).on(&format!("commits/{head}/status")));
    let report = night.pass().await;
    assert!(report.troubles.len() == 1 && report.statuses.left == 0, "{report:?}");
    night.running.heal();
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
    let open = move |_| -> BoxFuture<'static, Result<Bridge, stackhand::console::fault::Fault>> {
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
    night.running.github_fault(Fault::new(FaultKind::TooManyRequests(600)).on("/graphql").times(1));
    let ticked = rounds.tick(&cx).await.unwrap();
    assert!(
        ticked.counts.contains(&("prs", 0)),
        "E21: where GitHub asks to be left alone, the rest goes on: {ticked:?}"
    );
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
