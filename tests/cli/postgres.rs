//! Daemons that share a real PostgreSQL, each as on a machine of its own: another state folder, another git repository.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use stackhand::sandbox::{Options, Running, Sandbox};

use crate::daemon::Daemon;
use crate::stage::{SHARED, Stage, send_signal};

#[path = "../servers/postgres.rs"]
mod server;

use server::Server;

fn world() -> Running {
    let options = Options { speed: 0.0, jobs: 200, prs: 40, ..Options::default() };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(Sandbox::start(options)).unwrap()
}

/// A machine on which the store is that server.
fn machine(running: &Running, server: &Server) -> Stage {
    Stage::facing(running)
        .with("STACKHAND_STORE_URL", &server.url())
        .with("STACKHAND_PIPELINES_LIMIT", "2")
        .with("STACKHAND_BRIDGE_EVERY", "5s")
}

fn posted(running: &Running) -> usize {
    running.hub(|hub| hub.pulls().values().map(|one| hub.statuses_of(&one.head.id.to_string()).len()).sum())
}

/// Branches of pull requests that were pushed to the GitLab since a pipeline, with their commits, as often as they were: each push starts one.
fn pushes(running: &Running, since: u64) -> Vec<(String, String)> {
    running.world(|world| {
        let started = world.pipelines().filter(|one| one.id.0 > since && one.parent.is_none() && one.source == "push");
        let pushed = started.map(|one| (one.git_ref.to_string(), one.commit.sha.to_string()));
        pushed.filter(|(name, _)| name.starts_with("pr")).collect()
    })
}

#[test]
fn the_leader_is_killed_and_the_other_goes_on_and_does_nothing_twice() {
    let Some(server) = Server::start() else { return };
    let running = world();
    let before = posted(&running);
    let newest = running.world(|world| world.pipelines().map(|one| one.id.0).max().unwrap());
    let (one, other) = (machine(&running, &server), machine(&running, &server));
    let mut first = Daemon::start(&one, &["--loops", "bridge"]);
    first.until("leading");
    let mut second = Daemon::start(&other, &["--loops", "bridge"]);
    let line = second.until("standing by");
    assert!(line["behind"].as_str().unwrap().starts_with(&format!("pid {} on ", first.child.id())), "{line}");
    // Killed where it has done something and has more to do.
    let end = Instant::now() + Duration::from_secs(60);
    while posted(&running) < before + 3 {
        assert!(Instant::now() < end, "the leader does not begin");
        std::thread::sleep(Duration::from_millis(2));
    }
    send_signal(first.child.id(), "KILL");
    let killed = Instant::now();
    let at_the_kill = posted(&running);
    second.until("leading");
    assert!(killed.elapsed() < Duration::from_secs(15), "{:?}", killed.elapsed());
    second.ready_when("a round", |_, told| told["role"] == "leader" && told["loops"][0]["ticks"].as_u64() > Some(1));
    assert_eq!(second.end("TERM").0, Some(0));
    let schema = server.psql("SELECT nspname FROM pg_namespace WHERE nspname LIKE 'stackhand%'");
    assert_eq!(server.psql(&format!("SELECT term FROM {schema}.lead")), "2");
    loop {
        let last = other.run(&["bridge", "--once", "--json"]).document("stackhand.bridge/1");
        assert_eq!(last["troubles"], serde_json::json!([]));
        if last["pushed"].as_array().unwrap().is_empty() && last["statuses"]["posted"] == 0 {
            break;
        }
    }
    assert!(posted(&running) > at_the_kill, "the other acted");
    running.hub(|hub| {
        for pull in hub.pulls().values() {
            let shown: Vec<_> = hub
                .statuses_of(&pull.head.id.to_string())
                .iter()
                .map(|one| (one.context.clone(), one.state.clone(), one.description.clone()))
                .collect();
            assert!(shown.windows(2).all(|pair| pair[0] != pair[1]), "{}: {shown:?}", pull.head_ref);
        }
    });
    let pushed = pushes(&running, newest);
    assert!(pushed.len() > 5, "{pushed:?}");
    let once: HashSet<_> = pushed.iter().collect();
    assert_eq!(once.len(), pushed.len(), "pushed twice: {pushed:?}");
}

#[test]
fn a_daemon_waits_for_a_server_that_comes_later() {
    let Some(mut server) = Server::start() else { return };
    let stage = machine(&SHARED, &server);
    server.stop();
    let mut daemon = Daemon::begin(&stage, &["--loops", "taxonomy"]);
    let told = daemon.until("waiting for the store");
    assert!(told["error"].as_str().unwrap().contains("PostgreSQL does not answer"), "{told}");
    server.restart();
    daemon.until("leading");
    assert_eq!(daemon.end("TERM").0, Some(0));
    server.stop();
    let mut daemon = Daemon::begin(&stage, &["--loops", "taxonomy"]);
    daemon.until("waiting for the store");
    assert_eq!(daemon.end("TERM").0, Some(0), "it can be ended while it waits");
    stage.run(&["daemon", "--once", "--loops", "taxonomy"]).failed(1, "PostgreSQL does not answer");
}

#[test]
fn a_leader_without_its_server_leads_no_longer_and_leads_again_when_it_is_back() {
    let Some(mut server) = Server::start() else { return };
    let stage = machine(&SHARED, &server);
    let mut daemon = Daemon::start(&stage, &["--loops", "taxonomy"]);
    daemon.until("leading");
    server.stop();
    let stopped = Instant::now();
    daemon.until("the session at the database ended: the lead is lost");
    assert!(stopped.elapsed() < Duration::from_secs(15), "{:?}", stopped.elapsed());
    let told = daemon.ready_when("a reason", |status, told| {
        status == 503
            && told["role"] == "standing_by"
            && told["reasons"].to_string().contains("PostgreSQL does not answer")
    });
    assert_eq!(daemon.get("/healthz").0, 200, "{told}");
    server.restart();
    daemon.until("leading");
    daemon.ready_when("the lead", |_, told| told["role"] == "leader");
    assert_eq!(daemon.end("TERM").0, Some(0));
}

#[test]
fn an_address_that_cannot_be_used_is_refused_without_showing_a_password() {
    let with =
        |url: &str| Stage::bare().with("STACKHAND_GITLAB_URL", "http://127.0.0.1:9").with("STACKHAND_STORE_URL", url);
    for (url, code, word) in [
        ("postgres://ci:canary@db.example/stackhand", 6, "without a password"),
        ("postgres://ci@db.example/stackhand?password=canary", 6, "without a password"),
        ("postgres://ci@%2Fnowhere/stackhand", 1, "postgres://ci@%2Fnowhere/stackhand: PostgreSQL does not answer"),
    ] {
        let ended = with(url).run(&["daemon", "--once", "--loops", "taxonomy"]);
        ended.failed(code, word);
        assert!(!(ended.out + &ended.err).contains("canary"));
    }
}
