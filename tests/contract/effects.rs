//! Paging, filters, rights, and what POST really does.

use std::collections::BTreeSet;

use reqwest::Method;
use serde_json::{Value, json};

use stackhand::ci::{JobId, Status};
use stackhand::sandbox::{LogBody, Options, Sandbox};

use crate::server::Server;

fn id(job: &Value) -> u64 {
    job["id"].as_u64().unwrap()
}

#[tokio::test]
async fn pages_follow_each_other_and_tell_their_number() {
    let server = Server::start().await;
    let mut seen = BTreeSet::new();
    let mut next = Some(server.at("pipelines?per_page=50"));
    let mut pages = 0;
    while let Some(url) = next {
        let response = reqwest::get(url).await.unwrap();
        let link = response.headers()["link"].to_str().unwrap().to_owned();
        next = link.split(", ").find(|l| l.ends_with("rel=\"next\"")).map(|l| l[1..l.find('>').unwrap()].to_owned());
        for pipeline in response.json::<Vec<Value>>().await.unwrap() {
            assert!(seen.insert(id(&pipeline)));
        }
        pages += 1;
    }
    assert!(pages >= 3 && (60..=240).contains(&seen.len()), "{pages} pages, {} pipelines", seen.len());
    let last = server.get(&format!("pipelines?per_page=50&page={pages}")).await;
    assert_eq!((last.header("x-next-page"), last.header("x-total")), (Some(""), Some(&*seen.len().to_string())));
    assert_eq!(server.get("pipelines?per_page=5000").await.header("x-per-page"), Some("100"));
}

#[tokio::test]
async fn filters_select_what_they_name() {
    let server = Server::start().await;
    for (query, key, want) in [
        ("status=running", "status", "running"),
        ("scope=running", "status", "running"),
        ("source=parent_pipeline", "source", "parent_pipeline"),
        ("ref=develop", "ref", "develop"),
    ] {
        let rows = server.get(&format!("pipelines?per_page=100&{query}")).await.json();
        let rows = rows.as_array().unwrap();
        assert!(!rows.is_empty() && rows.iter().all(|p| p[key] == want), "{query}");
    }
    let plain = server.get("pipelines?per_page=100").await.json();
    assert!(
        plain.as_array().unwrap().iter().all(|p| p["source"] != "parent_pipeline"),
        "children are asked for by name"
    );
    let future = server.get("pipelines?updated_after=2030-01-01T00:00:00Z").await.json();
    assert_eq!(future, json!([]));
    for query in ["scope=hot", "status=odd", "order_by=colour"] {
        let reply = server.get(&format!("pipelines?{query}")).await;
        let name = query.split('=').next().unwrap();
        assert_eq!(
            (reply.status, reply.json()),
            (400, json!({ "error": format!("{name} does not have a valid value") }))
        );
    }
    assert_eq!(server.get("pipelines/latest?ref=gone").await.status, 403);
    let (child, _) = server.biggest_child().await;
    let both = server.get(&format!("pipelines/{child}/jobs?scope[]=failed&scope[]=running&per_page=100")).await.json();
    let statuses: BTreeSet<&str> = both.as_array().unwrap().iter().map(|j| j["status"].as_str().unwrap()).collect();
    assert_eq!(statuses, BTreeSet::from(["failed", "running"]));
}

#[tokio::test]
async fn all_jobs_of_the_project_come_by_keyset() {
    let server = Server::start().await;
    let mut seen = Vec::new();
    let mut next = Some(server.at("jobs?pagination=keyset&per_page=100&order_by=id&sort=desc&scope[]=failed"));
    while let Some(url) = next {
        let response =
            reqwest::Client::new().get(url).header("PRIVATE-TOKEN", &server.running.token).send().await.unwrap();
        assert!(response.headers().get("x-total").is_none());
        let link = response.headers().get("link").map(|l| l.to_str().unwrap().to_owned());
        next = link.map(|l| l[1..l.find('>').unwrap()].to_owned());
        seen.extend(response.json::<Vec<Value>>().await.unwrap().iter().map(id));
    }
    assert!(seen.len() > 12 && seen.is_sorted_by(|a, b| a > b));
}

#[tokio::test]
async fn without_a_token_everything_but_logs_and_single_jobs_is_open() {
    let server = Server::start().await;
    let (child, bridge) = server.biggest_child().await;
    let parent = bridge["pipeline"]["id"].clone();
    let job = id(&server.jobs(child, "failed").await[0]);
    for (path, status) in [
        ("/api/v4/projects/57".to_owned(), 200),
        ("pipelines".into(), 200),
        (format!("pipelines/{child}"), 200),
        (format!("pipelines/{child}/jobs"), 200),
        (format!("pipelines/{parent}/bridges"), 200),
        ("jobs".into(), 401),
        (format!("jobs/{job}"), 401),
        (format!("jobs/{job}/trace"), 401),
        (format!("/spack/spack-packages/-/jobs/{job}/raw"), 200),
        ("/api/v4/runners/all".into(), 401),
        ("/api/v4/user".into(), 401),
        ("no/such/route".into(), 404),
    ] {
        assert_eq!(server.anonymous(&path).await.status, status, "{path}");
    }
    assert_eq!(server.send(server.request(Method::POST, &format!("jobs/{job}/retry"), None)).await.status, 401);
    assert_eq!(server.send(server.request(Method::GET, "pipelines", Some("wrong"))).await.status, 401);
    let reader = server.running.read_token.clone();
    assert_eq!(server.send(server.request(Method::GET, &format!("jobs/{job}/trace"), Some(&reader))).await.status, 200);
    assert_eq!(
        server.send(server.request(Method::POST, &format!("jobs/{job}/retry"), Some(&reader))).await.status,
        403
    );
}

#[tokio::test]
async fn an_unchanged_answer_is_304_without_a_body() {
    let server = Server::start().await;
    let first = server.get("pipelines?per_page=5").await;
    let tag = first.header("etag").unwrap();
    assert!(tag.starts_with("W/\""));
    let again =
        server.send(server.request(Method::GET, "pipelines?per_page=5", None).header("if-none-match", tag)).await;
    assert_eq!((again.status, again.body.as_str()), (304, ""));
    let date = stackhand::ci::Timestamp::parse_http_date(first.header("date").unwrap()).unwrap();
    assert_eq!(date.to_string(), "2026-03-14T03:00:00.000Z", "the date is the virtual one");
}

#[tokio::test]
async fn a_retry_makes_a_new_job_and_brings_back_what_was_skipped() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let skipped = server.jobs(child, "skipped").await.len();
    assert!(skipped > 0);
    for job in server.jobs(child, "failed").await {
        let reply = server.post(&format!("jobs/{}/retry", id(&job))).await;
        assert_eq!(reply.status, 201, "{}", reply.body);
        let new = reply.json();
        assert!(id(&new) > id(&job) && new["name"] == job["name"] && new["status"] == "pending", "{new}");
        let refused = server.post(&format!("jobs/{}/retry", id(&job))).await;
        assert_eq!(
            (refused.status, refused.json()),
            (403, json!({ "message": "403 Forbidden - Job is not retryable" }))
        );
        let all = server
            .get(&format!("pipelines/{child}/jobs?include_retried=true&per_page=100&scope[]=failed"))
            .await
            .json();
        assert!(all.as_array().unwrap().iter().any(|j| id(j) == id(&job)));
    }
    assert_eq!(server.jobs(child, "failed").await.len(), 0);
    assert!(server.jobs(child, "skipped").await.len() < skipped / 4 + 1);
    server.pass(600);
    let parent = server.nightly().await;
    assert_eq!(parent["status"], "running");
}

#[tokio::test]
async fn a_running_job_is_canceled_in_two_steps_and_its_log_says_so() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let job = id(&server.jobs(child, "running").await[0]);
    let before = server.get(&format!("jobs/{job}/trace")).await.body;
    assert!(before.contains("section_start:") && before.contains("\u{1b}[0K"));
    let reply = server.post(&format!("jobs/{job}/cancel")).await;
    assert_eq!((reply.status, &reply.json()["status"]), (201, &json!("canceling")));
    server.pass(30);
    assert_eq!(server.get(&format!("jobs/{job}")).await.json()["status"], "canceled");
    let after = server.get(&format!("jobs/{job}/trace")).await.body;
    assert!(after.starts_with(&before) && after.contains("ERROR: Job failed: canceled"));
}

#[tokio::test]
async fn play_and_erase_follow_gitlab() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let waiting = id(&server.jobs(child, "created").await[0]);
    let refused = server.post(&format!("jobs/{waiting}/play")).await;
    assert_eq!((refused.status, refused.json()), (400, json!({ "message": "400 Bad request - Unplayable Job" })));
    server.running.world(|world| world.inject_status(JobId(waiting), Status::Manual));
    assert_eq!(server.post(&format!("jobs/{waiting}/play")).await.status, 200);
    let failed = id(&server.jobs(child, "failed").await[0]);
    assert_eq!(server.post(&format!("jobs/{failed}/erase")).await.status, 201);
    assert_eq!(server.get(&format!("jobs/{failed}/trace")).await.body, "");
    assert_eq!(server.post(&format!("jobs/{failed}/erase")).await.status, 403);
}

#[tokio::test]
async fn pipelines_are_created_canceled_and_retried() {
    let server = Server::start().await;
    let token = server.running.token.clone();
    let git_ref = server
        .get("pipelines?per_page=100")
        .await
        .json()
        .as_array()
        .unwrap()
        .iter()
        .find(|p| p["ref"] != "develop")
        .unwrap()["ref"]
        .clone();
    let made = server.post_json("pipeline", Some(&token), &json!({ "ref": git_ref })).await;
    assert_eq!((made.status, &made.json()["source"]), (201, &json!("api")));
    let made = id(&made.json());
    let canceled = server.post(&format!("pipelines/{made}/cancel")).await;
    assert_eq!((canceled.status, &canceled.json()["status"]), (200, &json!("canceled")));
    assert_eq!(
        server.post(&format!("pipelines/{made}/cancel")).await.status,
        200,
        "even when nothing is left to cancel"
    );
    let retried = server.post(&format!("pipelines/{made}/retry")).await;
    assert_eq!((retried.status, retried.json()["status"] != "canceled"), (201, true));
}

#[tokio::test]
async fn odd_and_huge_logs_are_sent_as_they_are() {
    let server = Server::start().await;
    let (child, _) = server.biggest_child().await;
    let jobs = server.jobs(child, "failed").await;
    let odd: Vec<u8> = [&b"\x1b]0;owned\x07\xff\xfe\0 \xe2\x80\xae"[..], &vec![b'x'; 1_000_000]].concat();
    let (small, big) = (id(&jobs[0]), id(&jobs[1]));
    server.running.world(|world| {
        world.inject_log(JobId(small), LogBody::Bytes(odd.clone().into()));
        world.inject_log(JobId(big), LogBody::Endless(30_000_001));
    });
    let get = |job| server.request(Method::GET, &format!("jobs/{job}/trace"), Some(&server.running.token));
    assert_eq!(get(small).send().await.unwrap().bytes().await.unwrap(), odd);
    assert_eq!(get(big).send().await.unwrap().bytes().await.unwrap().len(), 30_000_001);
}

#[tokio::test]
async fn two_servers_with_one_seed_say_the_same() {
    let options = Options { speed: 0.0, jobs: 300, ..Options::default() };
    let (one, two) = (Sandbox::start(options.clone()).await.unwrap(), Sandbox::start(options).await.unwrap());
    assert!(one.world(|w| w.dump()) == two.world(|w| w.dump()));
    let line: Value = serde_json::from_str(&one.endpoints().to_string()).unwrap();
    assert_eq!(line["gitlab"]["url"], one.url);
    assert_eq!(line["gitlab"]["project"], "spack/spack-packages");
    assert_eq!(one.requests(), 0);
}
