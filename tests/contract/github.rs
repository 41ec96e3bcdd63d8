//! The practice GitHub against GitHub's own description of its API, where that lies at hand, and against our adapter.

#![expect(non_snake_case, reason = "cases are numbered as in the reference")]

#[path = "../servers/openapi.rs"]
mod openapi;

use std::sync::Arc;
use std::time::Duration;

use secrecy::SecretString;
use serde_json::{Value, json};
use stackhand::adapters::github::{Access, GitHub, PostAnswer, Settings};
use stackhand::ci::Timestamp;
use stackhand::forge::{CommitState, CommitStatus, Mergeable, Sha};
use stackhand::sandbox::{Act, Options, Running, Sandbox};

use self::openapi::described;
use crate::server::Reply;

/// A practice world whose time stands still, and a client of its GitHub that knows nothing of the adapter.
pub struct Hub {
    pub running: Running,
    client: reqwest::Client,
}

impl Hub {
    pub async fn start(prs: usize) -> Self {
        let options = Options { speed: 0.0, jobs: 200, prs, ..Options::default() };
        let client = reqwest::Client::builder().user_agent("contract").build().unwrap();
        Self { running: Sandbox::start(options).await.unwrap(), client }
    }

    pub async fn send(&self, request: reqwest::RequestBuilder) -> Reply {
        let response = request.send().await.unwrap();
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Reply { status, headers, body: response.text().await.unwrap() }
    }

    fn request(&self, method: reqwest::Method, path: &str) -> reqwest::RequestBuilder {
        let github = &self.running.github;
        let url = if path.starts_with('/') {
            format!("{}{path}", github.url)
        } else {
            format!("{}/repos/{}/{path}", github.url, github.repo)
        };
        self.client.request(method, url)
    }

    pub async fn get(&self, path: &str) -> Reply {
        self.send(self.request(reqwest::Method::GET, path).bearer_auth(&self.running.github.token)).await
    }

    pub async fn post(&self, path: &str, body: &Value) -> Reply {
        self.send(self.request(reqwest::Method::POST, path).bearer_auth(&self.running.github.token).json(body)).await
    }

    /// The number of the open pull request that has this branch.
    pub fn number(&self, head_ref: &str) -> u64 {
        self.running.hub(|hub| hub.pulls().values().find(|pull| &*pull.head_ref == head_ref).unwrap().number)
    }
}

fn holds(path: &str, method: &str, status: u16, reply: &Reply) {
    assert_eq!(reply.status, status, "{method} {path}: {}", reply.body);
    let escaped = path.replace('/', "~1");
    let answer = format!("/paths/{escaped}/{method}/responses/{status}/content/application~1json/schema");
    let Some(schema) = described(&answer) else {
        // GitHub's description does not lie at hand.
        return;
    };
    let body = reply.json();
    // A fork that was deleted is null, whatever the description says of it.
    let is_known = |at: &str| at.ends_with("/head/repo");
    let wrong: Vec<String> = schema
        .iter_errors(&body)
        .filter(|error| !is_known(error.instance_path().as_str()))
        .map(|error| {
            format!("{} at {}", error.to_string().chars().take(200).collect::<String>(), error.instance_path())
        })
        .collect();
    assert_eq!(wrong, Vec::<String>::new(), "{method} {path}");
}

#[tokio::test]
async fn answers_are_those_that_github_describes() {
    let hub = Hub::start(24).await;
    let number = hub.number("🚀-x");
    let sha = hub.running.hub(|hub| hub.pull(number).unwrap().head.id.to_string());
    let repo = "/repos/{owner}/{repo}";
    let status = json!({"state": "pending", "context": "ci/gitlab-ci", "description": "Pipeline is running", "target_url": "http://gitlab.example/1"});
    holds(&format!("{repo}/statuses/{{sha}}"), "post", 201, &hub.post(&format!("statuses/{sha}"), &status).await);
    let comment = hub.post(&format!("issues/{number}/comments"), &json!({"body": "hello"})).await;
    holds(&format!("{repo}/issues/{{issue_number}}/comments"), "post", 201, &comment);
    for (described, asked) in [
        (repo.to_owned(), "/repos/spack/spack-packages".to_owned()),
        ("/rate_limit".to_owned(), "/rate_limit".to_owned()),
        (format!("{repo}/pulls"), "pulls?per_page=100".to_owned()),
        (format!("{repo}/pulls/{{pull_number}}"), format!("pulls/{number}")),
        (format!("{repo}/branches"), "branches".to_owned()),
        (format!("{repo}/tags"), "tags".to_owned()),
        (format!("{repo}/git/ref/{{ref}}"), "git/ref/heads/develop".to_owned()),
        (format!("{repo}/commits/{{ref}}"), format!("commits/{sha}")),
        (format!("{repo}/commits/{{ref}}/check-runs"), format!("commits/{sha}/check-runs")),
        (format!("{repo}/commits/{{ref}}/status"), format!("commits/{sha}/status")),
        (format!("{repo}/commits/{{ref}}/statuses"), format!("commits/{sha}/statuses")),
        (format!("{repo}/issues/{{issue_number}}/labels"), format!("issues/{number}/labels")),
        (format!("{repo}/issues/{{issue_number}}/comments"), format!("issues/{number}/comments")),
    ] {
        let reply = hub.get(&asked).await;
        holds(&described, "get", 200, &reply);
        for header in ["x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset", "date"] {
            assert!(reply.header(header).is_some(), "{asked}: {header}");
        }
    }
}

#[tokio::test]
async fn lists_have_pages_and_what_did_not_change_costs_nothing() {
    let hub = Hub::start(24).await;
    let first = hub.get("pulls?per_page=10").await;
    let link = first.header("link").unwrap();
    assert!(link.contains("rel=\"next\"") && link.contains("page=3>; rel=\"last\""), "{link}");
    let last = hub.get("pulls?per_page=10&page=3").await;
    assert_eq!((first.json().as_array().unwrap().len(), last.json().as_array().unwrap().len()), (10, 4));
    let remaining = |reply: &Reply| reply.header("x-ratelimit-remaining").unwrap().parse::<u64>().unwrap();
    let tag = first.header("etag").unwrap();
    let again = hub.request(reqwest::Method::GET, "pulls?per_page=10").bearer_auth(&hub.running.github.token);
    let again = hub.send(again.header("if-none-match", tag)).await;
    assert_eq!((again.status, again.body.as_str(), remaining(&again)), (304, "", remaining(&last)));
    let number = hub.number("🚀-x");
    hub.running.hub(|hub| hub.act(number, Act::Push)).unwrap();
    let changed = hub.request(reqwest::Method::GET, "pulls?per_page=100").bearer_auth(&hub.running.github.token);
    assert_eq!(hub.send(changed.header("if-none-match", tag)).await.status, 200);
}

#[tokio::test]
async fn refusals_are_githubs() {
    let hub = Hub::start(24).await;
    let nobody = hub.send(hub.request(reqwest::Method::GET, "pulls")).await;
    let wrong = hub.send(hub.request(reqwest::Method::GET, "pulls").bearer_auth("ghp_wrong")).await;
    assert_eq!((nobody.status, wrong.status, wrong.json()["message"].as_str()), (401, 401, Some("Bad credentials")));
    assert_eq!(hub.get("/repos/spack/secret").await.status, 404);
    assert_eq!(hub.get("pulls/1").await.json()["message"], "Not Found");
    let sha = hub.running.hub(|hub| hub.tip("develop").unwrap().id.to_string());
    let reader = hub.request(reqwest::Method::POST, &format!("statuses/{sha}"));
    let reader = reader.bearer_auth(&hub.running.github.read_token).json(&json!({"state": "success"}));
    assert_eq!(hub.send(reader).await.status, 403);
    let long = json!({"state": "success", "description": "x".repeat(141)});
    assert_eq!(hub.post(&format!("statuses/{sha}"), &long).await.status, 422);
    let missing = hub.post(&format!("statuses/{}", "a".repeat(40)), &json!({"state": "success"})).await;
    assert!(missing.status == 422 && missing.body.contains("No commit found for SHA"), "{}", missing.body);
    hub.running.github_budget(1);
    assert_eq!(hub.get("branches").await.status, 200);
    let empty = hub.get("branches").await;
    assert_eq!((empty.status, empty.header("x-ratelimit-remaining")), (403, Some("0")));
}

fn adapter(hub: &Hub) -> GitHub {
    let github = &hub.running.github;
    let begin = std::time::Instant::now();
    let now = Arc::new(move || Timestamp::from_millis(1_773_457_200_000).plus(begin.elapsed()));
    let (owner, name) = github.repo.split_once('/').unwrap();
    let access = Access::Token(SecretString::from(github.token.clone()));
    let settings = Settings::new(&github.url, owner, name, access, now);
    GitHub::new(Settings { between_writes: Duration::ZERO, ..settings }, 7).unwrap()
}

#[tokio::test]
async fn the_adapter_reads_eight_hundred_pull_requests_from_end_to_end() {
    let hub = Hub::start(800).await;
    let client = adapter(&hub);
    let open = client.open_prs().await.unwrap();
    assert_eq!((open.prs.len(), open.left_out), (800, Vec::new()));
    assert_eq!(client.requests(), 8);
    let by_name = |name: &str| open.prs.iter().find(|seen| &*seen.pr.head_ref == name).unwrap();
    let (urgent, orphan) = (by_name("🚀-x"), by_name("föö"));
    assert_eq!((urgent.pr.has_label("pipelines:urgent"), urgent.pr.mergeable), (Some(true), Mergeable::Yes));
    assert!(urgent.pr.test_merge.is_some() && orphan.pr.head_repo.is_none() && urgent.pr.checks.is_whole);
    for name in ["feature/a/b", "-f", "--upload-pack=x", "$(id)", "a#b", "a+b"] {
        by_name(name);
    }
    let conflicts = open.prs.iter().filter(|seen| seen.pr.mergeable == Mergeable::Conflicting).count();
    assert!((3..80).contains(&conflicts), "{conflicts}");
}

#[tokio::test]
async fn case_E17_a_commit_takes_a_thousand_statuses_of_one_context() {
    let hub = Hub::start(1).await;
    let client = adapter(&hub);
    let name = hub.running.hub(|hub| hub.tip("develop").unwrap().id.to_string());
    let sha = Sha::parse(&name).unwrap();
    let status = |state| CommitStatus::new("ci/gitlab-ci", state, "Pipeline succeeded", None);
    assert_eq!(client.post_status(&sha, &status(CommitState::Pending)).await, Ok(PostAnswer::Posted));
    for n in 0..999 {
        let body = json!({"state": "success", "context": "CI/gitlab-ci", "description": n.to_string()});
        assert_eq!(hub.post(&format!("statuses/{name}"), &body).await.status, 201);
    }
    assert_eq!(client.post_status(&sha, &status(CommitState::Success)).await, Ok(PostAnswer::Full));
    let told = client.statuses(&sha).await.unwrap();
    assert_eq!((told.listed.len(), told.is_whole), (1, true));
    assert_eq!(hub.running.hub(|hub| hub.statuses_of(&name).len()), 1_000);
}

#[tokio::test]
async fn what_people_do_is_seen_over_the_api() {
    let hub = Hub::start(24).await;
    let number = hub.number("🚀-x");
    let pull = |reply: Reply| reply.json();
    let before = pull(hub.get(&format!("pulls/{number}")).await);
    assert_eq!((&before["mergeable"], before["merge_commit_sha"].is_string()), (&json!(true), true));
    hub.running.hub(|hub| hub.act(number, Act::ForcePush)).unwrap();
    let pushed = pull(hub.get(&format!("pulls/{number}")).await);
    assert_ne!(before["head"]["sha"], pushed["head"]["sha"]);
    assert_eq!(pushed["mergeable"], Value::Null, "GitHub has not looked yet");
    assert_eq!(pull(hub.get(&format!("pulls/{number}")).await)["mergeable"], json!(true));
    hub.running.hub(|hub| hub.act(number, Act::Conflict)).unwrap();
    hub.get(&format!("pulls/{number}")).await;
    assert_eq!(pull(hub.get(&format!("pulls/{number}")).await)["mergeable_state"], "dirty");
    hub.running.hub(|hub| hub.act(number, Act::DeleteFork)).unwrap();
    hub.running.hub(|hub| hub.act(number, Act::Close)).unwrap();
    let closed = pull(hub.get(&format!("pulls/{number}")).await);
    assert_eq!((&closed["state"], &closed["head"]["repo"]), (&json!("closed"), &Value::Null));
    assert!(hub.running.hub(|hub| hub.act(number, Act::Push)).is_err(), "it is closed");
    let good = hub.number("-f");
    let tip = hub.running.hub(|hub| hub.tip("develop").unwrap().id);
    hub.running.hub(|hub| hub.act(good, Act::Merge)).unwrap();
    let merged = pull(hub.get(&format!("pulls/{good}")).await);
    assert_eq!((&merged["merged"], &merged["base"]["sha"]), (&json!(true), &merged["merge_commit_sha"]));
    assert_ne!(tip, hub.running.hub(|hub| hub.tip("develop").unwrap().id));
}

#[tokio::test]
async fn scripts_do_over_the_api_what_people_do() {
    let hub = Hub::start(24).await;
    let number = hub.number("a+b");
    let send = async |method: reqwest::Method, path: &str, body: &Value| {
        hub.send(hub.request(method, path).bearer_auth(&hub.running.github.token).json(body)).await
    };
    let before = hub.get(&format!("pulls/{number}")).await.json();
    let fork = before["head"]["repo"]["full_name"].as_str().unwrap().to_owned();
    let file = json!({"message": "one more", "content": "aGVsbG8K", "branch": "a+b"});
    let put = send(reqwest::Method::PUT, &format!("/repos/{fork}/contents/docs/one.md"), &file).await;
    assert_eq!(put.status, 200, "{}", put.body);
    let after = hub.get(&format!("pulls/{number}")).await.json();
    assert_eq!((&after["head"]["sha"], &after["commits"]), (&put.json()["commit"]["sha"], &json!(2)));
    assert_eq!(put.json()["commit"]["parents"][0]["sha"], before["head"]["sha"]);
    let patch = format!("pulls/{number}");
    let base = send(reqwest::Method::PATCH, &patch, &json!({"base": "releases/v1.0"})).await.json();
    assert_eq!(base["base"]["ref"], "releases/v1.0");
    send(reqwest::Method::PATCH, &patch, &json!({"base": "develop"})).await;
    assert_eq!(send(reqwest::Method::PATCH, &patch, &json!({"state": "closed"})).await.json()["state"], "closed");
    assert_eq!(send(reqwest::Method::PATCH, &patch, &json!({"state": "open"})).await.json()["state"], "open");
    let labels =
        send(reqwest::Method::POST, &format!("issues/{number}/labels"), &json!({"labels": ["pipelines:urgent"]})).await;
    assert!(labels.body.contains("pipelines:urgent"));
    let removed = send(reqwest::Method::DELETE, &format!("issues/{number}/labels/pipelines:urgent"), &json!({})).await;
    assert!(!removed.body.contains("pipelines:urgent"));
    let merged = send(reqwest::Method::PUT, &format!("pulls/{number}/merge"), &json!({})).await;
    assert_eq!((merged.status, &merged.json()["merged"]), (200, &json!(true)));
    assert_eq!(send(reqwest::Method::PUT, &format!("pulls/{number}/merge"), &json!({})).await.status, 405);
}

#[tokio::test]
async fn an_hour_of_people_is_the_same_however_it_is_cut() {
    let told = async |cuts: i64| {
        let hub = Hub::start(24).await;
        for _ in 0..cuts {
            hub.running.world(|world| world.advance_to(world.now().shifted(4 * 3_600_000 / cuts)));
            hub.running.hub(|_| ());
        }
        let all = hub.running.hub(|hub| format!("{:?}", hub.pulls()));
        let address = hub.running.github.url.clone();
        all.replace(&address, "")
    };
    let (one, many) = (told(1).await, told(48).await);
    assert_eq!(one, many);
    assert!(one.contains("Merged") && one.contains("Closed"), "something has happened");
}
