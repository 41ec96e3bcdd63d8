//! The webhooks of both forges, as a receiver on loopback sees them.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use aws_lc_rs::hmac;
use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use serde_json::Value;
use stackhand::sandbox::{Act, HookTarget};

use crate::github::Hub;

/// One delivery.
#[derive(Clone)]
struct Delivery {
    path: String,
    headers: HeaderMap,
    body: Bytes,
}

impl Delivery {
    fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }

    fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Seen = Arc<Mutex<Vec<Delivery>>>;

async fn take(State(seen): State<Seen>, uri: Uri, headers: HeaderMap, body: Bytes) -> StatusCode {
    seen.lock().unwrap().push(Delivery { path: uri.path().to_owned(), headers, body });
    StatusCode::ACCEPTED
}

/// Everything that arrives, and where it arrives.
async fn receiver() -> (Seen, HookTarget) {
    let seen = Seen::default();
    let app = Router::new().fallback(take).with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let target = HookTarget::below(&format!("http://{}/hooks/", listener.local_addr().unwrap()));
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    (seen, target)
}

/// Waits until every event that was sent on its way has arrived.
async fn arrived(hub: &Hub, seen: &Seen, wanted: impl Fn(&[Delivery]) -> bool) -> Vec<Delivery> {
    let begin = Instant::now();
    loop {
        let all = seen.lock().unwrap().clone();
        if wanted(&all) {
            return all;
        }
        assert!(begin.elapsed() < Duration::from_secs(20), "{:?}", hub.running.deliveries());
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn github_signs_what_people_do() {
    let (hub, (seen, target)) = (Hub::start(24).await, receiver().await);
    hub.running.aim_hooks(Some(target.clone()));
    let number = hub.number("🚀-x");
    let acts = [Act::Push, Act::Label("update".into()), Act::Draft, Act::Ready, Act::Merge];
    for act in acts {
        hub.running.hub(|hub| hub.act(number, act)).unwrap();
    }
    let sha = hub.running.hub(|hub| hub.tip("develop").unwrap().id.to_string());
    hub.post(&format!("statuses/{sha}"), &serde_json::json!({"state": "success"})).await;
    let kinds = ["synchronize", "labeled", "converted_to_draft", "ready_for_review", "closed"];
    let all = arrived(&hub, &seen, |all| {
        let has = |wanted: &str| all.iter().any(|one| one.json()["action"] == wanted);
        let event = |wanted: &str| all.iter().any(|one| one.header("x-github-event") == wanted);
        kinds.iter().all(|kind| has(kind)) && ["push", "status", "check_run"].iter().all(|kind| event(kind))
    })
    .await;
    let key = hmac::Key::new(hmac::HMAC_SHA256, target.secret.as_bytes());
    for one in &all {
        assert_eq!((one.path.as_str(), one.header("content-type")), ("/hooks/github", "application/json"));
        let sum = one.header("x-hub-signature-256").strip_prefix("sha256=").unwrap();
        let bytes: Vec<u8> =
            (0..sum.len()).step_by(2).map(|at| u8::from_str_radix(&sum[at..at + 2], 16).unwrap()).collect();
        hmac::verify(&key, &one.body, &bytes).unwrap();
        assert_eq!(one.header("x-github-delivery").len(), 36);
        assert_eq!(one.json()["repository"]["full_name"], "spack/spack-packages");
    }
    let merged = all.iter().map(Delivery::json).find(|body| body["action"] == "closed").unwrap();
    assert_eq!(merged["pull_request"]["merged"], true);
}

#[tokio::test]
async fn gitlab_tells_of_pipelines_and_jobs() {
    let (hub, (seen, target)) = (Hub::start(24).await, receiver().await);
    hub.running.aim_hooks(Some(target.clone()));
    hub.running.world(|world| world.advance_to(world.now().shifted(600_000)));
    let all = arrived(&hub, &seen, |all| {
        let event = |wanted: &str| all.iter().any(|one| one.header("x-gitlab-event") == wanted);
        ["Pipeline Hook", "Job Hook"].iter().all(|kind| event(kind))
    })
    .await;
    // Time passes on the GitHub as well.
    for one in all.iter().filter(|one| one.path == "/hooks/gitlab") {
        assert_eq!(one.header("x-gitlab-token"), target.secret.as_str());
        let body = one.json();
        let kind = body["object_kind"].as_str().unwrap();
        match kind {
            "pipeline" => assert!(body["object_attributes"]["status"].is_string() && body["project"]["id"] == 57),
            "build" => assert!(body["build_status"].is_string() && body["pipeline_id"].is_u64()),
            other => panic!("{other}"),
        }
    }
}

#[tokio::test]
async fn some_come_twice_and_all_come_at_least_once() {
    let (hub, (seen, target)) = (Hub::start(24).await, receiver().await);
    hub.running.aim_hooks(Some(target));
    let number = hub.number("a+b");
    for n in 0..100 {
        let label = format!("label-{n}");
        hub.running.hub(|hub| hub.act(number, Act::Label(label.into()))).unwrap();
    }
    let ids = |all: &[Delivery]| -> std::collections::BTreeSet<String> {
        all.iter().map(|one| one.header("x-github-delivery").to_owned()).collect()
    };
    let all = arrived(&hub, &seen, |all| ids(all).len() == 100 && all.len() > 100).await;
    assert!((101..=115).contains(&all.len()), "{}", all.len());
    let order: Vec<Value> = all.iter().map(|one| one.json()["pull_request"]["labels"].clone()).collect();
    assert!(!order.is_sorted_by_key(|labels| labels.as_array().unwrap().len()), "some are late");
}
