use std::time::Duration;

use super::*;
use crate::adapters::store::InboxTally;
use crate::ci::PipelineId;
use crate::console::event::Intent;

#[tokio::test]
async fn a_delivery_is_on_the_disk_when_it_is_answered() {
    let scratch = Scratch::new();
    let house = House::open(file(&scratch).await, settings()).await;
    let reply = house.github("pull_request", "d-1", pull("opened", 7)).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.text().await.unwrap().as_str()), (202, "accepted"));
    // Another process sees it.
    let other = file(&scratch).await;
    assert_eq!(other.waiting_deliveries().await.unwrap().len(), 1);
    assert_eq!(other.delivery_body(Forge::GitHub, "d-1").await.unwrap().unwrap(), pull("opened", 7).as_bytes());
    assert_eq!(status(house.gitlab("Pipeline Hook", "d-1", pipeline(9, "running"))).await, 202);
    assert_eq!(other.waiting_deliveries().await.unwrap().len(), 2, "an id is one of its forge");
}

#[tokio::test]
async fn case_B36_unproven_deliveries_are_all_told_the_same_and_not_kept() {
    let house = House::in_memory().await;
    let body = pull("opened", 7);
    let good = sign(SECRET, body.as_bytes());
    let named = || {
        let request = house.unsigned(Forge::GitHub, body.as_bytes());
        request.header("x-github-event", "pull_request").header("x-github-delivery", "d-1")
    };
    let sent = [
        named(),
        named().header("x-hub-signature-256", good.replace("sha256=", "")),
        named().header("x-hub-signature-256", &good[..40]),
        named().header("x-hub-signature-256", sign("another", body.as_bytes())),
        named().header("x-hub-signature", "sha1=0123456789abcdef0123456789abcdef01234567"),
        named().header("x-hub-signature-256", &good).header("x-hub-signature-256", sign("another", body.as_bytes())),
        house.unsigned(Forge::GitHub, b"nonsense").header("x-hub-signature-256", "\"; DROP TABLE inbox"),
    ];
    let count = sent.len() as u64;
    for request in sent {
        let reply = request.send().await.unwrap();
        let said = (reply.status().as_u16(), reply.text().await.unwrap());
        assert_eq!(said, (401, "the signature or token is missing or wrong: check the webhook's secret".into()));
    }
    assert_eq!(house.hooks.tally().count(Forge::GitHub, Outcome::Unproven), count);
    assert_eq!(house.store.delivery_body(Forge::GitHub, "d-1").await.unwrap(), None);
    assert_eq!(house.store.inbox_tally().await.unwrap(), InboxTally::default());
}

#[tokio::test]
async fn case_B53_a_wrong_token_is_counted_and_has_no_effect() {
    let house = House::in_memory().await;
    let request = |token: Option<&str>| {
        let request = house.unsigned(Forge::GitLab, pipeline(9, "running").as_bytes());
        let request = request.header("x-gitlab-event", "Pipeline Hook").header("idempotency-key", "d-1");
        if let Some(token) = token { request.header("x-gitlab-token", token) } else { request }
    };
    assert_eq!((status(request(None)).await, status(request(Some("guess"))).await), (401, 401));
    assert_eq!(house.hooks.tally().count(Forge::GitLab, Outcome::Unproven), 2);
    assert_eq!(house.store.inbox_tally().await.unwrap().waiting, 0);
    assert_eq!(status(request(Some(SECRET))).await, 202);
}

#[tokio::test]
async fn a_forge_without_a_secret_has_no_door_and_an_empty_one_is_refused() {
    let store = Store::in_memory(SystemClock.now()).await.unwrap();
    for secret in ["", " \n"] {
        let wrong = Settings { gitlab_tokens: vec![secret.into()], ..settings() };
        let hooks = Hooks::open(store.clone(), Arc::new(SystemClock), wrong);
        assert!(hooks.map(drop).unwrap_err().to_string().contains("gitlab"));
    }
    let house = House::open(store, Settings { gitlab_tokens: Vec::new(), ..settings() }).await;
    assert_eq!(status(house.gitlab("Pipeline Hook", "d-1", "{}")).await, 404);
    assert_eq!(status(house.github("ping", "d-1", "{}")).await, 202);
    assert_eq!(status(house.client.get(format!("{}/github", house.url))).await, 405);
    assert_eq!(status(house.client.post(format!("{}/elsewhere", house.url))).await, 404);
}

#[tokio::test]
async fn case_B38_twice_the_same_is_once() {
    let mut house = House::in_memory().await;
    for said in ["accepted", "duplicate: it was accepted before"] {
        let reply = house.github("pull_request", "d-1", pull("opened", 7)).send().await.unwrap();
        assert_eq!((reply.status().as_u16(), reply.text().await.unwrap().as_str()), (202, said));
    }
    let wake = house.wakes.next().await;
    assert_eq!((wake.deliveries, wake.about.len()), (1, 1));
    house.wakes.handled(wake).await.unwrap();
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202);
    assert!(house.wakes.waiting().await.is_none(), "after it was acted on, too");
}

#[tokio::test]
async fn older_gitlab_servers_are_told_apart_by_event_and_body() {
    let house = House::in_memory().await;
    let send = |event: &str, body: String| {
        let request = house.unsigned(Forge::GitLab, body.as_bytes()).header("x-gitlab-token", SECRET);
        request.header("x-gitlab-event", event.to_owned()).header("x-gitlab-event-uuid", "of-the-recursion")
    };
    for body in [pipeline(9, "running"), pipeline(9, "success"), pipeline(9, "running")] {
        assert_eq!(status(send("Pipeline Hook", body)).await, 202);
    }
    assert_eq!(house.store.waiting_deliveries().await.unwrap().len(), 2);
    assert_eq!(house.hooks.tally().count(Forge::GitLab, Outcome::Known), 1);
}

#[tokio::test]
async fn case_B39_case_B40_what_nobody_waits_for_is_kept_and_wakes_nobody() {
    let mut house = House::in_memory().await;
    assert_eq!(status(house.github("ping", "d-1", r#"{"zen":"x"}"#)).await, 202);
    assert_eq!(status(house.github("an_event_of_another_day", "d-2", "{}")).await, 202);
    assert_eq!(status(house.gitlab("Wiki Page Hook", "d-3", "{}")).await, 202);
    assert!(house.wakes.waiting().await.is_none());
    assert_eq!(house.store.delivery_body(Forge::GitHub, "d-1").await.unwrap().unwrap(), br#"{"zen":"x"}"#);
}

#[tokio::test]
async fn where_no_bridge_acts_deliveries_wait_for_nobody_and_say_what_is_to_be_read_again() {
    let store = Store::in_memory(SystemClock.now()).await.unwrap();
    let hooks = Hooks::open_without_bridge(store, Arc::new(SystemClock), settings()).unwrap();
    let mut house = House::behind(hooks).await;
    assert_eq!(status(house.gitlab("Pipeline Hook", "d-1", pipeline(9, "running"))).await, 202);
    for outcome in [Outcome::Taken, Outcome::Known] {
        assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202);
        assert_eq!(house.hooks.tally().count(Forge::GitHub, outcome), 1);
    }
    assert!(house.wakes.waiting().await.is_none());
    assert_eq!(house.store.inbox_tally().await.unwrap(), InboxTally::default());
    assert_eq!(house.hooks.changes().await.len(), 1);
}

#[tokio::test]
async fn case_B41_malformed_bodies_with_a_good_signature() {
    let house = House::in_memory().await;
    for body in [&b"\xff\xfe{}"[..], b"nonsense", b"[]", b"", b"{\"zen\":\"\xff\"}"] {
        assert_eq!(status(house.github("ping", "d-1", body)).await, 400, "{}", String::from_utf8_lossy(body));
    }
    let at_most = |length: usize| format!("{{\"a\":\"{}\"}}", "x".repeat(length - 8));
    assert_eq!(status(house.github("ping", "d-2", at_most(25 << 20))).await, 202);
    assert_eq!(house.store.delivery_body(Forge::GitHub, "d-2").await.unwrap(), None, "large bodies are not kept");
    // Refused by what is announced, before it is sent: the client may learn of it while it still writes.
    let large = house.github("ping", "d-3", at_most(30 << 20)).send().await;
    assert!(large.map_or(true, |reply| reply.status().as_u16() == 413));
    // And by what comes, where nothing was announced.
    let pieces = futures_util::stream::iter((0..30).map(|_| Ok::<_, std::io::Error>(vec![b' '; 1 << 20])));
    let request = house.client.post(format!("{}/github", house.url)).header("content-type", "application/json");
    let reply = request.body(reqwest::Body::wrap_stream(pieces)).send().await;
    assert!(reply.map_or(true, |reply| reply.status().as_u16() == 413));
    assert_eq!(house.hooks.tally().count(Forge::GitHub, Outcome::TooLarge), 2);
}

#[tokio::test]
async fn odd_headers_are_refused_after_the_proof_and_other_types_before() {
    let house = House::in_memory().await;
    let body = br#"{"a":1}"#;
    let signed = || house.unsigned(Forge::GitHub, body).header("x-hub-signature-256", sign(SECRET, body));
    let long = "a".repeat(5_000);
    let not_utf8 = reqwest::header::HeaderValue::from_bytes(b"\xff\xfe").unwrap();
    let odd = [
        signed(),
        signed().header("x-github-event", "ping"),
        signed().header("x-github-delivery", "d-1"),
        signed().header("x-github-event", "ping").header("x-github-delivery", &long),
        signed().header("x-github-event", &long).header("x-github-delivery", "d-1"),
        signed().header("x-github-event", "ping").header("x-github-delivery", not_utf8.clone()),
        signed().header("x-github-event", not_utf8).header("x-github-delivery", "d-1"),
        signed().header("x-github-event", "ping").header("x-github-delivery", "d-1'; --"),
        signed().header("x-github-event", "ping\tx").header("x-github-delivery", "d-1"),
        signed().header("x-github-event", "ping").header("x-github-delivery", "a").header("x-github-delivery", "b"),
        signed().header("x-github-event", "ping").header("x-github-delivery", ""),
    ];
    for (at, request) in odd.into_iter().enumerate() {
        assert_eq!(status(request).await, 400, "{at}");
    }
    for kind in ["application/x-www-form-urlencoded", "text/plain", "", "application/jsonx"] {
        let request = house.client.post(format!("{}/github", house.url)).header("content-type", kind).body("{}");
        assert_eq!(status(request).await, 415, "{kind}");
    }
    let request =
        house.client.post(format!("{}/github", house.url)).header("content-type", "Application/JSON; charset=utf-8");
    assert_eq!(status(request.body("{}")).await, 401, "a good type goes on");
}

#[tokio::test]
async fn deliveries_of_other_repositories_and_projects_are_ignored() {
    let of = Settings { repository: Some("Spack/Spack".into()), project: Some("spack/other".into()), ..settings() };
    let house = House::open(Store::in_memory(SystemClock.now()).await.unwrap(), of).await;
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 202, "GitHub does not tell case");
    let other = pull("opened", 7).replace("spack/spack", "spack/spack-fork");
    assert_eq!(status(house.github("pull_request", "d-2", other)).await, 200);
    assert_eq!(status(house.gitlab("Pipeline Hook", "d-3", pipeline(9, "running"))).await, 200);
    assert_eq!(house.store.waiting_deliveries().await.unwrap().len(), 1);
    assert_eq!(house.hooks.tally().count(Forge::GitLab, Outcome::Foreign), 1);
}

#[tokio::test]
async fn a_store_that_is_away_is_never_a_success() {
    let house = House::in_memory().await;
    house.store.close().await;
    let reply = house.github("pull_request", "d-1", pull("opened", 7)).send().await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.headers()["retry-after"].to_str().unwrap()), (503, "30"));
    assert_eq!(house.hooks.tally().count(Forge::GitHub, Outcome::Away), 1);
}

#[tokio::test]
async fn a_file_that_another_process_holds_is_never_a_success() {
    let scratch = Scratch::new();
    let house = House::open(file(&scratch).await, settings()).await;
    // Another process holds the file for longer than anybody waits.
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(scratch.path().join("stackhand.db"));
    let pool = sqlx::SqlitePool::connect_with(options).await.unwrap();
    let held = pool.begin_with("BEGIN IMMEDIATE").await.unwrap();
    assert_eq!(status(house.github("pull_request", "d-1", pull("opened", 7))).await, 503);
    held.rollback().await.unwrap();
    assert_eq!(
        status(house.github("pull_request", "d-1", pull("opened", 7))).await,
        202,
        "delivered again, it is taken"
    );
}

#[tokio::test]
async fn a_body_that_does_not_come_is_not_waited_for() {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let house = House::in_memory().await;
    let mut socket = tokio::net::TcpStream::connect(house.url[7..].strip_suffix("/hooks").unwrap()).await.unwrap();
    let head =
        "POST /hooks/github HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{";
    socket.write_all(head.as_bytes()).await.unwrap();
    let mut answer = vec![0; 12];
    tokio::time::timeout(Duration::from_secs(15), socket.read_exact(&mut answer)).await.unwrap().unwrap();
    assert_eq!(answer, b"HTTP/1.1 408");
}

#[tokio::test]
async fn pipelines_that_changed_are_to_be_read_again() {
    let house = House::in_memory().await;
    let job = r#"{"build_id":5,"build_status":"running","pipeline_id":9}"#;
    for (id, event, body) in [
        ("d-1", "Job Hook", job.to_owned()),
        ("d-2", "Job Hook", job.replace('5', "6")),
        ("d-3", "Pipeline Hook", pipeline(8, "success")),
    ] {
        assert_eq!(status(house.gitlab(event, id, body)).await, 202);
    }
    let ids = |intents: Vec<Intent>| -> Vec<Option<PipelineId>> {
        let id = |intent| if let Intent::Hint(id) = intent { id } else { panic!("{intent:?}") };
        intents.into_iter().map(id).collect()
    };
    assert_eq!(ids(house.hooks.changes().await), [Some(PipelineId(8)), Some(PipelineId(9))]);
    for at in 0..100 {
        assert_eq!(status(house.gitlab("Pipeline Hook", &format!("e-{at}"), pipeline(at, "success"))).await, 202);
    }
    assert_eq!(ids(house.hooks.changes().await), [None], "too many: everything");
}
