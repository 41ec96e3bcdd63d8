//! What is decided, pushed and told while everything works.

use super::*;

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

/// Whoever only looks may not be the one who leads: what it finds out is good for its pass alone.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_dry_pass_leaves_the_store_as_it_was() {
    let night = Night::begin("dry", still()).await;
    let path = night.folder.join("store.db");
    let store = Store::open(&path, SystemClock.now()).await.unwrap();
    let sha = Sha::parse(&night.head(night.number("fix-amrex-build"))).unwrap();
    let unheard = Posted { sha, context: "ci/gitlab-ci".into(), status: None, refused: None };
    store.put_status(night.running.project, &unheard, true, SystemClock.now()).await.unwrap();
    let mut watch = Watch::on(&path).await;
    let before = watch.version().await;
    let dry = night.bridge().pass(true, &|| false).await.unwrap().report;
    assert!(dry.troubles.is_empty() && dry.would_push.is_some_and(|names| !names.is_empty()));
    assert_eq!(watch.version().await, before);
    night.pass().await;
    assert_ne!(watch.version().await, before, "a pass that acts is seen");
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
