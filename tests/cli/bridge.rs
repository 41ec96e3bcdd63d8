//! The bridge as scripts call it, over the practice world.

use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::PermissionsExt as _;
use std::process::Stdio;
use std::time::{Duration, Instant};

use stackhand::adapters::clock::{Clock, SystemClock};
use stackhand::adapters::store::Store;
use stackhand::sandbox::{HookTarget, Options, Running, Sandbox};

use crate::daemon::Daemon;
use crate::stage::{Stage, send_signal};

fn night(prs: usize) -> (Running, Stage) {
    night_with(Options { prs, ..Options::default() })
}

fn night_with(options: Options) -> (Running, Stage) {
    let options = Options { speed: 0.0, jobs: 200, ..options };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let running = runtime.block_on(Sandbox::start(options)).unwrap();
    let stage = Stage::facing(&running);
    (running, stage)
}

#[test]
fn a_dry_pass_changes_nothing_a_pass_does_and_a_replay_agrees() {
    let (running, stage) = night(24);
    let record = stage.path("pass.json");
    let dry = stage.run(&["bridge", "--once", "--dry-run", "--json", "--record", &record]);
    let planned = dry.document("stackhand.bridge/1");
    assert_eq!((&planned["prs"], planned["pushed"].as_array().unwrap().len()), (&serde_json::json!(24), 0));
    assert_eq!(planned["would_push"].as_array().unwrap().len(), 10);
    assert_eq!(
        running.hub(|hub| hub
            .pulls()
            .values()
            .filter(|pull| !hub.statuses_of(&pull.head.id.to_string()).is_empty())
            .count()),
        0
    );
    let replayed = stage.run(&["bridge", "replay", &record]);
    assert_eq!(
        (replayed.code, replayed.out.contains("decided the same")),
        (0, true),
        "{}{}",
        replayed.out,
        replayed.err
    );
    assert_eq!(std::fs::metadata(&record).unwrap().permissions().mode() & 0o777, 0o600);
    stage.run(&["bridge", "--once", "--dry-run", "--record", &record]).failed(1, "a file that does not exist yet");
    assert_eq!(stage.run(&["bridge", "replay", &record]).code, 0, "it is as it was");
    let nowhere = stage.folder.join("no/such/folder.json");
    stage.run(&["bridge", "--once", "--record", nowhere.to_str().unwrap()]).failed(1, "a file that does not exist yet");
    stage.run(&["bridge", "replay", "/dev/zero"]).failed(1, "bytes, and no more than");
    stage.write("pass.json", "{\"schema\": \"something else\"}");
    stage.run(&["bridge", "replay", &record]).failed(1, "only `stackhand.bridge-pass/1` can be read");

    let done = stage.run(&["bridge", "--once", "--json"]).document("stackhand.bridge/1");
    assert_eq!(done["pushed"], planned["would_push"]);
    for decision in done["decisions"].as_array().unwrap() {
        assert!(
            decision["pr"].is_u64() && decision["verdict"].is_string() && decision["reason"].is_string(),
            "{decision}"
        );
    }
    for key in ["github", "gitlab", "git"] {
        assert!(done["requests"][key].as_u64().is_some_and(|count| count > 0), "{done}");
    }
    assert!(done["statuses"]["posted"].as_u64().unwrap() > 5 && done["seconds"].is_f64(), "{done}");
    let again = stage.run(&["bridge", "--once", "--json"]).document("stackhand.bridge/1");
    assert_eq!(again["pushed"], serde_json::json!([]));
    // What the console shows is what passes that act have written down.
    let board = stage.run(&["bridge", "prs", "--json"]).document("stackhand.bridge-prs/1");
    let rows = board["prs"].as_array().unwrap();
    assert!(rows.len() == 24 && rows.iter().all(|row| row["title"].as_str().is_some_and(|title| !title.is_empty())));
    assert_eq!(rows.iter().filter(|row| row["pushed"].is_object()).count(), 10, "{board}");
    let told = stage.run(&["bridge", "prs"]);
    assert!(told.code == 0 && told.out.lines().count() == 25, "{}{}", told.out, told.err);
    Stage::bare().run(&["bridge", "prs"]).failed(1, "no bridge has written anything down here");

    let number = done["decisions"].as_array().unwrap().iter().find(|one| one["reason"] == "first_push").unwrap()["pr"]
        .to_string();
    let why = stage.run(&["why", "pr", &number, "--json"]).document("stackhand.why-pr/1");
    let words: Vec<&str> =
        why["decisions"].as_array().unwrap().iter().map(|one| one["reason"].as_str().unwrap()).collect();
    assert_eq!(words, ["already_pushed", "first_push"]);
    assert_eq!(why["pushes"].as_array().unwrap().len(), 1);
    let told = stage.run(&["why", "pr", &number]);
    assert!(
        told.code == 0 && told.out.contains("GitLab has this head") && told.out.contains("merged into"),
        "{}",
        told.out
    );
    stage.run(&["why", "pr", "1"]).failed(1, "no bridge has decided about pull request 1");
    stage.run(&["--readonly", "bridge", "--once"]).failed(3, "--dry-run shows what would be");
    Stage::bare().run(&["bridge", "--once", "--gitlab", "http://127.0.0.1:9"]).failed(3, "read-only");
}

/// In the daemon, read-only it looks and changes nothing; then it works, and says how it fares.
#[test]
fn the_daemon_bridges() {
    let (running, stage) = night(24);
    let statuses = || {
        running
            .hub(|hub| hub.pulls().values().map(|one| hub.statuses_of(&one.head.id.to_string()).len()).sum::<usize>())
    };
    let before = statuses();
    let looked = stage.run(&["--readonly", "daemon", "--once", "--loops", "bridge", "--json"]);
    let one = &looked.document("stackhand.daemon/1")["loops"][0];
    assert!(one["summary"].as_str().unwrap().contains("10 would be pushed"), "{one}");
    assert_eq!(statuses(), before);
    let done = stage.run(&["daemon", "--once", "--loops", "bridge", "--json"]).document("stackhand.daemon/1");
    let one = &done["loops"][0];
    assert_eq!(done["loops"].as_array().unwrap().len(), 1, "{done}");
    assert!(one["name"] == "bridge" && one["summary"].as_str().unwrap().contains("10 pushed"), "{done}");
    assert!(statuses() > before);
    Stage::bare().run(&["daemon", "--once", "--loops", "bridge"]).failed(6, "github.repository");

    // The companions say what they would do, and do what they are let.
    let writes = running.writes().len();
    let dry = stage.run(&["daemon", "--once", "--loops", "companions", "--json"]).document("stackhand.daemon/1");
    let told = dry["loops"][0]["summary"].as_str().unwrap();
    assert!(
        ["skipped: ", "triggers: ", "stuck: "].iter().all(|duty| told.contains(duty)) && told.contains("(dry)"),
        "{dry}"
    );
    assert_eq!(running.writes().len(), writes);
    let stage = stage.with("STACKHAND_BRIDGE_COMPANIONS", "skipped,triggers");
    let done = stage.run(&["daemon", "--once", "--loops", "companions", "--json"]).document("stackhand.daemon/1");
    assert_eq!(done["loops"][0]["summary"].as_str().unwrap().matches("(dry)").count(), 1, "{done}");
    let stage = stage.with("STACKHAND_BRIDGE_COMPANIONS", "skiped");
    stage.run(&["daemon", "--once", "--loops", "companions"]).failed(6, "there is no `skiped`; there are skipped");
}

/// Webhooks of both forges reach the daemon's door, and begin a pass long before the next is due by itself.
#[test]
fn a_webhook_wakes_the_bridge_of_a_daemon() {
    let hooks = |address: &str| Some(HookTarget::below(&format!("http://{address}/hooks")));
    let (running, stage) = night_with(Options { prs: 4, hooks: hooks("127.0.0.1:9"), ..Options::default() });
    let stage = stage.with("STACKHAND_BRIDGE_EVERY", "1h");
    let mut daemon = Daemon::start(&stage, &["--loops", "bridge"]);
    let first = daemon.until("ticked");
    assert_eq!(first["loop"], "bridge");
    running.aim_hooks(hooks(&daemon.address));
    running.hub(|hub| hub.open_ready("late-at-night")).unwrap();
    while !daemon.until("ticked")["summary"].as_str().unwrap().contains(" 1 pushed") {}
    // What is served was put together a moment ago.
    let end = Instant::now() + Duration::from_secs(20);
    let metrics = loop {
        let (_, _, metrics) = daemon.get("/metrics");
        if metrics.contains("item=\"pushed\"} 3") || Instant::now() > end {
            break metrics;
        }
        std::thread::sleep(Duration::from_millis(100));
    };
    assert!(metrics.contains("stackhand_webhooks_total{forge=\"github\",outcome=\"taken\"}"), "{metrics}");
    for sample in [
        "stackhand_loop_rounds_total{loop=\"bridge\",outcome=\"ok\"}",
        "stackhand_loop_items_total{loop=\"bridge\",item=\"pushed\"} 3",
        // Not the one that was pushed: the hook of its pipeline may have begun the pass after by now.
        "stackhand_bridge_pull_requests{verdict=\"wait\",reason=\"draft\"} 1",
        "stackhand_bridge_oldest_unsynced_seconds 0",
        "stackhand_source_rate_limit_remaining{source=\"github\"}",
    ] {
        assert!(metrics.contains(sample), "{sample}: {metrics}");
    }
    assert_eq!(daemon.get("/hooks/github").0, 405);
    let (code, told) = daemon.end("TERM");
    assert!(code == Some(0) && !told.contains("practice-webhook-secret"), "{told}");
    // A door that nobody can reach is refused.
    stage.run(&["daemon", "--listen", "none", "--loops", "bridge"]).failed(6, "`daemon.listen` opens no door");
}

/// Every row of the audit.
fn audit_of(stage: &Stage) -> Vec<String> {
    let mut folders = vec![stage.folder.clone()];
    while let Some(folder) = folders.pop() {
        for path in std::fs::read_dir(folder).unwrap().flatten().map(|entry| entry.path()) {
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "db") {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
                let rows = runtime.block_on(async {
                    let store = Store::open(&path, SystemClock.now()).await.unwrap();
                    store.list(100, None).await.unwrap()
                });
                return rows.into_iter().map(|(_, row)| format!("{row:?}").to_lowercase()).collect();
            }
        }
    }
    Vec::new()
}

/// A person has the bridge take up a pull request anew, by the one road of actions.
#[test]
fn a_resync_is_a_plan_that_is_sent_and_audited() {
    let (running, stage) = night(24);
    let number =
        running.hub(|hub| hub.pulls().values().find(|pull| &*pull.head_ref == "kokkos-static").unwrap().number);
    let number = number.to_string();
    stage.run(&["bridge", "resync", &number]).failed(1, "no bridge has written anything down");
    assert_eq!(stage.run(&["bridge", "--once"]).code, 0);
    let told = stage.run(&["bridge", "resync", &number]);
    assert!(
        told.out.contains("resync 1 pull request")
            && told.err.contains("nothing was sent")
            && !told.out.contains("no bridge was heard of"),
        "{}{}",
        told.out,
        told.err
    );
    let plan = stage.run(&["bridge", "resync", &number, "--plan"]).document("stackhand.plan/1");
    assert_eq!(
        plan["targets"][0]["object"],
        serde_json::json!({"kind": "pull_request", "id": number.parse::<u64>().unwrap()})
    );
    stage.write("plan.json", &plan.to_string());
    stage.run(&["retry", "--apply", &stage.path("plan.json")]).failed(2, "this plan is for `stackhand bridge resync`");
    let done = stage.run(&["bridge", "resync", "--apply", &stage.path("plan.json"), "--json"]);
    assert_eq!((done.code, &done.json()["tally"]["done"]), (0, &serde_json::json!(1)), "{}{}", done.out, done.err);
    // The next pass forgets what it was asked for, whether there was anything to push or not.
    assert_eq!(stage.run(&["bridge", "--once"]).code, 0);
    let rows = audit_of(&stage);
    assert!(rows.iter().any(|row| row.contains("bridge.resync") && row.contains("done")), "{rows:?}");
    stage.run(&["bridge", "resync", "1", "--yes"]).failed(3, "no target is left");
    stage.run(&["--readonly", "bridge", "resync", &number, "--yes"]).failed(3, "read-only");
    stage.run(&["bridge", "resync", "x"]).failed(2, "write the number of a pull request");
    // Whoever asks for something is told when nobody is there who would do it.
    // More than the resolution of a server's clock.
    running.let_pass(Duration::from_hours(3) + Duration::from_secs(30));
    let told = stage.run(&["bridge", "resync", &number]).out;
    assert!(told.contains("no bridge was heard of for 3h00: until one runs, nothing comes of this"), "{told}");
}

/// One bridges. Whoever only looks needs no lead, but a folder of its own.
#[test]
fn whoever_bridges_by_hand_does_not_bridge_beside_a_daemon() {
    let (running, stage) = night(4);
    let mut daemon = Daemon::start(&stage, &["--loops", "bridge"]);
    daemon.until("ticked");
    running.hub(|hub| hub.open_ready("late-at-night")).unwrap();
    stage.run(&["bridge", "--once"]).failed(3, "another daemon leads: pid ");
    let dry = ["bridge", "--once", "--dry-run", "--json"];
    let looked = stage.run(&dry);
    assert_eq!(looked.code, 0, "{}{}", looked.out, looked.err);
    assert_eq!(daemon.end("TERM").0, Some(0));
    // Whoever looks for long holds up nobody either.
    let mut watcher = stage.command(&["bridge", "--dry-run", "--json"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(watcher.stdout.as_mut().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("would_push"), "{line}");
    let done = stage.run(&["bridge", "--once"]);
    watcher.kill().unwrap();
    watcher.wait().unwrap();
    assert_eq!(done.code, 0, "{}{}", done.out, done.err);
}

/// E34: the process is killed again and again, wherever it may be, and the next one goes on.
#[test]
fn a_bridge_that_is_killed_goes_on_where_it_was_and_does_nothing_twice() {
    let (running, stage) = night(40);
    let mut seen = 0;
    for round in 0..8_u64 {
        let mut child = stage.command(&["bridge"]).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(300 + 170 * round));
        let secret = ["ghp_practice-world", "glpat-practice-world"];
        for process in std::fs::read_dir("/proc").unwrap().flatten() {
            let argv = std::fs::read(process.path().join("cmdline")).unwrap_or_default();
            let argv = String::from_utf8_lossy(&argv).into_owned();
            if argv.contains("git") {
                seen += 1;
                assert!(!secret.iter().any(|secret| argv.contains(secret)), "a secret in {argv}");
            }
        }
        send_signal(child.id(), "KILL");
        child.wait().unwrap();
    }
    assert!(seen > 0);
    loop {
        let last = stage.run(&["bridge", "--once", "--json"]).document("stackhand.bridge/1");
        assert_eq!(last["troubles"], serde_json::json!([]));
        if last["pushed"].as_array().unwrap().is_empty() && last["statuses"]["posted"] == 0 {
            break;
        }
    }
    running.hub(|hub| {
        for pull in hub.pulls().values() {
            let shown: Vec<_> = hub
                .statuses_of(&pull.head.id.to_string())
                .iter()
                .map(|one| (one.state.clone(), one.description.clone()))
                .collect();
            assert!(shown.windows(2).all(|pair| pair[0] != pair[1]), "{}: {shown:?}", pull.head_ref);
        }
    });
    // What was remembered holds no secret either.
    let folder = std::path::Path::new(&stage.path("endpoints.json")).parent().unwrap().to_owned();
    let mut folders = vec![folder];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "endpoints.json") {
                let bytes = std::fs::read(&path).unwrap_or_default();
                assert!(!bytes.windows(18).any(|part| part == b"ghp_practice-world"), "{}", path.display());
            }
        }
    }
}

#[test]
fn companions_change_nothing_unless_they_are_told_to() {
    let (running, stage) = night(24);
    let lines = |ended: &crate::stage::Ended| -> Vec<serde_json::Value> {
        ended.out.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    };
    let dry = stage.run(&["bridge", "companions", "--once", "--json"]);
    let reports = lines(&dry);
    let duties: Vec<&str> = reports.iter().map(|one| one["duty"].as_str().unwrap()).collect();
    assert_eq!((dry.code, duties), (0, vec!["skipped", "triggers", "stuck"]), "{}", dry.err);
    for report in &reports {
        assert_eq!((&report["version"], &report["dry_run"]), (&"stackhand.companions/1".into(), &true.into()));
        assert!(report["requests"]["gitlab"].as_u64().unwrap() > 0 && report["troubles"] == serde_json::json!([]));
    }
    assert!(running.writes().is_empty());
    let stage = stage.with("STACKHAND_BRIDGE_STUCK_AFTER", "1h");
    let told = stage.run(&["bridge", "companions", "--once", "--only", "stuck", "--dry-run"]);
    assert!(told.out.contains("develop  restart  it has been running for") && told.out.contains("nothing was changed"));
    assert!(running.writes().is_empty());
    let done = lines(&stage.run(&["bridge", "companions", "--once", "--only", "stuck", "--apply", "--json"]));
    assert!(!running.writes().is_empty() && done[0]["dry_run"] == false, "{done:?}");
    stage.run(&["bridge", "companions", "--once", "--dry-run", "--apply"]).failed(2, "cannot be used with");
    stage.run(&["--readonly", "bridge", "companions", "--once", "--apply"]).failed(3, "without --apply");
    let bare = Stage::bare();
    bare.run(&["bridge", "companions", "--once"]).failed(6, "github.repository");
}

#[test]
fn a_stale_plan_is_a_file_that_is_never_written_over_and_applied_as_it_is() {
    let (running, stage) = night(24);
    let path = stage.path("old.json");
    let plan = stage.run(&["bridge", "stale", "--plan", &path, "--json"]).document("stackhand.stale-plan/1");
    assert!(plan["branches"].is_array() && plan["days"] == 100 && plan["id"].as_str().unwrap().len() == 12, "{plan}");
    stage.run(&["bridge", "stale", "--plan", &path]).failed(1, "does not exist yet");
    stage.run(&["bridge", "stale"]).failed(2, "--plan");
    assert!(running.writes().is_empty());
    let applied = stage.run(&["bridge", "stale", "--apply", &path, "--json"]).document("stackhand.companions/1");
    assert_eq!(
        (&applied["duty"], running.writes().len()),
        (&"stale".into(), plan["branches"].as_array().unwrap().len())
    );
    let text = std::fs::read_to_string(&path).unwrap();
    stage.write("edited.json", &text.replace("\"keep_open\": true", "\"keep_open\": false"));
    stage.run(&["bridge", "stale", "--apply", &stage.path("edited.json")]).failed(1, "was changed after it was made");
    stage.run(&["bridge", "stale", "--apply", &stage.path("none.json")]).failed(1, "cannot apply");
    stage.run(&["--readonly", "bridge", "stale", "--apply", &path]).failed(3, "nothing can be deleted");
}
